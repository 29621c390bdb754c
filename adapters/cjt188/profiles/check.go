package profiles

import (
	"maps"
	"math/bits"
	"slices"

	"citygrid/adapters/catalog"
	"citygrid/schemas"
)

// The bounds of a profile.
const (
	// MaxData is the most data that an answer can have after its identifier and
	// sequence byte: the length is one byte.
	MaxData = 255 - 3
	// ClockBytes is how many bytes a meter's time has.
	ClockBytes = 7
	maxShift   = 18
	// maxKept is how many settlement readings the standard has identifiers for,
	// D120 to D12B.
	maxKept = 12
)

// Validate reports everything for which p could not be read and decoded as it
// says, all at once, each with its field. The rules are those of a file.
func (p *Profile) Validate() error {
	c := &checker{catalog.Problems{Name: p.ID}}
	c.profile(p)
	return c.Err()
}

// Validate reports what makes f alone one that cannot be decoded.
func (f *Field) Validate() error {
	c := &checker{}
	c.decodable(liveList, 0, f)
	return c.Err()
}

// Size is how many bytes of an item the field takes, its unit byte included.
func (f *Field) Size() int {
	if f.Format == BCDUnit {
		return f.Bytes + 1
	}
	return f.Bytes
}

// checker collects what is wrong with one profile.
type checker struct{ catalog.Problems }

// profile checks everything that the types do not already rule out.
func (c *checker) profile(p *Profile) {
	c.head(p)
	if len(p.Fields) == 0 {
		c.AddTop(liveList, "none; a profile names at least one quantity")
	}
	c.fields(liveList, p, p.Fields)
	if p.Clock != nil {
		c.room(p, "clock", p.Clock.DI, p.Clock.At, ClockBytes)
	}
	c.monthly(p)
	c.lengths(p)
}

// family gives the first digit of a meter type by medium
// [CJ/T 188-2004 table 1].
func family(m schemas.Medium) (digit uint8, ok bool) {
	switch m {
	case schemas.Water:
		return 1, true
	case schemas.Gas:
		return 3, true
	case schemas.Power:
		return 4, true
	}
	return 0, false
}

func (c *checker) head(p *Profile) {
	c.Plate(p.Maker, p.Model, p.Document, p.Medium)
	if digit, ok := family(p.Medium); ok && p.Type>>4 != digit {
		c.AddTop("type", "0x%02X is no type of a meter of %s; want 0x%X0 to 0x%XF", p.Type, p.Medium, digit, digit)
	}
	if p.Edition != 0 && p.Edition != 2004 && p.Edition != 2018 {
		c.AddTop("edition", "%d is neither 2004 nor 2018; leave it out to have it found out", p.Edition)
	}
}

// fields checks one list of fields.
func (c *checker) fields(list string, p *Profile, fields []Field) {
	seen := map[schemas.Quantity]bool{}
	for i := range fields {
		f := &fields[i]
		q := string(f.Quantity)
		if seen[f.Quantity] {
			c.Add(list, i, q, "named twice; a quantity has one field")
		}
		seen[f.Quantity] = true
		if problem := catalog.OfMedium(f.Quantity, p.Medium); problem != "" {
			c.Add(list, i, q, "%s", problem)
		}
		c.decodable(list, i, f)
		c.inside(list, i, p, f)
		c.overlaps(list, i, fields)
	}
}

