package rollup

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"citygrid/hub/store"
	"citygrid/schemas"
)

// world is the truth about meters of a small town, what the collectors send of it and
// when, and a roll-up of it. Time goes in minutes.
type world struct {
	tb       testing.TB
	random   *rand.Rand
	series   Series
	write    func([]schemas.Reading)
	town     *Town
	meters   []*trueMeter
	installs map[schemas.MeterID][]schemas.Installation
	rollup   *Rollup
	minutes  int
	now      int // minute
	waiting  []sent
}

// sent is a reading and the minute in which it is stored.
type sent struct {
	at int
	r  schemas.Reading
}

// trueMeter is what really went through a meter's place, in 10^-5 primary units.
type trueMeter struct {
	id       schemas.MeterID
	cell     string
	quantity schemas.Quantity
	used     []int64 // until minute n
	good     []int   // minutes of good live readings
	own      []int   // minutes of records of its own memory
	recorded []int   // minutes of values on installation records
	late     map[int]int
}

// start is midnight in Shanghai.
var start = time.Date(2026, 3, 1, 16, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

const cellsOfTest = 12

func cellCode(n int) string { return fmt.Sprintf("110101%03d%03d%03d", 1+n/6, 1+n/3, n+1) }

func newWorld(tb testing.TB, seed uint64, meters, hours int) *world {
	w := &world{tb: tb, random: rand.New(rand.NewPCG(seed, 7)), minutes: hours * 60, installs: map[schemas.MeterID][]schemas.Installation{}}
	var cells []string
	for n := range cellsOfTest {
		cells = append(cells, cellCode(n))
	}
	var stays []Stay
	for n := range meters {
		m := &trueMeter{id: schemas.MeterID(fmt.Sprintf("M-%03d", n)), used: make([]int64, w.minutes+1), late: map[int]int{}}
		m.quantity = []schemas.Quantity{"water.volume.forward", "power.energy.import", "gas.volume.standard"}[n%3]
		if n%10 != 9 { // the others are in no cell
			m.cell = cellCode(w.random.IntN(cellsOfTest))
			stays = append(stays, Stay{Meter: m.id, Cell: m.cell})
		}
		w.live(m)
		w.meters = append(w.meters, m)
	}
	stays = append(stays, Stay{Meter: "silent", Cell: cellCode(0), Medium: schemas.Water})
	w.town = NewTown("1", cells, stays)
	slices.SortStableFunc(w.waiting, func(a, b sent) int { return a.at - b.at })
	return w
}

// live makes the life of a meter: swaps, another multiplier, rollovers, gaps, doubtful
// readings, records of its own memory, and readings that come late.
func (w *world) live(m *trueMeter) {
	interval := []int{3, 5, 15, 20, 60}[w.random.IntN(5)]
	for n := 0; n < w.minutes; {
		end := n + 90 + w.random.IntN(w.minutes)
		if w.random.IntN(3) > 0 || end > w.minutes {
			end = w.minutes + 1
		}
		w.install(m, n, end, interval)
		n = end
	}
}

func (w *world) install(m *trueMeter, from, end, interval int) {
	width := []int64{2_000, 100_000, 1_000_000_000}[w.random.IntN(3)]
	multiplier := []int64{1, 1000, 1500, 40_000}[w.random.IntN(4)]
	register := w.random.Int64N(width)
	of := func(v int64) map[schemas.Quantity]schemas.Decimal {
		return map[schemas.Quantity]schemas.Decimal{m.quantity: {Mantissa: v, Exponent: -2}}
	}
	i := schemas.Installation{Meter: m.id, From: minute(from), First: of(register), WrapsAt: of(width), Multiplier: schemas.Decimal{Mantissa: multiplier, Exponent: -3}}
	m.recorded = append(m.recorded, from)
	gap, late, unseen := 0, 0, int64(0)
	for n := from; n < end && n < w.minutes; n++ {
		grown := w.random.Int64N(min(max(width/2-unseen, 1), 30))
		if n > from {
			register, unseen = (register+grown)%width, unseen+grown
			m.used[n] = m.used[n-1] + grown*multiplier
		} else if n > 0 {
			m.used[n] = m.used[n-1]
		}
		switch w.random.IntN(200) {
		case 0:
			gap = n + w.random.IntN(200)
		case 1:
			late = n + w.random.IntN(300)
		}
		delay := 0
		if n < late {
			delay = late - n + w.random.IntN(60)
		}
		see := n > from && n >= gap && (n+int(m.id[4]))%interval == 0 || unseen > width/4
		r := schemas.Reading{Meter: m.id, Quantity: m.quantity, TakenAt: minute(n).Add(time.Duration(1+w.random.IntN(999)) * 30 * time.Millisecond), Value: schemas.Decimal{Mantissa: register, Exponent: -2}}
		info, _ := m.quantity.Info()
		r.Unit = info.Unit
		switch {
		case see:
			unseen = 0
			m.good = append(m.good, n)
			m.late[n] = delay
			w.waiting = append(w.waiting, sent{n + 1 + delay, r})
		case w.random.IntN(40) == 0:
			r.Quality, r.Reason, r.Value.Mantissa = schemas.Suspect, schemas.ReasonJump, w.random.Int64N(width)
			w.waiting = append(w.waiting, sent{n + 1 + delay, r})
		case w.random.IntN(40) == 0:
			r.Origin, r.TakenAt = schemas.LoadRecord, minute(n)
			m.own = append(m.own, n)
			w.waiting = append(w.waiting, sent{n + 1 + w.random.IntN(30), r})
		}
	}
	if end <= w.minutes {
		i.To, i.Last = minute(end), of(register)
		m.recorded = append(m.recorded, end)
		m.used[end] = m.used[end-1]
	}
	for n := max(from, 1); n <= w.minutes && n >= end; n++ {
		m.used[n] = m.used[n-1]
	}
	if err := i.Validate(); err != nil {
		w.tb.Fatal(err)
	}
	w.installs[m.id] = append(w.installs[m.id], i)
}

// begin starts a roll-up, as a hub that starts does.
func (w *world) begin() {
	r, err := New(Options{Series: w.series, Installations: func(id schemas.MeterID) []schemas.Installation { return w.installs[id] }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.tb.Fatal(err)
	}
	r.SetTown(w.town)
	w.rollup = r
}

// run lets time go on, storing what is sent and working every few minutes.
func (w *world) run(to, every int) {
	w.tb.Helper()
	for ; w.now <= to; w.now++ {
		var batch []schemas.Reading
		for len(w.waiting) > 0 && w.waiting[0].at <= w.now {
			batch = append(batch, w.waiting[0].r)
			w.waiting = w.waiting[1:]
		}
		if len(batch) > 0 {
			w.write(batch)
			w.rollup.Stored(batch, minute(w.now))
		}
		if w.now%every == 0 {
			w.work()
		}
	}
}

func (w *world) work() {
	w.tb.Helper()
	if err := w.rollup.Work(context.Background(), minute(w.now)); err != nil {
		w.tb.Fatal(err)
	}
}

// known is the minute of the last value at or before the end of an hour that may be
// counted with; -1 for none. A record of the meter's own memory may where a live
// reading follows until three minutes after the hour that it is of, and before the
// first live reading of the one that was fitted last.
func (m *trueMeter) known(hour int) int {
	t := hour * 60
	last := -1
	for _, n := range slices.Concat(m.good, m.recorded) {
		if n < t || n == t && slices.Contains(m.recorded, n) {
			last = max(last, n)
		}
	}
	fitted := 0
	for _, f := range m.recorded {
		if f < t {
			fitted = f
		}
	}
	alone := !slices.ContainsFunc(m.good, func(g int) bool { return g >= fitted && g < t })
	for _, n := range m.own {
		if alone && n >= fitted && n <= t {
			last = max(last, n)
		}
		if n <= t && n > t-60 && n > last && slices.ContainsFunc(m.good, func(g int) bool { return g > n && g < t+3 }) {
			last = max(last, n)
		}
	}
	return last
}

// truth is what one meter shows of an hour.
func (m *trueMeter) truth(hour int) (units int64, counted bool) {
	from, to := m.known(hour), m.known(hour+1)
	if from < 0 || to < 0 || from == to {
		return 0, false
	}
	return m.used[to] - m.used[from], true
}

// check holds every figure of the hours against the truth. It returns the number of
// meter-hours that were missing.
func (w *world) check(hours int) (missing int) {
	w.tb.Helper()
	for h := range hours {
		for _, medium := range Media() {
			got, err := w.rollup.Cells(context.Background(), medium, minute(h*60), minute(h*60+60))
			if err != nil {
				w.tb.Fatal(err)
			}
			want := make([]Figure, w.town.Nowhere()+1)
			for _, m := range w.meters {
				info, _ := m.quantity.Info()
				if info.Medium != medium {
					continue
				}
				f := &want[w.town.Index(m.cell)]
				f.Meters++
				units, counted := m.truth(h)
				if counted {
					sum, _ := f.Value.Add(schemas.Decimal{Mantissa: units, Exponent: -5})
					f.Value, f.Known, f.Counted = sum, true, f.Counted+1
				} else {
					missing++
				}
			}
			if medium == schemas.Water {
				want[0].Meters++ // the silent one
			}
			for n := range want {
				f, g := &want[n], &got.Figures[n]
				if f.Meters != g.Meters && n != w.town.Nowhere() || f.Counted != g.Counted || f.Known != g.Known || f.Known && f.Value.Cmp(g.Value) != 0 {
					w.tb.Errorf("hour %d, %s, place %d: got %+v, want value %s of %d meters, %d counted", h, medium, n, *g, f.Value, f.Meters, f.Counted)
				}
			}
			w.checkAreas(h, medium, got.Figures)
		}
	}
	return missing
}

// checkAreas holds areas and the city against the sums of their cells.
func (w *world) checkAreas(h int, medium schemas.Medium, cells []Figure) {
	w.tb.Helper()
	for _, area := range []string{"", cellCode(0)[:6], cellCode(0)[:9], cellCode(7)[:12], cellCode(3)} {
		var want Figure
		from, to := w.town.Range(area)
		for n := from; n < to; n++ {
			want.Beside(&cells[n])
		}
		list, err := w.rollup.Hours(context.Background(), area, medium, minute(h*60), minute(h*60+60))
		if err != nil || len(list) != 1 || !list[0].Final {
			w.tb.Fatalf("hour %d of %q: %v, %+v", h, area, err, list)
		}
		got := Figure{}
		if list[0].Of != nil {
			got = *list[0].Of
		}
		if got.Value.Cmp(want.Value) != 0 || got.Known != want.Known || got.Counted != want.Counted || got.Meters != want.Meters || got.Got != want.Got {
			w.tb.Errorf("hour %d of %q, %s: got %+v, want %+v", h, area, medium, got, want)
		}
	}
}

// memory is a Series without a server.
type memory struct {
	readings []schemas.Reading
	hours    map[string]store.CellHour
	asked    int
	fail     error
}

func newMemory() *memory { return &memory{hours: map[string]store.CellHour{}} }

func (m *memory) each(from, to time.Time, fn func(schemas.Reading) error) error {
	m.asked++
	for _, r := range m.readings {
		if m.fail != nil {
			return m.fail
		}
		if !r.TakenAt.Before(from) && !r.TakenAt.After(to) {
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) put(batch []schemas.Reading) {
	m.readings = append(m.readings, batch...)
	slices.SortStableFunc(m.readings, func(a, b schemas.Reading) int { return a.TakenAt.Compare(b.TakenAt) })
}

func (m *memory) Counters(_ context.Context, q []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error {
	return m.each(from, to, func(r schemas.Reading) error {
		if !slices.Contains(q, r.Quantity) {
			return nil
		}
		return fn(r)
	})
}

func (m *memory) Registers(ctx context.Context, meters []schemas.MeterID, q []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error {
	return m.Counters(ctx, q, from, to, func(r schemas.Reading) error {
		if !slices.Contains(meters, r.Meter) {
			return nil
		}
		return fn(r)
	})
}

func (m *memory) LastGood(ctx context.Context, meters []schemas.MeterID, q []schemas.Quantity, since, before time.Time, fn func(schemas.Reading) error) error {
	last := map[string]schemas.Reading{}
	err := m.Counters(ctx, q, since, before.Add(-time.Millisecond), func(r schemas.Reading) error {
		if r.Quality == schemas.Good && (meters == nil || slices.Contains(meters, r.Meter)) {
			last[fmt.Sprint(r.Meter, r.Quantity, r.Origin)] = r
		}
		return nil
	})
	for _, r := range last {
		if err == nil {
			err = fn(r)
		}
	}
	return err
}

func (m *memory) CountCounters(ctx context.Context, q []schemas.Quantity, from, to time.Time, fn func(time.Time, int64) error) error {
	counts := map[time.Time]int64{}
	err := m.Counters(ctx, q, from, to.Add(-time.Millisecond), func(r schemas.Reading) error {
		counts[r.TakenAt.Truncate(time.Hour)]++
		return nil
	})
	for hour, n := range counts {
		if err == nil {
			err = fn(hour, n)
		}
	}
	return err
}

func (m *memory) StoreCellHours(_ context.Context, areas bool, list []store.CellHour) error {
	if m.fail != nil {
		return m.fail
	}
	for _, h := range list {
		m.hours[fmt.Sprintf("%v %s %s %d", areas, h.Place, h.Medium, h.Hour.Unix())] = h
	}
	return nil
}

func (m *memory) CellHours(_ context.Context, areas bool, place string, medium schemas.Medium, from, to time.Time, fn func(store.CellHour) error) error {
	for key, h := range m.hours {
		if key[:1] == fmt.Sprint(areas)[:1] && (place == "" || h.Place == place) && (medium == "" || h.Medium == medium) && !h.Hour.Before(from) && h.Hour.Before(to) {
			if err := fn(h); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) CellSums(ctx context.Context, medium schemas.Medium, from, to time.Time, fn func(store.CellHour) error) error {
	sums := map[string]*Figure{}
	err := m.CellHours(ctx, false, "", medium, from, to, func(h store.CellHour) error {
		if sums[h.Place] == nil {
			sums[h.Place] = &Figure{}
		}
		f := figureOf(&h)
		sums[h.Place].After(&f)
		return nil
	})
	for place, f := range sums {
		if err == nil {
			err = fn(record(place, groupOf(medium), from.UnixMilli(), f))
		}
	}
	return err
}
