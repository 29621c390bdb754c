// Package outage measures how a city comes back: its broker (or its hub, or its
// InfluxDB) is taken away while meters are read, and given back. Measured are
// how fast the backlog drains beside what goes on being read, how long the
// newest readings wait meanwhile, what the collector and the hub need of memory
// at most, and that nothing is lost, doubled or changed.
package outage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"citygrid/internal/city"
	"citygrid/schemas"
	"citygrid/simulators"
)

// Options say what to run.
type Options struct {
	// Citygrid and Collector are the paths of the programs.
	Citygrid, Collector string
	// Dir is an empty folder for all files. It is not removed.
	Dir string
	// Rate is how many readings a second are taken, about.
	Rate int
	// Part is what is taken away: city.Broker, city.Hub or city.Influxd.
	Part string
	// Before is how long the city runs first, Outage how long the part is away.
	Before, Outage time.Duration
	Log            func(format string, args ...any)
}

// Validate reports the first option with which nothing can be measured.
func (o Options) Validate() error {
	switch o.Part {
	case city.Broker, city.Hub, city.Influxd:
	default:
		return fmt.Errorf("cannot take away %q; want %s, %s or %s", o.Part, city.Broker, city.Hub, city.Influxd)
	}
	if o.Rate < 50 || o.Rate > 100_000 {
		return fmt.Errorf("%d readings a second; want 50 to 100,000", o.Rate)
	}
	if o.Before < 5*time.Second || o.Outage < time.Second {
		return errors.New("want at least 5 s before the outage and 1 s of outage")
	}
	return nil
}

// Report is what was measured.
type Report struct {
	Part    string  `json:"part"`
	Seconds float64 `json:"outage_s"`
	Meters  int     `json:"meters"`
	// LiveRate is how many readings a second were stored before the outage.
	LiveRate float64 `json:"live_readings_per_s"`
	// Backlog is how many readings waited when the part was back, Back how long
	// it then took until the first of them was stored: connecting again is
	// spaced, so that thousands of collectors do not come at once.
	Backlog uint64  `json:"backlog_readings"`
	Back    float64 `json:"first_stored_after_s"`
	// Drain is how long the backlog took from then on, DrainRate how many of its
	// readings were stored a second, beside the live ones; Times relates that to
	// LiveRate.
	Drain     float64 `json:"drained_in_s"`
	DrainRate float64 `json:"drain_readings_per_s"`
	Times     float64 `json:"drain_times_live"`
	// Before and During are of readings from the meter's answer until InfluxDB
	// showed them: before the outage, and of those taken while the backlog drained.
	Before Waits `json:"waits_before"`
	During Waits `json:"waits_during_drain"`
	// The peaks are of the whole run.
	CollectorMiB float64 `json:"collector_peak_mib"`
	HubMiB       float64 `json:"hub_peak_mib"`
	// HubAtOutage is the hub's peak until the part went away.
	HubAtOutage float64 `json:"hub_peak_mib_before"`
	// Audit holds every stored point against what its meter showed.
	Read       uint64 `json:"readings_read"`
	Stored     uint64 `json:"readings_stored"`
	Lost       uint64 `json:"lost"`
	Duplicated uint64 `json:"duplicated"`
	Wrong      uint64 `json:"wrong"`
}

// Waits are quantiles in seconds of so many sampled readings.
type Waits struct {
	Readings int     `json:"readings"`
	P50      float64 `json:"p50_s"`
	P99      float64 `json:"p99_s"`
	Most     float64 `json:"most_s"`
}

// Problems are the promises of the project that the run did not keep.
func (r *Report) Problems() (problems []string) {
	say := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	say(r.Lost+r.Duplicated+r.Wrong > 0, "%d lost, %d duplicated, %d wrong; want none", r.Lost, r.Duplicated, r.Wrong)
	say(r.Times < wantTimes, "the backlog drained at %.1f times the live rate; want %d", r.Times, wantTimes)
	say(r.During.P99 > wantWait.Seconds(), "live readings waited %.1f s (p99); want at most %s", r.During.P99, wantWait)
	say(r.CollectorMiB > wantCollectorMiB, "the collector took %.1f MiB; want at most %d", r.CollectorMiB, wantCollectorMiB)
	return problems
}

// What the project promises.
const (
	wantTimes        = 10
	wantWait         = 5 * time.Second
	wantCollectorMiB = 64
)

const (
	readEvery = time.Second
	// drainPatience bounds the wait for the backlog to be stored.
	drainPatience = 15 * time.Minute
	// lookEvery is the distance of two looks at the counters.
	lookEvery = 100 * time.Millisecond
	// restLive: a backlog that is worth less than so many seconds of reading is
	// what is under way at any time.
	restLive = 2
)

// Run measures one outage.
func Run(ctx context.Context, o Options) (r *Report, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	fleet, err := fleetOf(o.Rate)
	if err != nil {
		return nil, err
	}
	c, err := city.Start(ctx, city.Options{
		Citygrid: o.Citygrid, Collector: o.Collector, Dir: o.Dir, Interval: readEvery, Fleet: fleet,
		Hooks: city.Hooks{Drain: drainPatience},
	})
	defer func() {
		if c != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if err != nil {
		return nil, err
	}
	p := newProbe(c.InfluxURL())
	m := &run{Options: o, c: c, probe: p, report: Report{Part: o.Part, Meters: fleet.Meters}}
	looking, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { p.look(looking) })
	err = m.measure(ctx)
	stop()
	watch.Wait()
	if err != nil {
		return nil, err
	}
	return &m.report, m.audit(ctx)
}

