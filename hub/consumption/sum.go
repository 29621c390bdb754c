package consumption

import (
	"math/big"

	"citygrid/schemas"
)

// sum adds the parts up and bounds the consumption between the moments asked
// for. Only the first part begins, and only the last ends, at such a moment
// between two readings; the others do at the records of a swap.
func (r *Result) sum() error {
	r.MostKnown = len(r.Parts) > 0
	for n := range r.Parts {
		p := &r.Parts[n]
		least, most, known, ok := p.bounds()
		if !ok || !add(&r.Value, p.Value) || !add(&r.Least, least) || !add(&r.Most, most) {
			return errOverflow
		}
		r.MostKnown = r.MostKnown && known
	}
	if !r.MostKnown {
		r.Most = schemas.Decimal{}
	}
	return nil
}

func add(sum *schemas.Decimal, d schemas.Decimal) bool {
	s, ok := sum.Add(d)
	*sum = s
	return ok
}

// bounds returns the least and the most that can have gone through the meter
// between the part's moments; most means something only if known. ok is false
// when a number does not fit.
func (p *Part) bounds() (least, most schemas.Decimal, known, ok bool) {
	if !p.Known {
		return least, most, false, true
	}
	if p.Start.After != nil {
		if least, ok = p.through(p.Start.After, p.End.Before); !ok {
			return least, most, false, false
		}
	}
	if p.Start.Before == nil || p.End.After == nil {
		return least, most, false, true
	}
	most, ok = p.through(p.Start.Before, p.End.After)
	return least, most, true, ok
}

// through returns what went through the meter from a to b, zero when b is the
// earlier one.
func (p *Part) through(a, b *Point) (schemas.Decimal, bool) {
	d, ok := minus(b.total, a.total)
	if !ok || d.Mantissa <= 0 {
		return schemas.Decimal{}, ok
	}
	return times(d, p.Installation.Multiplier)
}

// minus returns a - b exactly.
func minus(a, b schemas.Decimal) (schemas.Decimal, bool) {
	n, ok := b.Mul(-1)
	if !ok {
		return schemas.Decimal{}, false
	}
	return a.Add(n)
}

// times returns a × b exactly; ok is false when no Decimal holds the product.
func times(a, b schemas.Decimal) (product schemas.Decimal, ok bool) {
	m := new(big.Int).Mul(big.NewInt(a.Mantissa), big.NewInt(b.Mantissa))
	e := int(a.Exponent) + int(b.Exponent)
	ten, rest := big.NewInt(10), new(big.Int)
	for !m.IsInt64() || e < -18 {
		q, digit := new(big.Int).QuoRem(m, ten, rest)
		if digit.Sign() != 0 {
			return schemas.Decimal{}, false
		}
		m, e = q, e+1
	}
	for ; e > 18; e-- {
		if m.Mul(m, ten); !m.IsInt64() {
			return schemas.Decimal{}, false
		}
	}
	return schemas.Decimal{Mantissa: m.Int64(), Exponent: int8(e)}, true
}
