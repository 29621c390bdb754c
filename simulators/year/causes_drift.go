package year

import "citygrid/schemas"

// driftCauses are those of a meter's own counters.
func driftCauses() []cause {
	usual := func(name string, class Class, n needs, run func(*life, int64) int64) cause {
		return cause{name: name, class: class, needs: n, first: 60, last: lateDays, run: run}
	}
	stepped := needs{readout: remote, purse: money, shape: steps, utilities: []schemas.Medium{schemas.Water, schemas.Gas}}
	out := []cause{
		usual("bought-more-remote", CumDrift, needs{readout: remote}, (*life).boughtMore),
		usual("bought-more-card", CumDrift, needs{readout: byCard}, (*life).boughtMore),
		usual("bought-less", CumDrift, needs{readout: remote}, (*life).boughtLess),
		usual("used-fell", ReverseFlow, needs{readout: remote, shape: flat}, (*life).usedFell),
		usual("count-fell", ReverseFlow, needs{readout: remote}, (*life).countFell),
		usual("bought-fell-volume", ReverseFlow, needs{readout: remote, purse: ofVolume}, (*life).boughtFell),
	}
	for _, k := range []struct {
		name string
		n    needs
	}{
		{"flat", needs{readout: remote, purse: money, shape: flat}},
		{"steps", stepped},
		{"tou", needs{readout: remote, purse: money, shape: timeOfUse, utilities: []schemas.Medium{schemas.Power}}},
		{"volume", needs{readout: remote, purse: ofVolume}},
		{"volume-card", needs{readout: byCard, purse: ofVolume}},
	} {
		up := usual("residual-up-"+k.name, ResidualDrift, k.n, func(l *life, ts int64) int64 { return l.residualJumps(ts, 1) })
		down := usual("residual-down-"+k.name, ResidualDrift, k.n, func(l *life, ts int64) int64 { return l.residualJumps(ts, -1) })
		out = append(out, up, down)
	}
	return out
}

// jumpAt is when something jumps: with the line at once, by card when the
// customer next holds it to the meter.
func (l *life) jumpAt(ts int64) int64 {
	if l.Remote {
		l.statesUntil(ts)
		return ts
	}
	return ts + day
}

// told shows the jump of t: a state in time, or the card the day after.
func (l *life) told(t int64) int64 {
	if l.Remote {
		return l.soon(t)
	}
	l.insert(t)
	l.readReturn(t + day)
	return l.openTime(t + 3*day)
}

func (l *life) boughtMore(ts int64) int64 {
	by := l.dice.span(1, 5_000)
	t := l.jumpAt(ts)
	l.m.bought += by
	l.awaitReport(Difference{Purchase: bySequence(l.m.count).Number}, by)
	return l.told(t)
}

// boughtLess: the counter misses a part of a load that the purse has.
func (l *life) boughtLess(ts int64) int64 {
	d := l.sell(ts)
	by := l.dice.span(1, 1_500)
	l.statesUntil(ts + 2*hour)
	l.m.load(d.credit, ts+2*hour)
	l.m.bought -= by
	l.awaitReport(Difference{Purchase: d.n}, -by)
	l.loaded(d, ts+2*hour)
	return l.nextVisit(d.at, ts+2*hour)
}

// usedFell: the register goes back by more than what is used until the next
// state.
func (l *life) usedFell(ts int64) int64 {
	l.jumpAt(ts)
	l.m.shift += l.meanUse * (int64(l.w.opt.StateEvery)*3/2 + 6)
	before, struck := l.last, l.struck
	l.await = func(e *Entry, s shown) {
		l.struck = struck
		l.report(onEntry(Difference{Purchase: s.count, Volume: before.used - s.used}, e))
	}
	return l.soon(ts)
}

func (l *life) boughtFell(ts int64) int64 {
	l.jumpAt(ts)
	by := l.dice.span(10, 2_000)
	l.m.bought -= by
	struck := l.struck
	l.await = func(e *Entry, s shown) {
		l.struck = struck
		l.report(onEntry(Difference{Purchase: s.count, Volume: by}, e))
	}
	return l.soon(ts)
}

// countFell: the meter counts a purchase less than it did, and takes no further
// one; the customer gives up.
func (l *life) countFell(ts int64) int64 {
	l.jumpAt(ts)
	l.m.count--
	struck := l.struck
	l.await = func(e *Entry, s shown) {
		l.struck = struck
		l.report(onEntry(Difference{Purchase: s.count}, e))
	}
	return l.leave(ts)
}

// residualJumps: the purse gains or loses what nobody loaded or used, well above
// every tolerance.
func (l *life) residualJumps(ts, sign int64) int64 {
	for l.edgeNear(ts) {
		ts += 12 * day
	}
	t := l.jumpAt(ts)
	l.m.advance(t)
	by := sign * l.dice.span(2_500, 9_000)
	if l.Utility == schemas.Power && l.m.volume {
		by *= 4
	}
	l.m.balance += l.m.scale(by)
	before, struck := l.last, l.struck
	l.await = func(e *Entry, s shown) {
		l.struck = struck
		l.report(l.inPurse(onEntry(Difference{Purchase: s.count}, e), s.net-l.expected(before, s)))
	}
	return l.told(t)
}

// edgeNear reports an edge so near that the charge between two states could be a
// range.
func (l *life) edgeNear(t int64) bool {
	for _, e := range l.m.plan.edges {
		if t > e.at-int64(l.w.opt.StateEvery+3)*day && t < e.at+int64(l.w.opt.StateEvery+3)*day {
			return true
		}
	}
	return false
}

// expected is what the purse should show after the use that the meter showed
// between two entries without an edge or a load between: by the page, rounded
// down to fen.
func (l *life) expected(a, b shown) int64 {
	set := &l.m.plan.Sets[l.m.set]
	switch {
	case l.m.volume:
		return a.net - (b.used - a.used)
	case l.m.plan.shape == timeOfUse:
		sum := int64(0)
		for r := range rates {
			sum += (b.byRate[r] - a.byRate[r]) * set.Rates[r]
		}
		return floorDiv(a.net*perFen-sum, perFen)
	default:
		return floorDiv(a.net*perFen-(cost(set.Steps, b.used)-cost(set.Steps, a.used)), perFen)
	}
}
