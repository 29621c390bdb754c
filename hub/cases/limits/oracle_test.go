package limits

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"

	"citygrid/hub/cases"
)

// oracle answers by looking at every minute, with nothing of the index.
type oracle struct {
	zone    *time.Location
	week    [7][]Shift
	special map[string][]Shift
}

// shiftAt returns the date, as a moment of it, on which the shift begins that the
// minute is in: its own date before the day before.
func (o *oracle) shiftAt(t time.Time) (day time.Time, ok bool) {
	local := t.In(o.zone)
	for back := range 2 {
		y, m, d := local.Date()
		noon := time.Date(y, m, d-back, 12, 0, 0, 0, o.zone)
		for _, s := range o.of(noon) {
			if !t.Before(o.wall(noon, s.From)) && t.Before(o.wall(noon, s.To)) {
				return noon, true
			}
		}
	}
	return time.Date(local.Year(), local.Month(), local.Day(), 12, 0, 0, 0, o.zone), false
}

func (o *oracle) of(noon time.Time) []Shift {
	if list, ok := o.special[noon.Format(time.DateOnly)]; ok {
		return list
	}
	return o.week[noon.Weekday()]
}

func (o *oracle) wall(noon time.Time, minutes int) time.Time {
	y, m, d := noon.Date()
	return time.Date(y, m, d, 0, minutes, 0, 0, o.zone)
}

// endOf returns when the last shift of a date ends.
func (o *oracle) endOf(noon time.Time) time.Time {
	list := o.of(noon)
	return o.wall(noon, list[len(list)-1].To)
}

// daysAfter returns the end of the n-th working day after the one of t.
func (o *oracle) daysAfter(t time.Time, n int) time.Time {
	day, _ := o.shiftAt(t)
	for {
		day = day.AddDate(0, 0, 1)
		if len(o.of(day)) > 0 {
			if n--; n == 0 {
				return o.endOf(day)
			}
		}
	}
}

// counts reports whether the minute that begins at t counts for a unit.
func (o *oracle) counts(t time.Time, u cases.Unit) bool {
	_, in := o.shiftAt(t)
	return u == cases.UrgentHour || in
}

// minutes counts the minutes of [from, to) that count.
func (o *oracle) minutes(from, to time.Time, u cases.Unit) (n int) {
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		if o.counts(t, u) {
			n++
		}
	}
	return n
}

// after returns the end of the n-th minute that counts from t on.
func (o *oracle) after(t time.Time, n int, u cases.Unit) time.Time {
	for ; n > 0; t = t.Add(time.Minute) {
		if o.counts(t, u) {
			n--
		}
	}
	return t
}

func randomCalendar(t *testing.T, rng *rand.Rand) (*oracle, *Calendar) {
	t.Helper()
	names := []string{"Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC"}
	zone, err := time.LoadLocation(names[rng.IntN(len(names))])
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{zone: zone, special: map[string][]Shift{}}
	for n := range o.week {
		if rng.IntN(3) > 0 || n == 3 {
			o.week[n] = randomShifts(rng)
		}
	}
	special := map[Day][]Shift{}
	for range 12 {
		d := DayOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) + Day(rng.IntN(60))
		special[d] = nil
		if rng.IntN(2) == 0 {
			special[d] = randomShifts(rng)
		}
		o.special[d.String()] = special[d]
	}
	c, err := NewCalendar(zone, o.week, special)
	if err != nil {
		t.Fatal(err)
	}
	return o, c
}

// randomShifts may pass midnight, touch, and overlap those of the next day.
func randomShifts(rng *rand.Rand) (list []Shift) {
	at := rng.IntN(10 * 60)
	for range 1 + rng.IntN(3) {
		s := Shift{at, at + 1 + rng.IntN(6*60)}
		if s.From >= minutesOfDay {
			break
		}
		list = append(list, s)
		at = s.To + rng.IntN(2)*rng.IntN(5*60)
	}
	return list
}

// TestAgainstMinutes compares deadlines, elapsed time and whole cases with a count of
// minutes, over random calendars in four zones, over the days on which clocks change.
func TestAgainstMinutes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 42))
	for range 40 {
		o, c := randomCalendar(t, rng)
		for range 12 {
			compare(t, rng, o, c)
			if t.Failed() {
				t.Fatalf("calendar %+v", o)
			}
		}
	}
}

func compare(t *testing.T, rng *rand.Rand, o *oracle, c *Calendar) {
	t.Helper()
	start := time.Date(2026, 3, 5, 0, rng.IntN(30*24*60), 0, 0, time.UTC)
	l := cases.Limit{Amount: 1 + int64(rng.IntN(12)), Unit: cases.Units()[rng.IntN(3)]}
	want := o.daysAfter(start, int(l.Amount))
	if l.Unit != cases.WorkDay {
		want = o.after(start, int(l.Amount)*60, l.Unit)
	}
	if got, err := c.Deadline(start, l); err != nil || !got.Equal(want) {
		t.Errorf("%v from %s: %s, %v; want %s", l, start, got, err, want)
	}
	to := start.Add(time.Duration(rng.IntN(10_000)) * time.Minute)
	if got, want := c.Elapsed([]Span{{start, to}}, l.Unit), time.Duration(o.minutes(start, to, l.Unit))*time.Minute; got != want {
		t.Errorf("elapsed %s to %s: %s, want %s", start, to, got, want)
	}
	b := &Book{Calendar: c, Starts: AtFiling, Rework: []Rework{Anew, Left}[rng.IntN(2)]}
	marks, now := randomMarks(rng, start)
	got, err := b.Handling(l, marks, now)
	if err != nil {
		t.Fatal(err)
	}
	w := &slow{o: o, l: l, anew: b.Rework == Anew}
	w.play(marks, now)
	if !got.Deadline.Equal(w.deadline) || got.Used != time.Duration(w.used)*time.Minute || got.Late != w.late || got.Total != time.Duration(w.total)*time.Minute {
		t.Errorf("%v %s, %v at %s: %+v; want deadline %s, used %d of %d, late %v", l, b.Rework, marks, now, got, w.deadline, w.used, w.total, w.late)
	}
}

