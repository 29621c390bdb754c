package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Dossier returns one difference with its timeline, the files that its rows came in,
// what runs did with it, and its place; ErrUnknown where there is none.
func (b *Books) Dossier(ctx context.Context, key string) (ledger.Dossier, error) {
	t, err := b.Difference(ctx, key)
	if err != nil {
		return ledger.Dossier{}, err
	}
	c := ledger.Dossier{WorkItem: ledger.WorkItem{Key: t.Key, Difference: t.Difference, State: t.State, FoundRun: t.FoundRun, ClearedRun: t.ClearedRun}}
	for _, e := range t.Events {
		c.Events = append(c.Events, ledger.DossierEvent{At: e.At, Sale: e.Sale, Payment: e.Payment, Entry: e.Entry, Decision: e.Decision})
		if d := e.Decision; d != nil {
			c.LastBy, c.LastAt = d.Who, d.At
			if d.To == ledger.Assigned {
				c.Assignee = d.Assignee
			}
		}
	}
	if err := errors.Join(b.related(ctx, &c), b.sources(ctx, &c), b.history(ctx, &c), b.placeOf(ctx, &c)); err != nil {
		return c, explain("dossier of "+key, err)
	}
	return c, nil
}

// relatedRows bounds the rows that a dossier adds to a timeline.
const relatedRows = 50

// related adds what a timeline leaves out: the other sales of the purchase, the orders
// that its rows undo, and the payments of all of them.
func (b *Books) related(ctx context.Context, c *ledger.Dossier) error {
	var orders [][]string
	seen := make(map[int64]bool)
	for _, e := range c.Events {
		if s := e.Sale; s != nil {
			seen[s.ID] = true
			orders = append(orders, []string{s.Channel, s.Order})
			if s.Undoes != "" {
				channel, order, ok := strings.Cut(s.Undoes, "/")
				if !ok {
					channel, order = s.Channel, s.Undoes
				}
				orders = append(orders, []string{channel, order})
			}
		}
	}
	var sales []saleRow
	q := b.read.NewSelect().Model(&sales).Order("id").Limit(relatedRows)
	if c.Meter != "" && c.Purchase.Number != 0 {
		q = q.WhereOr("place = (SELECT p.id FROM places AS p WHERE p.meter = ?) AND from_ms = ? AND purchase = ?", string(c.Meter), millis(c.From), int64(c.Purchase.Number))
	}
	for _, o := range orders {
		q = q.WhereOr("channel = ? AND order_no = ?", o[0], o[1])
	}
	if len(orders) == 0 && (c.Meter == "" || c.Purchase.Number == 0) {
		return nil
	}
	if err := q.Scan(ctx); err != nil {
		return err
	}
	for n := range sales {
		s := sales[n].sale("")
		if !seen[s.ID] {
			c.Events = append(c.Events, ledger.DossierEvent{At: s.At, Sale: &s})
			orders = append(orders, []string{s.Channel, s.Order})
		}
	}
	return b.relatedPayments(ctx, c, orders)
}

func (b *Books) relatedPayments(ctx context.Context, c *ledger.Dossier, orders [][]string) error {
	seen := make(map[int64]bool)
	for _, e := range c.Events {
		if e.Payment != nil {
			seen[e.Payment.ID] = true
		}
	}
	if len(orders) > 0 {
		var rows []paymentRow
		q := b.read.NewSelect().Model(&rows).Order("id").Limit(relatedRows)
		for _, o := range orders {
			q = q.WhereOr("channel = ? AND order_no = ?", o[0], o[1])
		}
		if err := q.Scan(ctx); err != nil {
			return err
		}
		for n := range rows {
			if p := rows[n].payment(); !seen[p.ID] {
				c.Events = append(c.Events, ledger.DossierEvent{At: p.At, Payment: &p})
			}
		}
	}
	slices.SortStableFunc(c.Events, func(a, b ledger.DossierEvent) int { return a.At.Compare(b.At) })
	return nil
}

