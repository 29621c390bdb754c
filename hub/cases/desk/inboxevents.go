package desk

import (
	"context"

	"citygrid/hub/cases"
	"citygrid/internal/sqldb"
)

// EventsOf returns the component events that belong to a case, the earliest first, up
// to 100: the one it was made for, and those that joined it.
func (d *Desk) EventsOf(ctx context.Context, id cases.CaseID) ([]EventRecord, error) {
	const most = 100
	var rows []eventRow
	err := d.db.Read.NewSelect().Model(&rows).Where("case_id = ?", string(id)).Order("received_ms", "id").Limit(most).Scan(ctx)
	if err != nil {
		return nil, sqldb.Explain("list the events of a case", err)
	}
	out := make([]EventRecord, len(rows))
	for n := range rows {
		out[n] = rows[n].record()
	}
	return out, nil
}
