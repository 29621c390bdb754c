package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

const installations = `# two meters, one of them swapped
installations:
- meter: P-1
  serial: "2023000017"
  from: 2026-03-01T09:30:00+08:00
  first: {power.energy.import: 0.00}
  wraps_at: {power.energy.import: 1000000}
  multiplier: 1500
- meter: P-1
  serial: "2019000123"
  from: 2019-06-01T00:00:00+08:00
  to: 2026-03-01T09:30:00+08:00
  last: {power.energy.import: 81234.56}
- {meter: W-1, from: "2020-01-01T00:00:00Z"}
`

func TestInstallations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "installations.yaml")
	if err := os.WriteFile(path, []byte(installations), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadInstallations(path)
	if err != nil {
		t.Fatal(err)
	}
	p := got["P-1"]
	if len(got) != 2 || len(p) != 2 || len(got["W-1"]) != 1 {
		t.Fatalf("got %+v", got)
	}
	swap := time.Date(2026, 3, 1, 1, 30, 0, 0, time.UTC)
	if p[0].Serial != "2019000123" || !p[0].To.Equal(swap) || p[0].Multiplier.Mantissa != 1 ||
		p[0].Last["power.energy.import"] != (schemas.Decimal{Mantissa: 8123456, Exponent: -2}) {
		t.Errorf("the first meter: %+v", p[0])
	}
	if !p[1].From.Equal(swap) || p[1].Multiplier.Mantissa != 1500 || !p[1].To.IsZero() {
		t.Errorf("the second meter: %+v", p[1])
	}
	if empty, err := parseInstallations([]byte("# none yet\n")); err != nil || len(empty) != 0 {
		t.Errorf("a file of comments: %v, %v", empty, err)
	}
}

func TestInstallationsRefused(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", "  multiplier: 1500", "  factor: 1500", "line 8: field factor not found"},
		{"overlap", "  to: 2026-03-01T09:30:00+08:00", "  to: 2026-03-01T09:30:01+08:00", "meter P-1: the installation from 2019-05-31T16:00:00Z is not over"},
		{"no meter", "{meter: W-1, from", "{from", "installations[2].meter"},
		{"no zone", "2019-06-01T00:00:00+08:00", "2019-06-01 00:00:00", "with its zone"},
		{"no counter", "{power.energy.import: 0.00}", "{power.active: 0}", "installations[0].first.power.active"},
		{"no list", "installations:", "meters:", "field meters not found"},
	} {
		text := strings.Replace(installations, tt.old, tt.new, 1)
		if _, err := parseInstallations([]byte(text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := LoadInstallations(filepath.Join(t.TempDir(), "nowhere.yaml")); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("no file: %v", err)
	}
}

func FuzzParseInstallations(f *testing.F) {
	f.Add([]byte(installations))
	f.Fuzz(func(t *testing.T, data []byte) {
		byMeter, err := parseInstallations(data)
		if err != nil {
			return
		}
		for meter, list := range byMeter {
			for _, i := range list {
				if i.Meter != meter || i.Validate() != nil {
					t.Fatalf("accepted %+v of %s", i, meter)
				}
			}
		}
	})
}
