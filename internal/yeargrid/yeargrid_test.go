package yeargrid

import (
	"path/filepath"
	"testing"

	"citygrid/schemas/codes"
	"citygrid/simulators/district"
)

// TestYear plays small years, in every way in which a city may set its clock.
func TestYear(t *testing.T) {
	for _, o := range []Options{
		{District: district.Options{Seed: 1, Cells: 300, Components: 5000}, Year: district.YearOptions{Cases: 2000, Illegal: 100}},
		{District: district.Options{Seed: 2, Cells: 200, Components: 3000, Standard: codes.GBT47678, Departments: 9, Inspectors: 12},
			Year: district.YearOptions{Cases: 2000, Illegal: 100, Starts: "filed", Rework: "anew"}},
		{District: district.Options{Seed: 3, Cells: 100, Components: 2000}, Year: district.YearOptions{Cases: 2000, Days: 40, Rework: "anew"}},
		{District: district.Options{Seed: 4, Cells: 100, Components: 2000}, Year: district.YearOptions{Cases: 2000, Days: 130, Starts: "filed"}},
	} {
		r, err := Run(t.Context(), o, t.Output())
		if err != nil {
			t.Errorf("seed %d: %v", o.District.Seed, err)
		}
		if r != nil && o.Year.Illegal > 0 && r.Illegal < 500 {
			t.Errorf("seed %d: only %d acts that are not allowed", o.District.Seed, r.Illegal)
		}
	}
}

// TestYearAtTheDesk plays a short year into SQL, and counts what the tables have.
func TestYearAtTheDesk(t *testing.T) {
	o := Options{District: district.Options{Seed: 5, Cells: 100, Components: 2000}, Year: district.YearOptions{Cases: 300, Days: 30, Illegal: 100},
		Desk: "sqlite:" + filepath.Join(t.TempDir(), "cases.db")}
	if _, err := Run(t.Context(), o, t.Output()); err != nil {
		t.Error(err)
	}
}
