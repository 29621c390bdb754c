package city

import (
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	collectorconfig "citygrid/collector/config"
	"citygrid/simulators"
)

// TestLinesAreAConfiguration: what the city writes for its collector is what
// the collector accepts, for every kind of line.
func TestLinesAreAConfiguration(t *testing.T) {
	start := time.Now()
	for _, baud := range []int{0, 1200, simulators.NoPacing} {
		fleet, err := simulators.NewFleet(simulators.FleetConfig{
			Meters: 60, SerialLines: 2, StreamLines: 2, Baud: baud, Seed: 3, Start: start,
		})
		if err != nil {
			t.Fatal(err)
		}
		addresses := []string{"127.0.0.1:1", "/dev/pts/1", "/dev/pts/2", "127.0.0.1:2", "127.0.0.1:3"}
		data, err := yaml.Marshal(TrialConfig(Lines(fleet, addresses, answerTimeout, time.Second), time.Second))
		if err != nil {
			t.Fatal(err)
		}
		config, err := collectorconfig.Parse(data, ".")
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		lines, err := config.BuildLines()
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		total := 0
		for i, l := range lines {
			total += len(l.Meters)
			want := intervalOf(fleet.Lines()[i], answerTimeout, time.Second)
			for _, m := range l.Meters {
				if m.Interval != want || (want > time.Second) != (i > 0 && baud != simulators.NoPacing) {
					t.Errorf("baud %d: %s of %s every %s, want %s", baud, m.ID, l.Name, m.Interval, want)
				}
			}
		}
		if total != 60 {
			t.Errorf("%d meters, want 60", total)
		}
	}
}

func TestIntervalsFitTheWire(t *testing.T) {
	for _, tt := range []struct {
		cycle    time.Duration
		mishaps  float64
		interval time.Duration
		want     time.Duration
	}{
		{0, 0, 500 * time.Millisecond, 500 * time.Millisecond},
		{300 * time.Millisecond, 0, 500 * time.Millisecond, 500 * time.Millisecond},
		{500 * time.Millisecond, 0, 500 * time.Millisecond, time.Second},
		{2100 * time.Millisecond, 0, time.Second, 5 * time.Second},
		{19 * time.Second, 0, time.Second, 30 * time.Second},
		{25 * time.Second, 0, time.Second, time.Minute},
		{45 * time.Minute, 0, time.Minute, 2 * time.Hour},
		{19 * time.Second, 0, time.Hour, time.Hour},
		{3200 * time.Millisecond, 4.5, time.Second, 10 * time.Second},
	} {
		if got := intervalOf(simulators.Line{Cycle: tt.cycle, Mishaps: tt.mishaps}, 300*time.Millisecond, tt.interval); got != tt.want {
			t.Errorf("a cycle of %s with %v mishaps at %s: every %s, want %s", tt.cycle, tt.mishaps, tt.interval, got, tt.want)
		}
	}
	if !slices.IsSorted(slots()) {
		t.Errorf("slots %v", slots())
	}
}
