package collector

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// heap is how much is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// manyMeters is a line of meters, with the file of a collector that has read them until a
// moment.
func manyMeters(t testing.TB, interval time.Duration, until time.Time) (path string, line Line) {
	t.Helper()
	path, line = filepath.Join(t.TempDir(), "accounts.state"), Line{Name: "a"}
	for n := range 200 {
		line.Meters = append(line.Meters, Meter{ID: schemas.MeterID(fmt.Sprintf("meter-%03d", n)), Interval: interval})
	}
	a := openAccounts(path, []Line{line}, silent, until.Add(-90*time.Second))
	a.settle(t.Context(), nil, func() uint64 { return 0 }, until)
	return path, line
}

// drain tells of everything that is owed and calls take with each envelope's accounts.
func drain(t testing.TB, a *Accounts, now time.Time, take func([]schemas.SlotAccount)) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-a.out.wake:
				for list := a.out.take(); len(list) > 0; list = a.out.take() {
					take(list)
					a.out.kept(len(list))
				}
			}
		}
	}()
	a.settle(ctx, nil, func() uint64 { return 0 }, now)
	cancel()
	<-ended
}

// peak is the most memory that the process had; 0 where the system does not say.
func peak() (kilobytes int) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	_, _ = fmt.Sscan(after, &kilobytes)
	return kilobytes
}

// A box that was off for a month has 150000 hours to tell of: they take no more memory
// than those of an hour, at the start and while they are told.
func TestOffForAMonth(t *testing.T) {
	for _, interval := range []time.Duration{15 * time.Minute, time.Minute} {
		stood := time.Date(2026, 3, 1, 9, 29, 50, 0, time.UTC)
		path, line := manyMeters(t, interval, stood)
		before := heap()
		now := stood.Add(31 * 24 * time.Hour)
		a := openAccounts(path, []Line{line}, silent, now)
		const bound = 4 << 20
		if used := heap() - before; int64(used) > bound {
			t.Errorf("%s: %d bytes after the start, want at most %d", interval, used, bound)
		}
		hours, slots, worst := 0, int64(0), uint64(0)
		oldest := time.Time{}
		drain(t, a, now, func(list []schemas.SlotAccount) {
			for i := range list {
				if list[i].Hour.Before(oldest) {
					t.Fatalf("the hour of %s is told after that of %s", list[i].Hour, oldest)
				}
				oldest = list[i].Hour
				for _, m := range list[i].Missing {
					slots += int64(m.Slots)
				}
			}
			if hours%(500*schemas.MaxAccounts) == 0 {
				worst = max(worst, heap())
			}
			hours += len(list)
		})
		if worst > before+bound {
			t.Errorf("%s: %d bytes while it is told, want at most %d", interval, worst-before, bound)
		}
		want := 200 * int64(now.Sub(stood)/interval)
		if slots < want || slots > want+400 {
			t.Errorf("%s: %d slots told to be lost, want about %d", interval, slots, want)
		}
		if data, err := os.ReadFile(path); err != nil || len(data) > 200*300 || len(a.lapses)+len(a.owed) > 0 {
			t.Errorf("%s: a file of %d bytes, %v, %d lapses and %d hours are left", interval, len(data), err, len(a.lapses), len(a.owed))
		}
		t.Logf("%s: %d accounts; peak of the process %d KiB", interval, hours, peak())
	}
}

