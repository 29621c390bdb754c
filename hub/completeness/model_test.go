package completeness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"citygrid/schemas"
)

// slotID names one slot of the model.
type slotID struct {
	source
	begin int64
}

// model is the oracle: sets of slots, kept in the plainest way.
type model struct {
	schedules                 map[source]schemas.Schedule
	planned                   map[slotID]bool
	read, refilled, lateAtAll map[slotID]bool
	loss                      map[slotID]int
	// store is what a store would have.
	store map[source]map[time.Time]schemas.Origin
	// upTo is the end of what was told, and hours when anything was told of a meter.
	upTo  map[source]time.Time
	hours map[source]map[time.Time]bool
}

func newModel() *model {
	return &model{map[source]schemas.Schedule{}, map[slotID]bool{}, map[slotID]bool{}, map[slotID]bool{}, map[slotID]bool{}, map[slotID]int{}, map[source]map[time.Time]schemas.Origin{},
		map[source]time.Time{}, map[source]map[time.Time]bool{}}
}

// begin is where the slot of a moment begins, by counting on from the epoch.
func begin(s schemas.Schedule, at time.Time) int64 {
	n := at.UnixMilli() - s.Offset.Milliseconds()
	return n - n%s.Interval.Milliseconds() + s.Offset.Milliseconds()
}

func (m *model) stored(from source, origin schemas.Origin, at time.Time) {
	if m.store[from] == nil {
		m.store[from] = map[time.Time]schemas.Origin{}
	}
	m.store[from][at] = origin
	id := slotID{from, begin(m.schedules[from], at)}
	if origin == schemas.Live {
		m.read[id] = true
	} else {
		m.refilled[id] = true
	}
}

func (m *model) told(from source, a *schemas.SlotAccount) {
	at := func(n uint32) slotID { return slotID{from, a.Schedule().Begin(a.Hour, n).UnixMilli()} }
	m.presume(from, a)
	for n := a.First; n < a.First+a.Planned; n++ {
		m.planned[at(n)] = true
	}
	for _, s := range a.Missing {
		for n := s.From; n < s.From+s.Slots; n++ {
			m.loss[at(n)] = max(m.loss[at(n)], 1+slices.Index(schemas.Losses(), s.Loss))
		}
	}
}

// presume plans what lies between what was told and an account; where the collector told
// of other meters for long, only the hours in which it told of none, and those beside them.
func (m *model) presume(from source, a *schemas.SlotAccount) {
	since, until := m.upTo[from], a.Schedule().Begin(a.Hour, a.First)
	told := func(hour time.Time) bool {
		if hour.Before(since.Truncate(time.Hour)) || !hour.Before(until.Truncate(time.Hour)) {
			return true
		}
		for other, hours := range m.hours {
			if other.collector == from.collector && other.meter != from.meter && hours[hour] {
				return true
			}
		}
		return false
	}
	for at := since; !since.IsZero() && at.Before(until); at = at.Add(a.Interval) {
		hour := at.Truncate(time.Hour)
		if until.Sub(since) <= a.Interval+210*time.Minute || !told(hour.Add(-time.Hour)) || !told(hour) || !told(hour.Add(time.Hour)) {
			m.planned[slotID{from, at.UnixMilli()}] = true
		}
	}
	m.upTo[from] = later(since, toldBy(a))
	if m.hours[from] == nil {
		m.hours[from] = map[time.Time]bool{}
	}
	m.hours[from][a.Hour] = true
}

// counts counts as Counts means it.
func (m *model) counts() (c Counts) {
	c.Lost = map[Reason]int64{}
	for id := range m.planned {
		c.Expected++
		switch {
		case m.read[id]:
			c.Received++
		case m.refilled[id]:
			c.Refilled++
		case m.loss[id] > 0:
			c.Lost[Reason(schemas.Losses()[m.loss[id]-1])]++
		default:
			c.Unknown++
		}
	}
	return c
}

