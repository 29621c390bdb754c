package year

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"citygrid/schemas"
)

// life is a place in the making.
type life struct {
	w *World
	*Place
	dice dice
	m    meter
	unit schemas.CreditUnit
	// registers: a meter of time of use shows its use by rate.
	registers bool
	inst      int // the installation that stands
	next      uint32
	orders    int
	card      schemas.CardID
	cards     int
	issuer    schemas.IssuerID
	source    schemas.CardSource
	newCardAt int64 // when the household's card is replaced; 0 never
	newMeter  int64
	// cause goes wrong at the first visit after causeAt; nil: nothing, or
	// nothing any more.
	cause    *cause
	causeAt  int64
	struck   *cause // the one that has struck
	calm     bool   // something is wrong in the household: the meter names no card
	exact    bool   // rows are in the day of their moment, and payments in time
	silent   bool   // the line is dead
	gone     bool   // the customer buys no more
	stateDay int
	phase    int
	back     shown // what the card's return file says
	hasBack  bool
	last     shown // the last state or return, and whether there is one
	hasLast  bool
	await    func(e *Entry, s shown) // sees the next state or new return
	// meanUse is the use of a day.
	meanUse int64
}

// Place makes the place with an index from 0.
func (w *World) Place(index int) *Place {
	h := homeOf(index)
	l := &life{w: w, dice: dice(mix(w.opt.Seed, uint64(index)+1000)), Place: &Place{Index: index, Household: int(h.household), Utility: h.utility}}
	l.choose(h)
	l.fillUse()
	l.live()
	l.finish()
	return l.Place
}

// choose draws what kind of place it is; a cause that needs a kind has it.
func (l *life) choose(h home) {
	letter := map[schemas.Medium]string{schemas.Water: "W", schemas.Power: "P", schemas.Gas: "G"}[h.utility]
	l.Meter = schemas.MeterID(fmt.Sprintf("%s%08d", letter, l.Index))
	l.issuer = homeIssuer
	x, wrongHere := l.w.wrong[h.household]
	if wrongHere && int(x.place) == l.Index {
		l.cause = &l.w.causes[x.cause]
	}
	l.Remote = l.dice.chance(650)
	volume := l.dice.chance(map[schemas.Medium]int64{schemas.Water: 250, schemas.Power: 60, schemas.Gas: 300}[h.utility])
	s := []shape{steps, steps, flat}[l.dice.span(0, 2)]
	if h.utility == schemas.Power && l.dice.chance(300) {
		s = timeOfUse
	}
	l.registers = l.dice.chance(800)
	if l.cause != nil {
		l.cause.mould(l, &volume, &s)
	}
	if volume {
		s = flat
	}
	l.Plan = string(h.utility) + map[shape]string{flat: "-flat", steps: "-steps", timeOfUse: "-tou"}[s]
	l.unit = purseUnit(h.utility, volume)
	l.Purse = l.unit
	l.source = map[schemas.Medium]schemas.CardSource{schemas.Water: schemas.FromCJT188, schemas.Power: schemas.FromDLT645, schemas.Gas: schemas.FromModbus}[h.utility]
	l.m = meter{w: l.w, volume: volume, zones: rateZones()}
	for i := range l.w.plans {
		if l.w.plans[i].ID == l.Plan {
			l.m.plan = &l.w.plans[i]
		}
	}
	l.phase = int(l.dice.span(0, int64(l.w.opt.StateEvery)-1))
	l.plansAhead(h, wrongHere)
}

func purseUnit(u schemas.Medium, volume bool) schemas.CreditUnit {
	switch {
	case !volume:
		return schemas.CreditFen
	case u == schemas.Power:
		return schemas.CreditWh
	default:
		return schemas.CreditLitre
	}
}

// useUnit is what the meter counts.
func (l *life) useUnit() schemas.CreditUnit { return purseUnit(l.Utility, true) }

// plansAhead draws when the household's card and the place's meter are replaced,
// and when the cause strikes. Where something is wrong in a household nothing
// else happens in it, so that no two facts meet.
func (l *life) plansAhead(h home, wrongHere bool) {
	house := dice(mix(l.w.opt.Seed, uint64(h.household)+1<<40))
	cardAt := l.w.start + house.span(40, int64(l.w.opt.Days)-40)*day + house.span(9, 16)*hour
	l.calm = wrongHere
	ordinary := !wrongHere && !l.w.opt.Quiet
	if ordinary && house.chance(50) {
		l.newCardAt = cardAt
	}
	if ordinary && l.newCardAt == 0 && l.dice.chance(15) {
		l.newMeter = l.w.start + l.dice.span(40, int64(l.w.opt.Days)-45)*day
	}
	switch {
	case l.cause != nil && l.w.opt.Recent > 0:
		l.causeAt = l.recently()
	case l.cause != nil:
		first := l.cause.first
		if first < 0 {
			first += int64(l.w.opt.Days)
		}
		l.causeAt = l.w.start + l.dice.span(first, l.lastDay())*day
	}
}

