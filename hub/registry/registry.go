// Package registry is what the city's asset register holds: areas, unit cells
// (单元网格), duty grids (责任网格), components (部件), meters, departments and people.
// It is types and their rules only; package geo knows coordinates and polygons,
// package census reads and writes files, package assets keeps the tables.
package registry

import (
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
	Span
}

// Ring is a closed line of longitude and latitude in CGCS2000 degrees: the first
// point is the last.
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
	// from it, and empty where the position is unknown or outside all cells.
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

// DepartmentID is a unified social credit code (18) or the city's own number.
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
