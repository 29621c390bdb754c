package codes

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxStandard and maxCode bound the parts of a Ref, in bytes.
const (
	maxStandard = 64
	maxCode     = 32
)

// Parse reads "CJ/T 214-2007:component:0101". It checks the form; whether there is
// such a class says Lists.Lookup.
func Parse(s string) (Ref, error) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return Ref{}, fmt.Errorf("class %s: want STANDARD:KIND:CODE, such as %q", shown(s), CJT214+":component:0101")
	}
	r := Ref{Standard: parts[0], Kind: Kind(parts[1]), Code: parts[2]}
	if err := r.Validate(); err != nil {
		return Ref{}, fmt.Errorf("class %s: %w", shown(s), err)
	}
	return r, nil
}

// Parse makes r what s says, and leaves it alone on an error.
func (r *Ref) Parse(s string) error {
	parsed, err := Parse(s)
	if err == nil {
		*r = parsed
	}
	return err
}

// String writes r as Parse reads it; the zero Ref is empty.
func (r Ref) String() string {
	if r == (Ref{}) {
		return ""
	}
	return r.Standard + ":" + string(r.Kind) + ":" + r.Code
}

// Validate reports the first part of r that cannot be.
func (r Ref) Validate() error {
	if err := validStandard(r.Standard); err != nil {
		return err
	}
	if err := r.Kind.Validate(); err != nil {
		return err
	}
	if len(r.Code) > maxCode || !word(r.Code) {
		return fmt.Errorf("code %s: want 1 to %d of 0-9 A-Z a-z _ -", shown(r.Code), maxCode)
	}
	return nil
}

// Validate reports a kind that is neither Component nor Event.
func (k Kind) Validate() error {
	if k != Component && k != Event {
		return fmt.Errorf("kind %s: want %s or %s", shown(string(k)), Component, Event)
	}
	return nil
}

func validStandard(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("standard: missing; want the list's name, such as %q", CJT214)
	case len(s) > maxStandard:
		return fmt.Errorf("standard %s: longer than %d bytes", shown(s), maxStandard)
	case !utf8.ValidString(s) || strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return r == ':' || !unicode.IsPrint(r) }):
		return fmt.Errorf("standard %s: no colon, no control character and no blank around it may be in the name", shown(s))
	}
	return nil
}

// MarshalText writes r as String does. Only a valid or the zero Ref can be written.
func (r Ref) MarshalText() ([]byte, error) {
	if r != (Ref{}) {
		if err := r.Validate(); err != nil {
			return nil, err
		}
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads what MarshalText writes; an empty text is the zero Ref.
func (r *Ref) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = Ref{}
		return nil
	}
	return r.Parse(string(text))
}

// UnmarshalJSON reads a JSON string; null leaves r alone.
func (r *Ref) UnmarshalJSON(data []byte) error {
	return intoText(data, "class", r.UnmarshalText)
}

// Value is the text of r for a column of a database.
func (r Ref) Value() (driver.Value, error) {
	text, err := r.MarshalText()
	return string(text), err
}

// Scan reads r from a column: text, or NULL for the zero Ref.
func (r *Ref) Scan(column any) error {
	switch v := column.(type) {
	case nil:
		*r = Ref{}
		return nil
	case string:
		return r.UnmarshalText([]byte(v))
	case []byte:
		return r.UnmarshalText(v)
	}
	return fmt.Errorf("class: a column of type %T; want text", column)
}

// Text reads an identification code from JSON. Only a string will do: the readers of
// other languages round a number above 2^53 (9007199254740992), and drop the zeros in
// front. what names the member for the error.
func Text(data []byte, what string) (string, error) {
	if n := len(data); n > 0 && (isDigit(data[0]) || data[0] == '-') {
		return "", fmt.Errorf("%s: a JSON number %s; write it as a string, in quotes: codes lose zeros and last digits as numbers (2^53)", what, shown(string(data)))
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return "", fmt.Errorf("%s: want a JSON string: %w", what, err)
	}
	return s, nil
}

// intoText hands the string of data to set; null does nothing.
func intoText(data []byte, what string, set func([]byte) error) error {
	if string(data) == "null" {
		return nil
	}
	s, err := Text(data, what)
	if err != nil {
		return err
	}
	return set([]byte(s))
}

// UnmarshalJSON refuses a number (Text). It does not check the code: Validate does.
func (a *AreaCode) UnmarshalJSON(data []byte) error {
	return intoText(data, "area code", func(s []byte) error { *a = AreaCode(s); return nil })
}

// UnmarshalJSON refuses a number (Text). It does not check the code: Validate does.
func (c *CellCode) UnmarshalJSON(data []byte) error {
	return intoText(data, "cell code", func(s []byte) error { *c = CellCode(s); return nil })
}

// UnmarshalJSON refuses a number (Text). It does not check the code: Validate does.
func (d *DutyCode) UnmarshalJSON(data []byte) error {
	return intoText(data, "duty grid code", func(s []byte) error { *d = DutyCode(s); return nil })
}
