package config

import "testing"

func TestLocation(t *testing.T) {
	for _, c := range []struct{ grid, ledger, want string }{
		{"", "", DefaultZone}, {"", "Asia/Urumqi", "Asia/Urumqi"}, {"Asia/Macau", "", "Asia/Macau"}, {"Asia/Macau", "Asia/Urumqi", "Asia/Macau"},
	} {
		cfg := Config{Grid: Grid{Zone: c.grid}, Ledger: Ledger{Zone: c.ledger}}
		if zone, err := cfg.Location(); err != nil || zone.String() != c.want {
			t.Errorf("grid %q, ledger %q: %v, %v, want %s", c.grid, c.ledger, zone, err, c.want)
		}
	}
	if _, err := (&Config{Ledger: Ledger{Zone: "Local"}}).Location(); err == nil {
		t.Error("the zone of whoever runs the hub was taken for the city's")
	}
}
