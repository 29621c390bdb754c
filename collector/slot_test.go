package collector

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters"
	"citygrid/collector/spool"
	"citygrid/collector/verdict"
	"citygrid/internal/counters"
	"citygrid/schemas"
)

// slotted is a meter with a card slot that does what the test says.
type slotted struct {
	scripted
	entries func(now time.Time) ([]schemas.CardEntry, error)
	asked   []time.Time
}

func (s *slotted) Entries(context.Context) ([]schemas.CardEntry, error) {
	now := time.Now()
	s.asked = append(s.asked, now)
	return s.entries(now)
}

// state is what a driver gives: it knows neither the place nor the terminal.
func state(now time.Time) schemas.CardEntry {
	return schemas.CardEntry{Event: schemas.CardState, Source: schemas.FromModbus, Utility: schemas.Water, MeterNumber: "000000000789",
		Residual: schemas.Credit{Value: 100, Unit: schemas.CreditFen}, TakenAt: now.UTC().Truncate(time.Millisecond)}
}

// slotLine runs one line with the meter for a time, and returns what its slot
// gave to the desk, with the loop.
func slotLine(t *testing.T, m *slotted, meter Meter, desk func(*sealStage[schemas.CardEntry]), d time.Duration, neighbours ...Meter) (got []schemas.CardEntry, l *lineLoop) {
	t.Helper()
	m.id = "W-1"
	meter.ID, meter.Source = m.id, m
	stage := &sealStage[schemas.CardEntry]{}
	if desk != nil {
		desk(stage)
	}
	out := make(chan []schemas.Reading)
	l = newLineLoop(Line{Name: "riser 3", Meters: append([]Meter{meter}, neighbours...)}, time.Now(), out, testMetrics(), newBoard(), silent)
	l.cards, l.terminal = newDesk(stage), "c1/riser 3"
	var take sync.WaitGroup
	take.Go(func() {
		for range out {
		}
	})
	take.Go(func() {
		for entries := range l.cards.in {
			got = append(got, entries...)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	l.run(ctx)
	close(out)
	l.cards.close()
	take.Wait()
	return got, l
}

func TestCardSlotIsAskedOnSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swap := time.Now().Add(2 * time.Hour).UTC()
		m := &slotted{entries: func(now time.Time) ([]schemas.CardEntry, error) {
			bad := state(now)
			bad.MeterNumber = "789"
			return []schemas.CardEntry{state(now), bad}, nil
		}}
		rules := verdict.Rules{Installations: []schemas.Installation{
			{Meter: "W-1", From: swap.Add(-2 * time.Hour), To: swap}, {Meter: "W-1", From: swap}}}
		got, l := slotLine(t, m, Meter{Interval: time.Minute, CardsEvery: 15 * time.Minute, Rules: rules}, nil, 3*time.Hour+time.Minute)
		// Once it has answered, then at every quarter of an hour.
		if len(m.asked) != 13 || m.asked[0].Sub(m.began[0]) > time.Second {
			t.Fatalf("asked %d times, first at %s", len(m.asked), m.asked[0])
		}
		for i, e := range got {
			if i > 0 && m.asked[i].Truncate(15*time.Minute) != m.asked[i] {
				t.Errorf("asked at %s", m.asked[i])
			}
			want := swap.Add(-2 * time.Hour)
			if !e.TakenAt.Before(swap) {
				want = swap
			}
			if e.Meter != "W-1" || !e.InstalledAt.Equal(want) || e.Terminal != "c1/riser 3" {
				t.Errorf("entry %d at %s: %s, %s, %q", i, e.TakenAt, e.Meter, e.InstalledAt, e.Terminal)
			}
		}
		if n := counters.Count(l.metrics.cardsRefused); len(got) != 13 || n != 13 {
			t.Errorf("%d entries and %d refused, want 13 and 13", len(got), n)
		}
	})
}

// What the driver knows itself is not overwritten.
func TestCardEntriesKeepWhatTheDriverKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &slotted{entries: func(now time.Time) ([]schemas.CardEntry, error) {
			mine, other := state(now), state(now)
			mine.InstalledAt, mine.Terminal, mine.Meter = at("2020-01-01T00:00:00Z"), "its own", "W-1"
			other.Meter = "W-2"
			return []schemas.CardEntry{mine, other}, nil
		}}
		rules := verdict.Rules{Installations: []schemas.Installation{{Meter: "W-1", From: time.Now().Add(-time.Hour).UTC()}}}
		got, _ := slotLine(t, m, Meter{Interval: time.Minute, CardsEvery: time.Hour, Rules: rules}, nil, 2*time.Minute)
		if len(got) != 2 || got[0].Terminal != "its own" || got[0].InstalledAt.Year() != 2020 || got[1].Meter != "W-2" || !got[1].InstalledAt.IsZero() {
			t.Errorf("entries %+v", got)
		}
	})
}

// A slot that is not asked for, or of a meter that does not answer, is left
// alone.
func TestCardSlotIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &slotted{entries: func(now time.Time) ([]schemas.CardEntry, error) { return nil, nil }}
		slotLine(t, m, Meter{Interval: time.Minute}, nil, time.Hour)
		dead := &slotted{entries: m.entries}
		dead.fault, dead.timeout = always(adapters.Transient, time.Time{}), time.Second
		slotLine(t, dead, Meter{Interval: time.Minute, CardsEvery: time.Minute}, nil, time.Hour)
		if len(m.asked) > 0 || len(dead.asked) > 0 {
			t.Errorf("asked %d and %d times", len(m.asked), len(dead.asked))
		}
	})
}

