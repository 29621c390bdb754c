package books

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// Page bounds a list.
type Page struct {
	Limit  int64 // 0 means 50; at most 1,000
	Offset int64
}

func (p Page) apply(q *bun.SelectQuery) *bun.SelectQuery {
	return q.Limit(p.limit()).Offset(max(p.Offset, 0))
}

// limit returns how many rows a page has.
func (p Page) limit() int64 {
	if p.Limit <= 0 {
		return 50
	}
	return min(p.Limit, 1000)
}

// Runs lists the runs of a utility ("" for all), the latest first, those that were
// set aside among them.
func (b *Books) Runs(ctx context.Context, utility schemas.Medium, page Page) ([]RunSummary, error) {
	var rows []runRow
	q := page.apply(b.read.NewSelect().Model(&rows).Order("id DESC"))
	if utility != "" {
		q = q.Where("utility = ?", string(utility))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, explain("list runs", err)
	}
	out := make([]RunSummary, len(rows))
	for n := range rows {
		var err error
		if out[n], err = rows[n].summary(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// RunByID returns one run, ErrUnknown where there is none.
func (b *Books) RunByID(ctx context.Context, id int64) (RunSummary, error) {
	row, err := runByID(ctx, b.read, id)
	if err != nil {
		return RunSummary{}, explain(fmt.Sprintf("run %d", id), err)
	}
	return row.summary()
}

func runByID(ctx context.Context, db bun.IDB, id int64) (row runRow, err error) {
	err = db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrUnknown
	}
	return row, err
}

// LatestRun returns the last run of a utility that counts, ErrUnknown where there
// is none.
func (b *Books) LatestRun(ctx context.Context, utility schemas.Medium) (RunSummary, error) {
	s, err := latest(ctx, b.read, utility)
	if err == nil && s.ID == 0 {
		err = fmt.Errorf("last run of %s: %w", utility, ErrUnknown)
	}
	return s, err
}

// RunItem is one thing that a run found or cleared.
type RunItem struct {
	What   string       `bun:"what"` // "found", "cleared" (by itself) or "decided"
	Key    string       `bun:"diff_key"`
	Class  ledger.Class `bun:"class"`
	Amount schemas.Fen  `bun:"amount"`
	Volume int64        `bun:"volume"`
}

// RunItems lists what a run found and cleared, in the order of its work.
func (b *Books) RunItems(ctx context.Context, run int64, page Page) ([]RunItem, error) {
	var rows []RunItem
	q := page.apply(b.read.NewSelect().TableExpr("run_items").Column("what", "diff_key", "class", "amount", "volume").Where("run = ?", run).Order("item"))
	return rows, explain(fmt.Sprintf("items of run %d", run), q.Scan(ctx, &rows))
}

// DifferenceFilter picks differences; zero fields pick all.
type DifferenceFilter struct {
	Utility schemas.Medium
	Class   ledger.Class
	State   ledger.State
	Meter   schemas.MeterID
	Key     string
	// Cleared picks those that a run has cleared; otherwise those that are open.
	Cleared bool
	// Band picks an age on the day AsOf.
	Band *Band
	AsOf ledger.Day
	// FoundBy picks those that one run found, open or not.
	FoundBy int64
	Page
}

// DifferenceRecord is a difference as the books hold it.
type DifferenceRecord struct {
	Key string
	ledger.Difference
	State ledger.State
	// FoundRun is the run that found it, ClearedRun the one since which it is no
	// longer open, 0 while it is.
	FoundRun, ClearedRun int64
}

// differenceRow is a row of differences.
type differenceRow struct {
	bun.BaseModel `bun:"table:differences"`
	Key           string `bun:"diff_key"`
	Utility       string `bun:"utility"`
	Class         string `bun:"class"`
	Channel       string `bun:"channel"`
	Order         string `bun:"order_no"`
	Place         int64  `bun:"place"`
	Meter         string `bun:"meter"`
	From          int64  `bun:"from_ms"`
	Scheme        string `bun:"scheme"`
	Purchase      int64  `bun:"purchase"`
	Card          string `bun:"card"`
	Moment        int64  `bun:"moment_ms"`
	Amount        int64  `bun:"amount"`
	Volume        int64  `bun:"volume"`
	Day           int64  `bun:"day"`
	Shown         string `bun:"shown"`
	Expected      string `bun:"expected"`
	Note          string `bun:"note"`
	FoundRun      int64  `bun:"found_run"`
	ClearedRun    int64  `bun:"cleared_run"`
	State         string `bun:"state"`
}

// rowOfFinding is the row of a new difference; which run found it and its state are
// filled in when it is written.
func rowOfFinding(place int64, f *reconcile.Finding) differenceRow {
	return differenceRow{Key: f.Key, Utility: string(f.Utility), Class: string(f.Class), Channel: f.Channel, Order: f.Order, Place: place, Meter: string(f.Meter),
		From: millis(f.From), Scheme: string(f.Purchase.Scheme), Purchase: int64(f.Purchase.Number), Card: string(f.Card), Moment: millis(f.Moment),
		Amount: int64(f.Amount), Volume: f.Volume, Day: int64(f.Day), Shown: f.Shown, Expected: f.Expected, Note: f.Note}
}

func (r *differenceRow) record() DifferenceRecord {
	return DifferenceRecord{Key: r.Key, State: ledger.State(r.State), FoundRun: r.FoundRun, ClearedRun: r.ClearedRun,
		Difference: ledger.Difference{Class: ledger.Class(r.Class), Utility: schemas.Medium(r.Utility), Channel: r.Channel, Order: r.Order,
			Meter: schemas.MeterID(r.Meter), From: moment(r.From), Card: schemas.CardID(r.Card), Moment: moment(r.Moment),
			Purchase: schemas.PurchaseRef{Scheme: schemas.PurchaseScheme(r.Scheme), Number: uint32(r.Purchase)},
			Amount:   schemas.Fen(r.Amount), Volume: r.Volume, Day: ledger.Day(r.Day), Shown: r.Shown, Expected: r.Expected, Note: r.Note}}
}

func (f *DifferenceFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	for column, value := range map[string]string{"utility": string(f.Utility), "class": string(f.Class), "state": string(f.State),
		"meter": string(f.Meter), "diff_key": f.Key} {
		if value != "" {
			q = q.Where("? = ?", bun.Ident(column), value)
		}
	}
	switch {
	case f.FoundBy != 0:
		q = q.Where("found_run = ?", f.FoundBy)
	case f.Key != "":
	case f.Cleared:
		q = q.Where("cleared_run > 0")
	default:
		q = q.Where("cleared_run = 0")
	}
	if f.Band != nil {
		first, last := f.Band.Of(f.AsOf)
		q = q.Where("day >= ? AND day <= ?", int64(first), int64(last))
	}
	return q
}

// Differences lists the differences that f picks, the oldest facts first, and says
// how many there are in all.
func (b *Books) Differences(ctx context.Context, f DifferenceFilter) (list []DifferenceRecord, total int64, err error) {
	var rows []differenceRow
	q := f.Page.apply(f.apply(b.read.NewSelect().Model(&rows)).Order("day", "diff_key", "found_run"))
	if total, err = q.ScanAndCount(ctx); err != nil {
		return nil, 0, explain("list differences", err)
	}
	list = make([]DifferenceRecord, len(rows))
	for n := range rows {
		list[n] = rows[n].record()
	}
	return list, total, nil
}

// Ageing counts the open differences of a utility by class and band, as of a day.
type Ageing struct {
	Class ledger.Class
	Band  Band
	Count int64
	Sum   schemas.Fen
}

// Ageing returns the bands that hold anything, by class and age.
func (b *Books) Ageing(ctx context.Context, utility schemas.Medium, day ledger.Day) ([]Ageing, error) {
	var out []Ageing
	for _, band := range Bands() {
		first, last := band.Of(day)
		rows, err := b.read.QueryContext(ctx, "SELECT class, COUNT(*), CAST(SUM(amount) AS BIGINT) FROM differences WHERE utility = ? AND cleared_run = 0 "+
			"AND day >= ? AND day <= ? GROUP BY class", string(utility), int64(first), int64(last))
		if err != nil {
			return nil, explain("ageing of differences", err)
		}
		a := Ageing{Band: band}
		if err := each(rows, []any{&a.Class, &a.Count, &a.Sum}, func() error { out = append(out, a); return nil }); err != nil {
			return nil, explain("ageing of differences", err)
		}
	}
	slices.SortStableFunc(out, func(a, b Ageing) int { return cmp.Compare(a.Class, b.Class) })
	return out, nil
}

// Event is one line of a difference's timeline. One of Sale, Payment, Entry and
// Decision is set.
type Event struct {
	At       time.Time
	Sale     *ledger.Sale
	Payment  *ledger.Payment
	Entry    *ledger.Entry
	Decision *ledger.Decision
}

// Timeline is a difference with everything that bears on it, in the order of time:
// sale, payment, card, load, states, decisions.
type Timeline struct {
	DifferenceRecord
	Events []Event
}

// timelineRows bounds the card entries and sales of an account that a timeline
// shows: those nearest to the fact.
const timelineRows = 200

// Difference returns one difference with its timeline, ErrUnknown where there is
// none.
func (b *Books) Difference(ctx context.Context, key string) (Timeline, error) {
	act := "difference " + key
	var row differenceRow
	err := b.read.NewSelect().Model(&row).Where("diff_key = ?", key).Order("found_run DESC").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Timeline{}, fmt.Errorf("%s: %w", act, ErrUnknown)
	}
	if err != nil {
		return Timeline{}, explain(act, err)
	}
	t := Timeline{DifferenceRecord: row.record()}
	decisions, err := decisionsOf(ctx, b.read, key)
	if err != nil {
		return t, explain(act, err)
	}
	for n := range decisions {
		t.Events = append(t.Events, Event{At: decisions[n].At, Decision: &decisions[n]})
	}
	if err := errors.Join(b.orderEvents(ctx, &t, row.Place), b.entryEvents(ctx, &t)); err != nil {
		return t, explain(act, err)
	}
	slices.SortStableFunc(t.Events, func(a, b Event) int { return a.At.Compare(b.At) })
	return t, nil
}

// orderEvents adds the rows of the difference's order, and the sales of its
// purchase number.
func (b *Books) orderEvents(ctx context.Context, t *Timeline, place int64) error {
	var sales []saleRow
	q := b.read.NewSelect().Model(&sales).Order("id").Limit(timelineRows)
	switch {
	case t.Order != "":
		q = q.Where("channel = ? AND (order_no = ? OR undoes = ? OR undoes = ?)", t.Channel, t.Order, t.Order, t.Channel+"/"+t.Order)
	case place != 0:
		number := int64(t.Purchase.Number)
		q = q.Where("place = ? AND from_ms = ? AND purchase BETWEEN ? AND ?", place, millis(t.From), number-1, number+1)
	default:
		return nil
	}
	if err := q.Scan(ctx); err != nil {
		return err
	}
	for n := range sales {
		s := sales[n].sale(t.Meter)
		t.Events = append(t.Events, Event{At: s.At, Sale: &s})
	}
	if t.Order == "" {
		return nil
	}
	var payments []paymentRow
	if err := b.read.NewSelect().Model(&payments).Where("channel = ? AND order_no = ?", t.Channel, t.Order).Order("id").Limit(timelineRows).Scan(ctx); err != nil {
		return err
	}
	for n := range payments {
		p := payments[n].payment()
		t.Events = append(t.Events, Event{At: p.At, Payment: &p})
	}
	return nil
}

// entryEvents adds the card entries of the difference's installation around the
// fact.
func (b *Books) entryEvents(ctx context.Context, t *Timeline) error {
	if t.Meter == "" {
		return nil
	}
	at := t.Moment
	if at.IsZero() {
		at = b.o.Rules.Calendar.Start(t.Day)
	}
	for _, side := range []struct{ where, order string }{{"e.moment_ms <= ?", "e.moment_ms DESC"}, {"e.moment_ms > ?", "e.moment_ms"}} {
		var rows []entryRow
		err := b.read.NewRaw("SELECT e.* FROM card_entries AS e JOIN places AS p ON p.id = e.place WHERE p.meter = ? AND e.from_ms = ? AND ? ORDER BY ? LIMIT ?",
			string(t.Meter), millis(t.From), bun.SafeQuery(side.where, millis(at)), bun.Safe(side.order), timelineRows/2).Scan(ctx, &rows)
		if err != nil {
			return err
		}
		for n := range rows {
			e := rows[n].entry(t.Meter)
			t.Events = append(t.Events, Event{At: e.Moment(), Entry: &e})
		}
	}
	return nil
}

// paymentRow is a row of payments.
type paymentRow struct {
	bun.BaseModel `bun:"table:payments"`
	ID            int64  `bun:"id"`
	Import        int64  `bun:"import_id"`
	Utility       string `bun:"utility"`
	Day           int64  `bun:"day"`
	Channel       string `bun:"channel"`
	Order         string `bun:"order_no"`
	Reference     string `bun:"reference"`
	Refund        int64  `bun:"refund"`
	Amount        int64  `bun:"amount"`
	AtMillis      int64  `bun:"at_ms"`
}

func (r *paymentRow) payment() ledger.Payment {
	return ledger.Payment{ID: r.ID, Channel: r.Channel, Order: r.Order, Reference: r.Reference, Refund: r.Refund != 0,
		Amount: schemas.Fen(r.Amount), Day: ledger.Day(r.Day), At: moment(r.AtMillis)}
}

// Imports lists the imported files, the latest first.
func (b *Books) Imports(ctx context.Context, page Page) ([]ledger.Import, error) {
	var rows []importRow
	if err := page.apply(b.read.NewSelect().Model(&rows).Order("id DESC")).Scan(ctx); err != nil {
		return nil, explain("list imports", err)
	}
	out := make([]ledger.Import, len(rows))
	for n := range rows {
		var err error
		if out[n], err = rows[n].toImport(); err != nil {
			return nil, err
		}
		err = b.read.NewRaw("SELECT COUNT(*) FROM sales WHERE "+b.waiting("sales")+" AND import_id = ?", out[n].ID).Scan(ctx, &out[n].Unresolved)
		if err != nil {
			return nil, explain("list imports", err)
		}
	}
	return out, nil
}

// UnresolvedEntries lists the card entries of meters that the register does not
// know, the oldest first, and says how many there are.
func (b *Books) UnresolvedEntries(ctx context.Context, page Page) (list []ledger.Entry, total int64, err error) {
	var rows []entryRow
	if total, err = page.apply(b.read.NewSelect().Model(&rows).Where(b.waiting("card_entries")).Order("id")).ScanAndCount(ctx); err != nil {
		return nil, 0, explain("list unresolved entries", err)
	}
	for n := range rows {
		list = append(list, rows[n].entry(""))
	}
	return list, total, nil
}

// UnresolvedSales lists the sales of meters that the register does not know, the
// oldest first, and says how many there are.
func (b *Books) UnresolvedSales(ctx context.Context, page Page) (list []ledger.Sale, total int64, err error) {
	var rows []saleRow
	if total, err = page.apply(b.read.NewSelect().Model(&rows).Where(b.waiting("sales")).Order("id")).ScanAndCount(ctx); err != nil {
		return nil, 0, explain("list unresolved sales", err)
	}
	for n := range rows {
		list = append(list, rows[n].sale(""))
	}
	return list, total, nil
}

// RefusedRow is a row that a run left out, because it contradicts its place.
type RefusedRow struct {
	Run    int64  `bun:"run"`
	Ledger string `bun:"ledger"` // "sale", "payment" or "entry"
	Row    int64  `bun:"row_id"`
	Meter  string `bun:"meter"`
	Reason string `bun:"reason"`
}

// Refused lists the rows that runs left out and that have not come again.
func (b *Books) Refused(ctx context.Context, page Page) ([]RefusedRow, error) {
	var rows []RefusedRow
	q := page.apply(b.read.NewSelect().TableExpr("refusals AS r").Join("LEFT JOIN places AS p ON p.id = r.place").
		ColumnExpr("r.run, r.ledger, r.row_id, COALESCE(p.meter, '') AS meter, r.reason").Order("r.run", "r.item"))
	return rows, explain("list refused rows", q.Scan(ctx, &rows))
}
