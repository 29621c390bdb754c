package dlt645

import (
	"testing"

	"citygrid/adapters/catalog/catalogtest"
	"citygrid/adapters/dlt645/profiles"
)

// BenchmarkAnswer is what one answer costs from its bytes to its value.
func BenchmarkAnswer(b *testing.B) {
	frame := catalogtest.Bytes(b, "FE FE FE FE 68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16")
	f := profiles.Field{Quantity: "power.energy.import", Bytes: 4, Format: profiles.BCD, Shift: -2}
	q := question{request: request{to: mustAddress(b, "000000000161"), function: readData, di: 0x00010000}}
	b.ReportAllocs()
	for b.Loop() {
		skip, n, err := q.Split(frame)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := q.Open(frame[skip : skip+n]); err != nil {
			b.Fatal(err)
		}
		if _, reason := decodeField(&f, q.data); reason != "" {
			b.Fatal(reason)
		}
	}
}
