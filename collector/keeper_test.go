package collector

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters"
	"citygrid/internal/counters"
	"citygrid/schemas"
)

// vault is a meter with a clock, a number and a memory: every day at midnight
// and every first of the month by its own clock, in Chinese time, it keeps a
// record.
type vault struct {
	id     schemas.MeterID
	cost   time.Duration
	ahead  time.Duration // of its clock
	wrong  time.Time     // from here on (zero: always) until
	right  time.Time     // somebody sets it (zero: nobody)
	kept   map[schemas.Origin]int
	lost   func(time.Time) bool // records that it did not make
	load   time.Duration        // the period of its load profile
	phase  time.Duration        // at which it makes these records from wrong on
	serial string
	dead   func(time.Time) bool
	refuse map[schemas.Origin]error // what ReadKept gives
	partly bool                     // with the record
	bad    func(time.Time) bool     // records that it holds and cannot give

	asked []string // everything, in order
}

var china = time.FixedZone("CST", 8*3600)

// off is how far its clock is ahead.
func (v *vault) off(now time.Time) time.Duration {
	if now.Before(v.wrong) || !v.right.IsZero() && now.After(v.right) {
		return 0
	}
	return v.ahead
}

func (v *vault) wait(ctx context.Context, what string) error {
	v.asked = append(v.asked, fmt.Sprintf("%s %s", time.Now().UTC().Format("2006-01-02T15:04:05"), what))
	select {
	case <-time.After(v.cost):
	case <-ctx.Done():
		return ctx.Err()
	}
	if v.dead != nil && v.dead(time.Now()) {
		return failure(adapters.Transient)
	}
	return nil
}

func (v *vault) Read(ctx context.Context) ([]schemas.Reading, error) {
	if err := v.wait(ctx, "live"); err != nil {
		return nil, err
	}
	return []schemas.Reading{energy(v.id, time.Now().Unix(), time.Now())}, nil
}

func (v *vault) ReadClock(ctx context.Context) (time.Time, time.Time, error) {
	half := time.Now().Add(v.cost / 2)
	if err := v.wait(ctx, "clock"); err != nil {
		return time.Time{}, time.Time{}, err
	}
	return half.Add(v.off(half)), time.Now().UTC(), nil
}

func (v *vault) ReadSerial(ctx context.Context) (string, error) {
	return v.serial, v.wait(ctx, "serial")
}

func (v *vault) Kept(o schemas.Origin) int { return v.kept[o] }

// moments returns the moments of the records of an origin that the meter holds,
// the newest first.
func (v *vault) moments(o schemas.Origin, now time.Time) (list []time.Time) {
	local := now.Add(v.off(now)).In(china)
	for i := 0; len(list) < v.kept[o] && i < 400; i++ {
		var t time.Time
		switch o {
		case schemas.DailyFreeze:
			t = time.Date(local.Year(), local.Month(), local.Day()-i, 0, 0, 0, 0, china)
		case schemas.MonthlyFreeze:
			t = time.Date(local.Year(), local.Month()-time.Month(i), 1, 0, 0, 0, 0, china)
		default:
			phase := v.phase
			if now.Before(v.wrong) {
				phase = 0
			}
			t = slotAt(local, v.load, phase).Add(-time.Duration(i) * v.load)
		}
		if v.lost == nil || !v.lost(t) {
			list = append(list, t.UTC())
		}
	}
	return list
}

func (v *vault) ReadKept(ctx context.Context, o schemas.Origin, n int) ([]schemas.Reading, error) {
	if err := v.wait(ctx, fmt.Sprintf("%s %d", o, n)); err != nil {
		return nil, err
	}
	if err := v.refuse[o]; err != nil && !v.partly {
		return nil, err
	}
	held := v.moments(o, time.Now())
	if n > len(held) {
		return nil, nil
	}
	if v.bad != nil && v.bad(held[n-1]) {
		return nil, failure(adapters.Slow)
	}
	r := energy(v.id, held[n-1].Unix(), held[n-1])
	r.Origin = o
	return []schemas.Reading{r}, v.refuse[o]
}

