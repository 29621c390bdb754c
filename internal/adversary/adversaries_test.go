package adversary

import "testing"

// TestAdversaries prints the table. `make adversary` runs it. With -short there is no
// flood.
func TestAdversaries(t *testing.T) {
	tab := &table{t: t}
	defer tab.print()
	c := newCity(t)
	h := c.hub()
	h = replays(tab, c, h)
	reordered(tab, c, h)
	changed(tab, c, h)
	strangers(tab, c, h)
	downgrades(tab, c, h)
	twins(tab, c, h)
	keysOutOfUse(tab, c, h)
	shows(tab, c, h)
	garbage(tab, c, h)
	malformed(tab, c, h)
	atTheBroker(tab, c, h)
	oversized(tab, c, h)
	if !testing.Short() {
		lettersAreBounded(tab, c, h)
		flood(tab, c, h)
	}
	restoredSpools(tab, c, h)
	atACollector(tab, c)
	if !testing.Short() {
		atTheServer(tab)
		atTheAPI(tab)
	}
}
