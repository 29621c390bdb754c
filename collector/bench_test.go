package collector

import (
	"fmt"
	"testing"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// BenchmarkBatch is the way of a full batch from readings to an envelope. The
// spool's part is measured in its own package.
func BenchmarkBatch(b *testing.B) {
	keys := newKeys(b)
	s := &sealStage{
		id: testID, area: testArea,
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
		envelope, err := s.seal(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		size = len(envelope)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/value")
	b.ReportMetric(float64(size)/n, "B/value")
}
