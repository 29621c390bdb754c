package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"citygrid/internal/durable"
	"citygrid/schemas"
)

// The file accounts.state is written as meters.state is (see there):
//
//	citygrid accounts 1 <CRC-32C>
//	{"saved":...,"meters":{"<id>":{...}},"owed":[<accounts, as in batch.schema.json>],"lapses":[...]}
const accountHead = "citygrid accounts 1 %08x\n"

// accountState is the file.
type accountState struct {
	// Saved is the moment up to which the books below are known.
	Saved  time.Time                        `json:"saved,omitzero"`
	Meters map[schemas.MeterID]bookState    `json:"meters,omitempty"`
	Owed   []schemas.SlotAccount            `json:"owed,omitempty"`
	Gone   map[schemas.MeterID]plannedMeter `json:"gone,omitempty"`
	Lapses []lapseState                     `json:"lapses,omitempty"`
}

// plannedMeter is a planned as the file keeps it.
type plannedMeter struct {
	Interval int64     `json:"interval_ms"`
	Offset   int64     `json:"offset_ms"`
	Since    time.Time `json:"since,omitzero"`
}

// bookState is a slotBook.
type bookState struct {
	plannedMeter
	From   time.Time           `json:"from"`
	Closed time.Time           `json:"closed"`
	Hours  map[int64]hourState `json:"hours,omitempty"`
}

// hourState is an hour of it, by the second at which it begins.
type hourState struct {
	First  uint32 `json:"first,omitempty"`
	States []byte `json:"states"`
}

func (p planned) state() plannedMeter {
	return plannedMeter{p.Interval.Milliseconds(), p.Offset.Milliseconds(), p.since}
}

func (m plannedMeter) planned() planned { return planned{m.schedule(), m.Since.UTC()} }

func (m plannedMeter) schedule() schemas.Schedule {
	return schemas.Schedule{Interval: time.Duration(m.Interval) * time.Millisecond, Offset: time.Duration(m.Offset) * time.Millisecond}
}

func (s *accountState) decode(data []byte) error {
	body, err := unchecked(accountHead, data)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, s); err != nil {
		return fmt.Errorf("%w: %w", errState, err)
	}
	for id, m := range s.Meters {
		if err := m.schedule().Validate(); err != nil {
			return fmt.Errorf("%w: meter %s: %w", errState, id, err)
		}
		for unix, h := range m.Hours {
			if int(h.First) > len(h.States) || uint32(len(h.States)) != m.schedule().Slots(time.Unix(unix, 0)) {
				return fmt.Errorf("%w: meter %s: an hour of %d slots", errState, id, len(h.States))
			}
		}
	}
	for i := range s.Lapses {
		if _, err := s.Lapses[i].lapse(); err != nil {
			return err
		}
	}
	return nil
}

// openAccounts reads the file and makes the books of the meters that are configured now.
// A file that cannot be read is set aside and reported: what was owed is then unknown,
// and the hub shows it as such.
func openAccounts(path string, lines []Line, log *slog.Logger, now time.Time) *Accounts {
	a := &Accounts{path: path, log: log, out: newEnclosures(), books: make(map[schemas.MeterID]*slotBook),
		retired: make(map[schemas.MeterID]planned), owed: make(map[accountKey]*hourSlots), closing: make(map[accountKey]*hourSlots), began: now}
	var was accountState
	data, err := os.ReadFile(path)
	if err == nil {
		err = was.decode(data)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Error("the account of the meters' slots cannot be read and is set aside; hours that were not told of are unknown to the hub. Look at the disk",
			"file", path, "kept_as", asideName(path, now), "error", errors.Join(err, setAside(path, now)))
		was = accountState{}
	}
	if was.Saved.After(now) {
		was.rewind(now)
	}
	a.Again(was.Owed)
	for i := range was.Lapses {
		if p, err := was.Lapses[i].lapse(); err == nil { // as decode has seen
			a.lapses = lapsed(a.lapses, p)
		}
	}
	for id, m := range was.Gone {
		a.retired[id] = m.planned()
	}
	for _, line := range lines {
		for _, m := range line.Meters {
			a.begin(m, was, now)
		}
	}
	for id, m := range was.Meters {
		if a.books[id] == nil {
			a.end(id, m, was.Saved)
			a.retired[id] = m.planned()
		}
	}
	a.settled = accountState{Saved: now.UTC(), Meters: make(map[schemas.MeterID]bookState, len(a.books))}
	for id, b := range a.books {
		a.settled.Meters[id] = b.state()
	}
	return a
}