// A clock that leaps by weeks, or a line that stood as long, takes no memory either, and
// what was known before is not lost.
func TestLongLapse(t *testing.T) {
	start := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	path, line := manyMeters(t, time.Minute, start)
	a := openAccounts(path, []Line{line}, silent, start)
	h, before := newTellings(), heap()
	again := start.Add(20 * 24 * time.Hour)
	for _, b := range a.books {
		b.answered([]schemas.Reading{{Meter: b.meter, TakenAt: start, Origin: schemas.Live}})
		b.passed(start.Add(time.Minute), int64(again.Sub(start)/time.Minute)-1, schemas.LossClock)
		b.answered([]schemas.Reading{{Meter: b.meter, TakenAt: again, Origin: schemas.Live}})
	}
	if used := int64(heap() - before); used > 1<<20 {
		t.Errorf("%d bytes for slots that went by", used)
	}
	drain(t, a, again.Add(time.Hour), func(list []schemas.SlotAccount) {
		for _, one := range list {
			if one.Meter == "meter-007" {
				h.take(t, []schemas.SlotAccount{one})
			}
		}
	})
	for key, hour := range a.books["meter-007"].parted() {
		h.take(t, hour.accounts(key))
	}
	for at := start; !at.After(again); at = at.Add(time.Minute) {
		want := schemas.LossClock
		if at.Equal(start) || at.Equal(again) {
			want = ""
		}
		if !h.planned["meter-007"][at] || h.lost["meter-007"][at] != want {
			t.Fatalf("the slot at %s is lost for %q, want %q", at, h.lost["meter-007"][at], want)
		}
	}
}

