package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"citygrid/hub/cases"
	"citygrid/schemas"
)

// settle decides about every event that is due, in the order in which they came.
// waiting tells of those that cannot become a case now.
func (w *work) settle(ctx context.Context) (waiting, err error) {
	var due []eventRow
	err = w.tx.NewSelect().Model(&due).Where("outcome = ? AND due_ms > 0 AND due_ms <= ?", eventWaiting, millis(w.d.now())).
		Order("received_ms", "opened_ms", "id").Scan(ctx)
	if err != nil {
		return nil, err
	}
	looked := map[string]bool{} // cells, and whether their events have been put together
	for n := range due {
		err := w.decide(ctx, &due[n], looked)
		if refused(err) {
			waiting = errors.Join(waiting, fmt.Errorf("event %s waits: %w", due[n].ID, err))
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return waiting, nil
}

// decide joins an event to a case that is there, or makes one.
func (w *work) decide(ctx context.Context, row *eventRow, looked map[string]bool) error {
	if silent(row.kind()) && row.Cell != "" {
		together, known := looked[row.Cell]
		if !known {
			var err error
			if together, err = w.cluster(ctx, row.Cell); err != nil {
				return err
			}
			looked[row.Cell] = together
		}
		if together {
			return nil
		}
	}
	id, err := w.sameCase(ctx, row)
	if err != nil {
		return err
	}
	if id == "" {
		return w.open(ctx, row)
	}
	c, err := w.load(ctx, id)
	if err != nil {
		return err
	}
	return w.join(ctx, c, []eventRow{*row})
}

// sameCase looks for the oldest open case of the same kind about the same subject, or
// close by in place and time; empty for none.
func (w *work) sameCase(ctx context.Context, row *eventRow) (id cases.CaseID, err error) {
	// The sum keeps PostgreSQL from walking through all cases in the order of the index.
	const oldest = " ORDER BY c.first_seq + 0 LIMIT 1"
	const from = "SELECT e.case_id FROM component_events AS e JOIN cases AS c ON c.id = e.case_id WHERE c.open = 1 AND e.kind = ? AND "
	err = w.tx.NewRaw(from+"e.subject = ?"+oldest, row.Kind, row.Subject).Scan(ctx, &id)
	if !errors.Is(err, sql.ErrNoRows) || !row.position().Known() || !spreads(row.kind()) {
		return id, noRows(err)
	}
	near, within := around(row.position(), w.d.o.Events.Near), w.d.o.Events.Within.Milliseconds()
	// A neighbour's outage is another kind of case.
	err = w.tx.NewRaw(from+"e.opened_ms BETWEEN ? AND ? AND "+near.within("e.")+
		" AND NOT EXISTS (SELECT 1 FROM component_events AS o WHERE o.case_id = e.case_id AND o.kind = ?)"+oldest,
		append([]any{row.Kind, row.OpenedMs - within, row.OpenedMs + within}, append(near.args(), string(schemas.EventCellOutage))...)...).Scan(ctx, &id)
	return id, noRows(err)
}

// spreads reports whether an event of a kind may be seen by neighbours, too: water and
// silence go beyond the thing that told of them. An empty battery, a stuck valve, an
// open cover and a spent credit are those of one thing.
func spreads(k schemas.EventKind) bool {
	return k == schemas.EventLeak || k == schemas.EventWaterLevel || silent(k)
}

func noRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// join adds events to a case, with one note in its journal.
func (w *work) join(ctx context.Context, c *cases.Case, rows []eventRow) error {
	var text strings.Builder
	for n := range rows {
		row := &rows[n]
		row.CaseID, row.Outcome, row.DueMs = string(c.ID), eventJoined, 0
		if err := w.keep(ctx, row); err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s of %s since %s belongs to this case. %s\n", row.Kind, row.Subject, w.clock(row.SinceMs), row.Note)
	}
	return w.note(ctx, c, w.d.now(), text.String())
}

// note writes into the journal of a case. One that is full takes none, and the event
// is linked all the same.
func (w *work) note(ctx context.Context, c *cases.Case, at time.Time, text string) error {
	err := w.put(ctx, c, &cases.Entry{Case: c.ID, Act: cases.ActNote, At: at, Actor: cases.Actor{Person: cases.System, Role: cases.Sensor}, Text: clip(text, cases.MaxText)})
	if refused(err) {
		return nil
	}
	return err
}

func (w *work) clock(ms int64) string { return moment(ms).In(w.d.o.Zone).Format("2006-01-02 15:04:05") }

// clip makes a text fit an entry: what does not print becomes a blank, what is too
// long is cut.
func clip(text string, most int) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text))
	if r := []rune(text); len(r) > most {
		text = strings.TrimSpace(string(r[:most-3])) + "..."
	}
	return text
}

