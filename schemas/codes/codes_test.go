package codes

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// vector is one line of testdata/vectors.json; each names its source.
type vector struct {
	What, Standard, Code, Error, Source string
	Parts                               []string
}

func vectors(tb testing.TB) (out []vector) {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		tb.Fatal(err)
	}
	return out
}

// parse reads v's code as what it is, back as text and as parts.
func (v vector) parse() (text string, parts []string, err error) {
	switch v.What {
	case "component":
		p, err := ParseComponent(v.Standard, v.Code)
		return p.String(), []string{string(p.County), p.Major, p.Minor, p.Serial}, err
	case "event":
		p, err := ParseEventClass(v.Standard, v.Code)
		return p.String(), []string{string(p.County), p.Major, p.Minor}, err
	case "cell":
		p, err := ParseCell(v.Code)
		return p.String(), []string{string(p.County), string(p.Street), string(p.Community), p.Serial}, err
	case "area":
		p, err := ParseArea(v.Code)
		return p.String(), []string{string(p.Level), string(p.StreetKind), string(p.Community)}, err
	}
	return "", nil, errors.New("unknown kind of vector")
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.What+"/"+v.Code, func(t *testing.T) {
			if v.Source == "" {
				t.Error("no source")
			}
			text, parts, err := v.parse()
			switch {
			case v.Error != "" && (err == nil || !strings.Contains(err.Error(), v.Error)):
				t.Errorf("error %v, want %q in it", err, v.Error)
			case v.Error != "":
			case err != nil:
				t.Error(err)
			case text != v.Code || !reflect.DeepEqual(parts, v.Parts):
				t.Errorf("%s %q, want %s %q", text, parts, v.Code, v.Parts)
			}
		})
	}
}

func TestCellWithin(t *testing.T) {
	cell, err := ParseCell("320508001002003")
	if err != nil {
		t.Fatal(err)
	}
	for area, want := range map[AreaCode]string{
		"320508": "", "320500": "", "320000": "", "320508001": "", "320508001002": "",
		"320509":       "characters 1 to 6 (county): not in area 320509",
		"310000":       "characters 1 to 2 (county)",
		"320508002":    "characters 7 to 9 (street)",
		"320508001003": "characters 10 to 12 (community): not in area 320508001003, which has 003 there",
		"":             "no area",
	} {
		err := cell.Within(area)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", area, err, want)
		}
	}
}

func TestComponentWithin(t *testing.T) {
	c, err := ParseComponent(CJT214, "3205080101000001")
	if err != nil {
		t.Fatal(err)
	}
	for area, ok := range map[AreaCode]bool{"320508": true, "320508001002": true, "320500": true, "320509": false, "310000": false, "": false} {
		if err := c.Within(area); (err == nil) != ok {
			t.Errorf("%s: %v", area, err)
		}
	}
}

func TestAreaParents(t *testing.T) {
	want := []AreaCode{"320508001", "320508", "320500", "320000", ""}
	at := AreaCode("320508001002")
	for _, w := range want {
		if at.Parent() != w {
			t.Fatalf("parent of %s is %s, want %s", at, at.Parent(), w)
		}
		if w != "" && (!w.Contains(at) || at.Contains(w)) {
			t.Errorf("%s contains %s: %v; the other way %v", w, at, w.Contains(at), at.Contains(w))
		}
		at = w
	}
	if AreaCode("320508").Contains("320500") {
		t.Error("a county contains its prefecture")
	}
}

func TestDutyCode(t *testing.T) {
	for code, ok := range map[DutyCode]bool{"D-01_a": true, "": false, "D 1": false, "网格": false, DutyCode(strings.Repeat("1", 33)): false} {
		if err := code.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", code, err)
		}
	}
}

