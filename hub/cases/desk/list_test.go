package desk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
)

func isField(err error) bool {
	var f *schemas.FieldError
	return errors.As(err, &f)
}

func TestFilters(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		w.at("M1", 9, 0)
		var ids []cases.CaseID
		for n := range 6 { // 1: reported, 2: accepted, ..., 6: closed
			e := report(1 + n)
			e.Report.Class.Code = fmt.Sprintf("010%d", 1+n%3)
			if n == 1 {
				e.Report.Component = "C1"
			}
			id := w.act("", e).Case.ID
			w.through(id, append(toHandling, toClosed...)[:[]int{0, 1, 2, 4, 6, 8}[n]]...)
			ids = append(ids, id)
			w.clock.add(time.Hour)
		}
		w.send(opened(schemas.EventLeak, "M1", w.clock.now()))
		sensor := w.list(Filter{Source: cases.SourceSensor})[0]
		pick := func(places ...int) (out []cases.CaseID) {
			for _, n := range places {
				out = append(out, append(ids, sensor)[n-1])
			}
			return out
		}
		for name, row := range map[string]struct {
			f    Filter
			want []cases.CaseID
		}{
			"all":         {Filter{}, pick(1, 2, 3, 4, 5, 6, 7)},
			"states":      {Filter{States: []cases.State{cases.Reported, cases.Closed}}, pick(1, 6)},
			"open":        {Filter{Open: true}, pick(1, 2, 3, 4, 5, 7)},
			"cell":        {Filter{Cell: string(cellOf(2))}, pick(2)},
			"area":        {Filter{Cell: "110101001"}, pick(1, 2, 3, 4, 5, 6, 7)},
			"no area":     {Filter{Cell: "110102"}, nil},
			"duty":        {Filter{Duty: "D1", Open: true}, pick(1, 2, 3, 4, 5, 7)},
			"class":       {Filter{Class: coverClass.String()}, pick(1, 4)},
			"major":       {Filter{Class: "CJ/T 214-2007:component:01"}, pick(1, 2, 3, 4, 5, 6)},
			"component":   {Filter{Component: "C1"}, pick(2)},
			"source":      {Filter{Source: cases.SourceSensor}, pick(7)},
			"department":  {Filter{Department: "A"}, pick(4, 5, 6)},
			"its open":    {Filter{Department: "A", Open: true}, pick(4, 5)},
			"handler":     {Filter{Handler: "A", States: []cases.State{cases.Handling}}, pick(4)},
			"inspector":   {Filter{Inspector: "inspector"}, pick(5)},
			"since":       {Filter{Since: w.summary(ids[4]).Reported}, pick(5, 6, 7)},
			"until":       {Filter{Until: w.summary(ids[1]).Reported}, pick(1)},
			"both":        {Filter{Since: w.summary(ids[1]).Reported, Until: w.summary(ids[3]).Reported}, pick(2, 3)},
			"near":        {Filter{Near: inCell(3, 40), Metres: 41}, pick(3)},
			"department ": {Filter{Department: "A", Cell: string(cellOf(5)), Light: limits.Green}, pick(5)},
		} {
			if got := w.list(row.f); !slices.Equal(sorted(got), sorted(row.want)) {
				t.Errorf("%s: %v, want %v", name, got, row.want)
			}
		}
		for _, after := range []time.Duration{0, 3 * time.Hour, 5 * time.Hour, 100 * time.Hour} {
			w.clock.add(after)
			w.lights()
		}
	})
}

func (w *town) summary(id cases.CaseID) Summary {
	w.tb.Helper()
	list, err := w.List(context.Background(), Filter{})
	must(w.tb, err)
	n := slices.IndexFunc(list, func(s Summary) bool { return s.ID == id })
	return list[n]
}

// lights wants each filter of a light to list what the list shows in it.
func (w *town) lights() {
	w.tb.Helper()
	all, err := w.List(context.Background(), Filter{})
	must(w.tb, err)
	for _, l := range []limits.Light{limits.None, limits.Green, limits.Yellow, limits.Red} {
		var want []cases.CaseID
		for _, s := range all {
			if s.Light == l {
				want = append(want, s.ID)
			}
		}
		if got := w.list(Filter{Light: l}); !slices.Equal(got, want) {
			w.tb.Errorf("%s at %s: %v, want %v", l, w.clock.now(), got, want)
		}
	}
}

