package collector

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// tellings is what a hub makes of accounts: the planned slots, and the losses.
type tellings struct {
	planned map[schemas.MeterID]map[time.Time]bool
	lost    map[schemas.MeterID]map[time.Time]schemas.Loss
}

func newTellings() *tellings {
	return &tellings{map[schemas.MeterID]map[time.Time]bool{}, map[schemas.MeterID]map[time.Time]schemas.Loss{}}
}

func (h *tellings) take(t *testing.T, list []schemas.SlotAccount) {
	t.Helper()
	for i := range list {
		a := &list[i]
		if err := a.Validate(); err != nil {
			t.Fatalf("account %+v: %v", a, err)
		}
		if h.planned[a.Meter] == nil {
			h.planned[a.Meter], h.lost[a.Meter] = map[time.Time]bool{}, map[time.Time]schemas.Loss{}
		}
		for n := a.First; n < a.First+a.Planned; n++ {
			h.planned[a.Meter][a.Schedule().Begin(a.Hour, n)] = true
		}
		for _, s := range a.Missing {
			for n := s.From; n < s.From+s.Slots; n++ {
				at := a.Schedule().Begin(a.Hour, n)
				if old := h.lost[a.Meter][at]; old == "" || rankOf(s.Loss) > rankOf(old) {
					h.lost[a.Meter][at] = s.Loss
				}
			}
		}
	}
}

// clerk stands for the sealer: it makes durable whatever waits.
func (h *tellings) clerk(t *testing.T, ctx context.Context, e *enclosures) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
			for list := e.take(); len(list) > 0; list = e.take() {
				h.take(t, list)
				e.kept(len(list))
			}
		}
	}
}

// accounted runs a line with accounts in a file for some time; kill leaves it without a
// last word. It returns the readings.
func accounted(t *testing.T, h *tellings, path string, line Line, span time.Duration, kill bool) []schemas.Reading {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	accounts := openAccounts(path, []Line{line}, silent, time.Now())
	var loops []*lineLoop
	ended := make(chan struct{}, 2)
	b := runBench(line, span, func(l *lineLoop) {
		for _, m := range l.meters {
			m.slots = accounts.books[m.ID]
		}
		loops = append(loops, l)
		handed := func() uint64 { l.mu.Lock(); defer l.mu.Unlock(); return l.handed }
		go func() { h.clerk(t, ctx, accounts.out); ended <- struct{}{} }()
		go func() { accounts.run(ctx, loops, handed); ended <- struct{}{} }()
	})
	if !kill {
		accounts.finish(ctx, loops, func() uint64 { return b.handed }, time.Now())
	}
	cancel()
	<-ended
	<-ended
	return b.given
}

// check holds what was told against the readings: every slot of the time was planned, and
// has a reading or a reason. It returns how many slots have which loss and no reading.
func (h *tellings) check(t *testing.T, m Meter, given []schemas.Reading, from, to time.Time) map[schemas.Loss]int {
	t.Helper()
	read := map[time.Time]bool{}
	for _, r := range given {
		if r.Meter == m.ID && r.Origin == schemas.Live {
			read[slotAt(r.TakenAt, m.Interval, m.Offset)] = true
		}
	}
	lost := map[schemas.Loss]int{}
	for at := slotAfter(from.Add(-1), m.Interval, m.Offset); at.Before(to); at = at.Add(m.Interval) {
		if !h.planned[m.ID][at] {
			t.Fatalf("%s: nothing was told of the slot at %s", m.ID, at)
		}
		if loss := h.lost[m.ID][at]; !read[at] {
			if loss == "" {
				t.Fatalf("%s: the slot at %s has neither a reading nor a reason", m.ID, at)
			}
			lost[loss]++
		}
	}
	for at := range h.planned[m.ID] {
		if at.Before(from) || at.After(time.Now()) {
			t.Errorf("%s: a slot at %s was planned, which was not", m.ID, at)
		}
	}
	return lost
}

// Every slot of every meter is told of once the hours are over: answered, or lost with
// the reason that holds.
func TestAccountsOfALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(17 * time.Minute) // the first hour is a part of one
		h, start := newTellings(), time.Now()
		sources := map[schemas.MeterID]*scripted{
			"sound":   {cost: 50 * time.Millisecond},
			"silent":  {timeout: time.Second, fault: always(adapters.Transient, time.Time{})},
			"refuses": {cost: 50 * time.Millisecond, fault: always(adapters.Config, time.Time{})},
			"later":   {cost: 50 * time.Millisecond, timeout: time.Second, fault: always(adapters.Transient, start.Add(90*time.Minute))},
		}
		line := Line{Name: "a"}
		for _, id := range []schemas.MeterID{"sound", "silent", "refuses", "later"} {
			sources[id].id = id
			line.Meters = append(line.Meters, Meter{ID: id, Source: sources[id], Interval: time.Minute, Offset: 1500 * time.Millisecond})
		}
		given := accounted(t, h, filepath.Join(t.TempDir(), "accounts.state"), line, 5*time.Hour+time.Second, false)
		want := []map[schemas.Loss]int{{}, {schemas.LossSilent: 300}, {schemas.LossRefused: 300}, nil}
		for i, m := range line.Meters {
			lost := h.check(t, m, given, start, start.Add(5*time.Hour-time.Minute))
			if i == 3 {
				if n := lost[schemas.LossSilent]; len(lost) != 1 || n < 80 || n > 105 {
					t.Errorf("%s: lost %v, want some 90 for silence", m.ID, lost)
				}
				continue
			}
			for loss, n := range want[i] {
				if got := lost[loss]; got < n-3 || got > n {
					t.Errorf("%s: %d lost for %s, want %d", m.ID, got, loss, n)
				}
			}
			if len(lost) != len(want[i]) {
				t.Errorf("%s: lost %v, want %v", m.ID, lost, want[i])
			}
		}
	})
}

