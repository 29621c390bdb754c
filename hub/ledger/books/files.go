package books

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

const (
	saleColumns = "id, placed, import_id, utility, day, place, from_ms, channel, order_no, kind, meter, number, customer, card, scheme, purchase, " +
		"amount, volume, undoes, at_ms, operator, terminal, due"
	paymentColumns = "id, import_id, utility, day, channel, order_no, reference, refund, amount, at_ms"
)

// StoreFile puts a file into the books in one transaction: its bytes and all its
// rows, or nothing. The same file again is a *ledger.ImportedError, another one
// under its number a *ledger.OtherContentError. Rows of meters that the register
// does not know are counted in Import.Unresolved and placed when it does.
func (b *Books) StoreFile(ctx context.Context, f *ledger.File) (ledger.Import, error) {
	packed, err := pack(f.Raw)
	if err != nil {
		return ledger.Import{}, fmt.Errorf("import %s: compress: %w", f.FileID, err)
	}
	var done ledger.Import
	err = b.change(ctx, func(tx bun.Tx) error {
		done, err = b.storeFile(ctx, tx, f, packed)
		return err
	})
	var same *ledger.ImportedError
	var other *ledger.OtherContentError
	if errors.As(err, &same) || errors.As(err, &other) {
		return ledger.Import{}, err
	}
	return done, explain(fmt.Sprintf("import %s", f.FileID), err)
}

func pack(raw []byte) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	err := z.Close()
	return out.Bytes(), err
}

// importRow is a row of imports without its bytes.
type importRow struct {
	bun.BaseModel `bun:"table:imports"`
	ID            int64  `bun:"id"`
	Content       string `bun:"content"`
	Utility       string `bun:"utility"`
	Channel       string `bun:"channel"`
	Day           int64  `bun:"day"`
	Number        int    `bun:"number"`
	Name          string `bun:"name"`
	Mapping       string `bun:"mapping"`
	Digest        string `bun:"digest"`
	Rows          int64  `bun:"rows_read"`
	Bytes         int64  `bun:"bytes_read"`
	Debit         int64  `bun:"debit"`
	Credit        int64  `bun:"credit"`
	AtMillis      int64  `bun:"at_ms"`
	ByWhom        string `bun:"by_whom"`
}

func (r *importRow) toImport() (ledger.Import, error) {
	i := ledger.Import{ID: r.ID,
		FileID: ledger.FileID{Content: ledger.Content(r.Content), Utility: schemas.Medium(r.Utility), Channel: r.Channel, Day: ledger.Day(r.Day), Number: r.Number},
		Name:   r.Name, Mapping: r.Mapping, Rows: r.Rows, Bytes: r.Bytes, Debit: schemas.Fen(r.Debit), Credit: schemas.Fen(r.Credit),
		At: moment(r.AtMillis), By: r.ByWhom}
	digest, err := hex.DecodeString(r.Digest)
	if err != nil || len(digest) != len(i.Digest) {
		return i, fmt.Errorf("import %d: the digest in the books is damaged", r.ID)
	}
	copy(i.Digest[:], digest)
	return i, nil
}

func (b *Books) storeFile(ctx context.Context, tx bun.Tx, f *ledger.File, packed []byte) (ledger.Import, error) {
	id, err := take(ctx, tx, "import", 1)
	if err != nil {
		return ledger.Import{}, err
	}
	if err := refuseHeld(ctx, tx, f); err != nil {
		return ledger.Import{}, err
	}
	row := importRow{ID: id, Content: string(f.Content), Utility: string(f.Utility), Channel: f.Channel, Day: int64(f.Day), Number: f.Number,
		Name: f.Name, Mapping: f.Mapping, Digest: f.Digest.String(), Rows: int64(f.Rows()), Bytes: int64(len(f.Raw)),
		AtMillis: millis(f.At), ByWhom: f.By}
	row.Debit, row.Credit = sums(f)
	if _, err := tx.NewInsert().Model(&row).Value("raw", "?", packed).Exec(ctx); err != nil {
		return ledger.Import{}, err
	}
	done, err := row.toImport()
	if err != nil {
		return done, err
	}
	if done.Unresolved, err = b.storeSales(ctx, tx, id, f.Sales); err != nil {
		return done, err
	}
	return done, b.storePayments(ctx, tx, id, f)
}

