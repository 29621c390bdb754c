package books

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// entryRow is a row of card_entries.
type entryRow struct {
	bun.BaseModel `bun:"table:card_entries"`
	ID            int64         `bun:"id"`
	Utility       string        `bun:"utility"`
	Day           int64         `bun:"day"`
	Place         int64         `bun:"place"`
	From          int64         `bun:"from_ms"`
	Event         string        `bun:"event"`
	Source        string        `bun:"source"`
	Meter         string        `bun:"meter"`
	Number        string        `bun:"number"`
	Issuer        string        `bun:"issuer"`
	Card          string        `bun:"card"`
	Replaces      string        `bun:"replaces"`
	Customer      string        `bun:"customer"`
	Scheme        string        `bun:"scheme"`
	Purchase      int64         `bun:"purchase"`
	Amount        int64         `bun:"amount"`
	AmountUnit    string        `bun:"amount_unit"`
	Residual      int64         `bun:"residual"`
	ResidualUnit  string        `bun:"residual_unit"`
	Overdraft     int64         `bun:"overdraft"`
	OverdraftUnit string        `bun:"overdraft_unit"`
	Bought        int64         `bun:"bought"`
	BoughtUnit    string        `bun:"bought_unit"`
	Used          int64         `bun:"used"`
	UsedUnit      string        `bun:"used_unit"`
	Counters      string        `bun:"counters"`
	Fault         int64         `bun:"fault"`
	Terminal      string        `bun:"terminal"`
	Moment        int64         `bun:"moment_ms"`
	Taken         int64         `bun:"taken_ms"`
	Recorded      int64         `bun:"recorded_ms"`
	Installed     int64         `bun:"installed_ms"`
	Collector     string        `bun:"collector"`
	Stored        int64         `bun:"stored_ms"`
	Print         int64         `bun:"print"`
	Modulus       int64         `bun:"modulus"`
	Use           sql.NullInt64 `bun:"reg_used"`
	Rate1         sql.NullInt64 `bun:"reg_t1"`
	Rate2         sql.NullInt64 `bun:"reg_t2"`
	Rate3         sql.NullInt64 `bun:"reg_t3"`
	Rate4         sql.NullInt64 `bun:"reg_t4"`
}

// entry gives the row back as it was told, with its place in the books and the
// registers that were filled in.
func (r *entryRow) entry(meter schemas.MeterID) ledger.Entry {
	credit := func(v int64, unit string) schemas.Credit {
		return schemas.Credit{Value: v, Unit: schemas.CreditUnit(unit)}
	}
	e := schemas.CardEntry{Event: schemas.CardEvent(r.Event), Source: schemas.CardSource(r.Source), Utility: schemas.Medium(r.Utility),
		Meter: schemas.MeterID(r.Meter), MeterNumber: r.Number, InstalledAt: moment(r.Installed), Issuer: schemas.IssuerID(r.Issuer),
		Card: schemas.CardID(r.Card), Replaces: schemas.CardID(r.Replaces), Customer: schemas.CustomerID(r.Customer),
		Purchase: schemas.PurchaseRef{Scheme: schemas.PurchaseScheme(r.Scheme), Number: uint32(r.Purchase)},
		Amount:   credit(r.Amount, r.AmountUnit), Residual: credit(r.Residual, r.ResidualUnit), Overdraft: credit(r.Overdraft, r.OverdraftUnit),
		Bought: credit(r.Bought, r.BoughtUnit), Used: credit(r.Used, r.UsedUnit), Counters: countersOf(r.Counters),
		Fault: schemas.CardFault(r.Fault), Terminal: r.Terminal, TakenAt: moment(r.Taken), RecordedAt: moment(r.Recorded)}
	if r.Place != 0 {
		e.Meter, e.InstalledAt = meter, moment(r.From)
	} else {
		e.PurchaseModulus = uint32(r.Modulus) // with a place, the number is absolute
	}
	out := ledger.Entry{ID: r.ID, Day: ledger.Day(r.Day), CardEntry: e}
	known := registers{unknown, unknown, unknown, unknown, unknown}
	for n, v := range [...]sql.NullInt64{r.Use, r.Rate1, r.Rate2, r.Rate3, r.Rate4} {
		if v.Valid {
			known[n] = v.Int64
		}
	}
	known.into(&out)
	return out
}

