package codes

import "fmt"

// The standards of cell codes. GB/T 47678.3 keeps the 15 characters of GB/T
// 30428.1-2013; that it does rests on one source.
const (
	CellCJT213   = "CJ/T 213-2005"
	CellGBT30428 = "GB/T 30428.1-2013"
)

// CellParts is a cell code taken apart. County, Street and Community are whole codes.
type CellParts struct {
	Code                      CellCode
	Standard                  string // CellCJT213 or CellGBT30428
	County, Street, Community AreaCode
	Serial                    string // 2 digits, or 3 characters
}

// String returns the code as it was parsed.
func (c CellParts) String() string { return string(c.Code) }

const (
	cellDigits     = 14
	cellCharacters = 15
)

// ParseCell takes apart a cell code: 14 digits, 6 + 3 + 3 + 2 [CJ/T 213-2005], or 15
// of 0-9 and A-Z, 6 + 3 + 3 + 3 [GB/T 30428.1-2013, GB/T 47678.3]. The letters are
// seen in one implementation and are taken after the county, which is digits by GB/T
// 2260. Cells are numbered from 1. The error is a *CodeError.
func ParseCell(s string) (CellParts, error) {
	const what = "cell code"
	letters, serial, standard := false, 2, CellCJT213
	switch len(s) {
	case cellDigits:
	case cellCharacters:
		letters, serial, standard = true, 3, CellGBT30428
	default:
		return CellParts{}, notLong(what, s, "14 digits ("+CellCJT213+") or 15 characters ("+CellGBT30428+")")
	}
	fields := []field{
		{name: "county", width: 6},
		{name: "street", width: 3, letters: letters},
		{name: "community", width: 3, letters: letters},
		{name: "cell", width: serial, letters: letters},
	}
	parts, err := cut(what, s, fields)
	if err != nil {
		return CellParts{}, err
	}
	for i, p := range parts {
		if zeros(p) {
			return CellParts{}, emptyPart(what, s, fields, i)
		}
	}
	if err := checkCounty(what, s, true); err != nil {
		return CellParts{}, err
	}
	return CellParts{
		Code: CellCode(s), Standard: standard, Serial: parts[3],
		County: AreaCode(s[:countyDigits]), Street: AreaCode(s[:streetDigits]), Community: AreaCode(s[:communityDigits]),
	}, nil
}

// Within reports, as a *CodeError, the first part of c that is not that of area.
func (c CellParts) Within(area AreaCode) error {
	if area.Contains(AreaCode(c.Code)) {
		return nil
	}
	return outside("cell code", string(c.Code), area)
}

// outside names the first part of code that differs from area.
func outside(what, code string, area AreaCode) error {
	want := area.prefix()
	if want == "" {
		return &CodeError{What: what, Code: code, Problem: "no area is given to compare it with"}
	}
	parts := []struct {
		name     string
		from, to int
	}{{"county", 0, countyDigits}, {"street", countyDigits, streetDigits}, {"community", streetDigits, communityDigits}}
	for _, p := range parts {
		end := min(p.to, len(want))
		if p.from < end && (len(code) < end || code[p.from:end] != want[p.from:end]) {
			return &CodeError{What: what, Code: code, From: p.from + 1, To: end, Part: p.name,
				Problem: fmt.Sprintf("not in area %s, which has %s there; correct the code, or the area that it is filed under", area, want[p.from:end])}
		}
	}
	return &CodeError{What: what, Code: code, Problem: fmt.Sprintf("not in area %s", area)}
}

// Validate reports what ParseCell reports.
func (c CellCode) Validate() error {
	_, err := ParseCell(string(c))
	return err
}

// Community returns the code of the community that c lies in; empty where c is too
// short to say.
func (c CellCode) Community() AreaCode {
	if len(c) < communityDigits {
		return ""
	}
	return AreaCode(c[:communityDigits])
}

// maxDuty bounds the code of a duty grid, in bytes.
const maxDuty = 32

// Validate reports a code that is empty, longer than 32 or outside 0-9 A-Z a-z _ -.
func (d DutyCode) Validate() error {
	if len(d) > maxDuty || !word(string(d)) {
		return &CodeError{What: "duty grid code", Code: string(d), Problem: fmt.Sprintf("want 1 to %d of 0-9 A-Z a-z _ -", maxDuty)}
	}
	return nil
}

// word reports whether s is of 0-9 A-Z a-z _ - and not empty.
func word(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && !('A' <= c && c <= 'Z') && !('a' <= c && c <= 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}
