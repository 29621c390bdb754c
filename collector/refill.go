package collector

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// commandAge is how old a command may be. The hub asks once for an hour; one whose request
// was refused, or brought nothing, stays in its list of gaps as asked for.
const commandAge = time.Hour

// refillDesk takes the hub's requests to read times from the meters' own memories: of what
// the collector has delivered, and the store has lost.
type refillDesk struct {
	mu    sync.Mutex
	last  time.Time // At of the newest command: one that comes again is no news
	loops []*lineLoop
}

// lines tells the desk who reads the meters.
func (d *refillDesk) lines(loops []*lineLoop) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loops = loops
}

// take takes a command that opened. The errors say why it is not followed.
func (d *refillDesk) take(c *schemas.Command, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if age := now.Sub(c.At); age > commandAge || age < -commandAge {
		return fmt.Errorf("a command of %s, which is %s ago: it was held back, or a clock is wrong", c.At, age.Round(time.Second))
	}
	if !c.At.After(d.last) {
		return fmt.Errorf("a command of %s, which is not newer than the last", c.At)
	}
	d.last = c.At
	for _, l := range d.loops {
		l.ask(c.Refill)
	}
	return nil
}

// takeCommand opens what came on the command topic.
func (p *publisher) takeCommand(header seal.Header, plain []byte, now time.Time) error {
	command, err := schemas.DecodeCommand(plain)
	if err != nil {
		return err
	}
	if command.Collector != p.id || header.Collector != string(p.id) {
		return fmt.Errorf("command for collector %s", command.Collector)
	}
	if p.refills == nil {
		return fmt.Errorf("a command, and nobody here reads meters")
	}
	return p.refills.take(command, now)
}

// maxAsked bounds the requests that wait for a line; more are dropped, and the hub shows
// what was not refilled.
const maxAsked = 1024

// ask leaves requests for the meters of the line, which takes them before its next turn.
func (l *lineLoop) ask(list []schemas.Refill) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range list {
		known := slices.ContainsFunc(l.meters, func(m *meterState) bool { return m.ID == r.Meter })
		if known && len(l.asked) < maxAsked {
			l.asked = append(l.asked, r)
		}
	}
}

// takeAsked makes plans of the requests.
func (l *lineLoop) takeAsked(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.asked {
		for _, m := range l.meters {
			if m.ID != r.Meter {
				continue
			}
			if m.load != nil {
				m.load.reopen(hole{r.From.Add(-time.Millisecond), r.To})
			}
			for _, a := range m.records {
				a.reopen(r.From, r.To, now)
			}
		}
	}
	l.asked = nil
}

// reopen adds a time to the holes. One that is open already stays as it is.
func (b *loadBook) reopen(h hole) {
	for _, old := range b.holes {
		if !h.From.Before(old.From) && !h.To.After(old.To) {
			return
		}
	}
	b.holes = append(b.holes, h)
	slices.SortFunc(b.holes, func(a, b hole) int { return a.From.Compare(b.From) })
	joined := b.holes[:1]
	for _, next := range b.holes[1:] {
		if last := &joined[len(joined)-1]; !next.From.After(last.To) || len(joined) == maxHoles {
			last.To = later(last.To, next.To)
			continue
		}
		joined = append(joined, next)
	}
	b.holes = joined
	b.n, b.looked = 0, false
}

// reopen goes back to the first record that lies in from <= t < to, if the meter has made
// one there: it and those after it are read once more, and are the same points.
func (a *archive) reopen(from, to time.Time, now time.Time) {
	if a.last.IsZero() || isAhead(a.last, now) {
		return
	}
	step := func(n int) time.Time { return a.last.AddDate(0, 0, -n) }
	if a.series.origin == schemas.MonthlyFreeze {
		step = func(n int) time.Time { return a.last.AddDate(0, -n, 0) }
	}
	var first time.Time
	for n := range a.kept {
		if moment := step(n); !moment.Before(from) && moment.Before(to) {
			first = moment
		}
	}
	if first.IsZero() {
		return
	}
	a.last = first.Add(-a.step())
	a.newest, a.cursor, a.looked, a.due = time.Time{}, 0, false, now
}
