package year_test

import (
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
	"citygrid/simulators/year"
)

// judge is a small reconciliation of one place, written from
// docs/reconciliation.md with nothing but slices and maps, to see that the world
// is what its list says. It looks at the whole year at once; what would be
// reported on some day and clear later shows up too, because every hold is
// compared with the day of the fact that ends it.
type judge struct {
	w    *year.World
	p    *year.Place
	last int32
	out  []year.Difference
	dup  map[*year.Sale]bool
	gaps map[time.Time]uint32 // lowest open gap of an installation
	sets []year.PriceSet      // of the place's plan
}

func judgePlace(w *year.World, p *year.Place) []year.Difference {
	j := &judge{w: w, p: p, last: w.LastDay(), dup: map[*year.Sale]bool{}, gaps: map[time.Time]uint32{}}
	for _, plan := range w.Plans() {
		if plan.ID == p.Plan {
			j.sets = plan.Sets
		}
	}
	j.money()
	for i := range p.Installations {
		j.installation(i)
	}
	return j.out
}

func (j *judge) say(d year.Difference) { j.out = append(j.out, d) }

func (j *judge) row(c year.Class, s *year.Sale, sign int64) {
	j.say(year.Difference{Class: c, Channel: s.Channel, Order: s.Order, Meter: s.Meter, From: s.From, Purchase: s.Purchase,
		Moment: s.At, Day: s.Day, Amount: schemas.Fen(sign) * s.Amount, Volume: sign * s.Volume})
}

type side struct {
	channel, order string
	back           bool
}

func paysFor(s *year.Sale) (side, bool) {
	switch s.Kind {
	case year.Purchase:
		return side{s.Channel, s.Order, false}, true
	case year.Refund, year.Reversal:
		return side{s.Channel, s.Order, true}, true
	}
	return side{}, false
}

// money compares sales and payments.
func (j *judge) money() {
	pays, sales := map[side]*year.Payment{}, map[side]*year.Sale{}
	live := map[time.Time]map[uint32]bool{}
	for i := range j.p.Sales {
		s := &j.p.Sales[i]
		k, ok := paysFor(s)
		if live[s.From] == nil {
			live[s.From] = map[uint32]bool{}
		}
		switch {
		case ok && sales[k] != nil, s.Kind == year.Purchase && live[s.From][s.Purchase]:
			j.dup[s] = true
			j.row(year.DupSale, s, 1)
		case k.back:
			if u := j.find(s); u != nil {
				live[u.From][u.Purchase] = false
			}
		default:
			live[s.From][s.Purchase] = true
		}
		if ok && sales[k] == nil {
			sales[k] = s
		}
	}
	for i := range j.p.Payments {
		p := &j.p.Payments[i]
		k := side{p.Channel, p.Order, p.Refund}
		d := year.Difference{Channel: p.Channel, Order: p.Order, Moment: p.At, Day: p.Day, Amount: p.Amount}
		s := sales[k]
		switch {
		case pays[k] != nil:
			d.Class = year.DupPay
			j.say(d)
			continue
		case (s == nil || s.Day > p.Day+1) && j.last-p.Day >= 1:
			d.Class = year.PaidNoSale
			if p.Refund {
				d.Amount = -d.Amount
			}
			j.say(d)
		case s != nil && s.Amount != p.Amount:
			j.say(year.Difference{Class: year.AmountDiff, Channel: s.Channel, Order: s.Order, Meter: s.Meter, From: s.From,
				Purchase: s.Purchase, Moment: s.At, Day: s.Day, Amount: p.Amount - s.Amount})
		}
		pays[k] = p
	}
	for i := range j.p.Sales {
		s := &j.p.Sales[i]
		k, ok := paysFor(s)
		if p := pays[k]; ok && !j.dup[s] && j.last-s.Day >= 2 && (p == nil || p.Day > s.Day+2) {
			sign := int64(1)
			if k.back {
				sign = -1
			}
			j.row(year.SaleNoPay, s, sign)
		}
	}
}

// find returns the row that s undoes or stands for.
func (j *judge) find(s *year.Sale) *year.Sale {
	channel, order, other := strings.Cut(s.Undoes, "/")
	if !other {
		channel, order = s.Channel, s.Undoes
	}
	for i := range j.p.Sales {
		u := &j.p.Sales[i]
		if u.Channel == channel && u.Order == order && u.Kind != year.Refund && u.Kind != year.Reversal {
			return u
		}
	}
	return nil
}

