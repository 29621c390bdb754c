package district

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/codes"
)

func mustNew(t *testing.T, o Options) *District {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// digest is that of all files of a census.
func digest(t *testing.T, o Options, spoil int) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := mustNew(t, o).WriteCensus(t.Context(), dir, spoil); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 8 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	sum := sha256.New()
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(data)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func TestSameSeedSameBytes(t *testing.T) {
	o := Options{Seed: 7, Cells: 500, Components: 5000}
	if a, b := digest(t, o, 1), digest(t, o, 1); a != b {
		t.Error("two districts of the same options differ")
	}
	other := o
	other.Seed = 8
	if digest(t, o, 0) == digest(t, other, 0) {
		t.Error("two seeds make the same district")
	}
}

func TestCodes(t *testing.T) {
	lists, err := codes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, standard := range []string{codes.CJT214, codes.GBT47678} {
		d := mustNew(t, Options{Seed: 1, Components: 60_000, Standard: standard})
		for a := range d.Areas() {
			if err := a.Code.Validate(); err != nil || !County.Contains(a.Code) {
				t.Errorf("%s: %v", a.Code, err)
			}
		}
		seen := map[schemas.ComponentID]bool{}
		length := map[int]int{}
		for c := range d.Components() {
			if seen[c.ID] {
				t.Fatalf("%s twice", c.ID)
			}
			seen[c.ID] = true
			if c.Class.Standard != standard {
				continue
			}
			length[len(c.ID)]++
			parts, class, err := lists.ParseComponent(standard, string(c.ID))
			if err != nil || parts.Within(County) != nil || class.Ref != c.Class || class.ZH != c.ClassName {
				t.Fatalf("%s of %s: %v", c.ID, c.Class, err)
			}
		}
		if want := map[string]int{codes.CJT214: 16, codes.GBT47678: 17}[standard]; len(length) != 1 || length[want] < 50_000 {
			t.Errorf("%s: lengths of ids %v", standard, length)
		}
	}
}

// TestCellsAreNumberedAsWritten holds the order of codes against the ground: left to
// right and top to bottom in each community.
func TestCellsAreNumberedAsWritten(t *testing.T) {
	d := mustNew(t, Options{Seed: 9, Cells: 1234})
	seen := map[[2]int]bool{}
	last, n := "", 0
	for c := range d.Cells() {
		if _, err := codes.ParseCell(string(c.Code)); err != nil || len(c.Code) != 15 || string(c.Code) <= last {
			t.Fatalf("%s after %s: %v", c.Code, last, err)
		}
		b := d.plan.block(n)
		if at := [2]int{b.row, b.column}; seen[at] || !d.plan.has(b.row, b.column) {
			t.Fatalf("%s at %v, which is taken or missing", c.Code, at)
		} else {
			seen[at] = true
		}
		if c.Area < 6_000 || c.Area > 15_000 {
			t.Errorf("%s has %d m2", c.Code, c.Area)
		}
		last, n = string(c.Code), n+1
	}
	if n != 1234 {
		t.Errorf("%d cells", n)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{Cells: 59}, {Cells: 200_001}, {Components: 999}, {Departments: 6}, {Departments: 21}, {Inspectors: 3},
		{Meters: 40_000}, {Standard: "GB/T 30428.2-2013"}, {Collector: "a/b"}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	d := mustNew(t, Options{Seed: 1, MeterIDs: []schemas.MeterID{"G-000007", "x"}})
	if c := d.Component(49_998); c.Meter != "G-000007" || c.Class.Code != "gas_meter" {
		t.Errorf("the first meter is %s of %s", c.Meter, c.Class)
	}
	for _, o := range []YearOptions{{Cases: -1}, {Days: 400}, {Starts: "x"}, {Rework: "x"}, {Illegal: 1001}} {
		if _, err := d.Year(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// TestYearOfEverything: a year has every act, every illegal one, every ratio and
// count, in the order of the hub's clock, and is the same each time.
func TestYearOfEverything(t *testing.T) {
	d := mustNew(t, Options{Seed: 1})
	y, err := d.Year(YearOptions{Cases: 8000, Illegal: 100})
	if err != nil {
		t.Fatal(err)
	}
	truth := y.Truth()
	names, reasons := map[string]int{}, map[string]int{}
	before := y.From()
	for a := range y.Acts() {
		truth.Tell(a)
		names[a.Act]++
		reasons[a.Illegal]++
		if a.ReceivedAt.Before(before) || !a.ReceivedAt.Before(y.To()) {
			t.Fatalf("%s of %s is received at %s, after %s", a.Act, a.Case, a.ReceivedAt, before)
		}
		before = a.ReceivedAt
	}
	if len(names) != 24 {
		t.Errorf("%d acts, want all 24 of docs/cases.md: %v", len(names), names)
	}
	if want := strings.Count(sources(t), "l.bad(\""); len(reasons)-1 != want {
		t.Errorf("%d kinds of acts that are not allowed, the source has %d: %v", len(reasons)-1, want, reasons)
	}
	var all Sums
	for g, s := range truth.Finish() {
		if g.Dimension != "city" {
			continue
		}
		for i := range s.Ratios {
			all.Ratios[i][0] += s.Ratios[i][0]
			all.Ratios[i][1] += s.Ratios[i][1]
		}
		for i := range s.Counts {
			all.Counts[i] += s.Counts[i]
		}
	}
	for i, name := range Ratios() {
		if r := all.Ratios[i]; r[0] == 0 || r[0] >= r[1] {
			t.Errorf("%s is %v, which would hide a mistake", name, r)
		}
	}
	for i, name := range Counts() {
		if all.Counts[i] == 0 {
			t.Errorf("there are no %s", name)
		}
	}
	if truth.Open == 0 || truth.Cases < 7900 {
		t.Errorf("%d cases, %d open", truth.Cases, truth.Open)
	}
}

func sources(t *testing.T) (all string) {
	t.Helper()
	for _, name := range []string{"life.go", "handle.go"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all += string(data)
	}
	return all
}

func TestSameSeedSameYear(t *testing.T) {
	list := func() (out []string) {
		y, err := mustNew(t, Options{Seed: 3, Cells: 100, Components: 1000}).Year(YearOptions{Cases: 300, Days: 40, Illegal: 50})
		if err != nil {
			t.Fatal(err)
		}
		for a := range y.Acts() {
			out = append(out, fmt.Sprint(a.Case, a.Act, a.Person, a.ReceivedAt, a.Media, a.Illegal))
		}
		return out
	}
	if !slices.Equal(list(), list()) {
		t.Error("the same options make another year")
	}
}

func TestCensusStops(t *testing.T) {
	d := mustNew(t, Options{Seed: 1})
	if _, err := d.WriteCensus(t.Context(), filepath.Join(t.TempDir(), "none"), 0); err == nil {
		t.Error("a folder that is not there is taken")
	}
	if _, err := d.WriteCensus(t.Context(), t.TempDir(), 100_000); err == nil {
		t.Error("more mistakes than records are taken")
	}
}

// BenchmarkComponents makes a million components and keeps none.
func BenchmarkComponents(b *testing.B) {
	d, err := New(Options{Seed: 1, Components: 1_000_000, Cells: 20_000})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n := 0
		for range d.Components() {
			n++
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB")
}

// TestSpoilNeedsRecords wants no mistake left out without a word.
func TestSpoilNeedsRecords(t *testing.T) {
	d := mustNew(t, Options{Seed: 7, Cells: 600, Components: 5000, Meters: -1})
	if _, err := d.WriteCensus(t.Context(), t.TempDir(), 1); err == nil || !strings.Contains(err.Error(), "meter_links.csv has too few records") {
		t.Error(err)
	}
	d = mustNew(t, Options{Seed: 7, Cells: 600, Components: 5000})
	c, err := d.WriteCensus(t.Context(), t.TempDir(), 2)
	if err != nil || len(c.Spoilt) != 2*len(Mistakes()) {
		t.Errorf("%d mistakes of %d kinds: %v", len(c.Spoilt), len(Mistakes()), err)
	}
}

// TestDatesOfAnotherZone reads the dates of the files as the census does, where a day
// is one of China's, and wants the moments of the district.
func TestDatesOfAnotherZone(t *testing.T) {
	for _, zone := range []*time.Location{nil, time.UTC, time.FixedZone("", -5*3600)} {
		d := mustNew(t, Options{Seed: 7, Cells: 60, Components: 1000, Zone: zone})
		for l := range d.MeterLinks() {
			text := date(l.From)
			got, err := time.ParseInLocation("20060102", text, time.FixedZone("", 8*3600))
			if err != nil {
				got, err = time.Parse(time.RFC3339, text)
			}
			if err != nil || !got.Equal(l.From) {
				t.Fatalf("%v: %s is written %s: %v", zone, l.From, text, err)
			}
		}
	}
}
