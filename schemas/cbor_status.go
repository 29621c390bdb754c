package schemas

import (
	"errors"
	"fmt"
	"math"
	"time"

	"citygrid/internal/cbor"
)

const (
	statusCollector = iota + 1
	statusArea
	statusAt
	statusStartedAt
	statusVersion
	statusReadsPlanned
	statusReadsDone
	statusReadsFailed
	statusReadsMissed
	statusValuesRead
	statusEnvelopesSealed
	statusEnvelopesPublished
	statusEnvelopesFreed
	statusSpoolRecords
	statusSpoolBytes
	statusSpoolQuota
	statusSpoolFull
	statusFailingTotal
	statusFailing
	statusHealth          // left out when there is none
	statusKeyGeneration   // left out when it is not told
	statusCertificateEnds // left out without TLS
	statusLines           // left out when there is none
	statusSpoolDropped    // left out when nothing was dropped
)

const (
	faultMeter = iota + 1
	faultSince
	faultError
	faultCause    // left out when none fits
	faultExchange // left out when there is none
)

const (
	healthMeter = iota + 1
	healthPlanned
	healthRead
	healthDrift // left out when it is not known
	healthError // left out when there was none
)

var (
	statusFields = fieldTable{keyVersion: "format", statusCollector: "collector", statusArea: "area",
		statusAt: "at", statusStartedAt: "started_at", statusVersion: "version",
		statusReadsPlanned: "reads_planned", statusReadsDone: "reads_done",
		statusReadsFailed: "reads_failed", statusReadsMissed: "reads_missed",
		statusValuesRead: "values_read", statusEnvelopesSealed: "envelopes_sealed",
		statusEnvelopesPublished: "envelopes_published", statusEnvelopesFreed: "envelopes_freed",
		statusSpoolRecords: "spool_records",
		statusSpoolBytes:   "spool_bytes", statusSpoolQuota: "spool_quota",
		statusSpoolFull: "spool_full", statusFailingTotal: "failing_total", statusFailing: "failing",
		statusHealth: "health", statusKeyGeneration: "key_generation",
		statusCertificateEnds: "certificate_ends", statusLines: "lines", statusSpoolDropped: "spool_dropped"}
	faultFields = fieldTable{faultMeter: "meter", faultSince: "since", faultError: "error",
		faultCause: "cause", faultExchange: "exchange"}
	healthFields = fieldTable{healthMeter: "meter", healthPlanned: "planned", healthRead: "read",
		healthDrift: "drift_ms", healthError: "error"}
)

// counter is one of the plain numbers of a Status with its key.
type counter struct {
	key   int
	value *uint64
}

// counters lists the numbers of s in the order of their keys, which follow one
// another.
func (s *Status) counters() [11]counter {
	return [11]counter{
		{statusReadsPlanned, &s.ReadsPlanned}, {statusReadsDone, &s.ReadsDone},
		{statusReadsFailed, &s.ReadsFailed}, {statusReadsMissed, &s.ReadsMissed},
		{statusValuesRead, &s.ValuesRead}, {statusEnvelopesSealed, &s.EnvelopesSealed},
		{statusEnvelopesPublished, &s.EnvelopesPublished}, {statusEnvelopesFreed, &s.EnvelopesFreed},
		{statusSpoolRecords, &s.SpoolRecords},
		{statusSpoolBytes, &s.SpoolBytes}, {statusSpoolQuota, &s.SpoolQuota},
	}
}

// EncodeStatus appends the wire form of s to dst and returns the longer slice.
// It refuses a status that Validate refuses and then returns dst unchanged.
func EncodeStatus(dst []byte, s *Status) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return dst, fmt.Errorf("encode status: %w", err)
	}
	dst = cbor.AppendHead(dst, cbor.Map, s.fields())
	dst = appendUint(appendUint(dst, keyVersion), formatVersion)
	dst = cbor.AppendText(appendUint(dst, statusCollector), s.Collector)
	dst = cbor.AppendText(appendUint(dst, statusArea), s.Area)
	dst = appendTime(appendUint(dst, statusAt), s.At)
	dst = appendTime(appendUint(dst, statusStartedAt), s.StartedAt)
	dst = cbor.AppendText(appendUint(dst, statusVersion), s.Version)
	for _, c := range s.counters() {
		dst = appendUint(appendUint(dst, uint64(c.key)), *c.value)
	}
	dst = appendBool(appendUint(dst, statusSpoolFull), s.SpoolFull)
	dst = appendUint(appendUint(dst, statusFailingTotal), uint64(s.FailingTotal))
	dst = cbor.AppendHead(appendUint(dst, statusFailing), cbor.Array, uint64(len(s.Failing)))
	for i := range s.Failing {
		dst = appendFault(dst, &s.Failing[i])
	}
	dst = appendHealth(dst, s.Health)
	if s.KeyGeneration != 0 {
		dst = appendUint(appendUint(dst, statusKeyGeneration), uint64(s.KeyGeneration))
	}
	if !s.CertificateEnds.IsZero() {
		dst = appendTime(appendUint(dst, statusCertificateEnds), s.CertificateEnds)
	}
	dst = appendLines(dst, s.Lines)
	if s.SpoolDropped != 0 {
		dst = appendUint(appendUint(dst, statusSpoolDropped), s.SpoolDropped)
	}
	return dst, nil
}

