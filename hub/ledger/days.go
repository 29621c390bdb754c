package ledger

import (
	"fmt"
	"time"

	"citygrid/schemas"
)

// Sum counts rows, with what they come to in fen and, for purses of volume, in litres
// or watt-hours.
type Sum struct {
	Count  int64
	Fen    schemas.Fen
	Volume int64
}

// Add adds another sum.
func (s *Sum) Add(o Sum) {
	s.Count, s.Fen, s.Volume = s.Count+o.Count, s.Fen+o.Fen, s.Volume+o.Volume
}

// DayState says how far the work on an accounting day is.
type DayState string

// The states of a day, in the order of the work.
const (
	DayEmpty      DayState = "not_imported" // no file of it has come
	DayImported   DayState = "imported"     // files are there, and no run that counts covers it
	DayOpen       DayState = "open"         // reconciled; of what its run found something is open
	DayReconciled DayState = "reconciled"   // reconciled, and nothing that its run found is open
	DayClosed     DayState = "closed"       // an approver has closed it: no run does it again
)

// DayLine is an accounting day of a utility, with what each ledger says of it.
type DayLine struct {
	Day Day
	// Files by content.
	SalesFiles, PaymentFiles int64
	Sold                     Sum // purchases
	Billed                   Sum // bills
	Refunded                 Sum // refunds and reversals
	Paid, PaidBack           Sum // payments, and refunds of payments
	// Loaded are the loads that were told on the day; what was told before counts there.
	Loaded Sum
	// Entries are the card entries of every kind.
	Entries int64
	// Run is the run that counts and covers the day; nil for none.
	Run *DayRun
	// Found is what that run found, told on its last day only, and Open what of it is
	// neither cleared nor closed.
	Found, Open Sum
	// Closing is nil until the day is closed.
	Closing *DayClosing
}

// Difference is what was paid less what was sold and billed, refunds taken off on
// both sides: above 0 there is more money than sales. Money of a sale may arrive on a
// neighbouring day, so that only the run tells what is wrong.
func (l *DayLine) Difference() schemas.Fen {
	return l.Paid.Fen - l.PaidBack.Fen - l.Sold.Fen - l.Billed.Fen + l.Refunded.Fen
}

// State tells how far the work is.
func (l *DayLine) State() DayState {
	switch {
	case l.Closing != nil:
		return DayClosed
	case l.Run != nil && l.Open.Count > 0:
		return DayOpen
	case l.Run != nil:
		return DayReconciled
	case l.SalesFiles+l.PaymentFiles > 0:
		return DayImported
	default:
		return DayEmpty
	}
}

// DayRun names a run of an overview.
type DayRun struct {
	ID       int64
	From, To Day
	Version  int
	By       string
	At       time.Time
}

// DayOverview is a span of days of a utility, the latest first.
type DayOverview struct {
	Utility schemas.Medium
	Days    []DayLine
	// ClosedTo is the last day that is closed, LastRun the last day of the last run;
	// the zero Day with Known false where there is none.
	ClosedTo, LastRun KnownDay
}

// KnownDay is a day that may not be there.
type KnownDay struct {
	Day   Day
	Known bool
}

// DayClosing says who closed a day. It is never taken back: what arrives later, and
// what was wrong, is put right on a later day.
type DayClosing struct {
	Utility schemas.Medium
	Day     Day
	Run     int64 // that closed the day
	By, Why string
	At      time.Time
}

// NotClosedWhy says in one word why a day cannot be closed.
type NotClosedWhy string

// The reasons.
const (
	NotReconciled NotClosedWhy = "not_reconciled"       // no run that counts covers it
	InsideRun     NotClosedWhy = "inside_run"           // a run goes on beyond it
	AlreadyClosed NotClosedWhy = "closed"               // it, or a later day, is closed
	SameMaker     NotClosedWhy = "second_person_needed" // who made the run cannot close it
	ReasonNeeded  NotClosedWhy = "reason_needed"        // differences that nobody has looked at
)

// NotClosedError says why a day cannot be closed. Nothing was changed.
type NotClosedError struct {
	Utility schemas.Medium
	Day     Day
	Why     NotClosedWhy
	// What says more: the run's days, who made it, how many differences.
	What string
}

// Error says why, and what to do.
func (e *NotClosedError) Error() string {
	return fmt.Sprintf("%s of %s cannot be closed: %s", e.Day, e.Utility, e.What)
}

// ClosedDayError says that a run would do a closed day again.
type ClosedDayError struct {
	Utility  schemas.Medium
	ClosedTo Day
}

// Error says what to do instead.
func (e *ClosedDayError) Error() string {
	return fmt.Sprintf("the days of %s up to %s are closed; what was wrong there is put right from %s on", e.Utility, e.ClosedTo, e.ClosedTo+1)
}

// DayLedgers is what the ledgers hold of one day, side by side.
type DayLedgers struct {
	Sales    []LedgerSum // by channel and kind
	Payments []LedgerSum // by channel; the kind is payment or refund
	Entries  []LedgerSum // by event; the channel is where the entry was read
	Files    []Import
}

// LedgerSum is one kind of rows of a ledger.
type LedgerSum struct {
	Channel, Kind string
	Sum
}
