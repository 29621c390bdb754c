package books

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/clearing"
	"citygrid/schemas"
)

// Direction says who made a clearing file.
type Direction string

// The directions.
const (
	Sent     Direction = "sent"     // by us, to the issuer of the cards
	Received Direction = "received" // from a partner, about our cards
)

// ClearingFile is a clearing file of the books. Its key, bytes and answer never
// change.
type ClearingFile struct {
	clearing.Key
	Direction Direction
	Utility   schemas.Medium
	Sums      clearing.Sums
	Digest    ledger.Digest // SM3 of the bytes
	// Made or received, and by whom.
	At     time.Time
	By     string
	Answer *ClearingAnswer // nil while there is none
}

// ClearingAnswer is the answer to a ClearingFile: ours to a received one, the
// partner's to one that was sent.
type ClearingAnswer struct {
	Accepted, Refused clearing.Sums
	Digest            ledger.Digest
	At                time.Time
	By                string
}

// ClearingMade is what MakeClearing made.
type ClearingMade struct {
	Files []ClearingFile // new ones only
	// Held are the rows and entries of other cities' cards that are in no file yet.
	// They are looked at again by the next call.
	Held []clearing.Held
}

// ClearingTakenError says that the books hold another file under the same name:
// nothing was changed.
type ClearingTakenError struct {
	Name          string
	Held, Refused ledger.Digest
	At            time.Time
	By            string
}

// Error says what the operator can do.
func (e *ClearingTakenError) Error() string {
	return fmt.Sprintf("%s is in the books with other content since %s, by %s: held digest %s, refused digest %s; nothing was changed: ask the partner which is right, and for what is missing under the next number",
		e.Name, e.At.Format(time.RFC3339), e.By, e.Held, e.Refused)
}

// ErrClearing says that a clearing file or answer is sound in itself, but not one
// that these books can take. Nothing was changed.
var ErrClearing = errors.New("the clearing file cannot be taken")

