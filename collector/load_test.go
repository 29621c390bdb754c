package collector

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/internal/counters"
	"citygrid/schemas"
)

// quarters lists n moments, a quarter of an hour apart.
func quarters(from string, n int) (list []time.Time) {
	for i := range n {
		list = append(list, at(from).Add(time.Duration(i)*15*time.Minute))
	}
	return list
}

// within says when a meter is dead.
func within(from, to string) func(time.Time) bool {
	return func(t time.Time) bool { return !t.Before(at(from)) && t.Before(at(to)) }
}

// Of a load profile only what lies in a hole of the live readings is read. The
// run begins at 2000-03-01 00:00.
func TestHolesAreFilledFromTheLoadProfile(t *testing.T) {
	tests := []struct {
		name string
		v    vault
		live string // of the state file
		want []time.Time
		lost int
		asks int // for records, at most
	}{
		{"no hole", vault{}, "", nil, 0, 0},
		{"no hole since the last run", vault{}, "2000-03-01T00:00:00Z", nil, 0, 0},
		{"the collector was down for three hours", vault{}, "2000-02-29T21:07:00Z", quarters("2000-02-29T21:15:00Z", 12), 0, 18},
		{"down for five minutes without a record", vault{}, "2000-02-29T23:55:00Z", quarters("2000-03-01T00:00:00Z", 1), 0, 6},
		{"the meter was silent for an hour", vault{dead: within("2000-03-01T01:05:00Z", "2000-03-01T02:05:00Z")}, "",
			quarters("2000-03-01T01:15:00Z", 4), 0, 10},
		{"both", vault{dead: within("2000-03-01T01:05:00Z", "2000-03-01T02:05:00Z")}, "2000-02-29T23:07:00Z",
			slices.Concat(quarters("2000-02-29T23:15:00Z", 4), quarters("2000-03-01T01:15:00Z", 4)), 0, 18},
		{"its memory is shorter than the hole", vault{kept: map[schemas.Origin]int{schemas.LoadRecord: 4}}, "2000-02-29T21:07:00Z",
			quarters("2000-02-29T23:15:00Z", 4), 8, 10},
		{"it was without power for a part of it", vault{lost: within("2000-02-29T22:00:00Z", "2000-02-29T22:45:00Z")}, "2000-02-29T21:07:00Z",
			slices.Concat(quarters("2000-02-29T21:15:00Z", 3), quarters("2000-02-29T22:45:00Z", 6)), 3, 24},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				march()
				v := tt.v
				v.cost, v.load = 100*time.Millisecond, 15*time.Minute
				if v.kept == nil {
					v.kept = map[schemas.Origin]int{schemas.LoadRecord: 300}
				}
				b := runBench(v.line(time.Minute), 4*time.Hour, func(l *lineLoop) {
					if tt.live != "" {
						m := &memory{meters: map[schemas.MeterID]meterMemory{"v": {}}}
						known := m.meters["v"]
						known.Verdict.LiveAt = at(tt.live)
						m.meters["v"] = known
						m.recall(l)
					}
				})
				asked := slices.DeleteFunc(slices.Clone(v.asked), func(a string) bool { return !strings.Contains(a, "load_record") })
				if got := b.of(schemas.LoadRecord); !slices.Equal(got, tt.want) || len(asked) > tt.asks {
					t.Errorf("records of %s, want %s\nasked, at most %d times:\n%s", got, tt.want, tt.asks, strings.Join(asked, "\n"))
				}
				if n := counters.Count(b.metrics.recordsLost); n != uint64(tt.lost) {
					t.Errorf("%d are counted as lost, want %d", n, tt.lost)
				}
				if h := b.meters[0].load.holes; len(h) != 0 {
					t.Errorf("holes are left: %v", h)
				}
				b.checkCounts(t, time.Minute)
			})
		})
	}
}

// What is left of a hole is remembered across a restart.
func TestHolesAreRemembered(t *testing.T) {
	left := []hole{{From: at("2000-02-29T20:00:00Z"), To: at("2000-02-29T21:00:00Z")}}
	synctest.Test(t, func(t *testing.T) {
		march()
		v := &vault{cost: 100 * time.Millisecond, load: 15 * time.Minute, kept: map[schemas.Origin]int{schemas.LoadRecord: 300}}
		var kept meterMemory
		b := runBench(v.line(time.Minute), time.Hour, func(l *lineLoop) {
			m := &memory{meters: map[schemas.MeterID]meterMemory{"v": {Records: map[schemas.Origin]recordState{schemas.LoadRecord: {Holes: left}}}}}
			m.recall(l)
			kept = l.meters[0].memory()
		})
		if got := kept.Records[schemas.LoadRecord].Holes; !slices.Equal(got, left) {
			t.Errorf("remembers %v", got)
		}
		if got := b.of(schemas.LoadRecord); !slices.Equal(got, quarters("2000-02-29T20:15:00Z", 3)) {
			t.Errorf("records of %s\n%s", got, strings.Join(v.asked, "\n"))
		}
		if _, ok := b.meters[0].memory().Records[schemas.LoadRecord]; ok {
			t.Error("a hole that is filled is remembered")
		}
	})
}

