package books

import (
	"slices"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

func TestRegisterOf(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "0.000": 0, "1234.56": 1_234_560, "0.545": 545, "0.0005": 0, "12.3459": 12_345, "7e6": 7_000_000_000, "1000000000": 1_000_000_000_000,
		"0.999999999999999999": 999, "-0.001": -1, "1000000000.001": -1, "9223372036854775807": -1, "9e18": -1, "1e18": -1,
	} {
		v, err := schemas.ParseDecimal(text)
		must(t, err)
		got, ok := registerOf(v)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%s is register %d (%v), want %d", text, got, ok, want)
		}
	}
}

func TestRegistersOfAnEntry(t *testing.T) {
	told := ledger.Entry{CardEntry: schemas.CardEntry{Utility: schemas.Power, Used: schemas.Credit{Value: 5, Unit: schemas.CreditWh}}}
	silent := ledger.Entry{CardEntry: schemas.CardEntry{Utility: schemas.Gas}}
	r := registers{7, 1, 2, unknown, unknown}
	r.into(&told)
	r.into(&silent)
	if told.Used.Value != 5 || !slices.Equal(told.UsedByRate, []int64{1, 2}) {
		t.Errorf("what the entry told changed: %+v", told)
	}
	if silent.Used != litre(7) {
		t.Errorf("use %+v, want 7 L", silent.Used)
	}
	none := registers{unknown, unknown, unknown, unknown, unknown}
	empty := ledger.Entry{}
	none.into(&empty)
	if empty.UsedByRate != nil || empty.Used.Known() {
		t.Errorf("unknown registers gave %+v", empty)
	}
	sums := map[string]registers{}
	for _, r := range []registers{none, {0, unknown, unknown, unknown, unknown}, {unknown, 0, unknown, unknown, unknown}, {0, 0, unknown, unknown, unknown}} {
		d := newDigester()
		r.digest(d)
		if other, twice := sums[d.sum()]; twice {
			t.Errorf("%v and %v have one digest", r, other)
		}
		sums[d.sum()] = r
	}
}

// reads makes readings of one meter: minutes after the moment, register in Wh, and
// whether it is good.
func reads(q schemas.Quantity, rows ...[3]int64) (list []schemas.Reading) {
	for _, r := range rows {
		x := schemas.Reading{Meter: "P-1", Quantity: q, Value: schemas.Decimal{Mantissa: r[1], Exponent: -3},
			TakenAt: at(start, 12).Add(time.Duration(r[0]) * time.Minute)}
		if r[2] == 0 {
			x.Quality, x.Reason = schemas.Suspect, schemas.ReasonJump
		}
		list = append(list, x)
	}
	return list
}

func TestPickUse(t *testing.T) {
	const standard, total = schemas.Quantity("gas.volume.standard"), schemas.Quantity("gas.volume.total")
	tests := []struct {
		name string
		all  []schemas.Reading
		from time.Duration // of the installation, from the moment on
		to   time.Duration // 0: it stands
		want int64         // -1 for none
	}{
		{"none", nil, -time.Hour, 0, -1},
		{"the nearest", reads(total, [3]int64{-9, 1, 1}, [3]int64{4, 2, 1}, [3]int64{8, 3, 1}), -time.Hour, 0, 2},
		{"of two equally near the earlier", reads(total, [3]int64{5, 2, 1}, [3]int64{-5, 1, 1}), -time.Hour, 0, 1},
		{"15 minutes are near enough", reads(total, [3]int64{15, 2, 1}), -time.Hour, 0, 2},
		{"16 minutes are not", reads(total, [3]int64{-16, 2, 1}, [3]int64{16, 2, 1}), -time.Hour, 0, -1},
		{"a suspect one counts for nothing", reads(total, [3]int64{0, 9, 0}, [3]int64{10, 2, 1}), -time.Hour, 0, 2},
		{"the meter before it", reads(total, [3]int64{-3, 9, 1}, [3]int64{7, 2, 1}), -2 * time.Minute, 0, 2},
		{"the meter after it", reads(total, [3]int64{2, 9, 1}, [3]int64{-7, 2, 1}), -time.Hour, 2 * time.Minute, 2},
		{"standard volume goes before", append(reads(total, [3]int64{0, 9, 1}), reads(standard, [3]int64{9, 2, 1})...), -time.Hour, 0, 2},
		{"no switch while it is not good", append(reads(total, [3]int64{0, 9, 1}), reads(standard, [3]int64{1, 2, 0})...), -time.Hour, 0, -1},
		{"never the working volume", reads("gas.volume.working", [3]int64{0, 9, 1}), -time.Hour, 0, -1},
		{"a negative register is none", reads(total, [3]int64{0, -9, 1}), -time.Hour, 0, -1},
	}
	for _, tt := range tests {
		l := lacking{meter: "P-1", moment: millis(at(start, 12)), from: millis(at(start, 12).Add(tt.from))}
		if tt.to != 0 {
			l.to = millis(at(start, 12).Add(tt.to))
		}
		near := make(readings)
		for i := range tt.all {
			near.add(&tt.all[i])
		}
		got, ok := near.use(&l, windowOf(&l, 15*time.Minute), useQuantities(schemas.Gas))
		if !ok {
			got = -1
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestPickRates(t *testing.T) {
	const t1, t2 = schemas.Quantity("power.energy.import.t1"), schemas.Quantity("power.energy.import.t2")
	tests := []struct {
		name   string
		t1, t2 []schemas.Reading
		want   []int64
	}{
		{"one round", reads(t1, [3]int64{3, 10, 1}, [3]int64{-2, 8, 1}), reads(t2, [3]int64{3, 20, 1}, [3]int64{-2, 18, 1}), []int64{8, 18}},
		{"an incomplete round is passed over", reads(t1, [3]int64{-2, 8, 1}, [3]int64{5, 10, 1}), reads(t2, [3]int64{-2, 18, 0}, [3]int64{5, 20, 1}), []int64{10, 20}},
		{"a minute apart is one round", reads(t1, [3]int64{-2, 8, 1}), reads(t2, [3]int64{-1, 18, 1}), []int64{8, 18}},
		{"two minutes are not", reads(t1, [3]int64{-2, 8, 1}), reads(t2, [3]int64{0, 18, 1}), nil},
		{"the second rate is missing", reads(t1, [3]int64{-2, 8, 1}), nil, nil},
	}
	for _, tt := range tests {
		l := lacking{meter: "P-1", moment: millis(at(start, 12))}
		near := make(readings)
		for _, list := range [][]schemas.Reading{tt.t1, tt.t2} {
			for i := range list {
				near.add(&list[i])
			}
		}
		got, ok := near.rates(&l, windowOf(&l, 15*time.Minute), rateQuantities(schemas.Power, 2))
		if ok != (tt.want != nil) || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if rateQuantities(schemas.Water, 2) != nil || rateQuantities(schemas.Power, 5) != nil {
		t.Error("rates that no meter has a counter for")
	}
	near := readings{}
	if _, ok := near.rates(&lacking{}, window{}, nil); ok {
		t.Error("registers of no rate were found")
	}
}
