package strictjson

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestDecode(t *testing.T) {
	type point struct {
		X int    `json:"x"`
		N string `json:"n"`
	}
	tests := map[string]struct{ text, field, problem string }{
		"good":               {` {"n":"a","x":1} ` + "\n", "", ""},
		"nothing":            {``, "", "not an object"},
		"null":               {`null`, "", "not an object"},
		"array":              {`[{"n":"a","x":1}]`, "", "not an object"},
		"field twice":        {`{"n":"a","x":1,"n":"a"}`, "n", "given twice"},
		"twice, one escaped": {`{"n":"a","x":1,"\u006e":"a"}`, "n", "given twice"},
		"another case":       {`{"n":"a","X":1}`, "X", "unknown"},
		"unknown":            {`{"n":"a","x":1,"y":2}`, "y", "unknown"},
		"missing":            {`{"n":"a"}`, "x", "missing"},
		"not closed":         {`{"n":"a","x":1`, "", "the object is cut short"},
		"closed by another":  {`{"n":"a","x":1]`, "", "invalid character ']' after object key:value pair"},
		"cut after a comma":  {`{"n":"a","x":1,`, "", "the object is cut short"},
		"cut after a name":   {`{"n":"a","x"`, "x", "the object is cut short"},
		"text after it":      {`{"n":"a","x":1} x`, "", "something follows the object"},
		"second object":      {`{"n":"a","x":1}{}`, "", "something follows the object"},
		"invalid UTF-8":      {"{\"n\":\"\xff\",\"x\":1}", "", "invalid UTF-8"},
		"no comma":           {`{"n":"a" "x":1}`, "", "invalid character '\"' after object key:value pair"},
	}
	for name, tt := range tests {
		var p point
		err := Decode([]byte(tt.text), &p)
		if tt.problem == "" {
			if err != nil || p != (point{1, "a"}) {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
			continue
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.Field != tt.field || e.Problem != tt.problem {
			t.Errorf("%s: error %#v, want field %q, problem %q", name, err, tt.field, tt.problem)
		}
	}
	if err := Decode([]byte(`{"n":1,"x":1}`), new(point)); err == nil {
		t.Error("a number is taken for a text")
	}
}

// FuzzMembers holds Members against encoding/json: it takes nothing that
// json.Valid refuses, and gives the values that json.Unmarshal gives.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, `{"a":{"b":[1]},"c":null}`, `{"a":1,"a":2}`, `{"a":1`, `{"a":1}}`, "{\"\xff\":1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		members, err := Members(data)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("error %T", err)
			}
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("taken, although %v", err)
		}
		if len(members) != len(want) {
			t.Fatalf("%d members, want %d", len(members), len(want))
		}
		for name, raw := range want {
			if string(members[name]) != string(raw) {
				t.Errorf("%q is %s, want %s", name, members[name], raw)
			}
		}
	})
}
