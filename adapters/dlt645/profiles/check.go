package profiles

import (
	"math/bits"

	"citygrid/adapters/catalog"
	"citygrid/schemas"
)

// The bounds of a profile.
const (
	// MaxItem is the longest data of an item, over all frames of its answer.
	MaxItem = 1000
	// maxDigits keeps numbers to what an int64 holds exactly.
	maxDigits = 16
	maxShift  = 18
	// maxKept is how many records DI0 can count.
	maxKept = 254
)

// Validate reports everything for which p could not be read and decoded as it
// says, all at once, each with its field. The rules are those of a file.
func (p *Profile) Validate() error {
	c := &checker{Problems: catalog.Problems{Name: p.ID}}
	c.profile(p)
	return c.Err()
}

// Validate reports what makes f alone one that cannot be decoded.
func (f *Field) Validate() error {
	c := &checker{}
	c.decodable(liveList, 0, f)
	return c.Err()
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
	c.clock(p)
	c.freezes("daily", dailyList, p, p.Daily)
	c.freezes("monthly", monthlyList, p, p.Monthly)
	for _, di := range p.Open {
		if !has(p, di) {
			c.AddTop("open", "no field is of item %0*X", p.DigitsDI(), di)
		}
	}
}

func (c *checker) head(p *Profile) {
	c.Plate(p.Maker, p.Model, p.Document, p.Medium)
	if p.Edition != 2007 && p.Edition != 1997 {
		c.AddTop("edition", "%d is neither 2007 nor 1997", p.Edition)
	}
	c.identifier(p, "serial", p.Serial)
}

// identifier reports an identifier outside an item list that is too wide.
func (c *checker) identifier(p *Profile, key string, di uint32) {
	if p.Edition == 1997 && di > 0xFFFF {
		c.AddTop(key, "%08X has four bytes, DL/T 645-1997 has two", di)
	}
}

// fields checks one list of fields.
func (c *checker) fields(list string, p *Profile, fields []Field) {
	seen := map[schemas.Quantity]bool{}
	for i := range fields {
		f := &fields[i]
		if seen[f.Quantity] {
			c.Add(list, i, string(f.Quantity), "named twice; a quantity has one field")
		}
		seen[f.Quantity] = true
		if problem := catalog.OfMedium(f.Quantity, p.Medium); problem != "" {
			c.Add(list, i, string(f.Quantity), "%s", problem)
		}
		if p.Edition == 1997 && f.DI > 0xFFFF {
			c.Add(list, i, string(f.Quantity), "di: %08X has four bytes, DL/T 645-1997 has two", f.DI)
		}
		c.decodable(list, i, f)
		c.overlaps(list, i, fields)
	}
}

// decodable checks a field by itself.
func (c *checker) decodable(list string, i int, f *Field) {
	for _, problem := range (catalog.Head{Quantity: f.Quantity, WrapsAt: f.WrapsAt, Mask: f.Mask, States: f.States}).Check() {
		c.Add(list, i, string(f.Quantity), "%s", problem)
	}
	most := maxDigits / 2
	switch f.Format {
	case BCD, SignedBCD:
	case Bits:
		most = 2
	default:
		c.Add(list, i, string(f.Quantity), "format: %q is none of bcd, sbcd, bits", f.Format)
	}
	if f.Bytes < 1 || f.Bytes > most {
		c.Add(list, i, string(f.Quantity), "bytes: %d is not in 1 to %d", f.Bytes, most)
		return
	}
	if f.At < 0 || f.At > MaxItem-f.Bytes {
		c.Add(list, i, string(f.Quantity), "at: %d is not in 0 to %d", f.At, MaxItem-f.Bytes)
	}
	if f.Shift < -maxShift || f.Shift > maxShift {
		c.Add(list, i, string(f.Quantity), "shift: %d is not in -%d to %d", f.Shift, maxShift, maxShift)
	}
	if f.States != nil && (f.Format != Bits || f.Shift != 0) {
		c.Add(list, i, string(f.Quantity), "a state is of format bits and without shift")
	}
	for _, a := range f.Absent {
		if bits.Len64(a) > 8*f.Bytes {
			c.Add(list, i, string(f.Quantity), "absent: 0x%X does not fit %d bytes", a, f.Bytes)
		}
	}
}

