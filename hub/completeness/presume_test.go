package completeness

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// sqlite is the address of an empty ledger.
func sqlite(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "completeness.db") }

// quarter tells of slots of a quarter of an hour each, from one moment to another, all
// read.
func quarter(m schemas.MeterID, from, to time.Time) (list []schemas.SlotAccount) {
	s := schemas.Schedule{Interval: 15 * time.Minute}
	for hour := from.Truncate(time.Hour); hour.Before(to); hour = hour.Add(time.Hour) {
		w := (&Query{Since: from, Until: to}).window(hour, s)
		list = append(list, schemas.SlotAccount{Meter: m, Hour: hour, Interval: s.Interval, First: w.from, Planned: w.end - w.from})
	}
	return list
}

// tell has c1 tell of slots, and send their readings or not; all is counted then.
func (w *world) tell(accounts []schemas.SlotAccount, readings bool) {
	w.t.Helper()
	for _, a := range accounts {
		if w.must(w.l.StoreAccounts(w.t.Context(), "c1", []schemas.SlotAccount{a})); !readings {
			continue
		}
		for n := a.First; n < a.First+a.Planned; n++ {
			at, from := a.Schedule().Begin(a.Hour, n), source{a.Meter, "c1"}
			if w.m.store[from] == nil {
				w.m.store[from] = map[time.Time]schemas.Origin{}
			}
			w.m.store[from][at] = schemas.Live
			w.l.Stored("c1", []schemas.Reading{reading(a.Meter, schemas.Live, at)}, w.now)
		}
	}
	w.settle()
}

// gaps are the gaps of c1 in the days before w.now.
func (w *world) gaps() []Gap {
	w.t.Helper()
	p, err := w.l.Gaps(w.t.Context(), Query{Since: w.now.AddDate(0, 0, -20), Until: w.now, Collector: "c1"})
	w.must(err)
	return p.Gaps
}

// A box that was dead for three days, and a new one in its place without the files of the
// old: the days between are unknown, also when it speaks again. What the old one sends
// after all takes their place.
func TestNewBoxAfterSilence(t *testing.T) { engines(t, newBoxAfterSilence) }

func newBoxAfterSilence(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	start := noon.AddDate(0, 0, -3)
	for _, m := range []schemas.MeterID{"m1", "m2"} {
		w.tell(quarter(m, start.Add(-time.Hour), start), true)
	}
	again := noon.Add(-30 * time.Minute)
	for _, m := range []schemas.MeterID{"m1", "m2"} {
		w.tell(quarter(m, again, noon), true)
	}
	w.kill()
	list := w.gaps()
	if len(list) != 2 {
		t.Fatalf("gaps %+v, want one of each meter", list)
	}
	for _, g := range list {
		if g.Reason != Unknown || !g.From.Equal(start) || !g.To.Equal(again) || g.Unknown != 72*4-2 {
			t.Errorf("gap %+v, want %d unknown slots from %s to %s", g, 72*4-2, start, again)
		}
	}
	w.tell(quarter("m1", start, again), true)
	if list := w.gaps(); len(list) != 1 || list[0].Meter != "m2" {
		t.Errorf("gaps %+v after m1 was told, want the one of m2", list)
	}
}

// Readings whose accounts were lost are counted from the store, also when the hub was
// killed in between.
func TestLostAccounts(t *testing.T) {
	w := newWorld(t, sqlite(t))
	start := noon.Add(-10 * time.Hour)
	from := source{"m1", "c1"}
	w.m.schedules[from] = schemas.Schedule{Interval: 15 * time.Minute}
	w.tell(quarter("m1", start.Add(-time.Hour), start), true)
	for at := start; at.Before(noon); at = at.Add(15 * time.Minute) {
		w.do(happening{from, []schemas.Reading{reading("m1", schemas.Live, at)}, nil})
	}
	w.kill()
	w.tell(quarter("m1", noon, noon.Add(time.Hour)), true)
	w.now = noon.Add(time.Minute)
	w.must(w.l.CheckDue(t.Context(), w.now))
	if c := total(t, w.l); c.Expected != 12*4 || c.Received != c.Expected {
		t.Errorf("%+v, want %d slots, all received", c, 12*4)
	}
}

