package district

import (
	"fmt"
	"slices"
	"strings"
)

// Mistake is something that is wrong in a census on purpose.
type Mistake struct {
	// Kind is one of Mistakes; File, Record and Line where it is, both counted from 1,
	// the line of column names included in lines.
	Kind   string `json:"kind"`
	File   string `json:"file"`
	Record int    `json:"record"`
	Line   int    `json:"line"`
	Field  string `json:"field"` // the column or property; "geometry" for a polygon
	Key    string `json:"key"`   // the code or id that the record should have had
	Value  string `json:"value"` // what it has instead
	Rule   string `json:"rule"`  // what is broken
}

// fault is a kind of mistake: in a row of CSV, or in a cell.
type fault struct {
	kind, file, field, rule string
	// row returns the wrong value of the field; before is the row before.
	row func(value string, before []string, columns []string) string
	// suits, where it is not nil, says which rows will do.
	suits func(d *District, record int) bool
	cell  func(c, before *Cell)
}

// Mistakes lists the kinds of mistakes.
func Mistakes() (kinds []string) {
	for _, f := range faults() {
		kinds = append(kinds, f.kind)
	}
	return kinds
}

func constant(s string) func(string, []string, []string) string {
	return func(string, []string, []string) string { return s }
}

func faults() []fault {
	return slices.Concat(componentFaults(), cellFaults(), otherFaults())
}

func componentFaults() []fault {
	inFile := func(kind, field, rule string, row func(string, []string, []string) string) fault {
		return fault{kind: kind, file: componentsFile, field: field, rule: rule, row: row}
	}
	placed := func(d *District, n int) bool { c := d.Component(n - 1); return c.Position.Known() }
	listed := func(d *District, n int) bool { c := d.Component(n - 1); return c.Class.Standard == d.o.Standard }
	at := func(f fault, suits func(*District, int) bool) fault { f.suits = suits; return f }
	return []fault{
		inFile("duplicate id", "id", "the id is that of the record before", func(_ string, before, columns []string) string { return before[0] }),
		at(inFile("id of another county", "id", "the first six digits are not the county's", func(v string, _, _ []string) string { return "320508" + v[6:] }), listed),
		at(inFile("id too short", "id", "a digit of the id is missing", func(v string, _, _ []string) string { return v[:len(v)-1] }), listed),
		at(inFile("id in scientific notation", "id", "a spreadsheet has made a number of the id", func(v string, _, _ []string) string { return v[:1] + "." + v[1:5] + "E+15" }), listed),
		at(inFile("class not in the list", "class", "no list has the class, and the id has another", func(v string, _, _ []string) string {
			return v[:strings.LastIndex(v, ":")+3] + strings.Repeat("9", len(v)-strings.LastIndex(v, ":")-3)
		}), listed),
		inFile("class without standard", "class", "the class is of a list that nobody has", constant("Q/CG 1-1999:component:0101")),
		at(inFile("longitude and latitude swapped", "y", "the latitude is the longitude", constant("")), placed),
		at(inFile("position 0,0", "x", "0,0 stands for an unknown position", constant("0")), placed),
		at(inFile("position outside all cells", "x", "the position is in no cell", constant("121.40000000")), placed),
		at(inFile("position in degrees and minutes", "x", "not decimal degrees", constant("120°56′24″")), placed),
		at(inFile("only one coordinate", "y", "one of the two coordinates is missing", constant("")), placed),
		at(inFile("reference system of another kind", "crs", "the record names another reference system than the file", constant("GCJ-02")), placed),
		inFile("date that is none", "recorded", "there is no such day", constant("20251332")),
		inFile("state that is none", "state", "no word for a state", constant("broken")),
		inFile("accuracy class that is none", "accuracy", "no accuracy class", constant("D")),
		inFile("unknown department", "authority", "no department has the id", constant("D99")),
		inFile("location too long", "location", "more than 256 characters", constant(strings.Repeat("路", 257))),
		inFile("characters lost", "location", "a character was lost in conversion", constant("清\uFFFD路")),
	}
}

func cellFaults() []fault {
	cell := func(kind, field, rule string, do func(c, before *Cell)) fault {
		return fault{kind: kind, file: cellsFile, field: field, rule: rule, cell: do}
	}
	return []fault{
		cell("duplicate cell", "code", "the code is that of the record before", func(c, before *Cell) { c.Code = before.Code }),
		cell("cell of another community", "code", "the cell lies in another community than its code says", func(c, _ *Cell) {
			if community := "001001"; string(c.Code[6:12]) != community {
				c.Code = c.Code[:6] + "001001" + "9" + c.Code[13:]
				return
			}
			c.Code = c.Code[:6] + "001002" + "9" + c.Code[13:]
		}),
		cell("cell of an unknown community", "code", "no area has the community of the code", func(c, _ *Cell) { c.Code = c.Code[:9] + "998" + c.Code[12:] }),
		cell("cell code too short", "code", "the serial is missing", func(c, _ *Cell) { c.Code = c.Code[:12] }),
		cell("gap", "geometry", "a strip between the cell and its western neighbour is in neither", func(c, _ *Cell) { c.move(1, 8) }),
		cell("overlap", "geometry", "the cell covers a part of its western neighbour", func(c, _ *Cell) { c.move(1, -8) }),
		cell("ring not closed", "geometry", "the last point is not the first one", func(c, _ *Cell) { c.Ring = c.Ring[:len(c.Ring)-1] }),
		cell("ring that crosses itself", "geometry", "two edges cross", func(c, _ *Cell) {
			c.Ring = slices.Clone(c.Ring)
			c.Ring[2], c.Ring[4] = c.Ring[4], c.Ring[2]
		}),
		cell("unknown duty grid", "duty", "no duty grid has the code", func(c, _ *Cell) { c.Duty = "ZR-998" }),
	}
}

