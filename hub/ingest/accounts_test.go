package ingest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"citygrid/schemas"
)

// ledgerOf notes what the accounts are told, in the order in which it comes.
type ledgerOf struct {
	mu    sync.Mutex
	lines []string
}

func (l *ledgerOf) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *ledgerOf) StoredFrom(id schemas.CollectorID, readings []schemas.Reading, _ time.Time) {
	l.add("%s stored %d", id, len(readings))
}

func (l *ledgerOf) Session(id schemas.CollectorID, stream schemas.Stream, boot uint32, random [8]byte, _ time.Time) {
	l.add("%s %s boot>0 %v random %v", id, stream, boot > 0, random != [8]byte{})
}

func (l *ledgerOf) Refused(id schemas.CollectorID, code string, _ time.Time) {
	l.add("%s refused %s", id, code)
}

func (l *ledgerOf) of(id string) (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if line[:len(id)] == id {
			list = append(list, line)
		}
	}
	return list
}

// TestAccounts: an observer that keeps accounts learns of sessions, of whose the stored
// readings are, and of refusals, the latter only where the collector is or was enrolled.
func TestAccounts(t *testing.T) {
	w := newTown(t)
	told := &ledgerOf{}
	h := w.hub(func(h *hub) { h.accounts = told })
	w.publish(readingsTopic("c1"), w.sender("c1").batch(1, 3))
	receive(t, "receipt of a good message", w.receipts)
	for _, id := range []schemas.CollectorID{"c1", "c8", "c9"} {
		w.publish(readingsTopic(id), []byte("garbage"))
	}
	w.sentinel(w.sender("c3"))
	if got, want := told.of("c1"), []string{"c1 readings boot>0 true random true", "c1 stored 1", "c1 refused frame_bad"}; !slices.Equal(got, want) {
		t.Errorf("of c1: %q, want %q", got, want)
	}
	if got, want := told.of("c8"), []string{"c8 refused frame_bad"}; !slices.Equal(got, want) {
		t.Errorf("of c8, revoked: %q, want %q", got, want)
	}
	if got := told.of("c9"); len(got) > 0 {
		t.Errorf("of c9, never enrolled: %q", got)
	}
	if len(h.observer.stored) > 0 {
		t.Error("the observer was told of stored readings twice")
	}
}