// evidence is what the meter tells of a number.
type evidence struct {
	day    int32
	moment time.Time
	load   *year.Entry
}

type book struct {
	in      year.Installation
	entries []*year.Entry // by moment
	rows    map[uint32][]*year.Sale
	live    map[uint32]*year.Sale
	loaded  map[uint32]*evidence
	rise    map[uint32]int64
	top     uint32
}

func (j *judge) open(i int) *book {
	b := &book{in: j.p.Installations[i], rows: map[uint32][]*year.Sale{}, live: map[uint32]*year.Sale{},
		loaded: map[uint32]*evidence{}, rise: map[uint32]int64{}}
	for k := range j.p.Entries {
		if e := &j.p.Entries[k]; e.InstalledAt.Equal(b.in.From) {
			b.entries = append(b.entries, e)
		}
	}
	// First evidence is by the day on which it came; it is looked for first.
	for _, e := range b.entries {
		j.evidence(b, e)
	}
	slices.SortStableFunc(b.entries, func(x, y *year.Entry) int { return x.Moment().Compare(y.Moment()) })
	return b
}

func (j *judge) evidence(b *book, e *year.Entry) {
	if e.Event != schemas.CardLoad && e.Event != schemas.CardState && e.Event != schemas.CardReturn {
		return
	}
	n := e.Purchase.Number
	low := uint32(1)
	if e.Event == schemas.CardLoad {
		low = n
	}
	for m := low; m <= n; m++ {
		if b.loaded[m] == nil {
			b.loaded[m] = &evidence{day: e.Day, moment: e.Moment()}
		}
		if e.Event == schemas.CardLoad && b.loaded[m].load == nil {
			b.loaded[m].load = e
		}
		if e.Moment().Before(b.loaded[m].moment) {
			b.loaded[m].moment = e.Moment()
		}
	}
	b.top = max(b.top, n)
}

func (j *judge) installation(i int) {
	b := j.open(i)
	j.rows(b)
	j.counters(b)
	j.numbers(b)
	j.cards(b)
	j.stale(b)
	if i+1 < len(j.p.Installations) {
		j.swap(b, j.p.Installations[i+1])
	}
}

// rows makes the live numbers, and looks at what is undone or written again.
func (j *judge) rows(b *book) {
	for i := range j.p.Sales {
		s := &j.p.Sales[i]
		if s.Kind == year.Reissue {
			if u := j.find(s); u != nil && u.From.Equal(b.in.From) && b.live[u.Purchase] == u && !s.From.Equal(b.in.From) {
				delete(b.live, u.Purchase)
			}
		}
		if !s.From.Equal(b.in.From) || j.dup[s] {
			continue
		}
		switch s.Kind {
		case year.Reissue:
			u := j.find(s)
			if e := b.loaded[s.Purchase]; u == nil || u.Amount != s.Amount || u.Volume != s.Volume || e != nil && e.moment.Before(s.At) {
				j.row(year.CardReplaced, s, 1)
			}
			fallthrough
		case year.Purchase, year.Transfer:
			b.live[s.Purchase] = s
			b.rows[s.Purchase] = append(b.rows[s.Purchase], s)
		default:
			if u := j.find(s); u != nil && b.live[u.Purchase] == u {
				delete(b.live, u.Purchase)
			}
		}
	}
	for i := range j.p.Sales {
		s := &j.p.Sales[i]
		if (s.Kind == year.Refund || s.Kind == year.Reversal) && s.From.Equal(b.in.From) && !j.dup[s] && j.last-s.Day >= 1 {
			j.undone(b, s)
		}
	}
}

func (j *judge) undone(b *book, s *year.Sale) {
	u := j.find(s)
	bad := u == nil || u.Amount != s.Amount
	if !bad {
		clear := slices.ContainsFunc(b.entries, func(e *year.Entry) bool {
			return e.Event == schemas.CardClear && e.Purchase.Number == u.Purchase && e.TakenAt.After(s.At.Add(-24*time.Hour)) && e.Day <= s.Day+1
		})
		bad = !clear || b.loaded[u.Purchase] != nil && b.live[u.Purchase] == nil
	}
	if bad {
		j.row(year.Reversed, s, 1)
	}
}

