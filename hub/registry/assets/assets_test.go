package assets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/schemas"
	"citygrid/simulators/district"
)

// dump writes everything that the tables hold, files and numbers of imports aside.
func dump(tb testing.TB, r *Register) string {
	tb.Helper()
	ctx := context.Background()
	var b strings.Builder
	dumpTable(tb, ctx, r, &b, areaTable())
	dumpTable(tb, ctx, r, &b, cellTable())
	dumpTable(tb, ctx, r, &b, dutyTable())
	dumpTable(tb, ctx, r, &b, departmentTable())
	dumpTable(tb, ctx, r, &b, personTable())
	dumpTable(tb, ctx, r, &b, componentTable())
	dumpTable(tb, ctx, r, &b, linkTable())
	return b.String()
}

func dumpTable[T census.Thing](tb testing.TB, ctx context.Context, r *Register, b *strings.Builder, t *table[T]) {
	tb.Helper()
	list, err := t.query(ctx, r.db.Read, "")
	must(tb, err)
	slices.SortFunc(list, func(x, y T) int { return strings.Compare(t.keyOf(&x), t.keyOf(&y)) })
	for _, v := range list {
		fmt.Fprintf(b, "%s %+v\n", t.kind, v)
	}
}

// TestDistrict imports a simulated district, and again, and asks for its places.
func TestDistrict(t *testing.T) {
	files, c := city(t, small(), 0)
	d, err := district.New(small())
	must(t, err)
	engines(t, func(t *testing.T, dsn string) {
		r, ctx := mustOpen(t, dsn), t.Context()
		dry, err := r.Import(ctx, files, ImportOptions{By: "zhang", DryRun: true}, nil)
		must(t, err)
		if dump(t, r) != "" || dry.Stored {
			t.Fatal("a dry run has changed something")
		}
		s := mustImport(t, r, files)
		for n, f := range s.Files {
			if f.Errors+f.Warnings > 0 || f.Added != int64(c.Files[n].Records) && slices.ContainsFunc(c.Files, func(cf district.CensusFile) bool { return cf.Name == f.File && int64(cf.Records) != f.Added }) {
				t.Errorf("%s: %d added, %d errors, %d warnings: %v", f.File, f.Added, f.Errors, f.Warnings, first(f.Problems))
			}
			if f.Added != dry.Files[n].Added || f.SM3 != dry.Files[n].SM3 {
				t.Errorf("%s: the dry run said %d, the import %d", f.File, dry.Files[n].Added, f.Added)
			}
			if f.Kind == census.Components && f.Unlocated != c.Unplaced {
				t.Errorf("%d without a position, want %d", f.Unlocated, c.Unplaced)
			}
		}
		before := dump(t, r)
		again := mustImport(t, r, files)
		if again.Stored || !again.Files[0].Same || dump(t, r) != before {
			t.Errorf("the same files again: %+v", again)
		}
		places(t, r, d)
	})
}

func first(list []census.Problem) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].Error()
}

// places compares what the register says with what the simulator knows.
func places(t *testing.T, r *Register, d *district.District) {
	t.Helper()
	ctx := t.Context()
	components := map[schemas.ComponentID]district.Component{}
	for c := range d.Components() {
		components[c.ID] = c
		p, err := r.OfComponent(ctx, c.ID)
		must(t, err)
		if p.Cell != c.Cell && c.Position.Known() {
			t.Errorf("%s: cell %q, want %q", c.ID, p.Cell, c.Cell)
		}
		want, err := r.Candidates(ctx, p.Class)
		must(t, err)
		if !c.Ownerless() {
			want = []registry.DepartmentID{registry.DepartmentID(cmp.Or(c.Authority, c.Upkeep, c.Owner))}
		}
		if !slices.Equal(p.Departments, want) {
			t.Errorf("%s: ownerless %v, departments %v, want %v", c.ID, c.Ownerless(), p.Departments, want)
		}
		if p.Cell != "" && (p.Duty == "" || p.AreaKind == "") {
			t.Errorf("%s: %+v lacks a duty grid or class of area", c.ID, p)
		}
		if at, err := r.At(ctx, p.Position); err != nil || c.Position.Known() && (at.Cell != p.Cell || at.Duty != p.Duty) {
			t.Errorf("%s: at its position %+v, %v", c.ID, at, err)
		}
	}
	n := 0
	for l := range d.MeterLinks() {
		n++
		p, err := r.OfMeter(ctx, l.Meter, newClock().t)
		must(t, err)
		if p.Component != l.Component {
			t.Errorf("meter %s: component %q, want %q", l.Meter, p.Component, l.Component)
		}
	}
	if n == 0 {
		t.Error("no meter links")
	}
}

// TestSpoilt wants every mistake of the simulator found at its line, and nothing
// changed.
func TestSpoilt(t *testing.T) {
	o := small()
	o.Cells, o.Components = 600, 5000
	files, c := city(t, o, 2)
	engines(t, func(t *testing.T, dsn string) {
		r := mustOpen(t, dsn)
		for _, dry := range []bool{true, false} {
			s, err := r.Import(t.Context(), files, ImportOptions{By: "zhang", DryRun: dry}, nil)
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Errors != s.Errors || s.Errors < 2*len(district.Mistakes())-4 {
				t.Fatalf("dry %v: %v, %d errors", dry, err, s.Errors)
			}
			for _, m := range c.Spoilt {
				if !found(s, m) {
					t.Errorf("dry %v: not found: %+v", dry, m)
				}
			}
			if dump(t, r) != "" {
				t.Error("a refused import has changed something")
			}
		}
	})
}

// found reports whether a problem of the summary is about a mistake: at its line, or
// for what lies between two cells, at the other.
func found(s Summary, m district.Mistake) bool {
	for _, f := range s.Files {
		for _, p := range f.Problems {
			if p.File == m.File && (p.Line == m.Line || m.Field == "geometry" && strings.Contains(p.Rule, m.Key)) && p.Remedy != "" {
				return true
			}
		}
	}
	return false
}
