package books

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/schemas"
)

// AccountAdvice is what an account owes and what its limit advises.
type AccountAdvice struct {
	billing.Contract
	billing.Advice
	// Open is what is billed and not paid. Overdue of it was due before today.
	Open, Overdue schemas.Fen
	// Unbilled is the price of the use from Since to Until, the latest register, by
	// the prices in force; it is 0 and Why says the reason where it is not known. Owed
	// is then at least what it says.
	Unbilled     schemas.Fen
	Since, Until time.Time
	Why          string
}

// Latest registers are looked for in the hour before, then in the day before.
const (
	latestNear = time.Hour
	latestFar  = 26 * time.Hour
)

// Advise says for a page of the accounts in credit mode, by meter id, what each
// owes now, with the use that no bill has yet, and what its limit advises. It
// switches nothing. n is how many accounts the page held, those that are prepaid
// among them: the next page begins after them.
func (b *Books) Advise(ctx context.Context, f AccountFilter, from Registers) (list []AccountAdvice, n int, err error) {
	act := fmt.Sprintf("advice on accounts of %s", f.Utility)
	rows, err := b.accountPage(ctx, b.read, &f)
	if err != nil {
		return nil, 0, explain(act, err)
	}
	n = len(rows)
	byUtility := make(map[string][]accountRow)
	for _, r := range rows {
		if r.Mode == string(billing.Credit) {
			byUtility[r.Utility] = append(byUtility[r.Utility], r)
		}
	}
	advice := make(map[found]AccountAdvice)
	for utility, part := range byUtility {
		m := &biller{b: b, q: Billing{Utility: schemas.Medium(utility)}, from: from, now: b.o.Now().UTC().Truncate(time.Millisecond), zone: b.o.Rules.Calendar.Zone}
		if err := m.advise(ctx, part, advice); err != nil {
			return nil, n, explain(act, err)
		}
	}
	for _, r := range rows {
		if a, ok := advice[found{r.Place, r.From}]; ok {
			list = append(list, a)
		}
	}
	return list, n, nil
}

func (m *biller) advise(ctx context.Context, rows []accountRow, into map[found]AccountAdvice) error {
	var err error
	if m.plans, _, err = m.b.plans(ctx); err != nil {
		return err
	}
	list, err := m.b.billed(ctx, rows, 0)
	if err != nil {
		return err
	}
	items, err := m.b.openItems(ctx, rows, m.b.o.Rules.Calendar.DayOf(m.now))
	if err != nil {
		return err
	}
	if err := m.latest(ctx, list); err != nil {
		return err
	}
	for n := range list {
		d := &list[n]
		a := AccountAdvice{Contract: d.c, Since: d.begin}
		for _, it := range items[found{d.row.Place, d.row.From}] {
			a.Open += it.Open
			if it.Late > 0 {
				a.Overdue += it.Open
			}
		}
		m.unbilledOf(d, &a)
		if a.Advice, err = billing.Advise(d.c.Account, d.c.Terms, a.Open, a.Unbilled); err != nil {
			return err
		}
		into[found{d.row.Place, d.row.From}] = a
	}
	return nil
}

// unbilledOf prices the use since the last bill.
func (m *biller) unbilledOf(d *draft, a *AccountAdvice) {
	if d.state != "" {
		a.Why = d.why
		return
	}
	if none, why := d.missing(m); none != nil {
		a.Why = why
		return
	}
	list, _ := d.readings()
	p, err := billing.Price(d.plan, m.zone, list, d.position())
	if err != nil {
		a.Why = err.Error()
		return
	}
	a.Unbilled, a.Until = p.Total, d.end
}

// latest finds the latest registers of drafts and those on the way to them.
func (m *biller) latest(ctx context.Context, list []draft) error {
	near := make(readings)
	for n := range list {
		m.open(&list[n])
	}
	if m.from == nil {
		return nil
	}
	for _, back := range []time.Duration{latestNear, latestFar} {
		if err := m.lookBack(ctx, list, near, back); err != nil {
			return err
		}
	}
	for n := range list {
		d := &list[n]
		if d.state == "" && d.asked == nil {
			d.settle(BillMissing, fmt.Sprintf("no good register in the %s before %s", latestFar, m.now.In(m.zone).Format(time.DateTime)))
		}
	}
	return m.read(ctx, list)
}

