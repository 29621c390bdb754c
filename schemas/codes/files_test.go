package codes

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const cityYAML = `standard_ref: Testing 2024
kind: component
version: 1
from: 2024-01-01
source: the city
sure: complete
code_length: 4
ids: CJ/T 214-2007
majors:
  - {code: "21", zh: 扩展部件, en: extension components}
classes:
  - {code: "2101", zh: 水表, en: water meter, utility: water, for: water_meter}
  - {code: "2102", zh: "\"泵站\"", en: 'pump \ station'}
`

const cityCSV = "\ufeffcode,major,major_zh,major_en,zh,en,utility,for\r\n" +
	"2101,21,扩展部件,extension components,水表,water meter,water,water_meter\r\n" +
	"2102,21,扩展部件,extension components,\"\"\"泵站\"\"\",pump \\ station,,\r\n"

func csvHead() Head {
	return Head{Standard: "Testing 2024", Kind: Component, Version: "1", From: "2024-01-01", Source: "the city", Sure: "complete", CodeLength: 4, IDs: CJT214}
}

func TestYAMLAndCSVAreTheSameList(t *testing.T) {
	y, err := ParseYAML([]byte(cityYAML))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCSV([]byte(cityCSV), csvHead())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(y.clone(), c.clone()) {
		t.Errorf("%+v\n%+v", y, c)
	}
	if got := y.Classes[1].ZH; got != `"泵站"` {
		t.Error(got)
	}
	if y.FileName() != "Testing-2024.component.1.yaml" {
		t.Error(y.FileName())
	}
}

func TestEncode(t *testing.T) {
	lists := mustEmbedded(t).All()
	city, err := ParseYAML([]byte(cityYAML))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range append(lists, city) {
		back, err := ParseYAML(list.Encode())
		if err != nil || !reflect.DeepEqual(back.clone(), list.clone()) {
			t.Errorf("%s %s: %v", list.Standard, list.Kind, err)
		}
	}
}

// TestYAMLMistakes replaces one text of a right file and looks for the problem.
func TestYAMLMistakes(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"", "", ""},
		{`code: "2101"`, `code: 2101`, "line 12: 2101 is a number; put codes in quotes"},
		{`code: "2101"`, `code: "21O1"`, `line 12: code: "21O1"; want 4 digits`},
		{`code: "2101"`, `code: "101"`, `line 12: code: "101" has 3 characters; this list has 4 digits; if a spreadsheet dropped a zero`},
		{`code: "2101"`, `code: "2102"`, "line 13: code: 2102 is given twice (first on line 12)"},
		{`code: "2101"`, `code: "2201"`, `line 12: major: "22" is none of the list's major classes`},
		{`code: "2101"`, `code: "2101", major: "01"`, `line 12: major: "01"; code 2101 begins with 21`},
		{`code: "2101", `, ``, `line 12: code: "" has 0 characters`},
		{`zh: 水表`, `zh: ""`, "line 12: zh: missing"},
		{`zh: 水表, en: water meter`, `zh: water meter, en: 水表`, "line 12: en: \"水表\" is Chinese"},
		{`zh: 水表`, `zh: " 水表"`, "blanks around it"},
		{`zh: 水表`, `zh: "水\n表"`, "line break"},
		{`utility: water`, `utility: milk`, `line 12: utility: "milk"; want words of water`},
		{`utility: water`, `utilities: water`, "line 12: unknown key utilities"},
		{`utility: water`, `utility: water, utility: gas`, "already defined"},
		{`for: water_meter`, `of: "0101"`, "line 12: of: \"0101\"; only an event"},
		{`kind: component`, `kind: part`, `line 2: kind: kind "part": want component or event`},
		{`version: 1`, `version: ""`, "line 3: version: missing"},
		{`from: 2024-01-01`, `from: 2024-02-30`, `line 4: from: "2024-02-30" is no day`},
		{`from: 2024-01-01`, "from: 2024-01-01\nuntil: 2023", "line 5: until: 2023 is before from"},
		{`source: the city`, `source: [the city]`, "line 5: want a plain value"},
		{`sure: complete`, ``, "sure: missing"},
		{`code_length: 4`, `code_length: 5`, "line 7: code_length: 5; the ids of CJ/T 214-2007 hold classes of 4 digits"},
		{`code_length: 4`, `code_length: four`, `line 7: code_length: "four"`},
		{`ids: CJ/T 214-2007`, `ids: CJ/T 999`, "line 8: ids: no structure"},
		{`- {code: "21", `, `- {code: "2", `, `majors: "2"; want a code of 2 digits`},
		{`standard_ref: Testing 2024`, `standard_ref: "a:b"`, "line 1: standard_ref: "},
		{`zh: 水表`, "zh: \xcb\xae\xb1\xed", "line 12: not UTF-8"},
		{`classes:`, "---\nclasses:", "more than one YAML document"},
		{cityYAML, "# nothing\n", "the file is empty"},
	} {
		list, err := ParseYAML([]byte(strings.Replace(cityYAML, c.old, c.new, 1)))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: %v; want %q", c.new, c.old, err, c.want)
		}
		if err != nil && !reflect.DeepEqual(list, List{}) {
			t.Errorf("%q: a wrong list was handed out", c.new)
		}
		if p := (Problems{}); err != nil && !errors.As(err, &p) {
			t.Errorf("%q: %T", c.new, err)
		}
	}
}

