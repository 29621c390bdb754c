package profiles

import (
	"fmt"
	"math/bits"

	"citygrid/adapters/catalog"
	"citygrid/schemas"
)

// MaxRegisters is the largest read of the specification [Modbus V1.1b3 6.3].
const MaxRegisters = 125

// Validate reports everything for which p could not be read and decoded as it
// says, all at once, each with its field. The rules are those of a file.
func (p *Profile) Validate() error {
	c := &checker{catalog.Problems{Name: p.ID}}
	c.profile(p)
	return c.Err()
}

// Validate reports what makes f alone one that cannot be decoded. Whether its
// registers can be read together with the others is asked of the Profile.
func (f *Field) Validate() error {
	c := &checker{}
	c.field(0, f)
	return c.Err()
}

// checker collects what is wrong with one profile.
type checker struct{ catalog.Problems }

// add notes a problem of field i.
func (c *checker) add(i int, q schemas.Quantity, format string, args ...any) {
	c.Add("fields", i, string(q), format, args...)
}

// profile checks everything that the types do not already rule out.
func (c *checker) profile(p *Profile) {
	c.head(p)
	seen := map[schemas.Quantity]bool{}
	for i := range p.Fields {
		f := &p.Fields[i]
		if seen[f.Quantity] {
			c.add(i, f.Quantity, "named twice; a quantity has one field")
		}
		seen[f.Quantity] = true
		if problem := catalog.OfMedium(f.Quantity, p.Medium); problem != "" {
			c.add(i, f.Quantity, "%s", problem)
		}
		c.field(i, f)
		c.span(i, p, f)
		c.overlaps(i, p)
	}
	c.groups(p)
}

// field checks a field by itself.
func (c *checker) field(i int, f *Field) {
	c.quantity(i, f)
	if len(f.Parts) == 0 {
		c.add(i, f.Quantity, "parts: none; a field has at least one")
	}
	for j, part := range f.Parts {
		c.wire(i, f.Quantity, part)
		c.scale(i, f.Quantity, part)
		for _, other := range f.Parts[:j] {
			if overlap(part, other) {
				c.add(i, f.Quantity, "two of its parts overlap at 0x%04X", max(part.At, other.At))
			}
		}
	}
}

func (c *checker) head(p *Profile) {
	c.Plate(p.Maker, p.Model, p.Document, p.Medium)
	if p.MaxRegisters < 1 || p.MaxRegisters > MaxRegisters {
		c.AddTop("max_registers", "%d is not in 1 to %d [Modbus V1.1b3 6.3]", p.MaxRegisters, MaxRegisters)
	}
	if p.MaxGap < 0 || p.MaxGap >= MaxRegisters {
		c.AddTop("max_gap", "%d is not in 0 to %d", p.MaxGap, MaxRegisters-1)
	}
	if len(p.Fields) == 0 {
		c.AddTop("fields", "none; a profile names at least one quantity")
	}
	for _, h := range p.Holes {
		if h.From > h.To || h.Function != 3 && h.Function != 4 {
			c.AddTop("holes", "0x%04X-0x%04X of function %d: want from <= to and function 3 or 4", h.From, h.To, h.Function)
		}
	}
}

// quantity checks a field against the table of quantities.
func (c *checker) quantity(i int, f *Field) {
	head := catalog.Head{Quantity: f.Quantity, WrapsAt: f.WrapsAt, Mask: f.Mask, States: f.States}
	for _, problem := range head.Check() {
		c.add(i, f.Quantity, "%s", problem)
	}
	info, _ := f.Quantity.Info()
	if info.Kind == schemas.State && (len(f.Parts) != 1 || f.Parts[0].Type != U16 || f.Parts[0].Times != 1 || f.Parts[0].Shift != 0) {
		c.add(i, f.Quantity, "a state is one u16 register without times and shift")
	}
}

// wire checks where and how a part lies on the wire.
func (c *checker) wire(i int, q schemas.Quantity, p Part) {
	if p.Function != 3 && p.Function != 4 {
		c.add(i, q, "function: %d; want 3 (holding) or 4 (input registers)", p.Function)
	}
	switch p.Order {
	case ABCD, CDAB, BADC, DCBA:
	default:
		c.add(i, q, "order: %q is none of ABCD, CDAB, BADC, DCBA", p.Order)
	}
	want := wordsOf(p.Type)
	switch {
	case p.Type == BCD:
		if p.Words < 1 || p.Words > maxBCDWords {
			c.add(i, q, "words: a bcd number takes 1 to %d registers, not %d", maxBCDWords, p.Words)
		}
	case want == 0:
		c.add(i, q, "type: %q is none of u16, i16, u32, i32, u64, i64, f32, f64, bcd", p.Type)
	case p.Words != want:
		c.add(i, q, "words: %s takes %d registers, not %d", p.Type, want, p.Words)
	}
	if int(p.At)+p.Words > 1<<16 {
		c.add(i, q, "at: 0x%04X and %d registers run past 0xFFFF", p.At, p.Words)
	}
}

