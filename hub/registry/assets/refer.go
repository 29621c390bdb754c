package assets

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/hub/registry/geo"
	"citygrid/schemas/codes"
)

// references looks at what the records of this import refer to, when all small tables
// are read: two files may refer to each other.
func (m *run) references(context.Context) error {
	keys := slices.SortedFunc(maps.Keys(m.origins), func(a, b origin) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key)) })
	for _, o := range keys {
		at := m.origins[o]
		switch o.kind {
		case census.Areas:
			m.areaRefers(at, m.draft.areas.of[o.key])
		case census.Cells:
			at.need(&m.draft.duties, "duty", string(m.draft.cells.of[o.key].Duty), "duties")
		case census.Duties:
			for _, p := range m.draft.duties.of[o.key].Inspectors {
				at.need(&m.draft.people, "inspectors", string(p), "people")
			}
		case census.People:
			p := m.draft.people.of[o.key]
			at.need(&m.draft.departments, "department", string(p.Department), "departments")
			for _, d := range p.Duty {
				at.need(&m.draft.duties, "duty", string(d), "duties")
			}
		}
	}
	return nil
}

// areaRefers warns of an area whose parent nobody knows: it inherits no class.
func (m *run) areaRefers(at spot, a registry.Area) {
	if len(a.Code) <= 6 {
		return
	}
	if _, ok := m.draft.areas.of[string(a.Code.Parent())]; !ok {
		at.complain(complaint{Field: "code", Value: string(a.Code), Rule: "the area above it, " + string(a.Code.Parent()) + ", is not in the register",
			Remedy: "import it too, or correct the code", Warning: true})
	}
}

// needer is a shelf of any kind.
type needer interface{ has(key string) bool }

func (s *shelf[T]) has(key string) bool { _, ok := s.of[key]; return ok }

// need complains when key, unless it is empty, is not on the shelf.
func (at spot) need(s needer, field, key, kind string) {
	if key != "" && !s.has(key) {
		at.complainOf(field+" "+key, complaint{Field: field, Value: key, Rule: "not among the " + kind + " of the register", Remedy: "correct it, or import the " + kind + " in the same call"})
	}
}

// maxMoments bounds the days in the future on which the cells are checked as well.
const maxMoments = 4

// topology holds the cells against each other, as they are now and on the days on
// which cells of this import begin.
func (m *run) topology(ctx context.Context) error {
	if m.grid || m.outlines {
		said := map[string]bool{}
		for _, t := range m.moments() {
			if err := m.topologyAt(ctx, t, said); err != nil {
				return err
			}
		}
	}
	return m.draft.build(m.now)
}

func (m *run) moments() []time.Time {
	list := []time.Time{m.now}
	for o := range m.origins {
		if c := m.draft.cells.of[o.key]; o.kind == census.Cells && c.From.After(m.now) {
			list = append(list, c.From)
		}
	}
	slices.SortFunc(list, time.Time.Compare)
	list = slices.CompactFunc(list, time.Time.Equal)
	return list[:min(len(list), maxMoments)]
}

func (m *run) topologyAt(ctx context.Context, t time.Time, said map[string]bool) error {
	var cells []registry.Cell
	for _, key := range m.draft.cells.keys {
		if c := m.draft.cells.of[key]; valid(c.Span, t) {
			cells = append(cells, c)
		}
	}
	o := m.r.o.Topology
	o.Communities, o.GapsAllowed = m.communities(t), o.GapsAllowed || m.o.GapsAllowed
	m.progress("topology", 0, int64(len(cells)))
	findings, err := geo.CheckTopology(ctx, cells, o)
	if err != nil {
		return err
	}
	for _, f := range findings {
		if !said[f.Text] {
			said[f.Text] = true
			m.found(f)
		}
	}
	return nil
}

// found puts a finding where the first cell of this import that it concerns is. What
// concerns none of them was there before, and stands in nobody's way now.
func (m *run) found(f geo.Finding) {
	rule, remedy, _ := cutLast(f.Text, "; ")
	field := "geometry"
	if f.Kind == geo.Prefix || f.Kind == geo.Duplicate || f.Kind == geo.Island {
		field = "code"
	}
	p := complaint{Field: field, Rule: rule, Remedy: remedy, Warning: f.Warning}
	for _, code := range f.Cells {
		if at, ok := m.origins[origin{census.Cells, string(code)}]; ok {
			p.Value = string(code)
			at.complain(p)
			return
		}
	}
	if at, ok := m.inCommunity(f); ok {
		at.complain(p)
		return
	}
	for _, file := range m.files {
		if !file.Same && (file.Kind() == census.Cells || file.Kind() == census.Areas) {
			p.Warning = true
			p.Rule += " (of cells that are in the register already)"
			file.add(census.Place{}, p, "")
			return
		}
	}
}

// inCommunity finds the record of this import that a finding about a community
// belongs to: the community's own, or where it is none of a cell, the first cell in it.
func (m *run) inCommunity(f geo.Finding) (first spot, found bool) {
	list := []codes.AreaCode{f.Community}
	for _, c := range f.Cells {
		list = append(list, c.Community())
	}
	for _, code := range list {
		if at, ok := m.origins[origin{census.Areas, string(code)}]; ok && code != "" {
			return at, true
		}
	}
	if f.Community == "" || len(f.Cells) > 0 {
		return first, false
	}
	for o, at := range m.origins {
		if o.kind == census.Cells && strings.HasPrefix(o.key, string(f.Community)) && (!found || at.at.Record < first.at.Record) {
			first, found = at, true
		}
	}
	return first, found
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
