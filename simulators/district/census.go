package district

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"citygrid/schemas"
)

// CRSName is the reference system of the census files.
const CRSName = "EPSG:4490"

// Census is what WriteCensus has written; it is kept beside the files as
// district.json.
type Census struct {
	Note     string `json:"note"`
	Seed     uint64 `json:"seed"`
	County   string `json:"county"`
	CRS      string `json:"crs"`
	Standard string `json:"standard"`
	// Files are in the order in which they are to be imported.
	Files []CensusFile `json:"files"`
	// Unplaced are how many components have no position, Ownerless how many no owner.
	Unplaced  int       `json:"unplaced"`
	Ownerless int       `json:"ownerless"`
	Spoilt    []Mistake `json:"spoilt,omitempty"`
}

// CensusFile is one of the files. Kind is the word for its records.
type CensusFile struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Records int    `json:"records"`
}

// The files. Cells are GeoJSON, a feature a line; all else is CSV in UTF-8.
const (
	areasFile, cellsFile, dutiesFile       = "areas.csv", "cells.geojson", "duties.csv"
	departmentsFile, peopleFile, linksFile = "departments.csv", "people.csv", "meter_links.csv"
	componentsFile                         = "components.csv"
)

// WriteCensus writes the census into dir, which must exist, as files in the columns
// of the mapping "plain". With spoil above 0 it makes so many mistakes of each kind
// of Mistakes, each in a record of its own, and lists them. It holds one record at a
// time. After an error the folder is to be thrown away.
func (d *District) WriteCensus(ctx context.Context, dir string, spoil int) (*Census, error) {
	w := &censusWriter{d: d, dir: dir, out: Census{
		Note: "An invented district: no place, street or person of it is real, and " + string(County) + " is given to nobody.",
		Seed: d.o.Seed, County: string(County), CRS: CRSName, Standard: d.o.Standard}}
	if err := w.spoil(spoil); err != nil {
		return nil, fmt.Errorf("write census: %w", err)
	}
	for _, step := range []func(context.Context) error{w.areas, w.cells, w.duties, w.departments, w.people, w.components, w.links} {
		if err := errors.Join(ctx.Err(), step(ctx)); err != nil {
			return nil, fmt.Errorf("write census: %w", err)
		}
	}
	data, err := json.MarshalIndent(&w.out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write census: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "district.json"), append(data, '\n'), 0o644); err != nil {
		return nil, fmt.Errorf("write census: %w", err)
	}
	return &w.out, nil
}

type censusWriter struct {
	d        *District
	dir      string
	out      Census
	mistakes map[string]map[int]fault // by file and record
}

