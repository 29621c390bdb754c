package rollup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"citygrid/hub/store"
	"citygrid/schemas"
)

// work is what Work has under way.
type work struct {
	restored bool
	// backlog are the hours before the start that the store has no count of, or one from
	// other readings than it has now; nil for none.
	backlog   *backlog
	unwritten []writing
	staged    map[int64]staged // counted, and shown by publish
}

type backlog struct {
	next  int64
	crowd *crowd
}

// backlogAtOnce is how many hours of a backlog one call counts: the running hour is not
// to wait for all of them.
const backlogAtOnce = 4

// restore takes up the work where an earlier run left it.
func (r *Rollup) restore(ctx context.Context, now int64) error {
	if !r.work.restored {
		if err := r.takeUp(ctx, now); err != nil {
			return err
		}
		r.work.restored = true
	}
	b := r.work.backlog
	for n := 0; b != nil && n < backlogAtOnce && ctx.Err() == nil; n++ {
		if b.next >= r.open() {
			r.work.backlog, b = nil, nil
			break
		}
		if err := r.catchUp(ctx, b, now); err != nil {
			return fmt.Errorf("count the hour of %s: %w", moment(b.next).Format(time.RFC3339), err)
		}
	}
	return ctx.Err()
}

// takeUp reads what the running hours begin with, what came in them, and the counts of
// the hours before.
func (r *Rollup) takeUp(ctx context.Context, now int64) error {
	open := (now - graceMs) - (now-graceMs)%hourMs
	first := now - now%hourMs - keepMs + hourMs
	c := newCrowd(nil, nil)
	if err := r.begin(ctx, c, open); err != nil {
		return err
	}
	r.startAt(c, open)
	err := r.o.Series.Counters(ctx, quantities(), moment(open), moment(now), func(read schemas.Reading) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.state.hear(&read, now)
		return nil
	})
	if err == nil {
		err = r.findBacklog(ctx, first, open)
	}
	if err == nil {
		err = r.loadHours(ctx, first, open)
	}
	return err
}

// startAt lets the open hours begin.
func (r *Rollup) startAt(c *crowd, open int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.open = open
	for id, m := range c.of {
		one := r.state.of[id]
		if one == nil || one.rank > m.rank {
			if one == nil && len(r.state.of) >= MaxMeters {
				continue
			}
			one = &meter{id: id, rank: m.rank}
			r.state.of[id] = one
		}
		if one.rank == m.rank {
			one.begin(open, m.before, m.raw)
			one.last, one.got = m.last, [openHours]gotHour{}
		}
	}
	maps.DeleteFunc(r.state.late, func(_ schemas.MeterID, hour int64) bool { return hour >= open })
}

// findBacklog finds the first hour whose count is missing or of other readings.
func (r *Rollup) findBacklog(ctx context.Context, first, open int64) error {
	stored := map[int64]int64{}
	err := r.o.Series.CountCounters(ctx, quantities(), moment(first), moment(open), func(hour time.Time, n int64) error {
		stored[hour.UnixMilli()] = n
		return nil
	})
	if err != nil {
		return err
	}
	err = r.o.Series.CellHours(ctx, true, cityCode, mediumOf(groups-1), moment(first), moment(open), func(h store.CellHour) error {
		if at := h.Hour.UnixMilli(); stored[at] == h.Rows {
			delete(stored, at)
		}
		return nil
	})
	if err != nil || len(stored) == 0 {
		return err
	}
	b := &backlog{next: slices.Min(slices.Collect(maps.Keys(stored))), crowd: r.everybody()}
	if err := r.begin(ctx, b.crowd, b.next); err != nil {
		return err
	}
	r.work.backlog = b
	return nil
}

// everybody is a crowd of all meters, with what is known of their pace.
func (r *Rollup) everybody() *crowd {
	c := newCrowd(nil, nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, m := range r.state.of {
		c.of[id] = &counted{rank: m.rank, pace: m.pace}
	}
	return c
}

// loadHours reads the counted hours back.
func (r *Rollup) loadHours(ctx context.Context, first, open int64) error {
	r.mu.Lock()
	t := r.town
	r.mu.Unlock()
	type counted struct {
		f    *figures
		rows int64
		done bool
	}
	all := map[int64]*counted{}
	of := func(h *store.CellHour) *counted {
		c := all[h.Hour.UnixMilli()]
		if c == nil {
			c = &counted{f: newFigures(t.Nowhere() + 1)}
			all[h.Hour.UnixMilli()] = c
		}
		return c
	}
	err := r.o.Series.CellHours(ctx, true, cityCode, mediumOf(groups-1), moment(first), moment(open), func(h store.CellHour) error {
		c := of(&h)
		c.done, c.rows = true, h.Rows
		return nil
	})
	if err != nil || len(all) == 0 {
		return err
	}
	err = r.o.Series.CellHours(ctx, false, "", "", moment(first), moment(open), func(h store.CellHour) error {
		place := t.Index(h.Place)
		if place == t.Nowhere() && h.Place != nowhereCode {
			return nil // a cell that is no more
		}
		of(&h).f[groupOf(h.Medium)][place] = figureOf(&h)
		return nil
	})
	if err != nil {
		return err
	}
	for start, c := range all {
		if c.done && r.latestOf(start, t) == nil {
			h := newHour(t, c.f)
			h.final, h.rows, h.asOf = true, c.rows, moment(start+hourMs)
			r.stage(start, h, t)
		}
	}
	return nil
}

// catchUp counts the next hour of the backlog.
func (r *Rollup) catchUp(ctx context.Context, b *backlog, now int64) error {
	r.mu.Lock()
	t := r.town
	r.mu.Unlock()
	rows, err := r.read(ctx, b.crowd, b.next)
	if err != nil {
		return err
	}
	h := newHour(t, r.hour(b.crowd, t, b.next))
	h.final, h.asOf, h.rows = true, moment(now), rows
	r.stage(b.next, h, t)
	r.work.unwritten = append(r.work.unwritten, writing{start: b.next, h: h, town: t})
	b.next += hourMs
	return r.write(ctx)
}
