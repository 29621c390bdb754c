package collector

import (
	"context"
	"sync"

	"citygrid/schemas"
)

// enclosures are accounts of slots on their way through the sealer of the readings. They
// go out in envelopes of their own, so that a hub that does not know them refuses no
// reading, and in the session of the readings, of which a hub remembers a bounded number.
type enclosures struct {
	wake chan struct{} // signalled when something waits

	mu      sync.Mutex
	waiting []schemas.SlotAccount
	// given and durable count accounts; changed is closed with the next one that is
	// durable.
	given, durable uint64
	changed        chan struct{}
}

func newEnclosures() *enclosures {
	return &enclosures{wake: make(chan struct{}, 1), changed: make(chan struct{})}
}

// nudge has the stage seal what it holds.
func (e *enclosures) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// signal is the channel of nudge; nil, which never comes, of no enclosures.
func (e *enclosures) signal() <-chan struct{} {
	if e == nil {
		return nil
	}
	return e.wake
}

// deliver gives accounts to the stage and waits until they are durable, or wait is done.
// It is called by one at a time. What an earlier call gave up waiting for is given up:
// the list holds it again.
func (e *enclosures) deliver(wait context.Context, list []schemas.SlotAccount) bool {
	e.mu.Lock()
	e.given -= uint64(len(e.waiting))
	e.waiting = append(e.waiting[:0:0], list...)
	e.given += uint64(len(list))
	upTo := e.given
	e.mu.Unlock()
	e.nudge()
	for {
		e.mu.Lock()
		done, changed := e.durable >= upTo, e.changed
		e.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-wait.Done():
			return false
		}
	}
}

// take takes the accounts of one envelope.
func (e *enclosures) take() []schemas.SlotAccount {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(e.waiting), schemas.MaxAccounts)
	list := e.waiting[:n:n]
	e.waiting = e.waiting[n:]
	return list
}

// kept notes that the next n are durable.
func (e *enclosures) kept(n int) {
	if n == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.durable += uint64(n)
	close(e.changed)
	e.changed = make(chan struct{})
}