// numbers looks at each purchase number.
func (j *judge) numbers(b *book) {
	top := b.top
	for n := range b.rows {
		top = max(top, n)
	}
	for n := uint32(1); n <= top; n++ {
		rows, e, live := b.rows[n], b.loaded[n], b.live[n]
		switch {
		case len(rows) == 0 && e != nil && j.last-e.day < 1: // not due yet
		case len(rows) == 0 && e != nil:
			d := year.Difference{Class: year.LoadedNotSold, Meter: j.p.Meter, From: b.in.From, Purchase: n, Moment: e.moment, Day: e.day}
			j.say(j.inPurse(d, b.amountOf(n)))
		case len(rows) == 0:
			if above := b.live[n+1]; above != nil && j.last-above.Day >= 1 {
				j.say(year.Difference{Class: year.CounterGap, Meter: j.p.Meter, From: b.in.From, Purchase: n, Moment: above.At, Day: above.Day})
				j.gaps[b.in.From] = n
			}
		case live != nil && b.live[n+1] != nil && j.overtaken(b, n):
			j.say(year.Difference{Class: year.CounterGap, Meter: j.p.Meter, From: b.in.From, Purchase: n, Moment: live.At, Day: live.Day,
				Amount: live.Amount, Volume: live.Volume})
			j.gaps[b.in.From] = n
		}
		if live != nil {
			j.sold(b, n, live)
		}
		if e != nil && len(rows) > 0 && rows[0].Day > e.day+1 {
			j.row(year.LoadedNotSold, rows[0], 1)
		}
	}
}

// overtaken reports a state that shows n-1 after n+1 was sold.
func (j *judge) overtaken(b *book, n uint32) bool {
	return slices.ContainsFunc(b.entries, func(e *year.Entry) bool {
		return (e.Event == schemas.CardState || e.Event == schemas.CardReturn) && e.Moment().After(b.live[n+1].At) && e.Purchase.Number < n
	})
}

func (b *book) amountOf(n uint32) int64 {
	if e := b.loaded[n].load; e != nil {
		return e.Amount.Value
	}
	return b.rise[n]
}

func (j *judge) sold(b *book, n uint32, s *year.Sale) {
	e := b.loaded[n]
	if e != nil && e.load != nil {
		if diff := e.load.Amount.Value - j.credit(s); diff != 0 {
			d := year.Difference{Class: year.LoadAmountDiff, Meter: s.Meter, From: s.From, Purchase: n, Moment: e.load.Moment(), Day: e.load.Day}
			j.say(j.inPurse(d, diff))
		}
	}
	if e == nil && j.last-s.Day <= 30 || e != nil && e.day <= s.Day+30 {
		return
	}
	if gap, held := j.gaps[b.in.From]; held && gap <= n || j.isStale(b) {
		return
	}
	j.row(year.SoldNotLoaded, s, 1)
}

func (j *judge) credit(s *year.Sale) int64 {
	if j.p.Purse == schemas.CreditFen {
		return int64(s.Amount)
	}
	return s.Volume
}

func (j *judge) inPurse(d year.Difference, n int64) year.Difference {
	if j.p.Purse == schemas.CreditFen {
		d.Amount = schemas.Fen(n)
	} else {
		d.Volume = n
	}
	return d
}

// counters goes along the states and returns.
func (j *judge) counters(b *book) {
	var a *year.Entry
	for _, e := range b.entries {
		if e.Event != schemas.CardState && e.Event != schemas.CardReturn || a != nil && !e.Moment().After(a.Moment()) {
			continue
		}
		if a != nil {
			j.step(b, a, e)
		}
		a = e
	}
}

