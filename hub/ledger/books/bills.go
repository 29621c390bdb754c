package books

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// Billing asks for the bills of a month.
type Billing struct {
	Utility schemas.Medium
	Month   billing.Month
	// Meter picks the accounts of one place; empty means all.
	Meter schemas.MeterID
	By    string
	// Dry makes the bills and keeps none of them.
	Dry bool
}

// BillState is what became of an account.
type BillState string

// The states.
const (
	BillMade     BillState = "made"
	BillRepeated BillState = "repeated"   // it was in the books already
	BillMissing  BillState = "missing"    // a register is missing at a boundary
	BillRefused  BillState = "refused"    // it cannot be billed as it is
	BillNothing  BillState = "not_in_use" // prepaid, or not in use in the month
)

// BillOutcome is what became of one account.
type BillOutcome struct {
	billing.Contract
	State BillState
	Bill  *billing.Record // where it was made or repeated
	Why   string          // where it was not: what to do
	// Missing are the moments without a register.
	Missing []time.Time
}

// BillSummary counts what MakeBills did, in accounts.
type BillSummary struct {
	Accounts, Made, Repeated, Missing, Refused, NotInUse int64
	// Use in litres or watt-hours and Amount are of the bills that were made.
	Use    int64
	Amount schemas.Fen
	// Files are the files of sales in which the bills stand, one for each channel
	// and part of the work; Raw gives their bytes for the channel.
	Files []ledger.Import
}

// ErrMonthOpen says that a month is not over yet.
var ErrMonthOpen = errors.New("the month is not over")

// MakeBills makes the bills of a month for the accounts in credit mode. each is
// called for every account in the order of places, progress now and then; both may
// be nil.
//
// A bill begins where the account's last one ended, at first at the account's Begin,
// and ends with the month or the installation. The register that stands for a
// boundary is the good reading nearest to it, no further away than the rules' Sync
// and of the same installation (docs/reconciliation.md, "Registers from readings");
// the next bill begins with just that register, so that bills of one installation
// add up to its counter. An account that lacks one is told of and left out; its next
// bill takes the use along. A month whose registers are there is not passed over:
// it is to be made first.
//
// A bill and its row of L1, in a file of sales of its channel numbered from 900,001,
// are written together. Account and month are one order number: making a month
// again, also after this was killed, gives the same bills and makes those that were
// left out. A bill never changes; what one had wrong the next one has right, since
// both count from the register.
func (b *Books) MakeBills(ctx context.Context, q Billing, from Registers, each func(*BillOutcome) error, progress func(Progress)) (BillSummary, error) {
	if each == nil {
		each = func(*BillOutcome) error { return nil }
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	m := &biller{b: b, q: q, from: from, now: b.o.Now().UTC().Truncate(time.Second), zone: b.o.Rules.Calendar.Zone}
	err := m.all(ctx, each, progress)
	return m.sum, explain(fmt.Sprintf("bills of %s for %s", q.Utility, q.Month), err)
}

// biller makes the bills of a month.
type biller struct {
	b     *Books
	q     Billing
	from  Registers
	now   time.Time
	zone  *time.Location
	plans map[string]*tariff.Plan
	sum   BillSummary
}

func (m *biller) all(ctx context.Context, each func(*BillOutcome) error, progress func(Progress)) error {
	if err := m.check(); err != nil {
		return err
	}
	var err error
	if m.plans, _, err = m.b.plans(ctx); err != nil {
		return err
	}
	where, args := (&AccountFilter{Utility: m.q.Utility, Meter: m.q.Meter}).where()
	var last found
	for {
		rows, err := accountRows(ctx, m.b.read, where+" AND (a.place > ? OR a.place = ? AND a.from_ms > ?)", "a.place, a.from_ms LIMIT ?",
			append(slices.Clone(args), last.place, last.place, last.from, chunk)...)
		if err != nil || len(rows) == 0 {
			return err
		}
		last = found{rows[len(rows)-1].Place, rows[len(rows)-1].From}
		list, err := m.part(ctx, rows)
		if err != nil {
			return err
		}
		for n := range list {
			m.count(&list[n])
			if err := each(&list[n]); err != nil {
				return err
			}
		}
		progress(Progress{Stage: "bills", Done: m.sum.Accounts})
	}
}

// check refuses what cannot be made for any account.
func (m *biller) check() error {
	switch ended := (m.q.Month + 1).Start(m.zone).Add(m.b.o.Rules.Sync); {
	case !slices.Contains([]schemas.Medium{schemas.Water, schemas.Power, schemas.Gas}, m.q.Utility):
		return fmt.Errorf("no utility %q: want water, power or gas", m.q.Utility)
	case m.q.By == "":
		return errors.New("nobody is named who makes the bills")
	case m.from == nil:
		return errors.New("no readings are kept here, and a bill is made from readings; see to influx in the configuration")
	case m.now.Before(ended):
		return fmt.Errorf("%w; its last registers may come until %s", ErrMonthOpen, ended.In(m.zone).Format(time.DateTime))
	}
	return nil
}

// count adds up what became of an account.
func (m *biller) count(o *BillOutcome) {
	s := &m.sum
	s.Accounts++
	switch o.State {
	case BillMade:
		s.Made++
		s.Use, s.Amount = s.Use+o.Bill.Use, s.Amount+o.Bill.Amount
	case BillRepeated:
		s.Repeated++
	case BillMissing:
		s.Missing++
	case BillRefused:
		s.Refused++
	default:
		s.NotInUse++
	}
}

// errBilledMeanwhile says that somebody else has made bills of these accounts.
var errBilledMeanwhile = errors.New("bills of these accounts were made by somebody else meanwhile")

// part makes the bills of some accounts. Where somebody else makes them at the same
// time, it looks again at what there is then.
func (m *biller) part(ctx context.Context, rows []accountRow) ([]BillOutcome, error) {
	for try := 0; ; try++ {
		list, err := m.drafts(ctx, rows)
		if err != nil {
			return nil, err
		}
		if err := m.read(ctx, list); err != nil {
			return nil, err
		}
		out := make([]BillOutcome, len(list))
		for n := range list {
			out[n] = list[n].outcome(m)
		}
		if !m.q.Dry {
			err = m.write(ctx, list, out)
		}
		if !errors.Is(err, errBilledMeanwhile) || try == 5 {
			return out, err
		}
	}
}
