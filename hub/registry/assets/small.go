package assets

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/hub/registry/geo"
	"citygrid/internal/sqldb"
	"citygrid/schemas/codes"
)

// complaint is why a record is refused, or what is odd about it.
type complaint = census.Problem

// writer writes records of one table, with what they were before.
type writer[T census.Thing] struct {
	m       *run
	f       *fileRun
	t       *table[T]
	rows    *sqldb.Bulk // nil in a dry run
	changes *sqldb.Bulk
}

func newWriter[T census.Thing](m *run, f *fileRun, t *table[T]) *writer[T] {
	w := &writer[T]{m: m, f: f, t: t}
	if !m.o.DryRun {
		w.rows = m.r.db.Bulk(m.tx, t.name, t.list()+", import", t.upsert())
		w.changes = m.r.db.Bulk(m.tx, "registry_changes", "kind, code, import, before", "")
	}
	return w
}

// put writes values, which are of a record that was old; nil for a new one. A record
// that has not changed is left alone, and put reports false.
func (w *writer[T]) put(ctx context.Context, values []any, v, old *T) (bool, error) {
	if old != nil {
		before, err := w.t.values(old)
		if err != nil {
			return false, err
		}
		if slices.Equal(before, values) {
			w.f.Unchanged++
			return false, nil
		}
		w.f.Changed++
	} else {
		w.f.Added++
	}
	if w.rows == nil {
		return true, nil
	}
	if old != nil {
		text, err := json.Marshal(old)
		if err != nil {
			return false, fmt.Errorf("what %s was before: %w", w.t.keyOf(old), err)
		}
		if err := w.changes.Add(ctx, string(w.t.kind), w.t.keyOf(v), w.f.ID, string(text)); err != nil {
			return false, err
		}
	}
	return true, w.rows.Add(ctx, append(values, w.f.ID)...)
}

// flush writes what is waiting, so that the transaction sees it.
func (w *writer[T]) flush(ctx context.Context) error {
	if w.rows == nil {
		return nil
	}
	if err := w.rows.Flush(ctx); err != nil {
		return err
	}
	return w.changes.Flush(ctx)
}

func (w *writer[T]) end(ctx context.Context, err error) error {
	if w.rows == nil {
		return err
	}
	err = w.rows.End(ctx, err)
	return w.changes.End(ctx, err)
}

// look examines a record before it is compared with what is there: it may complete
// it, and complains through the spot. It reports whether the record is good.
type look[T census.Thing] func(at spot, v, old *T) bool

// keep takes a record as it is.
func keep[T census.Thing](spot, *T, *T) bool { return true }

// readSmall reads a file into a shelf and its table.
func readSmall[T census.Thing](ctx context.Context, m *run, f *fileRun, t *table[T], s *shelf[T], examine look[T]) (err error) {
	w := newWriter(m, f, t)
	defer func() { err = w.end(ctx, err) }()
	rep := &census.Report{}
	for at, v := range census.Read[T](ctx, f.Path, f.Read, rep) {
		if err := putSmall(ctx, w, spot{f, at}, v, s, examine); err != nil {
			return err
		}
		m.progress(f.FileSummary.File, int64(rep.Records), f.records)
	}
	f.take(rep)
	return ctx.Err()
}

func putSmall[T census.Thing](ctx context.Context, w *writer[T], at spot, v T, s *shelf[T], examine look[T]) error {
	key := w.t.keyOf(&v)
	if first, twice := w.m.origins[origin{w.t.kind, key}]; twice {
		at.complain(complaint{Field: w.t.key[0], Value: key, Rule: "also in " + first.file.FileSummary.File, Remedy: "keep it in one of the files"})
		return nil
	}
	w.m.origins[origin{w.t.kind, key}] = at
	var old *T
	if there, ok := s.of[key]; ok {
		old = &there
	}
	if !examine(at, &v, old) {
		return nil
	}
	values, err := w.t.values(&v)
	if err != nil {
		return err
	}
	changed, err := w.put(ctx, values, &v, old)
	if changed {
		s.of[key] = v
		w.m.grid = w.m.grid || w.t.kind == census.Cells
		w.m.outlines = w.m.outlines || w.t.kind == census.Areas
	}
	return err
}

func (at spot) complain(p complaint) { at.file.add(at.at, p, "") }

// complainOf says the same of many records a few times only.
func (at spot) complainOf(cause string, p complaint) { at.file.add(at.at, p, cause) }

// reopened complains of a code whose end is taken back after it has come.
func (m *run) reopened(at spot, code string, now, before registry.Span) bool {
	if before.To.IsZero() || m.o.Correct || m.now.Before(before.To) || !now.To.IsZero() && !now.To.After(before.To) {
		return false
	}
	at.complain(complaint{Field: "to", Value: code, Rule: "the code ended on " + before.To.Format("2006-01-02") + ", and codes are never given again",
		Remedy: "give a new code, or import as a correction with its reason"})
	return true
}

func (m *run) lookArea(at spot, v, old *registry.Area) bool {
	if v.Shape != nil {
		shape, err := onGrid(v.Shape)
		if err != nil {
			at.complain(complaint{Field: "geometry", Rule: shapeError(err).Error(), Remedy: "draw it again"})
			return false
		}
		v.Shape = shape
	}
	if old == nil {
		return true
	}
	if v.Shape != nil && sameShape(v.Shape, old.Shape) {
		v.Shape = old.Shape
	}
	return !m.reopened(at, string(v.Code), v.Span, old.Span)
}

func (m *run) lookCell(at spot, v, old *registry.Cell) bool {
	shape, err := onGrid(v.Shape)
	if err != nil {
		at.complain(complaint{Field: "geometry", Rule: shapeError(err).Error(), Remedy: "draw it again"})
		return false
	}
	v.Shape = shape
	if old == nil {
		v.Area = squareMetres(shape)
		return true
	}
	if sameShape(shape, old.Shape) {
		v.Shape = old.Shape
	} else if !m.o.Correct {
		at.complain(complaint{Field: "geometry", Value: string(v.Code), Rule: "the cell has another shape in the register, and a code is never given to another cell",
			Remedy: "give the new cell a new serial and the old one an end, or import as a correction of the survey with its reason"})
		return false
	}
	v.Area = squareMetres(v.Shape)
	return !m.reopened(at, string(v.Code), v.Span, old.Span)
}

func squareMetres(s registry.Shape) int64 { return int64(math.Round(geo.Area(s))) }

func (m *run) lookDepartment(at spot, v, _ *registry.Department) bool {
	for _, ref := range v.Classes {
		if !m.r.inLists(ref) {
			at.complain(complaint{Field: "classes", Value: ref.String(), Rule: "no code list has this class or major class",
				Remedy: "correct it, or import the city's list with citygrid codes import"})
			return false
		}
	}
	return true
}

// inLists reports whether ref is a class, or a major class that has some.
func (r *Register) inLists(ref codes.Ref) bool {
	if _, err := r.o.Lists.Lookup(ref); err == nil {
		return true
	}
	for _, list := range r.o.Lists.All() {
		if list.Standard != ref.Standard || list.Kind != ref.Kind {
			continue
		}
		for _, c := range list.Classes {
			if r.o.Lists.Covers(ref, c.Ref) {
				return true
			}
		}
	}
	return false
}

func (m *run) lookPerson(at spot, v, _ *registry.Person) bool {
	for _, role := range v.Roles {
		if !slices.Contains(m.r.o.Roles, role) {
			at.complain(complaint{Field: "roles", Value: role, Rule: "no such role", Remedy: "want " + strings.Join(m.r.o.Roles, ", ")})
			return false
		}
	}
	return true
}