// Whatever kills and pauses there are, and however often an older file is found again,
// every slot has a reading or a reason, and the time in between is the collector's.
func TestAccountsOverKills(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			time.Sleep(time.Duration(rng.Int64N(int64(time.Hour))))
			h, start := newTellings(), time.Now()
			path := filepath.Join(t.TempDir(), "accounts.state")
			var given []schemas.Reading
			meter := Meter{ID: "m", Interval: time.Minute}
			var old []byte
			for range 6 {
				meter.Source = &scripted{id: "m", cost: 50 * time.Millisecond, timeout: time.Second, fault: func(time.Time) error {
					if rng.IntN(4) == 0 {
						return failure(adapters.Transient)
					}
					return nil
				}}
				given = append(given, accounted(t, h, path, Line{Name: "a", Meters: []Meter{meter}}, time.Duration(rng.Int64N(int64(3*time.Hour))), rng.IntN(3) > 0)...)
				time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Hour))))
				if data, err := os.ReadFile(path); err == nil && rng.IntN(3) == 0 {
					old = data
				} else if old != nil && rng.IntN(3) == 0 {
					if err := os.WriteFile(path, old, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			end := time.Now()
			meter.Source = &scripted{id: "m"}
			given = append(given, accounted(t, h, path, Line{Name: "a", Meters: []Meter{meter}}, 3*time.Hour, false)...)
			if lost := h.check(t, meter, given, start, end); lost[schemas.LossOff] == 0 {
				t.Errorf("lost %v, and nothing for the time in which nobody read", lost)
			}
		})
	}
}

// A slot that had begun when the file was written, and had no answer yet, is lost when the
// collector is killed then, although nothing was noted of its hour.
func TestAccountsOfAFirstSlot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.state")
	line := Line{Name: "a", Meters: []Meter{{ID: "m", Interval: time.Minute}}}
	start := time.Date(2026, 5, 1, 9, 29, 50, 0, time.UTC)
	a := openAccounts(path, []Line{line}, silent, start)
	a.settle(t.Context(), nil, func() uint64 { return 0 }, start.Add(20*time.Second))

	again := start.Add(time.Minute)
	a = openAccounts(path, []Line{line}, silent, again)
	b := a.books["m"]
	b.answered([]schemas.Reading{{Meter: "m", TakenAt: start.Add(70 * time.Second), Origin: schemas.Live}})
	h := newTellings()
	h.take(t, a.piece().list)
	for key, hour := range b.parted() {
		h.take(t, hour.accounts(key))
	}
	first := start.Add(10 * time.Second)
	if h.lost["m"][first] != schemas.LossOff || len(h.lost["m"]) != 1 || len(h.planned["m"]) != 2 {
		t.Errorf("lost %v of %v, want the slot at %s for %s", h.lost["m"], h.planned["m"], first, schemas.LossOff)
	}
}

// A file that was written while the clock was ahead keeps what is known of the time before;
// the time to come is planned again.
func TestAccountsOfAClockAhead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.state")
	line := Line{Name: "a", Meters: []Meter{{ID: "m", Interval: time.Minute}}}
	start := time.Date(2026, 5, 1, 9, 30, 0, 0, time.UTC)
	nobody, cancel := context.WithCancel(t.Context())
	cancel()
	write := func(now time.Time) { // it is killed before anybody hears of it
		openAccounts(path, []Line{line}, silent, now).settle(nobody, nil, func() uint64 { return 0 }, now)
	}
	for _, ahead := range []time.Duration{10 * time.Minute, 3 * time.Hour} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		write(start)
		write(start.Add(5*time.Minute + ahead)) // killed until then, and the clock is ahead

		again := start.Add(6*time.Minute + time.Second)
		a := openAccounts(path, []Line{line}, silent, again)
		b := a.books["m"]
		b.answered([]schemas.Reading{{Meter: "m", TakenAt: again.Add(time.Minute), Origin: schemas.Live}})
		h := newTellings()
		h.take(t, a.piece().list)
		for key, hour := range b.parted() {
			h.take(t, hour.accounts(key))
		}
		if len(h.planned["m"]) != 8 || len(h.lost["m"]) != 7 || h.lost["m"][start.Add(7*time.Minute)] != "" {
			t.Errorf("ahead by %s: lost %d of %d, want the first seven of eight", ahead, len(h.lost["m"]), len(h.planned["m"]))
		}
	}
}