// rewind takes out what is noted of slots from now on: the clock was ahead when the file
// was written, or was set back since, and that time comes again. What is known of earlier
// slots stays.
func (s *accountState) rewind(now time.Time) {
	s.Saved = now.UTC()
	for i := range s.Lapses {
		s.Lapses[i].To = earlier(s.Lapses[i].To, s.Saved)
	}
	s.Lapses = slices.DeleteFunc(s.Lapses, func(p lapseState) bool { return !p.From.Before(p.To) })
	for id, m := range s.Meters {
		if m.From.After(now) {
			delete(s.Meters, id)
			continue
		}
		if hour := now.UTC().Truncate(time.Hour); m.Closed.After(hour) {
			m.Closed = hour
		}
		schedule := m.schedule()
		for unix, h := range m.Hours {
			for n := range h.States {
				if !schedule.Begin(time.Unix(unix, 0), uint32(n)).Before(now) {
					h.States[n] = slotOpen
				}
			}
		}
		maps.DeleteFunc(m.Hours, func(unix int64, _ hourState) bool { return unix > now.Unix() })
		s.Meters[id] = m
	}
}

// begin opens the book of a meter. The time since the file was written is one in which
// the collector was off.
func (a *Accounts) begin(m Meter, was accountState, now time.Time) {
	b := &slotBook{meter: m.ID, planned: planned{schemas.Schedule{Interval: m.Interval, Offset: m.Offset}, keptSince(now)}, from: now,
		closed: now.Truncate(time.Hour), hours: make(map[int64]*hourSlots), reason: schemas.LossBusy}
	if b.Validate() != nil {
		return // no account can be given of such a schedule; the hub says that it knows none
	}
	a.books[m.ID] = b
	delete(a.retired, m.ID)
	known, ok := was.Meters[m.ID]
	if !ok {
		return
	}
	if known.schedule() == b.Schedule {
		b.since = known.Since.UTC() // zero: of a file from before it was kept
	}
	a.end(m.ID, known, was.Saved)
	a.lapses = lapsed(a.lapses, lapse{m.ID, b.Schedule, was.Saved, now, schemas.LossOff})
}

// end owes what is known of a book. Slots that were still open count as well: nobody is
// left who knows.
func (a *Accounts) end(id schemas.MeterID, known bookState, saved time.Time) {
	b := &slotBook{meter: id, planned: known.planned(), from: known.From, closed: known.Closed, hours: known.hours()}
	for key, h := range b.cut(saved, schemas.LossOff) {
		a.owe(key, h)
	}
}

func (s bookState) hours() map[int64]*hourSlots {
	hours := make(map[int64]*hourSlots, len(s.Hours))
	for unix, h := range s.Hours {
		hours[unix] = &hourSlots{first: h.First, states: slices.Clone(h.States)}
	}
	return hours
}

// state returns the book as the file keeps it.
func (b *slotBook) state() bookState {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := bookState{plannedMeter: b.planned.state(), From: b.from.UTC(), Closed: b.closed.UTC(), Hours: make(map[int64]hourState, len(b.hours))}
	for unix, h := range b.hours {
		s.Hours[unix] = hourState{h.first, slices.Clone(h.states)}
	}
	return s
}

