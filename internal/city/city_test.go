package city

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/internal/influxd/influxtest"
	"citygrid/simulators"
)

// programs holds the paths of the freshly built programs.
var programs struct{ citygrid, collector string }

// TestMain builds both programs once: the tests run and kill the real ones.
func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "citygrid-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", dir, "citygrid/cmd/citygrid", "citygrid/cmd/collector")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 1, fmt.Errorf("build the programs: %w", err)
	}
	programs.citygrid, programs.collector = filepath.Join(dir, "citygrid"), filepath.Join(dir, "collector")
	return m.Run(), nil
}

// patience bounds every wait. It only ends a test that would otherwise hang.
const patience = 90 * time.Second

// startCity runs a city for the test. Without change it has 60 meters on two
// gateways, read twice a second, a serial line and a serial server with a meter
// of each protocol, and no faults.
func startCity(t *testing.T, change func(*Options)) *City {
	t.Helper()
	influxtest.Find(t)
	if testing.Short() {
		t.Skip("starts five processes")
	}
	o := Options{
		Citygrid: programs.citygrid, Collector: programs.collector, Dir: t.TempDir(),
		Interval: 500 * time.Millisecond,
		Fleet: simulators.FleetConfig{
			Meters: 66, MetersPerGateway: 30, Seed: 7, Step: 500 * time.Millisecond,
			SerialLines: 1, StreamLines: 1, MetersPerLine: 3,
		},
	}
	if change != nil {
		change(&o)
	}
	c, err := Start(t.Context(), o)
	t.Cleanup(func() {
		if c == nil {
			return
		}
		if t.Failed() {
			for _, name := range order {
				t.Logf("%s:\n%s", name, tail(c.path(name+".log")))
			}
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// await polls until cond is true; it never takes time for an answer.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			t.Fatalf("gave up waiting for %s", what)
		case <-tick.C:
		}
	}
}

// stored returns how many points the hub has written since its start.
func stored(t *testing.T, c *City) float64 {
	t.Helper()
	families, err := c.HubMetrics(t.Context())
	if err != nil {
		return 0 // it is down, or not up yet
	}
	return Sum(families["citygrid_hub_points_stored_total"])
}

// counts returns the running collector's account of itself.
func counts(t *testing.T, c *City) Counts {
	t.Helper()
	n, err := c.CollectorCounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitMore waits until the hub has written n points more than now.
func awaitMore(t *testing.T, c *City, n float64) {
	t.Helper()
	before := stored(t, c)
	await(t, fmt.Sprintf("%.0f more points in the store", n), func() bool {
		if err := c.Ended(); err != nil {
			t.Fatal(err)
		}
		return stored(t, c) >= before+n
	})
}

// awaitSlots waits until every meter has had so many whole slots.
func awaitSlots(t *testing.T, c *City, n int64) {
	t.Helper()
	await(t, fmt.Sprintf("%d slots of every meter", n), func() bool {
		for _, p := range c.plans() {
			if p.slot(time.Now())-p.slot(c.readFrom) <= n {
				return false
			}
		}
		return true
	})
}

// everyLine checks that values of every kind of line are in the store.
func everyLine(t *testing.T, r *Report) {
	t.Helper()
	for _, kind := range []simulators.Kind{simulators.TCPGateway, simulators.SerialLine, simulators.StreamLine} {
		switch k := r.Lines[kind]; {
		case k == nil:
			t.Errorf("no %s line in the report", kind)
		case k.Points == 0 || k.ScheduleKept < 0.5:
			t.Errorf("%s lines: %+v, want values and a schedule that is kept on any machine", kind, k)
		}
	}
}

// finish stops the reading and checks that nothing is lost or wrong.
func finish(t *testing.T, c *City) *Report {
	t.Helper()
	if err := c.StopReading(); err != nil {
		t.Fatal(err)
	}
	r, err := c.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if r.PointsStored == 0 || r.Lost != 0 || r.Wrong != 0 || r.MissingEnvelopes != 0 || r.SpoolRecords != 0 {
		t.Errorf("stored %d, lost %d, wrong %d, envelopes missing %d, left in the spool %d: %q",
			r.PointsStored, r.Lost, r.Wrong, r.MissingEnvelopes, r.SpoolRecords, r.WrongExamples)
	}
	if r.PointsWritten > r.PointsStored {
		t.Errorf("%d points were written and %d are there: some were written twice", r.PointsWritten, r.PointsStored)
	}
	return r
}

// exact checks that the store holds what was read, no more and no less.
func exact(t *testing.T, r *Report) {
	t.Helper()
	if r.Duplicated != 0 || r.PointsStored != r.ValuesRead {
		t.Errorf("read %d, stored %d, duplicated %d", r.ValuesRead, r.PointsStored, r.Duplicated)
	}
}

func TestRiverIsExact(t *testing.T) {
	c := startCity(t, nil)
	awaitMore(t, c, 5000)
	awaitSlots(t, c, 2)
	r := finish(t, c)
	exact(t, r)
	everyLine(t, r)
	if r.Refused != 0 {
		t.Errorf("%d messages were refused", r.Refused)
	}
	if r.CardEntries == 0 || r.CardsBooked != r.CardEntries {
		t.Errorf("%d card entries were taken, %d booked", r.CardEntries, r.CardsBooked)
	}
	if r.Latency == nil || r.Latency.P50 <= 0 {
		t.Error("no latency was measured")
	}
}

func TestRiverUnderFaultsOfTheField(t *testing.T) {
	c := startCity(t, func(o *Options) {
		o.Fleet.Meters, o.Fleet.MetersPerLine = 76, 8
		o.Fleet.Faults = simulators.Faults{
			Late: 0.01, Split: 0.01, Duplicate: 0.01, WrongUnit: 0.005, Busy: 0.005, GatewayTimeout: 0.005,
			Torn: 0.01, WrongSlave: 0.01, WrongChecksum: 0.01, Exception: 0.005, Slow: 0.01, Reboot: 0.002, Noise: 0.01,
			SameAddress: 0.005, Echo: 0.005, LateBy: wireTimeout + 100*time.Millisecond,
			Dead: 0.05, Reset: 0.05, Swap: 0.05, ClockJump: 0.2, Glitch: 0.001,
		}
		o.Fleet.NoValue = 0.05
		o.Interval = time.Second
	})
	awaitMore(t, c, 8000)
	awaitSlots(t, c, 2)
	r := finish(t, c)
	exact(t, r)
	everyLine(t, r)
	if r.DeadMeters == 0 || r.ScheduleKept < 0.8 {
		t.Errorf("%d dead meters; the others kept %.1f %% of their schedule, want 80 %% on any machine", r.DeadMeters, 100*r.ScheduleKept)
	}
}

func TestBrokerKilled(t *testing.T) {
	c := startCity(t, nil)
	awaitMore(t, c, 1000)
	if err := c.Kill(Broker); err != nil {
		t.Fatal(err)
	}
	before := counts(t, c)
	await(t, "readings to gather in the spool", func() bool { return counts(t, c).ValuesRead > before.ValuesRead+2000 })
	if err := c.Restart(t.Context(), Broker); err != nil {
		t.Fatal(err)
	}
	awaitMore(t, c, 3000)
	exact(t, finish(t, c))
}

func TestHubKilled(t *testing.T) {
	c := startCity(t, nil)
	for range 2 {
		awaitMore(t, c, 1000)
		if err := c.Kill(Hub); err != nil {
			t.Fatal(err)
		}
		before := counts(t, c)
		await(t, "readings without a hub", func() bool { return counts(t, c).ValuesRead > before.ValuesRead+1000 })
		if err := c.Restart(t.Context(), Hub); err != nil {
			t.Fatal(err)
		}
	}
	awaitMore(t, c, 2000)
	exact(t, finish(t, c))
}

func TestStoreKilled(t *testing.T) {
	c := startCity(t, nil)
	awaitMore(t, c, 1000)
	if err := c.Kill(Influxd); err != nil {
		t.Fatal(err)
	}
	before := counts(t, c)
	await(t, "readings without a store", func() bool { return counts(t, c).ValuesRead > before.ValuesRead+2000 })
	if err := c.Restart(t.Context(), Influxd); err != nil {
		t.Fatal(err)
	}
	awaitMore(t, c, 3000)
	exact(t, finish(t, c))
}

// TestCollectorKilled kills the collector as a power cut would. What it had on
// disk must arrive once; what it had only in memory was never counted as read.
func TestCollectorKilled(t *testing.T) {
	c := startCity(t, nil)
	for range 3 {
		awaitMore(t, c, 1000)
		if err := c.Kill(Collector); err != nil {
			t.Fatal(err)
		}
		if err := c.Restart(t.Context(), Collector); err != nil {
			t.Fatal(err)
		}
	}
	awaitMore(t, c, 1000)
	finish(t, c)
}

func TestEveryPartKilledInTurn(t *testing.T) {
	c := startCity(t, nil)
	for _, name := range []string{Hub, Broker, Collector, Influxd, Collector, Hub} {
		awaitMore(t, c, 500)
		if err := c.Kill(name); err != nil {
			t.Fatal(err)
		}
		if err := c.Restart(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	awaitMore(t, c, 2000)
	finish(t, c)
}

func TestRiverOverMosquitto(t *testing.T) {
	c := startCity(t, func(o *Options) {
		o.OutsideBroker = func(access *brokerconfig.Access) (string, error) {
			return brokertest.Mosquitto(t, access).URL, nil
		}
	})
	awaitMore(t, c, 5000)
	exact(t, finish(t, c))
}

// TestFullSpoolStopsReading lets the spool fill while the hub is away: the
// collector must stop reading, say so, and lose nothing.
func TestFullSpoolStopsReading(t *testing.T) {
	c := startCity(t, func(o *Options) { o.SpoolQuota = 1 << 20 })
	awaitMore(t, c, 1000)
	if err := c.Kill(Hub); err != nil {
		t.Fatal(err)
	}
	await(t, "the collector to say that its spool is full", func() bool {
		problems, err := c.CollectorProblems(t.Context())
		return err == nil && len(problems) > 0
	})
	if err := c.Restart(t.Context(), Hub); err != nil {
		t.Fatal(err)
	}
	await(t, "the collector to be well again", func() bool {
		problems, err := c.CollectorProblems(t.Context())
		return err == nil && len(problems) == 0
	})
	awaitMore(t, c, 1000)
	exact(t, finish(t, c))
}
