package detect

import (
	"strings"
	"time"
)

func splitWindow(s string) []string { return strings.Split(strings.TrimSpace(s), "-") }

// span is a stretch of time, [from, to), in Unix milliseconds.
type span struct{ from, to int64 }

// calendar knows the nights of a window: the stretches in which the local clock
// shows it. It keeps the last one it was asked for, and is not safe for
// concurrent use.
type calendar struct {
	zone       *time.Location
	start, end int // seconds of the day; an end that is not later is of the next day
	last       span
	next       int64 // when the window after last begins
}

// at returns the newest window that has begun by then.
func (c *calendar) at(ms int64) span {
	if ms >= c.last.from && ms < c.next {
		return c.last
	}
	t := time.UnixMilli(ms).In(c.zone)
	y, m, d := t.Date()
	// The window of the day after may begin already: a change of the clock moves
	// it by no more than a day.
	for days := 1; ; days-- {
		from := c.instant(y, m, d+days, c.start)
		if from > ms {
			c.next = from
			continue
		}
		end := days
		if c.end <= c.start {
			end++
		}
		c.last = span{from, max(from, c.instant(y, m, d+end, c.end))}
		return c.last
	}
}

// instant returns the first moment at which the clock of that day shows so many
// seconds, or has passed them in one leap.
func (c *calendar) instant(y int, m time.Month, d, seconds int) int64 {
	t := time.Date(y, m, d, 0, 0, seconds, 0, c.zone)
	begins, ends := t.ZoneBounds()
	wall := time.Date(y, m, d, 0, 0, seconds, 0, time.UTC).Unix()
	switch shown := wallOf(t); {
	case shown > wall: // the leap was passed
		return begins.UnixMilli()
	case shown < wall: // or will be: time.Date does not say which side it takes
		return ends.UnixMilli()
	}
	if begins.IsZero() {
		return t.UnixMilli()
	}
	// A clock that was set back shows it twice.
	_, before := begins.Add(-1).Zone()
	_, after := t.Zone()
	if earlier := t.Add(-time.Duration(before-after) * time.Second); before > after && earlier.Before(begins) {
		return earlier.UnixMilli()
	}
	return t.UnixMilli()
}

// wallOf is what the clock of t shows, as seconds of a clock without a zone.
func wallOf(t time.Time) int64 {
	_, offset := t.Zone()
	return t.Unix() + int64(offset)
}
