// Package profiles holds the register maps of meters as data: one YAML file a
// meter model, the maker's document named in it, and a vector file beside it
// with raw registers and the values that they must give. A new meter model is
// one YAML file and its vectors; no Go.
//
// The package is data and its strict loader only. The decoder (adapters/modbus)
// and the simulated meters (simulators) both build on it and know nothing of
// each other, so that a bug in one cannot hide in the other.
package profiles

import "citygrid/schemas"

// Profile is the register map of one meter model.
type Profile struct {
	// ID names the profile in configurations: "eastron-sdm630". It equals the
	// file name without ".yaml".
	ID    string
	Maker string
	Model string
	// Medium is what the meter meters.
	Medium schemas.Medium
	// Document names the maker's document and, where known, the page; or the
	// public source that the map was taken from.
	Document string
	// MaxRegisters bounds the registers of one request, 1 to 125.
	MaxRegisters int
	// MaxGap is how many unwanted registers a request may read across to join
	// two wanted ones.
	MaxGap int
	// Holes are registers that the device refuses to have read across.
	Holes  []Span
	Fields []Field
}

// Span is the closed interval of wire addresses [From, To] of one function.
type Span struct {
	Function uint8
	From, To uint16
}

// Field is one quantity of the meter. Its value is the sum of its parts, each
// scaled exactly; all parts are read in one request, because a rollover between
// two requests would give a wrong total.
type Field struct {
	Quantity schemas.Quantity
	// Parts has at least one element. For a State quantity it has exactly one.
	Parts []Part
	// States maps the raw register, after Mask, to the code of the quantity's
	// list of states. It is used by State quantities only; a raw value that is
	// not in it is "no value" (schemas.ReasonUnknownState).
	States map[uint16]uint8
	// Mask selects the bits of a State register; 0 stands for all.
	Mask uint16
	// WrapsAt is the value, in the quantity's unit, at which a counter goes
	// back to zero; nil when the document does not say. Rollover is told from
	// a fall by it.
	WrapsAt *schemas.Decimal
	// Together names a group of fields that must be read in one request: values
	// that only mean something when they are of one moment, such as an energy
	// and the transformer ratio that it is to be multiplied by. Empty: the field
	// stands alone.
	Together string
}

// Part is a run of registers that holds one number.
type Part struct {
	// Function is 3 (holding) or 4 (input registers).
	Function uint8
	// At is the wire address, 0-based, of the first register.
	At   uint16
	Type Type
	// Words is the number of registers: 1, 2 or 4 by Type, 1 to 4 for BCD.
	Words int
	// Order is the order of the bytes on the wire; see Order.
	Order Order
	// Times and Shift scale the raw number into the unit of the quantity,
	// exactly: value = raw × Times × 10^Shift. Times is never 0.
	Times int64
	Shift int
	// Places rounds the part, once scaled, to so many decimals, half to even,
	// before the parts are summed: 1 to 18, and 0 for not at all. It is for a
	// float whose last digits are noise, such as the fraction beside an integer
	// total: 9300 and 0.000000059604645 have no exact sum of 64 bits.
	Places int
	// Absent lists raw values (as unsigned numbers of the register's width)
	// that mean "not available" [maker's document].
	Absent []uint64
}

// Last returns the wire address of the part's last register.
func (p Part) Last() uint16 { return p.At + uint16(p.Words) - 1 }

// Type is how a part's registers are to be read.
type Type string

// The types.
const (
	U16 Type = "u16"
	I16 Type = "i16"
	U32 Type = "u32"
	I32 Type = "i32"
	U64 Type = "u64"
	I64 Type = "i64"
	F32 Type = "f32"
	F64 Type = "f64"
	// BCD is two decimal digits a byte, most significant first after Order.
	BCD Type = "bcd"
)

// Order is the order of bytes of a number on the wire, written as the public
// documents do for 32 bits: A is the most significant byte. For 64 bits (and
// BCD of more than two registers) the same rule is applied to all registers:
//
//	ABCD  big-endian words, big-endian bytes (the Modbus default)
//	CDAB  words swapped: least significant word first, bytes big-endian
//	BADC  bytes swapped inside each word, most significant word first
//	DCBA  fully little-endian
type Order string

// The orders.
const (
	ABCD Order = "ABCD"
	CDAB Order = "CDAB"
	BADC Order = "BADC"
	DCBA Order = "DCBA"
)
