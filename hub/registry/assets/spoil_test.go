package assets

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"citygrid/simulators/district"
)

// onlyHere are the mistakes of the simulator that a file by itself does not show: what
// the register says of each, after the field.
func onlyHere() map[string]string {
	return map[string]string{
		"id of another county":            "id: the county 320508 is not in the register",
		"class not in the list":           "class: ",
		"class without standard":          "class: ",
		"position outside all cells":      "cell: the position",
		"unknown department":              "authority: not among the departments",
		"cell of another community":       "code: ",
		"cell of an unknown community":    "code: ",
		"gap":                             "geometry: a gap of",
		"overlap":                         "geometry: cells ",
		"unknown duty grid":               "duty: not among the duties",
		"unknown inspector":               "inspectors: not among the people",
		"role that is none":               "roles: ",
		"person of an unknown department": "department: not among the departments",
		"meter of an unknown component":   "component: ",
	}
}

// TestOnlyTheRegisterSees wants each of them named by its rule and field, in its line,
// or for what lies between two cells with its code: one of the two at least, since what
// stands in a refused cell is told three times only. Nothing is said without a remedy.
func TestOnlyTheRegisterSees(t *testing.T) {
	o := small()
	o.Cells, o.Components = 800, 4000
	files, c := city(t, o, 2)
	r := mustOpen(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	s, err := r.Import(t.Context(), files, ImportOptions{By: "zhang", DryRun: true}, nil)
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	said := map[string][]string{} // by file and line, and by file
	for _, f := range s.Files {
		for _, p := range f.Problems {
			text := p.Field + ": " + p.Rule
			if p.Remedy == "" {
				t.Errorf("no remedy: %s", p.Error())
			}
			at := fmt.Sprintf("%s:%d", p.File, p.Line)
			said[at], said[p.File] = append(said[at], text), append(said[p.File], text)
		}
	}
	seen := map[string]int{}
	for _, m := range c.Spoilt {
		want, ours := onlyHere()[m.Kind]
		if !ours {
			continue
		}
		list := said[fmt.Sprintf("%s:%d", m.File, m.Line)]
		if m.Field == "geometry" {
			list = said[m.File]
		}
		before := seen[m.Kind]
		for _, text := range list {
			if strings.HasPrefix(text, want) && (m.Field != "geometry" || strings.Contains(text, m.Key)) {
				seen[m.Kind]++
				break
			}
		}
		if m.Kind == "position outside all cells" && seen[m.Kind] == before {
			t.Errorf("%s:%d: %s: not listed", m.File, m.Line, m.Kind)
		}
	}
	for kind, want := range onlyHere() {
		if seen[kind] == 0 {
			t.Errorf("%s: not found as %q", kind, want)
		}
	}
	if len(onlyHere()) > len(district.Mistakes()) {
		t.Error("more kinds than there are")
	}
}
