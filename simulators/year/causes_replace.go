package year

import "citygrid/schemas"

// replaceCauses are cards and meters that were replaced the wrong way.
func replaceCauses() []cause {
	usual := func(name string, class Class, n needs, run func(*life, int64) int64) cause {
		return cause{name: name, class: class, needs: n, first: early, last: lateDays, run: run}
	}
	line, card := needs{readout: remote}, needs{readout: byCard}
	wrong := func(by int64) func(*life, int64) int64 {
		return func(l *life, ts int64) int64 { return l.carriedWrong(ts, by) }
	}
	return []cause{
		usual("old-card-loads", CardReplaced, line, (*life).oldCardLoads),
		usual("reissue-of-loaded", CardReplaced, line, (*life).reissueLoaded),
		usual("reissue-amount", CardReplaced, needs{}, (*life).reissueAmount),
		usual("reissue-unknown", CardReplaced, needs{}, (*life).reissueUnknown),
		usual("transfer-more", MeterReplaced, needs{}, wrong(1)),
		usual("transfer-less", MeterReplaced, needs{}, wrong(-1)),
		usual("transfer-none-remote", MeterReplaced, line, (*life).carriedNothing),
		usual("transfer-none-card", MeterReplaced, card, (*life).carriedNothing),
		usual("no-final-remote", MeterReplaced, line, func(l *life, ts int64) int64 { return l.noFinal(ts, true) }),
		usual("no-final-card", MeterReplaced, card, func(l *life, ts int64) int64 { return l.noFinal(ts, true) }),
		usual("no-final-no-transfer", MeterReplaced, needs{}, func(l *life, ts int64) int64 { return l.noFinal(ts, false) }),
	}
}

// oldCardLoads: a lost card comes back after its purchase was written on
// another.
func (l *life) oldCardLoads(ts int64) int64 {
	d := l.sell(ts)
	old := l.card
	l.issueCard(ts+3*day, old)
	again := l.reissue(d, ts+3*day+2*minute)
	again.card = old
	tl := again.at + 2*day
	l.load(again, tl)
	l.report(l.inPurse(onEntry(Difference{Purchase: d.n, Card: old}, l.lastOf(schemas.CardLoad)), d.credit))
	return l.nextVisit(ts, tl)
}

func (l *life) reissueLoaded(ts int64) int64 {
	d := l.sell(ts)
	l.load(d, ts+2*hour)
	l.issueCard(ts+2*day, l.card)
	l.reportRow(l.reissue(d, ts+2*day+2*minute), 1)
	return l.nextVisit(ts, ts+3*day)
}

func (l *life) reissueAmount(ts int64) int64 {
	d := l.sell(ts)
	l.issueCard(ts+2*day, l.card)
	l.hasBack = false
	d.credit += 1_000
	if l.m.volume {
		d.fen += 1_000 * l.salePrice(d.at) / perFen
	} else {
		d.fen += 1_000
	}
	r := l.reissue(d, ts+2*day+2*minute)
	l.reportRow(r, 1)
	tl := r.at + 2*hour
	l.load(r, tl)
	return l.nextVisit(ts, tl)
}

// reissueUnknown: written again, what was never sold.
func (l *life) reissueUnknown(ts int64) int64 {
	l.issueCard(ts, l.card)
	l.hasBack = false
	d := l.offer(ts)
	l.next++
	d.order = "L" + d.order
	r := l.reissue(d, ts+2*minute)
	l.reportRow(r, 1)
	tl := r.at + 2*hour
	l.load(r, tl)
	return l.nextVisit(ts, tl)
}

// filled buys and loads, so that there is credit to carry over, and returns the
// morning on which the meter is replaced.
func (l *life) filled(ts int64) int64 {
	d := l.sell(ts)
	l.load(d, ts+hour)
	for l.m.show(ts+hour, 0).net <= 20*l.m.costs(ts) {
		d = l.sell(ts + 2*hour)
		l.load(d, ts+3*hour)
		ts += 3 * hour
	}
	return l.dayAfter(ts+2*day) + 10*hour
}

// reportSwap notes a difference of the meter that stood until at.
func (l *life) reportSwap(at, by int64) {
	d := Difference{Meter: l.Meter, From: l.Installations[l.inst-1].From, Moment: utc(at), Day: l.w.entryDay(at)}
	l.report(l.inPurse(d, by))
}

func (l *life) carriedWrong(ts, sign int64) int64 {
	at := l.filled(ts)
	credit := l.final(at)
	by := sign * l.dice.span(1, min(credit/2, 5_000))
	l.swap(at)
	l.carry(credit+by, at+hour)
	l.reportSwap(at, by)
	return l.openTime(at + 2*day)
}

func (l *life) carriedNothing(ts int64) int64 {
	at := l.filled(ts)
	credit := l.final(at)
	l.swap(at)
	l.reportSwap(at, -credit)
	return l.openTime(at + day)
}

// noFinal: nobody read the old meter within a day of its end; its credit is
// guessed or forgotten.
func (l *life) noFinal(ts int64, carried bool) int64 {
	at := l.filled(ts)
	if !l.Remote {
		l.readReturn(at - 40*hour)
	}
	for l.stateNear(at) {
		at += day
	}
	l.statesUntil(at)
	guess := max(100, l.last.net/2/100*100)
	l.swap(at)
	if carried {
		l.carry(guess, at+hour)
	} else {
		guess = 0
	}
	l.reportSwap(at, guess)
	return l.openTime(at + 2*day)
}

// stateNear reports a state that is due within a day before at or on its day.
func (l *life) stateNear(at int64) bool {
	i, _ := l.w.split(at)
	return l.Remote && (l.due(int(i)) || l.due(int(i)-1) && at-l.w.dayStart(int(i)-1) < 30*hour)
}