// lastDay is the last day on which the cause may strike. Where steps count, that
// is well before the first edge: what was used since then is known exactly only
// up to it.
func (l *life) lastDay() int64 {
	last := int64(l.w.opt.Days) - l.cause.last
	if l.cause.needs.shape == steps && len(l.m.plan.edges) > 0 {
		last = min(last, floorDiv(l.m.plan.edges[0].at-l.w.start, day)-45)
	}
	return last
}

// fillUse draws what the place uses each day.
func (l *life) fillUse() {
	w := l.w
	low, high := int64(150), int64(650) // litres of water
	switch l.Utility {
	case schemas.Power:
		low, high = 3_000, 14_000
	case schemas.Gas:
		low, high = 500, 1_800
	}
	l.meanUse = l.dice.span(low, high)
	n := w.opt.Days + tail
	l.m.use = make([]int64, n+1)
	if l.m.plan.shape == timeOfUse {
		l.m.byRate = make([][rates]int64, n+1)
	}
	for i := range n {
		today := l.meanUse * l.dice.span(50, 150) / 100
		l.m.use[i+1] = l.m.use[i] + today
		if l.m.byRate != nil {
			l.m.byRate[i+1] = l.m.byRate[i]
			addDay(&l.m.byRate[i+1], l.m.zones, today, day)
		}
	}
}

// live goes through the year.
func (l *life) live() {
	from := l.w.start + l.dice.span(0, 19)*day + l.dice.span(9, 15)*hour
	l.silent = l.cause != nil && l.cause.atOnce
	l.install(from)
	l.issueCard(from+10*minute, "")
	if l.silent {
		l.strike(from)
	}
	for ts := from + l.dice.span(1, 5)*hour; ts < l.w.end && !l.gone; {
		ts = l.visit(ts)
	}
	l.statesUntil(l.w.end)
}

// visit is what happens from one visit of a counter, or one sale online, to the
// next, whose moment it returns.
func (l *life) visit(ts int64) int64 {
	if l.cause != nil && ts >= l.causeAt {
		return l.strike(ts)
	}
	if l.newCardAt > 0 && l.newCardAt <= ts {
		at := max(l.newCardAt, l.m.at+hour)
		l.newCardAt = 0
		l.replaceCard(at, nil)
		ts = max(ts, at+30*hour)
	}
	if l.newMeter > 0 && l.newMeter <= ts {
		ts = l.exchange(ts)
	}
	if !l.Remote {
		l.readReturn(ts)
		if l.m.show(ts, 0).net > 30*l.m.costs(ts) && !(l.cause != nil && l.causeAt <= ts+60*day) {
			return l.later(ts)
		}
	}
	return l.buy(ts)
}

// strike makes the cause happen, at a time when nothing else is near a limit.
func (l *life) strike(ts int64) int64 {
	c := l.cause
	l.cause, l.struck, l.exact = nil, c, true
	if !c.atOnce {
		ts = l.w.start + (ts-l.w.start+day-1)/day*day + 10*hour + l.dice.span(0, 4*hour)
	}
	l.readReturn(ts)
	next := c.run(l, ts)
	l.exact = false
	return next
}

// buy is an ordinary purchase with its load, and what may come between.
func (l *life) buy(ts int64) int64 {
	d := l.sell(ts)
	tl := l.loadTime(ts)
	if !l.w.opt.Quiet && l.dice.chance(20) {
		d, tl = l.regret(d)
	}
	if l.newCardAt > d.at+hour && l.newCardAt < tl-hour {
		at := l.newCardAt
		l.newCardAt = 0
		d = l.replaceCard(at, &d)
	}
	l.load(d, tl)
	return l.nextVisit(d.at, tl)
}

