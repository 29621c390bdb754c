package verdict

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"citygrid/schemas"
)

// life is one random meter and the oracle that knows the truth about it. It
// counts in hundredths, as the register does, and shares no arithmetic with the
// package.
type life struct {
	t    *testing.T
	name string
	rnd  *rand.Rand
	// rate is the most in an hour, 0 unknown to the rules; width of the register,
	// 0 for none.
	rate, width int64
	rules       Rules
	v           *Validator

	now      time.Time
	register int64
	// lost: the register was reset or the meter exchanged, and no record says
	// so yet; from and first are what the record will say.
	lost  bool
	from  time.Time
	first int64
	known known
	saved []saved // states on disk, the newest last
	// rightInARow counts right values since the last wrong one, lostInARow those
	// of a lost register with no other wrong one between.
	rightInARow, lostInARow int
	// confirmed: the validator has seen enough to know that the register is
	// lost.
	confirmed bool
	log       []string
	counts    map[string]int
}

// known is what the oracle has seen the validator accept: the last good value,
// the one before it that nothing has spoken against, and the value that speaks
// against the last.
type known struct {
	last, before, against seen
}

type seen struct {
	value int64
	at    time.Time
	ok    bool
	wrong bool
}

type saved struct {
	state State
	known known
}

const trueRate = 1000 // hundredths an hour: 10 kW

func newLife(t *testing.T, seed uint64, counts map[string]int) *life {
	l := &life{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), now: start, counts: counts}
	l.register = 1e5 + l.rnd.Int64N(8e7)
	if l.rnd.IntN(3) > 0 {
		l.rate = trueRate
		l.rules.Limits = limits(energy, Limits{MaxPerHour: decp("10")})
	}
	if l.rnd.IntN(2) == 0 {
		l.width = 1e8
		l.rules.WrapsAt = widths(energy, "1000000")
		if l.rnd.IntN(2) == 0 {
			l.register = l.width - 5000
		}
	}
	if l.rnd.IntN(2) == 0 {
		l.record(start.Add(-time.Minute), l.register, false)
	}
	l.name = fmt.Sprintf("seed %d, rate %d, width %d, on record %t", seed, l.rate, l.width, len(l.rules.Installations) > 0)
	l.restart(State{})
	return l
}

// record is an operator who writes an installation down.
func (l *life) record(from time.Time, first int64, spoken bool) {
	list := append([]schemas.Installation(nil), l.rules.Installations...)
	if n := len(list); n > 0 {
		list[n-1].To = from
	}
	list = append(list, schemas.Installation{Meter: "m", From: from, Multiplier: dec("1"),
		First: map[schemas.Quantity]schemas.Decimal{energy: hundredths(first)}})
	if err := schemas.SortInstallations(list); err != nil {
		l.t.Fatal(err)
	}
	l.rules.Installations = list
	opened := seen{value: first, at: from.Add(-time.Hour), ok: true} // a person's clock may be an hour off
	l.known = known{last: opened, before: opened}
	if spoken {
		l.log = append(l.log, fmt.Sprintf("record from %s first %d", from.Format(time.TimeOnly), first))
	}
}

func hundredths(n int64) schemas.Decimal { return schemas.Decimal{Mantissa: n, Exponent: -2} }

func (l *life) restart(s State) { l.v = New(l.rules, roundTrip(l.t, s)) }

// pass lets time go by, and the register count.
func (l *life) pass(d time.Duration) {
	l.now = l.now.Add(d)
	if l.rnd.IntN(3) == 0 {
		return // nobody is at home
	}
	most := int64(float64(trueRate) * d.Hours())
	l.register += l.rnd.Int64N(most + 1)
	if l.width > 0 {
		l.register %= l.width
	}
}

// explains reports whether a good value explains another: the promise of the
// package, in the oracle's own words.
func (l *life) explains(base seen, value int64, at time.Time) bool {
	rise := value - base.value
	if rise < 0 {
		imitates := l.width > 0 && base.value >= l.width/10*9 && value <= l.width/10
		if !imitates {
			return false
		}
		rise += l.width
	}
	allowed := int64(float64(l.rate)*(at.Sub(base.at)+time.Minute).Hours()) + max(1, value>>23) + 1
	return l.rate == 0 || rise <= allowed
}

// read gives the validator one value and judges the verdict; it returns whether
// the value was good.
func (l *life) read(value int64, wrong bool) (good bool) {
	l.t.Helper()
	if wrong {
		l.rightInARow = 0
	} else {
		l.rightInARow++
	}
	r := []schemas.Reading{{Meter: "m", Quantity: energy, Unit: "kW.h", Value: hundredths(value), TakenAt: l.now}}
	l.v.Judge(r)
	good = r[0].Quality == schemas.Good
	l.log = append(l.log, fmt.Sprintf("%s %d wrong=%t %q", l.now.Format(time.DateTime), value, wrong, r[0].Reason))
	k := &l.known
	switch {
	case good && wrong && value == l.register && l.confirmed:
		l.fail("a value of a lost register is good")
	case good && wrong && !l.unknowable(value):
		l.fail("a wrong value is good")
	case !good && !wrong && !(k.last.wrong && l.rightInARow == 1):
		l.fail("a right value is suspect")
	}
	l.counts[fmt.Sprintf("good=%t wrong=%t", good, wrong)]++
	l.learn(seen{value, l.now, true, wrong}, good)
	l.saved = append(l.saved, saved{l.v.State(), *k})
	return good
}