// open says where the unbilled use of a draft begins.
func (m *biller) open(d *draft) {
	d.begin, d.end = d.starts(), m.now
	if to := moment(d.row.To); !to.IsZero() && to.Before(d.end) {
		d.end = to
	}
	d.plan = m.plans[d.row.Plan]
	switch {
	case !d.begin.Before(d.end):
		d.settle(BillNothing, "")
	case d.plan == nil:
		d.settle(BillRefused, fmt.Sprintf("the books have no tariff plan %q; import its tariffs, or correct the register", d.row.Plan))
	case m.from == nil:
		d.settle(BillMissing, "no readings are kept here; see to influx in the configuration")
	}
}

// lookBack asks for the latest registers of the drafts that have none yet.
func (m *biller) lookBack(ctx context.Context, list []draft, near readings, back time.Duration) error {
	at := make(map[time.Time][]schemas.MeterID)
	quantities := append(useQuantities(m.q.Utility), rateQuantities(m.q.Utility, maxRates)...)
	for n := range list {
		if d := &list[n]; d.state == "" && d.asked == nil {
			at[d.end] = append(at[d.end], d.c.Meter)
		}
	}
	for end, meters := range at {
		if err := near.ask(ctx, m.from, meters, quantities, end.Add(-back), end); err != nil {
			return err
		}
	}
	for n := range list {
		if d := &list[n]; d.state == "" && d.asked == nil {
			m.findLatest(d, near, back)
		}
	}
	return nil
}

// findLatest takes the latest register of a draft and asks for the others.
func (m *biller) findLatest(d *draft, near readings, back time.Duration) {
	probe := *d
	probe.rates = billing.Rates(d.plan, m.zone, d.begin, d.end)
	probe.asked = map[time.Time]*answer{d.end: {}}
	if d.last != nil {
		probe.quantity = d.last.Quantity
	}
	w := window{millis(d.end), max(millis(d.end.Add(-back)), d.row.From), millis(d.end) + 1}
	if d.row.To != 0 {
		w.to = min(w.to, d.row.To)
	}
	probe.choose(near, back)
	r, ok, _ := probe.register(near, w)
	if !ok {
		return
	}
	if !r.Taken.After(d.begin) { // nothing since the last bill
		d.settle(BillNothing, "")
		return
	}
	d.end = r.Taken
	m.ask(d)
	if d.rates == probe.rates {
		d.quantity = probe.quantity
		r.At = r.Taken
		*d.want(d.end) = answer{Register: r, ok: true}
	}
}

// openItems returns how the bills of accounts stand on a day.
func (b *Books) openItems(ctx context.Context, rows []accountRow, day ledger.Day) (map[found][]billing.Item, error) {
	places := make([]int64, len(rows))
	for n := range rows {
		places[n] = rows[n].Place
	}
	bills, payments := make(map[found][]billing.Bill), make(map[found][]ledger.Payment)
	err := b.snapshot(ctx, func(tx bun.Tx) error {
		var held []billRow
		err := tx.NewSelect().Model(&held).Column("place", "from_ms", "channel", "order_no", "day", "due", "amount").Where("place IN (?)", bun.List(places)).Scan(ctx)
		if err != nil {
			return err
		}
		owner := make(map[orderKey]found, len(held))
		for _, r := range held {
			at := found{r.Place, r.From}
			owner[orderKey{r.Channel, r.Order}] = at
			bills[at] = append(bills[at], billing.Bill{Order: r.Order, Day: ledger.Day(r.Day), Due: ledger.Day(r.Due), Amount: schemas.Fen(r.Amount)})
		}
		return eachPayment(ctx, tx, owner, func(at found, p ledger.Payment) { payments[at] = append(payments[at], p) })
	})
	if err != nil {
		return nil, err
	}
	out := make(map[found][]billing.Item, len(bills))
	for at := range bills {
		if out[at], _, err = billing.Items(bills[at], payments[at], day); err != nil {
			return nil, err
		}
	}
	return out, nil
}
