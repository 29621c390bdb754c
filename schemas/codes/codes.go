// Package codes holds the code lists of city grids as versioned data, and takes
// identification codes apart. Codes are strings always: 17 digits exceed the whole
// numbers of JavaScript. What is here follows the lists that are named; nothing
// claims conformity to a standard.
//
// Three numberings of classes are in use and none may be guessed: CJ/T 214-2007 and
// GB/T 30428.2-2013 with four digits, GB/T 47678.5-2026 with five. Every record
// therefore carries a Ref, and every function that cuts a component id asks for the
// standard. The lists are data (Embedded, Lists.Add, Lists.AddDir): a city runs old
// and new ones side by side, and adds its own.
package codes

// AreaCode is a division: 6 digits county [GB/T 2260], 9 street [GB/T 10114],
// 12 community.
type AreaCode string

// CellCode is a unit cell: 14 [CJ/T 213-2005] or 15 characters [GB/T 30428.1-2013].
type CellCode string

// DutyCode is a city's own code of a duty grid.
type DutyCode string

// Kind says whether a code is of a component or of an event (事件, in the newer
// list 事项).
type Kind string

// The kinds. The same digits mean different things in each.
const (
	Component Kind = "component"
	Event     Kind = "event"
)

// The lists that the program knows by name. GB/T 30428.2-2013 numbers like CJ/T
// 214-2007, but its table of minor classes is not part of the program: a city
// imports it.
const (
	CJT214   = "CJ/T 214-2007"
	GBT30428 = "GB/T 30428.2-2013"
	GBT47678 = "GB/T 47678.5-2026"
	// Extension is the program's own list, of what no standard numbers: meters,
	// concentrators, valves, prepaid terminals, and what a collector sees. Its codes
	// are words, so that nobody takes them for a standard's.
	Extension = "citygrid-ext"
)

// Ref names a class: the list it is from, its kind and its code. It is written
// "CJ/T 214-2007:component:0101".
type Ref struct {
	Standard string // the list's standard_ref, such as "CJ/T 214-2007"
	Kind     Kind
	Code     string
}
