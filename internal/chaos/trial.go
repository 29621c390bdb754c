package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	collectorconfig "citygrid/collector/config"
	"citygrid/internal/city"
	"citygrid/simulators"
)

// meters is how many are read in a trial.
const meters = 200

// recovery bounds how long the parts may take to come back, and the collector to send
// what it has, after the last fault.
const recovery = 60 * time.Second

// patience bounds how long the collector may take to send what it has.
func (t *trial) patience() time.Duration { return recovery + t.plan.longest() }

// trial is one city under the faults of one plan.
type trial struct {
	plan   Plan
	dir    string
	city   *city.City
	links  map[string]*link // by the part whose link it is; influxd's is that of the hub to it
	gate   *gate
	disks  map[string]*disk
	own    *archive
	twin   *archive // nil: there is none
	result *Result

	// parts serialises what happens to one part; starting is held while a part starts.
	parts    map[string]*sync.Mutex
	starting sync.Mutex
	// armed is called once when InfluxDB has points of which the hub does not know yet.
	armed                      atomic.Pointer[func()]
	answered, replied, spooled bell

	mu      sync.Mutex
	clock   []time.Duration // how far off the collector's clock has been
	pauses  []pause
	damaged map[envelope]Kind // by which fault its record in the spool was destroyed
	left    map[envelope]bool // in the spool of a twin that does not come back
	found   map[envelope]bool // sound on the collector's disk after one of its kills
	sold    []sale
	ended   time.Time // when the collector had stopped reading
}

// pause is a time in which a part that carries values stood still.
type pause struct{ from, to time.Time }

// bell wakes those that wait for something to happen.
type bell struct {
	mu  sync.Mutex
	hit chan struct{}
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hit != nil {
		close(b.hit)
		b.hit = nil
	}
}

func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hit == nil {
		b.hit = make(chan struct{})
	}
	return b.hit
}

