package collector

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/schemas"
)

// TrialOptions say what a Trial is to read, and how.
type TrialOptions struct {
	Lines []Line
	// FlatOut reads the meters of a line one after the other without a pause,
	// whatever their schedule: to measure, never for meters in service.
	FlatOut bool
	// Readings, if not nil, is given the readings of each answer, one call at a
	// time. It must not keep the slice.
	Readings func([]schemas.Reading)
	Log      *slog.Logger
}

// Trial reads lines as a collector does, by the same loops and verdicts, and
// seals and sends nothing. Its report may be asked for at any time.
type Trial struct {
	o     TrialOptions
	begun time.Time
	given chan []schemas.Reading
	loops []*lineLoop
}

// NewTrial returns a trial whose schedule begins now. Nothing is read before
// Run.
func NewTrial(o TrialOptions) *Trial {
	t := &Trial{o: o, begun: time.Now(), given: make(chan []schemas.Reading, len(o.Lines))}
	m, b := newMetrics(prometheus.NewRegistry()), newBoard()
	for _, l := range o.Lines {
		loop := newLineLoop(l, t.begun, t.given, m, b, o.Log)
		loop.flatOut = o.FlatOut
		t.loops = append(t.loops, loop)
	}
	return t
}

// Run reads until ctx is done. It is called once.
func (t *Trial) Run(ctx context.Context) {
	var lines sync.WaitGroup
	for _, loop := range t.loops {
		lines.Go(func() { loop.run(ctx) })
	}
	go func() { lines.Wait(); close(t.given) }()
	for readings := range t.given {
		if t.o.Readings != nil {
			t.o.Readings(readings)
		}
	}
}

// TrialReport is what a trial has found so far.
type TrialReport struct {
	Seconds float64      `json:"seconds"`
	Lines   []LineReport `json:"lines"`
}

// LineReport sums up the meters of one line.
type LineReport struct {
	Line string `json:"line"`
	Report
	// AnsweringKept is ScheduleKept of the meters that gave anything at all.
	AnsweringKept float64 `json:"schedule_kept_of_answering"`
	// Meters has the lowest success rate first.
	Meters []MeterReport `json:"meters"`
}

// Report is what reading gave.
type Report struct {
	// Planned counts the slots; Read those in which all readings came; Failed
	// the reads that did not give all. In a trial flat out each read is a slot.
	Planned uint64 `json:"slots_planned"`
	Read    uint64 `json:"slots_read"`
	Failed  uint64 `json:"reads_failed"`
	Values  uint64 `json:"values"`
	// Records counts values from the meters' own memory, beside Values.
	Records uint64 `json:"record_values"`
	// ScheduleKept is Read of Planned, 1 when nothing was planned.
	ScheduleKept float64 `json:"schedule_kept"`
	// Busy is the time spent on the reads of the schedule, in seconds.
	Busy float64 `json:"busy_seconds"`
}

// MeterReport is the account of one meter.
type MeterReport struct {
	Meter schemas.MeterID `json:"meter"`
	Report
	// Drift is how far the meter's clock is ahead, in seconds; absent when it
	// is not known.
	Drift *float64 `json:"clock_drift_seconds,omitempty"`
	Error string   `json:"error,omitempty"`
}

// Report returns what the trial has found up to now.
func (t *Trial) Report() TrialReport {
	now := time.Now()
	r := TrialReport{Seconds: now.Sub(t.begun).Seconds()}
	for _, l := range t.loops {
		r.Lines = append(r.Lines, l.report(now))
	}
	return r
}

// report sums up the meters of l.
func (l *lineLoop) report(now time.Time) LineReport {
	out := LineReport{Line: l.line.Name}
	var answering Report
	for _, h := range l.health {
		m := h.report(now)
		out.add(m.Report)
		if m.Values > 0 {
			answering.add(m.Report)
		}
		out.Meters = append(out.Meters, m)
	}
	out.ScheduleKept = successRate(out.Planned, out.Read)
	out.AnsweringKept = successRate(answering.Planned, answering.Read)
	slices.SortStableFunc(out.Meters, func(a, b MeterReport) int {
		return cmp.Or(cmp.Compare(a.ScheduleKept, b.ScheduleKept), cmp.Compare(b.Failed, a.Failed))
	})
	return out
}

// add adds the counts of o to r.
func (r *Report) add(o Report) {
	r.Planned += o.Planned
	r.Read += o.Read
	r.Failed += o.Failed
	r.Values += o.Values
	r.Records += o.Records
	r.Busy += o.Busy
}

// report returns the account since the start.
func (h *meterHealth) report(now time.Time) MeterReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn(now)
	r := MeterReport{Meter: h.id, Error: h.fault, Report: Report{
		Planned: h.total.planned, Read: h.total.read, Failed: h.failed,
		Values: h.values, Records: h.recordsRead, Busy: h.busy.Seconds(),
		ScheduleKept: successRate(h.total.planned, h.total.read),
	}}
	if h.driftKnown {
		drift := h.drift.Seconds()
		r.Drift = &drift
	}
	return r
}
