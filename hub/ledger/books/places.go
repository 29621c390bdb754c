package books

import (
	"context"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Places lists up to limit places of a utility ("" for all) whose meter id comes
// after one ("" for the first page), in the order of meter ids as the database sorts
// text, with their installations, oldest first. limit is 50 for 0 and at most 1,000.
func (b *Books) Places(ctx context.Context, utility schemas.Medium, after schemas.MeterID, limit int) ([]ledger.Place, error) {
	var out []ledger.Place
	err := b.snapshot(ctx, func(tx bun.Tx) error {
		var rows []placeRow
		q := Page{Limit: int64(limit)}.apply(tx.NewSelect().Model(&rows).Where("meter > ?", string(after)).Order("meter"))
		if utility != "" {
			q = q.Where("utility = ?", string(utility))
		}
		if err := q.Scan(ctx); err != nil || len(rows) == 0 {
			return err
		}
		stand, err := installationsOf(ctx, tx, rows)
		for n := range rows {
			r := &rows[n]
			out = append(out, ledger.Place{Meter: schemas.MeterID(r.Meter), Utility: schemas.Medium(r.Utility), Purse: schemas.CreditUnit(r.Purse),
				Plan: r.Plan, Readout: ledger.Readout(r.Readout), Installations: stand[r.ID]})
		}
		return err
	})
	if err != nil {
		return nil, explain("list places", err)
	}
	return out, nil
}

func installationsOf(ctx context.Context, tx bun.Tx, places []placeRow) (map[int64][]ledger.Installation, error) {
	ids := make([]int64, len(places))
	for n := range places {
		ids[n] = places[n].ID
	}
	var rows []installationRow
	if err := tx.NewSelect().Model(&rows).Where("place IN (?)", bun.List(ids)).Order("place", "from_ms").Scan(ctx); err != nil {
		return nil, err
	}
	out := make(map[int64][]ledger.Installation, len(places))
	for _, r := range rows {
		out[r.Place] = append(out[r.Place], ledger.Installation{From: moment(r.From), To: moment(r.To), MeterNumber: r.Number,
			Customer: schemas.CustomerID(r.Customer)})
	}
	return out, nil
}
