package year

import (
	"fmt"
	"iter"
	"runtime"
	"sync"
	"time"

	"citygrid/schemas"
)

const (
	minute = int64(60)
	hour   = 60 * minute
	day    = 24 * hour
)

// tail is for how many days after the last one a place uses something: a
// purchase of the last day may be loaded so much later.
const tail = 40

// Options says what world to make.
type Options struct {
	Seed   uint64
	Places int
	// Start is the first day, in Zone; its time of day is ignored. The zero Start
	// is 2026-03-01.
	Start time.Time
	// Days is the length of the world; 0 is 365.
	Days int
	// Zone is the city's; nil is UTC+8. Its offset must not change in the world.
	Zone *time.Location
	// CutOff is when the city's accounting day ends, for card entries; 0 is
	// 23:00. Channels have cut-offs of their own (Channels).
	CutOff time.Duration
	// StateEvery is how many days lie between two states of a meter with remote
	// reading; there is one more at the 1st of each month, 00:00. 0 is 3, the
	// largest with which no meter is STALE on any day.
	StateEvery int
	// Discrepancies is how many facts are wrong: one in a household at most, all
	// causes in turn.
	Discrepancies int
	// Only limits the causes to those named (Causes); nil is all.
	Only []string
	// Recent makes all of them happen lately, so that a young city has something to find
	// each day: in the last Recent days of the world they fall due (Place.Due), as far as
	// visits and holds let them; what falls due after the last day is not in the list.
	// Days is then 75 to 90, in which no price changes. 0: they happen whenever they
	// can stand at a month's end after their hold.
	Recent int
	// Plain makes every channel send the same layout: UTF-8, LF and English names.
	Plain bool
	// Quiet leaves out what looks unusual and is not wrong: refunds, replaced
	// cards and meters, loads told twice.
	Quiet bool
}

// World is a year of a city. It holds little more than its options: places are
// made when they are asked for, and are the same each time. Its methods may be
// called by several goroutines.
type World struct {
	opt        Options
	start, end int64 // of the first day and of the day after the last one
	first      int32 // the first day, from 1970-01-01
	plans      []plan
	monthFirst []bool
	causes     []cause
	wrong      map[int32]wrong // by household
}

// wrong is what goes wrong in a household.
type wrong struct {
	place int32
	cause int16
	last  bool // of a recent world: it falls due on the last day
}

// New returns the world, or what is wrong with the options.
func New(o Options) (*World, error) {
	w := &World{opt: o.withDefaults()}
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("year: %w", err)
	}
	y, m, d := w.opt.Start.In(w.opt.Zone).Date()
	start := time.Date(y, m, d, 0, 0, 0, 0, w.opt.Zone)
	w.start = start.Unix()
	w.end = w.start + int64(w.opt.Days)*day
	w.first = int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / day)
	if last := time.Date(y, m, d+w.opt.Days+tail, 0, 0, 0, 0, w.opt.Zone); last.Unix() != w.end+tail*day {
		return nil, fmt.Errorf("year: zone %s changes its offset in the world; take one without summer time", w.opt.Zone)
	}
	for i := range w.opt.Days + tail {
		w.monthFirst = append(w.monthFirst, start.AddDate(0, 0, i).Day() == 1)
	}
	w.plans = w.makePlans()
	if err := w.assign(); err != nil {
		return nil, fmt.Errorf("year: %w", err)
	}
	return w, nil
}

func (o Options) withDefaults() Options {
	if o.Zone == nil {
		o.Zone = time.FixedZone("UTC+8", int(8*hour))
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 3, 1, 0, 0, 0, 0, o.Zone)
	}
	if o.Days == 0 {
		o.Days = 365
	}
	if o.CutOff == 0 {
		o.CutOff = 23 * time.Hour
	}
	if o.StateEvery == 0 {
		o.StateEvery = 3
	}
	return o
}

func (w *World) check() error {
	o := &w.opt
	switch {
	case o.Places < 1 || o.Places > 9_000_000:
		return fmt.Errorf("%d places: want 1 to 9000000", o.Places)
	case o.Days < 60 || o.Days > 730:
		return fmt.Errorf("%d days: want 60 to 730", o.Days)
	case o.CutOff < 12*time.Hour || o.CutOff > 24*time.Hour:
		return fmt.Errorf("cut-off %s: want 12 h to 24 h after midnight", o.CutOff)
	case o.StateEvery < 2 || o.StateEvery > 28:
		return fmt.Errorf("a state every %d days: want 2 to 28", o.StateEvery)
	case o.Recent < 0 || o.Recent > 0 && (o.Days < 75 || o.Days > 90 || o.Recent > o.Days-65):
		return fmt.Errorf("recent %d of %d days: want 75 to 90 days, and at least 65 before the recent ones", o.Recent, o.Days)
	case o.Discrepancies > 0 && o.Recent == 0 && o.Days < 330:
		return fmt.Errorf("discrepancies in %d days: their holds and spells want at least 330", o.Days)
	}
	return nil
}

// Options returns the options with their defaults.
func (w *World) Options() Options { return w.opt }

// FirstDay and LastDay are accounting days from 1970-01-01.
func (w *World) FirstDay() int32 { return w.first }

