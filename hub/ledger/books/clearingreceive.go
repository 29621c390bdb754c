package books

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/clearing"
	"citygrid/schemas"
)

// The mappings under which clearing files stand among the imports: those of package
// clearing.
const (
	clearingMapping = "clearing 1"
	answerMapping   = "clearing-answer 1"
)

// ReceiveClearing takes a partner's file: its bytes, the answer detail by detail, and
// what was accepted as imported sales and as payments of the same channel, all in one
// transaction. What it answers is judged by the books as they are now and
// never changes. The same file again returns what is held, and repeated; another one
// under its name is a *ClearingTakenError, or *ledger.OtherContentError where that
// was imported by other ways. A file with mistakes is an *intake.FileError; one that
// is not for home, or repeats an order, is ErrClearing.
func (b *Books) ReceiveClearing(ctx context.Context, home schemas.IssuerID, name string, raw []byte, by string) (file ClearingFile, repeated bool, err error) {
	f, err := clearing.Read(ctx, name, bytes.NewReader(raw))
	if err != nil {
		return file, false, err
	}
	if f.To != home {
		return file, false, fmt.Errorf("%w: %s is for %s, and we are %s", ErrClearing, name, f.To, home)
	}
	r := receipt{b: b, name: name, raw: raw, by: by, at: b.o.Now().UTC().Truncate(time.Millisecond), file: f}
	err = b.change(ctx, func(tx bun.Tx) (err error) {
		file, repeated, err = r.take(ctx, tx)
		return err
	})
	return file, repeated, explainClearing(name, err)
}

// explainClearing leaves the errors that callers tell apart as they are.
func explainClearing(name string, err error) error {
	var taken *ClearingTakenError
	var other *ledger.OtherContentError
	if errors.As(err, &taken) || errors.As(err, &other) {
		return err
	}
	return explain("receive "+name, err)
}

// receipt is a partner's file on its way into the books.
type receipt struct {
	b    *Books
	name string
	raw  []byte
	by   string
	at   time.Time
	file clearing.File
}

func (r *receipt) take(ctx context.Context, tx bun.Tx) (ClearingFile, bool, error) {
	// The counter first, as in makeClearing.
	if _, err := take(ctx, tx, "clearing", 0); err != nil {
		return ClearingFile{}, false, err
	}
	held, err := clearingByKey(ctx, tx, r.file.Key)
	switch {
	case err == nil:
		return held, true, held.sameAs(r.name, ledger.DigestOf(r.raw))
	case !errors.Is(err, ErrUnknown):
		return held, false, err
	}
	if err := r.orders(ctx, tx); err != nil {
		return held, false, err
	}
	imported, err := r.imported(ctx, tx)
	if err != nil {
		return held, false, err
	}
	answer, err := r.judge(ctx, tx, imported)
	if err != nil {
		return held, false, err
	}
	settled, err := clearing.Match(r.file, answer)
	if err != nil {
		return held, false, err
	}
	if imported == 0 {
		if err := r.store(ctx, tx, r.sales(settled.Accepted)); err != nil {
			return held, false, err
		}
	}
	held, id, err := r.b.keepClearing(ctx, tx, Received, &r.file, r.raw, r.by)
	if err != nil {
		return held, false, err
	}
	held.Answer, err = r.answer(ctx, tx, id, answer, &settled)
	return held, false, err
}

// sameAs says that what is held is what has come again.
func (f *ClearingFile) sameAs(name string, digest ledger.Digest) error {
	if f.Digest == digest {
		return nil
	}
	return &ClearingTakenError{Name: name, Held: f.Digest, Refused: digest, At: f.At, By: f.By}
}

// orders refuses an order that stood in an earlier file: it could be owed twice.
func (r *receipt) orders(ctx context.Context, tx bun.Tx) error {
	for n := range r.file.Details {
		order := r.file.Details[n].Order
		if id, found, err := heldOrder(ctx, tx, r.file.Channel(), order); err != nil {
			return err
		} else if found {
			before, err := clearingByID(ctx, tx, id)
			if err != nil {
				return err
			}
			return fmt.Errorf("%w: order %s of %s stood in %s already; ask the partner for a file without it", ErrClearing, order, r.name, before.FileName())
		}
	}
	return nil
}

// sales is the file as imports know it, with some of its details. What we refuse is
// none of our sales: its number may be sold again, and nobody owes it.
func (r *receipt) sales(details []ledger.Sale) *ledger.File {
	return &ledger.File{FileID: r.file.ID(), Name: r.name, Mapping: clearingMapping, Raw: r.raw, Digest: ledger.DigestOf(r.raw), At: r.at, By: r.by, Sales: details}
}

// imported returns the import of this very file that was made by other ways, 0
// without one.
func (r *receipt) imported(ctx context.Context, tx bun.Tx) (int64, error) {
	err := refuseHeld(ctx, tx, r.sales(nil))
	var same *ledger.ImportedError
	if errors.As(err, &same) {
		return same.Import.ID, nil
	}
	return 0, err
}

// store imports a file that is not held.
func (r *receipt) store(ctx context.Context, tx bun.Tx, f *ledger.File) error {
	packed, err := pack(f.Raw)
	if err != nil {
		return fmt.Errorf("compress %s: %w", f.Name, err)
	}
	_, err = r.b.storeFile(ctx, tx, f, packed)
	return err
}

