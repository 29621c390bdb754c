package collector

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// Accounts says what became of every slot of every meter's schedule, hour by hour, so
// that the hub knows what should have come. A line marks a slot as answered when it hands
// readings of it to the sealer, and as lost, with the reason, when it goes by without.
//
//	lines -> slotBook (open hours) -> owed (hours that are over) -> batch -> spool
//	                            \--> lapses (long times without a read) --/
//
// The file accounts.state holds both. It never says "answered" of readings that are not
// durable in the spool; what it does not know after a kill is told as collector_off, and
// the hub lets a reading that it has count for more than any reason. An account that
// is told twice changes nothing [schemas.SlotAccount], so owed accounts leave the file
// only after they are durable in the spool.
type Accounts struct {
	path string
	log  *slog.Logger
	out  *enclosures

	mu    sync.Mutex
	books map[schemas.MeterID]*slotBook
	// retired are the schedules of meters that are no longer configured: the spool may
	// hold readings of theirs.
	retired map[schemas.MeterID]planned
	owed    map[accountKey]*hourSlots
	// closing are hours that are over, of which not every reading is known to be
	// durable.
	closing map[accountKey]*hourSlots
	// lapses are owed as well; leapt are to closing what they are to owed.
	lapses, leapt []lapse
	// settled is what the file says of the books.
	settled accountState
	failed  bool // the last write
	clock   evenClock
	began   time.Time
}

// accountKey is what accounts add up under.
type accountKey struct {
	meter schemas.MeterID
	hour  int64 // seconds since the epoch
	schemas.Schedule
}

// slotOpen and slotRead are states of a slot; between them is 1 + the rank of its loss.
const (
	slotOpen uint8 = 0
	slotRead uint8 = 255
)

// rankOf is the state of a slot with a loss.
func rankOf(l schemas.Loss) uint8 { return 1 + uint8(slices.Index(schemas.Losses(), l)) }

// hourSlots is what became of the slots of one hour; those from first on are planned.
type hourSlots struct {
	first  uint32
	states []uint8
	// version counts changes of an owed hour: one that changed while it was on its way
	// is told again.
	version uint64
}

// mark gives a slot a state, unless it has a higher one.
func (h *hourSlots) mark(slot uint32, state uint8) {
	if int(slot) < len(h.states) && slot >= h.first && h.states[slot] < state {
		h.states[slot] = state
	}
}

// open counts the slots of which nothing is known.
func (h *hourSlots) open() (n int) {
	for _, s := range h.states[h.first:] {
		if s == slotOpen {
			n++
		}
	}
	return n
}

// planned is a meter's schedule and since when account is kept of it; zero: not known.
type planned struct {
	schemas.Schedule
	since time.Time
}

// keptSince is the moment as an account can name it, not before it.
func keptSince(now time.Time) time.Time {
	return now.UTC().Add(time.Millisecond - 1).Truncate(time.Millisecond)
}

// slotBook is the open hours of one meter. A nil book takes no notes.
type slotBook struct {
	meter schemas.MeterID
	planned

	mu sync.Mutex
	// from is the first moment that is planned, closed the hour up to which all is told.
	from   time.Time
	closed time.Time
	hours  map[int64]*hourSlots
	// reason is why slots go by now.
	reason schemas.Loss
	// done and lapses are what leap has put aside.
	done   map[accountKey]*hourSlots
	lapses []lapse
}

const (
	// accountGrace is how long after the end of its slots an hour may still get answers.
	accountGrace = 2 * time.Minute
	// accountBack bounds how far back slots are accounted for. A clock that leaps, or a
	// box that was in a drawer for a year, must not fill the memory.
	accountBack = 31 * 24 * time.Hour
	// accountsEvery is the time between two looks at what is over, and the most that a
	// kill takes from the account.
	accountsEvery = 2 * time.Minute
)

// hour returns the hour's slots; nil where nothing is planned, or all is told.
func (b *slotBook) hour(hour time.Time) *hourSlots {
	if hour.Before(b.closed) {
		return nil
	}
	if h := b.hours[hour.Unix()]; h != nil {
		return h
	}
	n := b.Slots(hour)
	h := &hourSlots{states: make([]uint8, n)}
	for h.first < n && b.Begin(hour, h.first).Before(b.from) {
		h.first++
	}
	if h.first == n {
		return nil
	}
	b.hours[hour.Unix()] = h
	return h
}

