package geo

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"citygrid/schemas/codes"
)

// borders are the edges that have cells on one side only. An edge and its reverse
// cancel out; what is left are closed lines, against the clock around all cells and
// with the clock around a gap.
type borders struct {
	// left are the cells to the left of each edge, by edge.
	left map[[2]int32][]int
	out  map[int32][]int32 // ends of the edges without a reverse, by begin
}

func (c *check) borders() *borders {
	b := &borders{left: map[[2]int32][]int{}, out: map[int32][]int32{}}
	for i, body := range c.bodies {
		if body == nil {
			continue
		}
		for _, ch := range body.chains {
			for k := 1; k < len(ch); k++ {
				e := [2]int32{ch[k-1], ch[k]}
				b.left[e] = append(b.left[e], i)
			}
		}
	}
	for e, cells := range b.left {
		for range len(cells) - len(b.left[[2]int32{e[1], e[0]}]) {
			b.out[e[0]] = append(b.out[e[0]], e[1])
		}
	}
	for _, ends := range b.out {
		slices.Sort(ends)
	}
	return b
}

// gapsAndIslands walks along the borders, and looks at the neighbours of each cell.
func (c *check) gapsAndIslands(ctx context.Context) error {
	b := c.borders()
	for _, start := range slices.Sorted(maps.Keys(b.out)) {
		for len(b.out[start]) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			c.gap(b, c.walk(b, start))
		}
	}
	c.islands(b)
	return ctx.Err()
}

// walk takes one closed line off the borders. Where several go on, it turns right
// as sharply as possible, so that gaps that touch in a point stay two.
func (c *check) walk(b *borders, start int32) chain {
	line, at, from := chain{start}, start, int32(-1)
	for at != start || from < 0 {
		ends := b.out[at]
		if len(ends) == 0 {
			return nil // cannot be: what comes in goes out
		}
		pick := 0
		if from >= 0 && len(ends) > 1 {
			back := angle(c.mesh.vertices[at].metres, c.mesh.vertices[from].metres)
			least := math.Inf(1)
			for i, end := range ends {
				turn := angle(c.mesh.vertices[at].metres, c.mesh.vertices[end].metres) - back
				if turn <= 0 {
					turn += 2 * math.Pi
				}
				if turn < least {
					pick, least = i, turn
				}
			}
		}
		next := ends[pick]
		b.out[at] = slices.Delete(ends, pick, pick+1)
		line, from, at = append(line, next), at, next
	}
	return line
}

func (c *check) gap(b *borders, line chain) {
	hole := &body{chains: []chain{line}}
	area := -c.mesh.area(hole)
	if width := 2 * area / max(c.mesh.length(line), c.Tolerance); area <= 0 || width <= c.Tolerance {
		return
	}
	f := Finding{Kind: Gap, Warning: c.GapsAllowed, Area: area}
	f.Lon, f.Lat = c.place(hole)
	around, all := map[codes.CellCode]bool{}, map[codes.AreaCode]bool{}
	for k := 1; k < len(line); k++ {
		for _, i := range b.left[[2]int32{line[k-1], line[k]}] {
			code := c.cells[i].Code
			around[code], all[code.Community()] = true, true
		}
	}
	f.Cells = slices.Sorted(maps.Keys(around))
	where := "between the communities " + join(slices.Sorted(maps.Keys(all)))
	if len(all) == 1 {
		f.Community = f.Cells[0].Community()
		where = "inside community " + string(f.Community)
		if e := c.communities[f.Community]; e != nil {
			e.gaps += area
		}
	}
	c.add(f, "a gap of %.1f m² %s, between the cells %s; extend one of them", area, where, join(f.Cells))
}

// islands are cells whose neighbours are all of one other community that has more
// cells, while their own community has cells elsewhere: the code is probably wrong.
func (c *check) islands(b *borders) {
	neighbours, count := make([]map[codes.AreaCode]bool, len(c.cells)), map[codes.AreaCode]int{}
	for i := range c.cells {
		neighbours[i] = map[codes.AreaCode]bool{}
		count[c.cells[i].Code.Community()]++
	}
	for e, cells := range b.left {
		for _, i := range cells {
			for _, j := range b.left[[2]int32{e[1], e[0]}] {
				neighbours[i][c.cells[j].Code.Community()] = true
			}
		}
	}
	for i, n := range neighbours {
		own := c.cells[i].Code.Community()
		if len(n) != 1 || n[own] || count[own] < 2 || c.bodies[i] == nil {
			continue
		}
		other := slices.Sorted(maps.Keys(n))[0]
		if count[other] < count[own] && cmp.Or(len(c.communities), 1) > 1 {
			continue
		}
		f := Finding{Kind: Island, Warning: true, Cells: []codes.CellCode{c.cells[i].Code}, Community: own}
		f.Lon, f.Lat = c.place(c.bodies[i])
		c.add(f, "cell %s is of community %s, but all its neighbours are of %s; check its code", c.cells[i].Code, own, other)
	}
}
