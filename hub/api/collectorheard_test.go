package api

import (
	"testing"
	"time"

	"citygrid/schemas"
)

// The last will of a lost connection may reach the hub after the word of the next one:
// a collector that goes on telling of itself is there all the same.
func TestACollectorThatSpeaksIsOnline(t *testing.T) {
	now := epoch
	l := NewLive(func() time.Time { return now })
	online := func() bool {
		list := l.Collectors()
		return len(list) == 1 && list[0].Online
	}
	tell := func(at time.Time) {
		l.CollectorStatus(schemas.Status{Collector: "c1", Area: "310115", At: at, StartedAt: epoch.Add(-time.Hour), Version: "1"})
	}
	l.CollectorOnline("c1", true, now)
	tell(now)
	l.CollectorOnline("c1", false, now)
	now = now.Add(5 * time.Second)
	tell(now)
	if online() {
		t.Error("a status that may have been on its way calls a lost collector back")
	}
	last := now
	now = now.Add(time.Minute)
	tell(last) // what the broker kept, once more
	if online() {
		t.Error("a kept status calls a lost collector back")
	}
	tell(now)
	if !online() {
		t.Error("a collector that tells of itself a minute later is still offline")
	}
}
