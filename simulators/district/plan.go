package district

import (
	"fmt"
	"iter"
	"math"
	"sort"

	"citygrid/schemas/codes"
)

// plan says which block of the grid of streets is which cell. Columns run from west
// to east, rows from north to south, before the grid is turned.
type plan struct {
	seed          uint64
	cells         int
	columns, rows int
	turn          float64 // of the grid against the parallels, in radians
	communities   []community
	// cutColumns and cutRows are where communities begin.
	cutColumns, cutRows []int
}

// community is a rectangle of blocks, without those that the last row lacks.
type community struct {
	street, number int // from 1
	row0, row1     int // [row0, row1)
	column0        int
	column1        int
	first          int // how many cells come before its own
}

func (c *community) streetCode() codes.AreaCode {
	return codes.AreaCode(fmt.Sprintf("%s%03d", County, c.street))
}

func (c *community) code() codes.AreaCode {
	return codes.AreaCode(fmt.Sprintf("%s%03d%03d", County, c.street, c.number))
}

const (
	communityColumns, communityRows = 6, 5 // blocks, at the least
	mostStreets                     = 99   // 001 to 099 are subdistricts [GB/T 10114]
)

func newPlan(seed uint64, cells int) plan {
	d := newDice(seed, forGround, 0)
	p := plan{seed: seed, cells: cells, columns: int(math.Round(math.Sqrt(float64(cells) * 1.25))), turn: d.between(4, 24) * math.Pi / 180}
	p.rows = (cells + p.columns - 1) / p.columns
	// The last row may be short; it belongs to communities that begin above it.
	p.cutColumns, p.cutRows = cuts(p.columns, communityColumns), cuts(p.rows, communityRows)
	wide, high := 4, 3
	streets := func() (across, down []int) { return cuts(len(p.cutColumns)-1, wide), cuts(len(p.cutRows)-1, high) }
	across, down := streets()
	for (len(across)-1)*(len(down)-1) > mostStreets {
		wide, high = wide*3/2, high*3/2
		across, down = streets()
	}
	p.number(across, down)
	return p
}

// cuts divides n into parts of at least least, as even as can be: n itself where it
// is less. The result begins with 0 and ends with n.
func cuts(n, least int) []int {
	parts := max(1, n/least)
	list := make([]int, parts+1)
	for i := range list {
		list[i] = i * n / parts
	}
	return list
}

// number makes the communities in the order of their codes.
func (p *plan) number(across, down []int) {
	street, first := 0, 0
	for y := 1; y < len(down); y++ {
		for x := 1; x < len(across); x++ {
			street++
			number := 0
			for by := down[y-1]; by < down[y]; by++ {
				for bx := across[x-1]; bx < across[x]; bx++ {
					number++
					c := community{street: street, number: number, first: first,
						row0: p.cutRows[by], row1: p.cutRows[by+1], column0: p.cutColumns[bx], column1: p.cutColumns[bx+1]}
					p.communities = append(p.communities, c)
					first += p.size(&c)
				}
			}
		}
	}
}

// size is how many cells c has.
func (p *plan) size(c *community) (n int) {
	n = (c.row1 - c.row0 - 1) * (c.column1 - c.column0)
	last := 0
	for column := c.column0; column < c.column1; column++ {
		if p.has(c.row1-1, column) {
			last++
		}
	}
	return n + last
}

// has reports whether there is a cell at a row and column.
func (p *plan) has(row, column int) bool {
	return row >= 0 && column >= 0 && row < p.rows && column < p.columns && row*p.columns+column < p.cells
}

// block is where a cell is, and its number within its community, from 1.
type block struct {
	*community
	row, column, serial int
}

// block finds the cell of an ordinal; cells are in the order of their codes.
func (p *plan) block(cell int) block {
	n := sort.Search(len(p.communities), func(i int) bool { return p.communities[i].first > cell }) - 1
	c := &p.communities[n]
	in, wide := cell-c.first, c.column1-c.column0
	return block{c, c.row0 + in/wide, c.column0 + in%wide, in + 1}
}

func (b *block) code() codes.CellCode {
	return codes.CellCode(fmt.Sprintf("%s%03d", b.community.code(), b.serial))
}

// corner is where a street of a column crosses one of a row: the north-west corner
// of the block of that column and row.
type corner struct{ column, row int }

