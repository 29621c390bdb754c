package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/adapters"
	"citygrid/collector/verdict"
	"citygrid/schemas"
)

// someState is the state of two meters.
func someState() map[schemas.MeterID]meterMemory {
	return map[schemas.MeterID]meterMemory{
		"a": {
			Verdict: verdict.State{Serial: "A-1", Counters: []verdict.CounterState{{
				Quantity: "power.energy.import", Last: &verdict.Point{Value: schemas.Decimal{Mantissa: 12345, Exponent: -2}, At: at(midnight)},
			}}},
			Records: map[schemas.Origin]recordState{
				schemas.DailyFreeze: {Last: at(midnight)},
				schemas.LoadRecord:  {Holes: []hole{{From: at(midnight), To: at(midnight).Add(time.Hour)}}},
			},
		},
		"b": {},
	}
}

func TestStateRoundTrip(t *testing.T) {
	data, err := encodeState(someState())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(data), "citygrid meters 1 ") {
		t.Errorf("begins with %.40q", data)
	}
	got, err := decodeState(data)
	if err != nil || !reflect.DeepEqual(got, someState()) {
		t.Errorf("%+v, %v", got, err)
	}
	again, err := encodeState(got)
	if err != nil || !bytes.Equal(data, again) {
		t.Error("the same meters give other bytes")
	}
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 0x20
		if _, err := decodeState(bad); !errors.Is(err, errState) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := decodeState(data[:i]); !errors.Is(err, errState) {
			t.Fatalf("cut at byte %d: %v", i, err)
		}
	}
	for _, text := range []string{"", "\n", "citygrid meters 2 00000000\n{}", "citygrid meters 1 00000000\n"} {
		if _, err := decodeState([]byte(text)); !errors.Is(err, errState) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzState: no file makes the decoder panic, and what it accepts is written
// and read again as the same.
func FuzzState(f *testing.F) {
	data, err := encodeState(someState())
	if err != nil {
		f.Fatal(err)
	}
	_, body, _ := bytes.Cut(data, []byte("\n"))
	f.Add(body)
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"a":null}`))
	f.Add([]byte(`{"a":{"verdict":{"counters":[{"quantity":"x"}]},"records":{"":{"last":"2026-01-01T00:00:00Z"}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		meters, err := decodeState(stateOf(body))
		if err != nil {
			return
		}
		again, err := encodeState(meters)
		if err != nil {
			return // a time that JSON cannot write
		}
		if _, err := decodeState(again); err != nil {
			t.Errorf("what was written is refused: %v\n%s", err, again)
		}
		l := newLineLoop(new(vault).line(time.Minute), time.Now(), nil, testMetrics(), newBoard(), silent)
		meters["v"] = meters["a"]
		(&memory{meters: meters}).recall(l)
	})
}

// A file that cannot be read is evidence: it is kept, and the collector starts.
func TestDamagedStateIsSetAside(t *testing.T) {
	keys, dir := newKeys(t), t.TempDir()
	path := filepath.Join(dir, "meters.state")
	if err := os.WriteFile(path, []byte("citygrid meters 1 12345678\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := mustOpen(t, testOptions(t, keys, dir))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	aside, err := filepath.Glob(path + ".damaged-*Z")
	if err != nil || len(aside) != 1 {
		t.Fatalf("kept as %q, %v", aside, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the damaged file is still in its place: %v", err)
	}
}

// What one run has read of a meter's memory the next does not read again, and
// meters that are not configured for a while are not forgotten.
func TestStateAcrossRestarts(t *testing.T) {
	keys, dir := newKeys(t), t.TempDir()
	path := filepath.Join(dir, "meters.state")
	other, err := encodeState(map[schemas.MeterID]meterMemory{"other": {Verdict: verdict.State{Serial: "X"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	var asked int
	for run := range 2 {
		v := &vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 5}}
		o := testOptions(t, keys, dir)
		o.Lines = []Line{v.line(20 * time.Millisecond)}
		o.Registry = prometheus.NewRegistry()
		c := mustOpen(t, o)
		stop := start(t, c)
		eventually(t, "values are durable", func() bool { return c.Summary().ValuesRead > 10 })
		if run == 0 {
			eventually(t, "the records are read", func() bool { return c.board.all()[0].report(time.Now()).Records >= 5 })
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		asked = v.count("daily_freeze")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		meters, err := decodeState(data)
		if err != nil || meters["other"].Verdict.Serial != "X" {
			t.Fatalf("run %d: %+v, %v", run, meters, err)
		}
		newest := v.moments(schemas.DailyFreeze, time.Now())[0]
		if got := meters["v"].Records[schemas.DailyFreeze].Last; !got.Equal(newest) {
			t.Errorf("run %d remembers %s, want %s", run, got, newest)
		}
		if len(meters["v"].Verdict.Counters) == 0 {
			t.Errorf("run %d remembers no baseline", run)
		}
	}
	if asked != 0 {
		t.Errorf("the second run asks for %d records again", asked)
	}
}

// The file never knows of a reading that is not durable.
func TestStateWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		march()
		m := openMemory(filepath.Join(t.TempDir(), "meters.state"), silent, time.Now())
		out := make(chan []schemas.Reading, 10)
		l := newLineLoop(new(vault).line(time.Minute), time.Now(), out, testMetrics(), newBoard(), silent)
		l.meters[0].Source = &scripted{id: "v"}
		l.read(t.Context(), l.meters[0], time.Now())
		durable := uint64(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		m.save(ctx, []*lineLoop{l}, func() uint64 { return durable })
		if _, err := os.Stat(m.path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("written although the reading is not durable: %v", err)
		}
		durable = 1
		m.save(t.Context(), []*lineLoop{l}, func() uint64 { return durable })
		first, err := os.Stat(m.path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // of the bubble
		m.save(t.Context(), []*lineLoop{l}, func() uint64 { return durable })
		if second, err := os.Stat(m.path); err != nil || !os.SameFile(first, second) {
			t.Errorf("written again without a change: %v", err)
		}
	})
}

func TestHealth(t *testing.T) {
	b := newBoard()
	noon := at("2026-05-04T12:00:00Z")
	bad, drifting, fine, faulty := b.meter("bad"), b.meter("drifting"), b.meter("fine"), b.meter("faulty")
	for range 4 {
		for _, h := range []*meterHealth{drifting, fine, faulty} {
			h.done(noon, time.Second, 10, nil)
		}
	}
	fine.clock(-time.Minute)
	drifting.clock(-61 * time.Second)
	bad.done(noon, time.Second, 10, nil)
	bad.done(noon, time.Second, 0, errors.New("no\nanswer"))
	bad.passed(noon, noon.Add(-2*time.Minute), 2, time.Minute)
	for range 95 {
		faulty.done(noon, time.Second, 10, nil)
	}
	faulty.done(noon, time.Second, 5, failure(adapters.Slow))
	got := b.worst(noon)
	want := []schemas.MeterHealth{
		{Meter: "bad", Planned: 4, Read: 1, Error: "no answer"},
		{Meter: "faulty", Planned: 100, Read: 99, Error: schemas.FaultText(failure(adapters.Slow).Error())},
		{Meter: "drifting", Planned: 4, Read: 4, Drift: -61 * time.Second, DriftKnown: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	s := schemas.Status{Health: got, Collector: "c", Area: "310115", Version: "v", At: noon, StartedAt: noon}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	// Of slots that passed in the night, those since midnight count.
	bad.passed(at("2026-05-05T00:03:30Z"), at("2026-05-04T23:58:00Z"), 5, time.Minute)
	got = b.worst(at("2026-05-05T00:04:00Z"))
	want = []schemas.MeterHealth{
		{Meter: "bad", Planned: 3},
		{Meter: "drifting", Drift: -61 * time.Second, DriftKnown: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the next day %+v, want %+v", got, want)
	}
	for i := range schemas.MaxHealth + 5 {
		b.meter(schemas.MeterID(fmt.Sprintf("m%03d", i))).done(noon, 0, 0, errors.New("x"))
	}
	if n := len(b.worst(noon)); n != schemas.MaxHealth {
		t.Errorf("%d meters are listed", n)
	}
}

func TestMeterSeries(t *testing.T) {
	b := newBoard()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newMeterSeries(b))
	now := time.Now()
	a := b.meter("a")
	a.done(now, 0, 3, nil)
	a.done(now, 0, 0, errors.New("x"))
	a.clock(1500 * time.Millisecond)
	b.meter("b")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"citygrid_meter_slots_planned_total a": 2, "citygrid_meter_slots_read_total a": 1,
		"citygrid_meter_success_ratio a": 0.5, "citygrid_meter_clock_drift_seconds a": 1.5,
		"citygrid_meter_slots_planned_total b": 0, "citygrid_meter_slots_read_total b": 0, "citygrid_meter_success_ratio b": 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTrial(t *testing.T) {
	for _, flatOut := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			march()
			dead := &scripted{id: "dead", timeout: time.Second, fault: always(adapters.Transient, time.Time{})}
			v := &vault{cost: 100 * time.Millisecond, ahead: time.Second}
			line := v.line(10 * time.Second)
			line.Meters = append(line.Meters, Meter{ID: "dead", Source: dead, Interval: 10 * time.Second})
			given := 0
			trial := NewTrial(TrialOptions{Lines: []Line{line, {Name: "empty"}}, FlatOut: flatOut, Log: silent, Readings: func(r []schemas.Reading) { given += len(r) }})
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second+50*time.Millisecond)
			defer cancel()
			trial.Run(ctx)
			r := trial.Report()
			l := r.Lines[0]
			if len(r.Lines) != 2 || l.Line != "a" || len(l.Meters) != 2 || l.Meters[0].Meter != "dead" || l.Meters[0].Error == "" {
				t.Fatalf("%+v", r)
			}
			slots, reads := uint64(10), uint64(9)
			if flatOut { // 1.1 s a round
				slots, reads = 91, 91
			}
			m := l.Meters[1].Report
			if m.Planned < reads || m.Planned > slots || m.Read != m.Planned || m.Values != m.Read || m.ScheduleKept != 1 || l.AnsweringKept != 1 || l.ScheduleKept >= 1 {
				t.Errorf("flat out %t: %+v", flatOut, l)
			}
			if uint64(given) != l.Values || l.Values != m.Values {
				t.Errorf("%d readings are given of %d", given, l.Values)
			}
			if !flatOut && (l.Meters[1].Drift == nil || *l.Meters[1].Drift != 1) {
				t.Errorf("no drift: %+v", l.Meters[1])
			}
		})
	}
}
