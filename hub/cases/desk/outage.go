package desk

import (
	"context"
	"fmt"
	"strings"

	"citygrid/hub/cases"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// cluster puts the silent things of a cell that wait for a case into one, where there
// are enough of them, or where one is open. It reports whether there is such a case.
func (w *work) cluster(ctx context.Context, cell string) (bool, error) {
	var rows []eventRow
	err := w.tx.NewSelect().Model(&rows).Where("cell = ? AND cleared_ms = 0 AND outcome = ? AND due_ms > 0 AND kind IN (?, ?, ?)", cell, eventWaiting,
		string(schemas.EventMeterOffline), string(schemas.EventLineOffline), string(schemas.EventGatewayGone)).
		Order("received_ms", "opened_ms", "id").Scan(ctx)
	if err != nil {
		return false, err
	}
	c, err := w.outage(ctx, cell)
	if err != nil {
		return false, err
	}
	if c == nil {
		if subjects(rows) < w.d.o.Events.Cluster {
			return false, nil
		}
		if c, err = w.openOutage(ctx, cell, rows); err != nil {
			return false, err
		}
	}
	if err := w.join(ctx, c, rows); err != nil {
		return false, err
	}
	_, err = w.automate(ctx, c)
	return true, err
}

func subjects(rows []eventRow) int {
	seen := map[string]bool{}
	for n := range rows {
		seen[rows[n].Subject] = true
	}
	return len(seen)
}

// outage returns the open case of an outage of the cell, nil for none: whatever name
// it has been filed under since.
func (w *work) outage(ctx context.Context, cell string) (*cases.Case, error) {
	var id cases.CaseID
	err := w.tx.NewRaw("SELECT c.id FROM component_events AS e JOIN cases AS c ON c.id = e.case_id WHERE e.cell = ? AND e.kind = ? AND c.open = 1 ORDER BY c.first_seq + 0 LIMIT 1",
		cell, string(schemas.EventCellOutage)).Scan(ctx, &id)
	if noRows(err) != nil || id == "" {
		return nil, noRows(err)
	}
	return w.load(ctx, id)
}

// openOutage makes the case of an outage, with an event of the hub's own.
func (w *work) openOutage(ctx context.Context, cell string, rows []eventRow) (*cases.Case, error) {
	first := rows[0]
	place, err := w.d.cell(ctx, codes.CellCode(cell), rows)
	if err != nil {
		return nil, err
	}
	// Made of the first event, which belongs to one case only.
	e := schemas.ComponentEvent{Kind: schemas.EventCellOutage, Line: cell + "/" + first.ID, TakenAt: moment(first.OpenedMs)}
	own := eventRow{ID: string(schemas.EventIDOf(schemas.CollectorID(first.Collector), &e)), Kind: string(e.Kind), Subject: "cell/" + cell, SinceMs: first.SinceMs,
		OpenedMs: first.OpenedMs, ReceivedMs: millis(w.d.now()), Affected: uint32(len(rows)), Cell: cell, Outcome: eventWaiting}
	c, err := w.reportEvent(ctx, &own, place, urgencyOf(e.Kind), "Went silent together: "+counted(rows)+
		". Look for a power cut or a cut cable before sending anybody to a meter.")
	if err != nil {
		return nil, err
	}
	_, err = w.tx.NewInsert().Model(&own).Exec(ctx)
	return c, err
}

// cell is the place of an outage: where the first thing stands whose position is
// known, else the cell alone.
func (d *Desk) cell(ctx context.Context, cell codes.CellCode, rows []eventRow) (Place, error) {
	place := Place{Cell: cell}
	if grid, offers := d.o.Grid.(CellGrid); offers {
		of, err := grid.OfCell(ctx, cell)
		if err != nil {
			return Place{}, fmt.Errorf("ask the registry for cell %s: %w", cell, err)
		}
		place.Duty = of.Duty
	}
	place.Location = "cell " + string(cell)
	for n := range rows {
		if p := rows[n].position(); p.Known() {
			place.Position = p
			break
		}
	}
	return place, nil
}

// counted tells gateways, lines and single meters apart, and of the former two how
// many meters their collectors count.
func counted(rows []eventRow) string {
	var parts []string
	for _, k := range []struct {
		kind schemas.EventKind
		name string
	}{{schemas.EventGatewayGone, "gateway"}, {schemas.EventLineOffline, "line"}, {schemas.EventMeterOffline, "single meter"}} {
		things, meters := 0, 0
		for n := range rows {
			if rows[n].kind() == k.kind {
				things++
				meters += int(rows[n].Affected)
			}
		}
		switch {
		case things > 0 && k.kind == schemas.EventMeterOffline:
			parts = append(parts, plural(things, k.name))
		case things > 0:
			parts = append(parts, plural(things, k.name)+" ("+plural(meters, "meter")+")")
		}
	}
	return strings.Join(parts, ", ")
}

func plural(n int, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}