// learn follows what is on record as good.
func (l *life) learn(now seen, good bool) {
	k := &l.known
	switch {
	case !good && !l.explains(k.last, now.value, now.at) && (!k.before.ok || l.explains(k.before, now.value, now.at)):
		k.against = now
	case !good:
	case k.last.ok && !l.explains(k.last, now.value, now.at): // two against one
		*k = known{last: now, before: k.against}
	case k.against.ok:
		*k = known{last: now, before: k.before}
	default:
		*k = known{last: now, before: k.last}
	}
}

// unknowable: the documented ways of a wrong value to be good.
func (l *life) unknowable(value int64) bool {
	k := l.known
	return !k.last.ok || l.explains(k.last, value, l.now) ||
		(!k.before.ok || l.explains(k.before, value, l.now)) // against an unconfirmed last one
}

func (l *life) fail(what string) {
	l.t.Helper()
	for _, line := range l.log[max(0, len(l.log)-12):] {
		l.t.Log(line)
	}
	l.t.Fatalf("%s: %s", l.name, what)
}

// step is one event of the meter's life.
func (l *life) step() {
	l.t.Helper()
	switch n := l.rnd.IntN(40); {
	case n == 0:
		l.pass(time.Duration(1+l.rnd.IntN(240)) * time.Hour)
	case n == 1: // a clean restart
		l.restart(l.v.State())
	case n == 2: // a crash: the state on disk is some Reads old
		if m := len(l.saved); m > 3 && !l.lost && l.rightInARow > 4 {
			s := l.saved[m-1-l.rnd.IntN(3)]
			l.known = s.known
			l.restart(s.state)
		}
	case n < 7:
		l.pass(quarter)
		l.read(l.glitch(), true)
		l.lostInARow = 0
	case n == 7 && l.settled() && l.rnd.IntN(3) == 0: // a reset or a swap that nobody has written down yet
		l.from, l.first, l.lost = l.now.Add(time.Minute), 0, true
		l.lostInARow, l.confirmed = 0, false
		if far := l.rnd.Int64N(9e7); l.rate > 0 && l.rnd.IntN(2) == 0 && max(far-l.register, l.register-far) > 1e6 {
			l.first = far // nearer, a gap of ten days would explain it
		}
		l.register = l.first
	case n == 8 && l.lost: // now they have
		if l.known.last.wrong {
			return // a wrong value that nothing could know is newer than the record
		}
		l.record(l.from, l.first, true)
		l.restart(l.v.State())
		l.lost, l.confirmed, l.rightInARow, l.saved = false, false, 0, nil
	case n == 9 && l.settled() && l.rnd.IntN(3) == 0: // a swap on record
		l.register = l.rnd.Int64N(9e7)
		l.record(l.now.Add(time.Minute), l.register, true)
		l.restart(l.v.State())
		l.saved = nil
	}
	l.pass(quarter)
	if doubted := !l.read(l.register, l.lost); doubted && l.lost {
		l.lostInARow++
		l.confirmed = l.confirmed || l.lostInARow > 1
	} else {
		l.lostInARow = 0
	}
}

// settled: the register is far from its rollover, and the last values were
// right, so that a reset is known as one.
func (l *life) settled() bool {
	k := l.known
	return !l.lost && l.rightInARow > 4 && !k.last.wrong && !k.before.wrong && k.before.value <= k.last.value &&
		l.register > 1e5 && (l.width == 0 || l.register < l.width/10*8)
}

// glitch is a wrong value: anything, zero, a flipped bit or digit.
func (l *life) glitch() int64 {
	for {
		var v int64
		switch l.rnd.IntN(4) {
		case 0:
			v = l.rnd.Int64N(1e8)
		case 1:
			v = 0
		case 2:
			v = l.register ^ 1<<l.rnd.IntN(27)
		case 3:
			v = l.register + l.rnd.Int64N(2000) - 1000
		}
		if v != l.register && v >= 0 && (l.width == 0 || v < l.width) {
			return v
		}
	}
}

// No wrong value is good unless no check could know it, and a right value is
// suspect only once after such a one.
func TestLives(t *testing.T) {
	lives := 1500
	if testing.Short() {
		lives = 150
	}
	counts := make(map[string]int)
	for seed := range lives {
		l := newLife(t, uint64(seed), counts)
		for range 300 {
			l.step()
		}
	}
	t.Log(counts)
	for _, k := range []string{"good=true wrong=false", "good=false wrong=true"} {
		if counts[k] < lives*30 {
			t.Errorf("%s: only %d of the readings", k, counts[k])
		}
	}
}