// sources notes where the rows of a dossier came from.
func (b *Books) sources(ctx context.Context, c *ledger.Dossier) error {
	for _, l := range []struct {
		query string
		id    func(*ledger.DossierEvent) int64
		take  func(e *ledger.DossierEvent, number int64, name string)
	}{
		{"SELECT r.id, r.import_id, COALESCE(i.name, '') FROM sales AS r LEFT JOIN imports AS i ON i.id = r.import_id WHERE r.id IN (?)",
			func(e *ledger.DossierEvent) int64 { return idOr0(e.Sale != nil, func() int64 { return e.Sale.ID }) }, fileOf},
		{"SELECT r.id, r.import_id, COALESCE(i.name, '') FROM payments AS r LEFT JOIN imports AS i ON i.id = r.import_id WHERE r.id IN (?)",
			func(e *ledger.DossierEvent) int64 {
				return idOr0(e.Payment != nil, func() int64 { return e.Payment.ID })
			}, fileOf},
		{"SELECT id, 0, collector FROM card_entries WHERE id IN (?)",
			func(e *ledger.DossierEvent) int64 { return idOr0(e.Entry != nil, func() int64 { return e.Entry.ID }) },
			func(e *ledger.DossierEvent, _ int64, name string) { e.Collector = name }},
	} {
		at := make(map[int64][]int)
		var ids []int64
		for n := range c.Events {
			if id := l.id(&c.Events[n]); id != 0 {
				at[id] = append(at[id], n)
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			continue
		}
		rows, err := b.read.QueryContext(ctx, l.query, bun.List(ids))
		if err != nil {
			return err
		}
		var id, number int64
		var name string
		err = each(rows, []any{&id, &number, &name}, func() error {
			for _, n := range at[id] {
				l.take(&c.Events[n], number, name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func idOr0(is bool, id func() int64) int64 {
	if !is {
		return 0
	}
	return id()
}

func fileOf(e *ledger.DossierEvent, number int64, name string) { e.Import, e.File = number, name }

// history reads what runs found and cleared of a difference.
func (b *Books) history(ctx context.Context, c *ledger.Dossier) error {
	rows, err := b.read.QueryContext(ctx, "SELECT r.id, r.last_day, r.state, i.what, i.amount, r.at_ms FROM run_items AS i JOIN runs AS r ON r.id = i.run "+
		"WHERE i.diff_key = ? ORDER BY r.id, i.item LIMIT 200", c.Key)
	if err != nil {
		return err
	}
	var h ledger.DossierHistory
	var at int64
	return each(rows, []any{&h.Run, &h.To, &h.State, &h.What, &h.Amount, &at}, func() error {
		h.At = moment(at)
		c.History = append(c.History, h)
		return nil
	})
}

func (b *Books) placeOf(ctx context.Context, c *ledger.Dossier) error {
	if c.Meter == "" {
		return nil
	}
	list, err := b.placesWhere(ctx, "p.meter = ?", string(c.Meter))
	if err == nil && len(list) > 0 {
		c.Place = &list[0]
	}
	return err
}

// placesWhere reads up to 20 places that a condition on places p picks.
func (b *Books) placesWhere(ctx context.Context, where string, args ...any) ([]ledger.Place, error) {
	var meters []schemas.MeterID
	if err := b.read.NewRaw("SELECT p.meter FROM places AS p WHERE "+where+" ORDER BY p.meter LIMIT 20", args...).Scan(ctx, &meters); err != nil {
		return nil, err
	}
	return b.placesOf(ctx, meters)
}

// placesOf reads places by their meters, in that order.
func (b *Books) placesOf(ctx context.Context, meters []schemas.MeterID) ([]ledger.Place, error) {
	if len(meters) == 0 {
		return nil, nil
	}
	out := make([]ledger.Place, len(meters))
	rows, err := b.read.QueryContext(ctx, "SELECT p.meter, p.utility, p.purse, p.plan, p.readout, i.from_ms, i.to_ms, i.number, i.customer FROM places AS p "+
		"JOIN installations AS i ON i.place = p.id WHERE p.meter IN (?) ORDER BY i.from_ms", bun.List(meters))
	if err != nil {
		return nil, err
	}
	var p ledger.Place
	var i ledger.Installation
	var from, to int64
	err = each(rows, []any{&p.Meter, &p.Utility, &p.Purse, &p.Plan, &p.Readout, &from, &to, &i.MeterNumber, &i.Customer}, func() error {
		i.From, i.To = moment(from), moment(to)
		at := &out[slices.Index(meters, p.Meter)]
		at.Meter, at.Utility, at.Purse, at.Plan, at.Readout = p.Meter, p.Utility, p.Purse, p.Plan, p.Readout
		at.Installations = append(at.Installations, i)
		return nil
	})
	return slices.DeleteFunc(out, func(p ledger.Place) bool { return p.Meter == "" }), err
}

// SearchPlaces finds up to 20 places by the beginning of their id, by a meter's number,
// by a customer, or by a card that bought there.
func (b *Books) SearchPlaces(ctx context.Context, text string) ([]ledger.PlaceMatch, error) {
	var out []ledger.PlaceMatch
	for _, q := range []struct{ by, where string }{
		{"meter", `p.meter LIKE ? ESCAPE '!'`},
		{"number", "p.id IN (SELECT place FROM installations WHERE number = ?)"},
		{"customer", "p.id IN (SELECT place FROM installations WHERE customer = ? AND customer <> '')"},
		{"card", "p.id IN (SELECT place FROM sales WHERE card = ? AND card <> '' AND place <> 0)"},
	} {
		arg := text
		switch q.by {
		case "meter":
			arg = likeText(text) + "%"
		case "card":
			arg = strings.ToUpper(text)
		}
		list, err := b.placesWhere(ctx, q.where, arg)
		if err != nil {
			return nil, explain("search places", err)
		}
		for _, p := range list {
			if len(out) < 20 && !slices.ContainsFunc(out, func(m ledger.PlaceMatch) bool { return m.Meter == p.Meter }) {
				out = append(out, ledger.PlaceMatch{Place: p, By: q.by})
			}
		}
	}
	return out, nil
}

// SourceOf returns the file of a row of sales or payments, its row in the file, and the
// bytes of the file as they were kept; ErrUnknown where there is no such row.
func (b *Books) SourceOf(ctx context.Context, content ledger.Content, id int64) (ledger.Source, []byte, error) {
	act := fmt.Sprintf("source of row %d of %s", id, content)
	table := "sales"
	if content == ledger.PaymentsFile {
		table = "payments"
	}
	var file, row int64
	err := b.read.QueryRowContext(ctx, "SELECT r.import_id, (SELECT COUNT(*) FROM ? AS f WHERE f.import_id = r.import_id AND f.id <= r.id) FROM ? AS r WHERE r.id = ?",
		bun.Ident(table), bun.Ident(table), id).Scan(&file, &row)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Source{}, nil, fmt.Errorf("%s: %w", act, ErrUnknown)
	}
	if err != nil {
		return ledger.Source{}, nil, explain(act, err)
	}
	var of importRow
	if err := b.read.NewSelect().Model(&of).Where("id = ?", file).Scan(ctx); err != nil {
		return ledger.Source{}, nil, explain(act, err)
	}
	s := ledger.Source{Row: int(row)}
	if s.Import, err = of.toImport(); err != nil {
		return s, nil, err
	}
	raw, err := b.Raw(ctx, file)
	return s, raw, err
}

// WouldImport says as what StoreFile would store a file, without storing it, and which
// import holds its number already; nil for none. Rows of unknown meters are not counted.
func (b *Books) WouldImport(ctx context.Context, f *ledger.File) (ledger.Import, *ledger.Import, error) {
	i := ledger.Import{FileID: f.FileID, Name: f.Name, Mapping: f.Mapping, Digest: f.Digest, Rows: int64(f.Rows()), Bytes: int64(len(f.Raw)), At: f.At, By: f.By}
	debit, credit := sums(f)
	i.Debit, i.Credit = schemas.Fen(debit), schemas.Fen(credit)
	var held *ledger.Import
	err := b.snapshot(ctx, func(tx bun.Tx) error {
		err := refuseHeld(ctx, tx, f)
		var same *ledger.ImportedError
		var other *ledger.OtherContentError
		switch {
		case errors.As(err, &same):
			held, err = &same.Import, nil
		case errors.As(err, &other):
			held, err = &other.Held, nil
		}
		return err
	})
	return i, held, explain("look for "+f.FileID.String(), err)
}
