package accounts

import (
	"fmt"
	"math/bits"
	"net/netip"
	"sync"
	"time"

	"citygrid/internal/clientaddr"
)

// PauseError says that nothing was tried, and how long to wait before trying again.
type PauseError struct{ Wait time.Duration }

// Error says how long.
func (e *PauseError) Error() string {
	return fmt.Sprintf("too many attempts; try again in %d seconds", int64((e.Wait+time.Second-1)/time.Second))
}

// limit is how attempts of one kind are slowed down: free of them at once, then a
// pause of one second that doubles up to most.
type limit struct {
	free uint
	most time.Duration
}

// The limits. A name is paused for everybody who has never signed in with it from
// this browser, an address for whoever is there, a known browser for itself. Because
// the browser that a person uses answers to its own limit only, strangers cannot keep
// anybody out where they usually work. The pauses of names are short: who sits at a
// new browser while a name is under attack waits a minute at most, or takes a
// one-time code, which has no pause.
func nameLimit() limit    { return limit{free: 10, most: time.Minute} }
func addressLimit() limit { return limit{free: 20, most: longestPause} }
func deviceLimit() limit  { return limit{free: 5, most: 5 * time.Minute} }

const longestPause = 15 * time.Minute

// attemptsForgotten is how long after the end of the last pause attempts count.
const attemptsForgotten = time.Hour

func (l limit) after(attempts uint) time.Duration {
	if attempts < l.free {
		return 0
	}
	return min(time.Second<<min(attempts-l.free, 20), l.most)
}

// limited is one thing that attempts are counted for.
type limited struct {
	key string
	limit
}

// byAddress counts for the client. An address that is not known counts as one.
func byAddress(from netip.Addr) limited {
	return limited{"address " + clientaddr.Of(from).String(), addressLimit()}
}

type attempts struct {
	n     uint
	until time.Time
}

// pauses counts attempts in memory. It keeps at most two generations of generation
// keys: a flood of names pushes out what was quiet for longest, and takes no more
// memory.
type pauses struct {
	mu       sync.Mutex
	new, old map[string]attempts
}

const generation = 50_000

func newPauses() *pauses { return &pauses{new: map[string]attempts{}} }

// begin counts an attempt on every key before it is made, so that many at once are
// no way around the pauses. It returns a *PauseError and counts none while any key
// pauses. telling is true for the 1st, 2nd, 4th, 8th ... attempt on a key: a failure
// then goes into the audit log, which a flood of guesses must not fill.
func (p *pauses) begin(now time.Time, keys ...limited) (telling bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var wait time.Duration
	for _, k := range keys {
		wait = max(wait, p.at(now, k.key).until.Sub(now))
	}
	if wait > 0 {
		return false, &PauseError{Wait: wait}
	}
	for _, k := range keys {
		a := p.at(now, k.key)
		a.n++
		a.until = now.Add(k.after(a.n))
		p.put(k.key, a)
		telling = telling || bits.OnesCount(a.n) == 1
	}
	return telling, nil
}

// undo takes one attempt back: it was right, or was not made. Attempts of others on
// the same keys stay, so that signing in oneself buys no more guesses.
func (p *pauses) undo(now time.Time, keys ...limited) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		a := p.at(now, k.key)
		if a.n == 0 {
			continue
		}
		a.n--
		if until := now.Add(k.after(a.n)); until.Before(a.until) {
			a.until = until
		}
		p.put(k.key, a)
	}
}

// forget drops the attempts on a key, which somebody has proved to be theirs.
func (p *pauses) forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.new, key)
	delete(p.old, key)
}

// at returns what is remembered of a key. The clock may have been set back: no pause
// is longer than the limits make it.
func (p *pauses) at(now time.Time, key string) attempts {
	a, ok := p.new[key]
	if !ok {
		a = p.old[key]
	}
	if now.Sub(a.until) > attemptsForgotten {
		return attempts{}
	}
	if a.until.Sub(now) > longestPause {
		a.until = now
	}
	return a
}

func (p *pauses) put(key string, a attempts) {
	if len(p.new) >= generation {
		p.new, p.old = map[string]attempts{}, p.new
	}
	p.new[key] = a
}
