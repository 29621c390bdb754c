package interop

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/catalog"
	"citygrid/adapters/line"
	"citygrid/schemas"
	"citygrid/simulators"
	"citygrid/simulators/lab"
)

// noon is when the standing clocks of these tests stand: 03:30:15 UTC is 11:30:15
// in China, far from any midnight and settlement.
func noon() time.Time { return time.Date(2026, 3, 5, 3, 30, 15, 0, time.UTC) }

// moments are when meters are read: each asks other digits of all counters. At
// the start of the meters, after a month and more, in another year.
func moments() []time.Time {
	return []time.Time{noon(), noon().Add(37 * time.Minute), noon().AddDate(0, 11, 9)}
}

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// transcript keeps what went over a line, and shows it when the test has failed.
type transcript struct {
	mu    sync.Mutex
	lines []string
}

// maxTranscript is how many runs of bytes a failed test shows: its last.
const maxTranscript = 60

func newTranscript(t *testing.T) *transcript {
	tr := &transcript{}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		tr.mu.Lock()
		defer tr.mu.Unlock()
		for _, l := range tr.lines[max(0, len(tr.lines)-maxTranscript):] {
			t.Log(l)
		}
	})
	return tr
}

func (tr *transcript) event(e line.Event) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	name := map[line.What]string{line.Sent: "sent", line.Received: "received", line.Discarded: "discarded"}[e.What]
	tr.lines = append(tr.lines, fmt.Sprintf("%-9s % X", name, e.Bytes))
}

// openLine returns a line with the transcript of its bytes.
func openLine(t *testing.T, c line.Config) *line.Line {
	t.Helper()
	c.Monitor = newTranscript(t).event
	c.QuietTime = 20 * time.Millisecond
	if c.Timeout == 0 {
		c.Timeout = time.Second
	}
	l := line.New(c)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// fast are settings of a wire whose silences take no time worth speaking of.
func fast() *line.Serial {
	return &line.Serial{Baud: 115200, DataBits: 8, Parity: line.None, StopBits: 1}
}

// onBus puts slaves on a bus whose bytes take no time, and a line at its port.
func onBus(t *testing.T, c *clock, slaves ...lab.Slave) *line.Line {
	t.Helper()
	bus, err := lab.New(lab.Config{Name: "bus", Slaves: slaves, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	return openLine(t, line.Config{
		Address: "/dev/bus", Serial: fast(),
		Open: func(string, line.Serial) (line.Port, error) {
			ours, theirs := net.Pipe()
			wg.Go(func() {
				// The end of the pipe is the end of the line, no failure.
				_ = bus.Serve(ctx, lab.Conn{ReadWriteCloser: theirs})
			})
			return ours, nil
		},
	})
}

// onGateway puts Modbus meters behind a gateway, and a line at its address.
func onGateway(t *testing.T, c *clock, meters ...*simulators.Meter) *line.Line {
	t.Helper()
	g, err := simulators.NewGateway(simulators.GatewayConfig{Name: "gateway", Meters: meters, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() {
		stop()
		wg.Wait()
	})
	wg.Go(func() {
		if err := g.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	return openLine(t, line.Config{Address: ln.Addr().String()})
}

// mustMeter returns a simulated meter.
func mustMeter(t *testing.T, c simulators.MeterConfig) *simulators.Meter {
	t.Helper()
	m, err := simulators.NewMeter(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// readLive reads everything and wants what the oracle says.
func readLive(t *testing.T, m adapters.Source, sim *simulators.Meter, at time.Time) {
	t.Helper()
	readings, err := m.Read(t.Context())
	if err != nil {
		t.Errorf("%s: %v", sim.ProfileID(), err)
	}
	if want := len(sim.Quantities()); len(readings) != want {
		t.Errorf("%s: %d readings of %d", sim.ProfileID(), len(readings), want)
	}
	seen := map[schemas.Quantity]bool{}
	for _, r := range readings {
		value, missing, ok := sim.Expected(r.Quantity, at)
		if !ok || seen[r.Quantity] || r.Origin != schemas.Live || !same(r, value, missing) {
			t.Errorf("%s: %s is %s %s, the meter shows %s %s", sim.ProfileID(), r.Quantity, r.Value, r.Reason, value, missing)
		}
		seen[r.Quantity] = true
	}
}

// same reports whether r is that value, digit by digit, or that there is none
// for the reason.
func same(r schemas.Reading, value schemas.Decimal, missing schemas.Reason) bool {
	if missing != "" {
		return r.Quality == schemas.Missing && r.Reason == missing
	}
	return r.Quality == schemas.Good && r.Reason == "" && r.Value == value
}

// clockedIdentifiedKeeper is what a driver may be besides a Source.
type clockedIdentifiedKeeper interface {
	adapters.Source
	adapters.Clocked
	adapters.Identified
	adapters.Keeper
}

// readAround reads what the meter has besides its live values: of long series,
// one record of so many, and the last.
func readAround(t *testing.T, m clockedIdentifiedKeeper, sim *simulators.Meter, at time.Time, hasClock bool, oneOf int) {
	t.Helper()
	if shows, _, err := m.ReadClock(t.Context()); hasClock && (err != nil || !shows.Equal(sim.Clock(at))) {
		t.Errorf("%s: clock %s, %v; the meter's shows %s", sim.ProfileID(), shows, err, sim.Clock(at))
	} else if !hasClock && adapters.ClassOf(err) != adapters.Config {
		t.Errorf("%s: a meter without a clock shows %s, %v", sim.ProfileID(), shows, err)
	}
	if serial, err := m.ReadSerial(t.Context()); err != nil || serial != sim.Serial(at) {
		t.Errorf("%s: serial %q, %v; the meter's is %q", sim.ProfileID(), serial, err, sim.Serial(at))
	}
	for _, o := range []schemas.Origin{schemas.DailyFreeze, schemas.MonthlyFreeze, schemas.LoadRecord} {
		for n := 1; n <= m.Kept(o); n++ {
			if m.Kept(o) <= 12 || n%oneOf == 0 || n == 1 || n == m.Kept(o) {
				readRecord(t, m, sim, o, n, at)
			}
		}
		if _, held := sim.KeptAt(o, m.Kept(o)+1, at); held {
			t.Errorf("%s: the meter holds more than the %d %s records that the driver knows of", sim.ProfileID(), m.Kept(o), o)
		}
	}
}

func readRecord(t *testing.T, m adapters.Keeper, sim *simulators.Meter, o schemas.Origin, n int, at time.Time) {
	t.Helper()
	readings, err := m.ReadKept(t.Context(), o, n)
	stamp, held := sim.KeptAt(o, n, at)
	if err != nil || held != (len(readings) > 0) {
		t.Errorf("%s: %s record %d: %d readings, %v; the meter holds it: %v", sim.ProfileID(), o, n, len(readings), err, held)
	}
	for _, r := range readings {
		value, missing, ok := sim.ExpectedKept(o, r.Quantity, stamp)
		if !ok || r.Origin != o || !r.TakenAt.Equal(stamp) || !same(r, value, missing) {
			t.Errorf("%s: %s record %d: %s is %s %s of %s, the meter holds %s %s of %s",
				sim.ProfileID(), o, n, r.Quantity, r.Value, r.Reason, r.TakenAt, value, missing, stamp)
		}
	}
}

// each gets all profiles of a set.
func each[P any](t *testing.T, embedded func() (*catalog.Set[P], error)) []*P {
	t.Helper()
	set, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	var all []*P
	for _, id := range set.IDs() {
		p, err := set.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("no profile is built in")
	}
	return all
}
