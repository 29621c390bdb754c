package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
	"citygrid/internal/secret"
	"citygrid/schemas"
)

// These tests run against the InfluxDB that `make bin/influxd` builds.

func openReal(t *testing.T, batch int) *Store {
	return openAt(t, Config{URL: influxtest.Start(t, influxd.Options{}).URL(), BatchPoints: batch})
}

func mustWrite(t testing.TB, s *Store, readings ...schemas.Reading) {
	t.Helper()
	if err := s.Write(t.Context(), readings); err != nil {
		t.Fatal(err)
	}
}

// mustLines writes lines as another program would.
func mustLines(t *testing.T, s *Store, lines string) {
	t.Helper()
	resp, err := http.Post(s.URL()+"write?precision=ms&db="+s.db, "text/plain", strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Header.Get("X-Influxdb-Error"))
	}
}

func mustEach(t *testing.T, s *Store, from, to time.Time) []schemas.Reading {
	t.Helper()
	var all []schemas.Reading
	if err := s.Each(t.Context(), from, to, func(r schemas.Reading) error { all = append(all, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func mustCount(t *testing.T, s *Store, want int64) {
	t.Helper()
	if n, err := s.Count(t.Context(), time.Time{}, at(math.MaxInt32*4000)); err != nil || n != want {
		t.Errorf("%d readings are stored, want %d (%v)", n, want, err)
	}
}

// byKey sorts as Each's order leaves open.
func byKey(readings []schemas.Reading) []schemas.Reading {
	slices.SortFunc(readings, func(a, b schemas.Reading) int {
		key := func(r schemas.Reading) string {
			return fmt.Sprintf("%s %s %020d %s", r.Meter, r.Quantity, r.TakenAt.UnixMilli(), r.Origin)
		}
		return strings.Compare(key(a), key(b))
	})
	return readings
}

// extremes are readings at every edge of what may be stored, over 199 years.
func extremes() []schemas.Reading {
	var all []schemas.Reading
	times := []int64{946684800000, 1700000000001, 7258118399999} // 2000-01-01, and the end of 2199
	for i, m := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, 1<<53 + 1, -(1<<53 + 1), 999999999999999999} {
		for j, e := range []int8{0, -18, 18, -3} {
			all = append(all, good(fmt.Sprintf("M_%d-%d", i, j), m, e, times[(i+j)%len(times)]))
		}
	}
	for i, reason := range []schemas.Reason{schemas.ReasonSentinel, schemas.ReasonNaN, schemas.ReasonBadBCD, schemas.ReasonUnknownState, schemas.ReasonOverflow} {
		r := good("M_0-0", 0, 0, 1800000000000+int64(i))
		r.Quality, r.Reason = schemas.Missing, reason
		all = append(all, r)
	}
	for i, reason := range []schemas.Reason{schemas.ReasonRange, schemas.ReasonRollback, schemas.ReasonClock,
		schemas.ReasonReset, schemas.ReasonSwap, schemas.ReasonJump, schemas.ReasonStuck, schemas.ReasonReverse} {
		r := good("M_0-0", math.MaxInt64-int64(i), -2, 1800000000100+int64(i))
		r.Quality, r.Reason = schemas.Suspect, reason
		all = append(all, r)
	}
	for i, origin := range schemas.Origins() {
		r := good("M_0-0", int64(i), 0, 1900000000000) // one moment, four readings
		r.Origin = origin
		all = append(all, r)
	}
	for i, info := range schemas.Quantities() {
		all = append(all, schemas.Reading{Meter: "Q", Quantity: info.Quantity, Unit: info.Unit, TakenAt: at(1750000000000), Value: schemas.Decimal{Mantissa: int64(i)}})
	}
	return all
}

func TestRoundTripIsExact(t *testing.T) {
	for _, gzip := range []bool{false, true} {
		t.Run(fmt.Sprintf("gzip=%v", gzip), func(t *testing.T) {
			s := openAt(t, Config{URL: influxtest.Start(t, influxd.Options{}).URL(), BatchPoints: 7, Gzip: gzip})
			want := byKey(extremes())
			mustWrite(t, s, want...)
			got := byKey(mustEach(t, s, time.Time{}, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)))
			if !slices.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			for _, r := range got {
				if err := r.Validate(); err != nil {
					t.Error(err)
				}
			}
			// A replay changes nothing.
			mustWrite(t, s, want...)
			mustCount(t, s, int64(len(want)))
		})
	}
}

func TestBoundsOfTime(t *testing.T) {
	s := openReal(t, 0)
	for ms := int64(1700000000000); ms < 1700000000010; ms++ {
		mustWrite(t, s, good("a", ms, 0, ms))
	}
	from, to := at(1700000000002), at(1700000000005)
	if got := mustEach(t, s, from, to); len(got) != 3 || got[0].TakenAt != from {
		t.Errorf("Each: %v", got)
	}
	if n, err := s.Count(t.Context(), from, to); n != 3 || err != nil {
		t.Errorf("Count: %d, %v", n, err)
	}
	if got, err := s.Range(t.Context(), "a", "water.flow", schemas.Live, from, to, 3); len(got.Samples) != 3 || err != nil {
		t.Errorf("Range: %v, %v", got, err)
	}
	if n, err := s.Count(t.Context(), at(1), at(2)); n != 0 || err != nil {
		t.Errorf("an empty range has %d, %v", n, err)
	}
}

func TestLast(t *testing.T) {
	s := openReal(t, 0)
	newest := good("a", 3, -1, 1700000002000)
	lost := good("b", 0, 0, 1700000003000)
	lost.Quality, lost.Reason = schemas.Missing, schemas.ReasonSentinel
	// The worse quality is older: last() must not pick by value.
	doubt := good("a", 9, 0, 1700000001000)
	doubt.Quality, doubt.Reason = schemas.Suspect, schemas.ReasonRange
	mustWrite(t, s, newest, doubt, good("b", 7, 0, 1700000001000), lost, good("c", 1, 0, 1600000000000))

	got, err := s.Last(t.Context(), at(1650000000000))
	if want := []schemas.Reading{newest, lost}; err != nil || !slices.Equal(byKey(got), want) {
		t.Errorf("got  %v, %v\nwant %v", got, err, want)
	}
	if got, err := s.Last(t.Context(), time.Time{}); len(got) != 3 || err != nil {
		t.Errorf("since ever: %v, %v", got, err)
	}
	if got, err := s.Last(t.Context(), at(1800000000000)); len(got) != 0 || err != nil {
		t.Errorf("since the future: %v, %v", got, err)
	}
}

// TestOneBadPoint: a foreign program has written another type into the week of
// one reading (types are fixed per shard), and only that reading is refused.
func TestOneBadPoint(t *testing.T) {
	s := openReal(t, 1000)
	const week = 7 * 86400_000
	mustLines(t, s, fmt.Sprintf("reading,meter=x,quantity=y mantissa=5,exponent=0i,quality=0i %d", 1700000000000-4*week))
	readings := make([]schemas.Reading, 2500)
	for i := range readings {
		readings[i] = good("a", math.MaxInt64-int64(i), -3, 1700000000000+int64(i))
	}
	bad := good("a", 1, 0, 1700000000000-4*week)
	readings[1234] = bad

	err := s.Write(t.Context(), readings)
	var rejected *RejectedError
	if !errors.As(err, &rejected) || len(rejected.Readings) != 1 || rejected.Readings[0].Index != 1234 || rejected.Readings[0].Reading != bad {
		t.Fatal(err)
	}
	if !strings.Contains(rejected.Readings[0].Reason, "field type conflict") {
		t.Errorf("reason %q", rejected.Readings[0].Reason)
	}
	mustCount(t, s, 2499+1)
	// The foreign floats in one shard do not turn the integers of another
	// into floats.
	want := slices.Delete(slices.Clone(readings), 1234, 1235)
	if got := mustEach(t, s, time.Time{}, at(1800000000000)); !slices.Equal(slices.DeleteFunc(got, func(r schemas.Reading) bool { return r.Meter == "x" }), want) {
		t.Errorf("%d readings came back changed", len(got))
	}
}

func TestForeignPointIsNoZero(t *testing.T) {
	s := openReal(t, 0)
	mustLines(t, s, "reading,meter=x,quantity=water.flow quality=0i,value=5 1700000000000")
	err := s.Each(t.Context(), time.Time{}, at(1800000000000), func(schemas.Reading) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "meter x, water.flow") {
		t.Error(err)
	}
}

func TestOperatorMustAct(t *testing.T) {
	srv := influxtest.Start(t, influxd.Options{User: "hub", Password: "p:w"})
	tests := []struct {
		name string
		c    Config
		want string // "" is success
	}{
		{"right", Config{Bucket: "citygrid/autogen", Token: secret.New("hub:p:w")}, ""},
		{"database alone", Config{Bucket: "citygrid", Token: secret.New("hub:p:w")}, ""},
		{"no token", Config{Bucket: "citygrid/autogen"}, "check the token"},
		{"wrong token", Config{Bucket: "citygrid/autogen", Token: secret.New("hub:geheim")}, "check the token"},
		{"no database", Config{Bucket: "nowhere/autogen", Token: secret.New("hub:p:w")}, `create database "nowhere"`},
		{"no retention policy", Config{Bucket: "citygrid/week", Token: secret.New("hub:p:w")}, `retention policy "week"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.c.URL = srv.URL()
			s := openAt(t, tt.c)
			_, countErr := s.Count(t.Context(), time.Time{}, at(1800000000000))
			errs := map[string]error{
				"write": s.Write(t.Context(), []schemas.Reading{good("a", 1, 0, 1700000000000)}),
				"count": countErr,
				"ping":  s.Ping(t.Context()),
			}
			for act, err := range errs {
				if tt.want == "" && err != nil {
					t.Errorf("%s: %v", act, err)
				}
				if tt.want != "" && (kind(err) != "config" || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "geheim")) {
					t.Errorf("%s: %s error %v, want %q", act, kind(err), err, tt.want)
				}
			}
		})
	}
}

func TestRange(t *testing.T) {
	s := openReal(t, 0)
	const n = 10_000
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	readings := make([]schemas.Reading, 0, n)
	for i := range n {
		if i >= 4000 && i < 5000 {
			continue // a gap of 1,000 s
		}
		readings = append(readings, good("a", int64(i), -1, start.Add(time.Duration(i)*time.Second).UnixMilli()))
	}
	readings[0].Quality, readings[0].Reason, readings[0].Value = schemas.Missing, schemas.ReasonNaN, schemas.Decimal{}
	mustWrite(t, s, readings...)
	end := start.Add(n * time.Second)

	raw, err := s.Range(t.Context(), "a", "water.flow", schemas.Live, start, end, n)
	if err != nil || raw.Step != 0 || len(raw.Samples) != n-1000 {
		t.Fatalf("raw: step %s, %d samples, %v", raw.Step, len(raw.Samples), err)
	}
	if p := raw.Samples[0]; p.Count != 0 || p.Quality != schemas.Missing || p.Reason != schemas.ReasonNaN {
		t.Errorf("a missing reading became %+v", p)
	}
	if p := raw.Samples[17]; p.Value != (schemas.Decimal{Mantissa: 17, Exponent: -1}) || p.Mean != 1.7 || p.Count != 1 {
		t.Errorf("%+v", p)
	}

	got, err := s.Range(t.Context(), "a", "water.flow", schemas.Live, start, end, 1000)
	if err != nil || got.Step != 10*time.Second || len(got.Samples) != 1000 {
		t.Fatalf("step %s, %d samples, %v", got.Step, len(got.Samples), err)
	}
	first := Sample{At: start, Count: 9, Min: 0.1, Mean: 0.5, Max: 0.9, Quality: schemas.Missing}
	if got.Samples[0] != first {
		t.Errorf("first step %+v, want %+v", got.Samples[0], first)
	}
	var total int64
	for i, p := range got.Samples {
		if gap := i >= 400 && i < 500; gap != (p.Count == 0) || !p.At.Equal(start.Add(time.Duration(i)*got.Step)) {
			t.Fatalf("step %d: %+v", i, p)
		}
		total += p.Count
	}
	if total != n-1000-1 {
		t.Errorf("the steps hold %d readings", total)
	}

	for name, bad := range map[string]func() error{
		"no points": func() error {
			_, err := s.Range(t.Context(), "a", "water.flow", schemas.Live, start, end, 0)
			return err
		},
		"to is from": func() error {
			_, err := s.Range(t.Context(), "a", "water.flow", schemas.Live, start, start, 1)
			return err
		},
	} {
		if bad() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// oddNames are tag values that would end a string, a statement or a line.
func oddNames() []string {
	return []string{
		`水表一号 东区`, `O'Brien`, `a\'b`, `back\slash`, `"quoted"`, `a,b=c d`, `'; DROP MEASUREMENT "reading"; --`,
		`' OR "meter" != '`, `\' OR 1=1 --`, "$meter", `/regex/`, `💧`, `%27%20OR`, `a' OR time > 0 --`,
	}
}

func TestQueryParametersAreData(t *testing.T) {
	s := openReal(t, 0)
	var lines []byte
	for i, name := range oddNames() {
		r := good(name, int64(i), 0, 1700000000000)
		lines = AppendLine(lines, r)
	}
	mustLines(t, s, string(lines))
	secret := good("secret", 42, 0, 1700000000000)
	mustWrite(t, s, secret)
	for i, name := range oddNames() {
		got, err := s.Range(t.Context(), schemas.MeterID(name), "water.flow", schemas.Live, at(1600000000000), at(1800000000000), 100)
		if err != nil || len(got.Samples) != 1 || got.Samples[0].Value.Mantissa != int64(i) {
			t.Errorf("meter %q: %v, %v", name, got, err)
		}
		// The same text as a quantity finds nothing and breaks nothing.
		got, err = s.Range(t.Context(), "secret", schemas.Quantity(name), schemas.Live, at(1600000000000), at(1800000000000), 100)
		if err != nil || len(got.Samples) != 0 {
			t.Errorf("quantity %q: %v, %v", name, got, err)
		}
	}
	mustCount(t, s, int64(len(oddNames())+1))
	for _, r := range mustEach(t, s, time.Time{}, at(1800000000000)) {
		if r != secret && (r.Value.Mantissa >= int64(len(oddNames())) || string(r.Meter) != oddNames()[r.Value.Mantissa]) {
			t.Errorf("meter %q came back as %q", oddNames()[r.Value.Mantissa], r.Meter)
		}
	}
}

func TestEachStops(t *testing.T) {
	s := openReal(t, 0)
	mustWrite(t, s, good("a", 1, 0, 1700000000000), good("b", 1, 0, 1700000000000))
	stop := errors.New("enough")
	n := 0
	err := s.Each(t.Context(), time.Time{}, at(1800000000000), func(schemas.Reading) error { n++; return stop })
	if err != stop || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) { benchmarkWrite(b, workers) })
	}
}

// benchmarkWrite counts an operation as one point: 2,000 meters of 5
// quantities, one value a second.
func benchmarkWrite(b *testing.B, workers int) {
	srv := influxtest.Start(b, influxd.Options{})
	s, err := Open(Config{URL: srv.URL(), Bucket: "citygrid"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	w, err := NewWriter(s, WriterConfig{Workers: workers})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	b.ResetTimer()
	var results []*Result
	for done := 0; done < b.N; done += 250 {
		results = append(results, w.Submit(ctx, cityReadings(done, min(250, b.N-done))))
	}
	for _, r := range results {
		if err := r.Wait(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "points/s")
}

// BenchmarkEach streams a million readings; an operation is one of them.
func BenchmarkEach(b *testing.B) {
	srv := influxtest.Start(b, influxd.Options{})
	s, err := Open(Config{URL: srv.URL(), Bucket: "citygrid", BatchPoints: maxBatchPoints})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const stored = 1_000_000
	for done := 0; done < stored; done += maxBatchPoints {
		mustWrite(b, s, cityReadings(done, maxBatchPoints)...)
	}
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			if n, err := s.Count(b.Context(), time.Time{}, at(1<<42)); n != stored || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("last", func(b *testing.B) {
		for b.Loop() {
			if all, err := s.Last(b.Context(), time.Time{}); len(all) != 10_000 || err != nil {
				b.Fatal(len(all), err)
			}
		}
	})
	b.Run("each", func(b *testing.B) {
		for b.Loop() {
			n := 0
			if err := s.Each(b.Context(), time.Time{}, at(1<<42), func(schemas.Reading) error { n++; return nil }); n != stored || err != nil {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stored, "ns/reading")
	})
	if err := srv.Stop(); err != nil {
		b.Fatal(err)
	}
	b.Logf("influxd: %+v", srv.Sample())
}

// cityReadings returns readings number first and on of a city of 10,000 series.
func cityReadings(first, n int) []schemas.Reading {
	info := schemas.Quantities()[:5]
	readings := make([]schemas.Reading, n)
	for i := range readings {
		k := first + i
		q := info[k%5]
		readings[i] = schemas.Reading{
			Meter: schemas.MeterID(fmt.Sprintf("31011500000%06d", k/5%2000)), Quantity: q.Quantity, Unit: q.Unit,
			Value: schemas.Decimal{Mantissa: int64(k) * 17, Exponent: -3}, TakenAt: at(1767225600000 + int64(k/10_000)*1000),
		}
	}
	return readings
}