// move pushes a point of the ring into the cell by some metres towards its middle,
// or out.
func (c *Cell) move(point int, metres float64) {
	c.Ring = slices.Clone(c.Ring)
	var lon, lat float64
	for _, p := range c.Ring[1:] {
		lon, lat = lon+p[0]/float64(len(c.Ring)-1), lat+p[1]/float64(len(c.Ring)-1)
	}
	by := metres / (side / 2)
	p := &c.Ring[point]
	p[0], p[1] = p[0]+(lon-p[0])*by, p[1]+(lat-p[1])*by
}

func otherFaults() []fault {
	return []fault{
		{kind: "area code with zeros", file: areasFile, field: "code", rule: "zeros stand for no street", row: constant(string(County) + "000001")},
		{kind: "unknown inspector", file: dutiesFile, field: "inspectors", rule: "no person has the id", row: constant("inspector-998")},
		{kind: "class of departments that is none", file: departmentsFile, field: "classes", rule: "not STANDARD:KIND:CODE", row: constant("0101")},
		{kind: "role that is none", file: peopleFile, field: "roles", rule: "no role of docs/cases.md", row: constant("mayor")},
		{kind: "person of an unknown department", file: peopleFile, field: "department", rule: "no department has the id", row: constant("D98")},
		{kind: "meter of an unknown component", file: linksFile, field: "component", rule: "no component has the id", row: constant("X-water_meter-999999")},
		{kind: "collector that cannot be", file: linksFile, field: "collector", rule: "a character that no topic can hold", row: constant("edge/01")},
	}
}

// spoil chooses the records in which there will be mistakes. No record has two, and
// no two spoilt cells are neighbours.
func (w *censusWriter) spoil(each int) error {
	w.mistakes = map[string]map[int]fault{}
	if each <= 0 {
		return nil
	}
	free := w.freeCells()
	dice := newDice(w.d.o.Seed, forSpoil, 0)
	for _, f := range faults() {
		if w.mistakes[f.file] == nil {
			w.mistakes[f.file] = map[int]fault{}
		}
		for range each {
			record, ok := w.choose(&dice, &f, &free)
			if !ok {
				return fmt.Errorf("%d mistakes of each kind: %s has too few records; take fewer", each, f.file)
			}
			w.mistakes[f.file][record] = f
		}
	}
	return nil
}

// choose finds a record without a mistake whose neighbours have none either.
func (w *censusWriter) choose(dice *dice, f *fault, free *[]int) (record int, ok bool) {
	if f.file == cellsFile {
		if len(*free) == 0 {
			return 0, false
		}
		k := dice.under(len(*free))
		record = (*free)[k]
		*free = slices.Delete(*free, k, k+1)
		return record, true
	}
	taken := w.mistakes[f.file]
	for range 1000 {
		record = 2 + dice.under(w.records(f.file)-1)
		_, a := taken[record-1]
		_, b := taken[record]
		_, c := taken[record+1]
		if !a && !b && !c && (f.suits == nil || f.suits(w.d, record)) {
			return record, true
		}
	}
	return 0, false
}

func (w *censusWriter) records(file string) int {
	switch file {
	case areasFile:
		return 1 + w.d.plan.communities[len(w.d.plan.communities)-1].street + len(w.d.plan.communities)
	case dutiesFile:
		return w.d.o.Inspectors
	case departmentsFile:
		return w.d.o.Departments
	case peopleFile:
		return len(w.d.People())
	case linksFile:
		return w.d.o.Meters
	}
	return w.d.o.Components
}

// freeCells are cells, as records, that are neighbours of none of the others and not
// at the edge of their community.
func (w *censusWriter) freeCells() (list []int) {
	for n := range w.d.o.Cells {
		b := w.d.plan.block(n)
		edge := b.row == b.row0 || b.column == b.column0 || b.row >= b.row1-2 || b.column == b.column1-1
		if !edge && (b.row-b.row0)%2 == 1 && (b.column-b.column0)%2 == 1 {
			list = append(list, n+1)
		}
	}
	return list
}

// note spoils a row and remembers it.
func (w *censusWriter) note(f fault, file string, record, line int, columns, row, before []string) {
	at := slices.Index(columns, f.field)
	m := Mistake{Kind: f.kind, File: file, Record: record, Line: line, Field: f.field, Key: row[0], Rule: f.rule}
	switch f.kind {
	case "longitude and latitude swapped":
		row[at-1], row[at] = row[at], row[at-1]
	case "position 0,0":
		row[at], row[at+1] = "0", "0"
	default:
		row[at] = f.row(row[at], before, columns)
	}
	m.Value = row[at]
	w.out.Spoilt = append(w.out.Spoilt, m)
}

func (w *censusWriter) noteCell(f fault, record int, c, before *Cell) {
	m := Mistake{Kind: f.kind, File: cellsFile, Record: record, Line: record + 1, Field: f.field, Key: string(c.Code), Rule: f.rule}
	f.cell(c, before)
	switch f.field {
	case "code":
		m.Value = string(c.Code)
	case "duty":
		m.Value = string(c.Duty)
	}
	w.out.Spoilt = append(w.out.Spoilt, m)
}
