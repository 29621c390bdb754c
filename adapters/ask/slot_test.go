package ask

import (
	"strings"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

func TestSlotTells(t *testing.T) {
	zone := time.FixedZone("UTC+8", 8*3600)
	begin := time.Date(2026, 3, 1, 16, 0, 0, 0, time.UTC) // midnight there
	state := func(at time.Duration, count uint32, residual, overdraft int64, word uint32) schemas.CardEntry {
		return schemas.CardEntry{
			Event: schemas.CardState, TakenAt: begin.Add(at), Purchase: Purchase(count),
			Residual: schemas.Credit{Value: residual, Unit: schemas.CreditFen}, Overdraft: schemas.Credit{Value: overdraft, Unit: schemas.CreditFen},
			Counters: map[schemas.CardCounter]uint32{schemas.StatusWord: word},
		}
	}
	var s Slot
	for i, tt := range []struct {
		who   string
		state schemas.CardEntry
		loads int
		want  int
	}{
		{"a", state(0, 1, 100, 0, 0), 0, 1},              // the first
		{"a", state(time.Hour, 1, 90, 0, 0), 0, 0},       // consumption
		{"a", state(2*time.Hour, 1, 91, 0, 0), 0, 1},     // the residual rose
		{"a", state(3*time.Hour, 1, 80, 0, 0), 0, 0},     // consumption
		{"a", state(4*time.Hour, 1, 80, 0, 64), 0, 1},    // the switch
		{"a", state(5*time.Hour, 1, 0, 3, 64), 0, 1},     // overdrawn
		{"a", state(6*time.Hour, 1, 0, 9, 64), 0, 0},     // more so
		{"a", state(7*time.Hour, 2, 40, 0, 64), 1, 2},    // bought
		{"a", state(24*time.Hour-1, 2, 39, 0, 64), 0, 0}, // still that day
		{"a", state(24*time.Hour, 2, 39, 0, 64), 0, 1},   // the next day
		{"b", state(25*time.Hour, 2, 39, 0, 64), 0, 1},   // another meter
		{"b", state(26*time.Hour, 2, 39, 0, 64), 0, 0},   // the same
		{"b", state(240*time.Hour, 2, 39, 0, 64), 0, 1},  // much later
		{"b", state(241*time.Hour, 2, 38, 0, 64), 0, 0},  // consumption
		{"b", state(242*time.Hour, 2, 38, 0, 64), 0, 0},  // nothing
	} {
		if got := s.Tell(tt.who, make([]schemas.CardEntry, tt.loads), tt.state, zone); len(got) != tt.want {
			t.Errorf("%d: %d entries, want %d", i, len(got), tt.want)
		}
	}
}

func TestSlotSince(t *testing.T) {
	for _, tt := range []struct {
		modulus, told, count uint32
		who                  string
		want                 uint32
		first                bool
		problem              string
	}{
		{0, 7, 7, "a", 0, false, ""}, {0, 7, 9, "a", 2, false, ""}, {0, 7, 6, "a", 0, false, "from 7 to 6"},
		{0, 7, 3, "b", 3, true, ""},
		{100, 99, 100, "a", 1, false, ""}, {100, 100, 1, "a", 1, false, ""}, {100, 100, 100, "a", 0, false, ""},
		{100, 60, 10, "a", 50, false, ""}, {100, 60, 9, "a", 49, false, ""}, {100, 60, 11, "a", 0, false, "from 60 to 11"},
		{256, 256, 2, "a", 2, false, ""},
		{100, 60, 0, "a", 0, false, "from 60 to 0"}, {0, 7, 0, "a", 0, false, "from 7 to 0"}, {100, 0, 0, "a", 0, false, ""}, {100, 0, 3, "a", 3, false, ""},
	} {
		s := Slot{Modulus: tt.modulus}
		s.Tell("a", nil, schemas.CardEntry{Purchase: Purchase(tt.told)}, time.UTC)
		n, first, err := s.Since(tt.who, tt.count)
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) || adapters.ClassOf(err) != adapters.Slow {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if err != nil || n != tt.want || first != tt.first {
			t.Errorf("%+v: %d, %v, %v", tt, n, first, err)
		}
	}
	if n, first, err := new(Slot).Since("a", 5); n != 5 || !first || err != nil {
		t.Errorf("at first %d, %v, %v", n, first, err)
	}
}

func TestCredit(t *testing.T) {
	for _, tt := range []struct {
		value string
		unit  schemas.Unit
		want  schemas.Credit
	}{
		{"123.45", "CNY", schemas.Credit{Value: 12345, Unit: schemas.CreditFen}},
		{"7", "CNY", schemas.Credit{Value: 700, Unit: schemas.CreditFen}},
		{"0.54499996", "m3", schemas.Credit{Value: 545, Unit: schemas.CreditLitre}},
		{"0.5444999", "m3", schemas.Credit{Value: 544, Unit: schemas.CreditLitre}},
		{"-1.5005", "m3", schemas.Credit{Value: -1501, Unit: schemas.CreditLitre}},
		{"12.34", "kW.h", schemas.Credit{Value: 12340, Unit: schemas.CreditWh}},
		{"50.0000", "CNY", schemas.Credit{Value: 5000, Unit: schemas.CreditFen}},
		{"0", "kW.h", schemas.Credit{Unit: schemas.CreditWh}},
	} {
		d, err := schemas.ParseDecimal(tt.value)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := Credit(d, tt.unit); !ok || got != tt.want {
			t.Errorf("%s %s: %v, %v", tt.value, tt.unit, got, ok)
		}
	}
	for _, d := range []schemas.Decimal{{Mantissa: 1, Exponent: 30}, {Mantissa: 12345, Exponent: -3}, {Mantissa: -1, Exponent: -4}} {
		if c, ok := Credit(d, "CNY"); ok {
			t.Errorf("%v: %v", d, c)
		}
	}
	if _, ok := Credit(schemas.Decimal{}, "V"); ok {
		t.Error("volts in a purse")
	}
}
