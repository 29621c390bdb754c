package rollup

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"citygrid/hub/store"
	"citygrid/schemas"
)

// belated is a part of the late readings: the cells whose hours are counted again, with
// all of their meters.
type belated struct {
	marks  map[schemas.MeterID]int64
	from   int64
	places map[int]bool
	list   []schemas.MeterID
}

// again counts hours again that late readings touch, from the first one on: what a
// meter used in a gap moves from the hour of its return to where it belongs. One call
// takes cells of about allAtOnce meters; the others wait for the next.
func (r *Rollup) again(ctx context.Context, now int64) error {
	if r.work.backlog != nil {
		return nil // it counts them with all others
	}
	late, t := r.takeLate(now)
	if late == nil {
		return nil
	}
	err := r.countAgain(ctx, late, t, now)
	if err != nil {
		r.mu.Lock()
		for id, hour := range late.marks {
			r.state.belated(id, hour)
		}
		r.mu.Unlock()
	}
	return err
}

// takeLate takes marks of late readings off the list; nil for none.
func (r *Rollup) takeLate(now int64) (*belated, *Town) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, open := r.town, r.state.open
	b := &belated{marks: map[schemas.MeterID]int64{}, from: open, places: map[int]bool{}}
	earliest := now - reachMs - (now-reachMs)%hourMs
	for id, hour := range r.state.late {
		if len(b.list) >= allAtOnce {
			break
		}
		delete(r.state.late, id)
		if hour >= open || hour < earliest {
			continue
		}
		b.marks[id], b.from = hour, min(b.from, hour)
		for _, place := range t.placesOf(id) {
			b.add(t, place, r.state.of)
		}
	}
	if len(b.marks) == 0 {
		return nil, t
	}
	slices.Sort(b.list)
	b.list = slices.Compact(b.list)
	return b, t
}

// placesOf returns all places where a meter is or was; nowhere for one that the
// register does not have, or has not had all the time.
func (t *Town) placesOf(id schemas.MeterID) (list []int) {
	always := false
	for _, s := range t.stays[id] {
		always = always || s.from == 0 && s.to == 0
		list = append(list, s.cell)
	}
	if !always {
		list = append(list, t.Nowhere())
	}
	return list
}

func (b *belated) add(t *Town, place int, heard map[schemas.MeterID]*meter) {
	if b.places[place] {
		return
	}
	b.places[place] = true
	b.list = append(b.list, t.meters[place]...)
	if place != t.Nowhere() {
		return
	}
	for id := range heard {
		if slices.Contains(t.placesOf(id), place) {
			b.list = append(b.list, id)
		}
	}
}

func (r *Rollup) countAgain(ctx context.Context, b *belated, t *Town, now int64) error {
	c := newCrowd(b.list, b.places)
	r.mu.Lock()
	open := r.state.open
	for _, id := range b.list {
		if m := r.state.of[id]; m != nil {
			c.of[id] = &counted{rank: m.rank, pace: m.pace}
		}
	}
	r.mu.Unlock()
	if err := r.begin(ctx, c, b.from); err != nil {
		return err
	}
	rows := map[int64]int64{}
	err := r.o.Series.CountCounters(ctx, quantities(), moment(b.from), moment(open), func(hour time.Time, n int64) error {
		rows[hour.UnixMilli()] = n
		return nil
	})
	fresh := map[int64]*hour{}
	for from := b.from; err == nil && from < open; from += hourMs {
		if err = ctx.Err(); err == nil {
			fresh[from], err = r.correct(ctx, c, t, from, rows[from], now)
		}
	}
	if err != nil {
		return err
	}
	for from, h := range fresh { // all or none: else what moved would be in two hours
		if from >= now-keepMs {
			r.stage(from, h, t)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, m := range c.of {
		if one := r.state.of[id]; one != nil && one.rank == m.rank && r.state.open == open {
			one.before, one.raw = m.before, m.raw
		}
	}
	return nil
}

// correct counts one hour again for the places of a crowd, and writes it.
func (r *Rollup) correct(ctx context.Context, c *crowd, t *Town, from, rows, now int64) (*hour, error) {
	if _, err := r.read(ctx, c, from); err != nil {
		return nil, err
	}
	changed := r.hour(c, t, from)
	all, err := r.known(ctx, t, from, now)
	if err != nil {
		return nil, err
	}
	for g := range all {
		for place := range c.places {
			all[g][place] = changed[g][place]
		}
	}
	h := newHour(t, all)
	h.final, h.asOf, h.rows = true, moment(now), rows
	if from < now-keepMs {
		r.ask.forget()
	}
	r.work.unwritten = append(r.work.unwritten, writing{start: from, h: h, town: t, places: maps.Clone(c.places)})
	return h, r.write(ctx)
}

// known returns what an hour was counted at before: from memory, else from the store;
// where nobody counted it, every meter of the register is missing.
func (r *Rollup) known(ctx context.Context, t *Town, from, now int64) (*figures, error) {
	if h := r.latestOf(from, t); h != nil {
		return h.full(t), nil
	}
	any := false
	f := newFigures(t.Nowhere() + 1)
	if from < now-keepMs+hourMs {
		err := r.o.Series.CellHours(ctx, false, "", "", moment(from), moment(from+1), func(c store.CellHour) error {
			place := t.Index(c.Place)
			if place == t.Nowhere() && c.Place != nowhereCode {
				return nil
			}
			any = true
			f[groupOf(c.Medium)][place] = figureOf(&c)
			return nil
		})
		if err != nil {
			return nil, errors.Join(errors.New("read an hour of before"), err)
		}
	}
	if any {
		return f, nil
	}
	return r.hour(newCrowd(nil, nil), t, from), nil
}
