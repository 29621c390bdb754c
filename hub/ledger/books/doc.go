// Package books keeps the ledgers of prepaid utilities in SQL: places and
// installations of the asset register, imported files with their sales and
// payments, card entries, and the runs of reconciliation with their balances,
// differences, decisions and adjustments. SQLite is what a city starts with, one
// file; PostgreSQL is had by another address. Both take the same statements and
// the same tests.
//
// What is written is whole or absent: a file, a batch of card entries and a run are
// one transaction each, durable before the call returns. Doing any of them again
// changes nothing.
package books

import (
	"errors"

	"citygrid/internal/sqldb"
)

// The errors that callers tell apart.
var (
	// ErrBusy says that somebody else was writing for longer than the wait. Nothing
	// was changed; the call may be made again.
	ErrBusy = sqldb.ErrBusy
	// ErrFull says that there is no room. Nothing was changed.
	ErrFull = sqldb.ErrFull
	// ErrCleared says that a difference has cleared by itself and takes no decision.
	ErrCleared = errors.New("what was missing has arrived since; the difference needs no decision")
	// ErrUnknown says that what was asked for is not in the books.
	ErrUnknown = errors.New("not in the books")
)
