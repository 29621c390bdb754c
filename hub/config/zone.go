package config

import "time"

// Location returns the city's time zone, for what belongs to no section: that of the
// grid, else that of the ledger, else DefaultZone.
func (c *Config) Location() (*time.Location, error) {
	if c.Grid.Zone != "" {
		return c.Grid.Location()
	}
	return c.Ledger.Location()
}
