package completeness

import (
	"context"
	"slices"
	"time"

	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// A collector tells of every slot of a meter, one after the other. Where an account begins
// later than the last one ended, the accounts between are on their way, or were destroyed
// with a disk, and nobody else knows of those slots: they are presumed to have been
// planned, so that they are unknown and not forgotten. Accounts that come later take their
// place. An account that says since when the collector keeps account of its meter makes
// planned for certain what lies between, also where none came before.

// hole is a time without an account before one of a meter, under its schedule.
type hole struct {
	source
	schemas.Schedule
	from, to time.Time
	// configured: the collector says that it kept account of the meter then.
	configured bool
	// blind is before when readings may have come that are in no delta.
	blind time.Time
}

const (
	// clockSlack is how far a collector's clock may be ahead of the hub's.
	clockSlack = time.Hour
	// partsOfAnHour is how long a meter's account may lag behind those of the others: the
	// accounts of one hour travel in several envelopes.
	partsOfAnHour = 3 * unsaidAfter
	// presumedRows bounds the rows of one transaction.
	presumedRows = 100
	// holeCheck bounds how far back the hours of a hole are counted from the store by
	// themselves: what was read and lost its account is seldom older, and a recount
	// finds the rest.
	holeCheck = 31 * 24 * time.Hour
)

// saidUpTo is the moment up to which an account tells of its meter; zero: its time is over
// by so much that the ledger does not keep it, as of a collector whose clock was not set.
// One that lies ahead says nothing of what comes.
func (l *Ledger) saidUpTo(a *schemas.SlotAccount, now time.Time) time.Time {
	switch {
	case a.Hour.Before(now.Add(-l.o.Keep)):
		return time.Time{}
	case a.Hour.After(now.Add(clockSlack)):
		return now
	}
	return toldBy(a)
}

// holes finds the times between what was told and what accounts begin with.
func (l *Ledger) holes(id schemas.CollectorID, accounts []schemas.SlotAccount, now time.Time) (list []hole) {
	l.mu.Lock()
	defer l.mu.Unlock()
	begin := func(a *schemas.SlotAccount) time.Time { return a.Schedule().Begin(a.Hour, a.First) }
	order := make([]*schemas.SlotAccount, len(accounts))
	for i := range accounts {
		order[i] = &accounts[i]
	}
	slices.SortStableFunc(order, func(a, b *schemas.SlotAccount) int { return begin(a).Compare(begin(b)) })
	told := make(map[source]time.Time)
	for _, a := range order {
		from := source{a.Meter, id}
		known := l.schedules[from]
		before := later(told[from], known.told)
		upTo := l.saidUpTo(a, now)
		if !upTo.IsZero() {
			told[from] = later(before, upTo)
		}
		h := hole{source: from, Schedule: a.Schedule(), from: later(before, now.Add(-l.o.Keep)), to: earlier(begin(a), now), blind: known.learnt}
		if known.Schedule != h.Schedule {
			h.blind = now
		}
		since := a.Since
		if !since.IsZero() {
			since = later(since, begin(a).Add(-holeCheck)) // an honest collector says no more
		}
		unsaid, said := h.at(since)
		if !before.IsZero() && unsaid.from.Before(unsaid.to) {
			list = append(list, unsaid)
		}
		if said.from.Before(said.to) {
			list = append(list, said)
		}
	}
	return list
}

// at parts the hole at the moment since when the collector keeps account of the meter.
func (h hole) at(since time.Time) (unsaid, said hole) {
	unsaid, said = h, h
	if since.IsZero() {
		since = h.to
	}
	unsaid.to = earlier(h.to, since)
	said.from, said.configured = later(h.from, since), true
	return unsaid, said
}

// presume plans the slots of holes, durably.
func (l *Ledger) presume(ctx context.Context, id schemas.CollectorID, holes []hole) error {
	told, err := l.toldIn(ctx, id, holes)
	if err != nil {
		return err
	}
	rows := make(map[rowKey]day)
	for i := range holes {
		h := &holes[i]
		for hour := h.from.Truncate(time.Hour); hour.Before(h.to); hour = hour.Add(time.Hour) {
			r := h.record(hour)
			if r == nil || !told.silent(h, hour) {
				continue
			}
			key := rowOf(h.source, hour)
			if rows[key] == nil && len(rows) >= presumedRows {
				if err := l.put(ctx, rows, nil); err != nil {
					return err
				}
				clear(rows)
			}
			if rows[key] == nil {
				rows[key] = make(day)
			}
			rows[key].of(hourKey{uint8(hour.UTC().Hour()), h.Schedule}).merge(r)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return l.put(ctx, rows, nil)
}

// record presumes the slots of the hole that begin in an hour; nil: there are none.
func (h *hole) record(hour time.Time) *record {
	w := (&Query{Since: h.from, Until: h.to}).window(hour, h.Schedule)
	if w.from == w.end {
		return nil
	}
	r := &record{}
	r.planned.setFrom(w.from, w.end)
	r.presumed.setFrom(w.from, w.end)
	return r
}

// long reports whether a hole is longer than accounts on their way explain. Where the
// collector went on telling of its other meters then, this one was not in its
// configuration, unless it says that it was.
func (h *hole) long() bool {
	return !h.configured && h.to.Sub(h.from) > h.Interval+partsOfAnHour
}

// tellers are the meters of which a collector told, by the hour since the epoch: one, or
// severalMeters.
type tellers map[int64]schemas.MeterID

const severalMeters schemas.MeterID = ""

// toldIn reads of which hours of long holes a collector told.
func (l *Ledger) toldIn(ctx context.Context, id schemas.CollectorID, holes []hole) (tellers, error) {
	var from, to time.Time
	for i := range holes {
		if h := &holes[i]; h.long() {
			if from.IsZero() || h.from.Before(from) {
				from = h.from
			}
			to = later(to, h.to)
		}
	}
	if to.IsZero() {
		return nil, nil
	}
	told := make(tellers)
	// By the key of the rows: an index by collectors would cost more than these rare looks.
	err := l.eachRow(ctx, "collector = ? AND day >= ? AND day <= ? AND meter IN (SELECT meter FROM completeness_meters WHERE collector = ?)",
		[]any{string(id), from.Unix() / 86400, to.Unix() / 86400, string(id)}, func(key rowKey, hours []byte) error {
			d, err := key.decode(hours)
			if err != nil { // it tells of nothing
				l.o.Log.Error("what collectors told is read without a row", "error", err)
			}
			for k, r := range d {
				if !r.told().none() {
					told.add(key.day*24+int64(k.hour), key.meter)
				}
			}
			return nil
		})
	return told, err
}

func (t tellers) add(hour int64, meter schemas.MeterID) {
	if one, ok := t[hour]; ok && one != meter {
		meter = severalMeters
	}
	t[hour] = meter
}

// silent reports whether an hour of a hole is to be presumed: in a long one only those are
// in which the collector told of no other meter, and their neighbours, of which it may have
// told in part.
func (t tellers) silent(h *hole, hour time.Time) bool {
	if !h.long() {
		return true
	}
	first, last := h.from.Unix()/3600, h.to.Unix()/3600
	toldAt := func(n int64) bool {
		meter, ok := t[n]
		return n < first || n >= last || ok && meter != h.meter
	}
	n := hour.Unix() / 3600
	return !toldAt(n-1) || !toldAt(n) || !toldAt(n+1)
}

// checkHoles has the hours of holes counted from the store whose readings may be in no
// delta.
func (l *Ledger) checkHoles(holes []hole, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range holes {
		h := &holes[i]
		from := later(h.from, now.Add(-holeCheck)).Truncate(time.Hour)
		for hour := from; hour.Before(earlier(h.to, h.blind)); hour = hour.Add(time.Hour) {
			l.check(h.source, hour, now.Add(checkSoon))
		}
	}
}

// withdraw takes back what is presumed under one schedule and told under another: the
// schedule was changed in that time.
func (d day) withdraw(number int64) {
	for k, r := range d {
		if len(r.presumed) == 0 || len(d) == 1 {
			continue
		}
		hour := time.Unix(number*86400+int64(k.hour)*3600, 0).UTC()
		var gone bits
		for n := range r.presumed.all {
			if d.tellsOf(number, k.Begin(hour, n), k.Schedule) {
				gone.set(n)
			}
		}
		r.planned, r.presumed = r.planned.without(gone), r.presumed.without(gone)
	}
}

// tellsOf reports whether an account under another schedule tells of a moment.
func (d day) tellsOf(number int64, at time.Time, not schemas.Schedule) bool {
	for k, r := range d {
		if k.Schedule == not {
			continue
		}
		hour, n := k.Slot(at)
		if hour.Unix() == number*86400+int64(k.hour)*3600 && r.planned.has(n) && !r.presumed.has(n) {
			return true
		}
	}
	return false
}

// presumeBefore does all that for accounts, before they are written themselves.
func (l *Ledger) presumeBefore(ctx context.Context, id schemas.CollectorID, accounts []schemas.SlotAccount, now time.Time) error {
	holes := l.holes(id, accounts, now)
	if err := l.presume(ctx, id, holes); err != nil {
		return sqldb.Explain("note what collector "+string(id)+" has not told of", err)
	}
	l.checkHoles(holes, now)
	return nil
}
