package store

import (
	"context"
	"strconv"
	"time"

	"citygrid/schemas"
)

// The names under which what stands at a moment is stored.
const (
	collectorMeasurement = "collector_status"
	casesMeasurement     = "case_open"
)

// CollectorPoint is how one collector stood at a moment, as the hub knew it then.
type CollectorPoint struct {
	Collector schemas.CollectorID
	Area      schemas.AreaCode // empty: not known
	At        time.Time
	Online    bool
	// Status is its last account of itself; nil: it has given none, and only Online is
	// stored.
	Status *CollectorCounts
}

// CollectorCounts are the figures of a status. Those that count do so since the
// collector's start.
type CollectorCounts struct {
	Age, Uptime                                       time.Duration
	ReadsPlanned, ReadsDone, ReadsFailed, ReadsMissed uint64
	ValuesRead, Sealed, Published, Freed              uint64
	SpoolRecords, SpoolBytes, SpoolQuota              uint64
	SpoolFull                                         bool
	Failing                                           uint64 // meters whose last read failed
}

// StoreCollectors writes how collectors stand as points:
//
//	measurement collector_status
//	tags        area, collector
//	fields      online, spool_full (integer, 0 or 1)
//	            age_ms, uptime_s                        of the status and the process
//	            failing, freed, published, reads_done, reads_failed, reads_missed,
//	            reads_planned, sealed, spool_bytes, spool_quota, spool_records,
//	            values_read (integer)
//	time        At, milliseconds
//
// Errors are those of Write.
func (s *Store) StoreCollectors(ctx context.Context, list []CollectorPoint) error {
	var lines []byte
	for n := range list {
		lines = appendCollector(lines, &list[n])
	}
	return s.sendPoints(ctx, lines)
}

func appendCollector(dst []byte, p *CollectorPoint) []byte {
	fields := []field{{"online", flag(p.Online)}}
	if c := p.Status; c != nil {
		fields = append(fields,
			field{"age_ms", c.Age.Milliseconds()}, field{"uptime_s", int64(c.Uptime / time.Second)},
			field{"failing", int64(c.Failing)}, field{"freed", int64(c.Freed)}, field{"published", int64(c.Published)},
			field{"reads_done", int64(c.ReadsDone)}, field{"reads_failed", int64(c.ReadsFailed)},
			field{"reads_missed", int64(c.ReadsMissed)}, field{"reads_planned", int64(c.ReadsPlanned)},
			field{"sealed", int64(c.Sealed)}, field{"spool_bytes", int64(c.SpoolBytes)}, field{"spool_full", flag(c.SpoolFull)},
			field{"spool_quota", int64(c.SpoolQuota)}, field{"spool_records", int64(c.SpoolRecords)}, field{"values_read", int64(c.ValuesRead)})
	}
	return appendPoint(dst, collectorMeasurement, []tag{{"area", string(p.Area)}, {"collector", string(p.Collector)}}, fields, p.At)
}

// CaseGauge says how many cases of one class in one community are open at a moment.
// None, Green, Yellow and Red count them by the light of their limit and sum up to all;
// Red is overdue.
type CaseGauge struct {
	Class, Area              string // of a city without cases both are empty
	None, Green, Yellow, Red int64
	At                       time.Time
}

// StoreCaseGauges writes what is open as points:
//
//	measurement case_open
//	tags        area, class          those that are given
//	fields      green, none, open, overdue, yellow (integer)   open is the sum
//	time        At, milliseconds
//
// The caller writes a gauge that has come down to nothing once more, with zeros: a
// chart would go on with the last value else. Errors are those of Write.
func (s *Store) StoreCaseGauges(ctx context.Context, list []CaseGauge) error {
	var lines []byte
	for n := range list {
		lines = appendCaseGauge(lines, &list[n])
	}
	return s.sendPoints(ctx, lines)
}

func appendCaseGauge(dst []byte, g *CaseGauge) []byte {
	return appendPoint(dst, casesMeasurement, []tag{{"area", g.Area}, {"class", g.Class}}, []field{
		{"green", g.Green}, {"none", g.None}, {"open", g.None + g.Green + g.Yellow + g.Red}, {"overdue", g.Red}, {"yellow", g.Yellow},
	}, g.At)
}

type tag struct{ name, value string }

type field struct {
	name  string
	value int64
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// appendPoint appends a point of integers as one line. Tags stand in the order of their
// names, those without a value are left out.
func appendPoint(dst []byte, name string, tags []tag, fields []field, at time.Time) []byte {
	dst = append(dst, name...)
	for _, t := range tags {
		if t.value != "" {
			dst = append(append(append(dst, ','), t.name...), '=')
			dst = appendTag(dst, t.value)
		}
	}
	for n, f := range fields {
		between := byte(',')
		if n == 0 {
			between = ' '
		}
		dst = append(append(append(dst, between), f.name...), '=')
		dst = append(strconv.AppendInt(dst, f.value, 10), 'i')
	}
	dst = strconv.AppendInt(append(dst, ' '), at.UnixMilli(), 10)
	return append(dst, '\n')
}

// sendPoints sends lines, if there are any.
func (s *Store) sendPoints(ctx context.Context, lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	return s.sendLines(ctx, string(lines))
}
