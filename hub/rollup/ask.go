package rollup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"citygrid/hub/store"
	"citygrid/schemas"
)

// ErrTooLong says that a range is longer than an answer about every cell may be made of.
var ErrTooLong = errors.New("the range is too long for one answer about every cell; ask for at most 31 days")

// Cells is what is known of each cell over some hours.
type Cells struct {
	// Town gives the order of Figures; the last is nowhere.
	Town    *Town
	Figures []Figure
	AsOf    time.Time // when the newest was counted; zero where nothing was, or all came from the store
	Final   bool
}

// In returns the figures in the order of another town. What it does not have is left
// out; what is new to it is not known.
func (c *Cells) In(t *Town) []Figure {
	if c.Town == t {
		return c.Figures
	}
	out := make([]Figure, t.Nowhere()+1)
	for n := range c.Figures {
		to := t.Nowhere()
		if n < c.Town.Nowhere() {
			if to = t.Index(c.Town.cells[n]); to == t.Nowhere() {
				continue
			}
		}
		out[to] = c.Figures[n]
	}
	return out
}

// answers keeps what was answered about all cells.
type answers struct {
	mu    sync.Mutex
	cells map[cellsAsked]cellsAnswer
}

type cellsAsked struct {
	medium   schemas.Medium
	from, to int64
}

type cellsAnswer struct {
	made   int64 // Rollup.made then
	stored bool  // a part of it came from the store
	at     int64 // Rollup.latest then
	cells  Cells
}

const (
	// answersKept bounds the answers kept; one is 2 MB for 20,000 cells.
	answersKept = 12
	// storedAge is how long an answer with a part from the store stands: late readings of
	// so long ago are rare, and forget ends it at once where this hub counts them.
	storedAge = 10 * time.Minute
	// longest bounds the range of one answer about all cells.
	longest = 31 * 24 * time.Hour
)

func (a *answers) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.cells)
}

// Cells returns what is known of each cell over the hours that begin in [from, to), of
// one medium; of meters of which nothing is known for the medium device. Hours that are
// older than two days come from the store. The caller must not change the figures.
// ErrTooLong is for more than 31 days.
func (r *Rollup) Cells(ctx context.Context, medium schemas.Medium, from, to time.Time) (Cells, error) {
	asked := cellsAsked{medium, ceilHour(from), ceilHour(to)}
	if time.Duration(asked.to-asked.from)*time.Millisecond > longest {
		return Cells{}, ErrTooLong
	}
	r.ask.mu.Lock() // one at a time: others wait for the same answer
	defer r.ask.mu.Unlock()
	r.mu.Lock()
	made, t, kept, latest := r.made, r.town, r.keptFrom(), r.latest
	if old, ok := r.ask.cells[asked]; ok && old.made == made && (!old.stored || r.latest-old.at < storedAge.Milliseconds()) {
		r.mu.Unlock()
		return old.cells, nil
	}
	hours := make(map[int64]*hour)
	for start := max(asked.from, kept); start < asked.to; start += hourMs {
		hours[start] = r.hours[start]
	}
	r.mu.Unlock()
	if t == nil {
		return Cells{Town: NewTown("", nil, nil), Figures: make([]Figure, 1)}, nil
	}
	out := Cells{Town: t, Figures: make([]Figure, t.Nowhere()+1), Final: true}
	stored := asked.from < kept
	if stored {
		if err := r.addStored(ctx, &out, medium, asked.from, min(asked.to, kept)); err != nil {
			return Cells{}, err
		}
	}
	for start := max(asked.from, kept); start < asked.to; start += hourMs {
		out.add(hours[start], groupOf(medium))
	}
	if len(r.ask.cells) >= answersKept {
		clear(r.ask.cells)
	}
	r.ask.cells[asked] = cellsAnswer{made, stored, latest, out}
	return out, nil
}

// keptFrom is the first hour that is answered from memory. The caller holds the lock.
func (r *Rollup) keptFrom() int64 {
	if r.state.open == 0 {
		return 1 << 62
	}
	return r.state.open - keepMs + 2*hourMs
}

func (c *Cells) add(h *hour, group int) {
	if h == nil {
		return
	}
	c.Final = c.Final && h.final
	if h.asOf.After(c.AsOf) {
		c.AsOf = h.asOf
	}
	for n := range h.cells[group] {
		if f := h.cells[group][n].figure(); f != (Figure{}) {
			c.Figures[n].After(&f)
		}
	}
	if last := len(c.Figures) - 1; h.nowhere[group] != (Figure{}) {
		c.Figures[last].After(&h.nowhere[group])
	}
}

func (r *Rollup) addStored(ctx context.Context, c *Cells, medium schemas.Medium, from, to int64) error {
	err := r.o.Series.CellSums(ctx, medium, moment(from), moment(to), func(h store.CellHour) error {
		n := c.Town.Index(h.Place)
		if n == c.Town.Nowhere() && h.Place != nowhereCode {
			return nil
		}
		f := figureOf(&h)
		c.Figures[n].After(&f)
		return nil
	})
	if err != nil {
		return fmt.Errorf("add up the hours of cells: %w", err)
	}
	return nil
}

// ceilHour is the first whole hour at or after t.
func ceilHour(t time.Time) int64 {
	ms := t.UnixMilli()
	if rest := ms % hourMs; rest != 0 {
		ms += hourMs - rest
	}
	return ms
}

// Hours returns every hour that begins in [from, to), ascending, of a cell, of an area,
// or of the city where area is empty. Hours that are older than two days come from the
// store.
func (r *Rollup) Hours(ctx context.Context, area string, medium schemas.Medium, from, to time.Time) ([]Hour, error) {
	first, end, group := ceilHour(from), ceilHour(to), groupOf(medium)
	var out []Hour
	r.mu.Lock()
	t, kept := r.town, min(max(r.keptFrom(), first), end)
	for start := first; start < end; start += hourMs {
		one := Hour{Start: moment(start)}
		if h := r.hours[start]; h != nil && t != nil && start >= kept {
			one.Final, one.Of = h.final, h.of(t, area, group)
			if one.Of != nil && *one.Of == (Figure{}) {
				one.Of = nil // no meter
			}
		}
		out = append(out, one)
	}
	r.mu.Unlock()
	if first >= kept {
		return out, nil
	}
	areas, place := len(area) <= communityDigits, area
	if area == "" {
		place = cityCode
	}
	err := r.o.Series.CellHours(ctx, areas, place, mediumOf(group), moment(first), moment(kept), func(h store.CellHour) error {
		if n := int((h.Hour.UnixMilli() - first) / hourMs); n >= 0 && n < len(out) && h.Meters > 0 {
			f := figureOf(&h)
			out[n].Final, out[n].Of = true, &f
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("hours of %q: %w", area, err)
	}
	return out, nil
}
