package census

import (
	"fmt"
	"strconv"
	"strings"

	"citygrid/hub/registry"
)

// parseWKT reads POINT, POLYGON and MULTIPOLYGON of well-known text, two numbers a
// point; heights (Z) and measures (M) are left out where the text says so.
// Well-known text is read here and not by package orb, which takes missing numbers
// for zero.
func parseWKT(s string) (*[2]float64, registry.Shape, error) {
	p := &wktParser{rest: strings.TrimSpace(s)}
	if after, ok := strings.CutPrefix(strings.ToUpper(p.rest), "SRID="); ok {
		return nil, nil, fmt.Errorf("SRID=%.6s: name the reference system apart, and write the geometry only", after)
	}
	word := p.word()
	switch dims := p.word(); dims {
	case "":
		p.ordinates = 2
	case "Z", "M":
		p.ordinates = 3
	case "ZM":
		p.ordinates = 4
	default:
		return nil, nil, fmt.Errorf("%q after %s is not known", dims, word)
	}
	var point *[2]float64
	var shape registry.Shape
	switch word {
	case "POINT":
		point = p.point()
	case "POLYGON":
		shape = registry.Shape{p.polygon()}
	case "MULTIPOLYGON":
		wktList(p, func() { shape = append(shape, p.polygon()) })
	default:
		return nil, nil, fmt.Errorf("%q is no geometry of the grid", word)
	}
	if p.err == nil && strings.TrimSpace(p.rest) != "" {
		p.fail("something follows the geometry")
	}
	if p.err != nil {
		return nil, nil, p.err
	}
	return point, shape, nil
}

type wktParser struct {
	rest      string
	ordinates int
	err       error
}

func (p *wktParser) fail(problem string) {
	if p.err == nil {
		p.err = fmt.Errorf("%s near %.20q", problem, p.rest)
	}
}

// word takes letters, in upper case; empty where something else follows.
func (p *wktParser) word() string {
	p.rest = strings.TrimLeft(p.rest, " \t\n")
	n := 0
	for n < len(p.rest) && (p.rest[n]|0x20 >= 'a' && p.rest[n]|0x20 <= 'z') {
		n++
	}
	w := strings.ToUpper(p.rest[:n])
	p.rest = p.rest[n:]
	return w
}

func (p *wktParser) take(c byte) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\n")
	if p.err == nil && p.rest != "" && p.rest[0] == c {
		p.rest = p.rest[1:]
		return true
	}
	return false
}

// wktList reads "(", one or more of each separated by commas, ")".
func wktList(p *wktParser, each func()) {
	if !p.take('(') {
		p.fail("a bracket is missing")
		return
	}
	each()
	for p.take(',') {
		each()
	}
	if !p.take(')') {
		p.fail("a bracket is missing")
	}
}

func (p *wktParser) polygon() (out registry.Polygon) {
	wktList(p, func() {
		var ring registry.Ring
		wktList(p, func() { ring = append(ring, p.numbers()) })
		out = append(out, ring)
	})
	return out
}

func (p *wktParser) point() (out *[2]float64) {
	wktList(p, func() {
		if out != nil {
			p.fail("more than one point")
		}
		v := p.numbers()
		out = &v
	})
	return out
}

func (p *wktParser) numbers() (out [2]float64) {
	for i := range p.ordinates {
		p.rest = strings.TrimLeft(p.rest, " \t\n")
		n := strings.IndexAny(p.rest, " \t\n,()")
		if n <= 0 {
			p.fail("a number is missing")
			return out
		}
		v, err := strconv.ParseFloat(p.rest[:n], 64)
		if err != nil || strings.Trim(p.rest[:n], "+-0123456789.eE") != "" {
			p.fail("not a number")
			return out
		}
		if i < 2 {
			out[i] = v
		}
		p.rest = p.rest[n:]
	}
	return out
}

// formatWKT writes s as POLYGON or MULTIPOLYGON.
func formatWKT(s registry.Shape, format func(float64) string) string {
	var b strings.Builder
	if len(s) == 1 {
		b.WriteString("POLYGON ")
		writePolygon(&b, s[0], format)
		return b.String()
	}
	b.WriteString("MULTIPOLYGON (")
	for i, polygon := range s {
		if i > 0 {
			b.WriteString(", ")
		}
		writePolygon(&b, polygon, format)
	}
	b.WriteByte(')')
	return b.String()
}

func writePolygon(b *strings.Builder, polygon registry.Polygon, format func(float64) string) {
	b.WriteByte('(')
	for n, ring := range polygon {
		if n > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for k, p := range ring {
			if k > 0 {
				b.WriteString(", ")
			}
			b.WriteString(format(p[0]) + " " + format(p[1]))
		}
		b.WriteByte(')')
	}
	b.WriteByte(')')
}