func TestYAMLReportsAllMistakes(t *testing.T) {
	bad := strings.NewReplacer("zh: 水表", `zh: ""`, "utility: water", "utility: milk", `"2102"`, `"9902"`).Replace(cityYAML)
	_, err := ParseYAML([]byte(bad))
	var p Problems
	if !errors.As(err, &p) || len(p) != 3 {
		t.Errorf("%v", err)
	}
}

func TestCSVMistakes(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"\ufeff", "", ""},
		{"code,", "kode,", "line 1: kode: unknown column"},
		{"code,", "major,", "line 1: major: the column is there twice"},
		{"major_en,", "", "line 1: major_en: the column is missing"},
		{"2101,", "101,", `line 2: code: "101" has 3 characters`},
		{"2102,", "2101,", "line 3: code: 2101 is given twice (first on line 2)"},
		{",water_meter", "", "line 2: 7 columns; the first line names 8"},
		{"2102,21,扩展部件", "2102,21,扩展", "line 3: major: 21 is 扩展 (extension components) here and 扩展部件"},
		{"2102,21", "2102,22", `line 3: major: "22"; code 2102 begins with 21`},
		{`"""泵站"""`, `""泵站""`, "line 3: "},
		{",water,", ",milk,", `line 2: utility: "milk"`},
		{"水表", "\xcb\xae\xb1\xed", "line 2: not UTF-8"},
		{cityCSV, "", "line 1: want the columns"},
	} {
		_, err := ParseCSV([]byte(strings.Replace(cityCSV, c.old, c.new, 1)), csvHead())
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: %v; want %q", c.new, c.old, err, c.want)
		}
	}
}

func TestAddDir(t *testing.T) {
	base := mustEmbedded(t)
	later := strings.NewReplacer("version: 1", "version: 2", "2024-01-01", "2025-01-01").Replace(cityYAML)
	dir := fstest.MapFS{
		"a-later.yaml": {Data: []byte(later)}, // read first by name, in force last
		"b-first.yaml": {Data: []byte(cityYAML)},
		"README":       {Data: []byte("not a list")},
		"sub/x.yaml":   {Data: []byte("not read")},
	}
	l, err := base.AddDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := l.Lookup(Ref{"Testing 2024", Component, "2101"}); err != nil || c.Version != "2" {
		t.Errorf("%+v, %v", c, err)
	}
	if !slices.Contains(l.Standards(), "Testing 2024") || slices.Contains(base.Standards(), "Testing 2024") {
		t.Error(l.Standards(), base.Standards())
	}
	for name, data := range map[string]string{"x.csv": "", "x.yml": "", "x.yaml": "wrong", "y.yaml": cityYAML} {
		dir := fstest.MapFS{"b-first.yaml": {Data: []byte(cityYAML)}, name: {Data: []byte(data)}}
		if got, err := base.AddDir(dir); err == nil || got != nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func FuzzParseYAML(f *testing.F) {
	f.Add([]byte(cityYAML))
	f.Add([]byte("classes: [{code: 0101}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ParseYAML(data)
		if err != nil {
			return
		}
		again := list.Encode()
		back, err := ParseYAML(again)
		if err != nil || !bytes.Equal(back.Encode(), again) {
			t.Errorf("%v\n%s", err, again)
		}
	})
}

func FuzzParseCSV(f *testing.F) {
	f.Add([]byte(cityCSV))
	f.Add([]byte("code,major,major_zh,major_en,zh,en\n\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ParseCSV(data, csvHead())
		if err != nil {
			return
		}
		back, err := ParseYAML(list.Encode())
		if err != nil || !reflect.DeepEqual(back.clone(), list.clone()) {
			t.Errorf("%v\n%s", err, list.Encode())
		}
	})
}

// TestHostileLists wants a few words about a file of nothing, and not millions.
func TestHostileLists(t *testing.T) {
	rows := strings.Repeat(",,,,,\n", 300_000)
	_, err := ParseCSV([]byte("code,major,major_zh,major_en,zh,en\n"+rows), csvHead())
	var p Problems
	if !errors.As(err, &p) || len(p) > 10*maxClasses || !strings.Contains(err.Error(), "line 10002: more than 10000 classes") {
		t.Errorf("%d problems: %.200v", len(p), err)
	}
	_, err = ParseYAML([]byte("standard_ref: x\nkind: event\ncode_length: 4\nclasses:\n" + strings.Repeat("- {}\n", 20_000)))
	if !errors.As(err, &p) || len(p) > 10 {
		t.Errorf("%d problems: %.200v", len(p), err)
	}
	if _, err = ParseYAML(make([]byte, maxFile+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
}