// A meter that was not in the collector's configuration for two days is no gap in that
// time; that the collector is silent for an hour in it is one.
func TestMeterTakenOutAndPutBack(t *testing.T) {
	w := newWorld(t, sqlite(t))
	start := noon.AddDate(0, 0, -2).Add(20 * time.Minute)
	w.tell(quarter("out", start.Add(-2*time.Hour), start), true)
	w.tell(quarter("stays", start.Add(-2*time.Hour), noon.Add(time.Hour)), true)
	w.tell(quarter("out", noon.Add(20*time.Minute), noon.Add(time.Hour)), true)
	w.now = noon.Add(time.Hour)
	if list := w.gaps(); len(list) != 0 {
		t.Errorf("gaps %+v, want none", list)
	}
}

// Meters that were taken out for different times come back in one envelope.
func TestMetersPutBackTogether(t *testing.T) {
	w := newWorld(t, sqlite(t))
	var back []schemas.SlotAccount
	for m, days := range map[schemas.MeterID]int{"out1": 1, "out5": 5, "out3": 3} {
		left := noon.AddDate(0, 0, -days)
		w.tell(quarter(m, left.Add(-2*time.Hour), left), true)
		back = append(back, quarter(m, noon, noon.Add(time.Hour))...)
	}
	w.tell(quarter("stays", noon.AddDate(0, 0, -6), noon.Add(time.Hour)), true)
	w.now = noon.Add(time.Hour)
	w.must(w.l.StoreAccounts(t.Context(), "c1", back))
	w.now = noon
	if list := w.gaps(); len(list) != 0 {
		t.Errorf("gaps %+v, want none", list)
	}
}

// Where a lost envelope held the accounts of some meters, theirs are missed although
// others are told of in the same hours.
func TestLostEnvelope(t *testing.T) {
	w := newWorld(t, sqlite(t))
	start, end := noon.AddDate(0, 0, -2), noon.AddDate(0, 0, -1)
	w.tell(quarter("m1", start.Add(-time.Hour), start), true)
	w.tell(quarter("m2", start.Add(-time.Hour), start.Add(time.Hour)), true)
	w.tell(quarter("m2", end, end.Add(time.Hour)), true)
	w.tell(quarter("m1", end.Add(time.Hour), noon), true)
	w.tell(quarter("m2", end.Add(time.Hour), noon), true)
	if c := total(t, w.l); c.Unknown != (25+23)*4 {
		t.Errorf("%d slots unknown, want %d; gaps %+v", c.Unknown, (25+23)*4, w.gaps())
	}
}

// since has accounts say since when the collector keeps account of their meter.
func since(at time.Time, list []schemas.SlotAccount) []schemas.SlotAccount {
	for i := range list {
		list[i].Since = at
	}
	return list
}

// Where the first accounts of a meter never come, the hub learns from a later one what it
// missed: also of a meter that is put back after days, while the others are told of.
func TestFirstAccountsLost(t *testing.T) { engines(t, firstAccountsLost) }

func firstAccountsLost(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	start := noon.Add(-10 * time.Hour)
	w.tell(quarter("stays", start.Add(-50*time.Hour), noon), true)
	w.tell(quarter("back", start.Add(-50*time.Hour), start.Add(-40*time.Hour)), true)
	for _, m := range []schemas.MeterID{"new", "back"} {
		w.tell(since(start.Add(5*time.Minute), quarter(m, noon.Add(-time.Hour), noon)), true)
	}
	w.tell(quarter("short", start.Add(-2*time.Hour), start), true)
	w.tell(since(start.Add(time.Hour), quarter("short", noon.Add(-time.Hour), noon)), true)
	w.kill()
	list := w.gaps()
	if len(list) != 3 {
		t.Fatalf("gaps %+v, want one of each meter", list)
	}
	for _, g := range list {
		if g.Meter == "short" { // out for an hour: that may as well be two envelopes on their way
			if g.Unknown != 9*4 {
				t.Errorf("gap %+v, want %d unknown slots", g, 9*4)
			}
			continue
		}
		if g.Reason != Unknown || !g.From.Equal(start.Add(15*time.Minute)) || !g.To.Equal(noon.Add(-time.Hour)) || g.Unknown != 9*4-1 {
			t.Errorf("gap %+v, want %d unknown slots since %s", g, 9*4-1, start)
		}
	}
	for _, m := range []schemas.MeterID{"new", "back"} {
		w.tell(since(start.Add(5*time.Minute), quarter(m, start.Add(15*time.Minute), noon.Add(-time.Hour))), true)
	}
	if list := w.gaps(); len(list) != 1 || list[0].Meter != "short" {
		t.Errorf("gaps %+v after all, want the one of short", list)
	}
}

