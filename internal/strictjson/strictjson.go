// Package strictjson reads JSON objects as the project's contracts want them:
// every name once and spelt exactly, and nothing after the object.
// encoding/json alone takes repeated names and names in another case, and its
// Unmarshalers, when called directly, any bytes at all.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Error says what is wrong with an object and, where it is known, in which
// field.
type Error struct {
	Field   string // empty for the object itself
	Problem string
}

// Error returns the field and the problem.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return fmt.Sprintf("field %q: %s", e.Field, e.Problem)
}

// Members splits data, which must be one JSON object, into its members. Every
// error is an *Error.
func Members(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, &Error{Problem: "invalid UTF-8"}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, &Error{Problem: "not an object"}
	}
	members := make(map[string]json.RawMessage)
	for dec.More() {
		if err := readMember(dec, members); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, &Error{Problem: problem(err)}
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, &Error{Problem: "something follows the object"}
	}
	return members, nil
}

func readMember(dec *json.Decoder, members map[string]json.RawMessage) error {
	t, err := dec.Token()
	if err != nil {
		return &Error{Problem: problem(err)}
	}
	name, _ := t.(string)
	if _, twice := members[name]; twice {
		return &Error{Field: name, Problem: "given twice"}
	}
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return &Error{Field: name, Problem: problem(err)}
	}
	members[name] = raw
	return nil
}

// problem puts the end of the data in words.
func problem(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the object is cut short"
	}
	return err.Error()
}

// Decode reads one object into the structure that v points to: it must have
// every field of the structure, and no other.
func Decode(data []byte, v any) error {
	got, err := Members(data)
	if err != nil {
		return err
	}
	zero, err := json.Marshal(v)
	if err != nil {
		return err
	}
	want, err := Members(zero)
	if err != nil {
		return err
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			return &Error{Field: name, Problem: "unknown"}
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			return &Error{Field: name, Problem: "missing"}
		}
	}
	return json.Unmarshal(data, v)
}
