package assets

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/schemas"
)

// linkRun reads one file of meter links. All of it is held: where a meter has been is
// looked at as a whole, in whatever order the file has it.
type linkRun struct {
	m    *run
	f    *fileRun
	w    *writer[registry.MeterLink]
	list []placed[registry.MeterLink]
}

func (m *run) readLinks(ctx context.Context, f *fileRun) (err error) {
	l := &linkRun{m: m, f: f, w: newWriter(m, f, linkTable())}
	defer func() { err = l.w.end(ctx, err) }()
	rep := &census.Report{}
	for at, v := range census.Read[registry.MeterLink](ctx, f.Path, f.Read, rep) {
		v.From, v.To = moment(millis(v.From)), moment(millis(v.To))
		l.list = append(l.list, placed[registry.MeterLink]{at, v})
		m.progress(f.FileSummary.File, int64(rep.Records), f.records)
	}
	f.take(rep)
	slices.SortStableFunc(l.list, func(a, b placed[registry.MeterLink]) int { return compareLinks(&a.v, &b.v) })
	for len(l.list) > 0 {
		n := l.part()
		if err := l.flush(ctx, l.list[:n]); err != nil {
			return err
		}
		l.list = l.list[n:]
	}
	return ctx.Err()
}

func compareLinks(a, b *registry.MeterLink) int {
	if a.Meter != b.Meter {
		if a.Meter < b.Meter {
			return -1
		}
		return 1
	}
	return a.From.Compare(b.From)
}

// part is about atOnce records, with all of their meters.
func (l *linkRun) part() int {
	n := min(atOnce, len(l.list))
	for n < len(l.list) && l.list[n].v.Meter == l.list[n-1].v.Meter {
		n++
	}
	return n
}

func (l *linkRun) flush(ctx context.Context, list []placed[registry.MeterLink]) error {
	life, err := l.present(ctx, list)
	if err != nil {
		return err
	}
	known, err := l.components(ctx, list)
	if err != nil {
		return err
	}
	for i := range list {
		at, v := spot{l.f, list[i].at}, &list[i].v
		if !known[v.Component] {
			at.complainOf("component "+string(v.Component), complaint{Field: "component", Value: string(v.Component), Rule: "not among the components of the register", Remedy: "correct it, or import the component in the same call"})
			continue
		}
		if err := l.put(ctx, at, v, life); err != nil {
			return err
		}
	}
	l.overlaps(list, life)
	return nil
}

// lives are the links of meters, by when they begin.
type lives map[schemas.MeterID]map[int64]registry.MeterLink

func (l *linkRun) put(ctx context.Context, at spot, v *registry.MeterLink, life lives) error {
	var old *registry.MeterLink
	if there, ok := life[v.Meter][millis(v.From)]; ok {
		old = &there
		if v.Component != old.Component && !l.m.o.Correct {
			at.complain(complaint{Field: "component", Value: string(v.Component), Rule: "the register has the meter at " + string(old.Component) + " since then",
				Remedy: "end that link and begin another, or import as a correction with its reason"})
			return nil
		}
		if l.m.reopened(at, string(v.Meter), v.Span, old.Span) {
			return nil
		}
	}
	if life[v.Meter] == nil {
		life[v.Meter] = map[int64]registry.MeterLink{}
	}
	life[v.Meter][millis(v.From)] = *v
	values, err := l.w.t.values(v)
	if err != nil {
		return err
	}
	_, err = l.w.put(ctx, values, v, old)
	return err
}

// overlaps complains of meters that would be in two places at once.
func (l *linkRun) overlaps(list []placed[registry.MeterLink], life lives) {
	for i := range list {
		v := &list[i].v
		for _, other := range life[v.Meter] {
			if other.From.Equal(v.From) || !v.From.Before(endOf(other.Span)) || !other.From.Before(endOf(v.Span)) {
				continue
			}
			if i > 0 && list[i-1].v.Meter == v.Meter && other.From.Equal(list[i-1].v.From) {
				continue // said at that one
			}
			spot{l.f, list[i].at}.complain(complaint{Field: "from", Value: string(v.Meter), Rule: "the meter is also at component " + string(other.Component) + " " + spanWords(other.Span),
				Remedy: "give the earlier link an end"})
			break
		}
	}
}

// endOf is far in the future where there is no end.
func endOf(s registry.Span) time.Time {
	if s.To.IsZero() {
		return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return s.To
}

func spanWords(s registry.Span) string {
	text := "from " + s.From.Format(time.DateOnly)
	if s.From.IsZero() {
		text = "from the beginning"
	}
	if s.To.IsZero() {
		return text + " without an end"
	}
	return text + " to " + s.To.Format(time.DateOnly)
}

func (l *linkRun) present(ctx context.Context, list []placed[registry.MeterLink]) (lives, error) {
	var meters []string
	for i := range list {
		meters = append(meters, string(list[i].v.Meter))
	}
	there, err := l.w.t.query(ctx, l.m.tx, "WHERE meter IN (?)", bun.List(slices.Compact(meters)))
	life := lives{}
	for _, v := range there {
		if life[v.Meter] == nil {
			life[v.Meter] = map[int64]registry.MeterLink{}
		}
		life[v.Meter][millis(v.From)] = v
	}
	return life, err
}

// components finds which of the components that the list names there are.
func (l *linkRun) components(ctx context.Context, list []placed[registry.MeterLink]) (map[schemas.ComponentID]bool, error) {
	known, ids := map[schemas.ComponentID]bool{}, []string{}
	for i := range list {
		id := list[i].v.Component
		if _, here := l.m.origins[origin{census.Components, string(id)}]; here {
			known[id] = true // of this import; in a dry run only here
			continue
		}
		ids = append(ids, string(id))
	}
	if len(ids) == 0 {
		return known, nil
	}
	rows, err := l.m.tx.QueryContext(ctx, "SELECT id FROM registry_components WHERE id IN (?)", bun.List(ids))
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(row scanner) error {
		var id schemas.ComponentID
		err := row.Scan(&id)
		known[id] = true
		return err
	})
	return known, err
}
