package assets

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

type ringT = registry.Ring

func must1(tb testing.TB, class string) codes.Ref {
	tb.Helper()
	ref, err := codes.Parse(class)
	must(tb, err)
	return ref
}

// square is a cell of about 100 m, by its column and row.
func square(column, row int) string {
	x, y := 120.6+float64(column)*0.001, 31.3+float64(row)*0.001
	return fmt.Sprintf("\"POLYGON((%.4f %.4f,%.4f %.4f,%.4f %.4f,%.4f %.4f,%.4f %.4f))\"", x, y, x+.001, y, x+.001, y+.001, x, y+.001, x, y)
}

const (
	areasHead      = "code,name,kind,wkt\n"
	cellsHead      = "code,name,duty,from,to,wkt\n"
	componentsHead = "id,class,x,y,cell,authority,state\n"
	linksHead      = "meter,component,collector,line,from,to\n"
)

// town are the files of a town of two cells.
func town(tb testing.TB) []File {
	tb.Helper()
	return []File{
		plain(write1(tb, "areas.csv", areasHead+"320508,姑苏区,,\n320508001,street,2,\n320508001001,community,,\n")),
		plain(write1(tb, "cells.csv", cellsHead+"320508001001001,one,D1,,,"+square(0, 0)+"\n320508001001002,two,D1,,,"+square(1, 0)+"\n")),
		plain(write1(tb, "duties.csv", "code,name,inspectors\nD1,round,p1\n")),
		plain(write1(tb, "departments.csv", "id,name,classes,phone\nwater,Water,CJ/T 214-2007:component:0101,1\npower,Power,CJ/T 214-2007:component:01,2\n")),
		plain(write1(tb, "people.csv", "id,name,roles,department,duty\np1,Wang,inspector,,D1\n")),
		plain(write1(tb, "components.csv", componentsHead+
			"3205080101000001,CJ/T 214-2007:component:0101,120.6005,31.3005,,water,intact\n"+
			"3205080114000001,CJ/T 214-2007:component:0114,120.6015,31.3005,320508001001002,,\n"+
			"3205080101000002,CJ/T 214-2007:component:0101,,,,water,\n")),
		plain(write1(tb, "meter_links.csv", linksHead+"W-1,3205080101000001,edge-1,L1,20240101,20250101\nW-1,3205080114000001,edge-1,L1,20250101,\n")),
	}
}

// TestTown walks through what a small town's register answers.
func TestTown(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		r, ctx := mustOpen(t, dsn), t.Context()
		s := mustImport(t, r, town(t))
		if !s.Stored || s.Files[5].Unlocated != 1 || s.Files[5].NoPosition[0].Line != 4 {
			t.Errorf("%+v", s.Files[5])
		}
		p, err := r.OfMeter(ctx, "W-1", time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC))
		must(t, err)
		if p.Component != "3205080101000001" || p.Cell != "320508001001001" || p.Duty != "D1" || p.AreaKind != "2" || len(p.Departments) != 1 || p.Departments[0] != "water" || p.ClassName != "上水井盖" {
			t.Errorf("the meter in 2024: %+v", p)
		}
		p, err = r.OfMeter(ctx, "W-1", time.Time{})
		must(t, err)
		if p.Component != "3205080114000001" || p.Cell != "320508001001002" || len(p.Departments) != 1 || p.Departments[0] != "power" {
			t.Errorf("the meter now, at an ownerless cover: %+v", p)
		}
		if p, err = r.OfMeter(ctx, "W-2", time.Time{}); err != nil || p.Cell != "" || p.Departments != nil {
			t.Errorf("an unknown meter: %+v, %v", p, err)
		}
		list, err := r.Candidates(ctx, must1(t, "CJ/T 214-2007:component:0101"))
		if err != nil || fmt.Sprint(list) != "[power water]" {
			t.Errorf("candidates %v, %v", list, err)
		}
		people, err := r.People(ctx, PersonFilter{Duty: "D1"}, Page{})
		if err != nil || len(people) != 1 || people[0].Name != "Wang" {
			t.Errorf("who walks D1: %v, %v", people, err)
		}
		// Another program's import is seen, and so is a day on which nothing was imported.
		imports, err := r.Imports(ctx, 0, 0)
		if err != nil || len(imports) != 7 || imports[0].By != "zhang" || len(imports[0].SM3) != 64 {
			t.Errorf("%v, %v", imports, err)
		}
	})
}

