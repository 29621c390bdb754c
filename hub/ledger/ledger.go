// Package ledger is what the books of prepaid utilities hold: sales, payments,
// card entries, installations, and the differences between them. It is types and
// their rules only; package books keeps them in SQL, package reconcile compares
// them, package intake reads them from files. docs/reconciliation.md defines the
// words.
package ledger

import (
	"time"

	"citygrid/schemas"
)

// Sale is a row of L1: what a counter or an online channel sold, gave back, or
// wrote again.
type Sale struct {
	ID      int64 // in the order of import; 0 before
	Channel string
	Order   string // unique for its channel; a second row with it is a duplicate
	Kind    SaleKind
	Utility schemas.Medium
	// Meter and From name the installation; MeterNumber is what the file said.
	Meter       schemas.MeterID
	From        time.Time
	MeterNumber string
	Customer    schemas.CustomerID
	Card        schemas.CardID
	Purchase    schemas.PurchaseRef
	// Amount is the money, never negative; Volume what a purse of volume or
	// energy got for it, in litres or watt-hours, 0 for a purse of money.
	Amount schemas.Fen
	Volume int64
	// Undoes is the order, of the same channel unless Undoes holds
	// "channel/order", that a refund or reversal gives back or that a reissue
	// stands for.
	Undoes string
	Day    Day
	// Due is the last day on which a bill is paid in time; 0 for other kinds.
	Due                Day
	At                 time.Time
	Operator, Terminal string
}

// SaleKind is what a Sale did.
type SaleKind string

// The kinds of sale.
const (
	Purchase SaleKind = "purchase"
	Refund   SaleKind = "refund"   // 退费: on another day
	Reversal SaleKind = "reversal" // 冲正: before the day was settled
	Transfer SaleKind = "transfer" // 换表: the credit of a removed meter
	Reissue  SaleKind = "reissue"  // 补写: an unloaded purchase written again
	Bill     SaleKind = "bill"     // 账单: a period's use, paid after it (先用后付); no card, no purchase number
)

// Payment is a row of L2: what a channel says that it settled.
type Payment struct {
	ID        int64
	Channel   string
	Order     string
	Reference string // the channel's own number
	Refund    bool   // given back
	Amount    schemas.Fen
	Day       Day
	At        time.Time
}

// Entry is a card entry with its place in the books: Meter and InstalledAt are
// resolved.
type Entry struct {
	ID  int64
	Day Day
	schemas.CardEntry
	// UsedByRate are the meter's cumulative registers by rate at the moment of the
	// entry, in the unit of use and since its installation, like Used: index 0 is
	// rate 1. The use by rate is the difference of two of them. They are filled from
	// the meter's readings; nil where nobody knows.
	UsedByRate []int64
}

// Moment returns when what the entry tells happened, as far as anybody knows.
func (e *Entry) Moment() time.Time {
	if !e.RecordedAt.IsZero() {
		return e.RecordedAt
	}
	return e.TakenAt
}

// Place is a meter place with its installations, oldest first, as the asset
// register has it.
type Place struct {
	Meter         schemas.MeterID
	Utility       schemas.Medium
	Purse         schemas.CreditUnit
	Plan          string // the tariff plan
	Readout       Readout
	Installations []Installation
}

// Installation is one physical meter at a place.
type Installation struct {
	From, To    time.Time // To is zero while it stands
	MeterNumber string
	Customer    schemas.CustomerID
}

// Readout is how a meter's data reach the books.
type Readout string

// The readouts.
const (
	Remote Readout = "remote" // over its line
	ByCard Readout = "card"   // in the return file, when the customer next buys
)

// Class is what a difference is.
type Class string

// The classes of docs/reconciliation.md, in the order of its table.
const (
	Matched        Class = "MATCHED"
	PaidNoSale     Class = "PAID_NO_SALE"
	SaleNoPay      Class = "SALE_NO_PAY"
	AmountDiff     Class = "AMOUNT_DIFF"
	DupSale        Class = "DUP_SALE"
	DupPay         Class = "DUP_PAY"
	SoldNotLoaded  Class = "SOLD_NOT_LOADED"
	LoadedNotSold  Class = "LOADED_NOT_SOLD"
	CounterGap     Class = "COUNTER_GAP"
	LoadAmountDiff Class = "LOAD_AMOUNT_DIFF"
	CumDrift       Class = "CUM_DRIFT"
	ResidualDrift  Class = "RESIDUAL_DRIFT"
	Reversed       Class = "REVERSED"
	CardReplaced   Class = "CARD_REPLACED"
	MeterReplaced  Class = "METER_REPLACED"
	Stale          Class = "STALE"
	ReverseFlow    Class = "REVERSE_FLOW"
)

// Classes returns every class of difference, in the order of the page.
func Classes() []Class {
	return []Class{PaidNoSale, SaleNoPay, AmountDiff, DupSale, DupPay, SoldNotLoaded, LoadedNotSold, CounterGap,
		LoadAmountDiff, CumDrift, ResidualDrift, Reversed, CardReplaced, MeterReplaced, Stale, ReverseFlow}
}

// Difference is one thing that does not agree. It is known by Key over all runs.
type Difference struct {
	Class   Class
	Utility schemas.Medium
	// What it is about; empty where it does not apply.
	Channel, Order string
	Meter          schemas.MeterID
	From           time.Time
	Purchase       schemas.PurchaseRef
	Card           schemas.CardID
	Moment         time.Time
	// Amount in fen and Volume in litres or watt-hours are in question; the page
	// says with which sign.
	Amount schemas.Fen
	Volume int64
	Day    Day // of the fact: its age counts from here
	// Shown and Expected are the two sides in words for the clerk, such as
	// "meter 150.00" and "sales 100.00"; Note says what to look at.
	Shown, Expected, Note string
}