// line is a line with this meter alone.
func (v *vault) line(interval time.Duration) Line {
	v.id = "v"
	return Line{Name: "a", Meters: []Meter{{ID: v.id, Source: v, Interval: interval}}}
}

// of returns the moments of the readings of an origin, in the order in which
// they came.
func (b *bench) of(o schemas.Origin) (moments []time.Time) {
	for _, r := range b.given {
		if r.Origin == o {
			moments = append(moments, r.TakenAt)
		}
	}
	return moments
}

// once returns moments in order of time, each once.
func once(moments []time.Time) []time.Time {
	moments = slices.Clone(moments)
	slices.SortFunc(moments, time.Time.Compare)
	return slices.Compact(moments)
}

func days(from string, n int) (list []time.Time) {
	for i := range n {
		list = append(list, at(from).Add(time.Duration(i)*day))
	}
	return list
}

// remembered gives the meter's archives what a former run has read.
func remembered(o schemas.Origin, last string) func(*lineLoop) {
	return func(l *lineLoop) {
		m := &memory{meters: map[schemas.MeterID]meterMemory{
			"v": {Records: map[schemas.Origin]recordState{o: {Last: at(last)}}},
		}}
		m.recall(l)
	}
}

// march sleeps until 2000-03-01 00:00 UTC, 08:00 of the meter's day: a bubble
// begins where no record may be dated earlier.
func march() { time.Sleep(60 * day) }

const midnight = "2000-02-29T16:00:00Z" // of the day that has begun then

func TestNewRecordsAreReadWhenTheDayHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		march()
		v := &vault{cost: 100 * time.Millisecond, kept: map[schemas.Origin]int{schemas.DailyFreeze: 62, schemas.MonthlyFreeze: 12}}
		b := runBench(v.line(time.Minute), 40*day+time.Hour, func(l *lineLoop) {
			remembered(schemas.DailyFreeze, midnight)(l)
			l.meters[0].records[1].last = at(midnight)
		})
		if got := b.of(schemas.DailyFreeze); !slices.Equal(got, days("2000-03-01T16:00:00Z", 40)) {
			t.Errorf("daily records of %s", got)
		}
		if got, want := b.of(schemas.MonthlyFreeze), []time.Time{at("2000-03-31T16:00:00Z")}; !slices.Equal(got, want) {
			t.Errorf("monthly records of %s, want %s", got, want)
		}
		for _, a := range v.asked {
			if strings.HasSuffix(a, "daily_freeze 1") && !strings.Contains(a, "T16:02:") {
				t.Errorf("asked at %s, want two minutes after the day's end", a)
			}
			if strings.Contains(a, "freeze") && !strings.HasSuffix(a, " 1") {
				t.Errorf("asked for %s without a hole", a)
			}
		}
		b.checkCounts(t, time.Minute)
	})
}

func TestHolesAreRefilled(t *testing.T) {
	all := days("2000-02-20T16:00:00Z", 10) // after the last one known
	tests := []struct {
		name string
		v    vault
		last string
		want []time.Time
		lost int
	}{
		{"none known", vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 5}}, "", days("2000-02-25T16:00:00Z", 5), 0},
		{"nine days missed", vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}}, "2000-02-19T16:00:00Z", all, 0},
		{"one day missed", vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}}, "2000-02-27T16:00:00Z", all[8:], 0},
		{"none missed", vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}}, midnight, nil, 0},
		{"only four are kept", vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 4}}, "2000-02-19T16:00:00Z", all[6:], 6},
		{"only one is kept", vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 1}}, "2000-02-19T16:00:00Z", all[9:], 9},
		{"the meter was without power for three days", vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 62},
			lost: func(t time.Time) bool { return t.After(all[3]) && t.Before(all[7]) }},
			"2000-02-19T16:00:00Z", slices.Concat(all[:4], all[7:]), 3},
		{"and until now", vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}, lost: func(t time.Time) bool { return t.After(all[3]) }},
			"2000-02-19T16:00:00Z", all[:4], 0},
		{"its memory begins in the hole", vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}, lost: func(t time.Time) bool { return t.Before(all[5]) }},
			"2000-02-19T16:00:00Z", all[5:], 5},
		{"a refusal for what it does not hold", vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}, partly: true,
			refuse: map[schemas.Origin]error{schemas.DailyFreeze: failure(adapters.Config)}},
			"2000-02-19T16:00:00Z", all, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				march()
				v := tt.v
				v.cost = 100 * time.Millisecond
				b := runBench(v.line(time.Minute), 3*time.Hour, func(l *lineLoop) {
					if tt.last != "" {
						remembered(schemas.DailyFreeze, tt.last)(l)
					}
				})
				for _, r := range b.given {
					if r.Quality != schemas.Good {
						t.Errorf("the %s reading of %s is %s (%s)", r.Origin, r.TakenAt, r.Quality, r.Reason)
					}
				}
				got := b.of(schemas.DailyFreeze)
				if !slices.Equal(once(got), tt.want) || len(got) != len(tt.want) {
					t.Errorf("records of %s, want %s\n%s", got, tt.want, strings.Join(v.asked, "\n"))
				}
				if n := counters.Count(b.metrics.recordsLost); n != uint64(tt.lost) {
					t.Errorf("%d are counted as lost, want %d", n, tt.lost)
				}
				if last := b.meters[0].records[0].last; len(tt.want) > 0 && !last.Equal(tt.want[len(tt.want)-1]) {
					t.Errorf("remembers %s", last)
				}
				if live := b.of(schemas.Live); len(live) != 179 && len(live) != 180 {
					t.Errorf("%d live readings in 180 slots", len(live))
				}
			})
		})
	}
}

