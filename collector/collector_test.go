package collector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/internal/durable"
	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// testOptions are those of a collector whose broker is not there.
func testOptions(t testing.TB, keys testKeys, dir string) Options {
	t.Helper()
	return Options{
		Bundle: &keys.bundle, Provider: seal.DefaultProvider(), DataDir: dir,
		Batch:    BatchLimits{MaxReadings: 10, MaxAge: 5 * time.Millisecond},
		Broker:   mqttlink.Config{URL: "tcp://127.0.0.1:1"},
		Registry: prometheus.NewRegistry(), Log: silent, Version: "test", Random: rand.Reader,
	}
}

// ticking is a line of one meter that answers at once, and counts.
func ticking(id schemas.MeterID) (Line, *atomic.Int64) {
	var n atomic.Int64
	read := func(context.Context) ([]schemas.Reading, error) {
		return []schemas.Reading{energy(id, n.Add(1), time.Now())}, nil
	}
	return Line{Name: string(id), Meters: []Meter{{ID: id, Source: sourceFunc(read), Interval: 5 * time.Millisecond}}}, &n
}

type sourceFunc func(context.Context) ([]schemas.Reading, error)

func (f sourceFunc) Read(ctx context.Context) ([]schemas.Reading, error) { return f(ctx) }

func TestOpenRefuses(t *testing.T) {
	keys, dir := newKeys(t), t.TempDir()
	first := mustOpen(t, testOptions(t, keys, dir))
	if _, err := Open(testOptions(t, keys, dir)); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("a second collector on the folder: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	boot := filepath.Join(dir, "boot")
	for _, text := range []string{"", "seven\n", "-1", "1.5", "4294967296", "4294967295"} {
		if err := os.WriteFile(boot, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(testOptions(t, keys, dir)); err == nil || !strings.Contains(err.Error(), boot) || !strings.Contains(err.Error(), "enrol") {
			t.Errorf("boot counter %q: %v", text, err)
		}
	}
	// A refusal leaves nothing open: a whole counter is all that was wanting.
	if err := os.WriteFile(boot, []byte("41\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := mustOpen(t, testOptions(t, keys, dir))
	if s, _ := put(t, c, 1); s.Boot != 42 {
		t.Errorf("boot %d follows 41", s.Boot)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(testOptions(t, keys, filepath.Join(file, "data"))); err == nil || !strings.Contains(err.Error(), "data folder") {
		t.Errorf("a folder that cannot be made: %v", err)
	}
}

// Every session has a number of its own, whatever stream it is for and however
// often the collector is started; the numbers grow.
func TestBootNumbersGrow(t *testing.T) {
	keys, dir := newKeys(t), t.TempDir()
	last := uint32(0)
	for range 3 {
		c := mustOpen(t, testOptions(t, keys, dir))
		for _, content := range []seal.ContentType{seal.Readings, seal.Status, seal.Readings} {
			s, err := c.newSealer(content)
			if err != nil {
				t.Fatal(err)
			}
			if boot := s.Context().Boot; boot != last+1 {
				t.Errorf("boot %d follows %d", boot, last)
			}
			last = s.Context().Boot
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBootCounter(t *testing.T) {
	b := bootCounter{path: filepath.Join(t.TempDir(), "boot")}
	var mu sync.Mutex
	var numbers []uint32
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 10 {
				n, err := b.next()
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				numbers = append(numbers, n)
				mu.Unlock()
			}
		})
	}
	work.Wait()
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != uint32(i+1) {
			t.Fatalf("numbers %d", numbers)
		}
	}
	if err := os.WriteFile(b.path, fmt.Appendln(nil, uint32(math.MaxUint32-1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := b.next(); n != math.MaxUint32 || err != nil {
		t.Errorf("the last number: %d, %v", n, err)
	}
	if n, err := b.next(); err == nil || errors.Is(err, errBootUnwritten) {
		t.Errorf("after the last number: %d, %v", n, err)
	}
	lost := bootCounter{path: filepath.Join(t.TempDir(), "nowhere", "boot")}
	if _, err := lost.next(); !errors.Is(err, errBootUnwritten) {
		t.Errorf("a number that cannot be written: %v", err)
	}
}

// Whatever was read when the collector is told to stop is at the hub when Run
// returns.
func TestRunDrainsOnStop(t *testing.T) {
	w := newTown(t)
	w.hub.answer(true)
	o := w.options()
	o.Drain = patience
	for _, id := range []schemas.MeterID{"a", "b", "c"} {
		line, _ := ticking(id)
		o.Lines = append(o.Lines, line)
	}
	c := mustOpen(t, o)
	stop := start(t, c)
	eventually(t, "readings reach the hub", func() bool { return w.hub.stored() > 50 })
	if p := c.Problems(); len(p) != 0 {
		t.Errorf("problems %q", p)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	s := c.Summary()
	if s.SpoolRecords != 0 || s.ReadsDone != s.ValuesRead || int(s.ValuesRead) != w.hub.stored() || s.Receipts != s.BatchesSealed {
		t.Errorf("after the stop the hub has %d readings; %+v", w.hub.stored(), s)
	}
}

// What waits in an open batch is made durable at the stop even when no time to
// drain is given.
func TestStopSealsTheOpenBatch(t *testing.T) {
	o := testOptions(t, newKeys(t), t.TempDir())
	line, reads := ticking("m")
	o.Lines = []Line{line}
	o.Batch = BatchLimits{MaxReadings: schemas.MaxReadings, MaxAge: time.Hour}
	c := mustOpen(t, o)
	stop := start(t, c)
	eventually(t, "the meter is read", func() bool { return reads.Load() > 5 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if s := c.Summary(); int64(s.ValuesRead) != reads.Load() || s.SpoolRecords != 1 {
		t.Errorf("%d reads, then %+v", reads.Load(), s)
	}
}

func TestBrokerUnreachable(t *testing.T) {
	w := newTown(t)
	w.wire.cut(true)
	o := w.options()
	line, reads := ticking("m")
	o.Lines = []Line{line}
	c := mustOpen(t, o)
	stop := start(t, c)
	eventually(t, "readings are in the spool", func() bool { return records(c) > 5 })
	if p := c.Problems(); len(p) != 1 || !strings.HasPrefix(p[0], "broker: not connected") {
		t.Errorf("problems %q", p)
	}
	if err := stop(); err != nil {
		t.Errorf("a stop without a broker: %v", err)
	}
	left := c.Summary()
	if int64(left.ValuesRead) != reads.Load() || left.SpoolRecords != left.BatchesSealed {
		t.Errorf("%d reads, then %+v", reads.Load(), left)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	// The next start, with a way to the hub, sends what is left.
	w.wire.mend()
	w.hub.answer(true)
	o.Lines, o.Registry = nil, prometheus.NewRegistry()
	again := mustOpen(t, o)
	start(t, again)
	eventually(t, "the hub confirms what was left", func() bool { return records(again) == 0 })
	if n := w.hub.stored(); n != int(left.ValuesRead) {
		t.Errorf("the hub has %d readings of %d", n, left.ValuesRead)
	}
	eventually(t, "Problems is empty", func() bool { return len(again.Problems()) == 0 })
}

// A fault that no waiting mends ends Run by itself, also while nothing can
// empty the spool.
func TestRunEndsOnPermanentFaults(t *testing.T) {
	tests := []struct {
		name, want string
		spoil      func(t *testing.T, o *Options, c *Collector)
	}{
		{"broker url", "scheme", func(_ *testing.T, _ *Options, c *Collector) { c.o.Broker.URL = "ftp://127.0.0.1" }},
		{"boot counter", "readings are not on disk: begin a session: boot counter", func(t *testing.T, o *Options, _ *Collector) {
			if err := os.WriteFile(filepath.Join(o.DataDir, "boot"), []byte("?"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"spool", "readings are not on disk", func(t *testing.T, _ *Options, c *Collector) {
			if err := c.spool.Close(); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := testOptions(t, newKeys(t), t.TempDir())
			line, _ := ticking("m")
			o.Lines = []Line{line}
			o.Drain = 20 * time.Millisecond
			c := mustOpen(t, o)
			put(t, c, 1)
			tt.spoil(t, &o, c)
			ended := make(chan error, 1)
			go func() { ended <- c.Run(t.Context()) }()
			select {
			case err := <-ended:
				if err == nil || strings.Count(err.Error(), tt.want) != 1 {
					t.Errorf("error %v, want %q once", err, tt.want)
				}
			case <-time.After(patience):
				t.Fatal("Run does not end")
			}
			_ = c.Close() // the spoilt spool says so again
		})
	}
}

// The fake clock of a bubble starts in the year 2000.
func TestNoReadingBeforeTheClockIsSet(t *testing.T) {
	keys := newKeys(t)
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t, keys, t.TempDir())
		line, reads := ticking("m")
		o.Lines = []Line{line}
		c := mustOpen(t, o)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := c.Run(ctx); err != nil || reads.Load() != 0 {
			t.Errorf("%d reads with a clock of the year 2000, error %v", reads.Load(), err)
		}
		before := time.Now()
		if err := c.waitForClock(t.Context(), before.Add(90*time.Second)); err != nil {
			t.Error(err)
		}
		if waited := time.Since(before); waited < 90*time.Second || waited > 92*time.Second || c.started.Before(before.Add(90*time.Second)) {
			t.Errorf("waited %s for a clock that was right after 90 s; started %s", waited, c.started)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAfterDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		later, stop := afterDone(ctx, time.Minute)
		time.Sleep(time.Hour)
		if later.Err() != nil {
			t.Error("done before the first context is")
		}
		cancel()
		told := time.Now()
		<-later.Done()
		if d := time.Since(told); d != time.Minute {
			t.Errorf("done %s after the first context", d)
		}
		stop()
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		later, stop = afterDone(ctx, time.Minute)
		stop()
		<-later.Done()
	})
}
