package peers

import (
	"testing"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

func TestTelegrafLinesAreScaledExactly(t *testing.T) {
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	abb, err := set.Get("abb-b23")
	if err != nil {
		t.Fatal(err)
	}
	meters := map[schemas.MeterID]*profiles.Profile{"P-1": abb}
	readings, err := parseTelegraf("meter,meter=P-1,type=x power.voltage.l1=2302u,power.energy.import=1234567u 1767225600123000000", meters)
	if err != nil {
		t.Fatal(err)
	}
	want := map[schemas.Quantity]string{"power.voltage.l1": "230.2", "power.energy.import": "12345.67"}
	for _, r := range readings {
		if r.Value.String() != want[r.Quantity] || r.TakenAt.UnixMilli() != 1767225600123 {
			t.Errorf("%s = %s at %s, want %s", r.Quantity, r.Value, r.TakenAt, want[r.Quantity])
		}
	}
	for _, bad := range []string{"", "meter,meter=P-2 a=1 1", "meter,meter=P-1 nothing=1 1", "meter,meter=P-1 power.voltage.l1=x 1"} {
		if _, err := parseTelegraf(bad, meters); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