// mark gives the slot that a moment lies in a state.
func (b *slotBook) mark(at time.Time, state uint8) {
	hour, n := b.Slot(at)
	if h := b.hour(hour); h != nil {
		h.mark(n, state)
	}
}

// answered notes live readings that are handed to the sealer.
func (b *slotBook) answered(readings []schemas.Reading) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reason = schemas.LossBusy
	var last time.Time
	for i := range readings {
		if r := &readings[i]; r.Origin == schemas.Live && !r.TakenAt.Equal(last) {
			b.mark(r.TakenAt, slotRead)
			last = r.TakenAt
		}
	}
}

// failed notes that the read of a slot gave nothing.
func (b *slotBook) failed(slot time.Time, err error) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reason = lossOf(err)
	b.mark(slot, rankOf(b.reason))
}

// passed notes that the n slots from first on went by; a loss of "" stands for what the
// last read came to.
func (b *slotBook) passed(first time.Time, n int64, loss schemas.Loss) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if loss == "" {
		loss = b.reason
	}
	if most := int64(accountBack / b.Interval); n > most {
		first, n = first.Add(time.Duration(n-most)*b.Interval), most
	}
	if whole := time.Duration(n) * b.Interval; whole > lapseWorth && n > 1 {
		b.leap(first, first.Add(whole), loss)
		return
	}
	for ; n > 0; n-- {
		b.mark(first, rankOf(loss))
		first = first.Add(b.Interval)
	}
}

// lossOf says what the failure of a read comes to.
func lossOf(err error) schemas.Loss {
	switch {
	case isUnreachable(err):
		return schemas.LossLine
	case adapters.ClassOf(err) == adapters.Transient:
		return schemas.LossSilent
	}
	return schemas.LossRefused
}

// over takes out the hours that are over. Those with open slots wait, at most until
// their last slot is long over, and not while the clock is not to be trusted.
func (b *slotBook) over(now time.Time, clockIsEven bool) (done map[accountKey]*hourSlots) {
	b.mu.Lock()
	defer b.mu.Unlock()
	done = make(map[accountKey]*hourSlots)
	if b.closed.After(now.Add(time.Hour)) { // the clock was ahead: that time comes again
		b.closed = now.Truncate(time.Hour)
		b.from, b.since = earlier(b.from, b.closed), earlier(b.since, b.closed)
		maps.DeleteFunc(b.hours, func(unix int64, _ *hourSlots) bool { return unix > now.Unix() })
	}
	hour := b.closed
	if oldest := now.Add(-accountBack - time.Hour).Truncate(time.Hour); hour.Before(oldest) {
		hour = oldest
	}
	for ; !hour.Add(time.Hour).After(now); hour = hour.Add(time.Hour) {
		h := b.hour(hour)
		if h == nil {
			continue
		}
		if h.open() > 0 {
			last := b.Begin(hour, uint32(len(h.states)-1))
			if !clockIsEven || now.Before(last.Add(b.Interval+accountGrace)) {
				break
			}
			b.giveUp(h)
		}
		done[accountKey{b.meter, hour.Unix(), b.Schedule}] = h
	}
	b.closed = hour
	maps.DeleteFunc(b.hours, func(unix int64, _ *hourSlots) bool { return unix < hour.Unix() })
	return done
}

// giveUp says of open slots why they stay so.
func (b *slotBook) giveUp(h *hourSlots) {
	for n := h.first; int(n) < len(h.states); n++ {
		h.mark(n, rankOf(b.reason))
	}
}

// parted returns what is known of the open hours, up to the first open slot of each: for
// the stop.
func (b *slotBook) parted() (known map[accountKey]*hourSlots) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.partsOf(b.hours)
}