// MakeClearing makes the clearing files of home from all rows up to an accounting
// day that were in none before, as clearing.Split does. The numbers, the rows and
// the bytes are recorded in one transaction: a call that did not come to its end
// has made nothing, one that did is not repeated by the next.
func (b *Books) MakeClearing(ctx context.Context, home schemas.IssuerID, upto ledger.Day, by string) (ClearingMade, error) {
	var made ClearingMade
	err := b.change(ctx, func(tx bun.Tx) (err error) {
		made, err = b.makeClearing(ctx, tx, home, upto, by)
		if err == nil && len(made.Files) == 0 {
			return errNothing
		}
		return err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return made, explain(fmt.Sprintf("make the clearing files of %s up to %s", home, upto), err)
}

func (b *Books) makeClearing(ctx context.Context, tx bun.Tx, home schemas.IssuerID, upto ledger.Day, by string) (made ClearingMade, err error) {
	// The counter first: whoever holds it is the only one who makes files.
	if _, err := take(ctx, tx, "clearing", 0); err != nil {
		return made, err
	}
	given, err := b.clearable(ctx, tx, home, upto)
	if err != nil {
		return made, err
	}
	sent := sentBefore{ctx: ctx, tx: tx, home: home}
	out, err := clearing.Split(home, given.sales, given.entries, clearing.Earlier{Number: sent.number, Sent: sent.sent})
	if err := cmp.Or(sent.err, err); err != nil {
		return made, err
	}
	for n, f := range out.Files {
		var raw bytes.Buffer
		if err := clearing.Write(&raw, f); err != nil {
			return made, err
		}
		row, id, err := b.keepClearing(ctx, tx, Sent, &f, raw.Bytes(), by)
		if err != nil {
			return made, err
		}
		if err := b.keepProofs(ctx, tx, id, out.Proofs[n]); err != nil {
			return made, err
		}
		made.Files = append(made.Files, row)
	}
	made.Held = given.due(out.Held, b.o.Rules.Calendar, upto)
	return made, nil
}

// sentBefore answers clearing.Split from the books. err is the first failure.
type sentBefore struct {
	ctx  context.Context
	tx   bun.Tx
	home schemas.IssuerID
	err  error
}

func (s *sentBefore) number(to schemas.IssuerID, day ledger.Day) int {
	var last int
	err := s.tx.NewRaw("SELECT COALESCE(MAX(number), 0) FROM clearing_files WHERE from_issuer = ? AND to_issuer = ? AND day = ?",
		string(s.home), string(to), int64(day)).Scan(s.ctx, &last)
	s.err = cmp.Or(s.err, err)
	return last + 1
}

func (s *sentBefore) sent(to schemas.IssuerID, order string) bool {
	_, found, err := heldOrder(s.ctx, s.tx, clearing.Key{From: s.home, To: to}.Channel(), order)
	s.err = cmp.Or(s.err, err)
	return found
}

// heldOrder returns the file in which an order stood.
func heldOrder(ctx context.Context, tx bun.IDB, channel, order string) (file int64, found bool, err error) {
	var files []int64
	err = tx.NewRaw("SELECT file FROM clearing_details WHERE channel = ? AND order_no = ?", channel, order).Scan(ctx, &files)
	if err != nil || len(files) == 0 {
		return 0, false, err
	}
	return files[0], true, nil
}

// clearingRow is a row of clearing_files without its bytes.
type clearingRow struct {
	bun.BaseModel `bun:"table:clearing_files"`
	ID            int64  `bun:"id"`
	Direction     string `bun:"direction"`
	From          string `bun:"from_issuer"`
	To            string `bun:"to_issuer"`
	Day           int64  `bun:"day"`
	Number        int    `bun:"number"`
	Utility       string `bun:"utility"`
	Details       int    `bun:"details"`
	Taken         int64  `bun:"taken"`
	Returned      int64  `bun:"returned"`
	Digest        string `bun:"digest"`
	AtMillis      int64  `bun:"at_ms"`
	ByWhom        string `bun:"by_whom"`
}

// keepClearing stores a file with its bytes and the orders of its details, which
// must not have stood in a file before.
func (b *Books) keepClearing(ctx context.Context, tx bun.Tx, direction Direction, f *clearing.File, raw []byte, by string) (ClearingFile, int64, error) {
	id, err := take(ctx, tx, "clearing", 1)
	if err != nil {
		return ClearingFile{}, 0, err
	}
	sums, digest := f.Sums(), ledger.DigestOf(raw)
	row := clearingRow{ID: id, Direction: string(direction), From: string(f.From), To: string(f.To), Day: int64(f.Day), Number: f.Number,
		Utility: string(f.Utility), Details: sums.Count, Taken: int64(sums.Taken), Returned: int64(sums.Returned), Digest: digest.String(),
		AtMillis: b.o.Now().UnixMilli(), ByWhom: by}
	packed, err := pack(raw)
	if err != nil {
		return ClearingFile{}, 0, fmt.Errorf("compress %s: %w", f.FileName(), err)
	}
	if _, err := tx.NewInsert().Model(&row).Value("raw", "?", packed).Exec(ctx); err != nil {
		return ClearingFile{}, 0, err
	}
	into := b.db.Bulk(tx, "clearing_details", "channel, order_no, file", "")
	for n := range f.Details {
		if err = into.Add(ctx, f.Channel(), f.Details[n].Order, id); err != nil {
			break
		}
	}
	if err := into.End(ctx, err); err != nil {
		return ClearingFile{}, 0, err
	}
	kept, err := row.file()
	return kept, id, err
}

// keepProofs stores which rows and entries a sent file holds.
func (b *Books) keepProofs(ctx context.Context, tx bun.Tx, file int64, proofs []clearing.Proof) (err error) {
	into := b.db.Bulk(tx, "clearing_proofs", "sale, file, utility, event, number, card, scheme, purchase, amount, amount_unit, moment_ms", "")
	for _, p := range proofs {
		e := p.Entry
		if err = into.Add(ctx, p.Sale.ID, file, string(e.Utility), string(e.Event), e.MeterNumber, string(e.Card), string(e.Purchase.Scheme),
			int64(e.Purchase.Number), e.Amount.Value, string(e.Amount.Unit), momentOf(e)); err != nil {
			break
		}
	}
	return into.End(ctx, err)
}
