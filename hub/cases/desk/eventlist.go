package desk

import (
	"context"
	"time"

	"citygrid/hub/cases"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// EventRecord is a component event as the desk keeps it. Those of kind cell_outage are
// the hub's own, one for each case of an outage.
type EventRecord struct {
	ID        schemas.EventID
	Kind      schemas.EventKind
	Collector schemas.CollectorID
	Meter     schemas.MeterID
	Component schemas.ComponentID
	Line      string
	// Since is when it began, Opened and Cleared are when that and its end were
	// decided, zero where that is not known; Received is when the hub took it first.
	Since, Opened, Cleared, Received time.Time
	Cell                             codes.CellCode
	// Case is the one that was made for it or that it joined; empty where there is
	// none.
	Case cases.CaseID
	// Outcome is waiting (held, or only its end is known), case (one was made for it),
	// joined (it belongs to one that was there) or passed (its end was known before).
	Outcome string
	Note    string
}

// Events returns up to limit component events, at least one, that the hub took at or
// after since, in the order in which it did. Where so many came in one millisecond
// that the last Received is since, a larger limit is needed.
func (d *Desk) Events(ctx context.Context, since time.Time, limit int) ([]EventRecord, error) {
	var rows []eventRow
	err := d.db.Read.NewSelect().Model(&rows).Where("received_ms >= ?", millis(since)).Order("received_ms", "id").Limit(int64(max(limit, 1))).Scan(ctx)
	if err != nil {
		return nil, sqldb.Explain("list component events", err)
	}
	out := make([]EventRecord, len(rows))
	for n := range rows {
		out[n] = rows[n].record()
	}
	return out, nil
}

func (r *eventRow) record() EventRecord {
	return EventRecord{
		ID: schemas.EventID(r.ID), Kind: r.kind(), Collector: schemas.CollectorID(r.Collector), Meter: schemas.MeterID(r.Meter),
		Component: schemas.ComponentID(r.Component), Line: r.Line, Since: moment(r.SinceMs), Opened: moment(r.OpenedMs), Cleared: moment(r.ClearedMs),
		Received: moment(r.ReceivedMs), Cell: codes.CellCode(r.Cell), Case: cases.CaseID(r.CaseID), Outcome: r.Outcome, Note: r.Note,
	}
}
