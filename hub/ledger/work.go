package ledger

import (
	"time"

	"citygrid/schemas"
)

// WorkFilter picks the differences of a list of work; zero fields pick all that are
// open.
type WorkFilter struct {
	Utility  schemas.Medium
	Classes  []Class
	States   []State
	Meter    schemas.MeterID
	Assignee string
	// Text is looked for in orders, meters, cards and keys, without regard to capitals.
	Text string
	// From and To bound the day of the fact, both included.
	From, To KnownDay
	// Least bounds the amount from below, whatever its sign; Most above 0 from above.
	Least, Most schemas.Fen
	// FoundBy picks what one run found, cleared or not.
	FoundBy int64
	// Cleared picks those that are no longer open, instead of those that are.
	Cleared bool
	// AsOf is the day to which ages count.
	AsOf Day
	Sort WorkOrder
	// Down turns the order around.
	Down          bool
	Limit, Offset int
}

// WorkOrder is what a list of work is sorted by; what is equal goes by day and key.
type WorkOrder string

// The orders.
const (
	ByDay    WorkOrder = "day"
	ByAmount WorkOrder = "amount" // whatever its sign
	ByClass  WorkOrder = "class"
	ByState  WorkOrder = "state" // in the order of its life
	ByMeter  WorkOrder = "meter"
)

// WorkItem is a difference in a list of work.
type WorkItem struct {
	Key string
	Difference
	State                State
	FoundRun, ClearedRun int64
	// Assignee is to whom it was given last, LastBy who took the last step, at LastAt;
	// empty where nobody did.
	Assignee, LastBy string
	LastAt           time.Time
}

// WorkGroup sums the differences of one class, state and age.
type WorkGroup struct {
	Class Class
	State State
	// Band counts the bands of docs/reconciliation.md from 0, the youngest.
	Band int
	// Count differences come to Above fen where the amount is above 0, and to Below,
	// which is negative, where it is below.
	Count        int64
	Above, Below schemas.Fen
}

// WorkList is a page of a list of work, with the sums over all its pages.
type WorkList struct {
	Items  []WorkItem
	Total  int64
	Groups []WorkGroup
	// Assignees are all to whom something open of the utility is given.
	Assignees []string
}

// Source is where a row of the ledgers came from.
type Source struct {
	Import Import
	// Row counts the rows of the file from 1; Line is where it stands, from 1, and Text
	// what stands there. They are 0 and empty where the bytes cannot be read again, as
	// for a mapping that has changed since.
	Row, Line int
	Text      string
	// Names is the line that names the columns; empty where there is none.
	Names string
}

// Dossier is a difference with everything that bears on it.
type Dossier struct {
	WorkItem
	Events []DossierEvent // in the order of time
	// History is what runs found and cleared about it, the oldest first.
	History []DossierHistory
	// Place is where it is about; nil where it is about no meter.
	Place *Place
}

// DossierEvent is one line of a dossier; one of the pointers is set.
type DossierEvent struct {
	At       time.Time
	Sale     *Sale
	Payment  *Payment
	Entry    *Entry
	Decision *Decision
	// Import is the file of a sale or payment; 0 for others.
	Import int64
	File   string // its name
	// Collector told of an entry.
	Collector string
}

// DossierHistory is what one run did with a difference.
type DossierHistory struct {
	Run    int64
	To     Day    // the run's last day
	State  string // of the run: done or set_aside
	What   string // found, cleared or decided
	Amount schemas.Fen
	At     time.Time
}

// RowFilter picks rows of a ledger; zero fields pick all.
type RowFilter struct {
	Utility  schemas.Medium
	From, To KnownDay
	Channel  string
	Kind     string // of a sale or entry; payment or refund
	Meter    schemas.MeterID
	Order    string
	// Limit is at most 1,000.
	Limit, Offset int
}

// Row is a row of a ledger, with the file that it came in; one of the pointers is set.
type Row struct {
	Sale      *Sale
	Payment   *Payment
	Entry     *Entry
	Import    int64
	Collector string
}

// PlaceMatch is a place that a search found, and by what.
type PlaceMatch struct {
	Place
	By string // meter, number, customer or card
}
