// Package census reads and writes the files in which a city keeps its grid: areas,
// cells, duty grids, components, departments, people and meter links, as CSV,
// GeoJSON and Shapefile.
//
// Read gives one record at a time and keeps none, so that a million components take
// no more memory than one. Whatever is wrong with a record goes to a Report with its
// line, field, rule and remedy, and the record is left out; the caller imports all
// or, when Report.Err says so, nothing. Nothing is corrected or guessed: not the
// reference system, not the character set, not a code that a spreadsheet has made a
// number of.
//
// Write gives what Read takes: reading what was written gives equal records.
package census

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
)

// Kind is what the records of a file are.
type Kind string

// The kinds, each with the type that Read gives.
const (
	Areas       Kind = "areas"       // registry.Area
	Cells       Kind = "cells"       // registry.Cell
	Duties      Kind = "duties"      // registry.DutyGrid
	Components  Kind = "components"  // registry.Component
	Departments Kind = "departments" // registry.Department
	People      Kind = "people"      // registry.Person
	MeterLinks  Kind = "meter_links" // registry.MeterLink
)

// Kinds are all kinds, in the order in which they are imported: what a record
// refers to comes before it.
func Kinds() []Kind {
	return []Kind{Areas, Cells, Duties, Departments, People, Components, MeterLinks}
}

// Thing is a record of a file.
type Thing interface {
	registry.Area | registry.Cell | registry.DutyGrid | registry.Component |
		registry.Department | registry.Person | registry.MeterLink
}

// Format is how a file is written.
type Format string

// The formats. A Shapefile is read as .shp with its .dbf beside it, or as the .zip of
// them, and written as .zip.
const (
	CSV       Format = "csv"
	GeoJSON   Format = "geojson"
	Shapefile Format = "shapefile"
)

// FormatOf tells the format by the ending of a file's name.
func FormatOf(file string) (Format, error) {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".csv":
		return CSV, nil
	case ".geojson", ".json":
		return GeoJSON, nil
	case ".shp", ".zip":
		return Shapefile, nil
	}
	return "", fmt.Errorf("%s: the ending tells no format; name csv, geojson or shapefile", filepath.Base(file))
}

// Options say how to read or write a file.
type Options struct {
	// CRS is the reference system of the file's coordinates; needed for areas, cells
	// and components. Where the file names one itself and it is another, that is an
	// error.
	CRS geo.CRS
	// Format is told by the ending of the file's name when empty.
	Format Format
	// Mapping names the columns; nil is Plain.
	Mapping *Mapping
	// Standard is the code list of class codes and component ids where the file does
	// not name one; it goes before that of the mapping.
	Standard string
	// Encoding is the character set of a CSV file or of a Shapefile without a .cpg
	// file: "utf-8" (taken for CSV when empty) or "gb18030", which GBK and GB 2312
	// are part of.
	Encoding string
	// MaxProblems bounds the list of problems, 1,000 when 0; more are only counted.
	MaxProblems int
	// More are the columns of the city's own attributes to write; a component with
	// another one is an error. GeoJSON needs none.
	More []string
	// TempDir is where a Shapefile is put together, os.TempDir when empty.
	TempDir string
}

const (
	defaultProblems = 1000
	// maxRecord bounds one record in bytes: a province at survey detail has less.
	maxRecord = 16 << 20
	// maxColumns bounds the columns of a file, maxColumnName the characters of a name.
	maxColumns, maxColumnName = 1024, 100
)

func (o Options) mapping() *Mapping {
	if o.Mapping != nil {
		return o.Mapping
	}
	return Plain()
}

func (o Options) standard() string {
	if o.Standard != "" {
		return o.Standard
	}
	return o.mapping().Standard
}

// china is the zone of dates without one.
func china() *time.Location { return time.FixedZone("", 8*60*60) }