// randomMarks are those of a case that was filed at start.
func randomMarks(rng *rand.Rand, start time.Time) (marks []cases.Mark, now time.Time) {
	at := start
	put := func(k cases.MarkKind, amount int64) {
		marks = append(marks, cases.Mark{Kind: k, At: at, Amount: amount})
		at = at.Add(time.Duration(rng.IntN(2500)) * time.Minute)
	}
	put(cases.MarkFiled, 0)
	for range rng.IntN(6) {
		switch rng.IntN(3) {
		case 0:
			put(cases.MarkSuspended, 0)
			if rng.IntN(8) == 0 {
				return marks, at
			}
			put(cases.MarkResumed, 0)
		case 1:
			put(cases.MarkExtended, 1+int64(rng.IntN(5)))
		case 2:
			put(cases.MarkFedBack, 0)
			if rng.IntN(4) == 0 {
				return marks, at
			}
			put(cases.MarkReworked, 0)
		}
	}
	return marks, at
}

// slow is the clock of a case, minute by minute.
type slow struct {
	o    *oracle
	l    cases.Limit
	anew bool

	used, total int
	ends        []time.Time // of each minute that counted
	deadline    time.Time
	late        bool
	pastLate    bool
	slackPut    int
}

func (w *slow) budget(t time.Time) int {
	if w.l.Unit == cases.WorkDay {
		return w.o.minutes(t, w.o.daysAfter(t, int(w.l.Amount)), w.l.Unit)
	}
	return int(w.l.Amount) * 60
}

// run lets the clock run over [from, to).
func (w *slow) run(from, to time.Time) {
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		if w.o.counts(t, w.l.Unit) {
			w.used++
			w.ends = append(w.ends, t.Add(time.Minute))
		}
	}
}

// end is when the total is used up if the clock goes on from t.
func (w *slow) end(t time.Time) time.Time {
	if w.used >= w.total {
		return w.ends[w.total-1]
	}
	return w.o.after(t, w.total-w.used, w.l.Unit)
}

// shown is end, for working days at the end of that day's last shift.
func (w *slow) shown(t time.Time) time.Time {
	e := w.end(t)
	if w.l.Unit != cases.WorkDay {
		return e
	}
	day, _ := w.o.dayOfEnd(e)
	return w.o.endOf(day)
}

// dayOfEnd is the day of the shift in which the minute before t lies that was worked.
// Where shifts of two days overlap, the earlier day's goes on first.
func (o *oracle) dayOfEnd(t time.Time) (time.Time, bool) {
	minute := t.Add(-time.Minute)
	local := minute.In(o.zone)
	y, m, d := local.Date()
	before := time.Date(y, m, d-1, 12, 0, 0, 0, o.zone)
	for _, s := range o.of(before) {
		if !minute.Before(o.wall(before, s.From)) && minute.Before(o.wall(before, s.To)) {
			return before, true
		}
	}
	return time.Date(y, m, d, 12, 0, 0, 0, o.zone), true
}

// slack is the working time from the exact end to the one shown.
func (w *slow) slack(t time.Time) int {
	w.slackPut = w.o.minutes(w.end(t), w.shown(t), w.l.Unit)
	return w.slackPut
}

func (w *slow) extend(m cases.Mark) {
	if w.l.Unit != cases.WorkDay {
		w.total += int(m.Amount) * 60
		return
	}
	old := w.end(m.At)
	w.total += w.o.minutes(old, w.o.daysAfter(old.Add(-time.Minute), int(m.Amount)), w.l.Unit)
}

func (w *slow) play(marks []cases.Mark, now time.Time) {
	running := false
	var since, last time.Time
	for _, m := range marks {
		if running {
			w.run(since, m.At)
			since = m.At
		}
		switch m.Kind {
		case cases.MarkFiled:
			running, since, w.total, w.used = true, m.At, w.budget(m.At), 0
		case cases.MarkSuspended:
			w.late = m.At.After(w.shown(m.At))
			running = false
		case cases.MarkResumed:
			running, since, w.late = true, m.At, false
		case cases.MarkExtended:
			w.extend(m)
		case cases.MarkFedBack:
			last = w.shown(m.At)
			w.pastLate = w.pastLate || m.At.After(last)
			running = false
			w.total += w.slack(m.At)
		case cases.MarkReworked:
			running, since, last = true, m.At, time.Time{}
			if w.anew {
				w.used, w.total, w.ends = 0, w.budget(m.At), nil
			} else {
				w.total -= w.slackPut
			}
		}
	}
	w.deadline = last
	if running {
		w.run(since, now)
		w.deadline = w.shown(now)
		w.late = now.After(w.deadline)
		w.total += w.slack(now)
	}
	w.late = w.late || w.pastLate
}