func TestHolesAreBounded(t *testing.T) {
	b := &loadBook{kept: 300}
	moment := at(midnight)
	for range 3 * maxHoles {
		moment = moment.Add(time.Hour)
		b.noteLive(moment, time.Minute)
	}
	if len(b.holes) != maxHoles || !b.holes[0].From.Equal(at(midnight).Add(time.Hour)) || !b.holes[maxHoles-1].To.Equal(moment) {
		t.Errorf("%d holes from %s to %s", len(b.holes), b.holes[0].From, b.holes[len(b.holes)-1].To)
	}
}

// A meter that is set anew makes its records at other minutes than it did when
// its period was learnt. None is passed over.
func TestLoadRecordsAreLookedForAroundTheirPlace(t *testing.T) {
	for phase := range 15 {
		for _, down := range []string{"2000-03-01T02:01:00Z", "2000-03-01T02:05:00Z", "2000-03-01T02:09:00Z", "2000-03-01T02:14:00Z"} {
			synctest.Test(t, func(t *testing.T) {
				march()
				back := at(down).Add(time.Hour)
				v := &vault{cost: 100 * time.Millisecond, load: 15 * time.Minute, kept: map[schemas.Origin]int{schemas.LoadRecord: 300},
					wrong: at("2000-03-01T01:00:00Z"), phase: time.Duration(phase) * time.Minute,
					dead: func(t time.Time) bool {
						return within("2000-03-01T00:20:00Z", "2000-03-01T00:50:00Z")(t) || within(down, back.Format(time.RFC3339))(t)
					}}
				b := runBench(v.line(time.Minute), 5*time.Hour)
				got := b.of(schemas.LoadRecord)
				for _, q := range quarters("2000-03-01T02:00:00Z", 5) {
					// Within an hour at most one lies at the edge of the hole.
					if q = q.Add(v.phase); q.After(at(down)) && q.Before(back) && !slices.Contains(got, q) {
						t.Errorf("phase %d, down at %s: the record of %s is missing, got %s", phase, down, q, got)
					}
				}
				if n := counters.Count(b.metrics.recordsLost); n != 0 {
					t.Errorf("phase %d, down at %s: %d are counted as lost", phase, down, n)
				}
			})
		}
	}
}

// A read that is one interval late leaves no hole, and a hole too short for any
// record is not asked about once the period is known.
func TestShortHolesAreSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		march()
		v := &vault{cost: 100 * time.Millisecond, load: 15 * time.Minute, kept: map[schemas.Origin]int{schemas.LoadRecord: 300},
			dead: func(t time.Time) bool { // an hour, so that the period is learnt; then three minutes between two records
				return within("2000-03-01T00:20:00Z", "2000-03-01T01:20:00Z")(t) || within("2000-03-01T02:03:00Z", "2000-03-01T02:06:00Z")(t)
			}}
		b := runBench(v.line(time.Minute), 4*time.Hour)
		for _, a := range v.asked {
			if strings.Contains(a, "load_record") && a > "2000-03-01T02" {
				t.Errorf("asked at %s", a)
			}
		}
		if got := b.of(schemas.LoadRecord); !slices.Equal(got, quarters("2000-03-01T00:30:00Z", 4)) {
			t.Errorf("records of %s", got)
		}
	})
}

// A record is given up for its own failures alone: neither for those of the
// record before it, nor for those of the questions by which the period was learnt.
func TestEachLoadRecordHasItsOwnPatience(t *testing.T) {
	oldest, first, second := at("2000-02-20T00:00:00Z"), at("2000-02-23T00:00:00Z"), at("2000-02-24T00:00:00Z")
	const often = passOver - 2 // failures in a row, after which it can be read
	tests := []struct {
		name   string
		fails  map[time.Time]int
		learnt int // failures before the first answer
		lost   int
	}{
		{"while the period is learnt, then the oldest", map[time.Time]int{oldest: often}, often, 0},
		{"the first, then the second", map[time.Time]int{first: often, second: often}, 0, 0},
		{"the first is given up, then the second", map[time.Time]int{first: 99, second: often}, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				march()
				asked := 0
				v := &vault{cost: 100 * time.Millisecond, load: day, kept: map[schemas.Origin]int{schemas.LoadRecord: 60},
					bad: func(moment time.Time) bool {
						asked++
						tt.fails[moment]--
						return asked <= tt.learnt || tt.fails[moment] >= 0
					}}
				b := runBench(v.line(time.Minute), 16*time.Hour, func(l *lineLoop) {
					l.meters[0].load.holes = []hole{{From: at("2000-02-19T12:00:00Z"), To: time.Now()}}
				})
				want := days("2000-02-20T00:00:00Z", 10)
				if tt.lost > 0 {
					want = slices.DeleteFunc(want, first.Equal)
				}
				if got := b.of(schemas.LoadRecord); !slices.Equal(got, want) {
					t.Errorf("records of %s, want %s\n%s", got, want, strings.Join(v.asked, "\n"))
				}
				if n := counters.Count(b.metrics.recordsLost); n != uint64(tt.lost) {
					t.Errorf("%d are counted as lost, want %d", n, tt.lost)
				}
			})
		})
	}
}
