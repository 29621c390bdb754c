package collector

import (
	"slices"
	"strings"
	"sync"
	"time"

	"citygrid/schemas"
)

// faultBoard holds, for each meter whose last read failed, since when and why.
// It feeds the status message.
type faultBoard struct {
	mu     sync.Mutex
	faults map[schemas.MeterID]schemas.MeterFault
}

func newFaultBoard() *faultBoard {
	return &faultBoard{faults: make(map[schemas.MeterID]schemas.MeterFault)}
}

// set notes a failure; the time of the first in a row stays.
func (b *faultBoard) set(id schemas.MeterID, at time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, known := b.faults[id]
	if !known {
		f = schemas.MeterFault{Meter: id, Since: at.UTC().Truncate(time.Millisecond)}
	}
	f.Error = schemas.FaultText(err.Error())
	b.faults[id] = f
}

// clear forgets the meter's failure.
func (b *faultBoard) clear(id schemas.MeterID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.faults, id)
}

// list returns the oldest failures, schemas.MaxFailing at most, and the count
// of all.
func (b *faultBoard) list() (oldest []schemas.MeterFault, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		oldest = append(oldest, f)
	}
	slices.SortFunc(oldest, func(x, y schemas.MeterFault) int {
		if c := x.Since.Compare(y.Since); c != 0 {
			return c
		}
		return strings.Compare(string(x.Meter), string(y.Meter))
	})
	return oldest[:min(len(oldest), schemas.MaxFailing)], len(b.faults)
}
