package profiles

import (
	"errors"
	"fmt"
	"math/bits"

	"citygrid/schemas"
)

// MaxRegisters is the largest read of the specification [Modbus V1.1b3 6.3].
const MaxRegisters = 125

// Validate reports everything for which p could not be read and decoded as it
// says, all at once, each with its field. The rules are those of a file.
func (p *Profile) Validate() error {
	c := &checker{name: p.ID}
	c.profile(p)
	return errors.Join(c.problems...)
}

// Validate reports what makes f alone one that cannot be decoded. Whether its
// registers can be read together with the others is asked of the Profile.
func (f *Field) Validate() error {
	c := &checker{}
	c.field(0, f)
	return errors.Join(c.problems...)
}

// checker collects what is wrong with one profile.
type checker struct {
	// name is that of the file or the profile; empty for a field alone.
	name     string
	lines    []int // of the fields in the file; nil where there is none
	problems []error
}

// add notes a problem of field i, with its line.
func (c *checker) add(i int, q schemas.Quantity, format string, args ...any) {
	field := string(q)
	if field == "" {
		field = fmt.Sprintf("fields[%d]", i)
	}
	problem := fmt.Sprintf(format, args...)
	switch {
	case c.name == "":
		c.problems = append(c.problems, fmt.Errorf("%s: %s", field, problem))
	case i < len(c.lines):
		c.problems = append(c.problems, fmt.Errorf("profile %s:%d: %s: %s", c.name, c.lines[i], field, problem))
	default:
		c.problems = append(c.problems, fmt.Errorf("profile %s: %s: %s", c.name, field, problem))
	}
}

// addTop notes a problem of a key of the profile itself.
func (c *checker) addTop(key, format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf("profile %s: %s: %s", c.name, key, fmt.Sprintf(format, args...)))
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
		if info, ok := f.Quantity.Info(); ok && info.Medium != p.Medium && info.Medium != schemas.Device {
			c.add(i, f.Quantity, "is of %s, the profile is of %s", info.Medium, p.Medium)
		}
		c.field(i, f)
		c.span(i, p, f)
		c.overlaps(i, p)
	}
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
	for _, k := range []struct{ key, value string }{
		{"maker", p.Maker}, {"model", p.Model}, {"document", p.Document},
	} {
		if k.value == "" {
			c.addTop(k.key, "missing")
		}
	}
	switch p.Medium {
	case schemas.Water, schemas.Power, schemas.Gas:
	default:
		c.addTop("medium", "%q is none of water, power, gas", p.Medium)
	}
	if p.MaxRegisters < 1 || p.MaxRegisters > MaxRegisters {
		c.addTop("max_registers", "%d is not in 1 to %d [Modbus V1.1b3 6.3]", p.MaxRegisters, MaxRegisters)
	}
	if p.MaxGap < 0 || p.MaxGap >= MaxRegisters {
		c.addTop("max_gap", "%d is not in 0 to %d", p.MaxGap, MaxRegisters-1)
	}
	if len(p.Fields) == 0 {
		c.addTop("fields", "none; a profile names at least one quantity")
	}
	for _, h := range p.Holes {
		if h.From > h.To || h.Function != 3 && h.Function != 4 {
			c.addTop("holes", "0x%04X-0x%04X of function %d: want from <= to and function 3 or 4", h.From, h.To, h.Function)
		}
	}
}

// quantity checks a field against the table of quantities.
func (c *checker) quantity(i int, f *Field) {
	info, ok := f.Quantity.Info()
	if !ok {
		c.add(i, f.Quantity, "no such quantity; the list is in schemas/quantities.go")
		return
	}
	if f.WrapsAt != nil {
		if info.Kind != schemas.Counter {
			c.add(i, f.Quantity, "wraps_at: only a counter rolls over")
		} else if f.WrapsAt.Mantissa <= 0 {
			c.add(i, f.Quantity, "wraps_at: %s is not above zero", f.WrapsAt)
		}
	}
	if info.Kind == schemas.State {
		c.state(i, f, len(info.States))
	} else if f.States != nil || f.Mask != 0 {
		c.add(i, f.Quantity, "states and mask go with a quantity that is a state")
	}
}

// state checks a field of a State quantity: one plain u16 whose named raw
// values can occur under the mask and give one of the quantity's codes.
func (c *checker) state(i int, f *Field, codes int) {
	if len(f.Parts) != 1 || f.Parts[0].Type != U16 || f.Parts[0].Times != 1 || f.Parts[0].Shift != 0 {
		c.add(i, f.Quantity, "a state is one u16 register without times and shift")
	}
	if len(f.States) == 0 {
		c.add(i, f.Quantity, "states: missing; name the raw values")
	}
	for raw, code := range f.States {
		if f.Mask != 0 && raw&^f.Mask != 0 {
			c.add(i, f.Quantity, "states: 0x%04X has bits outside the mask 0x%04X", raw, f.Mask)
		}
		if int(code) >= codes {
			c.add(i, f.Quantity, "states: 0x%04X gives code %d, the quantity has %d", raw, code, codes)
		}
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
	low, high := 1<<16, -1
	for _, part := range f.Parts {
		if part.Function != f.Parts[0].Function {
			c.add(i, f.Quantity, "its parts need two requests (functions %d and %d); they must come in one", f.Parts[0].Function, part.Function)
		}
		low, high = min(low, int(part.At)), max(high, int(part.At)+part.Words)
	}
	if high-low > p.MaxRegisters {
		c.add(i, f.Quantity, "spans %d registers, a request may have %d; its parts must come in one", high-low, p.MaxRegisters)
	}
	for _, h := range p.Holes {
		if len(f.Parts) > 0 && h.Function == f.Parts[0].Function && low <= int(h.To) && int(h.From) < high {
			c.add(i, f.Quantity, "registers 0x%04X-0x%04X reach into the hole 0x%04X-0x%04X; they must come in one request",
				low, high-1, h.From, h.To)
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