// oneLine is clip for a field of one line.
func oneLine(text string, most int) string {
	return clip(strings.Join(strings.Fields(text), " "), most)
}

// open makes a case of an event and lets the hub take it as far as the rules say.
func (w *work) open(ctx context.Context, row *eventRow) error {
	place, err := w.d.placeOf(ctx, row)
	if err != nil {
		return err
	}
	if place.Location == "" && !row.position().Known() {
		place.Location = "not in the registry: " + row.Subject
	}
	place.Component, place.Position = schemas.ComponentID(row.Component), row.position()
	c, err := w.reportEvent(ctx, row, place, urgencyOf(row.kind()), describe(row))
	if err != nil {
		return err
	}
	_, err = w.automate(ctx, c)
	return err
}

// lookAgain is how long an event may go on after a person has closed its case, until
// it becomes another one: time for the repair to show in the readings of a night.
const lookAgain = 24 * time.Hour

// closed lets the events of a closed case that have not cleared wait again: their
// collector tells each only once.
func (w *work) closed(ctx context.Context, c *cases.Case) error {
	if c.State != cases.Closed || c.Report.Source != cases.SourceSensor {
		return nil
	}
	return w.exec(ctx, "UPDATE component_events SET outcome = ?, due_ms = ? WHERE case_id = ? AND opened_ms > 0 AND cleared_ms = 0 AND kind <> ?",
		eventWaiting, millis(w.d.now().Add(lookAgain)), string(c.ID), string(schemas.EventCellOutage))
}

// reportEvent makes a case of an event at a place, and links the two.
func (w *work) reportEvent(ctx context.Context, row *eventRow, place Place, urgency cases.Urgency, description string) (*cases.Case, error) {
	class, name, err := w.d.o.Classes.OfEvent(row.kind())
	if err != nil {
		return nil, refuse(fmt.Errorf("class of event %s: %w", row.Kind, err))
	}
	c := &cases.Case{}
	err = w.put(ctx, c, &cases.Entry{Act: cases.ActReport, Actor: cases.Actor{Person: cases.System, Role: cases.Sensor}, At: moment(row.OpenedMs), Report: &cases.Report{
		Source: cases.SourceSensor, Type: cases.Daily, Class: class, ClassName: name, Component: place.Component, Condition: row.Kind,
		Description: clip(description, cases.MaxDescription), Location: oneLine(place.Location, cases.MaxLocation), Position: place.Position,
		Cell: place.Cell, Duty: place.Duty, Urgency: urgency, Event: schemas.EventID(row.ID),
	}})
	if err != nil {
		return nil, err
	}
	row.CaseID, row.Outcome, row.DueMs = string(c.ID), eventCase, 0
	return c, w.keep(ctx, row)
}

func describe(row *eventRow) string {
	text := row.Note
	if text == "" {
		text = row.Kind
	}
	subject := row.Subject
	if row.Meter != "" && row.Meter != subject {
		subject += ", meter " + row.Meter
	}
	text = fmt.Sprintf("%s (%s)", text, subject)
	if row.CaseID != "" {
		text += "\nCase " + row.CaseID + " about it was closed, and it has not cleared since."
	}
	return text
}

// urgencyOf: a cover that is off kills; a chamber under water and a burst do harm.
func urgencyOf(k schemas.EventKind) cases.Urgency {
	switch k {
	case schemas.EventCoverOpen:
		return cases.Dangerous
	case schemas.EventWaterLevel, schemas.EventLeak, schemas.EventCellOutage:
		return cases.Urgent
	}
	return cases.Normal
}

// cleared tells a case that an event of it has ended, once none is left open.
func (w *work) cleared(ctx context.Context, row *eventRow, at time.Time) error {
	if row.CaseID == "" {
		return nil
	}
	open, err := openEvents(ctx, w.tx, cases.CaseID(row.CaseID))
	if err != nil || open > 0 {
		return err
	}
	err = w.exec(ctx, "UPDATE component_events SET cleared_ms = ? WHERE case_id = ? AND kind = ? AND cleared_ms = 0", millis(at), row.CaseID, string(schemas.EventCellOutage))
	if err != nil {
		return err
	}
	c, err := w.load(ctx, cases.CaseID(row.CaseID))
	if refused(err) { // its journal is broken, and Renew and Check say so; the event is kept
		return nil
	}
	if err != nil || c.State.Final() {
		return err
	}
	if c.Cleared { // something opened since
		err = w.note(ctx, c, at, fmt.Sprintf("%s of %s has cleared, the last that was open", row.Kind, row.Subject))
	} else {
		err = w.put(ctx, c, &cases.Entry{Case: c.ID, Act: cases.ActCleared, At: at, Actor: cases.Actor{Person: cases.System, Role: cases.Sensor}, Event: c.Report.Event})
	}
	if err != nil {
		return err
	}
	_, err = w.automate(ctx, c)
	return err
}
