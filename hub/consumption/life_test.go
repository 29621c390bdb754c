package consumption

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"citygrid/schemas"
)

// life is the truth about one place over a time: every moment's consumption in
// primary units of 10^-5, and what the world saw of it.
type life struct {
	random        *rand.Rand
	used          []int64 // at step n, since the beginning
	readings      []schemas.Reading
	installations []schemas.Installation
}

func step(n int) time.Time { return hour(0).Add(time.Duration(n) * time.Minute) }

// Registers count in 10^-2, multipliers are whole numbers of 10^-3.
func primary(units int64) schemas.Decimal { return schemas.Decimal{Mantissa: units, Exponent: -5} }

// newLife lets meters live for some steps: they are swapped, their transformers
// changed, their registers reset and rolled over; readings are taken now and
// then, some wrong and doubted, some from the meter's own memory.
func newLife(seed uint64, steps int) *life {
	l := &life{random: rand.New(rand.NewPCG(seed, 1)), used: make([]int64, steps)}
	for n := 0; n < steps; {
		end := min(steps, n+3+l.random.IntN(steps/3+1))
		l.install(n, end, end == steps)
		n = end
	}
	return l
}

// install lets one installation stand from step n to the step end.
func (l *life) install(n, end int, stands bool) {
	width := []int64{1_000, 100_000, 1_000_000_000}[l.random.IntN(3)]
	register := l.random.Int64N(width)
	multiplier := []int64{1, 1000, 1500, 40_000}[l.random.IntN(4)]
	of := func(v int64) map[schemas.Quantity]schemas.Decimal {
		return map[schemas.Quantity]schemas.Decimal{energy: {Mantissa: v, Exponent: -2}}
	}
	i := schemas.Installation{Meter: meter, From: step(n), First: of(register), WrapsAt: of(width),
		Multiplier: schemas.Decimal{Mantissa: multiplier, Exponent: -3}}
	l.look(n, register, width)
	sinceSeen := int64(0)
	for n++; n <= end; n++ {
		// Half a turn is the most that may pass unseen.
		grown := l.random.Int64N(min(width/2-sinceSeen, 400) + 1)
		register = (register + grown) % width
		if sinceSeen += grown; n < len(l.used) {
			l.used[n] = l.used[n-1] + grown*multiplier
		}
		if n < end && (sinceSeen > width/4 || l.random.IntN(3) == 0) {
			sinceSeen = 0
			l.see(n, register)
		} else if n < end {
			l.look(n, register, width)
		}
	}
	if !stands {
		i.To, i.Last = step(end), of(register)
	}
	l.installations = append(l.installations, i)
}

func (l *life) add(n int, register int64, origin schemas.Origin, quality schemas.Quality) {
	r := schemas.Reading{Meter: meter, Quantity: energy, Unit: "kW.h", TakenAt: step(n), Origin: origin,
		Quality: quality, Value: schemas.Decimal{Mantissa: register, Exponent: -2}}
	if quality == schemas.Suspect {
		r.Reason = schemas.ReasonJump
	}
	l.readings = append(l.readings, r)
}

// see takes a good reading, and sometimes the meter's own record with it.
func (l *life) see(n int, register int64) {
	l.add(n, register, schemas.Live, schemas.Good)
	if l.random.IntN(4) == 0 {
		l.add(n, register, schemas.DailyFreeze, schemas.Good)
	}
}

// look is what happens without a good live reading: a doubted one of any value,
// or a record of the meter's own memory.
func (l *life) look(n int, register, width int64) {
	switch l.random.IntN(8) {
	case 0:
		l.add(n, l.random.Int64N(width), schemas.Live, schemas.Suspect)
	case 1:
		l.add(n, register, schemas.LoadRecord, schemas.Good)
	}
}

