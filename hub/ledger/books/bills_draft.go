package books

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// draft is a bill in the making.
type draft struct {
	row    *accountRow
	c      billing.Contract
	plan   *tariff.Plan
	last   *billing.Record  // the bill before, nil for the first
	held   *billing.Record  // that of the month, nil while there is none
	claims []billing.Record // bills that late fees may arise from, and bills that claimed some
	paid   []ledger.Payment // of the orders of claims

	state      BillState // where it is settled before any reading is looked at
	why        string
	begin, end time.Time
	rates      int
	quantity   schemas.Quantity
	// asked are the moments at which registers are wanted, with what was found.
	asked map[time.Time]*answer
	// bounds are the boundaries of the bill, oldest first; early are those of months
	// before that are not billed; base is where the steps are counted from.
	bounds, early []time.Time
	base          time.Time
}

// answer is what the readings say about a moment.
type answer struct {
	billing.Register
	ok    bool
	doubt bool // there is a reading, but no good one
}

func (d *draft) settle(state BillState, why string) { d.state, d.why = state, why }

// drafts reads what the books hold for accounts and plans a bill of the month for
// each.
func (m *biller) drafts(ctx context.Context, rows []accountRow) ([]draft, error) {
	list, err := m.b.billed(ctx, rows, m.q.Month)
	if err != nil {
		return nil, err
	}
	for n := range list {
		d := &list[n]
		d.plan = m.plans[d.row.Plan]
		m.frame(d)
	}
	return list, nil
}

// frame finds what the bill of the month covers and which registers it takes.
func (m *biller) frame(d *draft) {
	month := m.q.Month.Start(m.zone)
	d.begin, d.end = d.starts(), (m.q.Month + 1).Start(m.zone)
	if to := moment(d.row.To); !to.IsZero() && to.Before(d.end) {
		d.end = to
	}
	switch {
	case d.held != nil:
		d.settle(BillRepeated, "")
	case d.c.Mode != billing.Credit:
		d.settle(BillNothing, "prepaid: it gets no bill")
	case d.last != nil && d.last.Month > m.q.Month:
		d.settle(BillNothing, fmt.Sprintf("its use up to %s is billed already; the last bill is %s", d.last.End().In(m.zone).Format(time.DateTime), d.last.Order))
	case !d.begin.Before(d.end):
		d.settle(BillNothing, "not in use in this month")
	case d.plan == nil:
		d.settle(BillRefused, fmt.Sprintf("the books have no tariff plan %q; import its tariffs, or correct the register", d.row.Plan))
	}
	if d.state != "" {
		return
	}
	m.ask(d)
	for at := billing.MonthOf(d.begin, m.zone) + 1; !at.Start(m.zone).After(month); at++ {
		if start := at.Start(m.zone); start.After(d.begin) {
			d.early = append(d.early, start)
			d.want(start)
		}
	}
}

// starts returns the moment at which the account's next bill begins.
func (d *draft) starts() time.Time {
	switch {
	case d.last != nil:
		return d.last.End()
	case !d.c.Begin.IsZero():
		return d.c.Begin
	}
	return d.c.From
}

func (d *draft) want(at time.Time) *answer {
	if d.asked[at] == nil {
		d.asked[at] = new(answer)
	}
	return d.asked[at]
}

// ask notes the registers that a bill from begin to end takes.
func (m *biller) ask(d *draft) {
	d.asked = make(map[time.Time]*answer)
	d.rates = billing.Rates(d.plan, m.zone, d.begin, d.end)
	d.bounds = append([]time.Time{d.begin}, billing.Boundaries(d.plan, m.zone, d.begin, d.end)...)
	d.bounds = append(d.bounds, d.end)
	for _, at := range d.bounds {
		d.want(at)
	}
	if d.last != nil {
		d.quantity = d.last.Quantity
		if end := d.last.Registers[len(d.last.Registers)-1]; len(end.ByRate) == d.rates {
			*d.want(d.begin) = answer{Register: end, ok: true}
		}
		if d.last.Reset == d.plan.Reset {
			return
		}
	}
	reset := billing.StepsFrom(d.plan, m.zone, d.begin)
	if reset.Before(d.c.From) {
		reset = d.c.From
	}
	if billing.Stepped(d.plan) && reset.Before(d.begin) {
		d.base = reset
		d.want(reset)
	}
}

