// Package profiles holds the data items of DL/T 645 meters as data: one YAML
// file a meter model, the document named in it, and a vector file beside it with
// frames as they came over the wire and the values that they must give. A new
// meter model is one YAML file and its vectors; no Go.
//
// The package is data and its strict loader only, as adapters/modbus/profiles
// is: the decoder (adapters/dlt645) and the simulated meters (simulators) both
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
	// Edition is the year of the standard: 2007 or 1997. It decides the control
	// codes and whether an identifier has four bytes or two.
	Edition int
	// Fields are what a read of the meter gives. Fields of one item (DI) come
	// from one answer.
	Fields []Field
	// Clock are the items that hold the meter's date and time; nil without.
	Clock *Clock
	// Open are the items whose data may go on after the last field, because the
	// meter decides how many parts it has: blocks with a value a tariff. The
	// data of every other item must be exactly as long as its fields reach; an
	// answer of another length is refused, since it is not the item that the
	// profile describes.
	Open []uint32
	// Serial is the identifier of the meter's own number, 0 without.
	Serial uint32
	// Daily and Monthly are the meter's dated records; nil without.
	Daily, Monthly *Freeze
}

// Field is one quantity in the data of one item.
type Field struct {
	Quantity schemas.Quantity
	// DI is the data identifier as one number: 0x00010000 is DI3 DI2 DI1 DI0 =
	// 00 01 00 00; for 1997, 0x9010 is DI1 DI0 = 90 10.
	DI uint32
	// At is the offset of the field's first byte in the item's data (after the
	// identifier, the 33H taken off), Bytes how many there are, 1 to 8. They
	// come low byte first.
	At, Bytes int
	Format    Format
	// Shift scales the digits into the unit of the quantity, exactly:
	// value = digits × 10^Shift.
	Shift int
	// Mask and States are for a State quantity read from Bits: the word after
	// Mask (0 stands for all) is looked up in States.
	Mask   uint16
	States map[uint16]uint8
	// Absent lists digits or bits, as the number that they are in hexadecimal
	// (0xFFFFFFFF for four bytes FF), that mean "not available".
	Absent []uint64
	// WrapsAt is the value at which a counter goes back to zero; nil when the
	// document does not say.
	WrapsAt *schemas.Decimal
}

// Format is how a field's bytes are to be read.
type Format string

// The formats.
const (
	// BCD is two decimal digits a byte.
	BCD Format = "bcd"
	// SignedBCD is BCD whose topmost bit is the sign: set means negative.
	SignedBCD Format = "sbcd"
	// Bits is an unsigned binary number, one or two bytes.
	Bits Format = "bits"
)

// Clock says where the meter's date and time are.
type Clock struct {
	// DateDI holds YYMMDDWW, TimeDI hhmmss, both BCD and low byte first; or Both
	// holds YYMMDDWWhhmmss in one item, and the others are 0.
	DateDI, TimeDI, BothDI uint32
}

// Freeze is a series of dated records in the meter's memory. Record 1 is the
// newest; record n has the identifiers of record 1 plus n-1.
type Freeze struct {
	// Kept is how many records the meter keeps.
	Kept int
	// TimeDI is the item with the time of record 1, YYMMDDhhmm; 0 where the
	// records have none. Then DayDI is the item with the day and hour of the
	// month (DDhh) at which they are made.
	TimeDI, DayDI uint32
	// Days is how many settlement days a month the meter may have, 1 to 3: their
	// items are DayDI and those that follow it. Each day that is set makes a
	// record. It is 0 with TimeDI.
	Days int
	// Fields hold the identifiers of record 1.
	Fields []Field
}
