package reconcile

import (
	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Balance is what the books carry from one run to the next about one place:
// last numbers, sales not loaded yet, the anchors, and the differences that are
// open. The zero Balance is that of a new place. Encode and DecodeBalance store
// it; nothing else may make one.
type Balance struct {
	// Through is the last day of the run that closed with it, 0 for none.
	Through ledger.Day
	// Wake is the next day on which something can change without a new row, or
	// NeverWake.
	Wake ledger.Day
	// Open are the differences, by key.
	Open []Open

	installs []install
	cards    []replaced
	stock    Stock
}

// OrderBalance is the same about one order of a channel.
type OrderBalance struct {
	Through ledger.Day
	Wake    ledger.Day
	Open    []Open

	rows []orderRow
}

// Settled reports that nothing of the order is open or awaited. The balance of
// a settled order need not be kept: when a further row of it comes, the caller
// gets the same balance from Order over all its earlier rows, from the zero
// balance and up to the day before.
func (b *OrderBalance) Settled() bool { return len(b.Open) == 0 && b.Wake == NeverWake }

// install is one installation. Moments are in milliseconds since 1970.
type install struct {
	from    int64
	scheme  schemas.PurchaseScheme // of its purchases; empty before the first
	base    uint32                 // numbers up to it were settled before the books began
	based   bool
	top     uint32 // highest number of a sale row
	seen    reading
	heard   ledger.Day // last evidence, 0 for none
	heardAt int64      // its moment
	sold    runs       // numbers that any sale row ever had
	live    runs
	loaded  runs
	sales   []sale   // live rows that are not loaded or still compared, and further rows
	loads   []load   // above the anchors
	unsold  []unsold // loaded, no sale row yet
	gaps    []gap    // holes below a sold number
	undos   []undo
	clears  []clearing
	bought  anchor // of the cumulative check
	purse   anchor // of the residual check
	byRate  []int64
	lo, hi  int64 // use since the step reset at the purse's anchor
	shown   shown
	carried int64 // sum of transfer rows, in the unit of the purse
	left    bool  // its credit was transferred to a later installation
}

// reading is a purchase count that the meter showed.
type reading struct {
	set   bool
	at    int64
	count uint32
}

// anchor is an accepted state or return, for one of the two checks.
type anchor struct {
	set     bool
	counted bool
	at      int64
	count   uint32
	value   int64 // cumulative bought; or residual - overdraft
	used    int64 // for the purse: cumulative used
}

// shown is the purse that the meter showed last.
type shown struct {
	set                 bool
	at                  int64
	residual, overdraft int64
}

// sale is a row of L1 that still matters.
type sale struct {
	id             int64
	channel, order string
	kind           ledger.SaleKind
	number         uint32
	amount         schemas.Fen
	volume         int64
	day            ledger.Day
	at             int64
	further        bool  // DUP_SALE
	loaded         bool  // by loadedAt
	compared       bool  // with a load record
	loadedAt       int64 // moment of the first evidence
}

// load is a load record, its amount in the unit of the purse.
type load struct {
	number uint32
	known  bool
	amount int64
	card   schemas.CardID
	at     int64
	day    ledger.Day
}

// unsold is a range of numbers that the meter loaded and nobody sold.
type unsold struct {
	first, last uint32
	day         ledger.Day
	at          int64
	card        schemas.CardID
	known       bool  // by a load record
	amount      int64 // in the unit of the purse
}

// gap is a hole in the numbers sold, below a sale of day.
type gap struct {
	first, last uint32
	day         ledger.Day
	at          int64
}

// undo is a refund or reversal row.
type undo struct {
	channel, order, undoes string
	number                 uint32
	amount                 schemas.Fen
	volume                 int64
	day                    ledger.Day
	at                     int64
	found                  bool // the purchase is known
	agrees                 bool // in amount
	cleared                bool // a clear entry was seen
	further                bool // the number stayed live by another row
}

// clearing is a clear entry that no undo row has claimed.
type clearing struct {
	number uint32
	at     int64
}

// replaced is a card that an issue entry replaced.
type replaced struct {
	card schemas.CardID
	at   int64
}

// orderRow is a row of an order: a sale row or a payment.
type orderRow struct {
	payment bool
	out     bool // a refund
	further bool // a sale row marked DUP_SALE
	id      int64
	amount  schemas.Fen
	volume  int64
	day     ledger.Day // of a bill: its due day, from which it can be late
	at      int64
	state   rowState
	// Of a sale row, for the clerk.
	meter  schemas.MeterID
	from   int64
	scheme schemas.PurchaseScheme
	number uint32
}

// rowState is where a row stands in roll-forward 2.
type rowState uint8

const (
	rowNew rowState = iota
	rowUnmatched
	rowMatched
	rowAmountDiff
	rowDuplicate
	rowDecided
	rowStates
)
