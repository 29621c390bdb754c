package profiles

import "citygrid/schemas"

// UnitOf returns what the unit byte of an answer stands for: digits in that unit
// times 10^shift are in the UCUM unit [CJ/T 188-2004 table 13, 2018 table 20].
// ok is false for a byte that the tables do not name, and for units that are no
// power of ten of one of ours: a joule is no decimal fraction of a kilowatt
// hour.
func UnitOf(code byte) (unit schemas.Unit, shift int, ok bool) {
	// Units come in groups of three codes: times 1, 10 and 100.
	for _, group := range [...]struct {
		first byte
		unit  schemas.Unit
		shift int
	}{
		{0x02, "kW.h", -3}, // Wh
		{0x05, "kW.h", 0},
		{0x08, "kW.h", 3}, // MWh
		{0x14, "W", 0},
		{0x17, "W", 3}, // kW
		{0x1A, "W", 6}, // MW
		{0x29, "m3", -3},
		{0x2C, "m3", 0},
		{0x32, "m3/h", -3},
		{0x35, "m3/h", 0},
	} {
		if n := code - group.first; code >= group.first && n < 3 {
			return group.unit, group.shift + int(n), true
		}
	}
	return "", 0, false
}

// HasUnits reports whether unit bytes exist for a unit of ours.
func HasUnits(u schemas.Unit) bool {
	for code := range 256 {
		if unit, _, ok := UnitOf(byte(code)); ok && unit == u {
			return true
		}
	}
	return false
}