// fields counts the fields of s that are written.
func (s *Status) fields() uint64 {
	fields := uint64(statusFailing + 1)
	for _, given := range []bool{len(s.Health) > 0, s.KeyGeneration != 0, !s.CertificateEnds.IsZero(), len(s.Lines) > 0, s.SpoolDropped != 0} {
		if given {
			fields++
		}
	}
	return fields
}

func appendHealth(dst []byte, list []MeterHealth) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = cbor.AppendHead(appendUint(dst, statusHealth), cbor.Array, uint64(len(list)))
	for _, h := range list {
		fields := uint64(3)
		if h.DriftKnown {
			fields++
		}
		if h.Error != "" {
			fields++
		}
		dst = cbor.AppendHead(dst, cbor.Map, fields)
		dst = cbor.AppendText(appendUint(dst, healthMeter), h.Meter)
		dst = appendUint(appendUint(dst, healthPlanned), h.Planned)
		dst = appendUint(appendUint(dst, healthRead), h.Read)
		if h.DriftKnown {
			dst = appendInt(appendUint(dst, healthDrift), h.Drift.Milliseconds())
		}
		if h.Error != "" {
			dst = cbor.AppendText(appendUint(dst, healthError), h.Error)
		}
	}
	return dst
}

// DecodeStatus reads what EncodeStatus writes and nothing else, with the
// promises of DecodeBatch. Failing, Health and Lines are nil when they are empty.
func DecodeStatus(data []byte) (*Status, error) {
	s, err := decodeStatus(&decoder{cbor.Reader{Data: data}})
	if err == nil {
		err = s.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("decode status: %w", err)
	}
	return s, nil
}

func decodeStatus(d *decoder) (*Status, error) {
	m := d.openMap(statusFields)
	m.version("status", "hub")
	s := &Status{
		Collector: CollectorID(m.text(statusCollector, maxID)),
		Area:      AreaCode(m.text(statusArea, maxAreaCode)),
		At:        m.time(statusAt),
		StartedAt: m.time(statusStartedAt),
		Version:   string(m.text(statusVersion, MaxVersion)),
	}
	for _, c := range s.counters() {
		*c.value = m.uint(c.key, MaxCount)
	}
	s.SpoolFull = m.bool(statusSpoolFull)
	s.FailingTotal = m.uint32(statusFailingTotal)
	n := m.array(statusFailing, MaxFailing)
	for i := 0; i < n && m.err == nil; i++ {
		f, err := d.fault()
		s.Failing = append(s.Failing, f)
		if err != nil {
			m.err = at(fmt.Sprintf("failing[%d]", i), err)
		}
	}
	if m.has(statusHealth) {
		s.Health = m.health()
	}
	if m.has(statusKeyGeneration) {
		s.KeyGeneration = m.count16(statusKeyGeneration, math.MaxUint16)
	}
	if m.has(statusCertificateEnds) {
		s.CertificateEnds = m.timeHere(statusCertificateEnds)
	}
	if m.has(statusLines) {
		s.Lines = m.lines()
	}
	if m.has(statusSpoolDropped) {
		s.SpoolDropped = m.countHere(statusSpoolDropped, MaxCount)
	}
	return s, m.finish()
}

// health reads the list whose key has been read.
func (m *mapReader) health() []MeterHealth {
	n, err := m.d.array(MaxHealth)
	if err == nil && n == 0 {
		err = errors.New("empty; leave the field out")
	}
	m.fail(statusHealth, err)
	var list []MeterHealth
	for i := 0; i < n && m.err == nil; i++ {
		f := m.d.openMap(healthFields)
		h := MeterHealth{
			Meter:   MeterID(f.text(healthMeter, maxID)),
			Planned: f.uint(healthPlanned, MaxCount),
			Read:    f.uint(healthRead, MaxCount),
		}
		if f.has(healthDrift) {
			h.Drift, h.DriftKnown = f.drift(), true
		}
		if f.has(healthError) {
			h.Error = f.healthError()
		}
		list = append(list, h)
		if err := f.close(); err != nil {
			m.err = at(fmt.Sprintf("health[%d]", i), err)
		}
	}
	return list
}

// drift reads milliseconds, which must fit a Duration before Validate can
// judge them.
func (m *mapReader) drift() time.Duration {
	ms, err := m.d.int64()
	if limit := MaxDrift.Milliseconds(); err == nil && (ms > limit || ms < -limit) {
		err = fmt.Errorf("%d ms, want at most %d either way", ms, limit)
	}
	m.fail(healthDrift, err)
	if m.err != nil {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

func (m *mapReader) healthError() string {
	s, err := m.d.bytes(cbor.Text, MaxFaultText)
	if err == nil && len(s) == 0 {
		err = errors.New("empty; leave the field out")
	}
	m.fail(healthError, err)
	return string(s)
}