// world is a ledger that is killed and opened again, beside its model.
type world struct {
	t   testing.TB
	dsn string
	now time.Time
	m   *model
	l   *Ledger
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, dsn string) *world {
	w := &world{t: t, dsn: dsn, now: noon, m: newModel()}
	w.open()
	t.Cleanup(func() { _ = w.l.Close() })
	return w
}

func (w *world) open() {
	w.t.Helper()
	l, err := Open(w.t.Context(), w.dsn, Options{Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler), Store: w.moments,
		Area: func(id schemas.CollectorID) schemas.AreaCode { return "31011" + schemas.AreaCode(id[1:]) }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.l = l
	w.must(l.began(w.t.Context()))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// kill takes the memory of the ledger away.
func (w *world) kill() {
	w.must(w.l.Close())
	w.open()
}

func (w *world) moments(_ context.Context, meters []schemas.MeterID, from, to time.Time, each func(schemas.MeterID, schemas.Origin, time.Time)) error {
	for of, moments := range w.m.store {
		for at, origin := range moments {
			if slices.Contains(meters, of.meter) && !at.Before(from) && at.Before(to) {
				each(of.meter, origin, at)
			}
		}
	}
	return nil
}

// settle lets the ledger do what Run does, an hour later.
func (w *world) settle() {
	w.t.Helper()
	w.must(w.l.flush(w.t.Context(), func(rowKey) bool { return true }))
	w.must(w.l.CheckDue(w.t.Context(), w.now.Add(2*time.Hour)))
}

func total(t testing.TB, l *Ledger) (c Counts) {
	t.Helper()
	err := l.rows(t.Context(), "1 = 1", nil, func(_ rowKey, d day) error {
		for _, r := range d {
			n := r.count(wholeHour)
			for _, v := range []int64{n.Expected, n.Received, n.Late, n.Refilled, n.Unknown, n.TotalLost()} {
				if v < 0 {
					return fmt.Errorf("below zero: %+v", n)
				}
			}
			if n.Expected != n.Received+n.Refilled+n.Unknown+n.TotalLost() || n.Late > n.Received {
				return fmt.Errorf("does not add up: %+v", n)
			}
			c.Add(&n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check holds the ledger against the model.
func (w *world) check(what string) {
	w.t.Helper()
	got, want := total(w.t, w.l), w.m.counts()
	if got.Lost == nil {
		got.Lost = map[Reason]int64{}
	}
	late := got.Late
	got.Late = 0
	if fmt.Sprint(got) != fmt.Sprint(want) || late > got.Received {
		w.t.Fatalf("%s: the ledger has %+v (late %d), the model %+v", what, got, late, want)
	}
}

// reading is a live reading of a meter, or one of its memory.
func reading(meter schemas.MeterID, origin schemas.Origin, at time.Time) schemas.Reading {
	return schemas.Reading{Meter: meter, Quantity: "water.volume.forward", Unit: "m3", Value: schemas.Decimal{Mantissa: 1}, TakenAt: at, Origin: origin}
}

// happening is something that reaches the hub.
type happening struct {
	from     source
	readings []schemas.Reading
	accounts []schemas.SlotAccount
}

func (w *world) do(h happening) {
	w.t.Helper()
	for _, r := range h.readings {
		w.m.stored(source{r.Meter, h.from.collector}, r.Origin, r.TakenAt)
	}
	if len(h.readings) > 0 {
		w.l.Stored(h.from.collector, h.readings, w.now)
	}
	if len(h.accounts) > 0 {
		for i := range h.accounts {
			w.m.told(source{h.accounts[i].Meter, h.from.collector}, &h.accounts[i])
		}
		w.must(w.l.StoreAccounts(w.t.Context(), h.from.collector, h.accounts))
	}
}

// day of one meter: what its collector would send.
func (w *world) story(rng *rand.Rand, from source, hours int) (list []happening) {
	intervals := []time.Duration{time.Minute, 15 * time.Minute, 10 * time.Second, 7 * time.Minute, 2 * time.Hour}
	s := schemas.Schedule{Interval: intervals[rng.IntN(len(intervals))]}
	s.Offset = time.Duration(rng.Int64N(s.Interval.Milliseconds())) * time.Millisecond
	w.m.schedules[from] = s
	start := noon.Add(-time.Duration(hours) * time.Hour)
	for h := range hours {
		hour := start.Add(time.Duration(h) * time.Hour)
		list = append(list, w.hour(rng, from, s, hour)...)
	}
	return list
}

func (w *world) hour(rng *rand.Rand, from source, s schemas.Schedule, hour time.Time) (list []happening) {
	slots := s.Slots(hour)
	if slots == 0 {
		return nil
	}
	a := schemas.SlotAccount{Meter: from.meter, Hour: hour, Interval: s.Interval, Offset: s.Offset, Planned: slots}
	if rng.IntN(10) == 0 {
		a.First = rng.Uint32N(slots)
		a.Planned = slots - a.First
	}
	var dropped []schemas.SlotAccount
	losses := schemas.Losses()
	for n := a.First; n < slots; {
		run := min(slots-n, 1+rng.Uint32N(12))
		fate := rng.IntN(10)
		loss := losses[rng.IntN(len(losses))]
		for i := n; i < n+run; i++ {
			at := s.Begin(hour, i).Add(time.Duration(rng.Int64N(s.Interval.Milliseconds())) * time.Millisecond)
			if fate < 6 || fate == 8 { // read; 7 was read and destroyed, 6 and 9 were not
				list = append(list, happening{from, []schemas.Reading{reading(from.meter, schemas.Live, at)}, nil})
			}
			if fate == 9 {
				list = append(list, happening{from, []schemas.Reading{reading(from.meter, schemas.LoadRecord, at)}, nil})
			}
		}
		if fate == 6 && rng.IntN(2) == 0 { // told once more with another reason, as after a kill
			dropped = append(dropped, schemas.SlotAccount{Meter: from.meter, Hour: hour, Interval: s.Interval, Offset: s.Offset, First: n, Planned: run,
				Missing: []schemas.SlotSpan{{From: n, Slots: run, Loss: losses[rng.IntN(len(losses))]}}})
		}
		switch {
		case fate == 6 || fate == 9:
			if len(a.Missing) > 0 && len(a.Missing) < schemas.MaxSpans {
				if last := a.Missing[len(a.Missing)-1]; last.Loss == loss && last.From+last.Slots == n {
					a.Missing = a.Missing[:len(a.Missing)-1]
					a.Missing = append(a.Missing, schemas.SlotSpan{From: last.From, Slots: last.Slots + run, Loss: loss})
					break
				}
			}
			if len(a.Missing) < schemas.MaxSpans {
				a.Missing = append(a.Missing, schemas.SlotSpan{From: n, Slots: run, Loss: loss})
			}
		case fate == 8: // stored, and the collector, which had no receipt, says that it dropped it
			dropped = append(dropped, schemas.SlotAccount{Meter: from.meter, Hour: hour, Interval: s.Interval, Offset: s.Offset, First: n, Planned: run,
				Missing: []schemas.SlotSpan{{From: n, Slots: run, Loss: schemas.LossFull}}})
		}
		n += run
	}
	list = append(list, happening{from, nil, []schemas.SlotAccount{a}})
	for _, d := range dropped {
		list = append(list, happening{from, nil, []schemas.SlotAccount{d}})
	}
	return list
}

// Whatever the order and the number of tellings, and however often the hub is killed, the
// ledger has what the model has, and everything adds up at every moment.
func TestLedgerAgainstAModel(t *testing.T) {
	seeds := 4
	if testing.Short() {
		seeds = 3
	}
	for seed := range uint64(seeds) {
		engines(t, func(t *testing.T, dsn string) {
			rng := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t, dsn)
			var list []happening
			for c := range 2 {
				for m := range 3 {
					from := source{schemas.MeterID(fmt.Sprintf("m%d%d", c, m)), schemas.CollectorID(fmt.Sprintf("c%d", c))}
					list = append(list, w.story(rng, from, 16)...)
				}
			}
			rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			for i, h := range list {
				w.do(h)
				if rng.IntN(4) == 0 { // again, something of before
					w.do(list[rng.IntN(i+1)])
				}
				switch rng.IntN(len(list) / 6) {
				case 0:
					w.settle()
					w.check(fmt.Sprintf("after %d of %d", i+1, len(list)))
				case 1:
					w.kill()
					total(t, w.l)
				}
			}
			w.settle()
			w.check("at the end")
			w.pages()
		})
	}
}

// pages reads all gaps in small pages and holds their sum against the whole.
func (w *world) pages() {
	w.t.Helper()
	q := Query{Since: noon.Add(-48 * time.Hour), Until: noon.Add(time.Hour), Limit: 7}
	var sum int64
	seen := map[string]bool{}
	for {
		p, err := w.l.Gaps(w.t.Context(), q)
		w.must(err)
		for _, g := range p.Gaps {
			if g.Meter == "" {
				continue
			}
			key := fmt.Sprint(g.Collector, g.Meter, g.From)
			if seen[key] || !g.From.Before(g.To) || g.Missing() <= 0 {
				w.t.Fatalf("gap %+v comes twice, or is none", g)
			}
			seen[key] = true
			sum += g.Missing()
		}
		if q.After = p.Cursor; q.After == "" {
			break
		}
	}
	want := w.m.counts()
	if sum != want.Missing() {
		w.t.Errorf("the gaps have %d slots in all, want %d", sum, want.Missing())
	}
}

// A store that was restored from an older copy: what it lacks is lost, collectors are
// asked for it once, and it closes when it comes again.
func TestRestoredStore(t *testing.T) { engines(t, restoredStore) }

func restoredStore(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	from := source{"m1", "c1"}
	s := schemas.Schedule{Interval: 15 * time.Minute}
	w.m.schedules[from] = s
	hour := noon.Add(-3 * time.Hour)
	var rs []schemas.Reading
	for n := range uint32(4) {
		rs = append(rs, reading("m1", schemas.Live, s.Begin(hour, n).Add(time.Second)))
	}
	w.do(happening{from, nil, []schemas.SlotAccount{{Meter: "m1", Hour: hour, Interval: s.Interval, Planned: 4}}})
	w.do(happening{from, rs, nil})
	w.settle()
	if c := total(t, w.l); c.Received != 4 {
		t.Fatalf("%+v, want 4 received", c)
	}
	delete(w.m.store[from], rs[1].TakenAt)
	delete(w.m.store[from], rs[2].TakenAt)
	w.must(w.l.AskRecount(t.Context(), hour.Add(-time.Hour), noon))
	w.must(w.l.recountAsked(t.Context(), w.now))
	if c := total(t, w.l); c.Received != 2 || c.Lost[StoreLost] != 2 {
		t.Fatalf("after the restore %+v, want 2 received and 2 lost", c)
	}
	var asked []schemas.Refill
	w.l.o.Refill = func(_ context.Context, id schemas.CollectorID, list []schemas.Refill) error {
		asked = append(asked, list...)
		return nil
	}
	for range 2 {
		w.must(w.l.askRefills(t.Context(), w.now))
	}
	if want := []schemas.Refill{{Meter: "m1", From: hour, To: hour.Add(75 * time.Minute)}}; !slices.Equal(asked, want) {
		t.Fatalf("asked for %v, want %v once", asked, want)
	}
	p, err := w.l.Gaps(t.Context(), Query{Since: hour, Until: noon, Reason: StoreLost})
	w.must(err)
	if len(p.Gaps) != 1 || !p.Gaps[0].Asked || !p.Gaps[0].From.Equal(s.Begin(hour, 1)) || !p.Gaps[0].To.Equal(s.Begin(hour, 3)) {
		t.Fatalf("gaps %+v, want one of the two slots in the middle, asked for", p.Gaps)
	}
	w.do(happening{from, []schemas.Reading{reading("m1", schemas.LoadRecord, s.Begin(hour, 1)), reading("m1", schemas.LoadRecord, s.Begin(hour, 2))}, nil})
	w.settle()
	if c := total(t, w.l); c.Refilled != 2 || c.Missing() != 0 {
		t.Errorf("after the refill %+v, want no gap", c)
	}
}

// Readings of 90 days ago close the gap of that day and count as late.
func TestLateByNinetyDays(t *testing.T) { engines(t, lateByNinetyDays) }

func lateByNinetyDays(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	from := source{"m1", "c1"}
	s := schemas.Schedule{Interval: time.Minute}
	w.m.schedules[from] = s
	hour := noon.Add(-90 * 24 * time.Hour)
	w.do(happening{from, nil, []schemas.SlotAccount{{Meter: "m1", Hour: hour, Interval: s.Interval, Planned: 60}}})
	w.settle()
	q := Query{Since: hour.Add(-time.Hour), Until: hour.Add(2 * time.Hour)}
	p, err := w.l.Gaps(t.Context(), q)
	w.must(err)
	if i := slices.IndexFunc(p.Gaps, func(g Gap) bool { return g.Meter == "m1" }); i < 0 || p.Gaps[i].Unknown != 60 || p.Gaps[i].Reason != Unknown {
		t.Fatalf("gaps %+v, want one of 60 slots of which nothing is known", p.Gaps)
	}
	var rs []schemas.Reading
	for n := range uint32(60) {
		rs = append(rs, reading("m1", schemas.Live, s.Begin(hour, n).Add(30*time.Second)))
	}
	w.do(happening{from, rs, nil})
	w.must(w.l.Flush(t.Context(), w.now))
	if c := total(t, w.l); c.Received != 60 || c.Late != 60 || c.Missing() != 0 {
		t.Errorf("%+v, want 60 received, all late", c)
	}
}

// A collector that falls silent is a gap from its last account on, and one that never
// tells of its slots is listed without an expectation.
func TestSilentAndOldCollectors(t *testing.T) { engines(t, silentAndOldCollectors) }

func silentAndOldCollectors(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	told := happening{source{"m1", "c1"}, nil, []schemas.SlotAccount{{Meter: "m1", Hour: noon.Add(-time.Hour), Interval: time.Minute, Planned: 60}}}
	w.m.schedules[told.from] = schemas.Schedule{Interval: time.Minute}
	w.do(told)
	w.l.Stored("c2", []schemas.Reading{reading("old", schemas.Live, noon)}, noon)
	q := Query{Since: noon.Add(-24 * time.Hour), Until: noon.Add(30 * time.Minute)}
	w.now = noon.Add(10 * time.Minute)
	if p, err := w.l.Gaps(t.Context(), q); err != nil || slices.ContainsFunc(p.Gaps, func(g Gap) bool { return g.Reason == NoWord }) {
		t.Fatalf("ten minutes after its last word: %+v, %v", p.Gaps, err)
	}
	w.now = noon.Add(20 * time.Minute)
	p, err := w.l.Gaps(t.Context(), q)
	w.must(err)
	if g := p.Gaps[0]; g.Reason != NoWord || g.Collector != "c1" || !g.From.Equal(noon) || g.Unknown != 20 || g.Expected != 20 {
		t.Errorf("silent since %+v, want no word of 20 slots since noon", g)
	}
	w.must(w.l.countGauges(t.Context(), w.now))
	if g := w.l.Gauges(); g.Silent != 2 || g.Slots[NoWord] != 20 || g.Slots[Unknown] != 60 {
		t.Errorf("gauges %+v", g)
	}
	list, err := w.l.Completeness(t.Context(), q)
	w.must(err)
	if len(list) != 2 || list[0].Expected != 80 || list[0].Unknown != 80 || !list[1].Told.IsZero() || list[1].Expected != 0 || !list[1].Silent {
		t.Errorf("completeness %+v", list)
	}
	q.Area = "310112"
	if list, err = w.l.Completeness(t.Context(), q); err != nil || len(list) != 1 || list[0].ID != "c2" {
		t.Errorf("of area %s: %+v, %v", q.Area, list, err)
	}
	q.After = "nonsense"
	if _, err := w.l.Gaps(t.Context(), q); !errors.Is(err, ErrCursor) {
		t.Errorf("error %v, want ErrCursor", err)
	}
}
