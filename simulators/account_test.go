package simulators

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"citygrid/adapters/catalog/catalogtest"
	cjt188 "citygrid/adapters/cjt188/profiles"
	dlt645 "citygrid/adapters/dlt645/profiles"
	"citygrid/schemas"
	"citygrid/simulators/prepaid"
)

// prepaidLife is a meter that was opened at start with 100 yuan or 100 m3 or
// kWh, used 40 units in the first hour, and got 50 more after two hours.
func prepaidLife(t testing.TB, utility schemas.Medium, unit schemas.CreditUnit) *prepaid.History {
	t.Helper()
	scale := int64(1000)
	if unit == schemas.CreditFen {
		scale = 100
	}
	e, err := prepaid.New(prepaid.Config{Utility: utility, Number: "000000000161", Unit: unit, Start: start,
		Current: prepaid.Tariff{Steps: []prepaid.Step{{Price: 10_000}}}, Limits: prepaid.Limits{Overdraft: 20 * scale, Alarm1: 5 * scale}})
	if err != nil {
		t.Fatal(err)
	}
	h := prepaid.NewHistory(start, e.State())
	card := prepaid.Presented{Serial: "0000000000000001", Role: prepaid.OpenCard, Number: "000000000161", Customer: "1", ReturnEmpty: true}
	note := func(at time.Time) {
		if err := h.Note(at, e.State()); err != nil {
			t.Fatal(err)
		}
	}
	load := func(count uint32, amount int64, at time.Time) {
		card.Count, card.Amount = count, amount
		if out := e.Accept(card, at); !out.Loaded {
			t.Fatalf("purchase %d: %+v", count, out)
		}
		note(at)
	}
	load(1, 100*scale, start.Add(time.Minute))
	e.Consume(40_000, start.Add(time.Hour))
	note(start.Add(time.Hour))
	load(2, 50*scale, start.Add(2*time.Hour))
	e.Consume(200_000, start.Add(3*time.Hour)) // 110 are there, and 20 of overdraft
	note(start.Add(3 * time.Hour))
	return h
}

// TestAccountOfDLT645 asks for purse, records and status word of both kinds.
func TestAccountOfDLT645(t *testing.T) {
	p := catalogtest.Get(t, dlt645.Embedded, "dlt645-prepaid-single-phase")
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	stamp := func(at time.Time) string {
		w := wall(at)
		return fmt.Sprintf("%02d%02d%02d%02d%02d", w.Minute(), w.Hour(), w.Day(), int(w.Month()), w.Year()%100)
	}
	for _, tt := range []struct {
		unit schemas.CreditUnit
		at   time.Time
		di   uint32
		want string // low byte first; empty: refused
	}{
		{schemas.CreditFen, hour(2), 0x00900200, "00 10 01 00"},
		{schemas.CreditFen, hour(1), 0x00900200, "00 60 00 00"},
		{schemas.CreditFen, hour(3), 0x00900200, "00 00 00 00"},
		{schemas.CreditFen, hour(3), 0x00900201, "00 20 00 00"},
		{schemas.CreditFen, hour(3), 0x00900100, "00 00 00 00"},
		{schemas.CreditFen, hour(2), 0x03330201, "02 00"},
		{schemas.CreditFen, hour(2), 0x03330202, "01 00"},
		{schemas.CreditFen, hour(2), 0x03330203, "00 00"},
		{schemas.CreditFen, hour(2), 0x03330101, stamp(hour(2))},
		{schemas.CreditFen, hour(2), 0x03330103, "00 00 00 00 00"},
		{schemas.CreditFen, hour(2), 0x03330301, "00 50 00 00"},
		{schemas.CreditFen, hour(2), 0x03330302, "00 00 01 00"},
		{schemas.CreditFen, hour(2), 0x03330401, "00 60 00 00"},
		{schemas.CreditFen, hour(2), 0x03330501, "00 10 01 00"},
		{schemas.CreditFen, hour(2), 0x03330601, "00 50 01 00"},
		{schemas.CreditFen, hour(2), 0x0333060B, ""},
		{schemas.CreditFen, hour(2), 0x03320201, ""},
		{schemas.CreditFen, hour(0), 0x04000503, "D0 42"}, // told to be open, and is; alarm, not opened, money
		{schemas.CreditFen, hour(2), 0x04000503, "00 02"},
		{schemas.CreditFen, hour(3), 0x04000503, "D0 02"},
		{schemas.CreditWh, hour(2), 0x00900100, "00 10 01 00"},
		{schemas.CreditWh, hour(2), 0x03320301, "00 50 00 00"},
		{schemas.CreditWh, hour(2), 0x03320201, "02 00"},
		{schemas.CreditWh, hour(2), 0x04000503, "00 01"},
	} {
		m := mustDLT645(t, p, func(c *MeterConfig) { c.Account = prepaidLife(t, schemas.Power, tt.unit) })
		got, ok := m.item645(nil, tt.di, tt.at)
		if ok != (tt.want != "") || !bytes.Equal(got, octetsOf(t, tt.want)) {
			t.Errorf("%s, %08X at %s: % X %v, want %s", tt.unit, tt.di, tt.at.Sub(start), got, ok, tt.want)
		}
	}
}