// write writes the file. mu is held.
func (a *Accounts) write() error {
	s := a.settled
	s.Owed, s.Gone = a.accounts(), make(map[schemas.MeterID]plannedMeter)
	for id, p := range a.retired {
		s.Gone[id] = p.state()
	}
	for i := range a.lapses {
		s.Lapses = append(s.Lapses, a.lapses[i].state())
	}
	body, err := json.Marshal(s)
	if err == nil {
		err = durable.WriteFile(a.path, checked(accountHead, append(body, '\n')), 0o600)
	}
	if err != nil && !a.failed {
		a.log.Error("the account of the meters' slots cannot be written; after a kill some slots are told as collector_off although another reason holds. Look at the disk",
			"file", a.path, "error", err)
	}
	a.failed = err != nil
	if err != nil {
		return fmt.Errorf("write the account of the meters' slots: %w", err)
	}
	return nil
}

// accounts returns what is owed, the oldest first. mu is held.
func (a *Accounts) accounts() (list []schemas.SlotAccount) {
	for _, key := range slices.SortedFunc(maps.Keys(a.owed), accountKey.order) {
		list = append(list, a.owed[key].accounts(key)...)
	}
	return list
}

// Save implements dropNotes: what was noted as dropped is on disk when it returns nil.
// It waits for no reading to become durable.
func (a *Accounts) Save() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.write()
}

// moment returns the state of all lines at one moment: the books, and how many readings
// had been handed to the sealer by then. Hours that are over are put aside in closing.
func (a *Accounts) moment(loops []*lineLoop, now time.Time) (s accountState, handed uint64) {
	for _, l := range loops {
		l.mu.Lock()
		defer l.mu.Unlock()
		handed += l.handed
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	even := a.clock.even(now.Round(0), now.Sub(a.began)) >= accountGrace
	s = accountState{Saved: now.UTC(), Meters: make(map[schemas.MeterID]bookState, len(a.books))}
	for id, b := range a.books {
		for key, h := range b.over(now, even) {
			addSlots(a.closing, key, h)
		}
		a.takeLeft(b)
		s.Meters[id] = b.state()
	}
	return s, handed
}

// takeLeft puts what a book has left behind in a leap to what is closing. mu is held.
func (a *Accounts) takeLeft(b *slotBook) {
	done, lapses := b.left()
	for key, h := range done {
		addSlots(a.closing, key, h)
	}
	for _, p := range lapses {
		a.leapt = lapsed(a.leapt, p)
	}
}

// settle writes down what is durable, and hands what is owed to the stage. wait ends its
// waiting for the disk; then what was not done is done by the next call, or told as
// collector_off after the next start.
func (a *Accounts) settle(wait context.Context, loops []*lineLoop, durableValues func() uint64, now time.Time) {
	s, handed := a.moment(loops, now)
	a.out.nudge()
	if !reached(wait, handed, durableValues) {
		return
	}
	a.mu.Lock()
	for key, h := range a.closing {
		a.owe(key, h)
	}
	clear(a.closing)
	for _, p := range a.leapt {
		a.lapses = lapsed(a.lapses, p)
	}
	a.leapt, a.settled = nil, s
	_ = a.write() // said by write; an account that is told twice changes nothing
	a.mu.Unlock()
	for a.tell(wait) {
	}
}

// tell delivers some of what is owed; false: there was nothing, or it could not be done.
func (a *Accounts) tell(wait context.Context) bool {
	a.mu.Lock()
	p := a.piece()
	a.mu.Unlock()
	if len(p.list) > 0 && !a.out.deliver(wait, p.list) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lapses = p.lapses
	if len(p.list) == 0 {
		return false
	}
	for key, version := range p.versions {
		if h := a.owed[key]; h != nil && h.version == version {
			delete(a.owed, key)
		}
	}
	_ = a.write()
	return true
}

// run settles now and then until ctx is done.
func (a *Accounts) run(ctx context.Context, loops []*lineLoop, durableValues func() uint64) {
	tick := time.NewTicker(accountsEvery)
	defer tick.Stop()
	for {
		a.settle(ctx, loops, durableValues, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// finish tells what is known when no line reads any more, of the hour that is not over
// too.
func (a *Accounts) finish(wait context.Context, loops []*lineLoop, durableValues func() uint64, now time.Time) {
	a.mu.Lock()
	for _, b := range a.books {
		maps.Copy(a.closing, b.parted())
	}
	a.mu.Unlock()
	a.settle(wait, loops, durableValues, now)
}
