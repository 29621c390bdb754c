package year

import (
	"fmt"
	"slices"

	"citygrid/schemas"
)

// maxClock is how far a meter's clock may be off: less than the least time
// between a load and the next state.
const maxClock = 9 * minute

// install puts a new meter in place at t.
func (l *life) install(t int64) {
	l.m.clock = l.dice.span(-maxClock, maxClock)
	l.m.install(t)
	l.next, l.hasLast, l.hasBack, l.last = 1, false, false, shown{}
	l.Installations = append(l.Installations, Installation{From: utc(t),
		MeterNumber: fmt.Sprintf("%d%08d%03d", map[schemas.Medium]int{schemas.Power: 1, schemas.Water: 2, schemas.Gas: 3}[l.Utility], l.Index, len(l.Installations)+1),
		Customer:    schemas.CustomerID(fmt.Sprintf("H%07d", l.Household))})
	l.inst = len(l.Installations) - 1
	i, _ := l.w.split(t)
	l.stateDay = max(l.stateDay, int(i)+1)
	l.state(t + 30*minute)
}

// due reports whether a state is read at the start of a day of the world.
func (l *life) due(i int) bool {
	return l.w.monthFirst[i] || (i+l.phase)%l.w.opt.StateEvery == 0
}

// statesUntil reads the states that are due before t: at the 1st at 00:00
// sharp, else in the first minutes of the day.
func (l *life) statesUntil(t int64) {
	for l.stateDay < l.w.opt.Days {
		at := l.w.dayStart(l.stateDay)
		if at >= t {
			return
		}
		if l.due(l.stateDay) {
			if !l.w.monthFirst[l.stateDay] {
				at += l.dice.span(0, 240)
			}
			if at >= t {
				return
			}
			l.state(at)
		}
		l.stateDay++
	}
}

// state reads the meter over its line.
func (l *life) state(t int64) {
	if !l.Remote || l.silent {
		return
	}
	s := l.m.show(t, l.dice.span(0, 14*minute))
	e := l.fromMeter(schemas.CardState, l.source, t)
	e.Purchase = bySequence(s.count)
	l.purse(&e, s)
	l.seen(l.addShown(e, t, s), s)
}

// seen tells who waits for the next word of the meter.
func (l *life) seen(e *Entry, s shown) {
	if l.await != nil {
		told := l.await
		l.await = nil
		told(e, s)
	}
	l.last, l.hasLast = s, true
}

// addShown files an entry with the use by rate where the meter has registers.
func (l *life) addShown(c schemas.CardEntry, t int64, s shown) *Entry {
	e := l.add(c, t)
	if l.m.plan.shape == timeOfUse && l.registers {
		e.UsedByRate = slices.Clone(s.byRate[:])
	}
	return e
}

// fromMeter begins an entry that came over the line.
func (l *life) fromMeter(event schemas.CardEvent, source schemas.CardSource, t int64) schemas.CardEntry {
	in := l.Installations[l.inst]
	return schemas.CardEntry{Event: event, Source: source, Utility: l.Utility, Meter: l.Meter, InstalledAt: in.From,
		MeterNumber: in.MeterNumber, Customer: in.Customer, TakenAt: utc(t)}
}

// purse fills in what a meter shows of its purse.
func (l *life) purse(e *schemas.CardEntry, s shown) {
	e.Residual = schemas.Credit{Value: max(s.net, 0), Unit: l.unit}
	e.Overdraft = schemas.Credit{Value: max(-s.net, 0), Unit: l.unit}
	e.Bought = schemas.Credit{Value: s.bought, Unit: l.unit}
	e.Used = schemas.Credit{Value: s.used, Unit: l.useUnit()}
}

// load puts the card into the meter at t, which takes the purchase.
func (l *life) load(d deal, t int64) {
	l.statesUntil(t)
	if !l.exact && !l.w.opt.Quiet && l.dice.chance(10) {
		l.refused(d.n, t-2*minute, schemas.FaultEarlyRemoval)
	}
	l.m.load(d.credit, t)
	l.loaded(d, t)
}

// loaded is what the books learn of a load: from a remote meter its record and,
// a while later, a state; from another what the card's return file says when it
// is next read.
func (l *life) loaded(d deal, t int64) {
	if !l.Remote {
		l.back, l.hasBack = l.m.show(t, 0), true
		return
	}
	l.record(d, t)
	l.afterLoad(t)
}

// afterLoad reads a state so long after a load that no clock is that much off.
func (l *life) afterLoad(t int64) { l.state(t + l.dice.span(20, 50)*minute) }

