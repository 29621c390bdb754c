package year_test

import (
	"runtime"
	"testing"

	"citygrid/simulators/year"
)

func BenchmarkWorld(b *testing.B) {
	const places = 10_000
	w, err := year.New(year.Options{Seed: 1, Places: places, Discrepancies: 500})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var sales, payments, entries int
	for b.Loop() {
		sales, payments, entries = 0, 0, 0
		for p := range w.Places() {
			sales, payments, entries = sales+len(p.Sales), payments+len(p.Payments), entries+len(p.Entries)
		}
	}
	b.ReportMetric(float64(sales)/places, "sales/place")
	b.ReportMetric(float64(payments)/places, "payments/place")
	b.ReportMetric(float64(entries)/places, "entries/place")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB")
	b.ReportMetric(float64(len(w.Injected())), "injected")
}
