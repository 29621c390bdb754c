// Package reconcile compares the ledgers of prepaid utilities and says what does
// not agree: pure functions over integers, without clock, files or database.
// docs/reconciliation.md is its specification and defines the words.
//
// The books are compared in two halves. Account takes everything of one place
// (sales against card and meter), Order everything of one order of a channel
// (sales against payments). Each takes the balance with which the last run
// closed and returns the next one, so that a run reads only what is new.
//
// # What a run must touch
//
// An account needs a call when rows have arrived for it, when its Balance.Wake
// has come (Wake <= span.To), when its Place or Plan has changed (a new place has
// no balance: pass the zero one), or when a decision closed one of its
// differences; an order in the same way, by OrderBalance.Wake. All others stay
// as they are; Figures.Over puts them into the totals of the run.
//
// # Order of work
//
// Rows are taken day by day, within a day sales before entries and each by its
// moment, so that one run over a year and 365 runs over a day come to the same.
// A row of a day before the span has arrived late and is taken on the span's
// first day. Conditions (such as an unpaid sale) are judged on the span's last
// day only; a spell between two runs is seen by neither.
package reconcile

import (
	"errors"
	"fmt"
	"math"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Rules are the thresholds of the classes, in days and units of the purse. They
// are recorded with each run.
type Rules struct {
	// Version names this set of rules in the records of runs.
	Version string
	// Calendar gives the accounting day of a moment, and the city's zone for
	// step resets and price changes.
	Calendar ledger.Calendar
	// Begin is the first day of the books. An installation from before it is
	// adopted: its purchases up to the first that the books see are taken as
	// settled. 0 adopts none.
	Begin ledger.Day

	PaidNoSale    int // a payment without sale is reported from this age on
	SaleNoPay     int // a sale without payment, likewise
	SoldNotLoaded int // a sale not loaded is reported above this age
	LoadedNotSold int // a load without sale, from this age on
	CounterGap    int // a missing number, from this age of the sale above it on
	Reversed      int // an undo row, from this age on
	MeterReplaced int // a replaced meter, from this age on
	StaleRemote   int // no evidence with remote reading, above this age
	StaleCard     int // no evidence with card reading, above this age

	// Sync is how long a purse may lag behind its meter, [metering 4.3].
	Sync time.Duration
	// Water, Power and Gas bound what the residual may be off.
	Water, Power, Gas Slack
}

// Slack is what a meter of a utility may not show yet.
type Slack struct {
	LastDigit int64 // one unit of the last digit, in litres or watt-hours
	Greatest  int64 // the greatest draw, in litres or watt-hours an hour
}

// DefaultRules returns the thresholds of docs/reconciliation.md.
func DefaultRules(calendar ledger.Calendar) Rules {
	return Rules{
		Version: "2026-1", Calendar: calendar,
		PaidNoSale: 1, SaleNoPay: 2, SoldNotLoaded: 30, LoadedNotSold: 1, CounterGap: 1, Reversed: 1,
		MeterReplaced: 3, StaleRemote: 3, StaleCard: 180, Sync: 15 * time.Minute,
		Water: Slack{LastDigit: 10, Greatest: 2_500},
		Power: Slack{LastDigit: 10, Greatest: 10_000},
		Gas:   Slack{LastDigit: 10, Greatest: 4_000},
	}
}

// Validate reports the first rule that cannot be.
func (r *Rules) Validate() error {
	if r.Version == "" {
		return errors.New("reconciliation rules: no version: name the set of rules")
	}
	if r.Calendar.Zone == nil {
		return errors.New("reconciliation rules: no time zone: set the city's")
	}
	for _, days := range []int{r.PaidNoSale, r.SaleNoPay, r.SoldNotLoaded, r.LoadedNotSold, r.CounterGap, r.Reversed,
		r.MeterReplaced, r.StaleRemote, r.StaleCard} {
		if days < 0 || days > 10_000 {
			return fmt.Errorf("reconciliation rules: a threshold of %d days: want 0 to 10000", days)
		}
	}
	for _, s := range []Slack{r.Water, r.Power, r.Gas} {
		if s.LastDigit < 0 || s.Greatest < 0 || s.LastDigit > 1_000_000 || s.Greatest > 1_000_000_000 {
			return fmt.Errorf("reconciliation rules: slack %+v: out of range", s)
		}
	}
	if r.Sync < 0 || r.Sync > 24*time.Hour {
		return fmt.Errorf("reconciliation rules: sync of %s: want 0 to 24 h", r.Sync)
	}
	return nil
}

// slack returns the volume that a purse of utility may be off.
func (r *Rules) slack(utility schemas.Medium) int64 {
	s := r.Water
	switch utility {
	case schemas.Power:
		s = r.Power
	case schemas.Gas:
		s = r.Gas
	}
	return s.LastDigit + s.Greatest*int64(r.Sync/time.Second)/3600
}

// Span is the accounting days of a run, both included.
type Span struct{ From, To ledger.Day }

// NeverWake is the wake day of a balance that only new rows can change.
const NeverWake = ledger.Day(math.MaxInt32)

// The errors that a caller may branch on. Each stops the call; nothing of its
// result may be used.
var (
	ErrSpan    = errors.New("span does not follow the balance")
	ErrFuture  = errors.New("row of a day after the span")
	ErrPlan    = errors.New("no tariff plan")
	ErrPlace   = errors.New("place cannot be reconciled")
	ErrBalance = errors.New("balance unreadable")
)

// check reports a span that is empty or does not come after closed, the day on
// which a balance was closed (0 for a new one).
func (s Span) check(closed ledger.Day) error {
	if s.To < s.From {
		return fmt.Errorf("span %s to %s: %w: it ends before it begins", s.From, s.To, ErrSpan)
	}
	if closed >= s.From {
		return fmt.Errorf("span %s to %s after a balance of %s: %w: begin on a later day", s.From, s.To, closed, ErrSpan)
	}
	return nil
}

// Finding is a difference with its key. Keys are unique in the books.
type Finding struct {
	Key string
	ledger.Difference
}

// Clearing is a difference that is open no more. Amounts and day are those with
// which it was found.
type Clearing struct {
	Open
	// Decided says that a decision closed it; otherwise what was missing arrived.
	Decided bool
}

// Open is a difference that a balance holds open.
type Open struct {
	Key    string
	Class  ledger.Class
	Amount schemas.Fen
	Volume int64
	Day    ledger.Day // of the fact
	// Settled says that a decision closed it while what it says still holds, so
	// that it is not found again. It counts as closed.
	Settled bool
}

// Refusal is a row that contradicts its place and was left out of the
// comparison. The caller keeps it and passes it again once register or row has
// been put right.
type Refusal struct {
	Ledger string // "sale", "payment" or "entry"
	ID     int64
	Reason string // for the clerk, with what to do
}