// decodable checks a field by itself.
func (c *checker) decodable(list string, i int, f *Field) {
	q := string(f.Quantity)
	for _, problem := range (catalog.Head{Quantity: f.Quantity, WrapsAt: f.WrapsAt, Mask: f.Mask, States: f.States}).Check() {
		c.Add(list, i, q, "%s", problem)
	}
	most := 4
	switch f.Format {
	case BCD, BCDUnit:
	case Bits:
		most = 2
	default:
		c.Add(list, i, q, "format: %q is none of bcd, bcd+unit, bits", f.Format)
	}
	if f.Bytes < 1 || f.Bytes > most {
		c.Add(list, i, q, "bytes: %d is not in 1 to %d", f.Bytes, most)
	}
	if f.Shift < -maxShift || f.Shift > maxShift {
		c.Add(list, i, q, "shift: %d is not in -%d to %d", f.Shift, maxShift, maxShift)
	}
	info, known := f.Quantity.Info()
	if f.Format == BCDUnit && known && !HasUnits(info.Unit) {
		c.Add(list, i, q, "format: no unit byte stands for %s", info.Unit)
	}
	if known && info.Kind == schemas.State && (f.Format != Bits || f.Shift != 0) {
		c.Add(list, i, q, "a state is of format bits and without shift")
	}
	for _, a := range f.Absent {
		if bits.Len64(a) > 8*f.Bytes {
			c.Add(list, i, q, "absent: 0x%X does not fit %d bytes", a, f.Bytes)
		}
	}
}

// inside checks that a field lies in its item.
func (c *checker) inside(list string, i int, p *Profile, f *Field) {
	length, ok := p.Lengths[f.DI]
	switch {
	case !ok:
		c.Add(list, i, string(f.Quantity), "lengths: say how long item %04X is", f.DI)
	case f.At < 0 || f.At > length-f.Size():
		c.Add(list, i, string(f.Quantity), "at: bytes %d to %d are not in the %d of item %04X", f.At, f.At+f.Size()-1, length, f.DI)
	}
}

// overlaps checks field i against the fields before it: bytes may be shared
// (two states in one status), but only whole.
func (c *checker) overlaps(list string, i int, fields []Field) {
	f := &fields[i]
	for j := range fields[:i] {
		o := &fields[j]
		if f.DI == o.DI && f.At < o.At+o.Size() && o.At < f.At+f.Size() && (f.At != o.At || f.Size() != o.Size()) {
			c.Add(list, i, string(f.Quantity), "at: %d overlaps part of %s at %d", f.At, o.Quantity, o.At)
		}
	}
}

// room checks that n bytes at an offset lie in an item.
func (c *checker) room(p *Profile, key string, di uint16, at, n int) {
	length, ok := p.Lengths[di]
	switch {
	case !ok:
		c.AddTop(key, "lengths: say how long item %04X is", di)
	case at < 0 || at > length-n:
		c.AddTop(key, "bytes %d to %d are not in the %d of item %04X", at, at+n-1, length, di)
	}
}

// monthly checks the series of settlement readings.
func (c *checker) monthly(p *Profile) {
	m := p.Monthly
	if m == nil {
		return
	}
	if m.Kept < 1 || m.Kept > maxKept {
		c.AddTop("monthly", "kept: %d is not in 1 to %d", m.Kept, maxKept)
	}
	if p.Clock == nil {
		c.AddTop("monthly", "the meter's clock says which month a record is of; name its item")
	}
	if len(m.Fields) == 0 {
		c.AddTop("monthly", "fields: none")
	}
	c.room(p, "monthly.day", m.DayDI, 0, 1)
	c.fields(monthlyList, p, m.Fields)
	for i := range m.Fields {
		if f := &m.Fields[i]; int(f.DI&0xFF)+m.Kept-1 > 0xFF {
			c.Add(monthlyList, i, string(f.Quantity), "di: %04X and %d records run into the next group of identifiers", f.DI, m.Kept)
		}
	}
}

// lengths checks the table of lengths: a length that nothing uses is a typing
// error in an identifier.
func (c *checker) lengths(p *Profile) {
	used := map[uint16]bool{}
	for _, f := range p.Fields {
		used[f.DI] = true
	}
	if p.Clock != nil {
		used[p.Clock.DI] = true
	}
	if p.Monthly != nil {
		used[p.Monthly.DayDI] = true
		for _, f := range p.Monthly.Fields {
			used[f.DI] = true
		}
	}
	for _, di := range slices.Sorted(maps.Keys(p.Lengths)) {
		if n := p.Lengths[di]; n < 1 || n > MaxData {
			c.AddTop("lengths", "%04X: %d is not in 1 to %d", di, n, MaxData)
		}
		if !used[di] {
			c.AddTop("lengths", "%04X: no field is of that item", di)
		}
	}
}
