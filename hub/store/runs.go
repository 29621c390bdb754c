package store

import (
	"context"
	"time"

	"citygrid/schemas"
)

// The names under which the closing figures of reconciliation are stored.
const (
	runMeasurement   = "reconciliation"
	classMeasurement = "reconciliation_class"
)

// RunPoint is a run of reconciliation, as dashboards show it.
type RunPoint struct {
	Utility  schemas.Medium
	Day      time.Time // the first moment of the day on which it closed
	Run      int64
	Version  int
	SetAside bool // a run over its days, or before them, was made again
	// Rows that the run took, and that it left out.
	Sales, Entries, Payments, Refused int64
	// Unloaded is what is sold and not loaded, Residual what the meters hold: together
	// the prepaid liability. Overdraft is owed by customers.
	Unloaded, Residual, Overdraft RunTally
	// Installations stand on the closing day; Fresh have evidence, none too old, Stale
	// none or too old. Fresh over Installations is the coverage.
	Installations, Fresh, Stale int64
	Classes                     []RunClass
}

// RunTally counts, with the sums.
type RunTally struct {
	Count, Fen int64
	Volume     int64 // litres or watt-hours, for purses of volume
}

// RunClass is the roll-forward of one class of difference.
type RunClass struct {
	Class                                     string
	Opening, Found, Cleared, Decided, Closing RunTally
}

// StoreRuns writes runs as points:
//
//	measurement reconciliation
//	tags        utility
//	fields      entries, payments, refused, sales, run, set_aside (0 or 1), version,
//	            fresh, installations, stale (integer)
//	            overdraft, residual, unloaded, each with _count, _fen and _volume
//	measurement reconciliation_class
//	tags        class, utility
//	fields      cleared, closing, decided, found, opening, each with _count, _fen and
//	            _volume; run, set_aside (integer)
//	time        Day, milliseconds
//
// Sums are integers: fen, and litres or watt-hours. A day that is made again has one
// point: that of the run that was written last. Errors are those of Write.
func (s *Store) StoreRuns(ctx context.Context, list []RunPoint) error {
	var lines []byte
	for n := range list {
		lines = appendRun(lines, &list[n])
	}
	return s.sendPoints(ctx, lines)
}

func appendRun(dst []byte, p *RunPoint) []byte {
	head := []field{{"run", p.Run}, {"set_aside", flag(p.SetAside)}}
	fields := append(head[:2:2], []field{
		{"version", int64(p.Version)}, {"entries", p.Entries}, {"payments", p.Payments}, {"refused", p.Refused}, {"sales", p.Sales},
		{"fresh", p.Fresh}, {"installations", p.Installations}, {"stale", p.Stale},
	}...)
	fields = appendTally(fields, "overdraft", p.Overdraft)
	fields = appendTally(fields, "residual", p.Residual)
	fields = appendTally(fields, "unloaded", p.Unloaded)
	dst = appendPoint(dst, runMeasurement, []tag{{"utility", string(p.Utility)}}, fields, p.Day)
	for _, c := range p.Classes {
		rolls := head[:2:2]
		for _, r := range []struct {
			name string
			of   RunTally
		}{{"cleared", c.Cleared}, {"closing", c.Closing}, {"decided", c.Decided}, {"found", c.Found}, {"opening", c.Opening}} {
			rolls = appendTally(rolls, r.name, r.of)
		}
		dst = appendPoint(dst, classMeasurement, []tag{{"class", c.Class}, {"utility", string(p.Utility)}}, rolls, p.Day)
	}
	return dst
}

func appendTally(dst []field, name string, t RunTally) []field {
	return append(dst, field{name + "_count", t.Count}, field{name + "_fen", t.Fen}, field{name + "_volume", t.Volume})
}