// Readings that came before anything was told of their meter are counted from the store.
func TestFirstAccountsLostReadingsNot(t *testing.T) {
	w := newWorld(t, sqlite(t))
	start, from := noon.Add(-10*time.Hour), source{"new", "c1"}
	w.m.schedules[from] = schemas.Schedule{Interval: 15 * time.Minute}
	for at := start; at.Before(noon.Add(-time.Hour)); at = at.Add(15 * time.Minute) {
		w.do(happening{from, []schemas.Reading{reading("new", schemas.Live, at)}, nil})
	}
	w.tell(since(start, quarter("new", noon.Add(-time.Hour), noon)), true)
	if c := total(t, w.l); c.Expected != 40 || c.Received != 40 {
		t.Errorf("%+v, want 40 slots, all received", c)
	}
}

// A collector with a wrong moment makes no more unknown than the ledger keeps, and nothing
// of time to come.
func TestSinceOutOfBounds(t *testing.T) {
	for _, tt := range []struct{ keep, want int64 }{{40, 31 * 96}, {20, 20*96 - 4}} { // days
		w := newWorld(t, sqlite(t))
		w.l.o.Keep = time.Duration(tt.keep) * 24 * time.Hour
		w.tell(since(noon.AddDate(-3, 0, 0), quarter("m1", noon.Add(-time.Hour), noon)), true)
		if c := total(t, w.l); c.Unknown != tt.want {
			t.Errorf("%d slots unknown of %d days that are kept, want %d", c.Unknown, tt.keep, tt.want)
		}
		ahead := noon.AddDate(0, 0, 3)
		w.tell(since(ahead, quarter("m2", ahead.Add(time.Hour), ahead.Add(2*time.Hour))), false)
		if c := total(t, w.l); c.Unknown != tt.want+4 { // the hour ahead is planned and not read
			t.Errorf("%d slots unknown after an account of days to come, want %d", c.Unknown, tt.want+4)
		}
	}
}

// A change of schedule of which the hub learns from behind leaves nothing presumed that
// was told under the schedule of before.
func TestPresumedUnderAnotherSchedule(t *testing.T) {
	w := newWorld(t, sqlite(t))
	start := noon.Add(-6 * time.Hour).Truncate(24 * time.Hour)
	minute := func(from, to time.Time) (list []schemas.SlotAccount) {
		for _, a := range quarter("m1", from, to) {
			a.Interval, a.Planned = time.Minute, 60
			list = append(list, a)
		}
		return list
	}
	w.tell(quarter("m1", start, start.Add(time.Hour)), true)
	w.tell(minute(start.Add(5*time.Hour), start.Add(6*time.Hour)), true) // the newest first
	if c := total(t, w.l); c.Unknown != 4*60 {
		t.Fatalf("%+v, want the %d slots of four hours unknown", c, 4*60)
	}
	w.tell(quarter("m1", start.Add(time.Hour), start.Add(3*time.Hour)), true)
	w.tell(minute(start.Add(3*time.Hour), start.Add(5*time.Hour)), true)
	if c := total(t, w.l); c.Expected != 3*4+3*60 || c.Received != c.Expected {
		t.Errorf("%+v, want %d slots, all received", c, 3*4+3*60)
	}
}