func countersOf(text string) map[schemas.CardCounter]uint32 {
	if text == "" {
		return nil
	}
	out := make(map[schemas.CardCounter]uint32)
	for word := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(word, "=")
		if n, err := strconv.ParseUint(value, 10, 32); err == nil { // what countersText wrote
			out[schemas.CardCounter(name)] = uint32(n)
		}
	}
	return out
}

// unresolvedPart is how many rows without a place are looked at in one go.
const unresolvedPart = 1000

// placeUnresolved gives entries and sales without a place theirs, where the
// register has it now. They get new numbers, so that the next run takes them for
// what has arrived since the last.
func (b *Books) placeUnresolved(ctx context.Context, tx bun.Tx) error {
	if err := eachPart(func(after int64) (last int64, err error) { return b.placeEntries(ctx, tx, after, "1 = 1") }); err != nil {
		return err
	}
	return eachPart(func(after int64) (last int64, err error) { return b.placeSales(ctx, tx, after) })
}

// eachPart calls do with where the part before ended, until it returns 0.
func eachPart(do func(after int64) (int64, error)) error {
	for after := int64(0); ; {
		last, err := do(after)
		if err != nil || last == 0 {
			return err
		}
		after = last
	}
}

// placeEntries places a part of the entries that are without a place and fulfil a
// condition.
func (b *Books) placeEntries(ctx context.Context, tx bun.Tx, after int64, which string) (last int64, err error) {
	var rows []entryRow
	// The limit on new numbers: rows that are placed below must not be met again.
	err = tx.NewSelect().Model(&rows).Where("place = 0 AND id > ? AND ?", after, bun.Safe(which)).Order("id").Limit(unresolvedPart).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	entries := make([]schemas.CardEntry, len(rows))
	for n := range rows {
		entries[n] = rows[n].entry("").CardEntry
	}
	places, err := resolve(ctx, tx, b.wantedOf(entries))
	if err != nil {
		return 0, err
	}
	lift := newLifter(tx)
	for n := range rows {
		e := &entries[n]
		number, at, err := lift.place(ctx, e, ledger.Day(rows[n].Day), places[n])
		if err != nil {
			return 0, err
		}
		if at.place == 0 {
			continue
		}
		if err := placeEntry(ctx, tx, rows[n].ID, e, number, at); err != nil {
			return 0, err
		}
	}
	return rows[len(rows)-1].ID, nil
}

// placeEntry moves one entry, or drops it when the books have the same fact with
// its place already.
func placeEntry(ctx context.Context, tx bun.Tx, id int64, e *schemas.CardEntry, purchase uint32, at found) error {
	var known bool
	err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM card_entries WHERE place = ? AND moment_ms = ? AND print = ?)",
		at.place, momentOf(e), fingerprint(e, at)).Scan(&known)
	if err != nil {
		return err
	}
	if known {
		_, err = tx.ExecContext(ctx, "DELETE FROM card_entries WHERE id = ?", id)
		return err
	}
	now, err := take(ctx, tx, "entry", 1)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE card_entries SET id = ?, place = ?, from_ms = ?, print = ?, purchase = ? WHERE id = ?",
		now, at.place, at.from, fingerprint(e, at), int64(purchase), id)
	return err
}

