package collector

import (
	"context"
	"fmt"
	"testing"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// BenchmarkLine is what a line costs beside its driver: the checks of form, the
// verdicts, and the way to the sealer, for meters of 50 values.
func BenchmarkLine(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	line := Line{Name: "a"}
	left := b.N
	for i := range 100 {
		s := fixed{readings: fifty(schemas.MeterID(fmt.Sprintf("m%04d", i))), left: &left, stop: cancel}
		line.Meters = append(line.Meters, Meter{ID: s.readings[0].Meter, Source: s, Interval: time.Minute})
	}
	out := make(chan []schemas.Reading, 1)
	l := newLineLoop(line, time.Now(), out, testMetrics(), newBoard(), silent)
	l.flatOut = true
	b.ReportAllocs()
	b.ResetTimer()
	go func() { defer close(out); l.run(ctx) }()
	values := 0
	for readings := range out {
		values += len(readings)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(values), "ns/value")
}

// BenchmarkTurn is what it costs to find the meter whose turn it is.
func BenchmarkTurn(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			line := Line{Name: "a"}
			for range n {
				line.Meters = append(line.Meters, Meter{ID: "m", Source: fixed{}, Interval: time.Minute})
			}
			now := time.Now()
			l := newLineLoop(line, now, nil, testMetrics(), newBoard(), silent)
			for b.Loop() {
				l.turn(now)
			}
		})
	}
}

// fixed is a meter that gives the same readings at once, until there were
// enough.
type fixed struct {
	readings []schemas.Reading
	left     *int
	stop     func()
}

func (f fixed) Read(context.Context) ([]schemas.Reading, error) {
	if *f.left--; *f.left <= 0 {
		f.stop()
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range f.readings {
		r := &f.readings[i]
		r.TakenAt, r.Quality, r.Reason = now, schemas.Good, ""
	}
	return f.readings, nil
}

// fifty returns readings of 50 quantities of a meter.
func fifty(id schemas.MeterID) (list []schemas.Reading) {
	for _, q := range schemas.Quantities() {
		if len(list) < 50 && q.Medium == schemas.Power && q.Kind != schemas.State {
			list = append(list, schemas.Reading{Meter: id, Quantity: q.Quantity, Unit: q.Unit, Value: schemas.Decimal{Mantissa: 1, Exponent: -1}})
		}
	}
	for i := 0; len(list) < 50; i++ {
		list = append(list, list[i])
	}
	return list
}

// BenchmarkBatch is the way of a full batch from readings to an envelope. The
// spool's part is measured in its own package.
func BenchmarkBatch(b *testing.B) {
	keys := newKeys(b)
	s := &sealStage[schemas.Reading]{
		kind:    readingsKind(testID, testArea),
		session: func() (sealer, error) { return keys.sealer(b, seal.Up, seal.Readings, 1), nil },
	}
	taken := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	quantities := []schemas.Quantity{"power.energy.import", "power.voltage.l1", "power.current.l1", "power.active", "power.factor"}
	const n = 100
	for i := range n {
		q := quantities[i%len(quantities)]
		info, _ := q.Info()
		s.batch = append(s.batch, schemas.Reading{
			Meter:    schemas.MeterID(fmt.Sprintf("31011500000%02d", i/len(quantities))),
			Quantity: q, Unit: info.Unit, TakenAt: taken,
			Value: schemas.Decimal{Mantissa: int64(1_000_000 + i), Exponent: -3},
		})
	}
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		envelope, err := s.seal(b.Context(), func(dst []byte, now time.Time) ([]byte, error) { return s.kind.encode(dst, now, s.batch) })
		if err != nil {
			b.Fatal(err)
		}
		size = len(envelope)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/value")
	b.ReportMetric(float64(size)/n, "B/value")
}
