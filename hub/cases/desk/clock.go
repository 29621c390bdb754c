package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/internal/sqldb"
)

// Handling is the clock of handling of a case, as lists keep it.
type Handling struct {
	Clock ClockState
	// Yellow and Deadline are when 80 % and all of the limit are used, if the clock
	// runs on; Yellow is zero unless it runs, Deadline unless it runs or the case has
	// been handled.
	Yellow, Deadline time.Time
}

// ClockState is how the clock of handling stands.
type ClockState string

// The states of the clock.
const (
	ClockNone    ClockState = "none"    // no limit, not begun, or the case ended before it was handled
	ClockRunning ClockState = "running" //
	ClockStopped ClockState = "stopped" // suspended
	ClockMet     ClockState = "met"     // handled in time
	ClockMissed  ClockState = "missed"  // handled too late, in this round or an earlier one
)

// handling derives the clock from the journal and the limits file alone: whoever asks
// later compares with his own time.
func (d *Desk) handling(c *cases.Case) (Handling, error) {
	h, err := d.o.Limits.Handling(c.Limit, c.Clock, c.ReceivedAt)
	switch {
	case err != nil || !h.Begun:
		return Handling{Clock: ClockNone}, err
	case !h.Done.IsZero() && h.Late:
		return Handling{Clock: ClockMissed, Deadline: h.Deadline}, nil
	case !h.Done.IsZero():
		return Handling{Clock: ClockMet, Deadline: h.Deadline}, nil
	case !h.Ended.IsZero():
		return Handling{Clock: ClockNone}, nil
	case !h.Running:
		return Handling{Clock: ClockStopped}, nil
	}
	used := (h.Total.Milliseconds()*80 + 99) / 100 // the first millisecond at which limits says yellow
	yellow, err := d.after(c.ReceivedAt, c.Limit.Unit, time.Duration(used)*time.Millisecond-h.Used)
	return Handling{Clock: ClockRunning, Yellow: yellow, Deadline: h.Deadline}, err
}

// after returns when so much of a limit's time has passed since t.
func (d *Desk) after(t time.Time, unit cases.Unit, left time.Duration) (time.Time, error) {
	switch {
	case left <= 0:
		return t, nil
	case unit == cases.UrgentHour:
		return t.Add(left), nil
	}
	return d.o.Limits.Calendar.AddWork(t, left)
}

// light of a row at a moment: of a clock that runs by what is used, of one that has
// ended by whether it was in time. One that stands has none.
func (r *caseRow) light(now time.Time) limits.Light {
	ms := millis(now)
	switch ClockState(r.Clock) {
	case ClockMet:
		return limits.Green
	case ClockMissed:
		return limits.Red
	case ClockRunning:
		switch {
		case ms >= r.DeadlineMs:
			return limits.Red
		case ms >= r.YellowMs:
			return limits.Yellow
		}
		return limits.Green
	}
	return limits.None
}

// Renew works out the clocks of all open cases again. It is called when the hub
// starts: the calendar or the workflow may have been changed. A case whose limit the
// calendar does not reach, or whose journal is broken, keeps what it had; the error
// names it after all others have been renewed.
func (d *Desk) Renew(ctx context.Context) error {
	const atOnce = 200
	var beyond []error
	for after, more := int64(0), true; more; {
		err := d.change(ctx, func(w *work) error {
			var rows []caseRow
			err := w.tx.NewSelect().Model(&rows).Where("open = 1 AND first_seq > ?", after).Order("first_seq").Limit(atOnce).Scan(ctx)
			if err != nil || len(rows) == 0 {
				more = false
				return err
			}
			after = rows[len(rows)-1].FirstSeq
			beyond, err = w.renew(ctx, rows, beyond)
			return err
		})
		if err != nil {
			return sqldb.Explain("renew the clocks of cases", err)
		}
	}
	return errors.Join(beyond...)
}

// renew works out the clocks of some cases, and adds to beyond what the calendar does
// not reach, and cases whose journal is broken.
func (w *work) renew(ctx context.Context, rows []caseRow, beyond []error) ([]error, error) {
	ids := make([]string, len(rows))
	for n := range rows {
		ids[n] = rows[n].ID
	}
	all, err := bodies(ctx, w.tx, ids)
	if err != nil {
		return beyond, err
	}
	for n := range rows {
		held := &rows[n]
		c, _, err := folded(held.ID, all[held.ID])
		if err != nil {
			beyond = append(beyond, fmt.Errorf("clock of case %s: %w; citygrid cases check says more", held.ID, err))
			continue
		}
		row, err := w.d.rowOf(c)
		if errors.Is(err, limits.ErrBeyond) {
			beyond = append(beyond, fmt.Errorf("clock of case %s: %w", held.ID, err))
			continue
		}
		if err != nil {
			return beyond, err
		}
		if row.Clock == held.Clock && row.YellowMs == held.YellowMs && row.DeadlineMs == held.DeadlineMs {
			continue
		}
		if _, err := w.tx.NewUpdate().Model(&row).Column("clock", "yellow_ms", "deadline_ms").WherePK().Exec(ctx); err != nil {
			return beyond, err
		}
	}
	return beyond, nil
}
