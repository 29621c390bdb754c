package desk

import (
	"context"

	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// Lasting returns component events that have begun and not cleared, the latest first,
// up to limit and at least one; those in a cell, or an area whose code begins theirs,
// where one is named. An error may be a *schemas.FieldError about the area.
func (d *Desk) Lasting(ctx context.Context, area string, limit int) ([]EventRecord, error) {
	f := Filter{Cell: area}
	if err := f.check(schemas.Position{}); err != nil {
		return nil, err
	}
	var rows []eventRow
	q := d.db.Read.NewSelect().Model(&rows).Where("cleared_ms = 0 AND opened_ms > 0")
	if area != "" {
		q = q.Where("cell >= ? AND cell <= ?", f.Cell, f.lastCell())
	}
	if err := q.Order("opened_ms DESC", "id").Limit(int64(max(limit, 1))).Scan(ctx); err != nil {
		return nil, sqldb.Explain("list lasting component events", err)
	}
	out := make([]EventRecord, len(rows))
	for n := range rows {
		out[n] = rows[n].record()
	}
	return out, nil
}
