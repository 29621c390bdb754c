package year

// undoCauses are refunds and reversals that do not pair with what they undo.
func undoCauses() []cause {
	usual := func(name string, n needs, run func(*life, int64) int64) cause {
		return cause{name: name, class: Reversed, needs: n, first: early, last: lateDays, run: run}
	}
	line := needs{readout: remote}
	next := usual("undone-without-clear-next-sold", line, (*life).undoneNextSold)
	next.first, next.last = -85, 50
	return []cause{
		usual("undone-unknown", needs{}, (*life).undoneUnknown),
		usual("undone-amount", needs{}, (*life).undoneAmount),
		usual("undone-without-clear", needs{}, (*life).undoneNoClear),
		next,
		usual("undone-after-load", line, (*life).undoneAfterLoad),
		usual("undone-then-loaded", line, (*life).undoneThenLoaded),
	}
}

// undoneUnknown: money back for an order that nobody sold.
func (l *life) undoneUnknown(ts int64) int64 {
	r := l.offer(ts)
	r.n = l.next - 1
	l.row(Refund, r, "L"+r.order)
	l.paid(r.channel, r.order, r.fen, r.at, true)
	l.reportRow(r, 1)
	return l.soon(ts)
}

func (l *life) undoneAmount(ts int64) int64 {
	d := l.sell(ts)
	less := d
	less.fen -= l.dice.span(1, min(1_500, d.fen/2))
	r := l.giveBackOf(less, d, ts+20*minute)
	l.reportRow(r, 1)
	return l.loadSoon(l.sell(ts + hour))
}

// giveBackOf gives back what less says for the purchase d.
func (l *life) giveBackOf(less, d deal, at int64) deal {
	r := l.undone(less, at, Reversal, d.channel)
	l.paid(r.channel, r.order, r.fen, at, true)
	l.cleared(d, at-40, d.channel)
	l.next = d.n
	return r
}

// undoneNoClear: the terminal did not take the purchase off the card, and wrote
// the next one over it.
func (l *life) undoneNoClear(ts int64) int64 {
	d := l.sell(ts)
	r := l.undone(d, ts+20*minute, Reversal, d.channel)
	l.paid(r.channel, r.order, r.fen, r.at, true)
	l.next = d.n
	l.reportRow(r, 1)
	return l.loadSoon(l.sell(ts + hour))
}

// undoneNextSold: the same, but the next purchase got the next number, which the
// meter will not take: the customer holds it still when the world ends.
func (l *life) undoneNextSold(ts int64) int64 {
	d := l.sell(ts)
	r := l.undone(d, ts+20*minute, Reversal, d.channel)
	l.paid(r.channel, r.order, r.fen, r.at, true)
	l.reportRow(r, 1)
	at := max(ts+2*day, l.w.end-l.dice.span(6, 20)*day+11*hour)
	l.sell(at)
	return l.leave(at)
}

// undoneAfterLoad: money back for what the meter has.
func (l *life) undoneAfterLoad(ts int64) int64 {
	d := l.sell(ts)
	l.load(d, ts+2*hour)
	r := l.undone(d, ts+day, Refund, d.channel)
	l.paid(r.channel, r.order, r.fen, r.at, true)
	l.cleared(d, r.at-40, r.channel)
	l.reportRow(r, 1)
	return l.nextVisit(r.at, r.at)
}

// undoneThenLoaded: the terminal says that the card was cleared, but it was not.
func (l *life) undoneThenLoaded(ts int64) int64 {
	d := l.sell(ts)
	r := l.giveBack(d, ts+20*minute, Reversal, d.channel)
	l.load(d, ts+26*hour)
	l.next = d.n + 1
	l.reportRow(r, 1)
	return l.nextVisit(ts, ts+26*hour)
}
