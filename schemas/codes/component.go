package codes

import (
	"fmt"
	"strings"
)

// ComponentParts is a component id (部件标识码) taken apart.
type ComponentParts struct {
	ID     string
	County AreaCode
	Class  Ref // of kind Component; its code is Major and Minor together
	Major  string
	Minor  string
	Serial string // 6 digits
}

// String returns the id as it was parsed.
func (c ComponentParts) String() string { return c.ID }

// Within reports, as a *CodeError, a county that is not that of area.
func (c ComponentParts) Within(area AreaCode) error {
	county := area
	if len(area) > countyDigits {
		county = area[:countyDigits]
	}
	if county.Contains(c.County) {
		return nil
	}
	return outside("component id", c.ID, county)
}

// EventClassParts is an event class code (事件, 事项代码) taken apart. The same code
// comes again for every occurrence: it is no id.
type EventClassParts struct {
	Code         string
	County       AreaCode
	Class        Ref // of kind Event
	Major, Minor string
}

// String returns the code as it was parsed.
func (e EventClassParts) String() string { return e.Code }

// scheme is how a standard builds its identification codes.
type scheme struct {
	standard string
	minor    int // digits of the minor class
}

func (s scheme) classFields() []field {
	return []field{{name: "county", width: 6}, {name: "major class", width: 2}, {name: "minor class", width: s.minor}}
}

func (s scheme) componentFields() []field {
	return append(s.classFields(), field{name: "serial", width: 6})
}

// schemes are the standards' own: CJ/T 214-2007 and GB/T 30428.2-2013 with 16 and 10
// digits, GB/T 47678.5-2026 with 17 and 11. A draft of the last had 16 = 6+2+3+5:
// that is why a length alone says nothing.
func schemes() []scheme {
	return []scheme{{CJT214, 2}, {GBT30428, 2}, {GBT47678, 3}}
}

func schemeOf(standard string) (scheme, error) {
	var known []string
	for _, s := range schemes() {
		if s.standard == standard {
			return s, nil
		}
		known = append(known, s.standard)
	}
	return scheme{}, fmt.Errorf("no structure of identification codes is known for standard %q; want %s, or a city's list that names one of them as its ids", standard, strings.Join(known, ", "))
}

// ParseComponent takes apart a component id by the rule of standard: CJT214 and
// GBT30428 with 16 digits, 6 + 2 + 2 + 6, GBT47678 with 17, 6 + 2 + 3 + 6. The
// standard is never guessed from the length. Whether a list has the class says
// Lists.ParseComponent. Errors of the id are *CodeError.
func ParseComponent(standard, id string) (ComponentParts, error) {
	s, err := schemeOf(standard)
	if err != nil {
		return ComponentParts{}, fmt.Errorf("component id %s: %w", shown(id), err)
	}
	return s.component(standard, id)
}

// component takes id apart for the list standard, which builds its ids as s does.
func (s scheme) component(standard, id string) (ComponentParts, error) {
	p, err := s.cut("component id", id, scheme.componentFields)
	if err != nil {
		return ComponentParts{}, err
	}
	return ComponentParts{
		ID: id, County: AreaCode(p[0]), Major: p[1], Minor: p[2], Serial: p[3],
		Class: Ref{Standard: standard, Kind: Component, Code: p[1] + p[2]},
	}, nil
}

// ParseEventClass takes apart an event class code by the rule of standard: 10 digits,
// 6 + 2 + 2, or by GBT47678 11 digits, 6 + 2 + 3. Errors of the code are *CodeError.
func ParseEventClass(standard, code string) (EventClassParts, error) {
	s, err := schemeOf(standard)
	if err != nil {
		return EventClassParts{}, fmt.Errorf("event class code %s: %w", shown(code), err)
	}
	return s.eventClass(standard, code)
}

func (s scheme) eventClass(standard, code string) (EventClassParts, error) {
	p, err := s.cut("event class code", code, scheme.classFields)
	if err != nil {
		return EventClassParts{}, err
	}
	return EventClassParts{
		Code: code, County: AreaCode(p[0]), Major: p[1], Minor: p[2],
		Class: Ref{Standard: standard, Kind: Event, Code: p[1] + p[2]},
	}, nil
}

// cut splits code by the fields that s gives, or says whose length it has.
func (s scheme) cut(what, code string, of func(scheme) []field) ([]string, error) {
	fields := of(s)
	if len(code) != width(fields) {
		return nil, s.wrongLength(what, code, of)
	}
	parts, err := cut(what, code, fields)
	if err == nil {
		err = checkCounty(what, code, true)
	}
	return parts, err
}

func (s scheme) wrongLength(what, code string, of func(scheme) []field) error {
	want := fmt.Sprintf("%d digits (%s: %s)", width(of(s)), s.standard, layout(of(s)))
	if !digits(code) || code == "" {
		return notLong(what, code, want)
	}
	problem := fmt.Sprintf("%d digits; want %s", len(code), want)
	var theirs []string
	for _, other := range schemes() {
		if width(of(other)) == len(code) {
			theirs = append(theirs, other.standard)
		}
	}
	switch {
	case len(theirs) > 0:
		problem += fmt.Sprintf("; %d digits are the length of %s: name that standard if the code is by it", len(code), strings.Join(theirs, " and "))
	case what == "component id" && len(code) == 18:
		problem += "; 18 digits are seen for monitored components (GB/T 47678.6), whose structure is not known: register it under the city's own id"
	}
	return &CodeError{What: what, Code: code, Problem: problem}
}