// What the spool drops is lost, and what was said beside it is said again.
func TestAccountsOfDrops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.state")
	line := Line{Name: "a", Meters: []Meter{{ID: "m", Interval: time.Minute}}}
	now := time.Date(2026, 5, 1, 9, 30, 0, 0, time.UTC)
	hour := now.Add(-25 * time.Hour).Truncate(time.Hour)
	a := openAccounts(path, []Line{line}, silent, now)
	a.Dropped("m", hour.Add(5*time.Minute+time.Second), "spool_full")
	a.Dropped("m", hour.Add(5*time.Minute+2*time.Second), "spool_full")
	a.Dropped("m", hour.Add(9*time.Minute), "spool_age")
	a.Dropped("stranger", hour, "spool_age")
	a.Again([]schemas.SlotAccount{{Meter: "m", Hour: hour, Interval: time.Minute, Planned: 60, Missing: []schemas.SlotSpan{{From: 20, Slots: 40, Loss: schemas.LossSilent}}}})
	if err := a.Save(); err != nil {
		t.Fatal(err)
	}
	a = openAccounts(path, nil, silent, now.Add(time.Hour)) // the meter is not configured any more
	h := newTellings()
	a.mu.Lock()
	h.take(t, a.accounts())
	a.mu.Unlock()
	got := map[schemas.Loss]int{}
	for _, loss := range h.lost["m"] {
		got[loss]++
	}
	if fmt.Sprint(got) != fmt.Sprint(map[schemas.Loss]int{schemas.LossFull: 1, schemas.LossAge: 1, schemas.LossSilent: 40}) || len(h.planned["m"]) < 60 {
		t.Errorf("lost %v of %d slots", got, len(h.planned["m"]))
	}
	a.Dropped("m", hour.Add(time.Minute), "spool_full") // its schedule is remembered
	if h.take(t, a.accounts()); len(h.lost["m"]) != 43 {
		t.Errorf("%d slots lost, want 43", len(h.lost["m"]))
	}
}

// An hour with more runs than an account holds is told in several.
func TestAccountOfManyRuns(t *testing.T) {
	slots := &hourSlots{states: make([]uint8, 3600)}
	for n := range slots.states {
		slots.states[n] = slotRead
		if n%2 == 0 {
			slots.states[n] = rankOf(schemas.LossBusy)
		}
	}
	h := newTellings()
	list := slots.accounts(accountKey{"m", 3600 * 480000, schemas.Schedule{Interval: time.Second}})
	if h.take(t, list); len(h.lost["m"]) != 1800 || len(h.planned["m"]) != 3600 || len(list) != 29 {
		t.Errorf("%d lost of %d in %d accounts", len(h.lost["m"]), len(h.planned["m"]), len(list))
	}
}

// The hub's request is followed once: records that were delivered are delivered again, and
// a request that is old, or comes again, is refused.
func TestRefillByCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(40 * 24 * time.Hour)
		v := &vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 30, schemas.LoadRecord: 4000}, load: 15 * time.Minute, cost: 20 * time.Millisecond}
		line := v.line(time.Minute)
		start := time.Now()
		from := start.Add(-30 * time.Hour).UTC().Truncate(time.Hour)
		command := &schemas.Command{Collector: "c", At: start.Add(time.Hour), Refill: []schemas.Refill{{Meter: "v", From: from, To: from.Add(24 * time.Hour)}, {Meter: "other", From: from, To: start}}}
		b := runBench(line, 4*time.Hour, func(l *lineLoop) {
			d := &refillDesk{}
			d.lines([]*lineLoop{l})
			go func() {
				time.Sleep(time.Hour)
				if err := d.take(command, time.Now()); err != nil {
					t.Error(err)
				}
				if d.take(command, time.Now()) == nil {
					t.Error("the same command is followed twice")
				}
				old := *command
				old.At = time.Now().Add(-2 * time.Hour)
				if (&refillDesk{}).take(&old, time.Now()) == nil {
					t.Error("an old command is followed")
				}
			}()
		})
		loads, freezes := map[time.Time]int{}, map[time.Time]int{}
		for _, r := range b.given {
			switch r.Origin {
			case schemas.LoadRecord:
				loads[r.TakenAt]++
			case schemas.DailyFreeze:
				freezes[r.TakenAt]++
			}
		}
		for at := from; at.Before(from.Add(24 * time.Hour)); at = at.Add(15 * time.Minute) {
			if loads[at] != 1 {
				t.Errorf("the load record of %s came %d times, want once", at, loads[at])
			}
		}
		if len(loads) != 96 {
			t.Errorf("%d load records, want 96", len(loads))
		}
		twice := 0
		for _, n := range freezes {
			if n == 2 {
				twice++
			}
		}
		if twice < 1 || twice > 2 {
			t.Errorf("daily records %v, want one or two of them again", freezes)
		}
	})
}