// outcome prices a draft.
func (d *draft) outcome(m *biller) BillOutcome {
	out := BillOutcome{Contract: d.c, State: d.state, Why: d.why, Bill: d.held}
	if d.state != "" {
		return out
	}
	if out.Missing, out.Why = d.missing(m); out.Missing != nil {
		out.State = BillMissing
		return out
	}
	for _, at := range d.early {
		if d.asked[at].ok {
			month := billing.MonthOf(at.Add(-1), m.zone)
			out.State, out.Why = BillRefused, fmt.Sprintf("%s is not billed yet, and its registers are there: make it first", month)
			return out
		}
	}
	bill, err := m.price(d)
	switch {
	case errors.Is(err, billing.ErrBoundary):
		out.State, out.Why = BillMissing, err.Error()
	case err != nil:
		out.State, out.Why = BillRefused, err.Error()
	default:
		out.State, out.Bill = BillMade, bill
	}
	return out
}

// missing returns the moments without a register and says what to do.
func (d *draft) missing(m *biller) (none []time.Time, why string) {
	var texts []string
	look := d.bounds
	if !d.base.IsZero() {
		look = append([]time.Time{d.base}, look...)
	}
	for _, at := range look {
		a := d.asked[at]
		if a.ok {
			continue
		}
		none = append(none, at)
		text := at.In(m.zone).Format(time.DateTime)
		if a.doubt {
			text += " (there is a reading, but no good one)"
		}
		if at.Equal(d.base) {
			text += " (from where the steps count)"
		}
		texts = append(texts, text)
	}
	if none == nil {
		return nil, ""
	}
	return none, fmt.Sprintf("no register within %s of %s", m.b.o.Rules.Sync, strings.Join(texts, ", "))
}

// position returns the use since the last step reset at the begin of a bill.
func (d *draft) position() int64 {
	switch {
	case !d.base.IsZero():
		return d.asked[d.begin].Total - d.asked[d.base].Total
	case d.last != nil && d.last.Reset == d.plan.Reset:
		return d.last.Position
	}
	return 0
}

// readings returns the registers at the boundaries.
func (d *draft) readings() (list []billing.Reading, registers []billing.Register) {
	for _, at := range d.bounds {
		list = append(list, d.asked[at].Reading)
		registers = append(registers, d.asked[at].Register)
	}
	return list, registers
}

// price makes the bill.
func (m *biller) price(d *draft) (*billing.Record, error) {
	day := m.b.o.Rules.Calendar.DayOf(m.now)
	fees, err := d.fees(day - ledger.Day(m.b.o.Rules.SaleNoPay))
	if err != nil {
		return nil, err
	}
	p := billing.Period{Order: orderOf(&d.c.Account, m.q.Month, m.zone), Day: day, At: m.now, Position: d.position(), Fees: fees}
	r := &billing.Record{Month: m.q.Month, Terms: d.c.Terms, Plan: d.plan.Digest(), Reset: d.plan.Reset, Quantity: d.quantity, By: m.q.By}
	p.Readings, r.Registers = d.readings()
	if !d.base.IsZero() {
		base := d.asked[d.base].Register
		r.Base = &base
	}
	if r.Bill, err = billing.Make(d.c.Account, d.c.Terms, d.plan, m.zone, p); err != nil {
		return nil, err
	}
	return r, nil
}

// orderOf returns the order number of an account and a month: "B202610-W-1-20250101",
// the last being the day of the installation, with its time where that is not 00:00.
func orderOf(a *billing.Account, month billing.Month, zone *time.Location) string {
	from := strings.TrimSuffix(a.From.In(zone).Format("20060102T150405"), "T000000")
	return fmt.Sprintf("B%s-%s-%s", strings.ReplaceAll(month.String(), "-", ""), a.Meter, from)
}

