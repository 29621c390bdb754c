package probe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// moment is what the registers held while the display showed a number.
type moment struct {
	shown display
	raw   []byte
}

// display is a number as a person read it off.
type display struct {
	value schemas.Decimal
	// digit is the worth of its last digit.
	digit schemas.Decimal
}

func parseDisplay(text string) (display, error) {
	d, err := schemas.ParseDecimal(text)
	if err != nil {
		return display{}, fmt.Errorf("--display %q: want the number as the display shows it, such as 1234.56: %w", text, err)
	}
	return display{value: d, digit: schemas.Decimal{Mantissa: 1, Exponent: min(d.Exponent, 0)}}, nil
}

// Fit says how well a number agrees with the display's.
type Fit uint8

// The fits, the best first.
const (
	// Exact: the same number.
	Exact Fit = iota
	// Rounded: the display shows it with fewer digits, rounded or cut off.
	Rounded
	// Near: within one last digit of the display.
	Near
	// Off: another number.
	Off
)

// String names a fit for people.
func (f Fit) String() string {
	return [...]string{"exact", "rounded", "one digit off", "no"}[min(f, Off)]
}

// MarshalText writes the name.
func (f Fit) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// fit compares a number with what was shown.
func (d display) fit(v schemas.Decimal) Fit {
	if v.Cmp(d.value) == 0 {
		return Exact
	}
	diff, ok := d.value.Mul(-1)
	if ok {
		diff, ok = v.Add(diff)
	}
	if !ok {
		return Off
	}
	size := diff
	if size.Mantissa < 0 {
		size.Mantissa = -size.Mantissa
	}
	twice, ok := size.Mul(2)
	towardZero := (diff.Mantissa > 0) == (v.Mantissa > 0) // the display cuts off
	switch {
	case !ok || size.Cmp(d.digit) > 0:
		return Off
	case twice.Cmp(d.digit) <= 0, towardZero && size.Cmp(d.digit) < 0:
		return Rounded
	}
	return Near
}

// Pick is a way of reading the registers that gives the number on the display.
type Pick struct {
	At    uint16         `json:"at"`
	Type  profiles.Type  `json:"type"`
	Words int            `json:"words"`
	Order profiles.Order `json:"order"`
	// Shift scales: the display shows raw × 10^Shift.
	Shift int `json:"shift"`
	// Values are what it gives at each moment; Hits how many of them agree, and
	// Fit how well the worst of those does.
	Values []string `json:"values"`
	Hits   int      `json:"hits"`
	Fit    Fit      `json:"fit"`
	// Moved is whether the registers changed when the display did.
	Moved  bool   `json:"moved"`
	Reason string `json:"reason"`

	rank int // of the type, by how common it is
}

func (p Pick) part(function uint8) profiles.Part {
	return profiles.Part{Function: function, At: p.At, Type: p.Type, Words: p.Words, Order: p.Order, Times: 1, Shift: p.Shift}
}

// maxScale is how far a scale is searched, as a power of ten.
const maxScale = 6

// rankPicks returns the ways of reading registers from wire address at that give
// what the display showed, the best first. All moments have as many registers.
func rankPicks(at uint16, moments []moment) []Pick {
	var picks []Pick
	if len(moments) == 0 {
		return nil
	}
	n := len(moments[0].raw) / 2
	for i := range n {
		for rank, s := range shapes() {
			if i+s.words > n {
				continue
			}
			for _, o := range orders(s.words) {
				p := Pick{At: at + uint16(i), Type: s.typ, Words: s.words, Order: o, rank: rank}
				if p.try(at, moments) {
					picks = append(picks, p)
				}
			}
		}
	}
	slices.SortStableFunc(picks, Pick.compare)
	return picks
}

// compare is negative when p is the better pick.
func (p Pick) compare(q Pick) int {
	return cmp.Or(
		cmp.Compare(q.Hits, p.Hits), -compareBool(p.Moved, q.Moved), cmp.Compare(p.Fit, q.Fit),
		cmp.Compare(p.oddity(), q.oddity()), cmp.Compare(p.orderRank(), q.orderRank()),
		cmp.Compare(p.rank, q.rank), cmp.Compare(p.At, q.At))
}

// better reports whether p is more than a matter of taste better than q: they
// differ in what the registers say, not only in what meters usually do.
func (p Pick) better(q Pick) bool {
	return p.Hits > q.Hits || p.Hits == q.Hits && (p.Moved && !q.Moved || p.Moved == q.Moved && p.Fit < q.Fit)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// oddity is how unusual the scale is: floats are seldom scaled, and integers
// have up to three decimals or are in thousandths.
func (p Pick) oddity() int {
	n := p.Shift
	switch {
	case n == 0:
		return 0
	case p.Type == profiles.F32 || p.Type == profiles.F64:
		if n == 3 || n == -3 {
			return 2
		}
		return 3 + max(n, -n)
	case n < 0 && n >= -3:
		return 1
	case n == 3:
		return 2
	}
	return 2 + max(n, -n)
}

func (p Pick) orderRank() int {
	return slices.Index([]profiles.Order{profiles.ABCD, profiles.CDAB, profiles.DCBA, profiles.BADC}, p.Order)
}

// try finds the scale at which p gives most of what was shown, best.
func (p *Pick) try(at uint16, moments []moment) bool {
	part := p.part(3)
	part.Shift = 0
	raws := make([]schemas.Decimal, len(moments))
	for i, m := range moments {
		d, ok := value(part, at, m.raw)
		if !ok {
			return false
		}
		raws[i] = d
	}
	plain, found := *p, false
	for shift := -maxScale; shift <= maxScale; shift++ {
		q := plain
		q.Shift = shift
		if q.judge(raws, moments) && (!found || q.compare(*p) < 0) {
			*p, found = q, true
		}
	}
	return found
}

// judge fills in how the values at each moment agree.
func (p *Pick) judge(raws []schemas.Decimal, moments []moment) bool {
	for i, m := range moments {
		v, ok := raws[i].Shift(p.Shift)
		if !ok {
			return false
		}
		p.Values = append(p.Values, v.String())
		fit := m.shown.fit(v)
		if fit == Off {
			continue
		}
		p.Hits++
		p.Fit = max(p.Fit, fit)
	}
	p.Moved = p.Hits == len(moments) && p.Hits > 1 && moved(raws, moments)
	p.Reason = p.reason(len(moments), raws[0])
	return p.Hits > 0
}

// moved reports whether the display changed, and the raw value with it each time.
func moved(raws []schemas.Decimal, moments []moment) bool {
	changed := false
	for i := 1; i < len(raws); i++ {
		a, b := moments[i-1].shown.value, moments[i].shown.value
		if a.Cmp(b) == 0 {
			continue
		}
		if raws[i-1].Cmp(raws[i]) != a.Cmp(b) {
			return false
		}
		changed = true
	}
	return changed
}

func (p *Pick) reason(moments int, raw schemas.Decimal) string {
	why := []string{p.Fit.String()}
	if moments > 1 {
		why = append(why, fmt.Sprintf("%d of %d moments", p.Hits, moments))
	}
	if p.Moved {
		why = append(why, "moved with the display")
	}
	switch {
	case raw.Mantissa == 0:
		why = append(why, "zero, which fits anything")
	case p.Shift == 0:
		why = append(why, "as the display shows it")
	default:
		why = append(why, fmt.Sprintf("times 10^%d", p.Shift))
	}
	return strings.Join(why, ", ")
}
