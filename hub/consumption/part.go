package consumption

import (
	"errors"
	"slices"
	"time"

	"citygrid/schemas"
)

// addPart appends what installation i counted within the time asked for.
func (r *Result) addPart(i schemas.Installation, readings []schemas.Reading) error {
	p := Part{Installation: i, From: later(i.From, r.From), To: r.To}
	if !i.To.IsZero() && i.To.Before(r.To) {
		p.To = i.To
	}
	c := r.chain(&p, readings)
	if c.fall == nil {
		if err := c.addUp(); err != nil {
			return err
		}
	}
	p.Start, p.End = c.edge(p.From), c.edge(p.To)
	if err := r.count(&p, c.fall); err != nil {
		return err
	}
	r.Parts = append(r.Parts, p)
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// count fills in what the readings prove between the edges of p.
func (r *Result) count(p *Part, fall *[2]*Point) error {
	first, last := p.Start.Before, p.End.Before
	switch {
	case fall != nil:
		r.problem(Fall, fall[0].At, fall[1].At, "the register fell from %s at %s to %s at %s; if it was reset or swapped, write the installation down",
			fall[0].Value, stamp(fall[0].At), fall[1].Value, stamp(fall[1].At))
		return nil
	case last == nil:
		r.problem(NoReading, p.From, p.To, "no good reading of the meter that stood from %s", stamp(p.Installation.From))
		return nil
	case first == nil:
		first = p.Start.After
		r.problem(NoStart, p.From, first.At, "nothing is known between %s and the first good reading at %s", stamp(p.From), stamp(first.At))
	case first == last && p.From.Before(p.To):
		r.problem(NothingNew, p.From, p.To, "no good reading between %s and %s; the last is of %s", stamp(p.From), stamp(p.To), stamp(last.At))
	}
	if p.To.Equal(p.Installation.To) && !(last.At.Equal(p.To)) {
		r.problem(NoEnd, last.At, p.To, "the meter was removed at %s and no last value written down; the last good reading is of %s", stamp(p.To), stamp(last.At))
	}
	var ok bool
	if p.Registers, ok = minus(last.total, first.total); !ok {
		return errOverflow
	}
	if p.Value, ok = times(p.Registers, p.Installation.Multiplier); !ok {
		return errOverflow
	}
	p.Rollovers, p.Known = last.turns-first.turns, true
	return nil
}

var errOverflow = errors.New("the sum does not fit 64 bits at the meter's resolution; ask for a shorter time")

// chain is the points of one meter's register in the order of time, each
// reached from the one before it by a rise or a rollover.
type chain struct {
	width  *schemas.Decimal // nil: not known
	points []*Point
	fall   *[2]*Point // a fall that nothing explains; the points prove nothing
}

// chain makes the chain of the part: the live readings and the values of the record
// first; the meter's own records, which its own clock has dated, only where they fit
// between.
//
// A value of the record counts where the part begins or ends with it, or where nothing
// else is known before or after. Elsewhere it is left out: between the day on which a
// meter was fitted and the first of the readings that were asked for, a register may
// have gone round any number of times, and would seem to fall.
func (r *Result) chain(p *Part, readings []schemas.Reading) chain {
	i, c := &p.Installation, chain{}
	if width, ok := i.WrapsAt[r.Quantity]; ok {
		c.width = &width
	}
	own := c.read(p, readings)
	if v, ok := i.First[r.Quantity]; ok && (p.From.Equal(i.From) || !knownBy(c.points, p.From) && !knownBy(own, p.From)) {
		c.points = slices.Insert(c.points, 0, &Point{At: i.From, Value: v, Recorded: true})
	}
	last, recorded := i.Last[r.Quantity]
	if recorded && p.To.Equal(i.To) {
		c.points = append(c.points, &Point{At: i.To, Value: last, Recorded: true})
	}
	for n := 1; n < len(c.points); n++ {
		if _, _, ok := c.step(c.points[n-1], c.points[n]); !ok {
			c.fall = &[2]*Point{c.points[n-1], c.points[n]}
			return c
		}
	}
	r.insert(&c, own)
	if recorded && p.To.Before(i.To) {
		c.bound(p.To, &Point{At: i.To, Value: last, Recorded: true})
	}
	return c
}

// read fills the chain with the good live readings of the part and the nearest on either
// side of it, and returns the points of the meter's own memory between those. What lies
// farther off could only take away from the part.
func (c *chain) read(part *Part, readings []schemas.Reading) (own []*Point) {
	for n := range readings {
		reading := &readings[n]
		if reading.Quality != schemas.Good || !part.Installation.StandsAt(reading.TakenAt) {
			continue
		}
		p := &Point{At: reading.TakenAt, Value: reading.Value, Origin: reading.Origin}
		if reading.Origin == schemas.Live {
			c.points = append(c.points, p)
		} else {
			own = append(own, p)
		}
	}
	if n := countBy(c.points, part.From); n > 0 {
		c.points = c.points[n-1:]
		own = slices.DeleteFunc(own, func(p *Point) bool { return p.At.Before(c.points[0].At) })
	}
	n := countBy(c.points, part.To)
	if n < len(c.points) && !(n > 0 && c.points[n-1].At.Equal(part.To)) {
		n++
	}
	if c.points = c.points[:n]; n > 0 && !c.points[n-1].At.Before(part.To) {
		own = slices.DeleteFunc(own, func(p *Point) bool { return p.At.After(c.points[n-1].At) })
	}
	return own
}

// countBy returns how many points, ascending, lie at or before t.
func countBy(points []*Point, t time.Time) int {
	n, _ := slices.BinarySearchFunc(points, t, func(p *Point, t time.Time) int {
		if p.At.After(t) {
			return 1
		}
		return -1
	})
	return n
}

func knownBy(points []*Point, t time.Time) bool { return countBy(points, t) > 0 }

// bound ends the chain with a value on record from after the part's end, where nothing
// nearer bounds what went through until then and the register can have gone there.
func (c *chain) bound(end time.Time, last *Point) {
	n := len(c.points)
	if n > 0 && !c.points[n-1].At.Before(end) {
		return
	}
	if n > 0 {
		if _, _, ok := c.step(c.points[n-1], last); !ok {
			return
		}
	}
	c.points = append(c.points, last)
}

// insert puts the points of the meter's own memory, ascending, into the chain
// where they fit.
func (r *Result) insert(c *chain, own []*Point) {
	if len(own) == 0 {
		return
	}
	merged := make([]*Point, 0, len(c.points)+len(own))
	rest := c.points
	for _, p := range own {
		for len(rest) > 0 && !rest[0].At.After(p.At) {
			merged, rest = append(merged, rest[0]), rest[1:]
		}
		var before, after *Point
		if len(merged) > 0 {
			before = merged[len(merged)-1]
		}
		if len(rest) > 0 {
			after = rest[0]
		}
		if !c.fits(before, p, after) {
			r.problem(NotUsed, p.At, p.At, "%s %s at %s contradicts the readings around it; look at the meter's clock", p.Origin, p.Value, stamp(p.At))
			continue
		}
		merged = append(merged, p)
	}
	c.points = append(merged, rest...)
}

// fits reports whether p lies between its neighbours, of which any may be nil.
// One that fits by going round the register once more does not.
func (c *chain) fits(before, p, after *Point) bool {
	var in, out, whole schemas.Decimal
	ok := true
	if before != nil {
		in, _, ok = c.step(before, p)
	}
	if ok && after != nil {
		out, _, ok = c.step(p, after)
	}
	if !ok || before == nil || after == nil {
		return ok
	}
	sum, fits := in.Add(out)
	whole, _, ok = c.step(before, after)
	return fits && ok && sum.Cmp(whole) == 0
}

// step returns how far the register went from a to b. A fall is a rollover when
// the width is known and at most half of it was passed; ok is false for any
// other, because a glitch or a reset looks the same.
func (c *chain) step(a, b *Point) (d schemas.Decimal, rollovers int, ok bool) {
	d, ok = minus(b.Value, a.Value)
	if !ok || d.Mantissa >= 0 {
		return d, 0, ok
	}
	if c.width == nil {
		return schemas.Decimal{}, 0, false
	}
	d, ok = d.Add(*c.width)
	if !ok {
		return schemas.Decimal{}, 0, false
	}
	twice, fits := d.Add(d)
	if d.Mantissa < 0 || !fits || twice.Cmp(*c.width) > 0 {
		return schemas.Decimal{}, 0, false
	}
	return d, 1, true
}

// edge finds the points on either side of t.
func (c *chain) edge(t time.Time) Edge {
	e := Edge{At: t}
	// The last of several points of one moment stands for it.
	n := countBy(c.points, t)
	if n > 0 {
		e.Before = c.points[n-1]
	}
	switch {
	case e.Before != nil && e.Before.At.Equal(t):
		e.After = e.Before
	case n < len(c.points):
		e.After = c.points[n]
	}
	return e
}

// addUp gives every point how far the register had gone since the first.
func (c *chain) addUp() error {
	for n := 1; n < len(c.points); n++ {
		before, p := c.points[n-1], c.points[n]
		d, turns, ok := c.step(before, p)
		if p.total = before.total; !ok || !add(&p.total, d) {
			return errOverflow
		}
		p.turns = before.turns + turns
	}
	return nil
}