func TestRef(t *testing.T) {
	for text, want := range map[string]string{
		"CJ/T 214-2007:component:0101": "",
		"苏州 2024:event:21-A_1":         "",
		"":                             "want STANDARD",
		"CJ/T 214-2007:component":      "want STANDARD",
		"a:b:c:d":                      "want STANDARD",
		":component:0101":              "standard: missing",
		" x:component:0101":            "blank",
		"x:part:0101":                  "want component or event",
		"x:component:":                 "code",
		"x:component:01 01":            "code",
		"x:component:0101\n":           "code",
		"\xff:component:0101":          "standard",
	} {
		r, err := Parse(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err == nil && r.String() != text {
			t.Errorf("%q became %q", text, r)
		}
	}
}

func TestRefAsJSONAndColumn(t *testing.T) {
	ref := Ref{CJT214, Component, "0101"}
	type row struct {
		Class Ref      `json:"class"`
		Cell  CellCode `json:"cell,omitempty"`
	}
	data, err := json.Marshal(row{Class: ref})
	if err != nil || string(data) != `{"class":"CJ/T 214-2007:component:0101"}` {
		t.Fatalf("%s, %v", data, err)
	}
	var back row
	if err := json.Unmarshal(data, &back); err != nil || back.Class != ref {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{`{"class":101}`, `{"cell":32050801001000001}`, `{"cell":-1}`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil || !strings.Contains(err.Error(), "string") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := json.Marshal(Ref{Standard: "x"}); err == nil {
		t.Error("half a Ref was written")
	}
	value, err := ref.Value()
	var scanned Ref
	for _, column := range []any{value, []byte(ref.String())} {
		scanned = Ref{}
		if err := scanned.Scan(column); err != nil || scanned != ref {
			t.Errorf("scan %T: %v, %v", column, scanned, err)
		}
	}
	if err := scanned.Scan(nil); err != nil || scanned != (Ref{}) {
		t.Errorf("NULL: %v, %v", scanned, err)
	}
	if err := scanned.Scan(int64(101)); err == nil {
		t.Error("a number was scanned")
	}
	if err != nil {
		t.Error(err)
	}
}

func TestCodesAsJSONNumbers(t *testing.T) {
	for _, into := range []any{new(AreaCode), new(CellCode), new(DutyCode), new(Ref)} {
		err := json.Unmarshal([]byte("32050801001000001"), into)
		if err == nil || !strings.Contains(err.Error(), "in quotes") {
			t.Errorf("%T: %v", into, err)
		}
		if err := json.Unmarshal([]byte("null"), into); err != nil {
			t.Errorf("%T: null: %v", into, err)
		}
	}
	if s, err := Text([]byte(`"0101"`), "component id"); s != "0101" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	for _, bad := range []string{"true", "[]", "", "1e3"} {
		if _, err := Text([]byte(bad), "component id"); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// FuzzCodes checks that whatever is taken is written back the same, and that no
// error is of more than one line or no UTF-8.
func FuzzCodes(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Standard, v.Code)
	}
	f.Fuzz(func(t *testing.T, standard, code string) {
		for _, what := range []string{"component", "event", "cell", "area"} {
			text, parts, err := vector{What: what, Standard: standard, Code: code}.parse()
			if err == nil && text != code {
				t.Errorf("%s %q became %q", what, code, text)
			}
			if what == "component" && err == nil && strings.Join(parts, "") != code {
				t.Errorf("%q was cut into %q", code, parts)
			}
			checkMessage(t, err)
		}
	})
}

func checkMessage(t *testing.T, err error) {
	t.Helper()
	if err != nil && (strings.ContainsAny(err.Error(), "\n\r") || !utf8.ValidString(err.Error())) {
		t.Errorf("message %q", err)
	}
}

func FuzzRef(f *testing.F) {
	f.Add("CJ/T 214-2007:component:0101")
	f.Add("::")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		checkMessage(t, err)
		if err != nil {
			return
		}
		if r.String() != s {
			t.Errorf("%q became %q", s, r)
		}
		data, err := json.Marshal(r)
		var back Ref
		if err != nil || json.Unmarshal(data, &back) != nil || back != r {
			t.Errorf("%q as JSON %s: %v, %v", s, data, back, err)
		}
	})
}