func (b *Books) placeSales(ctx context.Context, tx bun.Tx, after int64) (last int64, err error) {
	var rows []saleRow
	err = tx.NewSelect().Model(&rows).Where("place = 0 AND id > ?", after).Order("id").Limit(unresolvedPart).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	sales := make([]ledger.Sale, len(rows))
	for n := range rows {
		sales[n] = rows[n].sale("")
	}
	others, err := b.cardsOfOthers(ctx, tx)
	if err != nil {
		return 0, err
	}
	places, err := resolve(ctx, tx, wantedOfSales(sales, others))
	if err != nil {
		return 0, err
	}
	for n := range rows {
		if places[n].place == 0 {
			continue
		}
		placed, err := take(ctx, tx, "sale", 1)
		if err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE sales SET placed = ?, place = ?, from_ms = ? WHERE id = ?",
			placed, places[n].place, places[n].from, rows[n].ID); err != nil {
			return 0, err
		}
	}
	return rows[len(rows)-1].ID, nil
}

// repeatRefused gives the rows that runs refused at places new numbers, so that the
// next run takes them again.
func (b *Books) repeatRefused(ctx context.Context, tx bun.Tx, places []int64) error {
	var rows []struct {
		Ledger string `bun:"ledger"`
		Row    int64  `bun:"row_id"`
	}
	err := tx.NewRaw("SELECT DISTINCT ledger, row_id FROM refusals WHERE place IN (?) ORDER BY ledger, row_id", bun.List(places)).Scan(ctx, &rows)
	if err != nil || len(rows) == 0 {
		return err
	}
	for _, r := range rows {
		counter, statement := "sale", "UPDATE sales SET placed = ? WHERE id = ?"
		if r.Ledger == "entry" {
			counter, statement = "entry", "UPDATE card_entries SET id = ? WHERE id = ?"
		}
		now, err := take(ctx, tx, counter, 1)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, statement, now, r.Row); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM refusals WHERE place IN (?)", bun.List(places))
	return err
}

// saleRow is a row of sales.
type saleRow struct {
	bun.BaseModel `bun:"table:sales"`
	ID            int64  `bun:"id"`
	Placed        int64  `bun:"placed"`
	Import        int64  `bun:"import_id"`
	Utility       string `bun:"utility"`
	Day           int64  `bun:"day"`
	Place         int64  `bun:"place"`
	From          int64  `bun:"from_ms"`
	Channel       string `bun:"channel"`
	Order         string `bun:"order_no"`
	Kind          string `bun:"kind"`
	Meter         string `bun:"meter"`
	Number        string `bun:"number"`
	Customer      string `bun:"customer"`
	Card          string `bun:"card"`
	Scheme        string `bun:"scheme"`
	Purchase      int64  `bun:"purchase"`
	Amount        int64  `bun:"amount"`
	Volume        int64  `bun:"volume"`
	Undoes        string `bun:"undoes"`
	AtMillis      int64  `bun:"at_ms"`
	Operator      string `bun:"operator"`
	Terminal      string `bun:"terminal"`
	Due           int64  `bun:"due"`
}

// sale gives the row back; meter is its place in the register, empty for what the
// file said.
func (r *saleRow) sale(meter schemas.MeterID) ledger.Sale {
	if r.Place == 0 || meter == "" {
		meter = schemas.MeterID(r.Meter)
	}
	return ledger.Sale{ID: r.ID, Channel: r.Channel, Order: r.Order, Kind: ledger.SaleKind(r.Kind), Utility: schemas.Medium(r.Utility),
		Meter: meter, From: moment(r.From), MeterNumber: r.Number, Customer: schemas.CustomerID(r.Customer), Card: schemas.CardID(r.Card),
		Purchase: schemas.PurchaseRef{Scheme: schemas.PurchaseScheme(r.Scheme), Number: uint32(r.Purchase)},
		Amount:   schemas.Fen(r.Amount), Volume: r.Volume, Undoes: r.Undoes, Day: ledger.Day(r.Day), At: moment(r.AtMillis),
		Due: ledger.Day(r.Due), Operator: r.Operator, Terminal: r.Terminal}
}