// A lapse that was told in part when the collector was killed is told to its end by the
// next, and one that no slot parts from the last is one with it.
func TestLapseOverKills(t *testing.T) {
	stood := time.Date(2026, 3, 1, 9, 29, 50, 0, time.UTC)
	path, line := manyMeters(t, 15*time.Minute, stood)
	now := stood.Add(5 * 24 * time.Hour)
	h := newTellings()
	for life := range 3 {
		now = now.Add(time.Minute)
		a := openAccounts(path, []Line{line}, silent, now)
		if life > 0 && len(a.lapses) > len(line.Meters) {
			t.Errorf("%d lapses of %d meters", len(a.lapses), len(line.Meters))
		}
		p := a.piece()
		h.take(t, p.list)
		a.lapses = p.lapses
		if life == 2 {
			for ; len(p.list) > 0; p = a.piece() {
				h.take(t, p.list)
				a.lapses = p.lapses
				clear(a.owed)
			}
		}
		if err := a.Save(); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range line.Meters {
		for at := stood.Truncate(15 * time.Minute).Add(15 * time.Minute); at.Before(now); at = at.Add(15 * time.Minute) {
			if h.lost[m.ID][at] != schemas.LossOff {
				t.Fatalf("%s: the slot at %s is lost for %q", m.ID, at, h.lost[m.ID][at])
			}
		}
	}
}

// told returns the accounts of one meter that are told by a moment.
func told(t *testing.T, a *Accounts, id schemas.MeterID, now time.Time) (list []schemas.SlotAccount) {
	t.Helper()
	take := func(all []schemas.SlotAccount) {
		for i := range all {
			if err := all[i].Validate(); err != nil {
				t.Error(err)
			}
			if all[i].Meter == id {
				list = append(list, all[i])
			}
		}
	}
	drain(t, a, now.Add(-time.Hour), take) // from then on the clock runs evenly
	drain(t, a, now, take)
	if len(list) == 0 {
		t.Fatalf("nothing was told of %s by %s", id, now)
	}
	return list
}

// Every account says since when there are any of its meter, over restarts, until the hub
// must have had one; a new schedule begins anew.
func TestAccountsSaySince(t *testing.T) {
	start := time.Date(2026, 3, 1, 9, 30, 0, 300_000, time.UTC)
	since := start.Truncate(time.Millisecond).Add(time.Millisecond)
	path := filepath.Join(t.TempDir(), "accounts.state")
	line := Line{Name: "a", Meters: []Meter{{ID: "m", Interval: time.Minute}, {ID: "goes", Interval: time.Minute}}}
	a := openAccounts(path, []Line{line}, silent, start)
	a.settle(t.Context(), nil, func() uint64 { return 0 }, start)
	check := func(what string, list []schemas.SlotAccount, want time.Time) {
		t.Helper()
		for _, one := range list {
			if !one.Since.Equal(want) {
				t.Errorf("%s: since %s, want %s: %+v", what, one.Since, want, one)
			}
		}
	}
	at := start.Add(3 * time.Hour)
	a = openAccounts(path, []Line{line}, silent, at)
	check("after a restart", told(t, a, "m", at.Add(2*time.Hour)), since)
	line.Meters = line.Meters[:1]
	a = openAccounts(path, []Line{line}, silent, at.Add(3*time.Hour))
	check("of a meter that is gone", told(t, a, "goes", at.Add(3*time.Hour)), since)
	a = openAccounts(path, []Line{line}, silent, at.Add(4*time.Hour))
	a.mu.Lock()
	a.owe(accountKey{"goes", start.Truncate(time.Hour).Unix(), schemas.Schedule{Interval: time.Minute}}, &hourSlots{first: 50, states: make([]uint8, 60)})
	a.mu.Unlock()
	check("of a meter that is gone for long", told(t, a, "goes", at.Add(4*time.Hour)), since)
	other := accountKey{"m", at.Add(4 * time.Hour).Truncate(time.Hour).Unix(), schemas.Schedule{Interval: time.Second}}
	a.mu.Lock()
	one := (&hourSlots{first: 50, states: make([]uint8, 60)}).accounts(other)[0]
	a.saySince(&one)
	a.mu.Unlock()
	check("under another schedule", []schemas.SlotAccount{one}, time.Time{})

	long := start.Add(accountBack + 4*time.Hour)
	a = openAccounts(path, []Line{line}, silent, long)
	var silentSince int
	for _, one := range told(t, a, "m", long) {
		switch {
		case one.Hour.Add(time.Hour).Before(start.Add(accountBack)) && !one.Since.Equal(since):
			t.Errorf("%+v: since %s, want %s", one, one.Since, since)
		case one.Since.IsZero():
			silentSince++
		}
	}
	if silentSince != 4 {
		t.Errorf("%d accounts say nothing of since, want those after a month, 4", silentSince)
	}
	line.Meters[0].Interval = 5 * time.Minute
	anew := long.Add(time.Hour)
	a = openAccounts(path, []Line{line}, silent, anew)
	list := told(t, a, "m", anew.Add(2*time.Hour))
	check("of a new schedule", list[len(list)-1:], keptSince(anew))
}

// A clock that is set takes nothing from what was said, and makes no account that a hub
// would refuse.
func TestSinceAndClocks(t *testing.T) {
	start := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	line := Line{Name: "a", Meters: []Meter{{ID: "m", Interval: time.Minute}}}
	for what, clock := range map[string]time.Time{"ahead": start.AddDate(1, 0, 0), "before 2000": time.Date(1999, 12, 31, 23, 30, 0, 0, time.UTC)} {
		path := filepath.Join(t.TempDir(), "accounts.state")
		a := openAccounts(path, []Line{line}, silent, clock)
		a.settle(t.Context(), nil, func() uint64 { return 0 }, clock)
		for at := clock.Add(time.Hour); at.Before(clock.Add(5 * time.Hour)); at = at.Add(time.Hour) {
			drain(t, a, at, func(all []schemas.SlotAccount) {
				for i := range all {
					if err := all[i].Validate(); err != nil && all[i].Hour.Year() >= 2000 {
						t.Errorf("%s: %v", what, err)
					}
				}
			})
		}
		if clock.After(start) { // and set right while it runs
			a.began = start.Add(-time.Hour) // as a clock that only counts has it
			list := told(t, a, "m", start.Add(3*time.Hour))
			if last := list[len(list)-1]; !last.Since.Equal(start.Add(90 * time.Minute)) {
				t.Errorf("%s: %+v says since %s, want the hour from which on it tells again", what, last, last.Since)
			}
		}
		a = openAccounts(path, []Line{line}, silent, start) // and set right
		for _, one := range told(t, a, "m", start.Add(2*time.Hour)) {
			if !one.Since.IsZero() && one.Since.After(start) {
				t.Errorf("%s: %+v says since %s", what, one, one.Since)
			}
		}
	}
}
