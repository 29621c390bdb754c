// Package profiles holds the data items of CJ/T 188 meters as data: one YAML
// file a meter model, the document named in it, and a vector file beside it with
// frames as they came over the wire and the values that they must give. A new
// meter model is one YAML file and its vectors; no Go.
//
// The package is data and its strict loader only, as adapters/modbus/profiles
// is: the decoder (adapters/cjt188) and the simulated meters (simulators) both
// build on it and know nothing of each other.
package profiles

import "citygrid/schemas"

// Profile is the list of data items of one meter model.
type Profile struct {
	// ID names the profile in configurations; it equals the file name without
	// ".yaml".
	ID    string
	Maker string
	Model string
	// Medium is what the meter meters.
	Medium schemas.Medium
	// Document names the standard or the maker's document, with the clause.
	Document string
	// Type is the meter type T of the frame: 0x10 cold water, 0x30 gas.
	Type uint8
	// Edition is the year of the standard that decides the order of the two
	// bytes of an identifier on the wire: 2004 sends 901F as 90 1F, 2018 as
	// 1F 90. 0 is for models of which both kinds exist: the driver finds out.
	Edition int
	// Fields are what a read of the meter gives. Fields of one item (DI) come
	// from one answer.
	Fields []Field
	// Lengths gives, by DI, how many bytes of data an answer has after the
	// sequence byte. An answer of another length is refused: the two editions
	// have items of one identifier and different layout.
	Lengths map[uint16]int
	// Clock says where the meter's time is; nil without.
	Clock *Clock
	// Monthly are the meter's readings of the last settlement days; nil without.
	Monthly *Freeze
}

// Field is one quantity in the data of one item.
type Field struct {
	Quantity schemas.Quantity
	// DI is the data identifier as the standard writes it: 0x901F.
	DI uint16
	// At is the offset of the field's first byte in the item's data, after the
	// sequence byte; Bytes how many bytes the number has, 1 to 4, low byte
	// first.
	At, Bytes int
	Format    Format
	// Shift scales the digits into the unit of the quantity, exactly:
	// value = digits × 10^Shift. With BCDUnit, into the unit of the unit byte,
	// and the driver goes on from there.
	Shift int
	// Mask and States are for a State quantity read from Bits: the word after
	// Mask (0 stands for all) is looked up in States. Makers differ in the bits
	// of the status ST, so they stand in each profile.
	Mask   uint16
	States map[uint16]uint8
	// Absent lists digits or bits, as the number that they are in hexadecimal,
	// that mean "not available".
	Absent []uint64
	// WrapsAt is the value, in the quantity's unit, at which a counter goes back
	// to zero; nil when the document does not say.
	WrapsAt *schemas.Decimal
}

// Format is how a field's bytes are to be read.
type Format string

// The formats.
const (
	// BCD is two decimal digits a byte.
	BCD Format = "bcd"
	// BCDUnit is BCD followed by one byte that names the unit
	// [CJ/T 188-2004 table 13]: 2C is m3, 2B 100 L.
	BCDUnit Format = "bcd+unit"
	// Bits is an unsigned binary number, one or two bytes.
	Bits Format = "bits"
)

// Clock says where the meter's time is: seven bytes of BCD, ss mm hh DD MM YY
// CC, at offset At of item DI.
type Clock struct {
	DI uint16
	At int
}

// Freeze is the series of settlement readings in the meter's memory. Record 1
// is the newest; record n has identifiers n-1 above those of record 1.
type Freeze struct {
	// Kept is how many records the meter keeps.
	Kept int
	// DayDI is the item whose first byte is the settlement day, BCD [8103].
	DayDI uint16
	// Fields hold the identifiers of record 1.
	Fields []Field
}
