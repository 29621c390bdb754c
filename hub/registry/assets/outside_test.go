package assets

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestOutsideAllCells: a component that is in no cell at all is listed each time, however
// much else is said of the cell that it names: whether the register has that cell or not.
func TestOutsideAllCells(t *testing.T) {
	r := mustOpen(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	mustImport(t, r, town(t))
	for name, tt := range map[string]struct{ cell, alike string }{
		"a cell of the register": {"320508001001002", "120.6005,31.3005"},
		"an unknown cell":        {"320508001001077", "120.6005,31.3005"},
	} {
		text, line := componentsHead, 1
		add := func(at string) int {
			line++
			text += fmt.Sprintf("3205080101%06d,CJ/T 214-2007:component:0101,%s,%s,,\n", 100+line, at, tt.cell)
			return line
		}
		for range 6 {
			add(tt.alike)
		}
		var outside []int
		for range 6 {
			outside = append(outside, add("120.9000001,31.9000001"))
		}
		s, err := r.Import(t.Context(), []File{plain(write1(t, "components.csv", text))}, ImportOptions{By: "li", DryRun: true}, nil)
		if err == nil || s.Errors != 12 || len(s.Files[0].Problems) != sayAlike+6 {
			t.Errorf("%s: %v, %d errors, listed %v", name, err, s.Errors, s.Files[0].Problems)
		}
		for _, n := range outside {
			if !said(s, n, "120.9000001, 31.9000001 is in no cell") {
				t.Errorf("%s: line %d is not listed", name, n)
			}
		}
		if !strings.Contains(fmt.Sprint(err), "components.csv:2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