// partsOf does that with some hours.
func (b *slotBook) partsOf(hours map[int64]*hourSlots) (known map[accountKey]*hourSlots) {
	known = make(map[accountKey]*hourSlots)
	for unix, h := range hours {
		n := int(h.first)
		for n < len(h.states) && h.states[n] != slotOpen {
			n++
		}
		if n > int(h.first) {
			known[accountKey{b.meter, unix, b.Schedule}] = &hourSlots{first: h.first, states: slices.Clone(h.states[:n])}
		}
	}
	return known
}

// plan is the schedule of a meter that is configured, or was. mu is held.
func (a *Accounts) plan(meter schemas.MeterID) (p planned, ok bool) {
	if b := a.books[meter]; b != nil {
		return b.planned, true
	}
	p, ok = a.retired[meter]
	return p, ok
}

// Dropped implements dropNotes. A meter that no configuration ever named is no meter of
// this collector.
func (a *Accounts) Dropped(meter schemas.MeterID, takenAt time.Time, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.plan(meter)
	loss := schemas.Loss(reason)
	if !ok || !slices.Contains(schemas.Losses(), loss) {
		a.log.Error("readings that the spool drops are of no meter of this collector, or for an unknown reason; they are in no account",
			"meter", meter, "taken_at", takenAt, "reason", reason)
		return
	}
	hour, n := p.Slot(takenAt)
	h := &hourSlots{first: n, states: make([]uint8, n+1)}
	h.mark(n, rankOf(loss))
	a.owe(accountKey{meter, hour.Unix(), p.Schedule}, h)
}

// Again takes accounts back that the spool drops with the readings beside them.
func (a *Accounts) Again(list []schemas.SlotAccount) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range list {
		one := &list[i]
		h := &hourSlots{first: one.First, states: make([]uint8, one.First+one.Planned)}
		for n := one.First; int(n) < len(h.states); n++ {
			h.states[n] = slotRead
		}
		for _, s := range one.Missing {
			for n := s.From; n < s.From+s.Slots; n++ {
				h.states[n] = rankOf(s.Loss)
			}
		}
		a.owe(accountKey{one.Meter, one.Hour.Unix(), one.Schedule()}, h)
	}
}

// owe adds an hour to those that are to be told. A loss counts for more than "read":
// what was read and dropped is lost. mu is held.
func (a *Accounts) owe(key accountKey, h *hourSlots) { addSlots(a.owed, key, h) }

// addSlots adds an hour to others.
func addSlots(hours map[accountKey]*hourSlots, key accountKey, h *hourSlots) {
	known := hours[key]
	if known == nil {
		hours[key] = h
		return
	}
	known.version++
	for len(known.states) < len(h.states) {
		known.states = append(known.states, slotRead)
	}
	for n := min(known.first, h.first); n < known.first; n++ {
		known.states[n] = slotRead
	}
	known.first = min(known.first, h.first)
	for n := h.first; int(n) < len(h.states); n++ {
		if old := known.states[n]; old == slotRead || h.states[n] != slotRead && h.states[n] > old {
			known.states[n] = h.states[n]
		}
	}
}

// accounts writes an hour as accounts: several where it has many runs.
func (h *hourSlots) accounts(key accountKey) (list []schemas.SlotAccount) {
	one := schemas.SlotAccount{Meter: key.meter, Hour: time.Unix(key.hour, 0).UTC(), Interval: key.Interval, Offset: key.Offset,
		First: h.first, Planned: uint32(len(h.states)) - h.first}
	losses := schemas.Losses()
	for n := h.first; int(n) < len(h.states); {
		end := n + 1
		for int(end) < len(h.states) && h.states[end] == h.states[n] {
			end++
		}
		if s := h.states[n]; s != slotRead && s != slotOpen {
			if len(one.Missing) == schemas.MaxSpans {
				list, one.Missing = append(list, one), nil
			}
			one.Missing = append(one.Missing, schemas.SlotSpan{From: n, Slots: end - n, Loss: losses[s-1]})
		}
		n = end
	}
	return append(list, one)
}

// order is that of the hours, so that the oldest is told first.
func (k accountKey) order(l accountKey) int {
	return cmp.Or(cmp.Compare(k.hour, l.hour), strings.Compare(string(k.meter), string(l.meter)), cmp.Compare(k.Interval, l.Interval), cmp.Compare(k.Offset, l.Offset))
}
