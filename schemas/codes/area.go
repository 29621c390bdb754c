package codes

import (
	"fmt"
	"strings"
)

// Level is how deep a division lies.
type Level string

// The levels. Province and prefecture have six digits too, with zeros at their end.
const (
	ProvinceLevel   Level = "province"
	PrefectureLevel Level = "prefecture"
	CountyLevel     Level = "county"
	StreetLevel     Level = "street"
	CommunityLevel  Level = "community"
)

// StreetKind is what the digits 7 to 9 of an area code say [GB/T 10114].
type StreetKind string

// The kinds.
const (
	Subdistrict StreetKind = "street"     // 001-099 街道
	Town        StreetKind = "town"       // 100-199 镇
	Township    StreetKind = "township"   // 200-399 乡
	Zone        StreetKind = "zone"       // 400-599 farms, development zones
	Unassigned  StreetKind = "unassigned" // 600-999: no rule known, accepted
)

// AreaParts is an area code taken apart. County, Street and Community are whole
// codes, and empty below the area's own level.
type AreaParts struct {
	Code                      AreaCode
	Level                     Level
	County, Street, Community AreaCode
	StreetKind                StreetKind // empty above the street
}

// String returns the code as it was parsed.
func (a AreaParts) String() string { return string(a.Code) }

const (
	countyDigits    = 6
	streetDigits    = 9
	communityDigits = 12
)

func areaFields() []field {
	return []field{{name: "county", width: 6}, {name: "street", width: 3}, {name: "community", width: 3}}
}

// ParseArea takes apart an area code of 6, 9 or 12 digits [GB/T 2260-2007, GB/T
// 10114]. The error is a *CodeError.
func ParseArea(s string) (AreaParts, error) {
	const what = "area code"
	fields := areaFields()
	switch len(s) {
	case countyDigits:
		fields = fields[:1]
	case streetDigits:
		fields = fields[:2]
	case communityDigits:
	default:
		return AreaParts{}, notLong(what, s, "6 (county), 9 (street) or 12 (community) digits")
	}
	parts, err := cut(what, s, fields)
	if err != nil {
		return AreaParts{}, err
	}
	for i, p := range parts {
		if zeros(p) {
			return AreaParts{}, emptyPart(what, s, fields, i)
		}
	}
	if err := checkCounty(what, s, len(s) > countyDigits); err != nil {
		return AreaParts{}, err
	}
	return areaParts(AreaCode(s)), nil
}

// checkCounty reports, as a *CodeError, first six digits of code that no division has.
// Nothing lies in a province directly; a city without counties, such as 441900, has
// streets of its own.
func checkCounty(what, code string, inside bool) error {
	six := code[:countyDigits]
	wrong := func(from, to int, part, problem string) error {
		return &CodeError{What: what, Code: code, From: from, To: to, Part: part, Problem: problem + " [GB/T 2260-2007]"}
	}
	switch {
	case zeros(six):
		return emptyPart(what, code, areaFields(), 0)
	case six[0] == '0':
		return wrong(1, 1, "province", "0, with which none begins; are the digits shifted?")
	case inside && six[2:] == "0000":
		return wrong(3, 6, "county", "0000, which is the whole province; write the county")
	case six[2:4] == "00" && six[4:] != "00":
		return wrong(3, 4, "prefecture", "00, which has no counties; what lies under a province directly has 90")
	}
	return nil
}

// emptyPart is the error of a part of zeros only, which statistics use for "the whole
// area above" and a register must not.
func emptyPart(what, code string, fields []field, i int) error {
	from := width(fields[:i])
	problem := "zeros only, which is no " + fields[i].name
	if i > 0 && what == "area code" {
		problem += fmt.Sprintf("; for the whole %s write its %d digits alone", fields[i-1].name, from)
	}
	return &CodeError{What: what, Code: code, From: from + 1, To: from + fields[i].width, Part: fields[i].name, Problem: problem}
}

// areaParts takes apart a code that is known to be right.
func areaParts(code AreaCode) AreaParts {
	a := AreaParts{Code: code, Level: countyLevel(string(code[:countyDigits])), County: code[:countyDigits]}
	if len(code) >= streetDigits {
		a.Level, a.Street = StreetLevel, code[:streetDigits]
		a.StreetKind = streetKind(string(code[countyDigits:streetDigits]))
	}
	if len(code) >= communityDigits {
		a.Level, a.Community = CommunityLevel, code[:communityDigits]
	}
	return a
}

func countyLevel(six string) Level {
	switch {
	case strings.HasSuffix(six, "0000"):
		return ProvinceLevel
	case strings.HasSuffix(six, "00"):
		return PrefectureLevel
	}
	return CountyLevel
}

func streetKind(three string) StreetKind {
	switch {
	case three < "100":
		return Subdistrict
	case three < "200":
		return Town
	case three < "400":
		return Township
	case three < "600":
		return Zone
	}
	return Unassigned
}

// Validate reports what ParseArea reports.
func (a AreaCode) Validate() error {
	_, err := ParseArea(string(a))
	return err
}

// Parent returns the division above: the street of a community, the county of a
// street, the prefecture of a county, the province of a prefecture; empty for a
// province. a must be valid.
func (a AreaCode) Parent() AreaCode {
	switch parts := areaParts(a); parts.Level {
	case CommunityLevel:
		return parts.Street
	case StreetLevel:
		return parts.County
	case CountyLevel:
		return a[:4] + "00"
	case PrefectureLevel:
		return a[:2] + "0000"
	}
	return ""
}

// Contains reports whether b is a or lies inside it, by their digits. The prefecture
// 320500 contains the county 320508.
func (a AreaCode) Contains(b AreaCode) bool {
	return a != "" && strings.HasPrefix(string(b), a.prefix())
}

// prefix is what every code inside a begins with.
func (a AreaCode) prefix() string {
	if len(a) != countyDigits {
		return string(a)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(a), "00"), "00")
}