// A record that the meter holds and can never give does not keep those after it
// from being read while they are still there.
func TestABadRecordIsPassedOver(t *testing.T) {
	bad := at("2000-02-24T16:00:00Z")
	synctest.Test(t, func(t *testing.T) {
		march()
		v := &vault{cost: 100 * time.Millisecond, kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}, bad: bad.Equal}
		b := runBench(v.line(time.Minute), day, remembered(schemas.DailyFreeze, "2000-02-19T16:00:00Z"))
		want := slices.DeleteFunc(days("2000-02-20T16:00:00Z", 11), bad.Equal)
		if got := once(b.of(schemas.DailyFreeze)); !slices.Equal(got, want) {
			t.Errorf("records of %s, want %s", got, want)
		}
		if n := counters.Count(b.metrics.recordsLost); n != 1 {
			t.Errorf("%d are counted as lost", n)
		}
		if n := strings.Count(strings.Join(v.asked, "\n"), "freeze"); n < 11+passOver-1 || n > 30 {
			t.Errorf("%d records are asked for", n)
		}
	})
	bad = at("2000-02-29T22:00:00Z")
	synctest.Test(t, func(t *testing.T) {
		march()
		v := &vault{cost: 100 * time.Millisecond, load: 15 * time.Minute, kept: map[schemas.Origin]int{schemas.LoadRecord: 300}, bad: bad.Equal}
		b := runBench(v.line(time.Minute), day, func(l *lineLoop) {
			l.meters[0].load.holes = []hole{{From: at("2000-02-29T21:07:00Z"), To: time.Now()}}
		})
		want := slices.DeleteFunc(quarters("2000-02-29T21:15:00Z", 11), bad.Equal)
		if got := once(b.of(schemas.LoadRecord)); !slices.Equal(got, want) {
			t.Errorf("load records of %s, want %s", got, want)
		}
		if n := counters.Count(b.metrics.recordsLost); n != 1 {
			t.Errorf("%d load records are counted as lost", n)
		}
	})
}

// A new record moves the number of every other one, also in the middle of a
// refill.
func TestRecordsThatShiftAreNotMissed(t *testing.T) {
	shifted := 0
	for offset := range 60 {
		synctest.Test(t, func(t *testing.T) {
			march()
			v := &vault{cost: 30 * time.Second, kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}}
			// The day ends while the hole is filled.
			time.Sleep(16*time.Hour - time.Duration(offset)*20*time.Second - time.Minute)
			start := v.moments(schemas.DailyFreeze, time.Now())[0]
			b := runBench(v.line(5*time.Minute), 2*time.Hour, remembered(schemas.DailyFreeze, start.Add(-15*day).Format(time.RFC3339)))
			got := once(b.of(schemas.DailyFreeze))
			if want := days(start.Add(-14*day).Format(time.RFC3339), 16); !slices.Equal(got, want) {
				t.Errorf("offset %d: records of %s, want %s\n%s", offset, got, want, strings.Join(v.asked, "\n"))
			}
			if n := counters.Count(b.metrics.recordsLost); n != 0 {
				t.Errorf("offset %d: %d are counted as lost", offset, n)
			}
			if n := len(b.of(schemas.DailyFreeze)); n > 16 || strings.Count(strings.Join(v.asked, "\n"), "freeze") > 17 {
				shifted++
			}
		})
	}
	if shifted == 0 {
		t.Error("the numbers shifted in none of the refills")
	}
}

