package ledger

import (
	"fmt"
	"time"

	"citygrid/internal/gm"
	"citygrid/schemas"
)

// Content says which ledger a file is of.
type Content string

// The contents of files.
const (
	SalesFile    Content = "sales"    // L1: vending
	PaymentsFile Content = "payments" // L2: settlement
)

// FileID names a file for ever: a channel numbers its files of each accounting
// day from 1, vending and settlement files apart.
type FileID struct {
	Content Content
	Utility schemas.Medium
	Channel string
	Day     Day
	Number  int
}

// String writes the id for messages.
func (f FileID) String() string {
	return fmt.Sprintf("%s file %d of channel %s for %s, %s", f.Content, f.Number, f.Channel, f.Day, f.Utility)
}

// Digest is an SM3 digest [GB/T 32905].
type Digest [32]byte

// DigestOf returns the digest of raw.
func DigestOf(raw []byte) Digest { return gm.SumSM3(raw) }

// String writes the digest in 64 lower-case hexadecimal digits.
func (d Digest) String() string { return fmt.Sprintf("%x", d[:]) }

// File is a vending or settlement file, read and checked as a whole: its bytes as
// they came and its rows, in their order. One of Sales and Payments is empty.
type File struct {
	FileID
	Name    string // as the operator named it, for people
	Mapping string // the name and version of the column mapping
	Raw     []byte
	Digest  Digest // of Raw
	// Received, and by whom.
	At       time.Time
	By       string
	Sales    []Sale
	Payments []Payment
}

// Rows returns how many rows the file has.
func (f *File) Rows() int { return len(f.Sales) + len(f.Payments) }

// Import is a file in the books.
type Import struct {
	ID int64
	FileID
	Name, Mapping string
	Digest        Digest
	Rows, Bytes   int64
	// Debit is the sum of money taken, Credit that of money given back.
	Debit, Credit schemas.Fen
	At            time.Time
	By            string
	// Unresolved counts the rows whose meter the register did not know at import.
	Unresolved int
}

// ImportedError says that exactly this file is in the books already: nothing was
// changed, and nothing need be done.
type ImportedError struct{ Import Import }

// Error says when and by whom.
func (e *ImportedError) Error() string {
	return fmt.Sprintf("%s is already imported: %s (%d rows) at %s by %s; nothing was changed",
		e.Import.FileID, e.Import.Name, e.Import.Rows, e.Import.At.Format(time.RFC3339), e.Import.By)
}

// OtherContentError says that the books hold another file under the same number:
// nothing was changed.
type OtherContentError struct {
	Held   Import
	Digest Digest // of the refused file
}

// Error says what the operator can do.
func (e *OtherContentError) Error() string {
	return fmt.Sprintf("%s is in the books with other content: held %s with digest %s, refused digest %s; "+
		"ask the channel which is right, and for a correction under the next file number", e.Held.FileID, e.Held.Name, e.Held.Digest, e.Digest)
}
