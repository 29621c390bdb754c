package store

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
	"citygrid/schemas"
)

// register is a well-formed reading of a counter of energy.
func register(meter, quantity string, mantissa int64, ms int64) schemas.Reading {
	r := good(meter, mantissa, -2, ms)
	r.Quantity, r.Unit = schemas.Quantity(quantity), "kW.h"
	return r
}

func mustRegisters(t testing.TB, s *Store, meters []schemas.MeterID, quantities []schemas.Quantity, from, to time.Time) []schemas.Reading {
	t.Helper()
	var all []schemas.Reading
	err := s.Registers(t.Context(), meters, quantities, from, to, func(r schemas.Reading) error { all = append(all, r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return byKey(all)
}

func TestRegisters(t *testing.T) {
	s := openReal(t, 0)
	const from, to = 1700000000000, 1700000900000
	suspect := register("m0", "power.energy.import", 77, to-1)
	suspect.Quality, suspect.Reason = schemas.Suspect, schemas.ReasonJump
	missing := register("m0", "power.energy.import.t1", 0, to-1)
	missing.Quality, missing.Reason, missing.Value = schemas.Missing, schemas.ReasonSentinel, schemas.Decimal{}
	freeze := register("m0", "power.energy.import", 78, to)
	freeze.Origin = schemas.DailyFreeze
	want := []schemas.Reading{suspect, missing, freeze, register("m0", "power.energy.import", 1, from), register("m_Z-9", "power.energy.import", 6, from)}
	meters := []schemas.MeterID{"m0", "m_Z-9", "absent"}
	for i := range 250 { // more than one statement
		m := fmt.Sprintf("n%03d", i)
		meters = append(meters, schemas.MeterID(m))
		want = append(want, register(m, "power.energy.import", int64(i), to), register(m, "power.energy.import.t1", int64(i), to))
	}
	mustWrite(t, s, want...)
	mustWrite(t, s, register("m0", "power.energy.import", 2, from-1), register("m0", "power.energy.import", 3, to+1),
		register("m0", "power.energy.export", 4, from), register("other", "power.energy.import", 5, from))

	both := []schemas.Quantity{"power.energy.import", "power.energy.import.t1"}
	if got := mustRegisters(t, s, meters, both, at(from), at(to)); !slices.Equal(got, byKey(want)) {
		t.Errorf("%d readings, want %d: %v", len(got), len(want), got[:min(8, len(got))])
	}
	if got := mustRegisters(t, s, nil, both, at(from), at(to)); len(got) != 0 {
		t.Errorf("of no meter: %v", got)
	}
	if got := mustRegisters(t, s, meters, nil, at(from), at(to)); len(got) != 0 {
		t.Errorf("of no quantity: %v", got)
	}
	enough := errors.New("enough")
	if err := s.Registers(t.Context(), meters, both, at(from), at(to), func(schemas.Reading) error { return enough }); err != enough {
		t.Errorf("an error of fn: %v", err)
	}
	if err := s.Registers(t.Context(), meters, both, at(to), at(from), func(schemas.Reading) error { return nil }); err == nil {
		t.Error("to before from: no error")
	}
}

// BenchmarkRegisters asks for the registers of 500 meters out of many
// (REGISTER_METERS, 2,000 when unset), an hour of readings every five minutes.
func BenchmarkRegisters(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("REGISTER_METERS"))
	if err != nil {
		n = 2000
	}
	s, err := Open(Config{URL: influxtest.Start(b, influxd.Options{}).URL(), Bucket: "citygrid/autogen"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const begin, step = 1700000000000, 300_000
	quantities := []schemas.Quantity{"power.energy.import", "power.energy.import.t1", "power.energy.import.t2", "power.energy.import.t3", "power.energy.import.t4"}
	var meters []schemas.MeterID
	var readings []schemas.Reading
	for i := range n {
		m := fmt.Sprintf("P-%07d", i)
		meters = append(meters, schemas.MeterID(m))
		for _, q := range quantities {
			for k := range int64(12) {
				readings = append(readings, register(m, string(q), k, begin+k*step))
			}
		}
		if len(readings) > 50_000 || i == n-1 {
			mustWrite(b, s, readings...)
			readings = readings[:0]
		}
	}
	from, to := at(begin+2*step), at(begin+8*step) // 30 min, as a batch of entries of one moment
	for b.Loop() {
		if got := mustRegisters(b, s, meters[n/2-250:n/2+250], quantities, from, to); len(got) != 500*5*7 {
			b.Fatalf("%d readings", len(got))
		}
	}
}