// answer stores our answer, and what it accepts as payments.
func (r *receipt) answer(ctx context.Context, tx bun.Tx, id int64, a clearing.Answer, settled *clearing.Settled) (*ClearingAnswer, error) {
	var raw bytes.Buffer
	if err := clearing.WriteAnswer(&raw, a); err != nil {
		return nil, err
	}
	kept, err := r.b.keepAnswer(ctx, tx, id, &r.file, settled, raw.Bytes(), r.by)
	if err != nil || len(settled.Accepted) == 0 {
		return kept, err
	}
	paid := r.file.ID()
	paid.Content = ledger.PaymentsFile
	return kept, r.store(ctx, tx, &ledger.File{FileID: paid, Name: a.AnswerName(), Mapping: answerMapping, Raw: raw.Bytes(), Digest: ledger.DigestOf(raw.Bytes()),
		At: r.at, By: r.by, Payments: settled.Payments(r.b.o.Rules.Calendar.DayOf(r.at), a)})
}

// answerRow is a row of clearing_answers without its bytes.
type answerRow struct {
	bun.BaseModel    `bun:"table:clearing_answers"`
	File             int64  `bun:"file"`
	Accepted         int    `bun:"accepted"`
	AcceptedTaken    int64  `bun:"accepted_taken"`
	AcceptedReturned int64  `bun:"accepted_returned"`
	Refused          int    `bun:"refused"`
	RefusedTaken     int64  `bun:"refused_taken"`
	RefusedReturned  int64  `bun:"refused_returned"`
	Digest           string `bun:"digest"`
	AtMillis         int64  `bun:"at_ms"`
	ByWhom           string `bun:"by_whom"`
}

// keepAnswer stores the answer to a file, and the details that it refuses.
func (b *Books) keepAnswer(ctx context.Context, tx bun.Tx, file int64, f *clearing.File, s *clearing.Settled, raw []byte, by string) (*ClearingAnswer, error) {
	yes, no := (&clearing.File{Details: s.Accepted}).Sums(), (&clearing.File{Details: s.Refused}).Sums()
	row := answerRow{File: file, Accepted: yes.Count, AcceptedTaken: int64(yes.Taken), AcceptedReturned: int64(yes.Returned),
		Refused: no.Count, RefusedTaken: int64(no.Taken), RefusedReturned: int64(no.Returned),
		Digest: ledger.DigestOf(raw).String(), AtMillis: b.o.Now().UnixMilli(), ByWhom: by}
	packed, err := pack(raw)
	if err != nil {
		return nil, fmt.Errorf("compress %s: %w", f.AnswerName(), err)
	}
	if _, err := tx.NewInsert().Model(&row).Value("raw", "?", packed).Exec(ctx); err != nil {
		return nil, err
	}
	into := b.db.Bulk(tx, "clearing_refused", "channel, order_no, file, reason", "")
	for n := range s.Refused {
		order := s.Refused[n].Order
		if err = into.Add(ctx, f.Channel(), order, file, s.Reasons[order]); err != nil {
			break
		}
	}
	if err := into.End(ctx, err); err != nil {
		return nil, err
	}
	return row.answer()
}

// ReceiveClearingAnswer takes a partner's answer to a file that we sent, once: the
// same answer again returns what is held, and repeated; another one is a
// *ClearingTakenError. An answer to a file that was not sent is ErrUnknown, one that
// does not match its file ErrClearing.
func (b *Books) ReceiveClearingAnswer(ctx context.Context, home schemas.IssuerID, name string, raw []byte, by string) (file ClearingFile, repeated bool, err error) {
	a, err := clearing.ReadAnswer(ctx, name, bytes.NewReader(raw))
	if err != nil {
		return file, false, err
	}
	if a.From != home {
		return file, false, fmt.Errorf("%w: %s answers a file of %s, and we are %s", ErrClearing, name, a.From, home)
	}
	err = b.change(ctx, func(tx bun.Tx) (err error) {
		file, repeated, err = b.takeAnswer(ctx, tx, name, a, raw, by)
		return err
	})
	return file, repeated, explainClearing(name, err)
}

func (b *Books) takeAnswer(ctx context.Context, tx bun.Tx, name string, a clearing.Answer, raw []byte, by string) (ClearingFile, bool, error) {
	if _, err := take(ctx, tx, "clearing", 0); err != nil {
		return ClearingFile{}, false, err
	}
	held, err := clearingByKey(ctx, tx, a.Key)
	if err != nil {
		return held, false, err
	}
	if old, digest := held.Answer, ledger.DigestOf(raw); old != nil {
		if old.Digest == digest {
			return held, true, nil
		}
		return held, false, &ClearingTakenError{Name: name, Held: old.Digest, Refused: digest, At: old.At, By: old.By}
	}
	id, sent, err := clearingBytes(ctx, tx, a.Key)
	if err != nil {
		return held, false, err
	}
	f, err := clearing.Read(ctx, a.FileName(), bytes.NewReader(sent))
	if err != nil {
		return held, false, fmt.Errorf("%s in the books: %w", a.FileName(), err)
	}
	settled, err := clearing.Match(f, a)
	if err != nil {
		return held, false, fmt.Errorf("%w: %w", ErrClearing, err)
	}
	held.Answer, err = b.keepAnswer(ctx, tx, id, &f, &settled, raw, by)
	return held, false, err
}

// clearingBytes returns the number and the bytes of a file, ErrUnknown where there
// is none.
func clearingBytes(ctx context.Context, db bun.IDB, key clearing.Key) (id int64, raw []byte, err error) {
	var packed []byte
	err = db.NewRaw("SELECT id, raw FROM clearing_files WHERE from_issuer = ? AND to_issuer = ? AND day = ? AND number = ?",
		string(key.From), string(key.To), int64(key.Day), key.Number).Scan(ctx, &id, &packed)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, fmt.Errorf("%s: %w", key, ErrUnknown)
	}
	if err != nil {
		return 0, nil, err
	}
	raw, err = unpack(packed)
	return id, raw, err
}
