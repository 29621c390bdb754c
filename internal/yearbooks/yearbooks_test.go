package yearbooks

import (
	"path/filepath"
	"testing"

	"citygrid/simulators/year"
)

// TestYear is the acceptance of the reconciliation in small: a year of households,
// its files and its card entries through the real books.
func TestYear(t *testing.T) {
	report, err := Play(t.Context(), Options{
		World:  year.Options{Seed: 3, Places: 400, Discrepancies: len(year.Causes())},
		Ledger: "sqlite:" + filepath.Join(t.TempDir(), "books.db"), Dir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Classes {
		if c.Injected == 0 {
			t.Errorf("%s: nothing of it is in the world", c.Class)
		}
	}
	if !report.Perfect() {
		t.Errorf("%+v\n%q", report.Classes, report.First)
	}
	t.Logf("%+v", report)
}
