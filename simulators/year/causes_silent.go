package year

import "citygrid/schemas"

// silentCauses are meters that nobody hears of any more.
func silentCauses() []cause {
	return []cause{
		{name: "line-dead", class: Stale, needs: needs{readout: remote}, first: early, last: lateDays, run: (*life).lineDead},
		{name: "line-never", class: Stale, needs: needs{readout: remote}, atOnce: true, first: 1, last: 1, run: (*life).lineNever},
		{name: "card-gone", class: Stale, needs: needs{readout: byCard}, first: early, last: 180 + lateDays, run: (*life).cardGone},
	}
}

// lineDead: the customer buys and loads on, but the line tells nothing.
func (l *life) lineDead(ts int64) int64 {
	l.statesUntil(ts)
	l.report(onEntry(Difference{}, l.lastOf(schemas.CardState)))
	l.silent = true
	return l.soon(ts)
}

func (l *life) lineNever(from int64) int64 {
	l.report(Difference{Moment: utc(from), Day: l.w.entryDay(from)})
	return from
}

// cardGone: the card was read for the last time, with nothing left on it.
func (l *life) cardGone(ts int64) int64 {
	l.report(onEntry(Difference{}, l.lastOf(schemas.CardReturn)))
	l.gone = true
	return ts
}
