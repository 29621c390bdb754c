package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/ledger/billing"
	"citygrid/hub/ledger/books"
	"citygrid/schemas"
)

func newTable(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) }

// billTable prints what became of accounts while their bills are made.
type billTable struct {
	w        *tabwriter.Writer
	out      io.Writer
	zone     *time.Location
	everyone bool
}

func newBillTable(out io.Writer, zone *time.Location, everyone bool) *billTable {
	t := &billTable{w: newTable(out), out: out, zone: zone, everyone: everyone}
	fmt.Fprintln(t.w, "METER\tCUSTOMER\tWHAT\tORDER\tFROM\tTO\tUSE\tYUAN\tDUE\tWHY")
	return t
}

func (t *billTable) add(o *books.BillOutcome) error {
	if !t.everyone && (o.State == books.BillRepeated || o.State == books.BillNothing) {
		return nil
	}
	head := fmt.Sprintf("%s\t%s\t%s", o.Meter, dash(string(o.Customer)), o.State)
	if b := o.Bill; b != nil {
		_, err := fmt.Fprintf(t.w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", head, b.Order, minute(b.Begin(), t.zone), minute(b.End(), t.zone), useText(b.Utility, b.Use), b.Amount, b.Due)
		return err
	}
	_, err := fmt.Fprintf(t.w, "%s\t-\t-\t-\t-\t-\t-\t%s\n", head, o.Why)
	return err
}

// end prints the table and its sums.
func (t *billTable) end(r *api.BillsRequest, m *api.BillsMade) error {
	if err := t.w.Flush(); err != nil {
		return err
	}
	kept := ""
	if r.Dry {
		kept = " (dry run: nothing was kept)"
	}
	_, err := fmt.Fprintf(t.out, "%s, %s: %d accounts: %d billed for %s, %s yuan%s; %d billed before, %d without a register at a boundary, %d refused, %d prepaid or not in use\n",
		r.Utility, r.Month, m.Accounts, m.Made, useText(r.Utility, m.Use), m.Amount, kept, m.Repeated, m.Missing, m.Refused, m.NotInUse)
	for n := range m.Files {
		f := &m.Files[n]
		_, err = fmt.Fprintf(t.out, "import %d: %s: %d bills, %s yuan, SM3 %s\n", f.ID, f.FileID, f.Rows, f.Debit, f.Digest)
	}
	return err
}

// useText writes litres as m³ and watt-hours as kWh.
func useText(utility schemas.Medium, use int64) string {
	unit := "m³"
	if utility == schemas.Power {
		unit = "kWh"
	}
	return schemas.Decimal{Mantissa: use, Exponent: -3}.String() + " " + unit
}

// minute writes a moment of the city.
func minute(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(zone).Format("2006-01-02 15:04")
}

func printAccounts(out io.Writer, list []billing.Contract, zone *time.Location) error {
	w := newTable(out)
	fmt.Fprintln(w, "METER\tINSTALLED\tCUSTOMER\tUTILITY\tMODE\tLIMIT\tCHANNEL\tBEGIN\tDUE DAYS\tWARN\tSTOP\tLATE FEE\tLIST\tBY")
	for n := range list {
		c := &list[n]
		late := "-"
		if l := c.Terms.Late; l != nil {
			late = fmt.Sprintf("%d/100000 a day after %d, up to %d %%", l.PerDay, l.FreeDays, l.Cap)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d %%\t%d %%\t%s\t%d\t%s\n", c.Meter, minute(c.From, zone), dash(string(c.Customer)), c.Utility, c.Mode, c.Limit,
			dash(c.Channel), minute(c.Begin, zone), c.Terms.DueDays, c.Terms.Warn, c.Terms.Stop, late, c.Revision, c.By)
	}
	return w.Flush()
}

func printBills(out io.Writer, list []api.StandingBill) error {
	w := newTable(out)
	fmt.Fprintln(w, "BILL\tMONTH\tMETER\tCUSTOMER\tORDER\tUSE\tYUAN\tFEES\tDAY\tDUE\tPAID\tOPEN\tLATE\tBY")
	for n := range list {
		b := &list[n]
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", b.ID, b.Month, b.Meter, dash(string(b.Customer)), b.Order, useText(b.Utility, b.Use),
			b.Amount, b.Amount-b.Total, b.Day, b.Due, b.Item.Paid, b.Item.Open, b.Item.Late, b.By)
	}
	return w.Flush()
}

func printStates(out io.Writer, list []api.AccountState, zone *time.Location) error {
	for n := range list {
		s := &list[n]
		fmt.Fprintf(out, "%s, installed %s, customer %s: %s to %s\n", s.Meter, minute(s.Contract.From, zone), dash(string(s.Customer)), s.Statement.From, s.Statement.To)
		w := newTable(out)
		fmt.Fprintf(w, "DAY\tWHAT\tORDER\tYUAN\tBALANCE\n%s\topening\t\t\t%s\n", s.Statement.From, s.Opening)
		for _, r := range s.Rows {
			what := "payment"
			if r.Bill {
				what = "bill"
			} else if r.Amount > 0 {
				what = "refund"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Day, what, r.Order, r.Amount, r.Balance)
		}
		fmt.Fprintf(w, "%s\tclosing\t\t\t%s\n", s.To, s.Closing)
		if err := w.Flush(); err != nil {
			return err
		}
		for _, it := range s.Items {
			fmt.Fprintf(out, "open: %s of %s, due %s, %d days late\n", it.Order, it.Open, it.Due, it.Late)
		}
		if _, err := fmt.Fprintf(out, "opening %s + billed %s - paid %s = closing %s yuan\n", s.Opening, s.Billed, s.Paid, s.Closing); err != nil {
			return err
		}
	}
	return nil
}

func printAdvice(out io.Writer, list []api.AccountAdvice, all int64, zone *time.Location) error {
	w := newTable(out)
	fmt.Fprintln(w, "METER\tCUSTOMER\tADVICE\tOWED\tLIMIT\tROOM\tBILLED\tOVERDUE\tUNBILLED\tUP TO\tWHY")
	for n := range list {
		a := &list[n]
		unbilled := a.Unbilled.String()
		if a.Why != "" {
			unbilled = "unknown"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.Meter, dash(string(a.Customer)), a.Step, a.Owed, a.Advice.Limit, a.Room, a.Open, a.Overdue,
			unbilled, minute(a.Until, zone), a.Why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%d of %d accounts are listed\n", len(list), all)
	return err
}