func TestCardSlotThatFails(t *testing.T) {
	for class, want := range map[adapters.Class]int{adapters.Transient: 25, adapters.Slow: 25, adapters.Config: 1} {
		t.Run(class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &slotted{entries: func(now time.Time) ([]schemas.CardEntry, error) {
					return []schemas.CardEntry{state(now)}, failure(class)
				}}
				got, l := slotLine(t, m, Meter{Interval: time.Minute, CardsEvery: time.Hour}, nil, 4*time.Hour+30*time.Second)
				// Every ten minutes instead of once an hour; what it gave all the same counts.
				if len(m.asked) < want || len(m.asked) > want+4 || len(got) != len(m.asked) || counters.Count(l.metrics.cardsFailed) != uint64(len(m.asked)) {
					t.Errorf("asked %d times, %d entries; want %d", len(m.asked), len(got), want)
				}
			})
		})
	}
}

// While there is no room for them entries are kept, and the meter is not asked
// for more; reading goes on.
func TestCardEntriesWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		m := &slotted{entries: func(now time.Time) ([]schemas.CardEntry, error) {
			n++
			e := state(now)
			e.Residual.Value = int64(n)
			return []schemas.CardEntry{e}, nil
		}}
		full := func(s *sealStage[schemas.CardEntry]) {
			s.progress.stalled = spool.ErrFull
			time.AfterFunc(time.Hour, func() { s.progress.note(func(p *progress) { p.stalled = nil }) })
		}
		got, _ := slotLine(t, m, Meter{Interval: time.Minute, CardsEvery: 10 * time.Minute}, full, time.Hour+5*time.Minute)
		if len(got) != 2 || got[0].Residual.Value != 1 || got[1].Residual.Value != 2 || len(m.began) < 60 {
			t.Errorf("%d entries %v, asked %d times, %d reads", len(got), got, len(m.asked), len(m.began))
		}
	})
}

// A line that is never idle asks a card slot all the same, an interval late.
func TestCardSlotOnABusyLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &slotted{entries: func(now time.Time) ([]schemas.CardEntry, error) { return []schemas.CardEntry{state(now)}, nil }}
		m.cost = 2 * time.Second
		neighbour := Meter{ID: "W-2", Source: &scripted{id: "W-2", cost: 2 * time.Second}, Interval: time.Second}
		got, _ := slotLine(t, m, Meter{Interval: time.Second, CardsEvery: 10 * time.Minute}, nil, 2*time.Hour, neighbour)
		if len(got) < 5 || len(got) > 12 {
			t.Errorf("asked %d times in two hours", len(got))
		}
		for i := 1; i < len(m.asked); i++ {
			if d := m.asked[i].Sub(m.asked[i-1]); d > 21*time.Minute {
				t.Errorf("a pause of %s", d)
			}
		}
	})
}

// A slot that is asked once a day is not late because its next turn is far ahead.
func TestCardSlotOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &slotted{entries: func(now time.Time) ([]schemas.CardEntry, error) {
			time.Sleep(time.Second)
			return nil, nil
		}}
		slotLine(t, m, Meter{Interval: time.Hour, CardsEvery: 24 * time.Hour}, nil, 49*time.Hour)
		if len(m.asked) != 3 {
			t.Errorf("asked %d times in two days, want 3", len(m.asked))
		}
	})
}

// The next turn of a slot is so much time away, whatever becomes of the clock: a box
// whose clock ran eight hours ahead until the network set it must not leave the
// slots alone for as long.
func TestCardSlotOutlivesAClockSetBack(t *testing.T) {
	m := &slotted{entries: func(now time.Time) ([]schemas.CardEntry, error) { return nil, nil }}
	meter := Meter{ID: "W-1", Source: m, Interval: time.Minute, CardsEvery: 15 * time.Minute}
	l := newLineLoop(Line{Name: "riser 3", Meters: []Meter{meter}}, time.Now(), nil, testMetrics(), newBoard(), silent)
	l.readCards(t.Context(), l.meters[0], time.Now())
	if at := l.meters[0].cardsAt.String(); !strings.Contains(at, " m=") { // the mark of a monotonic clock [time.Time.String]
		t.Errorf("the next turn, %s, follows the wall clock", at)
	}
}

// Card slots that ask for more time than the line has leave most of it to the reads.
func TestCardSlotsLeaveTheLineToTheReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(time.Time) ([]schemas.CardEntry, error) { time.Sleep(30 * time.Second); return nil, nil }
		m := &slotted{entries: slow}
		m.cost = time.Second
		meters := []*slotted{m}
		var neighbours []Meter
		for _, id := range []schemas.MeterID{"W-2", "W-3", "W-4"} {
			n := &slotted{entries: slow}
			n.id, n.cost = id, time.Second
			meters = append(meters, n)
			neighbours = append(neighbours, Meter{ID: id, Source: n, Interval: 4 * time.Second, CardsEvery: 10 * time.Second})
		}
		slotLine(t, m, Meter{Interval: 4 * time.Second, CardsEvery: 10 * time.Second}, nil, 2*time.Hour, neighbours...)
		for _, m := range meters {
			// All the line's time is 1,800 reads of each.
			if len(m.began) < 1200 || len(m.asked) < 10 {
				t.Errorf("%s: %d reads, its slot asked %d times", m.id, len(m.began), len(m.asked))
			}
		}
	})
}
