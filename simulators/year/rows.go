package year

import (
	"time"

	"citygrid/schemas"
)

// Kind is what a Sale did, in the words of docs/reconciliation.md.
type Kind string

// The kinds of sale rows.
const (
	Purchase Kind = "purchase"
	Refund   Kind = "refund"
	Reversal Kind = "reversal"
	Transfer Kind = "transfer"
	Reissue  Kind = "reissue"
)

// Sale is a row of the ledger of sales.
type Sale struct {
	Channel, Order string
	Kind           Kind
	Utility        schemas.Medium
	Meter          schemas.MeterID
	From           time.Time // of the installation
	MeterNumber    string
	Customer       schemas.CustomerID
	Card           schemas.CardID
	Purchase       uint32
	Amount         schemas.Fen
	Volume         int64 // litres or watt-hours; 0 for a purse of money
	Undoes         string
	Day            int32 // accounting day, from 1970-01-01
	At             time.Time
	Operator       string
	Terminal       string
}

// Payment is a row of what a channel settled.
type Payment struct {
	Channel, Order, Reference string
	Utility                   schemas.Medium
	Refund                    bool
	Amount                    schemas.Fen
	Day                       int32
	At                        time.Time
}

// Entry is a card entry whose meter and installation are resolved, with its
// accounting day and, for a meter with registers by rate, the use by rate.
type Entry struct {
	schemas.CardEntry
	Day        int32
	UsedByRate []int64
}

// Moment returns RecordedAt where the meter gave one, else TakenAt.
func (e *Entry) Moment() time.Time {
	if !e.RecordedAt.IsZero() {
		return e.RecordedAt
	}
	return e.TakenAt
}

// AsSent returns the entry as its source knows it: a terminal knows neither the
// meter's place nor its installation.
func (e *Entry) AsSent() schemas.CardEntry {
	sent := e.CardEntry
	if sent.Source == schemas.FromReader {
		sent.Meter, sent.InstalledAt = "", time.Time{}
	}
	return sent
}

// Installation is one physical meter at a place; To is zero while it stands.
type Installation struct {
	From, To    time.Time
	MeterNumber string
	Customer    schemas.CustomerID
}

// Place is a meter place with its whole year: sales by At, payments by At,
// entries by TakenAt. Rows with an accounting day after the last one of the
// world are left out.
type Place struct {
	Index         int
	Household     int
	Meter         schemas.MeterID
	Utility       schemas.Medium
	Purse         schemas.CreditUnit
	Plan          string
	Remote        bool // read over its line; else by card
	Installations []Installation
	Sales         []Sale
	Payments      []Payment
	Entries       []Entry
	// Injected is what is wrong with the place; empty if nothing is.
	Injected []Difference
}

// Class is a class of docs/reconciliation.md.
type Class string

// The classes of difference.
const (
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

// Difference is what a reconciliation must report, once, from the run on in
// which its hold has passed, and for ever after: none of them clears.
type Difference struct {
	Class   Class
	Cause   string // the name of the cause, such as "dup-sale-same-order"
	Utility schemas.Medium
	// Channel and Order name the row, where the fact is one.
	Channel, Order string
	// Meter and From name the installation; empty for PAID_NO_SALE and DUP_PAY,
	// since a payment knows no meter.
	Meter    schemas.MeterID
	From     time.Time
	Purchase uint32
	Card     schemas.CardID // CARD_REPLACED: the card that loaded
	Moment   time.Time
	Amount   schemas.Fen
	Volume   int64
	Day      int32
}

// Clearing is a sale by a terminal of this city on a card of another city: it
// belongs to the issuer's books and to none of the ledgers here.
type Clearing struct {
	Issuer         schemas.IssuerID
	Card           schemas.CardID
	Utility        schemas.Medium
	MeterNumber    string
	Channel, Order string
	Amount         schemas.Fen
	Day            int32
	At             time.Time
	Entry          schemas.CardEntry // what the terminal recorded
}
