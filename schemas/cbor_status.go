package schemas

import (
	"fmt"

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
)

const (
	faultMeter = iota + 1
	faultSince
	faultError
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
		statusSpoolFull: "spool_full", statusFailingTotal: "failing_total", statusFailing: "failing"}
	faultFields = fieldTable{faultMeter: "meter", faultSince: "since", faultError: "error"}
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
	dst = cbor.AppendHead(dst, cbor.Map, uint64(len(statusFields)))
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
	for _, f := range s.Failing {
		dst = cbor.AppendHead(dst, cbor.Map, 3)
		dst = cbor.AppendText(appendUint(dst, faultMeter), f.Meter)
		dst = appendTime(appendUint(dst, faultSince), f.Since)
		dst = cbor.AppendText(appendUint(dst, faultError), f.Error)
	}
	return dst, nil
}

// DecodeStatus reads what EncodeStatus writes and nothing else, with the
// promises of DecodeBatch. Failing is nil when no meter fails.
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
		f := d.openMap(faultFields)
		s.Failing = append(s.Failing, MeterFault{
			Meter: MeterID(f.text(faultMeter, maxID)),
			Since: f.time(faultSince),
			Error: string(f.text(faultError, MaxFaultText)),
		})
		if err := f.close(); err != nil {
			m.err = at(fmt.Sprintf("failing[%d]", i), err)
		}
	}
	return s, m.finish()
}
