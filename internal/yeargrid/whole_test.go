package yeargrid

import (
	"os"
	"testing"

	"citygrid/simulators/district"
)

// TestWholeYear plays the year of the acceptance: 200,000 cases. It takes about a
// minute, and is played where CITYGRID_YEAR is set.
func TestWholeYear(t *testing.T) {
	if os.Getenv("CITYGRID_YEAR") == "" {
		t.Skip("a minute of work; set CITYGRID_YEAR=1 to play it")
	}
	r, err := Run(t.Context(), Options{District: district.Options{Seed: 1}, Year: district.YearOptions{Illegal: 20}}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if r.Cases < 199_900 || r.MiB > 300 {
		t.Errorf("%d cases, %.0f MiB; want 200,000 and no more than 300 MiB", r.Cases, r.MiB)
	}
}
