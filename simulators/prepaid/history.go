package prepaid

import (
	"fmt"
	"sort"
	"sync"
	"time"
)

// History is what a meter held over a time, so that its face on a line, and the
// oracle that judges the readings afterwards, see the same at the same moment. It
// may be used by several goroutines.
type History struct {
	mu     sync.RWMutex
	at     []time.Time
	states []State
}

// NewHistory returns the history of a meter that holds s at first.
func NewHistory(at time.Time, s State) *History {
	return &History{at: []time.Time{at}, states: []State{s}}
}

// Note adds what the meter holds from a moment on, which does not lie before the
// last one: what has been seen of the past stays as it was.
func (h *History) Note(at time.Time, s State) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := len(h.at) - 1
	if at.Before(h.at[last]) {
		return fmt.Errorf("history of prepaid meter %s: %s lies before its last entry of %s",
			s.Number, at.Format(time.RFC3339Nano), h.at[last].Format(time.RFC3339Nano))
	}
	h.at, h.states = append(h.at, at), append(h.states, s)
	return nil
}

// At returns what the meter held at a moment: what was noted last, not after it,
// or else at first. Its Records are not to be changed.
func (h *History) At(t time.Time) State {
	h.mu.RLock()
	defer h.mu.RUnlock()
	i := sort.Search(len(h.at), func(i int) bool { return h.at[i].After(t) })
	return h.states[max(i-1, 0)]
}