// runTrial runs a plan in a folder that it leaves behind.
func runTrial(ctx context.Context, o Options, p Plan, dir string) (r *Result, err error) {
	t := &trial{
		plan: p, dir: dir, result: newResult(p), links: make(map[string]*link), disks: make(map[string]*disk),
		parts: make(map[string]*sync.Mutex), clock: []time.Duration{0}, damaged: make(map[envelope]Kind), left: make(map[envelope]bool), found: make(map[envelope]bool),
	}
	begun := time.Now()
	defer func() { t.result.Seconds = time.Since(begun).Seconds() }()
	defer func() { err = errors.Join(err, t.end()) }()
	for _, s := range []struct {
		name string
		most time.Duration
		do   func(context.Context) error
	}{
		{"start the city", 3 * recovery, func(ctx context.Context) error { return t.begin(ctx, o) }},
		{"let the faults happen", reading + 3*recovery + p.longest(), t.suffer},
		{"let the city drain", 2*recovery + t.patience(), t.recover},
		{"judge", 4 * recovery, t.judge},
	} {
		if err := within(ctx, s.name, s.most, s.do); err != nil {
			return t.result, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return t.result, nil
}

// begin starts the city behind its links.
func (t *trial) begin(ctx context.Context, o Options) (err error) {
	for part, name := range map[string]string{city.Collector: city.Collector, city.Hub: city.Hub, city.Influxd: "influxdb"} {
		if t.disks[part], err = newDisk(t.dir, name, t.plan.onDisk(part)); err != nil {
			return err
		}
		t.result.NoDisk = t.result.NoDisk || t.plan.onDisk(part) && !t.disks[part].mounted
	}
	d := t.disks[city.Collector]
	t.own = &archive{dir: d.path("archive"), of: d.path("data")}
	if err := t.connect(); err != nil {
		return err
	}
	for _, part := range []string{city.Simulators, city.Broker, city.Influxd, city.Hub, city.Collector} {
		t.parts[part] = new(sync.Mutex)
	}
	t.city, err = city.Start(ctx, city.Options{
		Citygrid: o.Citygrid, Collector: o.Collector, Dir: t.dir, Interval: time.Second,
		Fleet: simulators.FleetConfig{
			Meters: meters, MetersPerGateway: 50, Seed: t.plan.Seed, Step: 500 * time.Millisecond,
			StreamLines: 4, MetersPerLine: 4, Baud: lineWithoutPace, Turnaround: time.Millisecond,
		},
		Grid:  &city.GridOptions{Cells: 60, Components: 1000, Hold: time.Second},
		Hooks: city.Hooks{Between: t.between, Adjust: t.adjust, Drain: t.patience()},
	})
	return err
}

// lineWithoutPace is the speed of a line whose bytes take no time.
const lineWithoutPace = -1

func (t *trial) connect() (err error) {
	if t.gate, err = newGate(); err != nil {
		return err
	}
	t.gate.written = func() {
		if f := t.armed.Swap(nil); f != nil {
			(*f)()
		}
	}
	t.gate.answered = t.answered.ring
	for part, replied := range map[string]func(){city.Collector: t.replied.ring, city.Hub: nil, city.Influxd: nil} {
		if t.links[part], err = newLink(replied); err != nil {
			return err
		}
	}
	return nil
}

// between implements city.Hooks.
func (t *trial) between(from, to, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	link := t.links[from]
	if to == city.Influxd {
		t.gate.to(address)
		u.Host, link = t.gate.url, t.links[city.Influxd]
	}
	u.Host = link.to(u.Host)
	return u.String(), nil
}

// adjust implements city.Hooks: a small spool has small segments, and cards are sold
// beside the collector.
func (t *trial) adjust(c *collectorconfig.Config) {
	c.Spool.Quota = 8 << 20
	if t.plan.Has(BrokerMinutes) {
		c.Spool.Quota = 64 << 20
	}
	c.Counters = []collectorconfig.Counter{{Dir: filepath.Join(t.dir, counterFolder)}}
}

// suffer lets everything of the plan happen, and returns when all faults have ended.
func (t *trial) suffer(ctx context.Context) error {
	watch, stop := context.WithCancel(ctx)
	var watching, faults sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	do := func(what string, f func() error) {
		if err := f(); err != nil {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	watching.Go(func() { do("archive", func() error { return t.watch(watch) }) })
	watching.Go(func() { t.measure(watch) })
	begun := time.Now()
	for _, f := range t.plan.Faults {
		faults.Go(func() {
			if sleep(ctx, time.Until(begun.Add(f.At))) {
				do(f.String(), func() error { return t.hit(ctx, f) })
			}
		})
	}
	faults.Go(func() { do("sell cards", func() error { return t.sell(ctx) }) })
	faults.Go(func() { do("mishaps", func() error { return t.mishap(ctx) }) })
	faults.Wait()
	sleep(ctx, time.Until(begun.Add(reading)))
	stop()
	watching.Wait()
	return errors.Join(errs...)
}

// within runs one stage of a trial. One that takes longer fails with the name of the
// stage: everything in it ends with ctx, or has a bound of its own.
func within(ctx context.Context, what string, most time.Duration, stage func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("%s: not done within %s", what, most))
	defer cancel()
	err := stage(ctx)
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return err
}

// sleep returns false when ctx ended it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sweepEvery is the time between two looks at the spool's folder: a segment lives longer.
const sweepEvery = 10 * time.Millisecond

// watch keeps the archives until ctx ends.
func (t *trial) watch(ctx context.Context) error {
	for {
		if err := t.sweep(); err != nil {
			return err
		}
		if !sleep(ctx, sweepEvery) {
			return t.sweep()
		}
	}
}

func (t *trial) sweep() error {
	grown, err := t.own.sweep()
	if grown {
		t.spooled.ring()
	}
	t.mu.Lock()
	twin := t.twin
	t.mu.Unlock()
	if twin != nil {
		_, e := twin.sweep()
		err = errors.Join(err, e)
	}
	return err
}

// measure samples the memory of the parts until ctx ends.
func (t *trial) measure(ctx context.Context) {
	for {
		for _, part := range []string{city.Collector, city.Hub} {
			u := t.city.Sample(part)
			t.mu.Lock()
			t.result.Peak[part] = max(t.result.Peak[part], u.PeakRSS)
			t.mu.Unlock()
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return
		}
	}
}

// recover ends the reading when every fault has ended, and waits until the collector has
// sent what it has.
func (t *trial) recover(ctx context.Context) error {
	for _, l := range t.links {
		l.set(weather{})
		if !t.plan.Patient {
			l.cut() // what waits for a silent peer to be given up need not wait so long
		}
	}
	t.gate.set(mode{})
	watch, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	var archived error
	watching.Go(func() { archived = t.watch(watch) })
	watching.Go(func() { t.measure(watch) })
	sleep(ctx, 300*time.Millisecond)
	err := errors.Join(t.revive(ctx), t.city.Ended())
	begun := time.Now()
	if t.plan.twins() {
		watching.Go(func() { t.cutShort(watch) })
	}
	err = errors.Join(err, t.city.StopReading())
	t.ended = time.Now()
	t.result.Drain = t.ended.Sub(begun).Seconds()
	stop()
	watching.Wait()
	return errors.Join(err, archived)
}

// cutShort ends the collector when all that is left in its spools is what the hub
// refuses, because two collectors had one identity: it would keep that for ever. One of
// which the hub refuses nothing sends what it has, and ends by itself.
func (t *trial) cutShort(ctx context.Context) {
	for sleep(ctx, 200*time.Millisecond) {
		refused, err := readLetters(t.disks[city.Hub].path("data"))
		if err != nil {
			continue // it is being written
		}
		left, err := t.city.SpoolRecords(ctx)
		if err != nil {
			return // it has ended
		}
		settled := refusesCopy(refused)
		for folder, stream := range streams() {
			settled = settled && left[stream] <= t.refusedOf(folder, refused)
		}
		if settled {
			_ = t.city.Crash(city.Collector)
			return
		}
	}
}

// refusedOf counts the envelopes in a spool that the hub has refused.
func (t *trial) refusedOf(folder string, refused map[envelope]letter) (n uint64) {
	names, _ := filepath.Glob(filepath.Join(t.own.of, folder, "*.seg"))
	for _, name := range names {
		data, _ := os.ReadFile(name) // it may have gone
		list, _ := parseSegment(data)
		for _, r := range list {
			if e, err := envelopeOf(r.data); err == nil && refused[e].Code != "" && refused[e].Code != storeRejected {
				n++
			}
		}
	}
	return n
}

// end stops everything.
func (t *trial) end() error {
	var errs []error
	if t.city != nil {
		for _, part := range []string{city.Collector, city.Hub, city.Broker, city.Influxd} {
			if t.city.Pid(part) != 0 {
				_ = t.city.Signal(part, syscall.SIGCONT) // it may have ended
			}
		}
		errs = append(errs, t.city.Stop(), t.judgeLogs())
	}
	for _, l := range t.links {
		l.close()
	}
	if t.gate != nil {
		t.gate.close()
	}
	for _, d := range t.disks {
		if d != nil {
			errs = append(errs, d.close())
		}
	}
	return errors.Join(errs...)
}