// nearest are the readings that a store is asked for: those between two steps and, of
// each origin, the last before and the first after.
func (l *life) nearest(from, to int) (list []schemas.Reading) {
	before, after := map[schemas.Origin]schemas.Reading{}, map[schemas.Origin]schemas.Reading{}
	for _, r := range l.readings {
		switch {
		case r.Quality != schemas.Good:
		case r.TakenAt.Before(step(from)):
			before[r.Origin] = r
		case !r.TakenAt.After(step(to)):
			list = append(list, r)
		default:
			if _, ok := after[r.Origin]; !ok {
				after[r.Origin] = r
			}
		}
	}
	list = slices.Concat(slices.Collect(maps.Values(before)), list, slices.Collect(maps.Values(after)))
	slices.SortStableFunc(list, func(a, b schemas.Reading) int {
		return cmp.Or(a.TakenAt.Compare(b.TakenAt), slices.Index(schemas.Origins(), a.Origin)-slices.Index(schemas.Origins(), b.Origin))
	})
	return list
}

// check holds what is made of all readings, and of those that a store is asked for,
// against the truth.
func (l *life) check(from, to int) error {
	if err := l.checkOf(l.readings, from, to); err != nil {
		return err
	}
	if err := l.checkOf(l.nearest(from, to), from, to); err != nil {
		return fmt.Errorf("of the nearest readings alone: %w", err)
	}
	return nil
}

func (l *life) checkOf(readings []schemas.Reading, from, to int) error {
	got, err := Of(meter, energy, readings, l.installations, step(from), step(to))
	if err != nil {
		return err
	}
	truth := primary(l.used[to] - l.used[from])
	if got.Least.Cmp(truth) > 0 || got.MostKnown && got.Most.Cmp(truth) < 0 {
		return fmt.Errorf("between %s and %s, the truth is %s", got.Least, got.Most, truth)
	}
	// The value is exact between the points that it names.
	first, last := got.Parts[0].Start.Before, got.Parts[len(got.Parts)-1].End.Before
	begin, end := int(first.At.Sub(hour(0))/time.Minute), int(last.At.Sub(hour(0))/time.Minute)
	if want := primary(l.used[end] - l.used[begin]); got.Value.Cmp(want) != 0 {
		return fmt.Errorf("value %s, the truth from step %d to %d is %s", got.Value, begin, end, want)
	}
	for _, p := range got.Problems {
		if p.Code != NothingNew {
			return fmt.Errorf("problem %+v", p)
		}
	}
	return nil
}

// TestLives holds the sum against the truth over random lives.
func TestLives(t *testing.T) {
	exact, rollovers := 0, 0
	for seed := range uint64(400) {
		const steps = 120
		l := newLife(seed, steps)
		for range 20 {
			from := l.random.IntN(steps - 1)
			to := from + 1 + l.random.IntN(steps-1-from)
			if err := l.check(from, to); err != nil {
				t.Fatalf("seed %d, step %d to %d: %v", seed, from, to, err)
			}
			got, _ := Of(meter, energy, l.readings, l.installations, step(from), step(to))
			if got.MostKnown && got.Least.Cmp(got.Most) == 0 {
				exact++
			}
			for _, p := range got.Parts {
				rollovers += p.Rollovers
			}
		}
	}
	// The lives are worth something only if they have what is to be tested.
	if exact < 100 || rollovers < 1000 {
		t.Errorf("%d exact results and %d rollovers in 8000", exact, rollovers)
	}
}

func BenchmarkOf(b *testing.B) {
	var readings []schemas.Reading
	for n := range 38_400 { // 400 days of quarters of an hour
		readings = append(readings, schemas.Reading{Meter: meter, Quantity: energy, Unit: "kW.h",
			TakenAt: hour(0).Add(time.Duration(n) * 15 * time.Minute), Value: schemas.Decimal{Mantissa: int64(n), Exponent: -2}})
	}
	for b.Loop() {
		if _, err := Of(meter, energy, readings, nil, hour(0), hour(24*400)); err != nil {
			b.Fatal(err)
		}
	}
}