// A bill's record goes before live values, also on a line that is never idle.
func TestRecordsOfBillsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		march()
		v := &vault{cost: 300 * time.Millisecond, kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}}
		line := v.line(time.Second)
		for i := range 3 {
			id := schemas.MeterID(fmt.Sprint("busy", i))
			line.Meters = append(line.Meters, Meter{ID: id, Source: &scripted{cost: 400 * time.Millisecond, id: id}, Interval: time.Second})
		}
		b := runBench(line, 3*day, remembered(schemas.DailyFreeze, midnight))
		if got := b.of(schemas.DailyFreeze); !slices.Equal(got, days("2000-03-01T16:00:00Z", 3)) {
			t.Errorf("daily records of %s", got)
		}
		for _, a := range v.asked {
			if strings.Contains(a, "freeze") && !strings.Contains(a, "T16:02:0") {
				t.Errorf("asked at %s", a)
			}
		}
	})
}

// misdated is a meter that made one of its records while its clock was ahead.
type misdated struct {
	vault
	made, dated time.Time
}

func (m *misdated) ReadKept(ctx context.Context, o schemas.Origin, n int) ([]schemas.Reading, error) {
	readings, err := m.vault.ReadKept(ctx, o, n)
	for i := range readings {
		if readings[i].TakenAt.Equal(m.made) {
			readings[i].TakenAt = m.dated
		}
	}
	return readings, err
}

// One record that is dated ahead, in the middle of a hole or at its end, is handed
// on and doubted. It neither holds up the others, nor is it remembered: those of
// the days up to its date are read when they come.
func TestARecordDatedAheadInAHole(t *testing.T) {
	dated := at("2000-05-01T16:00:00Z")
	tests := []struct {
		name    string
		made    string
		prepare func(*archive)
		times   int // the record is handed on
	}{
		{"in the middle", "2000-02-24T16:00:00Z", func(r *archive) {}, 1},
		{"at its end, when it was the newest already", midnight, func(r *archive) {
			r.newest, r.cursor, r.due = dated, 10, time.Now().Add(time.Hour)
		}, 2}, // by the refill that was under way, and by the next
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				march()
				v := &misdated{vault: vault{cost: 10 * time.Second, kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}}, made: at(tt.made), dated: dated}
				line := v.line(time.Minute)
				line.Meters[0].Source = v
				b := runBench(line, 3*day, func(l *lineLoop) {
					remembered(schemas.DailyFreeze, "2000-02-19T16:00:00Z")(l)
					tt.prepare(l.meters[0].records[0])
				})
				got := b.of(schemas.DailyFreeze)
				want := slices.DeleteFunc(append(days("2000-02-20T16:00:00Z", 13), dated), v.made.Equal)
				if !slices.Equal(once(got), want) || len(got) != len(want)-1+tt.times {
					t.Errorf("records of %s, want %s\n%s", got, want, strings.Join(v.asked, "\n"))
				}
				if last := b.meters[0].records[0].last; !last.Equal(want[len(want)-2]) {
					t.Errorf("remembers %s", last)
				}
				for _, r := range b.given {
					if doubted := r.Reason == schemas.ReasonClock; doubted != r.TakenAt.Equal(dated) {
						t.Errorf("the record of %s is %s %s", r.TakenAt, r.Quality, r.Reason)
					}
				}
				if n := counters.Count(b.metrics.recordsLost); n != 1 {
					t.Errorf("%d are counted as lost, want the one that is misdated", n)
				}
			})
		})
	}
}
