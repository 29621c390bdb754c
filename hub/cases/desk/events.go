package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// EventRules say how component events become cases. The zero value takes the
// defaults.
type EventRules struct {
	// Hold is how long an event of a kind must last before it becomes a case. Kinds
	// that are not named become one at once, but for those of silence, which wait 3
	// minutes: in that time it shows whether a whole cell has gone silent.
	Hold map[schemas.EventKind]time.Duration `yaml:"hold,omitempty"`
	// Near and Within join an event to the open case of another one of the same kind
	// that lies at most so many metres away and opened at most so long before or after;
	// 0 means 30 m and 24 h. An event of the same subject and kind is joined in any case,
	// and kinds that are those of one thing (an empty battery) only then.
	Near   float64       `yaml:"near_m,omitempty"`
	Within time.Duration `yaml:"within,omitempty"`
	// Cluster is how many different subjects in one cell must have gone silent, and wait
	// to become cases, to be one case of kind cell_outage; 0 means 3. What has a case
	// of its own already is not counted.
	Cluster int `yaml:"cluster,omitempty"`
}

// silent are the kinds that say that something does not answer.
func silent(k schemas.EventKind) bool {
	return k == schemas.EventMeterOffline || k == schemas.EventLineOffline || k == schemas.EventGatewayGone
}

func (r EventRules) withDefaults() EventRules {
	if r.Near == 0 {
		r.Near = 30
	}
	if r.Within == 0 {
		r.Within = 24 * time.Hour
	}
	if r.Cluster == 0 {
		r.Cluster = 3
	}
	return r
}

// Validate reports the first rule that makes no sense.
func (r *EventRules) Validate() error {
	for k, d := range r.Hold {
		if !slices.Contains(schemas.EventKinds(), k) {
			return fmt.Errorf("events.hold of %q: no such kind of event", string(k))
		}
		if d < 0 || d > 24*time.Hour {
			return fmt.Errorf("events.hold of %s: %s, want 0 to 24h", k, d)
		}
	}
	switch {
	case !(r.Near >= 0 && r.Near <= 1000):
		return fmt.Errorf("events.near_m: %v, want up to 1000 metres", r.Near)
	case r.Within < 0 || r.Within > 30*24*time.Hour:
		return fmt.Errorf("events.within: %s, want up to 30 days (720h)", r.Within)
	case r.Cluster < 2:
		return fmt.Errorf("events.cluster: %d, want 2 or more", r.Cluster)
	}
	return nil
}

func (r *EventRules) hold(k schemas.EventKind) time.Duration {
	if d, given := r.Hold[k]; given {
		return d
	}
	if silent(k) {
		return 3 * time.Minute
	}
	return 0
}

// The outcomes of an event.
const (
	eventWaiting = "waiting" // held, or only its end is known so far
	eventCase    = "case"    // a case was made for it
	eventJoined  = "joined"  // it belongs to a case that was there
	eventPassed  = "passed"  // its end was known before it became a case
)

// eventRow is a component event in its table.
type eventRow struct {
	bun.BaseModel `bun:"table:component_events"`

	ID         string `bun:"id,pk"`
	Kind       string
	Collector  string
	Meter      string
	Component  string
	Line       string
	Subject    string
	SinceMs    int64
	OpenedMs   int64
	ClearedMs  int64
	ReceivedMs int64
	DueMs      int64
	Affected   uint32
	Note       string
	Cell       string
	LonE7      int64 `bun:"lon_e7"`
	LatE7      int64 `bun:"lat_e7"`
	CaseID     string
	Outcome    string
}

func (r *eventRow) kind() schemas.EventKind { return schemas.EventKind(r.Kind) }

func (r *eventRow) waiting() bool { return r.Outcome == eventWaiting && r.OpenedMs > 0 }

// position of the subject; not known where both numbers are 0.
func (r *eventRow) position() schemas.Position {
	if r.LonE7 == 0 && r.LatE7 == 0 {
		return schemas.Position{}
	}
	return schemas.Position{Lon: degrees(r.LonE7), Lat: degrees(r.LatE7), CRS: schemas.CGCS2000}
}

// malformedError is about events that will never be taken as they are.
type malformedError struct{ error }

// Permanent reports that it is no use to send the events again.
func (malformedError) Permanent() bool { return true }

// Unwrap returns the *schemas.FieldError.
func (e malformedError) Unwrap() error { return e.error }

// StoreEvents takes events from a collector, all or none. Doing it again changes
// nothing: an event is known by its id and phase. Those that need not wait become
// cases before it returns; one whose end is known by then becomes none, and one that
// cannot become one now waits for Settle. An error with a method Permanent says that
// an event is malformed; after any other the events are given again.
func (d *Desk) StoreEvents(ctx context.Context, collector schemas.CollectorID, events []schemas.ComponentEvent) error {
	for n := range events {
		err := events[n].Validate()
		if err == nil && events[n].Kind == schemas.EventCellOutage {
			err = &schemas.FieldError{Field: "kind", Problem: "cell_outage from a collector; only the hub can tell"}
		}
		if err != nil {
			return malformedError{fmt.Errorf("store component events of %s: event %d: %w", collector, n, err)}
		}
	}
	err := d.change(ctx, func(w *work) error {
		for n := range events {
			err := w.event(ctx, collector, &events[n])
			if errors.As(err, new(malformedError)) {
				return fmt.Errorf("event %d: %w", n, err)
			}
			if err != nil {
				return err
			}
		}
		_, err := w.settle(ctx) // what is refused waits, and Settle tells
		return err
	})
	return sqldb.Explain("store component events", err)
}