// scale checks how a part's raw number becomes a value.
func (c *checker) scale(i int, q schemas.Quantity, p Part) {
	if p.Times == 0 {
		c.add(i, q, "times: 0 would make every value zero")
	}
	if p.Shift < -maxShift || p.Shift > maxShift {
		c.add(i, q, "shift: %d is not in -%d to %d", p.Shift, maxShift, maxShift)
	}
	if p.Places < 0 || p.Places > maxShift {
		c.add(i, q, "places: %d is not in 1 to %d", p.Places, maxShift)
	}
	if p.Places != 0 && p.Type != F32 && p.Type != F64 {
		c.add(i, q, "places: goes with f32 and f64; a register of %s holds no noise", p.Type)
	}
	for _, a := range p.Absent {
		if bits.Len64(a) > 16*p.Words {
			c.add(i, q, "absent: 0x%X does not fit %d registers", a, p.Words)
		}
	}
}

// maxBCDWords keeps BCD numbers to 16 digits, which an int64 holds exactly;
// maxShift is the bound of schemas.Decimal.
const (
	maxBCDWords = 4
	maxShift    = 18
)

// span checks that all parts of a field fit one request.
func (c *checker) span(i int, p *Profile, f *Field) {
	c.oneRequest(i, p, f.Quantity, f.Parts, "the field")
}

// groups checks that the fields of each group fit one request together.
func (c *checker) groups(p *Profile) {
	members := map[string][]int{}
	for i, f := range p.Fields {
		if f.Together != "" {
			members[f.Together] = append(members[f.Together], i)
		}
	}
	for name, fields := range members {
		first := &p.Fields[fields[0]]
		if len(fields) == 1 {
			c.add(fields[0], first.Quantity, "together: %q is a group of one; name the fields that it is to be read with", name)
			continue
		}
		var parts []Part
		for _, i := range fields {
			parts = append(parts, p.Fields[i].Parts...)
		}
		c.oneRequest(fields[0], p, first.Quantity, parts, fmt.Sprintf("together: the group %q", name))
	}
}

// oneRequest checks that parts, which the message names by who, can be read in
// one request.
func (c *checker) oneRequest(i int, p *Profile, q schemas.Quantity, parts []Part, who string) {
	low, high := 1<<16, -1
	for _, part := range parts {
		if part.Function != parts[0].Function {
			c.add(i, q, "%s needs two requests (functions %d and %d); its parts must come in one", who, parts[0].Function, part.Function)
		}
		low, high = min(low, int(part.At)), max(high, int(part.At)+part.Words)
	}
	if high-low > p.MaxRegisters {
		c.add(i, q, "%s spans %d registers, a request may have %d; its parts must come in one", who, high-low, p.MaxRegisters)
	}
	for _, h := range p.Holes {
		if len(parts) > 0 && h.Function == parts[0].Function && low <= int(h.To) && int(h.From) < high {
			c.add(i, q, "%s: registers 0x%04X-0x%04X reach into the hole 0x%04X-0x%04X; they must come in one request",
				who, low, high-1, h.From, h.To)
		}
	}
}

// overlaps checks field i against the fields before it: registers may be
// shared (two states in one status word), but only whole.
func (c *checker) overlaps(i int, p *Profile) {
	f := p.Fields[i]
	for _, other := range p.Fields[:i] {
		for _, a := range f.Parts {
			for _, b := range other.Parts {
				if overlap(a, b) && (a.At != b.At || a.Words != b.Words) {
					c.add(i, f.Quantity, "at: 0x%04X overlaps part of %s at 0x%04X", a.At, other.Quantity, b.At)
				}
			}
		}
	}
}

func overlap(a, b Part) bool {
	return a.Function == b.Function &&
		int(a.At) < int(b.At)+b.Words && int(b.At) < int(a.At)+a.Words
}

// wordsOf returns the registers of a type, 0 for BCD and for no type.
func wordsOf(t Type) int {
	switch t {
	case U16, I16:
		return 1
	case U32, I32, F32:
		return 2
	case U64, I64, F64:
		return 4
	}
	return 0
}