// Clocks that are not set, or set wrong, make no hours of which nobody has told.
func TestPresumedByClocks(t *testing.T) {
	w := newWorld(t, sqlite(t))
	at := func(hour time.Time) []schemas.SlotAccount { return quarter("m1", hour, hour.Add(time.Hour)) }
	w.tell(at(noon.AddDate(-5, 0, 0)), true)
	w.tell(at(noon.Add(-2*time.Hour)), true)
	w.tell(at(noon.AddDate(1, 0, 0)), true) // one hour of it is planned by now: that of the gap
	if c := total(t, w.l); c.Expected != 3*4+4 || c.Unknown != 4 {
		t.Errorf("%+v, want the hour before noon unknown and nothing else", c)
	}
	w.tell(at(noon.Add(-time.Hour)), true)
	if c := total(t, w.l); c.Unknown != 0 {
		t.Errorf("%+v, want nothing unknown", c)
	}
	w.now = noon.Add(5 * time.Hour)
	w.tell(at(noon.Add(4*time.Hour)), true)
	if list := w.gaps(); len(list) != 1 || list[0].Unknown != 16 || !list[0].From.Equal(noon) {
		t.Errorf("gaps %+v, want the four hours since noon", list)
	}
}

// The time that the ledger keeps bounds what is presumed.
func TestPresumedBound(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.l.o.Keep = 40 * 24 * time.Hour
	w.now = noon.AddDate(0, 0, -100)
	w.tell(quarter("m1", w.now.Add(-time.Hour), w.now), true)
	w.now = noon
	w.tell(quarter("m1", noon.Add(-time.Hour), noon), true)
	if c := total(t, w.l); c.Unknown != 40*96-4 {
		t.Errorf("%d slots unknown, want %d", c.Unknown, 40*96-4)
	}
	w.must(w.l.tidy(t.Context(), w.now))
	if !slices.ContainsFunc(w.gaps(), func(g Gap) bool { return g.Reason == Unknown }) {
		t.Error("no gap is left after the oldest days were dropped")
	}
}

// A meter's own accounts do not hide the hours in which the collector told of no other, and
// several others count like one.
func TestOwnAccountsAreNoOthers(t *testing.T) {
	told := make(tellers)
	h := &hole{source: source{"m1", "c1"}, Schedule: schemas.Schedule{Interval: 15 * time.Minute}, from: noon.Add(20 * time.Minute), to: noon.Add(9 * time.Hour)}
	first := noon.Unix() / 3600
	for n, meters := range [][]schemas.MeterID{{"m1"}, {"m2"}, {"m1", "m2"}, {"m2", "m1"}, {"m2", "m3"}, {"m2"}, {"m2", "m2"}, {}, {"m2"}} {
		for _, m := range meters {
			told.add(first+int64(n), m)
		}
	}
	var silent []int
	for n := range 9 {
		if told.silent(h, noon.Add(time.Duration(n)*time.Hour)) {
			silent = append(silent, n)
		}
	}
	if want := []int{0, 1, 6, 7, 8}; !slices.Equal(silent, want) {
		t.Errorf("presumed in hours %d, want %d", silent, want)
	}
	h.configured = true
	if !told.silent(h, noon.Add(3*time.Hour)) {
		t.Error("not presumed in an hour of which the collector says that it kept account of the meter")
	}
}

// A damaged row holds up no accounts of other meters in other envelopes, and those of its own name it.
func TestDamagedRow(t *testing.T) {
	w := newWorld(t, sqlite(t))
	start := noon.AddDate(0, 0, -3)
	for _, m := range []schemas.MeterID{"m1", "m2"} {
		w.tell(quarter(m, start.Add(-time.Hour), start), true)
	}
	w.tell(quarter("m2", start, start.Add(time.Hour)), true)
	_, err := w.l.db.Write.NewRaw("UPDATE completeness_days SET hours = 'x' WHERE meter = 'm2' AND day = ?", start.Unix()/86400).Exec(t.Context())
	w.must(err)
	w.must(w.l.StoreAccounts(t.Context(), "c1", quarter("m1", noon.Add(-time.Hour), noon)))
	err = w.l.StoreAccounts(t.Context(), "c1", quarter("m2", start.Add(time.Hour), start.Add(2*time.Hour)))
	if err == nil || !strings.Contains(err.Error(), "meter m2 of collector c1 on 2026-02-27") || !errors.Is(err, errDamaged) {
		t.Errorf("%v, want the damaged row named", err)
	}
}