// TestAccountMovesTheCounter: what the engine let pass is what the counter counts.
func TestAccountMovesTheCounter(t *testing.T) {
	p := catalogtest.Get(t, dlt645.Embedded, "dlt645-prepaid-single-phase")
	m := mustDLT645(t, p, func(c *MeterConfig) { c.Account = prepaidLife(t, schemas.Power, schemas.CreditFen) })
	before := mainCount(m, m.instant(m.stepOf(start)))
	if used := mainCount(m, m.instant(m.stepOf(start.Add(3*time.Hour)))) - before; used != 170*micro {
		t.Errorf("the counter moved by %d millionths, want 170 kWh", used)
	}
}

// TestAccountOfCJT188: count, purchases, residual and the status word.
func TestAccountOfCJT188(t *testing.T) {
	p := catalogtest.Get(t, cjt188.Embedded, "cjt188-cold-water-valve")
	m := mustCJT188(t, p, func(c *MeterConfig) { c.Account = prepaidLife(t, schemas.Water, schemas.CreditFen) })
	for hours, want := range map[int]string{
		2: "02 00 50 00 00 00 50 01 00 00 10 01 00 00 00",
		3: "02 00 50 00 00 00 50 01 00 00 00 00 00 01 00",
	} {
		got, ok := m.item188(nil, 0x8105, start.Add(time.Duration(hours)*time.Hour))
		if !ok || !bytes.Equal(got[:13], octetsOf(t, want)[:13]) || got[13]&3 != octetsOf(t, want)[13] {
			t.Errorf("after %d hours % X, want %s", hours, got, want)
		}
		data, _ := m.item188(nil, 0x901F, start.Add(time.Duration(hours)*time.Hour))
		if !bytes.Equal(got[13:], data[17:]) {
			t.Errorf("two status words: % X, % X", got[13:], data[17:])
		}
	}
}

// TestAccountOfModbus: volume and valve.
func TestAccountOfModbus(t *testing.T) {
	m := mustMeter(t, "xintai-prepaid-water", func(c *MeterConfig) { c.Account = prepaidLife(t, schemas.Water, schemas.CreditLitre) })
	for hours, want := range map[int][2]string{1: {"60", "1"}, 2: {"110", "1"}, 3: {"-20", "0"}} {
		at := start.Add(time.Duration(hours) * time.Hour)
		credit, _, _ := m.Expected("water.credit.volume", at)
		valve, _, _ := m.Expected("water.valve.state", at)
		if credit.String() != want[0] || valve.String() != want[1] {
			t.Errorf("after %d hours %s, valve %s; want %v", hours, credit, valve, want)
		}
	}
}

// TestPurchaseRecordsWithoutEngine: a meter without an engine dates its purchases by the
// moment when its count rose, and keeps ten of them.
func TestPurchaseRecordsWithoutEngine(t *testing.T) {
	p := catalogtest.Get(t, dlt645.Embedded, "dlt645-prepaid-single-phase")
	m := mustDLT645(t, p, func(c *MeterConfig) { c.SwapAt = start.Add(900 * time.Hour) })
	for _, hours := range []int{0, 1, 500, 899, 901, 1500} {
		in := m.instant(m.stepOf(start.Add(time.Duration(hours) * time.Hour)))
		count := purchases(m, in)
		var last time.Time
		for n := 1; n <= dltRecords && int64(n) <= count; n++ {
			r, ok := m.purchaseRecord(in, n)
			if !ok || int64(r.Count) != count-int64(n)+1 || r.Bought != int64(r.Count)*r.Amount {
				t.Fatalf("after %d hours, record %d: %+v, the count is %d", hours, n, r, count)
			}
			if n > 1 && !r.At.Before(last) {
				t.Fatalf("record %d is of %s, the one before of %s", n, r.At, last)
			}
			if last = r.At; r.At.After(start) && hours < 900 {
				step := m.stepOf(r.At)
				if purchases(m, m.instant(step)) != int64(r.Count) || purchases(m, m.instant(step-1)) != int64(r.Count)-1 {
					t.Fatalf("record %d is of %s, when the count did not rise", n, r.At)
				}
			}
		}
	}
}
