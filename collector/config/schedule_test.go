package config

import (
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// Every meter gets a schedule of which an account can be given, whatever the number of
// lines and however short a meter's own interval: one that has none would lose readings
// in silence.
func TestSchedulesCanBeAccountedFor(t *testing.T) {
	for _, spread := range []string{"500ms", "10s", "14m59s"} {
		text := strings.Replace(whole, "spread: 10s", "spread: "+spread, 1) + `  - name: attic
    address: 10.0.0.7:502
    meters:
      - {id: W-2, unit: 1, profile: eastron-sdm630, interval: 1m}
      - {id: W-3, unit: 2, profile: eastron-sdm630}
`
		c, err := Parse([]byte(text), ".")
		if err != nil {
			t.Fatal(err)
		}
		lines, err := c.BuildLines()
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range lines {
			for _, m := range l.Meters {
				if err := (schemas.Schedule{Interval: m.Interval, Offset: m.Offset}).Validate(); err != nil {
					t.Errorf("spread %s, line %d of %d, meter %s: %v", spread, i, len(lines), m.ID, err)
				}
			}
		}
		late := time.Duration(c.Spread) * 2 / 3
		if got := lines[2].Meters[1].Offset; got > late || got <= late-time.Millisecond {
			t.Errorf("spread %s: the last line begins after %s, want %s", spread, got, late)
		}
	}
}