// outline walks around the blocks of a rectangle and returns its corners against the
// clock, the first one again at the end.
func (p *plan) outline(row0, row1, column0, column1 int) []corner {
	next := map[corner]corner{}
	var start corner
	inside := func(row, column int) bool {
		return row >= row0 && row < row1 && column >= column0 && column < column1 && p.has(row, column)
	}
	for row := row0; row < row1; row++ {
		for column := column0; column < column1; column++ {
			if !inside(row, column) {
				continue
			}
			nw, sw := corner{column, row}, corner{column, row + 1}
			ne, se := corner{column + 1, row}, corner{column + 1, row + 1}
			for _, e := range []struct {
				out      bool
				from, to corner
			}{
				{!inside(row, column-1), nw, sw}, {!inside(row+1, column), sw, se},
				{!inside(row, column+1), se, ne}, {!inside(row-1, column), ne, nw},
			} {
				if e.out {
					next[e.from], start = e.to, e.from
				}
			}
		}
	}
	list := []corner{start}
	for at := next[start]; at != start && len(list) <= len(next); at = next[at] {
		list = append(list, at)
	}
	return append(list, start)
}

// Area is a division of the district.
type Area struct {
	Code codes.AreaCode
	Name string
	// Kind is the rank of streets for time limits: "1" in the middle, "2" outside.
	Kind string
	// Ring is its outline against the clock, in CGCS2000 degrees.
	Ring [][2]float64
}

// Areas returns the county, its streets and their communities, those above first.
func (d *District) Areas() iter.Seq[Area] {
	return func(yield func(Area) bool) {
		p := &d.plan
		if !yield(Area{Code: County, Name: CountyName, Ring: p.ring(p.outline(0, p.rows, 0, p.columns))}) {
			return
		}
		for from := 0; from < len(p.communities); {
			to := from
			for to < len(p.communities) && p.communities[to].street == p.communities[from].street {
				to++
			}
			if !yield(d.street(p.communities[from:to])) {
				return
			}
			from = to
		}
		for i := range p.communities {
			c := &p.communities[i]
			if !yield(Area{Code: c.code(), Name: d.communityName(c), Ring: p.ring(p.outline(c.row0, c.row1, c.column0, c.column1))}) {
				return
			}
		}
	}
}

// street is the subdistrict of some communities.
func (d *District) street(list []community) Area {
	first, last := &list[0], &list[len(list)-1]
	ring := d.plan.outline(first.row0, last.row1, first.column0, last.column1)
	return Area{Code: first.streetCode(), Name: d.streetName(first.street), Kind: d.areaKind(first.street), Ring: d.plan.ring(ring)}
}

// areaKind ranks every third street first.
func (d *District) areaKind(street int) string {
	if street%3 == 1 {
		return "1"
	}
	return "2"
}

// Cell is a unit cell.
type Cell struct {
	Code codes.CellCode
	Name string
	Duty codes.DutyCode
	// Ring is its outline against the clock, in CGCS2000 degrees. Area is in m2.
	Ring [][2]float64
	Area int64
}

// Cells returns all cells in the order of their codes.
func (d *District) Cells() iter.Seq[Cell] {
	return func(yield func(Cell) bool) {
		for n := range d.o.Cells {
			if !yield(d.Cell(n)) {
				return
			}
		}
	}
}

// Cell returns the cell of an ordinal, from 0.
func (d *District) Cell(n int) Cell {
	b := d.plan.block(n)
	ring := d.plan.ring(b.corners())
	return Cell{Code: b.code(), Name: fmt.Sprintf("%s%d号网格", d.communityName(b.community), b.serial), Duty: d.duty(n),
		Ring: ring, Area: int64(math.Round(d.plan.squareMetres(ring)))}
}

// corners are those of a block against the clock, from the north-west.
func (b *block) corners() []corner {
	return []corner{{b.column, b.row}, {b.column, b.row + 1}, {b.column + 1, b.row + 1}, {b.column + 1, b.row}, {b.column, b.row}}
}

// dutyOf is the ordinal of the duty grid that a cell is in.
func (d *District) dutyOf(cell int) int { return cell * d.o.Inspectors / d.o.Cells }

func (d *District) duty(cell int) codes.DutyCode { return dutyCode(d.dutyOf(cell)) }

// DutyOf returns the duty grid in which a component is.
func (d *District) DutyOf(c *Component) codes.DutyCode { return d.duty(c.cell) }

func dutyCode(n int) codes.DutyCode { return codes.DutyCode(fmt.Sprintf("ZR-%03d", n+1)) }
