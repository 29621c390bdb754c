package reconcile

import (
	"citygrid/schemas"
)

// Tally counts rows or differences, with their sums.
type Tally struct {
	Count  int64
	Fen    schemas.Fen
	Volume int64 // litres or watt-hours, for purses of volume
}

// ClassRoll is roll-forward 1 of the page for one class.
type ClassRoll struct {
	Opening, Found Tally
	Cleared        Tally // by themselves
	Decided        Tally // by a decision
	Closing        Tally
}

// MatchRoll is roll-forward 2 for the rows of one side of a channel: how rows
// stood before and after. Refunds count negative.
type MatchRoll struct {
	Opening    Tally // unmatched before
	Rows       Tally // of the span
	Matched    Tally
	AmountDiff Tally // both sides are there and differ
	Duplicates Tally // further rows, and what gave them back
	Decided    Tally
	Closing    Tally // unmatched after
}

// ChannelRoll is roll-forward 2 of one channel.
type ChannelRoll struct {
	Channel         string
	Sales, Payments MatchRoll
}

// PurchaseRoll is roll-forward 3: what is sold and not loaded.
type PurchaseRoll struct {
	Opening     Tally
	Sold        Tally
	Transferred Tally // transfer rows, and reissues less what they stand for
	Undone      Tally
	Loaded      Tally
	Closing     Tally
}

// Stock is what the books hold on one day.
type Stock struct {
	// Residual and Overdraft are what the meters showed last; the count is of
	// installations with a state or return. A replaced installation leaves when
	// its credit is transferred.
	Residual, Overdraft Tally
	// Installations stand on that day; Fresh of them have evidence, none too
	// old; Stale have none or too old.
	Installations, Fresh, Stale int64
}

// StockRoll is roll-forward 4: the prepaid liability and the coverage.
type StockRoll struct {
	Opening Stock
	// Change is what entries, installations and transfers changed.
	Change  Stock
	Closing Stock
}

// Figures are the sums of a run, over one account or order or over many.
type Figures struct {
	// Classes has one roll a class, in the order of ledger.Classes.
	Classes   [Classes]ClassRoll
	Channels  []ChannelRoll // by channel
	Purchases PurchaseRoll
	Stock     StockRoll
	Sales     int64 // rows that Account took
	Entries   int64
	Payments  int64 // rows that Order took
	Refused   int64 // rows of any ledger that were left out
}

// Classes is the number of classes of difference.
const Classes = 16