func (j *judge) step(b *book, a, e *year.Entry) {
	d := year.Difference{Meter: j.p.Meter, From: b.in.From, Purchase: e.Purchase.Number, Moment: e.Moment(), Day: e.Day}
	if used, bought := a.Used.Value-e.Used.Value, a.Bought.Value-e.Bought.Value; used > 0 || bought > 0 || e.Purchase.Number < a.Purchase.Number {
		d.Class, d.Volume = year.ReverseFlow, max(used, bought, 0)
		j.say(d)
		return
	}
	loads, unknown := int64(0), uint32(0)
	for n := a.Purchase.Number + 1; n <= e.Purchase.Number; n++ {
		switch {
		case b.loaded[n].load != nil:
			loads += b.loaded[n].load.Amount.Value
		case b.live[n] != nil:
			loads += j.credit(b.live[n])
		default:
			unknown = n
		}
	}
	drift := e.Bought.Value - a.Bought.Value - loads
	if unknown > 0 {
		b.rise[unknown] = drift
		return
	}
	if drift != 0 {
		j.say(j.inPurse(year.Difference{Class: year.CumDrift, Meter: d.Meter, From: d.From, Purchase: d.Purchase, Moment: d.Moment, Day: d.Day}, drift))
	}
	j.residual(b, a, e, loads, d)
}

// residual compares the purse with the charge for the use between.
func (j *judge) residual(b *book, a, e *year.Entry, loads int64, d year.Difference) {
	shown := e.Residual.Value - e.Overdraft.Value
	before := a.Residual.Value - a.Overdraft.Value + loads
	use := e.Used.Value - a.Used.Value
	draw := map[schemas.Medium]int64{schemas.Water: 2_500, schemas.Gas: 4_000, schemas.Power: 10_000}[j.p.Utility]
	low, high, tolerance := before-use, before-use, 10+draw/4
	if j.p.Purse == schemas.CreditFen {
		least, most, top := j.charge(b, a, e, use)
		low, high = floor(before*100_000-most), floor(before*100_000-least)
		tolerance = top*(10+draw/4)/100_000 + 1
	}
	d.Class = year.ResidualDrift
	switch {
	case shown < low-tolerance:
		j.say(j.inPurse(d, shown-low))
	case shown > high+tolerance:
		j.say(j.inPurse(d, shown-high))
	}
}

func floor(n int64) int64 {
	if n < 0 {
		return -((-n + 99_999) / 100_000)
	}
	return n / 100_000
}

// charge returns the least and most that a use costs, and the highest price.
func (j *judge) charge(b *book, a, e *year.Entry, use int64) (least, most, top int64) {
	var sets []year.PriceSet
	for i, s := range j.sets {
		if !s.From.After(e.Moment()) && (i+1 == len(j.sets) || j.sets[i+1].From.After(a.Moment())) {
			sets = append(sets, s)
		}
	}
	bottom := int64(1 << 40)
	for _, s := range sets {
		prices := slices.Clone(s.Rates)
		for _, st := range s.Steps {
			prices = append(prices, st.Price)
		}
		bottom, top = min(bottom, slices.Min(prices)), max(top, slices.Max(prices))
	}
	if len(sets) == 1 && len(sets[0].Steps) == 1 {
		return use * top, use * top, top
	}
	since, known := j.stepsSince(b, a, e)
	if len(sets) > 1 || len(sets[0].Steps) > 1 && !known {
		return use * bottom, use * top, top
	}
	if s := sets[0]; len(s.Steps) > 0 {
		c := stepCost(s.Steps, e.Used.Value-since) - stepCost(s.Steps, a.Used.Value-since)
		return c, c, top
	}
	if e.UsedByRate == nil || a.UsedByRate == nil {
		return use * bottom, use * top, top
	}
	for r, p := range sets[0].Rates {
		least += (e.UsedByRate[r] - a.UsedByRate[r]) * p
	}
	return least, least, top
}

// stepsSince returns what the meter showed when its steps last began: 0 in the year
// of its installation; else known only from a state at the very start of the year.
func (j *judge) stepsSince(b *book, a, e *year.Entry) (used int64, known bool) {
	zone := j.w.Options().Zone
	this := e.Moment().Add(15 * time.Minute).In(zone).Year()
	if b.in.From.In(zone).Year() == this {
		return 0, true
	}
	start := time.Date(this, 1, 1, 0, 0, 0, 0, zone)
	for _, x := range b.entries {
		if x.Event == schemas.CardState && x.TakenAt.Equal(start) {
			return x.Used.Value, !a.Moment().Before(start)
		}
	}
	return 0, false
}

// stepCost prices each litre by the step that it lies in.
func stepCost(steps []year.Step, use int64) int64 {
	sum := int64(0)
	for i := len(steps) - 1; i >= 0; i-- {
		if over := use - steps[i].Above; over > 0 {
			sum += over * steps[i].Price
			use = steps[i].Above
		}
	}
	return sum
}
