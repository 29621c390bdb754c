package ingest

import (
	"testing"
	"time"

	"citygrid/schemas"
)

// A request counts as sent when the broker has taken it, and not when it was handed to a
// link that is going down.
func TestRefillNeedsTheBroker(t *testing.T) {
	w := newTown(t)
	h := w.hub()
	w.sentinel(w.sender("c1"))
	refills := []schemas.Refill{{Meter: "W-1", From: testMoment, To: testMoment.Add(time.Hour)}}
	if err := h.Refill(t.Context(), "c1", refills); err != nil {
		t.Fatal(err)
	}
	conn := h.conn.Load()
	h.unlink()
	h.conn.Store(conn)
	if err := h.Refill(t.Context(), "c1", refills); err == nil {
		t.Error("a request on a link that is lost counts as sent")
	}
}
