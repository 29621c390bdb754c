// Package registry is what the city's asset register holds: areas, unit cells
// (单元网格), duty grids (责任网格), components (部件), meters, departments and people.
// It is types and their rules only; package geo knows coordinates and polygons,
// package census reads and writes files, package assets keeps the tables.
package registry

import (
	"fmt"
	"strings"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// Span is when something was valid: [From, To), UTC; To is zero while it is. Codes
// are never given again: what has changed gets a new code, and the old one an end.
type Span struct{ From, To time.Time }

// Area is a division: county (6 digits), street (9) or community (12)
// [GB/T 2260, GB/T 10114].
type Area struct {
	Code codes.AreaCode
	Name string
	// Kind is the city's own rank of the area for time limits, such as "1" (一类区域);
	// empty takes that of the area above.
	Kind string
	// Shape is its outline; nil where nobody gave one.
	Shape Shape
	Span
}

// Ring is a closed line of longitude and latitude in CGCS2000 degrees: the first
// point is the last. Outer rings run against the clock, holes with it; package geo
// brings them into that order.
type Ring [][2]float64

// Polygon is an outer ring and its holes. Shape is one or more of them.
type (
	Polygon []Ring
	Shape   []Polygon
)

// Cell is a unit cell of about 10,000 m².
type Cell struct {
	Code  codes.CellCode
	Name  string
	Shape Shape
	// Area is in whole square metres, measured from Shape on the ellipsoid.
	Area int64
	Duty codes.DutyCode // the duty grid that it is part of; empty for none
	Span
}

// DutyGrid is the round of an inspector: several cells that one or more people walk.
type DutyGrid struct {
	Code       codes.DutyCode
	Name       string
	Inspectors []PersonID
}

// Component is a managed component, with the attributes of GB/T 47678.5-2026
// table 2.
type Component struct {
	ID schemas.ComponentID
	// Class names its class in a code list, ClassName what it was called when it was
	// recorded.
	Class     codes.Ref
	ClassName string
	Name      string
	// Position is in CGCS2000; unknown ones are listed, never at 0,0. Cell is derived
	// from it. It is empty where the position is outside all cells; where none is known it
	// is the cell of the census, the only clue that there is.
	Position schemas.Position
	Accuracy AccuracyClass
	Cell     codes.CellCode
	State    ComponentState
	// Authority is the department in charge (主管部门), Owner who owns it (权属单位),
	// Upkeep who repairs it (养护单位). All empty: ownerless.
	Authority, Owner, Upkeep DepartmentID
	Location                 string // in words, up to 256 characters
	Source                   string // 实测, 地形图, 基础地理数据, 其他
	Recorded, Changed        time.Time
	Note                     string
	// More are the city's own attributes.
	More map[string]string
}

// Ownerless reports whether nobody is in charge of c.
func (c *Component) Ownerless() bool { return c.Authority == "" && c.Owner == "" && c.Upkeep == "" }

// MeterLink says to which component a meter belongs and where it is.
type MeterLink struct {
	Meter     schemas.MeterID
	Component schemas.ComponentID
	Collector schemas.CollectorID
	Line      string
	Span
}

// DepartmentID is a unified social credit code (18) or the city's own number: 1 to 32
// of [0-9A-Za-z_-].
type DepartmentID string

// Department is a specialist department (专业部门) or another body of the system.
type Department struct {
	ID   DepartmentID
	Name string
	// Classes are what it takes when a component has no owner: class codes or major
	// classes of a list.
	Classes []codes.Ref
	Phone   string
}

// PersonID names a person: 1 to 32 of [0-9A-Za-z_.@-].
type PersonID string

// Person is somebody who works with cases.
type Person struct {
	ID         PersonID
	Name       string
	Roles      []string // of package hub/cases
	Department DepartmentID
	Duty       []codes.DutyCode
	Disabled   bool
}

// ComponentState is how a component is.
type ComponentState string

// The states [GB/T 47678.5-2026].
const (
	Intact    ComponentState = "intact"    // 完好
	Damaged   ComponentState = "damaged"   // 破损
	Missing   ComponentState = "missing"   // 丢失
	Abandoned ComponentState = "abandoned" // 废弃
	Removed   ComponentState = "removed"   // 移除
)

// AccuracyClass is how well a position was surveyed.
type AccuracyClass string

// The classes: A within 0.5 m, B 1 m, C 10 m.
const (
	AccuracyA AccuracyClass = "A"
	AccuracyB AccuracyClass = "B"
	AccuracyC AccuracyClass = "C"
)

// Validate reports a state that is none of the five.
func (s ComponentState) Validate() error {
	switch s {
	case Intact, Damaged, Missing, Abandoned, Removed:
		return nil
	}
	return fmt.Errorf("state %q, want intact, damaged, missing, abandoned or removed", string(s))
}

// Validate reports a class that is not A, B or C.
func (a AccuracyClass) Validate() error {
	switch a {
	case AccuracyA, AccuracyB, AccuracyC:
		return nil
	}
	return fmt.Errorf("accuracy class %q, want A (0.5 m), B (1 m) or C (10 m)", string(a))
}

// Validate reports an id outside its alphabet or length.
func (d DepartmentID) Validate() error { return validName("department", string(d), "_-") }

// Validate reports an id outside its alphabet or length.
func (p PersonID) Validate() error { return validName("person", string(p), "_.@-") }

func validName(what, id, more string) error {
	good := func(r rune) bool {
		return '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || strings.ContainsRune(more, r)
	}
	if id == "" || len(id) > 32 || strings.ContainsFunc(id, func(r rune) bool { return !good(r) }) {
		return fmt.Errorf("%s %q, want 1 to 32 of 0-9 A-Z a-z %s", what, id, strings.Join(strings.Split(more, ""), " "))
	}
	return nil
}
