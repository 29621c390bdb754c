package books

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/schemas"
)

// BillFilter picks bills; zero fields pick all.
type BillFilter struct {
	Utility schemas.Medium
	Meter   schemas.MeterID
	Month   billing.Month
	Order   string
	Page
}

// BillStand is a bill and how it stands.
type BillStand struct {
	billing.Record
	Item billing.Item // as of the accounting day of the asking
}

// Bills lists bills, the latest first, with what was paid of them.
func (b *Books) Bills(ctx context.Context, f BillFilter) ([]BillStand, error) {
	var out []BillStand
	err := b.snapshot(ctx, func(tx bun.Tx) error {
		var rows []billRow
		q := f.apply(tx.NewSelect().Model(&rows).Order("id DESC"))
		for _, c := range []struct{ column, want string }{{"utility", string(f.Utility)}, {"meter", string(f.Meter)}, {"order_no", f.Order}} {
			if c.want != "" {
				q = q.Where("? = ?", bun.Ident(c.column), c.want)
			}
		}
		if f.Month != 0 {
			q = q.Where("month = ?", int64(f.Month))
		}
		if err := q.Scan(ctx); err != nil {
			return err
		}
		records, payments, err := paidBills(ctx, tx, rows)
		if err != nil {
			return err
		}
		today := b.o.Rules.Calendar.DayOf(b.o.Now())
		out = make([]BillStand, len(records))
		for n := range records {
			out[n].Record = records[n]
			items, _, err := billing.Items([]billing.Bill{records[n].Bill}, payments[orderKey{records[n].Channel, records[n].Order}], max(today, records[n].Day))
			if err != nil {
				return err
			}
			out[n].Item = items[0]
		}
		return nil
	})
	return out, explain("list bills", err)
}

// paidBills reads rows as bills, and their payments.
func paidBills(ctx context.Context, db bun.IDB, rows []billRow) ([]billing.Record, map[orderKey][]ledger.Payment, error) {
	records := make([]billing.Record, len(rows))
	owner, payments := make(map[orderKey]orderKey, len(rows)), make(map[orderKey][]ledger.Payment)
	for n := range rows {
		var err error
		if records[n], err = rows[n].record(); err != nil {
			return nil, nil, err
		}
		k := orderKey{rows[n].Channel, rows[n].Order}
		owner[k] = k
	}
	err := eachPayment(ctx, db, owner, func(k orderKey, p ledger.Payment) { payments[k] = append(payments[k], p) })
	return records, payments, err
}

// AccountStatement is an account over a span of days.
type AccountStatement struct {
	billing.Contract
	billing.Statement
}

// StateAccounts states the accounts of a place over the days from and to, both
// included, the oldest installation first: what was billed and paid, and what is
// open at the end. Every statement foots. ErrUnknown where the place has no account.
func (b *Books) StateAccounts(ctx context.Context, meter schemas.MeterID, from, to ledger.Day) ([]AccountStatement, error) {
	var out []AccountStatement
	err := b.snapshot(ctx, func(tx bun.Tx) error {
		accounts, err := accountRows(ctx, tx, "p.meter = ?", "a.from_ms", string(meter))
		if err == nil && len(accounts) == 0 {
			err = fmt.Errorf("%w: no account; import it with citygrid bill accounts import", ErrUnknown)
		}
		if err != nil {
			return err
		}
		var rows []billRow
		if err := tx.NewSelect().Model(&rows).Where("place = ?", accounts[0].Place).Order("end_ms").Scan(ctx); err != nil {
			return err
		}
		records, payments, err := paidBills(ctx, tx, rows)
		if err != nil {
			return err
		}
		for n := range accounts {
			s := AccountStatement{Contract: accounts[n].contract()}
			var bills []billing.Bill
			var paid []ledger.Payment
			for i := range records {
				if rows[i].From == accounts[n].From {
					bills = append(bills, records[i].Bill)
					paid = append(paid, payments[orderKey{records[i].Channel, records[i].Order}]...)
				}
			}
			if s.Statement, err = billing.State(bills, paid, from, to); err != nil {
				return err
			}
			out = append(out, s)
		}
		return nil
	})
	return out, explain(fmt.Sprintf("statement of %s", meter), err)
}
