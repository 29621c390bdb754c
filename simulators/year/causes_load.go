package year

import "citygrid/schemas"

func fen(n int64) schemas.Fen { return schemas.Fen(n) }

// loadCauses are those between sales and loads.
func loadCauses() []cause {
	usual := func(name string, class Class, last int64, n needs, run func(*life, int64) int64) cause {
		return cause{name: name, class: class, needs: n, first: early, last: last, run: run}
	}
	line, card := needs{readout: remote}, needs{readout: byCard}
	return []cause{
		usual("never-loaded-remote", SoldNotLoaded, lateHold, line, (*life).neverLoaded),
		usual("never-loaded-card", SoldNotLoaded, lateHold, card, (*life).neverLoaded),
		usual("forged-record", LoadedNotSold, lateDays, line, (*life).forgedRecord),
		usual("forged-state", LoadedNotSold, lateDays, line, (*life).forgedState),
		usual("forged-return", LoadedNotSold, lateDays, card, (*life).forgedReturn),
		usual("number-skipped", CounterGap, lateHold, line, (*life).numberSkipped),
		usual("number-overwritten", CounterGap, lateHold, line, (*life).numberOverwritten),
		usual("loaded-more", LoadAmountDiff, lateDays, line, func(l *life, ts int64) int64 { return l.loadedOther(ts, 1) }),
		usual("loaded-less", LoadAmountDiff, lateDays, line, func(l *life, ts int64) int64 { return l.loadedOther(ts, -1) }),
		usual("loaded-more-volume", LoadAmountDiff, lateDays, needs{readout: remote, purse: ofVolume},
			func(l *life, ts int64) int64 { return l.loadedOther(ts, 1) }),
	}
}

// neverLoaded: the customer moved away with the purchase on the card.
func (l *life) neverLoaded(ts int64) int64 {
	l.reportRow(l.sell(ts), 1)
	return l.leave(ts)
}

// forged loads what nobody sold.
func (l *life) forged(ts int64) deal {
	d := l.offer(ts)
	l.next++
	l.statesUntil(ts)
	l.m.load(d.credit, ts)
	return d
}

func (l *life) forgedRecord(ts int64) int64 {
	d := l.forged(ts)
	l.record(d, ts)
	l.report(l.inPurse(onEntry(Difference{Purchase: d.n}, l.lastOf(schemas.CardLoad)), d.credit))
	l.afterLoad(ts)
	return l.soon(ts)
}

// lastOf returns the last entry of an event.
func (l *life) lastOf(event schemas.CardEvent) *Entry {
	for i := len(l.Entries) - 1; i >= 0; i-- {
		if l.Entries[i].Event == event {
			return &l.Entries[i]
		}
	}
	return &Entry{}
}

// forgedState: the record is lost too; the counters tell.
func (l *life) forgedState(ts int64) int64 {
	d := l.forged(ts)
	l.awaitReport(Difference{Purchase: d.n}, d.credit)
	l.afterLoad(ts)
	return l.soon(ts)
}

// awaitReport reports at the next state or new return.
func (l *life) awaitReport(d Difference, credit int64) {
	struck := l.struck
	l.await = func(e *Entry, _ shown) {
		l.struck = struck
		l.report(l.inPurse(onEntry(d, e), credit))
	}
}

func (l *life) forgedReturn(ts int64) int64 {
	d := l.forged(ts + day)
	l.awaitReport(Difference{Purchase: d.n}, d.credit)
	l.insert(ts + day)
	l.readReturn(ts + 5*day)
	return l.openTime(ts + 6*day)
}

// numberSkipped: a counter restored from a copy numbers a purchase two too high,
// and the meter refuses it.
func (l *life) numberSkipped(ts int64) int64 {
	d := l.offer(ts)
	d.n++
	l.sold(d)
	l.paid(d.channel, d.order, d.fen, d.at, false)
	l.refused(d.n, ts+2*hour, schemas.FaultCount)
	l.report(Difference{Purchase: d.n - 1, Moment: utc(d.at), Day: d.day})
	return l.leave(ts + 2*hour)
}

// numberOverwritten: a purchase is written over another that the meter has not
// taken.
func (l *life) numberOverwritten(ts int64) int64 {
	d := l.sell(ts)
	above := l.sell(ts + 4*day)
	l.refused(above.n, above.at+2*hour, schemas.FaultCount)
	l.report(Difference{Purchase: d.n, Moment: utc(d.at), Day: d.day, Amount: fen(d.fen), Volume: l.volume(d)})
	return l.leave(above.at + 2*hour)
}

// loadedOther: the terminal wrote another amount than it sold.
func (l *life) loadedOther(ts, sign int64) int64 {
	d := l.sell(ts)
	by := sign * l.dice.span(1, min(1_500, d.credit/2))
	d.credit += by
	l.load(d, ts+2*hour)
	l.report(l.inPurse(onEntry(Difference{Purchase: d.n}, l.lastOf(schemas.CardLoad)), by))
	return l.nextVisit(d.at, ts+2*hour)
}
