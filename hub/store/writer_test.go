package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
	"citygrid/schemas"
)

// fakeSink keeps what it is given and answers as told.
type fakeSink struct {
	mu     sync.Mutex
	sizes  []int
	times  []time.Time
	stored map[int64]int // by mantissa
	answer func(call int, readings []schemas.Reading) error
}

func (f *fakeSink) Write(_ context.Context, readings []schemas.Reading) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	call := len(f.sizes)
	f.sizes, f.times = append(f.sizes, len(readings)), append(f.times, time.Now())
	if f.answer != nil {
		if err := f.answer(call, readings); err != nil {
			return err
		}
	}
	f.keep(readings)
	return nil
}

func (f *fakeSink) keep(readings []schemas.Reading) {
	if f.stored == nil {
		f.stored = make(map[int64]int)
	}
	for _, r := range readings {
		f.stored[r.Value.Mantissa]++
	}
}

// run starts a Writer inside a synctest bubble and returns its stop, which
// waits.
func run(t *testing.T, sink Sink, c WriterConfig) (w *Writer, stop func()) {
	t.Helper()
	w, err := NewWriter(sink, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	return w, func() { cancel(); <-ended }
}

func numbered(first, n int) []schemas.Reading {
	readings := make([]schemas.Reading, n)
	for i := range readings {
		readings[i] = good("a", int64(first+i), 0, 1700000000000+int64(first+i))
	}
	return readings
}

func TestWriterCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &fakeSink{}
		w, stop := run(t, sink, WriterConfig{BatchPoints: 1000})
		defer stop()
		begin := time.Now()
		var results []*Result
		for i := range 10 {
			results = append(results, w.Submit(t.Context(), numbered(i*256, 256)))
		}
		for _, r := range results {
			if err := r.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		// 3 × 256 fit into 1,000; the last one waits for company, in vain.
		if slices.Sort(sink.sizes); !slices.Equal(sink.sizes, []int{256, 768, 768, 768}) {
			t.Errorf("requests of %v", sink.sizes)
		}
		if d := time.Since(begin); d > 50*time.Millisecond {
			t.Errorf("it took %s", d)
		}
		if len(sink.stored) != 2560 {
			t.Errorf("%d readings stored", len(sink.stored))
		}
		if s := w.Stats(); s.Points != 2560 || s.Requests != 4 || s.QueuePoints != 0 || s.Retries != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// The log has one line for each way the store goes, however often it is tried.
func TestWriterSaysWhenTheStoreGoesAndComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &fakeSink{answer: func(call int, _ []schemas.Reading) error {
			if call == 0 || call >= 5 {
				return nil
			}
			return &ConfigError{Act: "write", Err: errors.New("forbidden"), Advice: "grant the right"}
		}}
		var log bytes.Buffer
		w, stop := run(t, sink, WriterConfig{Workers: 1, Log: slog.New(slog.NewTextHandler(&log, nil))})
		for i := range 3 { // the second is tried five times
			if err := w.Submit(t.Context(), numbered(i, 1)).Wait(t.Context()); err != nil {
				t.Error(err)
			}
			if i == 0 && log.Len() > 0 {
				t.Errorf("a line although all is well: %s", &log)
			}
		}
		stop()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "grant the right") || !strings.Contains(lines[1], "takes readings again") {
			t.Errorf("the log is:\n%s", &log)
		}
	})
}

func TestWriterSplitsAndMapsRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &fakeSink{answer: func(_ int, readings []schemas.Reading) error {
			var bad []Rejected
			for i, r := range readings {
				if r.Value.Mantissa%1000 == 999 {
					bad = append(bad, Rejected{Index: i, Reading: r, Reason: "no"})
				}
			}
			if bad == nil {
				return nil
			}
			return &RejectedError{Readings: bad}
		}}
		w, stop := run(t, sink, WriterConfig{BatchPoints: 700})
		defer stop()
		clean := w.Submit(t.Context(), numbered(0, 10))
		tail := w.Submit(t.Context(), numbered(4990, 20)) // shares a request with clean
		mixed := w.Submit(t.Context(), numbered(10, 3000))
		if err := clean.Wait(t.Context()); err != nil {
			t.Errorf("the neighbour of bad readings: %v", err)
		}
		var rejected *RejectedError
		if err := tail.Wait(t.Context()); !errors.As(err, &rejected) || len(rejected.Readings) != 1 || rejected.Readings[0].Index != 9 {
			t.Errorf("a part in the middle of a request: %+v", rejected)
		}
		if err := mixed.Wait(t.Context()); !errors.As(err, &rejected) || len(rejected.Readings) != 3 {
			t.Fatal(err)
		}
		for i, r := range rejected.Readings {
			if want := 1000*i + 989; r.Index != want || r.Reading.Value.Mantissa != int64(want+10) {
				t.Errorf("%d: index %d, want %d: %v", i, r.Index, want, r.Reading)
			}
		}
		if s := w.Stats(); s.Points != 3026 || s.Rejected != 4 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWriterRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := []error{
			&RetryableError{Act: "write", Err: errors.New("down")},
			&ConfigError{Act: "write", Err: errors.New("no database")},
			errors.New("a bug"),
			&RetryableError{Act: "write", Err: errors.New("busy"), After: 30 * time.Second},
		}
		sink := &fakeSink{answer: func(call int, _ []schemas.Reading) error {
			if call < len(failures) {
				return failures[call]
			}
			return nil
		}}
		w, stop := run(t, sink, WriterConfig{Random: func() float64 { return 0 }, MaxBackoff: 300 * time.Millisecond})
		defer stop()
		begin := time.Now()
		r := w.Submit(t.Context(), numbered(0, 5))
		time.Sleep(time.Second) // the clock of the bubble: fakes only
		if s := w.Stats(); s.DownSince.IsZero() || !s.DownSince.Equal(begin.Add(20*time.Millisecond)) || s.LastError != failures[3] || s.QueuePoints != 5 {
			t.Errorf("while down: %+v", s)
		}
		if err := r.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		var pauses []time.Duration
		for i := 1; i < len(sink.times); i++ {
			pauses = append(pauses, sink.times[i].Sub(sink.times[i-1]))
		}
		want := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond, 30 * time.Second}
		if !slices.Equal(pauses, want) {
			t.Errorf("pauses %v, want %v", pauses, want)
		}
		if s := w.Stats(); !s.DownSince.IsZero() || s.Retries != 4 || s.Requests != 5 || s.LastError == nil {
			t.Errorf("after: %+v", s)
		}
	})
}

func TestWriterHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := make(chan struct{})
		sink := &fakeSink{answer: func(int, []schemas.Reading) error {
			select {
			case <-up:
				return nil
			default:
				return &RetryableError{Err: errors.New("down")}
			}
		}}
		w, stop := run(t, sink, WriterConfig{BatchPoints: 10, QueuePoints: 100})
		defer stop()
		var results []*Result
		for i := range 10 {
			results = append(results, w.Submit(t.Context(), numbered(i*10, 10)))
		}
		if s := w.Stats(); s.QueuePoints != 100 {
			t.Fatalf("%+v", s)
		}
		// Full: Submit waits, and gives up with its context.
		limited, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := w.Submit(limited, numbered(500, 1)).Wait(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Submit to a full queue: %v", err)
		}
		late := make(chan *Result)
		go func() { late <- w.Submit(t.Context(), numbered(100, 25)) }()
		synctest.Wait()
		select {
		case <-late:
			t.Error("Submit did not wait")
		default:
		}
		close(up)
		for _, r := range append(results, <-late) {
			if err := r.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if len(sink.stored) != 125 {
			t.Errorf("%d readings stored", len(sink.stored))
		}
	})
}

func TestWriterStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &fakeSink{answer: func(int, []schemas.Reading) error { return &RetryableError{Err: errors.New("down")} }}
		w, stop := run(t, sink, WriterConfig{BatchPoints: 10, QueuePoints: 60})
		var results []*Result
		for i := range 6 {
			results = append(results, w.Submit(t.Context(), numbered(i*7, 7)))
		}
		blocked := make(chan *Result)
		go func() { blocked <- w.Submit(t.Context(), numbered(100, 40)) }()
		synctest.Wait()

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := results[0].Wait(short); !errors.Is(err, context.DeadlineExceeded) || results[0].Err() != nil {
			t.Errorf("Wait with a short context: %v", err)
		}
		stop()
		for i, r := range append(results, <-blocked, w.Submit(t.Context(), numbered(0, 1))) {
			if err := r.Wait(t.Context()); !errors.Is(err, ErrStopped) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if s := w.Stats(); s.QueuePoints != 0 || s.Points != 0 {
			t.Errorf("%+v", s)
		}
		if err := w.Submit(t.Context(), nil).Wait(t.Context()); err != nil {
			t.Errorf("nothing to write: %v", err)
		}
	})
}

func TestWriterConfigRefuses(t *testing.T) {
	for _, c := range []WriterConfig{
		{BatchPoints: -1}, {BatchPoints: 20_001}, {BatchPoints: 10, QueuePoints: 9}, {Workers: -1},
		{Linger: 51 * time.Millisecond}, {MinBackoff: time.Minute}, {MinBackoff: -1},
	} {
		if _, err := NewWriter(&fakeSink{}, c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// TestWriterOutlivesTheStore: the store is down at the start, comes, is killed
// twice in the middle and comes back on the same folder and port. Every reading
// is in it afterwards, once.
func TestWriterOutlivesTheStore(t *testing.T) {
	o := influxd.Options{Dir: t.TempDir()}
	srv := influxtest.Start(t, o)
	o.Port = srv.Port()
	srv.Kill()

	s := openAt(t, Config{URL: srv.URL()})
	w, err := NewWriter(s, WriterConfig{BatchPoints: 200, QueuePoints: 2000, MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	const lives, lot, each = 4, 100, 50
	results := make(chan *Result, lives*lot)
	var submits sync.WaitGroup
	for life := range lives {
		// The store is dead: what is submitted now must fail at first.
		submits.Go(func() {
			for i := range lot {
				results <- w.Submit(ctx, numbered((life*lot+i)*each, each))
			}
		})
		waitFor(t, func() bool { return !w.Stats().DownSince.IsZero() })
		before := w.Stats().Points
		srv = influxtest.Start(t, o)
		waitFor(t, func() bool { return w.Stats().Points > before })
		if life < lives-1 {
			srv.Kill() // with writes under way
		}
	}
	submits.Wait()
	close(results)
	for r := range results {
		if err := r.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[int64]int)
	for _, r := range mustEach(t, s, time.Time{}, at(1800000000000)) {
		seen[r.Value.Mantissa]++
	}
	for i := range int64(lives * lot * each) {
		if seen[i] != 1 {
			t.Fatalf("reading %d is stored %d times; %d in all", i, seen[i], len(seen))
		}
	}
	if st := w.Stats(); st.Retries == 0 || st.Points != lives*lot*each {
		t.Errorf("%+v", st)
	}
}

// waitFor polls cond, which must come true.
func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("the condition never came true")
		}
	}
}

func ExampleWriter() {
	w, err := NewWriter(&fakeSink{}, WriterConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()

	result := w.Submit(ctx, numbered(0, 3))
	fmt.Println(result.Wait(ctx), w.Stats().Points)
	cancel()
	<-ended
	// Output: <nil> 3
}