// refuseHeld looks whether the number is taken.
func refuseHeld(ctx context.Context, tx bun.Tx, f *ledger.File) error {
	var row importRow
	err := tx.NewSelect().Model(&row).Where("channel = ? AND day = ? AND number = ? AND content = ? AND utility = ?",
		f.Channel, int64(f.Day), f.Number, string(f.Content), string(f.Utility)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	held, err := row.toImport()
	if err != nil {
		return err
	}
	if held.Digest == f.Digest {
		return &ledger.ImportedError{Import: held}
	}
	return &ledger.OtherContentError{Held: held, Digest: f.Digest}
}

// sums returns the money taken and given back.
func sums(f *ledger.File) (debit, credit int64) {
	add := func(back bool, amount schemas.Fen) {
		if back {
			credit += int64(amount)
		} else {
			debit += int64(amount)
		}
	}
	for n := range f.Sales {
		s := &f.Sales[n]
		add(s.Kind == ledger.Refund || s.Kind == ledger.Reversal, s.Amount)
	}
	for n := range f.Payments {
		add(f.Payments[n].Refund, f.Payments[n].Amount)
	}
	return debit, credit
}

func (b *Books) storeSales(ctx context.Context, tx bun.Tx, importID int64, sales []ledger.Sale) (unresolved int, err error) {
	if len(sales) == 0 {
		return 0, nil
	}
	id, err := take(ctx, tx, "sale", len(sales))
	if err != nil {
		return 0, err
	}
	others, err := b.cardsOfOthers(ctx, tx)
	if err != nil {
		return 0, err
	}
	into := b.db.Bulk(tx, "sales", saleColumns, "")
	for start := 0; start < len(sales) && err == nil; start += chunk {
		part := sales[start:min(start+chunk, len(sales))]
		want := wantedOfSales(part, others)
		var places []found
		if places, err = resolve(ctx, tx, want); err != nil {
			break
		}
		for n := range part {
			row, at := id+int64(start+n), places[n]
			placed := row
			if at.place == 0 {
				placed = 0
				if !want[n].elsewhere {
					unresolved++
				}
			}
			if err = into.Add(ctx, saleValues(row, placed, importID, &part[n], at)...); err != nil {
				break
			}
		}
	}
	return unresolved, into.End(ctx, err)
}

func saleValues(id, placed, importID int64, s *ledger.Sale, at found) []any {
	return []any{id, placed, importID, string(s.Utility), int64(s.Day), at.place, at.from, s.Channel, s.Order, string(s.Kind),
		string(s.Meter), s.MeterNumber, string(s.Customer), string(s.Card), string(s.Purchase.Scheme), int64(s.Purchase.Number),
		int64(s.Amount), s.Volume, s.Undoes, millis(s.At), s.Operator, s.Terminal, int64(s.Due)}
}

func (b *Books) storePayments(ctx context.Context, tx bun.Tx, importID int64, f *ledger.File) error {
	if len(f.Payments) == 0 {
		return nil
	}
	id, err := take(ctx, tx, "payment", len(f.Payments))
	if err != nil {
		return err
	}
	into := b.db.Bulk(tx, "payments", paymentColumns, "")
	for n := range f.Payments {
		p := &f.Payments[n]
		refund := int64(0)
		if p.Refund {
			refund = 1
		}
		if err = into.Add(ctx, id+int64(n), importID, string(f.Utility), int64(p.Day), p.Channel, p.Order, p.Reference, refund, int64(p.Amount), millis(p.At)); err != nil {
			break
		}
	}
	return into.End(ctx, err)
}

// Raw returns the bytes of an imported file as they came.
func (b *Books) Raw(ctx context.Context, importID int64) ([]byte, error) {
	var packed []byte
	err := b.read.NewRaw("SELECT raw FROM imports WHERE id = ?", importID).Scan(ctx, &packed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("bytes of import %d: %w", importID, ErrUnknown)
	}
	if err != nil {
		return nil, explain(fmt.Sprintf("bytes of import %d", importID), err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("bytes of import %d are damaged: %w", importID, err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("bytes of import %d are damaged: %w", importID, err)
	}
	return raw, nil
}
