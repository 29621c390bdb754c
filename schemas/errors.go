package schemas

import (
	"errors"
	"fmt"
	"time"
)

// FieldError names the field of a message that is wrong, with the way to it
// ("readings[3].unit"), and what is wrong with it. Field is empty where the
// message as a whole is wrong.
type FieldError struct {
	Field   string
	Problem string
}

// Error returns "field: problem".
func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return e.Field + ": " + e.Problem
}

// at puts the place of a part before the field that err names inside it.
func at(place string, err error) error {
	var fe *FieldError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &fe):
		return fmt.Errorf("%s: %w", place, err)
	case fe.Field == "":
		return &FieldError{Field: place, Problem: fe.Problem}
	}
	return &FieldError{Field: place + "." + fe.Field, Problem: fe.Problem}
}

// maxID bounds the ids of meters and collectors, in bytes.
const maxID = 32

// Validate reports an id outside the alphabet or the length.
func (m MeterID) Validate() error { return validID("meter", string(m)) }

// Validate reports an id outside the alphabet or the length.
func (c CollectorID) Validate() error { return validID("collector", string(c)) }

// Validate reports a code that is not 6, 9 or 12 digits.
func (a AreaCode) Validate() error {
	if n := len(a); n != 6 && n != 9 && n != 12 || !onlyIn(string(a), isDigit) {
		return &FieldError{Field: "area", Problem: fmt.Sprintf("%q is no area code: want 6, 9 or 12 digits", string(a))}
	}
	return nil
}

func validID(field, id string) error {
	if id == "" || len(id) > maxID || !onlyIn(id, isIDByte) {
		return &FieldError{Field: field, Problem: fmt.Sprintf("%q is no id: want 1 to %d of 0-9 A-Z a-z _ -", id, maxID)}
	}
	return nil
}

// onlyIn is used in place of a regular expression, which takes longer than all
// the rest of decoding a reading.
func onlyIn(s string, in func(byte) bool) bool {
	for i := range len(s) {
		if !in(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isIDByte(c byte) bool {
	return isDigit(c) || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '_' || c == '-'
}

// The first and the last moment that a message may carry: a store and a page
// can show what lies between.
var (
	firstMoment = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	lastMoment  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() - 1
)

// validTime refuses times before 2000, after 2199, or finer than a
// millisecond.
func validTime(field string, t time.Time) error {
	if ms := t.UnixMilli(); ms < firstMoment || ms > lastMoment {
		return &FieldError{Field: field, Problem: fmt.Sprintf("%s is not between the years 2000 and 2199", t.UTC().Format(time.RFC3339))}
	}
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		return &FieldError{Field: field, Problem: "finer than a millisecond"}
	}
	return nil
}
