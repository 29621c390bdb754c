package schemas

import (
	"encoding/json"
	"fmt"
	"time"
)

type faultJSON struct {
	Meter MeterID `json:"meter"`
	Since moment  `json:"since"`
	Error string  `json:"error"`

	Cause    FaultCause `json:"cause,omitempty"`
	Exchange *Exchange  `json:"exchange,omitempty"`
}

// MarshalJSON writes {"meter", "since", "error", "cause", "exchange"}; the last
// two are left out when there is none.
func (f MeterFault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{f.Meter, moment(f.Since), f.Error, f.Cause, f.Exchange})
}

// UnmarshalJSON reads what MarshalJSON writes, strictly.
func (f *MeterFault) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := MeterFault{
		Meter: member[MeterID](o, "meter"),
		Since: time.Time(member[moment](o, "since")),
		Error: member[string](o, "error"),
	}
	if o.has("cause") {
		v.Cause = FaultCause(memberText(o, "cause"))
	}
	if o.has("exchange") {
		v.Exchange = new(member[Exchange](o, "exchange"))
	}
	return o.finish(v.validate, func() { *f = v })
}

type healthJSON struct {
	Meter   MeterID `json:"meter"`
	Planned uint64  `json:"planned"`
	Read    uint64  `json:"read"`
	DriftMS *int64  `json:"drift_ms,omitempty"`
	Error   *string `json:"error,omitempty"`
}

// MarshalJSON writes {"meter", "planned", "read", "drift_ms", "error"}; the
// drift is left out when it is not known, the error when there was none.
func (h MeterHealth) MarshalJSON() ([]byte, error) {
	j := healthJSON{Meter: h.Meter, Planned: h.Planned, Read: h.Read}
	if h.DriftKnown {
		ms := h.Drift.Milliseconds()
		j.DriftMS = &ms
	}
	if h.Error != "" {
		j.Error = &h.Error
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes, strictly.
func (h *MeterHealth) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := MeterHealth{
		Meter:   member[MeterID](o, "meter"),
		Planned: member[uint64](o, "planned"),
		Read:    member[uint64](o, "read"),
	}
	if o.has("drift_ms") {
		v.Drift, v.DriftKnown = memberDrift(o), true
	}
	if o.has("error") {
		v.Error = memberText(o, "error")
	}
	return o.finish(v.validate, func() { *h = v })
}

// memberDrift takes drift_ms, which must fit a Duration before Validate can
// judge it.
func memberDrift(o *object) time.Duration {
	ms := member[int64](o, "drift_ms")
	if limit := MaxDrift.Milliseconds(); o.err == nil && (ms > limit || ms < -limit) {
		o.err = &FieldError{Field: "drift_ms", Problem: fmt.Sprintf("%d, want at most %d either way", ms, limit)}
	}
	if o.err != nil {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

type statusJSON struct {
	Collector    CollectorID  `json:"collector"`
	Area         AreaCode     `json:"area"`
	At           moment       `json:"at"`
	StartedAt    moment       `json:"started_at"`
	Version      string       `json:"version"`
	ReadsPlanned uint64       `json:"reads_planned"`
	ReadsDone    uint64       `json:"reads_done"`
	ReadsFailed  uint64       `json:"reads_failed"`
	ReadsMissed  uint64       `json:"reads_missed"`
	ValuesRead   uint64       `json:"values_read"`
	Sealed       uint64       `json:"envelopes_sealed"`
	Published    uint64       `json:"envelopes_published"`
	Freed        uint64       `json:"envelopes_freed"`
	SpoolRecords uint64       `json:"spool_records"`
	SpoolBytes   uint64       `json:"spool_bytes"`
	SpoolQuota   uint64       `json:"spool_quota"`
	SpoolFull    bool         `json:"spool_full"`
	FailingTotal uint32       `json:"failing_total"`
	Failing      []MeterFault `json:"failing"`

	Health          []MeterHealth `json:"health,omitempty"`
	KeyGeneration   uint16        `json:"key_generation,omitempty"`
	CertificateEnds *moment       `json:"certificate_ends,omitempty"`
	Lines           []LineStatus  `json:"lines,omitempty"`
	SpoolDropped    uint64        `json:"spool_dropped,omitempty"`
}

// MarshalJSON writes the JSON form [status.schema.json]. "failing" is always
// an array; what follows it is left out when it is empty or not known.
func (s Status) MarshalJSON() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	failing := s.Failing
	if failing == nil {
		failing = []MeterFault{}
	}
	var ends *moment
	if !s.CertificateEnds.IsZero() {
		ends = new(moment(s.CertificateEnds))
	}
	return json.Marshal(statusJSON{s.Collector, s.Area, moment(s.At), moment(s.StartedAt), s.Version,
		s.ReadsPlanned, s.ReadsDone, s.ReadsFailed, s.ReadsMissed, s.ValuesRead,
		s.EnvelopesSealed, s.EnvelopesPublished, s.EnvelopesFreed,
		s.SpoolRecords, s.SpoolBytes, s.SpoolQuota, s.SpoolFull, s.FailingTotal, failing,
		s.Health, s.KeyGeneration, ends, s.Lines, s.SpoolDropped})
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (s *Status) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := Status{
		Collector: member[CollectorID](o, "collector"),
		Area:      member[AreaCode](o, "area"),
		At:        time.Time(member[moment](o, "at")),
		StartedAt: time.Time(member[moment](o, "started_at")),
		Version:   member[string](o, "version"),
	}
	for _, c := range v.counters() {
		*c.value = member[uint64](o, statusFields[c.key])
	}
	v.SpoolFull = member[bool](o, "spool_full")
	v.FailingTotal = member[uint32](o, "failing_total")
	v.Failing = members[MeterFault](o, "failing", MaxFailing)
	v.Health = someMembers[MeterHealth](o, "health", MaxHealth)
	v.KeyGeneration = memberNumber[uint16](o, "key_generation")
	if o.has("certificate_ends") {
		v.CertificateEnds = time.Time(member[moment](o, "certificate_ends"))
	}
	v.Lines = someMembers[LineStatus](o, "lines", MaxLines)
	v.SpoolDropped = memberNumber[uint64](o, "spool_dropped")
	return o.finish(v.Validate, func() { *s = v })
}

// someMembers takes an array that is left out rather than empty.
func someMembers[T any](o *object, name string, limit int) []T {
	if !o.has(name) {
		return nil
	}
	list := members[T](o, name, limit)
	if o.err == nil && len(list) == 0 {
		o.err = &FieldError{Field: name, Problem: "empty; leave the field out"}
	}
	return list
}