func TestWrongFilters(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db")
	w.new(2)
	gcj := inCell(2, 0)
	gcj.CRS = schemas.GCJ02
	for name, f := range map[string]Filter{
		"metres without place": {Metres: 10}, "place without metres": {Near: inCell(2, 0)}, "negative": {Near: inCell(2, 0), Metres: -1}, "far": {Near: inCell(2, 0), Metres: 1e6},
		"not a number": {Near: inCell(2, 0), Metres: math.NaN()}, "no place": {Near: schemas.Position{Lon: 500, CRS: schemas.WGS84}, Metres: 10}, "shifted": {Near: gcj, Metres: 10},
		"cell": {Cell: "11'; --"}, "light": {Light: "blue"}, "state": {States: []cases.State{"odd"}}, "request": {Request: "odd"}, "source": {Source: "odd"},
	} {
		if _, err := w.List(context.Background(), f); !isField(err) {
			t.Errorf("%s: list %v", name, err)
		}
		if _, err := w.Count(context.Background(), f); !isField(err) {
			t.Errorf("%s: count %v", name, err)
		}
	}
	if _, err := w.Case(context.Background(), ""); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// TestPages reads pages while cases arrive: each is there once.
func TestPages(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		for n := range 60 {
			w.new(1 + n%7)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := range 40 {
				if _, err := w.Act(context.Background(), Submission{Entry: report(1 + n%7)}); err != nil {
					t.Error(err)
				}
			}
		})
		for _, f := range []Filter{{Limit: 7}, {Limit: 7, Cell: string(cellOf(2))}, {Limit: 3, Near: inCell(4, 60), Metres: 150, Open: true}} {
			seen := map[cases.CaseID]bool{}
			first := int64(0)
			for page := f; ; {
				list, err := w.List(context.Background(), page)
				must(t, err)
				for _, s := range list {
					if seen[s.ID] || page.Before > 0 && s.Number >= page.Before {
						t.Errorf("%s stands twice or out of order", s.ID)
					}
					seen[s.ID] = true
					page.Before = s.Number
					first = max(first, s.Number)
				}
				if len(list) < f.Limit {
					break
				}
			}
			f.Before, f.Limit = first+1, 1000
			list, err := w.List(context.Background(), f)
			must(t, err)
			if len(list) != len(seen) {
				t.Errorf("%+v: %d on pages, %d at once", f, len(seen), len(list))
			}
		}
		wg.Wait()
	})
}

// TestNearIsExact: the corners of the square are no part of a page and of its limit.
func TestNearIsExact(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		gcj := func(p schemas.Position) schemas.Position {
			if p.CRS == schemas.GCJ02 {
				p.Lon, p.Lat = p.Lon-0.006, p.Lat-0.001
			}
			p.CRS = schemas.CGCS2000
			return p
		}
		w := openTown(t, dsn, func(o *Options) {
			o.Plain = func(p schemas.Position) schemas.Position {
				if !p.Known() {
					return p
				}
				return gcj(p)
			}
		})
		here := inCell(50, 0)
		e := report(50)
		inside := w.act("", e).Case.ID // the oldest
		for range 12 {                 // in the corner: 85 m east and north of it
			e.Report.Position = inCell(50, 85)
			e.Report.Position.Lon += 85 / perDegree / math.Cos(39.9*math.Pi/180)
			w.act("", e)
		}
		if got := w.list(Filter{Near: here, Metres: 100, Limit: 10}); len(got) != 1 || got[0] != inside {
			t.Errorf("%v, want %s", got, inside)
		}
		if n, err := w.Count(context.Background(), Filter{Near: here, Metres: 100}); err != nil || n != 1 {
			t.Errorf("counted %d, %v", n, err)
		}
		e.Report.Position = schemas.Position{Lon: here.Lon + 0.006, Lat: here.Lat + 0.001, CRS: schemas.GCJ02}
		shifted := w.act("", e).Case.ID
		edge := schemas.Position{Lon: here.Lon + 0.006, Lat: here.Lat + 0.001, CRS: schemas.GCJ02}
		if got := w.list(Filter{Near: edge, Metres: 1}); !slices.Equal(sorted(got), sorted([]cases.CaseID{inside, shifted})) {
			t.Errorf("%v from a shifted map", got)
		}
		if got := w.list(Filter{Near: here, Metres: 0.5}); len(got) != 2 {
			t.Errorf("%v at the place", got)
		}
		for _, north := range []float64{99.9, 100.1} {
			got := w.list(Filter{Near: inCell(50, -north), Metres: 100})
			if (len(got) == 2) != (north < 100) {
				t.Errorf("%v at %v m", got, north)
			}
		}
	})
}

func TestSimilar(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		with := report(2)
		with.Report.Component = "C1"
		same := w.act("", with).Case.ID
		near := w.new(2)
		other := report(2)
		other.Report.Class.Code = "0102"
		w.act("", other)
		w.new(9)
		gone := w.new(2)
		w.through(gone, cases.ActReject)
		got := func(c schemas.ComponentID, p schemas.Position) (ids []cases.CaseID) {
			list, err := w.Similar(context.Background(), coverClass, c, p, 50)
			must(t, err)
			for _, s := range list {
				ids = append(ids, s.ID)
			}
			return ids
		}
		if ids := got("C1", inCell(2, 10)); !slices.Equal(ids, []cases.CaseID{same, near}) {
			t.Errorf("%v", ids)
		}
		if ids := got("", inCell(2, 10)); len(ids) != 2 {
			t.Errorf("%v", ids)
		}
		if ids := got("C1", schemas.Position{}); !slices.Equal(ids, []cases.CaseID{same}) {
			t.Errorf("%v", ids)
		}
		shifted := inCell(2, 0)
		shifted.CRS = schemas.GCJ02
		if ids := got("", shifted); len(ids) != 0 {
			t.Errorf("%v at a place that nobody can turn", ids)
		}
	})
}
