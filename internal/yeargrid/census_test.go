package yeargrid

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/hub/registry/geo"
	"citygrid/schemas/codes"
	"citygrid/simulators/district"
)

// read returns the records of a census file, and what is wrong with it.
func read[T census.Thing](ctx context.Context, file string) ([]T, *census.Report) {
	var list []T
	rep := &census.Report{}
	for _, v := range census.Read[T](ctx, file, census.Options{CRS: geo.CGCS2000()}, rep) {
		list = append(list, v)
	}
	return list, rep
}

// readAll reads all files of a census.
func readAll(t *testing.T, dir string) (cells []registry.Cell, communities []registry.Area, reports []*census.Report) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	areas, r := read[registry.Area](t.Context(), at("areas.csv"))
	reports = append(reports, r)
	for _, a := range areas {
		if len(a.Code) == 12 {
			communities = append(communities, a)
		}
	}
	cells, r = read[registry.Cell](t.Context(), at("cells.geojson"))
	reports = append(reports, r)
	_, r = read[registry.DutyGrid](t.Context(), at("duties.csv"))
	reports = append(reports, r)
	_, r = read[registry.Department](t.Context(), at("departments.csv"))
	reports = append(reports, r)
	_, r = read[registry.Person](t.Context(), at("people.csv"))
	reports = append(reports, r)
	_, r = read[registry.Component](t.Context(), at("components.csv"))
	reports = append(reports, r)
	_, r = read[registry.MeterLink](t.Context(), at("meter_links.csv"))
	return cells, communities, append(reports, r)
}

// TestCensusIsClean holds what the simulator writes against the importer's rules,
// in sizes whose last row of blocks is full, short and of one block.
func TestCensusIsClean(t *testing.T) {
	for _, o := range []district.Options{
		{Seed: 1, Components: 20_000},
		{Seed: 2, Cells: 361, Components: 3000, Standard: codes.GBT47678},
		{Seed: 3, Cells: 60, Components: 1000, Departments: 7, Inspectors: 4},
		{Seed: 4, Cells: 1501, Components: 1000},
	} {
		dir := t.TempDir()
		written := write(t, dir, o, 0)
		cells, communities, reports := readAll(t, dir)
		for n, r := range reports {
			if err := r.Err(); err != nil || r.Warnings > 0 {
				t.Errorf("seed %d: %v, warnings %d: %v", o.Seed, err, r.Warnings, r.Problems)
			}
			if r.Good != records(written, r.File) {
				t.Errorf("seed %d: file %d, %s: %d records read, %d written", o.Seed, n, r.File, r.Good, records(written, r.File))
			}
		}
		if r := reports[5]; r.Unlocated != written.Unplaced {
			t.Errorf("seed %d: %d components without a position, want %d", o.Seed, r.Unlocated, written.Unplaced)
		}
		findings, err := geo.CheckTopology(t.Context(), cells, geo.TopologyOptions{Communities: communities})
		if err != nil || len(findings) > 0 {
			t.Errorf("seed %d: %v, %d findings, the first %+v", o.Seed, err, len(findings), findings[:min(3, len(findings))])
		}
	}
}

func write(t *testing.T, dir string, o district.Options, spoil int) *district.Census {
	t.Helper()
	d, err := district.New(o)
	if err != nil {
		t.Fatal(err)
	}
	written, err := d.WriteCensus(t.Context(), dir, spoil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "district.json"))
	if err != nil {
		t.Fatal(err)
	}
	again := new(district.Census)
	if err := json.Unmarshal(data, again); err != nil || len(again.Spoilt) != len(written.Spoilt) {
		t.Fatalf("district.json: %v, %d mistakes, want %d", err, len(again.Spoilt), len(written.Spoilt))
	}
	return written
}

func records(c *district.Census, file string) int {
	for _, f := range c.Files {
		if f.Name == file {
			return f.Records
		}
	}
	return -1
}

// TestCellsOfComponents finds every component in the cell in which it was put.
func TestCellsOfComponents(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, district.Options{Seed: 5, Cells: 700, Components: 20_000}, 0)
	cells, _, _ := readAll(t, dir)
	byCode := map[codes.CellCode]registry.Shape{}
	for _, c := range cells {
		byCode[c.Code] = c.Shape
	}
	components, _ := read[registry.Component](t.Context(), filepath.Join(dir, "components.csv"))
	for _, c := range components {
		if c.Position.Known() && !geo.Contains(byCode[c.Cell], c.Position.Lon, c.Position.Lat) {
			t.Fatalf("%s at %v is not in cell %s", c.ID, c.Position, c.Cell)
		}
	}
}

// TestSpoiltCensus finds every mistake that a file shows by itself, at its line, and
// none besides. What takes the register or the code lists to see is the importer's.
func TestSpoiltCensus(t *testing.T) {
	beyondFile := map[string]bool{
		"id of another county": true, "class not in the list": true, "class without standard": true, "position outside all cells": true,
		"unknown department": true, "unknown duty grid": true, "unknown inspector": true, "role that is none": true,
		"person of an unknown department": true, "meter of an unknown component": true,
		"cell of another community": true, "cell of an unknown community": true, "gap": true, "overlap": true,
	}
	dir := t.TempDir()
	written := write(t, dir, district.Options{Seed: 6, Cells: 800, Components: 10_000}, 1)
	cells, communities, reports := readAll(t, dir)
	found := map[string]map[int]bool{}
	for _, r := range reports {
		found[r.File] = map[int]bool{}
		for _, p := range r.Problems {
			found[r.File][max(p.Line, p.Record+1)] = true
		}
	}
	wrong := map[string]map[int]bool{}
	for _, m := range written.Spoilt {
		if wrong[m.File] == nil {
			wrong[m.File] = map[int]bool{}
		}
		wrong[m.File][m.Line] = true
		if !beyondFile[m.Kind] && !found[m.File][m.Line] {
			t.Errorf("not found: %+v", m)
		}
	}
	for _, r := range reports {
		for _, p := range r.Problems {
			if !wrong[r.File][max(p.Line, p.Record+1)] {
				t.Errorf("found without being there: %v", p)
			}
		}
	}
	checkTopologyFinds(t, written, cells, communities)
}

func checkTopologyFinds(t *testing.T, written *district.Census, cells []registry.Cell, communities []registry.Area) {
	t.Helper()
	findings, err := geo.CheckTopology(t.Context(), cells, geo.TopologyOptions{Communities: communities})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]geo.FindingKind{"gap": geo.Gap, "overlap": geo.Overlap, "cell of another community": geo.Prefix, "cell of an unknown community": geo.Prefix}
	for _, m := range written.Spoilt {
		kind, ok := kinds[m.Kind]
		if !ok {
			continue
		}
		seen := false
		for _, f := range findings {
			if f.Kind != kind {
				continue
			}
			for _, c := range f.Cells {
				seen = seen || string(c) == m.Key || string(c) == m.Value
			}
		}
		if !seen {
			t.Errorf("the topology check does not find %+v", m)
		}
	}
}