// LastDay is the last accounting day of which there are rows.
func (w *World) LastDay() int32 { return w.first + int32(w.opt.Days) - 1 }

func (w *World) dayStart(i int) int64 { return w.start + int64(i)*day }

// split returns the day of the world and the seconds since its start.
func (w *World) split(t int64) (index, seconds int64) {
	index = min(max(floorDiv(t-w.start, day), 0), int64(w.opt.Days+tail-2))
	return index, min(max(t-w.start-index*day, 0), day)
}

// dayOf returns the accounting day of t with a cut-off.
func (w *World) dayOf(t int64, cutOff int64) int32 {
	return w.first + int32(floorDiv(t-w.start+day-cutOff, day))
}

// entryDay returns the accounting day of a card entry taken at t.
func (w *World) entryDay(t int64) int32 { return w.dayOf(t, int64(w.opt.CutOff/time.Second)) }

// home is where a place is: places come in tens, which are four households.
type home struct {
	household int32
	first     int // the first place of the household
	utility   schemas.Medium
}

func homeOf(place int) home {
	houses := [10]int32{0, 0, 0, 1, 1, 1, 2, 2, 3, 3}
	firsts := [10]int{0, 0, 0, 3, 3, 3, 6, 6, 8, 8}
	utilities := [10]schemas.Medium{schemas.Water, schemas.Power, schemas.Gas, schemas.Water, schemas.Power, schemas.Gas,
		schemas.Water, schemas.Power, schemas.Power, schemas.Gas}
	ten, in := place/10, place%10
	return home{int32(ten)*4 + houses[in], ten*10 + firsts[in], utilities[in]}
}

// assign chooses the households in which something is wrong, and what.
func (w *World) assign() error {
	w.causes = w.timely(causes(w.opt.Only))
	w.wrong = make(map[int32]wrong, w.opt.Discrepancies)
	if len(w.causes) == 0 {
		return fmt.Errorf("no cause is named %q; Causes has the names", w.opt.Only)
	}
	order := make([]int32, w.opt.Places)
	for i := range order {
		order[i] = int32(i)
	}
	d := dice(mix(w.opt.Seed, 1))
	for i := len(order) - 1; i > 0; i-- {
		j := d.span(0, int64(i))
		order[i], order[j] = order[j], order[i]
	}
	var waiting []int16
	for _, p := range order {
		if len(w.wrong) == w.opt.Discrepancies {
			return nil
		}
		h := homeOf(int(p))
		if _, taken := w.wrong[h.household]; taken {
			continue
		}
		if len(waiting) == 0 {
			for c := range w.causes {
				waiting = append(waiting, int16(c))
			}
		}
		for i, c := range waiting {
			if w.causes[c].suits(h.utility) {
				w.wrong[h.household] = wrong{p, c, len(w.wrong)%lastOf == 0}
				waiting = append(waiting[:i], waiting[i+1:]...)
				break
			}
		}
	}
	if n := len(w.wrong); n < w.opt.Discrepancies {
		return fmt.Errorf("%d discrepancies in %d places: there is room for %d, one in a household", w.opt.Discrepancies, w.opt.Places, n)
	}
	return nil
}

// chunk is how many places a worker makes at once.
const chunk = 32

// Places returns every place in order. Up to GOMAXPROCS goroutines make them a
// little ahead; they have ended when the loop has.
func (w *World) Places() iter.Seq[*Place] {
	return func(yield func(*Place) bool) {
		workers := runtime.GOMAXPROCS(0)
		queue := make(chan chan []*Place, 2*workers)
		jobs := make(chan job)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { w.dispatch(queue, jobs, stop) })
		for range workers {
			wg.Go(func() {
				for j := range jobs {
					j.out <- w.make(j.from)
				}
			})
		}
		defer wg.Wait()
		defer close(stop)
		for out := range queue {
			for _, p := range <-out {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// job asks for the chunk of places that begins at from.
type job struct {
	from int
	out  chan []*Place // has room for the answer: nobody waits for a reader that left
}

// dispatch gives out the chunks, and queues their results in order.
func (w *World) dispatch(queue chan<- chan []*Place, jobs chan<- job, stop <-chan struct{}) {
	defer close(jobs)
	defer close(queue)
	for from := 0; from < w.opt.Places; from += chunk {
		j := job{from, make(chan []*Place, 1)}
		select {
		case queue <- j.out:
		case <-stop:
			return
		}
		select {
		case jobs <- j:
		case <-stop:
			j.out <- nil
			return
		}
	}
}

func (w *World) make(from int) []*Place {
	to := min(from+chunk, w.opt.Places)
	out := make([]*Place, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, w.Place(i))
	}
	return out
}

// Injected returns all that a reconciliation must report about the world, by
// place. It makes only the places concerned.
func (w *World) Injected() []Difference {
	var out []Difference
	for p := range w.Wrong() {
		out = append(out, p.Injected...)
	}
	return out
}

// Wrong returns the places about which there is something to report, in order.
func (w *World) Wrong() iter.Seq[*Place] {
	return func(yield func(*Place) bool) {
		for i := range w.opt.Places {
			if x, ok := w.wrong[homeOf(i).household]; ok && int(x.place) == i && !yield(w.Place(i)) {
				return
			}
		}
	}
}
