package simulators

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
)

// What happens to a meter.
const (
	Dies       = "dies"        // it never answers again
	Reboots    = "reboots"     // it is silent for a while
	Resets     = "resets"      // its counters go to zero
	IsSwapped  = "is-swapped"  // another meter takes the place
	ClockJumps = "clock-jumps" // its clock is suddenly off
)

// Event is something that happens to one meter at a moment of one's choice,
// beside what Faults leave to chance. It is part of what the oracle knows.
type Event struct {
	// At is when, after the fleet's Start.
	At    time.Duration
	Meter schemas.MeterID
	What  string
	// For is how long a reboot takes, or a trouble lasts (0: for ever); By how far a
	// clock jumps.
	For, By time.Duration
}

// forEver is longer than any run.
const forEver = 100 * 365 * 24 * time.Hour

// happen puts the events into the configurations of their meters.
func (c *FleetConfig) happen(meters []MeterConfig) error {
	for _, e := range c.Events {
		i := slices.IndexFunc(meters, func(m MeterConfig) bool { return m.ID == e.Meter })
		if i < 0 {
			return fmt.Errorf("event at %s: no meter %s in this fleet", e.At, e.Meter)
		}
		if err := e.happenTo(&meters[i], c.Start.Add(e.At)); err != nil {
			return fmt.Errorf("event at %s: meter %s %s: %w", e.At, e.Meter, e.What, err)
		}
	}
	return nil
}

func (e *Event) happenTo(m *MeterConfig, at time.Time) error {
	if e.At < 0 {
		return fmt.Errorf("before the start")
	}
	if e.For < 0 || (e.For != 0) != (e.What == Reboots) && !isTrouble(e.What) {
		return fmt.Errorf("for %s: a reboot takes a time above zero, a trouble may, nothing else does", e.For)
	}
	if (e.By != 0) != (e.What == ClockJumps) {
		return fmt.Errorf("by %s: a clock, and nothing else, jumps by a time", e.By)
	}
	if isTrouble(e.What) {
		m.Troubles = append(m.Troubles, Trouble{What: e.What, At: at, For: e.For})
		return nil
	}
	var moment *time.Time
	switch e.What {
	case Dies, Reboots:
		moment, m.RebootFor = &m.RebootAt, e.For
		if e.What == Dies {
			m.RebootFor = forEver
		}
	case Resets:
		moment = &m.ResetAt
	case IsSwapped:
		moment = &m.SwapAt
	case ClockJumps:
		if !hasClock(m) {
			return fmt.Errorf("it has no clock")
		}
		moment, m.ClockJumpBy = &m.ClockJumpAt, e.By
	default:
		return fmt.Errorf("no such event; there are %s", strings.Join(append([]string{Dies, Reboots, Resets, IsSwapped, ClockJumps}, troubles()...), ", "))
	}
	if !moment.IsZero() {
		return fmt.Errorf("that happens to it at %s already, by chance or by another event", moment.Format(time.RFC3339))
	}
	*moment = at
	return nil
}
