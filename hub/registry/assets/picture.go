package assets

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/hub/registry/geo"
	"citygrid/internal/sqldb"
	"citygrid/schemas/codes"
)

// shelf holds the records of a small table.
type shelf[T census.Thing] struct {
	of   map[string]T
	keys []string // in order; made by seal
}

func (s *shelf[T]) clone() shelf[T] { return shelf[T]{of: maps.Clone(s.of)} }
func (s *shelf[T]) seal()           { s.keys = slices.Sorted(maps.Keys(s.of)) }

func (s *shelf[T]) fill(ctx context.Context, db bun.IDB, t *table[T]) error {
	s.of = map[string]T{}
	err := t.each(ctx, db, "", nil, func(v T) error {
		s.of[t.keyOf(&v)] = v
		return nil
	})
	s.seal()
	return err
}

// after gives the keys that come after one, in order.
func (s *shelf[T]) after(key string) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		at, found := slices.BinarySearch(s.keys, key)
		if found {
			at++
		}
		for _, k := range s.keys[at:] {
			if !yield(k, s.of[k]) {
				return
			}
		}
	}
}

// picture is all small tables at one version of the register. It never changes.
type picture struct {
	version     int64 // number of the last import
	areas       shelf[registry.Area]
	cells       shelf[registry.Cell]
	duties      shelf[registry.DutyGrid]
	departments shelf[registry.Department]
	people      shelf[registry.Person]
	// index has the cells, outlines the areas, that are valid from at until until,
	// which is zero where nothing ends or begins any more.
	index     *geo.Index[codes.CellCode]
	outlines  *geo.Index[codes.AreaCode]
	at, until time.Time
}

// load reads the small tables, without the indices.
func load(ctx context.Context, db bun.IDB) (*picture, error) {
	p := &picture{}
	if err := db.NewRaw("SELECT last FROM registry_counters WHERE name = 'import'").Scan(ctx, &p.version); err != nil {
		return nil, err
	}
	for _, read := range []func() error{
		func() error { return p.areas.fill(ctx, db, areaTable()) },
		func() error { return p.cells.fill(ctx, db, cellTable()) },
		func() error { return p.duties.fill(ctx, db, dutyTable()) },
		func() error { return p.departments.fill(ctx, db, departmentTable()) },
		func() error { return p.people.fill(ctx, db, personTable()) },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// draft is a copy of p to change.
func (p *picture) draft() *picture {
	return &picture{version: p.version, areas: p.areas.clone(), cells: p.cells.clone(), duties: p.duties.clone(),
		departments: p.departments.clone(), people: p.people.clone()}
}

func (p *picture) seal() {
	p.areas.seal()
	p.cells.seal()
	p.duties.seal()
	p.departments.seal()
	p.people.seal()
}

// valid reports whether t is in s.
func valid(s registry.Span, t time.Time) bool {
	return !s.From.After(t) && (s.To.IsZero() || t.Before(s.To))
}

// build makes the indices of what is valid at t. p must not be shared yet.
func (p *picture) build(t time.Time) (err error) {
	p.at, p.until = t, time.Time{}
	p.index, err = geo.NewIndex(func(yield func(codes.CellCode, registry.Shape) bool) {
		for _, key := range p.cells.keys {
			c := p.cells.of[key]
			p.next(c.Span)
			if valid(c.Span, t) && !yield(c.Code, c.Shape) {
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("index of cells: %w", err)
	}
	p.outlines, err = geo.NewIndex(func(yield func(codes.AreaCode, registry.Shape) bool) {
		for _, key := range p.areas.keys {
			a := p.areas.of[key]
			p.next(a.Span)
			// A county or street is found through its communities.
			if len(a.Code) == 12 && a.Shape != nil && valid(a.Span, t) && !yield(a.Code, a.Shape) {
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("index of areas: %w", err)
	}
	return nil
}

// next keeps the first moment after at when s begins or ends.
func (p *picture) next(s registry.Span) {
	for _, t := range []time.Time{s.From, s.To} {
		if t.After(p.at) && (p.until.IsZero() || t.Before(p.until)) {
			p.until = t
		}
	}
}

// current reports whether the indices are those of now. A clock that was put back does
// not make them old.
func (p *picture) current(now time.Time) bool {
	return p.until.IsZero() || now.Before(p.until)
}

// reload reads the small tables anew and puts the picture in its place.
func (r *Register) reload(ctx context.Context) error {
	var p *picture
	err := r.db.Snapshot(ctx, func(tx bun.Tx) (err error) {
		p, err = load(ctx, tx)
		return err
	})
	if err != nil {
		return sqldb.Explain("read the asset register", err)
	}
	if err := p.build(r.now()); err != nil {
		return err
	}
	r.replace(p)
	return nil
}

// replace puts p in its place unless a newer one is there.
func (r *Register) replace(p *picture) {
	for {
		old := r.picture.Load()
		if old != nil && (old.version > p.version || old.version == p.version && old.at.After(p.at)) {
			return
		}
		if r.picture.CompareAndSwap(old, p) {
			return
		}
	}
}

// view is the picture to answer from: not older than Options.Fresh against the
// database, and with the index of the moment.
func (r *Register) view(ctx context.Context) (*picture, error) {
	p, now := r.picture.Load(), r.now()
	old := now.UnixMilli()-r.looked.Load() > r.o.Fresh.Milliseconds()
	if !old && p.current(now) {
		return p, nil
	}
	r.renew.Lock()
	defer r.renew.Unlock()
	if p = r.picture.Load(); p.current(now) && now.UnixMilli()-r.looked.Load() <= r.o.Fresh.Milliseconds() {
		return p, nil
	}
	var version int64
	if err := r.db.Read.NewRaw("SELECT last FROM registry_counters WHERE name = 'import'").Scan(ctx, &version); err != nil {
		return nil, sqldb.Explain("ask for the last import", err)
	}
	if version != p.version || !p.current(now) {
		if err := r.reload(ctx); err != nil {
			return nil, err
		}
	}
	r.looked.Store(now.UnixMilli())
	return r.picture.Load(), nil
}