// fees returns the late fees of earlier bills up to the end of day, so far as no
// bill has claimed them. The days after it wait for the next bill: payments of them
// may still arrive.
func (d *draft) fees(day ledger.Day) (fees []billing.Fee, err error) {
	claimed := make(map[string]schemas.Fen)
	for n := range d.claims {
		for _, f := range d.claims[n].Fees {
			claimed[f.Order] += f.Amount
		}
	}
	for n := range d.claims {
		r := &d.claims[n]
		if r.Terms.Late == nil {
			continue
		}
		fee, err := r.Terms.Late.Due(&r.Bill, d.paid, claimed[r.Order], day)
		if err != nil {
			return nil, err
		}
		if fee > 0 {
			fees = append(fees, billing.Fee{Order: r.Order, Amount: fee})
		}
	}
	return fees, nil
}

// billRow is a row of bills.
type billRow struct {
	bun.BaseModel `bun:"table:bills"`
	ID            int64  `bun:"id"`
	Place         int64  `bun:"place"`
	From          int64  `bun:"from_ms"`
	Month         int32  `bun:"month"`
	Utility       string `bun:"utility"`
	Meter         string `bun:"meter"`
	Channel       string `bun:"channel"`
	Order         string `bun:"order_no"`
	Day           int32  `bun:"day"`
	Due           int32  `bun:"due"`
	Begin         int64  `bun:"begin_ms"`
	End           int64  `bun:"end_ms"`
	Amount        int64  `bun:"amount"`
	Late          int    `bun:"late"`
	Import        int64  `bun:"import_id"`
	Body          string `bun:"body"`
	Digest        string `bun:"digest"`
	AtMillis      int64  `bun:"at_ms"`
	ByWhom        string `bun:"by_whom"`
}

func (r *billRow) record() (billing.Record, error) {
	out, err := decodeBill([]byte(r.Body), r.Digest)
	if err == nil && (out.Order != r.Order || int64(out.Amount) != r.Amount || int64(out.Day) != int64(r.Day) || int64(out.Due) != int64(r.Due) || millis(out.End()) != r.End) {
		err = errors.New("the bill in the books is damaged: its columns are not those of its text")
	}
	if err != nil {
		return out, fmt.Errorf("bill %d, order %s: %w", r.ID, r.Order, err)
	}
	out.ID, out.Import = r.ID, r.Import
	return out, nil
}

// billed returns drafts with what the books hold of accounts: the last bill, that of
// the month (0 for none), and what late fees are made of.
func (b *Books) billed(ctx context.Context, rows []accountRow, month billing.Month) ([]draft, error) {
	list := make([]draft, len(rows))
	at, places := make(map[found]*draft, len(rows)), make([]int64, len(rows))
	for n := range rows {
		list[n] = draft{row: &rows[n], c: rows[n].contract()}
		at[found{rows[n].Place, rows[n].From}], places[n] = &list[n], rows[n].Place
	}
	err := b.snapshot(ctx, func(tx bun.Tx) error {
		var bills []billRow
		err := tx.NewSelect().Model(&bills).Where("place IN (?)", bun.List(places)).
			Where("late = 1 OR month = ? OR NOT EXISTS (SELECT 1 FROM bills AS n WHERE n.place = bill_row.place AND n.from_ms = bill_row.from_ms AND n.end_ms > bill_row.end_ms)", int64(month)).
			Order("place", "end_ms").Scan(ctx)
		if err != nil {
			return err
		}
		for n := range bills {
			if d := at[found{bills[n].Place, bills[n].From}]; d != nil {
				if err := d.take(&bills[n], month); err != nil {
					return err
				}
			}
		}
		return paidOf(ctx, tx, list)
	})
	return list, err
}

// take notes a bill of the account; they come in the order of time.
func (d *draft) take(row *billRow, month billing.Month) error {
	r, err := row.record()
	if err != nil {
		return err
	}
	d.last = &r
	if r.Month == month {
		d.held = &r
	}
	if row.Late == 1 {
		d.claims = append(d.claims, r)
	}
	return nil
}

// paidOf reads the payments of bills that late fees may arise from.
func paidOf(ctx context.Context, db bun.IDB, list []draft) error {
	owner := make(map[orderKey]*draft)
	for n := range list {
		for i := range list[n].claims {
			r := &list[n].claims[i]
			owner[orderKey{r.Channel, r.Order}] = &list[n]
		}
	}
	return eachPayment(ctx, db, owner, func(d *draft, p ledger.Payment) { d.paid = append(d.paid, p) })
}