// regret gives the purchase back before it is loaded, and sells another.
func (l *life) regret(d deal) (deal, int64) {
	at, kind, channel := d.at+l.dice.span(5, 40)*minute, Reversal, d.channel
	if l.w.dayOf(at, l.w.cutOff(channel)) != d.day {
		at, kind = d.at+l.dice.span(1, 8)*day, Refund
	} else if l.dice.chance(500) {
		at, kind, channel = l.office(d.at+l.dice.span(1, 8)*day), Refund, "cash"
	}
	l.giveBack(d, at, kind, channel)
	again := l.sell(at + l.dice.span(10, 90)*minute)
	return again, l.loadTime(again.at)
}

// exchange replaces the meter before the visit at ts, if there is a day for it
// and credit that can be carried over.
func (l *life) exchange(ts int64) int64 {
	at := l.dayAfter(max(l.newMeter, l.m.at)) + 10*hour
	if at+2*hour > ts {
		return ts
	}
	before := at - 4*hour
	l.statesUntil(before)
	if l.m.show(before, 0).net <= 5*l.m.costs(before) {
		return ts
	}
	l.newMeter = 0
	return max(ts, l.replaceMeter(at)+day)
}

// finish sorts the rows and leaves out those of days after the last one.
func (l *life) finish() {
	last := l.w.LastDay()
	l.Sales = slices.DeleteFunc(l.Sales, func(s Sale) bool { return s.Day > last })
	l.Payments = slices.DeleteFunc(l.Payments, func(p Payment) bool { return p.Day > last })
	l.Entries = slices.DeleteFunc(l.Entries, func(e Entry) bool { return e.Day > last })
	if l.w.opt.Recent > 0 {
		l.trim()
	}
	slices.SortStableFunc(l.Sales, func(a, b Sale) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(l.Payments, func(a, b Payment) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(l.Entries, func(a, b Entry) int { return a.TakenAt.Compare(b.TakenAt) })
	slices.SortStableFunc(l.Injected, func(a, b Difference) int { return cmp.Compare(a.Purchase, b.Purchase) })
	if l.w.opt.Recent > 0 {
		l.Injected = slices.DeleteFunc(l.Injected, func(d Difference) bool { return l.Due(&d) > last })
	}
}

// utc turns Unix seconds into what rows carry.
func utc(t int64) time.Time { return time.Unix(t, 0).UTC() }

// dayAfter returns the start of the first day after t.
func (l *life) dayAfter(t int64) int64 { return l.w.start + (floorDiv(t-l.w.start, day)+1)*day }

// dayStart returns the start of the day of t.
func (l *life) dayStart(t int64) int64 { return l.dayAfter(t) - day }

// office moves a moment into the hours of a counter of the same day.
func (l *life) office(t int64) int64 { return l.dayStart(t) + 9*hour + l.dice.span(0, 8*hour) }

// loadTime draws when a purchase of ts is loaded: minutes to 25 days later, when
// people are awake, and never so near midnight that the clock of a meter could
// put it on the other side of a state.
func (l *life) loadTime(ts int64) int64 {
	var t int64
	switch n := l.dice.span(0, 99); {
	case n < 40:
		t = ts + l.dice.span(3, 90)*minute
	case n < 65:
		t = ts + l.dice.span(2, 20)*hour
	case n < 90:
		t = ts + l.dice.span(1, 5)*day
	default:
		t = ts + l.dice.span(5, 24)*day
	}
	in := t - l.dayStart(t)
	if in < 7*hour {
		t = l.dayStart(t) + 7*hour + l.dice.span(0, 2*hour)
	}
	if in > 22*hour+50*minute {
		t = l.dayAfter(t) + 7*hour + l.dice.span(0, 2*hour)
	}
	return t
}

// nextVisit draws when the customer buys again. A card-read place is heard of only then,
// so its customer shows the card before the purchase counts as not loaded.
func (l *life) nextVisit(ts, tl int64) int64 {
	next := max(ts+l.dice.span(20, 65)*day, tl+day)
	if l.cause != nil && next > l.causeAt {
		next = max(l.causeAt, tl+day)
	}
	if !l.Remote {
		next = max(ts+l.dice.span(14, 27)*day, tl+day)
	}
	next = l.openTime(next)
	if !l.Remote && l.dice.chance(500) && next-8*hour > tl+hour {
		l.insert(next - l.dice.span(2, 8)*hour)
	}
	return next
}

// later draws when a customer who bought nothing comes again.
func (l *life) later(ts int64) int64 { return l.openTime(ts + l.dice.span(20, 60)*day) }

// openTime puts a moment at some time of its day: people buy online until near
// midnight.
func (l *life) openTime(t int64) int64 {
	return l.dayStart(t) + 8*hour + l.dice.span(0, 15*hour+58*minute)
}