// overlaps checks field i against the fields before it: bytes may be shared (a
// state and the word that it is part of), but only whole.
func (c *checker) overlaps(list string, i int, fields []Field) {
	f := fields[i]
	for _, other := range fields[:i] {
		if f.DI == other.DI && f.At < other.At+other.Bytes && other.At < f.At+f.Bytes &&
			(f.At != other.At || f.Bytes != other.Bytes) {
			c.Add(list, i, string(f.Quantity), "at: %d overlaps part of %s at %d", f.At, other.Quantity, other.At)
		}
	}
}

func (c *checker) clock(p *Profile) {
	k := p.Clock
	if k == nil {
		return
	}
	split := k.DateDI != 0 && k.TimeDI != 0 && k.BothDI == 0
	both := k.DateDI == 0 && k.TimeDI == 0 && k.BothDI != 0
	if !split && !both {
		c.AddTop("clock", "want date and time, or both in one item")
	}
	for _, di := range []uint32{k.DateDI, k.TimeDI, k.BothDI} {
		c.identifier(p, "clock", di)
	}
}

// freezes checks a series of dated records.
func (c *checker) freezes(key, list string, p *Profile, f *Freeze) {
	if f == nil {
		return
	}
	if p.Edition == 1997 {
		c.AddTop(key, "the records of DL/T 645-1997 do not follow each other by identifier")
		return
	}
	if f.Kept < 1 || f.Kept > maxKept {
		c.AddTop(key, "kept: %d is not in 1 to %d", f.Kept, maxKept)
	}
	switch {
	case (f.TimeDI == 0) == (f.DayDI == 0):
		c.AddTop(key, "want time (records that carry theirs) or day (records made at a day of the month)")
	case f.TimeDI != 0 && f.Days != 0:
		c.AddTop(key, "days: goes with day")
	case f.DayDI != 0 && (f.Days < 1 || f.Days > 3):
		c.AddTop(key, "days: %d is not in 1 to 3", f.Days)
	case f.DayDI != 0 && p.Clock == nil:
		c.AddTop(key, "day: the meter's clock says which month a record is of; name the items of clock")
	}
	if len(f.Fields) == 0 {
		c.AddTop(key, "fields: none")
	}
	c.fields(list, p, f.Fields)
	c.counted(list, f)
}

// counted checks that all records have identifiers: only DI0 counts.
func (c *checker) counted(list string, f *Freeze) {
	for i := range f.Fields {
		if q := string(f.Fields[i].Quantity); int(f.Fields[i].DI&0xFF)+f.Kept-1 > 0xFF {
			c.Add(list, i, q, "di: %08X and %d records run past DI0 = FF", f.Fields[i].DI, f.Kept)
		}
	}
	if int(f.TimeDI&0xFF)+f.Kept-1 > 0xFF {
		c.Add(list, 0, "time", "%08X and %d records run past DI0 = FF", f.TimeDI, f.Kept)
	}
}

// DigitsDI is how many hexadecimal digits an identifier has: 8, and 4 for 1997.
func (p *Profile) DigitsDI() int {
	if p.Edition == 1997 {
		return 4
	}
	return 8
}

// has reports whether p has a field of that item, in any of its lists.
func has(p *Profile, di uint32) bool {
	lists := [][]Field{p.Fields}
	for _, f := range []*Freeze{p.Daily, p.Monthly} {
		if f != nil {
			lists = append(lists, f.Fields)
		}
	}
	for _, list := range lists {
		for _, f := range list {
			if f.DI == di {
				return true
			}
		}
	}
	return false
}