// Settle makes cases of the events that have waited long enough, and looks for entries
// of other processes. It is called every few seconds. An error may be about single
// events, such as ErrNoNumber: they are tried again the next time, and hold up no
// other.
func (d *Desk) Settle(ctx context.Context) error {
	var due int64
	err := d.db.Read.NewRaw("SELECT COUNT(*) FROM component_events WHERE outcome = ? AND due_ms > 0 AND due_ms <= ?", eventWaiting, millis(d.now())).Scan(ctx, &due)
	if err != nil {
		return sqldb.Explain("look for due events", err)
	}
	var waiting error
	if due > 0 {
		err := d.change(ctx, func(w *work) (err error) {
			waiting, err = w.settle(ctx)
			return err
		})
		if err != nil {
			return sqldb.Explain("make cases of events", err)
		}
	}
	newest, err := d.newest(ctx)
	if err != nil {
		return sqldb.Explain("look for new entries", err)
	}
	d.tell(newest)
	return waiting
}

// event stores one phase of one event.
func (w *work) event(ctx context.Context, collector schemas.CollectorID, e *schemas.ComponentEvent) error {
	var row eventRow
	err := w.tx.NewSelect().Model(&row).Where("id = ?", string(e.ID)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		if row, err = w.newEvent(ctx, collector, e); err != nil {
			return err
		}
		_, err = w.tx.NewInsert().Model(&row).Exec(ctx)
		return err
	}
	if err != nil {
		return err
	}
	switch {
	case row.Collector != string(collector):
		return malformedError{&schemas.FieldError{Field: "id", Problem: fmt.Sprintf("%s is an event of collector %s; nobody else says that it has ended", e.ID, row.Collector)}}
	case e.Phase == schemas.EventOpened && row.OpenedMs == 0: // its end came first
		row.OpenedMs, row.SinceMs, row.Outcome = millis(e.TakenAt), millis(e.Since), eventPassed
	case e.Phase == schemas.EventCleared && row.ClearedMs == 0:
		row.ClearedMs = millis(e.TakenAt)
		if row.waiting() {
			row.Outcome, row.DueMs = eventPassed, 0
		}
	default:
		return nil // a repeat
	}
	if err := w.keep(ctx, &row); err != nil {
		return err
	}
	return w.cleared(ctx, &row, e.TakenAt)
}

func (w *work) keep(ctx context.Context, row *eventRow) error {
	_, err := w.tx.NewUpdate().Model(row).WherePK().Exec(ctx)
	return err
}

func (w *work) newEvent(ctx context.Context, collector schemas.CollectorID, e *schemas.ComponentEvent) (eventRow, error) {
	now := w.d.now()
	row := eventRow{ID: string(e.ID), Kind: string(e.Kind), Collector: string(collector), Meter: string(e.Meter), Component: string(e.Component),
		Line: e.Line, SinceMs: millis(e.Since), ReceivedMs: millis(now), Affected: e.Affected, Note: e.Note, Outcome: eventWaiting}
	if e.Phase == schemas.EventOpened {
		row.OpenedMs, row.DueMs = millis(e.TakenAt), millis(now.Add(w.d.o.Events.hold(e.Kind)))
	} else {
		row.ClearedMs = millis(e.TakenAt)
	}
	place, err := w.d.placeOf(ctx, &row)
	if err != nil {
		return eventRow{}, err
	}
	row.Cell = string(place.Cell)
	if row.Component == "" {
		row.Component = string(place.Component)
	}
	switch {
	case row.Component != "":
		row.Subject = row.Component
	case row.Meter != "":
		row.Subject = row.Meter
	default:
		row.Subject = row.Collector + "/" + row.Line
	}
	if p := place.Position; p.Known() {
		row.LonE7, row.LatE7 = e7(p.Lon), e7(p.Lat)
	}
	return row, nil
}

// placeOf asks the registry where the subject of an event is: the meter says more than
// the component that it belongs to.
func (d *Desk) placeOf(ctx context.Context, row *eventRow) (place Place, err error) {
	switch {
	case row.Meter != "":
		place, err = d.o.Grid.OfMeter(ctx, schemas.MeterID(row.Meter), moment(max(row.OpenedMs, row.ClearedMs)))
	case row.Component != "":
		place, err = d.o.Grid.OfComponent(ctx, schemas.ComponentID(row.Component))
	default:
		place, err = d.o.Grid.OfLine(ctx, schemas.CollectorID(row.Collector), row.Line)
	}
	if err != nil {
		return Place{}, fmt.Errorf("ask the registry for the subject of event %s: %w", row.ID, err)
	}
	return d.inCell(ctx, place)
}

// placeOfEvent is placeOf for an event that is stored; nothing for one that is not.
func (d *Desk) placeOfEvent(ctx context.Context, db bun.IDB, id schemas.EventID) (Place, error) {
	var row eventRow
	err := db.NewSelect().Model(&row).Where("id = ?", string(id)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && row.kind() == schemas.EventCellOutage {
		return Place{}, nil
	}
	if err != nil {
		return Place{}, err
	}
	return d.placeOf(ctx, &row)
}
