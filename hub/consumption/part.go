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
	c := r.chain(i, readings)
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

// chain makes the chain of installation i: the live readings and the values of
// the record first; the meter's own records, which its own clock has dated, only
// where they fit between.
func (r *Result) chain(i schemas.Installation, readings []schemas.Reading) chain {
	c := chain{}
	if width, ok := i.WrapsAt[r.Quantity]; ok {
		c.width = &width
	}
	var own []*Point
	if v, ok := i.First[r.Quantity]; ok {
		c.points = append(c.points, &Point{At: i.From, Value: v, Recorded: true})
	}
	for n := range readings {
		reading := &readings[n]
		if reading.Quality != schemas.Good || !i.StandsAt(reading.TakenAt) {
			continue
		}
		p := &Point{At: reading.TakenAt, Value: reading.Value, Origin: reading.Origin}
		if reading.Origin == schemas.Live {
			c.points = append(c.points, p)
		} else {
			own = append(own, p)
		}
	}
	if v, ok := i.Last[r.Quantity]; ok {
		c.points = append(c.points, &Point{At: i.To, Value: v, Recorded: true})
	}
	for n := 1; n < len(c.points); n++ {
		if _, _, ok := c.step(c.points[n-1], c.points[n]); !ok {
			c.fall = &[2]*Point{c.points[n-1], c.points[n]}
			return c
		}
	}
	r.insert(&c, own)
	return c
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
	n, _ := slices.BinarySearchFunc(c.points, t, func(p *Point, t time.Time) int {
		if p.At.After(t) {
			return 1
		}
		return -1
	})
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
