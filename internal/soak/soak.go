// Package soak reads a faulty simulated city for a long time, by the collector's
// own loops, and holds every single value against the oracle of the simulators:
// what the meter showed at that moment. It is the proof behind the claim that
// no line fault ever puts a value under another register, meter or moment.
package soak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/collector"
	collectorconfig "citygrid/collector/config"
	"citygrid/internal/city"
	"citygrid/schemas"
	"citygrid/simulators"
)

// Options say what to read and for how long.
type Options struct {
	// Fleet is the simulated city; its Start is set by Run.
	Fleet simulators.FleetConfig
	// Values ends the run when so many values have been checked, For after that
	// time, whichever comes first; 0 stands for no such end, and one must be given.
	Values uint64
	For    time.Duration
	// Timeout is the collector's patience with one answer, and must be given; it
	// should be shorter than the late answers of the faults.
	Timeout time.Duration
	// Progress, if not nil, is called about once a second.
	Progress func(values, wrong uint64)
}

// Report is what a run found.
type Report struct {
	Seed    uint64  `json:"seed"`
	Faults  string  `json:"faults"`
	Seconds float64 `json:"seconds"`
	// Values were checked; Wrong of them were not what the meter showed.
	Values uint64 `json:"values"`
	Wrong  uint64 `json:"wrong"`
	// Suspect values are right and marked by a verdict, Missing ones rightly have
	// no number. Glitches are values that the meter itself showed wrong, and
	// GlitchesMarked those of them that a verdict marked.
	Suspect        uint64 `json:"suspect"`
	Missing        uint64 `json:"missing"`
	Glitches       uint64 `json:"glitches"`
	GlitchesMarked uint64 `json:"glitches_marked"`
	// Kept values come from the meters' own memory.
	Kept  uint64           `json:"kept_values"`
	Kinds map[string]*Kind `json:"kinds"`
	// FirstWrong explains the first wrong values.
	FirstWrong []string `json:"first_wrong,omitempty"`
}

// Kind sums up the lines of one kind: "tcp", "serial" or "stream".
type Kind struct {
	Lines  int    `json:"lines"`
	Reads  uint64 `json:"reads"`
	Failed uint64 `json:"reads_failed"`
	Values uint64 `json:"values"`
	Wrong  uint64 `json:"wrong"`

	window time.Duration
}

// maxExplained bounds Report.FirstWrong.
const maxExplained = 10

// Validate reports options with which a run proves nothing, or never ends.
func (o Options) Validate() error {
	switch {
	case o.Values == 0 && o.For <= 0:
		return errors.New("soak: give a number of values or a time at which to end")
	case o.Timeout <= 0:
		return fmt.Errorf("soak: timeout %s; want more than 0: values are checked over that time", o.Timeout)
	}
	return nil
}

// Run builds the city, reads it flat out, and checks. It returns an error when
// the city or the collector cannot be built, or nothing could be checked; wrong
// values are in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Fleet.Start = time.Now().UTC().Truncate(time.Second)
	fleet, err := simulators.NewFleet(o.Fleet)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if o.For > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, o.For)
		defer end()
	}
	meters, stopMeters := context.WithCancel(context.WithoutCancel(ctx))
	defer stopMeters()
	if err := fleet.Listen(meters, "127.0.0.1"); err != nil {
		return nil, err
	}
	c := newChecker(fleet, o, stop)
	err = read(ctx, o, fleet, c)
	stopMeters()
	if err = errors.Join(err, fleet.Wait()); err != nil {
		return nil, err
	}
	if c.report.Values == 0 {
		return nil, fmt.Errorf("soak: no value was read in %.1f s, so nothing is proven: go on for longer, or with fewer faults", c.report.Seconds)
	}
	return c.report, nil
}

// read reads the fleet flat out until ctx ends, and has c check what comes.
func read(ctx context.Context, o Options, fleet *simulators.Fleet, c *checker) error {
	lines, err := buildLines(fleet, o)
	if err != nil {
		return err
	}
	trial := collector.NewTrial(collector.TrialOptions{
		Lines: lines, FlatOut: true, Readings: c.check, Log: slog.New(slog.DiscardHandler),
	})
	begun := time.Now()
	progress(ctx, o, c, func() { trial.Run(ctx) })
	c.report.Seconds = time.Since(begun).Seconds()
	c.addLines(trial.Report())
	for _, l := range lines {
		err = errors.Join(err, l.Close())
	}
	return err
}

// progress calls o.Progress each second while run runs.
func progress(ctx context.Context, o Options, c *checker, run func()) {
	if o.Progress == nil {
		run()
		return
	}
	done := make(chan struct{})
	told := make(chan struct{})
	go func() {
		defer close(told)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				o.Progress(c.values.Load(), c.wrong.Load())
			}
		}
	}()
	run()
	close(done)
	<-told
}