// TestRefused wants each of these refused with a word of the reason at its line, and
// nothing changed; as a correction, where it is one, taken and noted.
func TestRefused(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		r, ctx := mustOpen(t, dsn), t.Context()
		mustImport(t, r, town(t))
		ended := plain(write1(t, "cells.csv", cellsHead+"320508001001002,two,D1,,20260101,"+square(1, 0)+"\n"))
		if _, err := r.Import(ctx, []File{ended}, ImportOptions{By: "li"}, nil); err != nil {
			t.Fatal(err)
		}
		want := dump(t, r)
		for _, c := range []struct {
			name, file, text string
			line             int
			word             string
			correct          bool
		}{
			{"another shape under a code", "cells.csv", cellsHead + "320508001001001,one,D1,,," + square(0, 5) + "\n", 2, "another shape", true},
			{"an end taken back", "cells.csv", cellsHead + "320508001001002,two,D1,,," + square(1, 0) + "\n", 2, "never given again", true},
			{"overlap with a cell that is there", "cells.csv", cellsHead + "320508001001003,x,D1,,," + strings.ReplaceAll(square(1, 0), "120.6010", "120.6008") + "\n", 2, "overlap", false},
			{"unknown community", "cells.csv", cellsHead + "320508001009001,x,D1,,," + square(1, 0) + "\n", 2, "not in the list of areas", false},
			{"unknown duty grid", "cells.csv", cellsHead + "320508001001003,x,D9,,," + square(1, 0) + "\n", 2, "not among the duties", false},
			{"unknown class", "components.csv", componentsHead + "3205080199000001,CJ/T 214-2007:component:0199,120.6005,31.3005,,,\n", 2, "0199", false},
			{"another county", "components.csv", componentsHead + "3205070101000009,CJ/T 214-2007:component:0101,120.6005,31.3005,,,\n", 2, "the county 320507 is not in the register", false},
			{"contradicting cell", "components.csv", componentsHead + "3205080101000009,CJ/T 214-2007:component:0101,120.6005,31.3005,320508001001002,,\n", 2, "is in cell 320508001001001", false},
			{"unknown cell", "components.csv", componentsHead + "3205080101000009,CJ/T 214-2007:component:0101,120.6005,31.3005,320508001001077,,\n", 2, "no such cell", false},
			{"unknown department", "components.csv", componentsHead + "3205080101000009,CJ/T 214-2007:component:0101,120.6005,31.3005,,gas,\n", 2, "not among the departments", false},
			{"meter at two places", "meter_links.csv", linksHead + "W-1,3205080101000001,edge-1,L1,20240601,\n", 2, "is also at", false},
			{"meter in the future twice", "meter_links.csv", linksHead + "W-2,3205080101000001,e,,20240601,\nW-2,3205080114000001,e,,20250601,\n", 2, "is also at", false},
			{"another component under a link", "meter_links.csv", linksHead + "W-1,3205080101000002,edge-1,L1,20250101,\n", 2, "has the meter at", true},
			{"unknown component", "meter_links.csv", linksHead + "W-3,none,edge-1,L1,20250101,\n", 2, "not among the components", false},
			{"unknown role", "people.csv", "id,name,roles\np2,Li,mayor\n", 2, "no such role", false},
			{"unknown inspector", "duties.csv", "code,name,inspectors\nD2,x,p9\n", 2, "not among the people", false},
			{"unknown class of a department", "departments.csv", "id,name,classes\nx,X,CJ/T 214-2007:component:77\n", 2, "no code list", false},
		} {
			files := []File{plain(write1(t, c.file, c.text))}
			s, err := r.Import(ctx, files, ImportOptions{By: "li"}, nil)
			var refused *RefusedError
			if !errors.As(err, &refused) || s.Stored || !said(s, c.line, c.word) {
				t.Errorf("%s: %v, %+v", c.name, err, s.Files)
			}
			if dump(t, r) != want {
				t.Fatalf("%s: the register has changed", c.name)
			}
			if c.correct {
				dry, err := r.Import(ctx, files, ImportOptions{By: "li", Correct: true, Reason: "resurveyed", DryRun: true}, nil)
				if err != nil || dry.Files[0].Changed != 1 {
					t.Errorf("%s as a correction: %v, %+v", c.name, err, dry)
				}
			}
		}
	})
}

func said(s Summary, line int, word string) bool {
	for _, f := range s.Files {
		for _, p := range f.Problems {
			if p.Line == line && strings.Contains(p.Rule, word) && p.Remedy != "" && p.Field != "" {
				return true
			}
		}
	}
	return false
}

