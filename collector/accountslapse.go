package collector

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"citygrid/schemas"
)

// lapse is a time in which nobody read a meter, for one reason: the collector was off, its
// clock leapt, or its lines stood. It may be a month with a slot a minute for hundreds of
// meters, so it stays one range until its accounts are delivered, some hours at once.
type lapse struct {
	meter schemas.MeterID
	schemas.Schedule
	from, to time.Time // of the slots that begin in from <= t < to
	loss     schemas.Loss
}

const (
	// lapseWorth is from when on slots that went by are a lapse and not noted one by one.
	lapseWorth = 3 * time.Hour
	// accountsAtOnce bounds the accounts that are in memory to be delivered.
	accountsAtOnce = 16 * schemas.MaxAccounts
)

// next returns the account of the hour in which the lapse begins, and leaves the rest. ok
// is false where no slot begins in it.
func (p *lapse) next() (a schemas.SlotAccount, ok bool) {
	hour := p.hour()
	if year := hour.Year(); year < 2000 || year > 2199 { // no account can be given of it
		p.from = p.to
		return a, false
	}
	first, end := uint32(0), p.Slots(hour)
	for first < end && p.Begin(hour, first).Before(p.from) {
		first++
	}
	for end > first && !p.Begin(hour, end-1).Before(p.to) {
		end--
	}
	p.from = hour.Add(time.Hour)
	a = schemas.SlotAccount{Meter: p.meter, Hour: hour, Interval: p.Interval, Offset: p.Offset, First: first, Planned: end - first,
		Missing: []schemas.SlotSpan{{From: first, Slots: end - first, Loss: p.loss}}}
	return a, first < end
}

// hour is the one in which the lapse begins.
func (p *lapse) hour() time.Time { return p.from.UTC().Truncate(time.Hour) }

// lapsed adds a lapse to those of before; one that no slot parts from the last of its
// meter is one with it.
func lapsed(list []lapse, p lapse) []lapse {
	p.from = later(p.from, p.to.Add(-accountBack))
	for i := len(list) - 1; i >= 0; i-- {
		last := &list[i]
		if last.meter != p.meter || last.Schedule != p.Schedule || last.loss != p.loss || p.from.Before(last.from) {
			continue
		}
		if !slotAfter(last.to.Add(-time.Nanosecond), p.Interval, p.Offset).Before(p.from) {
			last.to = later(last.to, p.to)
			return list
		}
		break
	}
	return append(list, p)
}

// cut closes the book at a moment and takes out what is known of the time before. Slots of
// then that are still open are lost.
func (b *slotBook) cut(at time.Time, loss schemas.Loss) map[accountKey]*hourSlots {
	for hour := later(b.closed, at.Add(-accountBack)).Truncate(time.Hour); hour.Before(at); hour = hour.Add(time.Hour) {
		b.hour(hour) // one of which nothing was noted yet has open slots, too
	}
	known := make(map[int64]*hourSlots)
	for unix, h := range b.hours {
		if unix >= at.Unix() {
			continue
		}
		known[unix] = h
		delete(b.hours, unix)
		n := h.first
		for ; int(n) < len(h.states) && b.Begin(time.Unix(unix, 0), n).Before(at); n++ {
			h.mark(n, rankOf(loss))
		}
		h.states = h.states[:n]
	}
	return b.partsOf(known)
}

// leap notes that the slots from one moment to another went by, in a time that is worth a
// lapse. The book goes on after it.
func (b *slotBook) leap(from, to time.Time, loss schemas.Loss) {
	if b.done == nil {
		b.done = make(map[accountKey]*hourSlots)
	}
	for key, h := range b.cut(from, b.reason) {
		addSlots(b.done, key, h)
	}
	b.lapses = lapsed(b.lapses, lapse{b.meter, b.Schedule, later(from, b.from), to, loss})
	goesOn := to.Truncate(time.Hour)
	b.from, b.closed = later(b.from, to), later(b.closed, goesOn)
	maps.DeleteFunc(b.hours, func(unix int64, _ *hourSlots) bool { return unix < goesOn.Unix() })
}

