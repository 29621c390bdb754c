package collector

import (
	"time"

	"citygrid/schemas"
)

// excuse is why a line could read nothing for a while: the sealer took nothing more, or
// the clock was set forward. It holds for slots that begin in that time.
type excuse struct {
	from, to instant
	loss     schemas.Loss
	clock    evenClock
	wall     time.Time // of the last look
}

// stallWorthNoting is from when on a wait for the sealer is one for the disk.
const stallWorthNoting = 2 * time.Second

// waited notes how long the line waited for the sealer.
func (e *excuse) waited(from, to time.Time) {
	if to.Sub(from) >= stallWorthNoting {
		e.from, e.to, e.loss = instantOf(from), instantOf(to), schemas.LossDisk
	}
}

// look watches the clock. It is called before every turn.
func (e *excuse) look(now, started time.Time) {
	wall, last := now.Round(0), e.wall
	e.wall = wall
	known := e.clock.known
	if even := e.clock.even(wall, now.Sub(started)); known && even == 0 && wall.After(last) {
		e.from, e.to, e.loss = instantOf(last), instantOf(wall), schemas.LossClock
	}
}

// of returns the excuse for a slot that went by; "": there is none.
func (e *excuse) of(slot instant) schemas.Loss {
	if slot >= e.from && slot < e.to {
		return e.loss
	}
	return ""
}
