package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"citygrid/schemas"
)

type profile struct{ ID, Text string }

func parse(name string, data []byte) (*profile, error) {
	if strings.Contains(string(data), "bad") {
		return nil, fmt.Errorf("profile %s: bad", name)
	}
	return &profile{ID: IDOf(name), Text: string(data)}, nil
}

func idOf(p *profile) string { return p.ID }

func files(m map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range m {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func TestLoad(t *testing.T) {
	set, err := Load(files(map[string]string{"b-meter.yaml": "1", "a-meter.yaml": "2", "a-meter.vectors.yaml": "bad", "README.md": "bad"}), parse, idOf)
	if err != nil {
		t.Fatal(err)
	}
	if got := set.IDs(); !slices.Equal(got, []string{"a-meter", "b-meter"}) {
		t.Errorf("ids %v", got)
	}
	if p, err := set.Get("b-meter"); err != nil || p.Text != "1" {
		t.Errorf("%v, %v", p, err)
	}
	more, err := set.With(&profile{ID: "c"})
	if err != nil || len(more.IDs()) != 3 || len(set.IDs()) != 2 {
		t.Errorf("with c: %v of %v, %v", more.IDs(), set.IDs(), err)
	}
	if _, err := more.With(&profile{ID: "c"}); err == nil || !strings.Contains(err.Error(), "profile c: the name is taken") {
		t.Errorf("a name twice: %v", err)
	}
}

func TestLoadReportsAll(t *testing.T) {
	set, err := Load(files(map[string]string{"a.yaml": "bad", "b.yaml": "bad", "c.yaml": ""}), parse, idOf)
	if set != nil || err == nil || !strings.Contains(err.Error(), "a.yaml") || !strings.Contains(err.Error(), "b.yaml") {
		t.Errorf("%v, %v", set, err)
	}
}

func TestGetSuggests(t *testing.T) {
	set, err := Load(files(map[string]string{"acme-one.yaml": "", "other.yaml": ""}), parse, idOf)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{
		"acme": "did you mean acme-one?", "acme-on": "did you mean acme-one?", "OTHR": "did you mean other?",
		"zz": "there are acme-one, other",
	} {
		if _, err := set.Get(id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
}

func TestIDOf(t *testing.T) {
	for name, want := range map[string]string{"a.yaml": "a", "x/y/b.yaml": "b", `C:\meters\c.yaml`: "c", "plain": "plain"} {
		if got := IDOf(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestProblems(t *testing.T) {
	text := "maker: A\nfields:\n  - {a: 1}\n  - {a: 2}\ndaily:\n  kept: 3\n  fields:\n    - {a: 3}\n"
	p := Problems{Name: "m.yaml", Lines: Lines([]byte(text))}
	if p.Err() != nil {
		t.Errorf("no problem, and yet %v", p.Err())
	}
	p.Add("fields", 1, "power.active", "at: %d", 7)
	p.Add("daily.fields", 0, "", "bad")
	p.Add("fields", 9, "x", "no line")
	p.AddTop("maker", "missing")
	want := "profile m.yaml:4: power.active: at: 7\nprofile m.yaml:8: daily.fields[0]: bad\nprofile m.yaml: x: no line\nprofile m.yaml: maker: missing"
	if got := p.Err().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var alone Problems
	alone.Add("fields", 0, "q", "bad")
	if got := alone.Err().Error(); got != "q: bad" {
		t.Errorf("a field alone: %q", got)
	}
	if Lines([]byte("a: [")) != nil || Lines(nil) != nil {
		t.Error("lines of what is no YAML")
	}
}

func TestHeadCheck(t *testing.T) {
	one, zero := &schemas.Decimal{Mantissa: 1}, &schemas.Decimal{}
	for name, tt := range map[string]struct {
		head Head
		want string
	}{
		"good":              {Head{Quantity: "power.energy.import", WrapsAt: one}, ""},
		"good state":        {Head{Quantity: "power.relay.state", Mask: 0x10, States: map[uint16]uint8{0: 0, 0x10: 1}}, ""},
		"unknown":           {Head{Quantity: "power.magic"}, "no such quantity"},
		"gauge wraps":       {Head{Quantity: "power.active", WrapsAt: one}, "only a counter rolls over"},
		"wraps at zero":     {Head{Quantity: "power.energy.import", WrapsAt: zero}, "0 is not above zero"},
		"gauge with states": {Head{Quantity: "power.active", States: map[uint16]uint8{0: 0}}, "go with a quantity that is a state"},
		"gauge with mask":   {Head{Quantity: "power.active", Mask: 1}, "go with a quantity that is a state"},
		"no states":         {Head{Quantity: "power.relay.state"}, "states: missing"},
		"outside the mask":  {Head{Quantity: "power.relay.state", Mask: 1, States: map[uint16]uint8{2: 0}}, "outside the mask 0x0001"},
		"no such code":      {Head{Quantity: "power.relay.state", States: map[uint16]uint8{2: 2}}, "gives code 2, the quantity has 2"},
	} {
		got := strings.Join(tt.head.Check(), "; ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestHeadForm reads what a file may say, and notes what it may not.
func TestHeadForm(t *testing.T) {
	var p Problems
	h := HeadForm{Quantity: "power.energy.import", WrapsAt: "999999.99", Mask: 7}.Head(&p, "fields", 0)
	if h.Quantity != "power.energy.import" || h.WrapsAt.String() != "999999.99" || h.Mask != 7 || h.States != nil || p.Err() != nil {
		t.Errorf("%+v, %v", h, p.Err())
	}
	h = HeadForm{Quantity: "power.relay.state", WrapsAt: "many", States: map[uint16]string{0: "closed", 1: "ajar"}}.Head(&p, "fields", 0)
	if h.WrapsAt != nil || len(h.States) != 1 || strings.Count(p.Err().Error(), "power.relay.state: ") != 2 {
		t.Errorf("%+v, %v", h, p.Err())
	}
}

func TestPlate(t *testing.T) {
	p := Problems{Name: "m.yaml"}
	if p.Plate("A", "B", "D", schemas.Gas); p.Err() != nil {
		t.Error(p.Err())
	}
	p.Plate("", "", "", "heat")
	want := "profile m.yaml: maker: missing\nprofile m.yaml: model: missing\nprofile m.yaml: document: missing\nprofile m.yaml: medium: \"heat\" is none of water, power, gas"
	if got := p.Err().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOfMedium(t *testing.T) {
	if got := OfMedium("power.active", schemas.Power) + OfMedium("device.battery.state", schemas.Gas) + OfMedium("nonsense", schemas.Gas); got != "" {
		t.Errorf("fitting media: %q", got)
	}
	if got := OfMedium("power.active", schemas.Gas); got != "is of power, the profile is of gas" {
		t.Errorf("power in a gas profile: %q", got)
	}
}

func TestStates(t *testing.T) {
	codes, problems := States("power.relay.state", map[uint16]string{0: "closed", 16: "open"})
	if len(problems) != 0 || codes[0] != 0 || codes[16] != 1 || len(codes) != 2 {
		t.Errorf("%v, %v", codes, problems)
	}
	if _, problems := States("power.relay.state", map[uint16]string{1: "ajar"}); len(problems) != 1 || !strings.Contains(problems[0], `0x0001: "ajar" is none of closed, open`) {
		t.Errorf("%v", problems)
	}
}

func TestParseExpectations(t *testing.T) {
	got, err := ParseExpectations(map[string]string{"power.voltage.l1": "230.20", "power.active": "missing bad_bcd"})
	want := []Expectation{
		{Quantity: "power.active", Missing: schemas.ReasonBadBCD},
		{Quantity: "power.voltage.l1", Value: schemas.Decimal{Mantissa: 23020, Exponent: -2}},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"missing", "missing range", "missing nothing", "12 V", ""} {
		if _, err := ParseExpectations(map[string]string{"power.active": bad}); err == nil {
			t.Errorf("%q was taken", bad)
		} else if errors.Unwrap(err) == nil {
			t.Errorf("%q: %v does not wrap its cause", bad, err)
		}
	}
}

func TestParseFrameVectors(t *testing.T) {
	has := func(o schemas.Origin, q schemas.Quantity) (bool, error) {
		if o == schemas.DailyFreeze {
			return false, errors.New("no days")
		}
		return q == "power.active", nil
	}
	const good = `[{name: a, source: b, answers: ["68 16", "6816"], expect: {power.active: "1.0"}}]`
	v, err := ParseFrameVectors("m.vectors.yaml", []byte(good), "m", has)
	if err != nil || len(v) != 1 || v[0].Name != "a" || v[0].Origin != schemas.Live || len(v[0].Answers) != 2 || v[0].Want[0].Value.String() != "1.0" {
		t.Errorf("%+v, %v", v, err)
	}
	for old, tt := range map[string]struct{ new, want string }{
		"name: a":      {"name: ''", "want name, source, answers and expect"},
		"68 16":        {"68 1", `vectors m.vectors.yaml: [0] a: answer "68 1": `},
		"power.active": {"power.factor", "vectors m.vectors.yaml: [0] a: power.factor: profile m has no such quantity"},
		"source: b":    {"source: b, origin: daily_freeze", "[0] a: no days"},
		`"1.0"`:        {"one", "decimal"},
		"expect":       {"expects", "vectors m.vectors.yaml: yaml"},
	} {
		file := strings.Replace(good, old, tt.new, 1)
		if _, err := ParseFrameVectors("m.vectors.yaml", []byte(file), "m", has); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", file, err, tt.want)
		}
	}
}

func TestVectors(t *testing.T) {
	fsys := files(map[string]string{"a.yaml": "x", "a.vectors.yaml": "lines", "b.yaml": ""})
	load := func(fsys fs.FS) (*Set[profile], error) { return Load(fsys, parse, idOf) }
	read := func(name string, data []byte, p *profile) ([]string, error) {
		return []string{name, string(data), p.Text}, nil
	}
	if got, err := Vectors(fsys, "a", load, read); err != nil || !slices.Equal(got, []string{"a.vectors.yaml", "lines", "x"}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, id := range []string{"b", "c"} {
		if _, err := Vectors(fsys, id, load, read); err == nil {
			t.Errorf("%s: vectors of nothing", id)
		}
	}
}