// record is the purchase record of a remote meter, told twice now and then.
func (l *life) record(d deal, t int64) {
	if l.silent {
		return
	}
	s := l.m.show(t, 0)
	e := l.fromMeter(schemas.CardLoad, l.source, t+l.dice.span(10, 200))
	e.RecordedAt = utc(t + l.m.clock)
	e.Purchase, e.Amount = bySequence(d.n), schemas.Credit{Value: d.credit, Unit: l.unit}
	l.purse(&e, s)
	if d.card != l.card || !l.calm && l.dice.chance(500) {
		e.Issuer, e.Card = l.issuer, d.card
	}
	l.addShown(e, e.TakenAt.Unix(), s)
	if l.exact || l.w.opt.Quiet || !l.dice.chance(80) {
		return
	}
	twice := l.fromMeter(schemas.CardLoad, schemas.FromModbus, t+5)
	if l.source == schemas.FromModbus {
		twice.Source = schemas.FromMemory
	}
	twice.Purchase, twice.Amount, twice.Terminal = e.Purchase, e.Amount, "slot"
	l.addShown(twice, t+5, s).UsedByRate = nil
}

// refused is the meter's record that it took no card.
func (l *life) refused(n uint32, t int64, fault schemas.CardFault) {
	if !l.Remote || l.silent {
		return
	}
	e := l.fromMeter(schemas.CardRefusal, l.source, t+30)
	e.RecordedAt, e.Purchase, e.Fault = utc(t+l.m.clock), bySequence(n), fault
	l.add(e, t+30)
}

// insert puts a card with nothing to load into the meter, which writes its purse
// back.
func (l *life) insert(t int64) { l.back, l.hasBack = l.m.show(t, 0), true }

// readReturn reads the card's return file at a terminal.
func (l *life) readReturn(t int64) {
	if !l.hasBack {
		return
	}
	e := l.atTerminal(schemas.CardReturn, t-90, "cash")
	e.RecordedAt, e.Purchase = utc(l.back.at+l.m.clock), bySequence(l.back.count)
	l.purse(&e, l.back)
	x := l.addShown(e, t-90, l.back)
	if !l.hasLast || l.last.at < l.back.at {
		l.seen(x, l.back)
	}
}

// issueCard gives the customer a card at t.
func (l *life) issueCard(t int64, replaces schemas.CardID) {
	l.cards++
	l.card = cardID(l.Household, l.cards)
	e := l.atTerminal(schemas.CardIssue, t, "cash")
	e.Replaces = replaces
	e.Purchase = bySequence(l.next - 1)
	l.add(e, t)
}

// cardID numbers the cards of a household.
func cardID(household, n int) schemas.CardID {
	return schemas.CardID(fmt.Sprintf("A5%010X%04X", household, n))
}

// replaceCard gives the customer a new card at t, with what was not loaded from
// the old one. The customer then puts it into the meter.
func (l *life) replaceCard(t int64, pending *deal) deal {
	l.issueCard(t, l.card)
	if pending == nil {
		if !l.Remote {
			l.hasBack = false
			l.insert(t + 20*hour)
		}
		return deal{}
	}
	l.hasBack = false
	return l.reissue(*pending, t+2*minute)
}

// reissue writes a purchase again, and its row.
func (l *life) reissue(d deal, t int64) deal {
	undoes := d.order
	if d.channel != "cash" {
		undoes = d.channel + "/" + d.order
	}
	d.channel, d.at, d.card = "cash", t, l.card
	d.day = l.w.dayOf(t, l.w.cutOff(d.channel))
	d.order = l.newOrder(d.channel, d.day)
	l.cardWritten(schemas.CardSale, d, t-30)
	l.row(Reissue, d, undoes)
	return d
}

// final reads the meter that is to be removed at t, and returns its credit.
func (l *life) final(t int64) int64 {
	at := t - 6*minute
	l.statesUntil(at)
	if l.Remote {
		silent := l.silent
		l.silent = false
		l.state(at)
		l.silent = silent
		return l.last.net
	}
	l.insert(at)
	l.readReturn(t + 3*hour)
	return l.back.net
}

// swap puts another meter in place at t.
func (l *life) swap(t int64) {
	l.Installations[l.inst].To = utc(t)
	l.install(t)
}

// carry writes the credit of the old meter as purchase 1 of the new one.
func (l *life) carry(credit, t int64) deal {
	d := deal{channel: "cash", n: l.next, credit: credit, at: t, card: l.card}
	if !l.m.volume {
		d.fen = credit
	}
	l.next++
	d.day = l.w.dayOf(t, l.w.cutOff(d.channel))
	d.order = l.newOrder(d.channel, d.day)
	l.cardWritten(schemas.CardSale, d, t-30)
	l.row(Transfer, d, "")
	l.load(d, t+90*minute)
	if !l.Remote {
		l.readReturn(t + 3*hour)
	}
	return d
}

// replaceMeter replaces the meter at t properly. Some customers have a purchase on
// the card that is not loaded: it is written again for the new meter. It
// returns when all is done.
func (l *life) replaceMeter(t int64) int64 {
	var pending *deal
	if l.dice.chance(300) {
		d := l.sell(t - 3*hour)
		pending = &d
	}
	credit := l.final(t)
	l.swap(t)
	l.carry(credit, t+hour)
	done := t + 5*hour
	if pending == nil {
		return done
	}
	d := *pending
	d.n = l.next
	l.next++
	d = l.reissue(d, done)
	tl := l.loadTime(done + 30*minute) // no clock puts the load before the row
	l.load(d, tl)
	if !l.Remote {
		l.readReturn(tl + 2*hour)
	}
	return tl + 2*hour
}