// left takes out what leap has put aside.
func (b *slotBook) left() (done map[accountKey]*hourSlots, lapses []lapse) {
	b.mu.Lock()
	defer b.mu.Unlock()
	done, lapses = b.done, b.lapses
	b.done, b.lapses = nil, nil
	return done, lapses
}

// piece is accounts that are told at once.
type piece struct {
	list     []schemas.SlotAccount
	versions map[accountKey]uint64 // of the owed hours in list
	lapses   []lapse               // what is left of them after it
}

// piece returns the oldest accounts, hour by hour: a hub that learns of a later hour first
// takes those before it for lost. mu is held.
func (a *Accounts) piece() (p piece) {
	p.lapses, p.versions = slices.Clone(a.lapses), make(map[accountKey]uint64)
	keys := slices.SortedFunc(maps.Keys(a.owed), accountKey.order)
	for len(p.list) < accountsAtOnce && len(keys)+len(p.lapses) > 0 {
		oldest := a.oldest(p.lapses)
		if len(keys) > 0 && (oldest.IsZero() || keys[0].hour <= oldest.Unix()) {
			h := a.owed[keys[0]]
			p.list = append(p.list, h.accounts(keys[0])...)
			p.versions[keys[0]] = h.version
			keys = keys[1:]
			continue
		}
		for i := range p.lapses {
			if one := &p.lapses[i]; !one.hour().After(oldest) {
				if account, ok := one.next(); ok {
					p.list = append(p.list, account)
				}
			}
		}
		p.lapses = slices.DeleteFunc(p.lapses, func(one lapse) bool { return !one.from.Before(one.to) })
	}
	for i := range p.list {
		a.saySince(&p.list[i])
	}
	return p
}

// saySince adds to an account since when there are any of its meter: a hub that never had
// one, for the first were destroyed with a disk or lie sealed under a key that it refuses,
// learns what it missed. After accountBack the hub knows the meter, or asks nothing of it.
// mu is held.
func (a *Accounts) saySince(one *schemas.SlotAccount) {
	p, ok := a.plan(one.Meter)
	begin := one.Schedule().Begin(one.Hour, one.First)
	if !ok || p.Schedule != one.Schedule() || p.since.Year() < 2000 || p.since.After(begin) || begin.Sub(p.since) > accountBack {
		return
	}
	one.Since = p.since
}

// oldest is the first hour of lapses; zero: there are none.
func (a *Accounts) oldest(lapses []lapse) (hour time.Time) {
	for i := range lapses {
		if at := lapses[i].hour(); hour.IsZero() || at.Before(hour) {
			hour = at
		}
	}
	return hour
}

// lapseState is a lapse as the file keeps it.
type lapseState struct {
	Meter schemas.MeterID `json:"meter"`
	plannedMeter
	From time.Time    `json:"from"`
	To   time.Time    `json:"to"`
	Loss schemas.Loss `json:"loss"`
}

func (p *lapse) state() lapseState {
	return lapseState{p.meter, planned{Schedule: p.Schedule}.state(), p.from.UTC(), p.to.UTC(), p.loss}
}

// lapse checks what the file says.
func (s *lapseState) lapse() (p lapse, err error) {
	p = lapse{s.Meter, s.schedule(), s.From, s.To, s.Loss}
	if err := p.Validate(); err != nil {
		return p, fmt.Errorf("%w: meter %s: %w", errState, s.Meter, err)
	}
	if s.Meter.Validate() != nil || !slices.Contains(schemas.Losses(), s.Loss) {
		return p, fmt.Errorf("%w: meter %s: a lapse for %q", errState, s.Meter, s.Loss)
	}
	return p, nil
}