// fleetOf makes as many meters as give that many readings a second.
func fleetOf(rate int) (c simulators.FleetConfig, err error) {
	c = simulators.FleetConfig{Meters: 40, MetersPerGateway: 20, Seed: 11, Step: readEvery, Start: time.Unix(0, 0).UTC()}
	sample, err := simulators.NewFleet(c)
	if err != nil {
		return c, err
	}
	c.Meters = max(1, rate*c.Meters/sample.Values())
	return c, nil
}

// run is a measurement under way.
type run struct {
	Options
	c      *city.City
	probe  *probe
	report Report
}

func (m *run) measure(ctx context.Context) error {
	m.Log("%d meters are read every %s", m.report.Meters, readEvery)
	if err := m.live(ctx); err != nil {
		return err
	}
	m.report.HubAtOutage = m.peak(city.Hub)
	m.Log("live: %.0f readings/s; the %s goes away for %s", m.report.LiveRate, m.Part, m.Outage)
	if err := m.c.Kill(m.Part); err != nil {
		return err
	}
	began := time.Now()
	if err := m.wait(ctx, m.Outage); err != nil {
		return err
	}
	if err := m.c.Restart(ctx, m.Part); err != nil {
		return err
	}
	back := time.Now()
	m.report.Seconds = back.Sub(began).Seconds()
	if err := m.drain(ctx, back); err != nil {
		return err
	}
	return m.wait(ctx, 5*time.Second) // the last of the sampled readings
}

// live measures the rate and the waits of an untroubled city.
func (m *run) live(ctx context.Context) error {
	if err := m.await(ctx, "the first reading", func(s state) bool { return s.stored > 0 }); err != nil {
		return err
	}
	first, err := m.state(ctx)
	if err != nil {
		return err
	}
	if err := m.wait(ctx, m.Options.Before); err != nil {
		return err
	}
	last, err := m.state(ctx)
	m.report.LiveRate = float64(last.read-first.read) / last.at.Sub(first.at).Seconds()
	m.report.Before = m.probe.waits(first.at, last.at.Add(-wantWait))
	return err
}

// drain measures from the return of the part until its backlog is stored.
func (m *run) drain(ctx context.Context, back time.Time) error {
	var first, last state
	base, err := m.stored(ctx)
	if err != nil {
		return err
	}
	start, err := m.c.CollectorCounts(ctx)
	if err != nil {
		return err
	}
	m.report.Backlog = start.ValuesRead - min(start.ValuesRead, base)
	m.Log("the %s is back; %d readings wait", m.Part, m.report.Backlog)
	if err := m.await(ctx, "the first of the backlog", func(s state) bool { first = s; return s.stored > base }); err != nil {
		return err
	}
	rest := uint64(restLive * m.report.LiveRate)
	if err := m.await(ctx, "the end of the backlog", func(s state) bool { last = s; return s.read <= s.stored+rest }); err != nil {
		return err
	}
	took := last.at.Sub(first.at).Seconds()
	m.report.Back, m.report.Drain = first.at.Sub(back).Seconds(), took
	// What was read meanwhile and stored is not of the backlog.
	drained := float64(last.stored-first.stored) - float64(last.read-first.read)
	m.report.DrainRate = drained / took
	m.report.Times = m.report.DrainRate / m.report.LiveRate
	m.Log("drained %.0f readings in %.1f s", drained, took)
	if err := m.wait(ctx, wantWait); err != nil { // let the last of them come
		return err
	}
	m.report.During = m.probe.waits(first.at, last.at)
	return nil
}

// state is what the collector has read and the store has been given.
type state struct {
	at           time.Time
	read, stored uint64
}

func (m *run) state(ctx context.Context) (s state, err error) {
	counts, err := m.c.CollectorCounts(ctx)
	if err != nil {
		return s, err
	}
	s.stored, err = m.stored(ctx)
	s.at, s.read = time.Now(), counts.ValuesRead
	return s, err
}

// stored asks InfluxDB itself: the hub's counters begin anew with the hub.
func (m *run) stored(ctx context.Context) (uint64, error) { return m.probe.points(ctx) }

func (m *run) await(ctx context.Context, what string, done func(state) bool) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	for {
		s, err := m.state(ctx)
		if err == nil && done(s) {
			return nil
		}
		if err := m.c.Ended(); err != nil {
			return err
		}
		if err := m.wait(ctx, lookEvery); err != nil {
			return fmt.Errorf("gave up waiting for %s: %w", what, err)
		}
	}
}

func (m *run) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *run) peak(part string) float64 { return float64(m.c.Sample(part).PeakRSS) / (1 << 20) }

// audit stops the reading and holds every stored point against the oracle.
func (m *run) audit(ctx context.Context) error {
	if err := m.c.StopReading(); err != nil {
		return err
	}
	m.report.CollectorMiB, m.report.HubMiB = m.peak(city.Collector), m.peak(city.Hub)
	m.Log("every stored point is held against its meter")
	v, err := m.c.Verify(ctx)
	if err != nil {
		return err
	}
	r := &m.report
	r.Read, r.Stored, r.Lost, r.Duplicated, r.Wrong = v.ValuesRead, v.PointsStored, v.Lost, v.Duplicated, v.Wrong
	return nil
}

// sampled is the quantity whose readings are followed: half of the meters have
// it, and no batch treats it in a way of its own.
const sampled = schemas.Quantity("power.energy.import")