// buildLines makes the collector's lines by way of its configuration file, as a
// city does. On serial lines the quiet time is as long as answers are late: that
// is what the manual asks for, because an answer there does not name its
// request.
func buildLines(fleet *simulators.Fleet, o Options) ([]collector.Line, error) {
	lines := city.Lines(fleet, fleet.Addresses(), o.Timeout, time.Second)
	for i := range lines {
		if lines[i].Serial != nil {
			lines[i].QuietTime = collectorconfig.Duration(max(o.Timeout, o.Fleet.Faults.LateBy))
		}
	}
	file, err := yaml.Marshal(city.TrialConfig(lines, time.Second))
	if err != nil {
		return nil, err
	}
	c, err := collectorconfig.Parse(file, ".")
	if err != nil {
		return nil, fmt.Errorf("soak: the generated configuration: %w", err)
	}
	return c.BuildLines()
}

// checker holds values against the oracle. check is called by one goroutine.
type checker struct {
	fleet  *simulators.Fleet
	limit  uint64
	stop   func()
	kinds  map[schemas.MeterID]*Kind
	byLine map[string]*Kind
	report *Report
	values atomic.Uint64
	wrong  atomic.Uint64
}

func newChecker(fleet *simulators.Fleet, o Options, stop func()) *checker {
	c := &checker{
		fleet: fleet, limit: o.Values, stop: stop,
		kinds: make(map[schemas.MeterID]*Kind), byLine: make(map[string]*Kind),
		report: &Report{Seed: o.Fleet.Seed, Faults: o.Fleet.Faults.String(), Kinds: make(map[string]*Kind)},
	}
	for _, l := range fleet.Lines() {
		name := kindOf(l)
		k := c.report.Kinds[name]
		if k == nil {
			k = &Kind{window: o.window(name)}
			c.report.Kinds[name] = k
		}
		k.Lines++
		c.byLine[l.Name] = k
		for _, m := range l.Meters {
			c.kinds[m.ID] = k
		}
	}
	return c
}

// What may pass, beside the patience of the collector, between the moment of a
// value and that of its reading: the pause that an answer may have in it where a
// serial server passes it on, the time that an answer takes on the wire, and how
// late a held-up collector may notice it (adapters/line); and a scheduler's whim.
const (
	longestPause = 250 * time.Millisecond
	longestWire  = 1200 * time.Millisecond // 256 characters at 2400 Bd
	heldUp       = 50 * time.Millisecond
	whim         = 100 * time.Millisecond
)

// window is how old a value of a line of that kind may be when its answer has
// arrived.
func (o Options) window(kind string) time.Duration {
	w := o.Timeout + heldUp + whim
	if kind != tcp {
		w += longestPause
		if o.Fleet.Baud != simulators.NoPacing {
			w += longestWire
		}
	}
	return w
}

// The kinds of lines.
const tcp, serial, stream = "tcp", "serial", "stream"

func kindOf(l simulators.Line) string {
	switch {
	case l.Serial == nil:
		return tcp
	case strings.HasPrefix(l.Address, "/"):
		return serial
	}
	return stream
}

// check holds the readings of one answer against the oracle.
func (c *checker) check(readings []schemas.Reading) {
	for i := range readings {
		c.one(&readings[i])
	}
	n := c.values.Add(uint64(len(readings)))
	if c.limit > 0 && n >= c.limit {
		c.stop()
	}
}

func (c *checker) one(r *schemas.Reading) {
	k := c.kinds[r.Meter]
	if k == nil { // the reading says a meter that is not of this city
		k = &Kind{}
	}
	k.Values++
	switch {
	case r.Quality == schemas.Missing:
		c.report.Missing++
	case r.Quality == schemas.Suspect:
		c.report.Suspect++
	}
	if r.Origin != schemas.Live {
		c.report.Kept++
	}
	if now := time.Now(); r.Origin == schemas.Live && r.TakenAt.After(now) {
		c.isWrong(k, fmt.Sprintf("meter %s: %s is of %s, which is yet to come at %s", r.Meter, r.Quantity, r.TakenAt, now.UTC()))
		return
	}
	if err := c.fleet.Check(*r, k.window); err != nil {
		c.isWrong(k, err.Error()+c.age(r, k.window))
		return
	}
	if c.fleet.Glitched(*r, k.window) {
		c.report.Glitches++
		if r.Quality == schemas.Suspect {
			c.report.GlitchesMarked++
		}
	}
}

// isWrong counts a wrong value and explains it, if it is among the first.
func (c *checker) isWrong(k *Kind, why string) {
	c.wrong.Add(1)
	k.Wrong++
	if len(c.report.FirstWrong) < maxExplained {
		c.report.FirstWrong = append(c.report.FirstWrong, why)
	}
}

// age says how old a value is that was right at an earlier moment.
func (c *checker) age(r *schemas.Reading, allowed time.Duration) string {
	const oldest = 30 * time.Second
	for window := allowed; window <= oldest; window += 50 * time.Millisecond {
		if c.fleet.Check(*r, window) == nil {
			return fmt.Sprintf("; it was right %s before (allowed %s)", window, allowed)
		}
	}
	return ""
}

// addLines takes the counts of the trial.
func (c *checker) addLines(t collector.TrialReport) {
	for _, l := range t.Lines {
		if k := c.byLine[l.Line]; k != nil {
			k.Reads += l.Read
			k.Failed += l.Failed
		}
	}
	c.report.Values, c.report.Wrong = c.values.Load(), c.wrong.Load()
}
