package dlt645

import (
	"fmt"

	"citygrid/adapters/dlt645/profiles"
)

// Planned is one request of a read and what it costs the line.
type Planned struct {
	// Item is the identifier, for people.
	Item string
	// Sent and Received are the bytes of the request, its wake-up bytes
	// included, and of the answer without any, over all its frames.
	Sent, Received int
}

// Plan returns the requests of Meter.Read in their order, by the lengths that
// the profile gives; prefix is that of Config. The blocks of a meter with more
// tariffs than the profile names are longer.
func Plan(p *profiles.Profile, prefix int) []Planned {
	wake := New(nil, Config{Prefix: prefix}).wake
	items := itemsOf(p, p.Fields)
	plan := make([]Planned, 0, len(items))
	n := p.DigitsDI() / 2
	for _, it := range items {
		cost := Planned{
			Item: fmt.Sprintf("%0*X", 2*n, it.di),
			Sent: wake + headLen + n + tailLen, Received: headLen + n + min(it.reach, maxData-n) + tailLen,
		}
		// Each further frame is asked for, and answered, with its number.
		for left := it.reach - (maxData - n); left > 0; left -= maxData - n - 1 {
			cost.Sent += wake + headLen + n + 1 + tailLen
			cost.Received += headLen + n + min(left, maxData-n-1) + 1 + tailLen
		}
		plan = append(plan, cost)
	}
	return plan
}