// write makes a CSV file of the rows.
func (w *censusWriter) write(ctx context.Context, kind, name string, columns []string, rows iter.Seq[[]string]) (err error) {
	f, err := os.Create(filepath.Join(w.dir, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffer := bufio.NewWriterSize(f, 1<<20)
	out := csv.NewWriter(buffer)
	if err := out.Write(columns); err != nil {
		return err
	}
	n, before := 0, []string(nil)
	for row := range rows {
		n++
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if m, ok := w.mistakes[name][n]; ok {
			w.note(m, name, n, n+1, columns, row, before)
		}
		if err := out.Write(row); err != nil {
			return err
		}
		before = append(before[:0], row...)
	}
	out.Flush()
	w.out.Files = append(w.out.Files, CensusFile{kind, name, n})
	return errors.Join(out.Error(), buffer.Flush())
}

func (w *censusWriter) areas(ctx context.Context) error {
	return w.write(ctx, "areas", areasFile, strings.Split("code,name,kind,wkt,crs", ","), func(yield func([]string) bool) {
		for a := range w.d.Areas() {
			if !yield([]string{string(a.Code), a.Name, a.Kind, wkt(a.Ring), CRSName}) {
				return
			}
		}
	})
}

func wkt(ring [][2]float64) string {
	points := make([]string, len(ring))
	for i, p := range ring {
		points[i] = degree(p[0]) + " " + degree(p[1])
	}
	return "POLYGON((" + strings.Join(points, ",") + "))"
}

// degree writes all digits of a coordinate, to the millimetre.
func degree(v float64) string { return strconv.FormatFloat(v, 'f', 8, 64) }

func (w *censusWriter) duties(ctx context.Context) error {
	return w.write(ctx, "duties", dutiesFile, strings.Split("code,name,inspectors", ","), func(yield func([]string) bool) {
		for _, g := range w.d.DutyGrids() {
			if !yield([]string{string(g.Code), g.Name, strings.Join(g.Inspectors, ";")}) {
				return
			}
		}
	})
}

func (w *censusWriter) departments(ctx context.Context) error {
	return w.write(ctx, "departments", departmentsFile, strings.Split("id,name,classes,phone", ","), func(yield func([]string) bool) {
		for _, g := range w.d.Departments() {
			classes := make([]string, len(g.Classes))
			for i, c := range g.Classes {
				classes[i] = c.String()
			}
			if !yield([]string{g.ID, g.Name, strings.Join(classes, ";"), g.Phone}) {
				return
			}
		}
	})
}

func (w *censusWriter) people(ctx context.Context) error {
	return w.write(ctx, "people", peopleFile, strings.Split("id,name,roles,department,duty", ","), func(yield func([]string) bool) {
		for _, p := range w.d.People() {
			duty := make([]string, len(p.Duty))
			for i, c := range p.Duty {
				duty[i] = string(c)
			}
			if !yield([]string{p.ID, p.Name, strings.Join(p.Roles, ";"), p.Department, strings.Join(duty, ";")}) {
				return
			}
		}
	})
}

func (w *censusWriter) components(ctx context.Context) error {
	columns := strings.Split("id,class,class_name,name,x,y,crs,accuracy,cell,state,authority,owner,upkeep,location,source,recorded,changed,note", ",")
	return w.write(ctx, "components", componentsFile, columns, func(yield func([]string) bool) {
		for c := range w.d.Components() {
			if c.Ownerless() {
				w.out.Ownerless++
			}
			if !c.Position.Known() {
				w.out.Unplaced++
			}
			if !yield(componentRow(&c)) {
				return
			}
		}
	})
}

func componentRow(c *Component) []string {
	x, y, crs, cell := "", "", "", ""
	if c.Position.Known() {
		x, y, crs, cell = degree(c.Position.Lon), degree(c.Position.Lat), CRSName, string(c.Cell)
	}
	return []string{string(c.ID), c.Class.String(), c.ClassName, c.Name, x, y, crs, c.Accuracy, cell, c.State,
		c.Authority, c.Owner, c.Upkeep, c.Location, c.Source, date(c.Recorded), date(c.Changed), c.Note}
}

// date writes a moment as the census reads it: a day is one of China's, whatever the
// zone of the district, and what does not begin one is written in full.
func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	day := t.In(time.FixedZone("", 8*60*60))
	if h, m, s := day.Clock(); h+m+s > 0 {
		return t.UTC().Format(time.RFC3339)
	}
	return day.Format("20060102")
}

func (w *censusWriter) links(ctx context.Context) error {
	return w.write(ctx, "meter_links", linksFile, strings.Split("meter,component,collector,line,from", ","), func(yield func([]string) bool) {
		for l := range w.d.MeterLinks() {
			if !yield([]string{string(l.Meter), string(l.Component), string(l.Collector), l.Line, date(l.From)}) {
				return
			}
		}
	})
}

// cells writes GeoJSON with the old member crs [GeoJSON 2008 3], since the degrees
// are not those of RFC 7946.
func (w *censusWriter) cells(ctx context.Context) (err error) {
	f, err := os.Create(filepath.Join(w.dir, cellsFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(out, `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::4490"}},"features":[`)
	n, before := 0, Cell{}
	for c := range w.d.Cells() {
		n++
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if m, ok := w.mistakes[cellsFile][n]; ok {
			w.noteCell(m, n, &c, &before)
		}
		end := ",\n"
		if n == w.d.o.Cells {
			end = "\n"
		}
		out.WriteString(feature(&c))
		out.WriteString(end)
		before = c
	}
	fmt.Fprintln(out, "]}")
	w.out.Files = append(w.out.Files, CensusFile{"cells", cellsFile, n})
	return out.Flush()
}

// feature is a cell on one line. Its texts need no escapes.
func feature(c *Cell) string {
	points := make([]string, len(c.Ring))
	for i, p := range c.Ring {
		points[i] = "[" + degree(p[0]) + "," + degree(p[1]) + "]"
	}
	return fmt.Sprintf(`{"type":"Feature","properties":{"code":%q,"name":"%s","duty":%q,"area":%d},"geometry":{"type":"Polygon","coordinates":[[%s]]}}`,
		c.Code, c.Name, c.Duty, c.Area, strings.Join(points, ","))
}

// positionOf is a position in CGCS2000.
func positionOf(p [2]float64) schemas.Position {
	return schemas.Position{Lon: p[0], Lat: p[1], CRS: schemas.CGCS2000}
}