// TestCorrection moves the edge between two cells by a survey: the component between
// the old and the new edge changes its cell, and the history says who and why.
func TestCorrection(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		r, ctx := mustOpen(t, dsn), t.Context()
		watching := mustOpen(t, dsn)
		mustImport(t, r, town(t))
		extra := plain(write1(t, "components.csv", componentsHead+"3205080101000003,CJ/T 214-2007:component:0101,120.60095,31.3005,,water,\n"))
		mustImport(t, r, []File{extra})
		moved := cellsHead + "320508001001001,one,D1,,," + strings.ReplaceAll(square(0, 0), "120.6010", "120.6009") + "\n320508001001002,two,D1,,," + strings.ReplaceAll(square(1, 0), "120.6010", "120.6009") + "\n"
		o := ImportOptions{By: "li", Correct: true, Reason: "resurveyed 2026"}
		s, err := r.Import(ctx, []File{plain(write1(t, "cells.csv", moved))}, o, nil)
		if err != nil || s.Files[0].Changed != 2 || s.Relocated != 1 {
			t.Fatalf("%v, %+v", err, s)
		}
		list, err := r.Components(ctx, ComponentFilter{Cell: "320508001001002"}, Page{})
		if err != nil || len(list) != 2 {
			t.Errorf("in the other cell: %v, %v", list, err)
		}
		history, err := r.Changes(ctx, census.Cells, "320508001001001")
		if err != nil || len(history) != 1 || history[0].By != "li" || history[0].Reason != "resurveyed 2026" || !strings.Contains(history[0].Before, "120.601") {
			t.Errorf("history %+v, %v", history, err)
		}
		// The other program's picture is renewed.
		watching.looked.Store(0)
		p, err := watching.At(ctx, schemas.Position{Lon: 120.60095, Lat: 31.3005, CRS: schemas.WGS84})
		if err != nil || p.Cell != "320508001001002" {
			t.Errorf("seen by another program: %+v, %v", p, err)
		}
		for _, bad := range []ImportOptions{{}, {By: "li", Correct: true}, {By: "li", Reason: "x"}} {
			if _, err := r.Import(ctx, []File{extra}, bad, nil); !errors.Is(err, ErrOptions) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

// TestSuccession lets a cell end on a day and two others begin: nothing is imported
// on that day, and the answers change with it.
func TestSuccession(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		c := newClock()
		r, ctx := mustOpenAt(t, dsn, c), t.Context()
		mustImport(t, r, town(t))
		text := cellsHead + "320508001001001,one,D1,,20270101," + square(0, 0) + "\n320508001001003,three,D1,20270101,," + square(0, 0) + "\n"
		mustImport(t, r, []File{plain(write1(t, "cells.csv", text))})
		at := schemas.Position{Lon: 120.6005, Lat: 31.3005, CRS: schemas.CGCS2000}
		for _, step := range []struct {
			now  time.Time
			want codes.CellCode
		}{{c.now(), "320508001001001"}, {time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC), "320508001001003"}} {
			c.set(step.now)
			p, err := r.At(ctx, at)
			must(t, err)
			q, err := r.OfComponent(ctx, "3205080101000001")
			must(t, err)
			if p.Cell != step.want || q.Cell != step.want {
				t.Errorf("%s: %q and %q, want %q", step.now, p.Cell, q.Cell, step.want)
			}
		}
		cells, err := r.Cells(ctx, CellFilter{Area: "320508001001"}, Page{})
		if err != nil || len(cells) != 2 {
			t.Errorf("valid cells %v, %v", cells, err)
		}
		all, err := r.Cells(ctx, CellFilter{Ended: true}, Page{Limit: 2})
		if err != nil || len(all) != 2 || all[1].Code != "320508001001002" {
			t.Errorf("the first page of all cells %v, %v", all, err)
		}
	})
}

// TestAwkward gives files that cannot be taken, and wants a reason for each.
func TestAwkward(t *testing.T) {
	r := mustOpen(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	mustImport(t, r, town(t))
	want := dump(t, r)
	for name, c := range map[string]struct{ file, text, word string }{
		"empty":              {"components.csv", "", ""},
		"no system":          {"cells.csv", cellsHead, "not named"},
		"unfinished JSON":    {"components.geojson", `{"type":"FeatureCollection","features":[{"type":"Feature"`, ""},
		"id as a number":     {"components.geojson", `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"id":32050801010000011},"geometry":null}]}`, "2^53"},
		"not an archive":     {"cells.zip", "PK not really", ""},
		"Shapefile alone":    {"cells.shp", "not a shape", ""},
		"twice in two files": {"components.csv", componentsHead + "3205080101000001,CJ/T 214-2007:component:0101,120.6005,31.3005,,water,intact\n", "also in"},
		"open quote":         {"people.csv", "id,name\n\"p3,Li\n", ""},
		"UTF-16":             {"people.csv", "\xff\xfei\x00d\x00", "UTF-16"},
	} {
		f := plain(write1(t, c.file, c.text))
		files := []File{f}
		if name == "no system" {
			files[0].Read = census.Options{}
		}
		if name == "twice in two files" {
			files = append(files, plain(write1(t, "components-2.csv", c.text)))
		}
		s, err := r.Import(t.Context(), files, ImportOptions{By: "li"}, nil)
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "nothing was changed") || !strings.Contains(fmt.Sprint(err, s.Files), c.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, files := range [][]File{nil, {plain("nowhere/cells.csv")}, {plain(write1(t, "list.csv", "x"))}} {
		if _, err := r.Import(t.Context(), files, ImportOptions{By: "li"}, nil); err == nil {
			t.Errorf("%v was taken", files)
		}
	}
	if dump(t, r) != want {
		t.Error("the register has changed")
	}
	for path, kind := range map[string]census.Kind{"a/cells-2026.shp": census.Cells, "Components.CSV": census.Components, "meter_links_1.csv": census.MeterLinks, "peoples.csv": "", "x.csv": ""} {
		if got := KindOf(path); got != kind {
			t.Errorf("KindOf(%q) = %q, want %q", path, got, kind)
		}
	}
}
