package config

import (
	"strings"
	"testing"

	"citygrid/adapters/line"
)

// TestBuildMonitored builds the line named, and no other.
func TestBuildMonitored(t *testing.T) {
	c, err := Parse([]byte(`collector: c1
bundle: c1.bundle
data_dir: data
interval: 1m
broker: {url: "tcp://127.0.0.1:1"}
lines:
  - {name: a, address: "127.0.0.1:1", timeout: 50ms, meters: [{id: P-1, unit: 1, profile: eastron-sdm630}]}
  - {name: b, address: "127.0.0.1:2", meters: [{id: P-2, unit: 1, profile: eastron-sdm630}]}
`), ".")
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.BuildMonitored("b", func(line.Event) {})
	if err != nil || l.Name != "b" || len(l.Meters) != 1 || l.Meters[0].ID != "P-2" {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := c.BuildMonitored("x", nil); err == nil || !strings.Contains(err.Error(), `no line "x"`) {
		t.Error(err)
	}
}
