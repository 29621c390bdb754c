package adversary

import (
	"fmt"
	"strings"
	"testing"

	"citygrid/hub/ingest"
	"citygrid/schemas/seal"
)

// row is a line of the table.
type row struct {
	name                     string
	tries, accepted, counted uint64
	// control rows are honest: all tries must be accepted.
	control bool
}

func (r row) String() string {
	return fmt.Sprintf("%-88s %8d %9d %8d", r.name, r.tries, r.accepted, r.counted)
}

// table collects rows in the order in which they were made.
type table struct {
	t    testing.TB
	rows []row
}

// add judges a row: of an attack nothing is accepted and all of it counted, of
// a control row all is accepted.
func (tab *table) add(r row) {
	tab.t.Helper()
	tab.rows = append(tab.rows, r)
	want := uint64(0)
	if r.control {
		want = r.tries
		r.name = "control: " + r.name
		tab.rows[len(tab.rows)-1].name = r.name
	}
	if r.accepted != want || r.counted != r.tries {
		tab.t.Errorf("%s: %d tries, %d accepted (want %d), %d counted (want %d)", r.name, r.tries, r.accepted, want, r.counted, r.tries)
	}
}

func (tab *table) print() {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-88s %8s %9s %8s\n", "case", "tries", "accepted", "counted")
	var tries, accepted, counted, honest uint64
	for _, r := range tab.rows {
		b.WriteString(r.String() + "\n")
		if r.control {
			honest += r.tries
			continue
		}
		tries, accepted, counted = tries+r.tries, accepted+r.accepted, counted+r.counted
	}
	b.WriteString(row{name: "all attacks", tries: tries, accepted: accepted, counted: counted}.String() + "\n")
	fmt.Fprintf(&b, "and %d honest ones beside them, each taken once\n", honest)
	fmt.Print(b.String())
}

// attack is what a row sends to the hub.
type attack struct {
	name   string
	frames []frame
	// codes are the refusals that count; none: any.
	codes []seal.Code
	// again: copies of what is stored; they count as duplicates, and get a receipt.
	again bool
	// answered: no reading is stored, and the envelopes are kept as letters and
	// receipted, so that their collector does not send them for ever.
	answered bool
	// honest is how many readings of the frames must be stored.
	honest int
}

// attack sends the frames to the hub past the broker's rules and adds the row.
func (c *city) attack(tab *table, h *hub, a attack) {
	tab.t.Helper()
	before, points := h.Counters(), h.store.points.Load()
	seen := h.watcher.statuses.Load() + h.watcher.online.Load()
	c.publish(c.evil, a.frames)
	c.settle(h, before, len(a.frames))
	after := h.Counters()
	stored := uint64(h.store.points.Load()-points) - 1 // the last is honest
	shown := uint64(h.watcher.statuses.Load() + h.watcher.online.Load() - seen)
	r := row{name: a.name, tries: uint64(len(a.frames)), accepted: stored + shown, counted: refused(before, after, a.codes)}
	if a.again {
		r.counted += after.Duplicates - before.Duplicates
	}
	// A broker sends again what was not acknowledged in 30 s, of this row or another.
	if again := after.Received - before.Received - uint64(len(a.frames)) - 1; r.counted > r.tries && r.counted <= r.tries+again {
		r.counted = r.tries
	}
	if receipts := after.Receipts - before.Receipts - 1; !a.again && !a.answered && a.honest == 0 {
		r.accepted += receipts
	}
	if a.honest > 0 {
		r.control, r.tries, r.counted = true, uint64(a.honest), after.Points-before.Points-1
	}
	tab.add(r)
}

// refused is how much the counters of the codes have risen.
func refused(before, after ingest.Counters, codes []seal.Code) (n uint64) {
	if codes == nil {
		for code := range after.Refused {
			codes = append(codes, code)
		}
	}
	for _, code := range codes {
		n += after.Refused[code] - before.Refused[code]
	}
	return n
}
