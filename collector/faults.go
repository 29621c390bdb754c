package collector

import (
	"slices"
	"strings"
	"sync"
	"time"

	"citygrid/schemas"
)

// board holds what the status message says of the meters: for each whose last
// read failed, since when and why, and the account of every meter.
type board struct {
	mu     sync.Mutex
	faults map[schemas.MeterID]schemas.MeterFault
	health []*meterHealth
}

func newBoard() *board {
	return &board{faults: make(map[schemas.MeterID]schemas.MeterFault)}
}

// meter adds a meter and returns its account.
func (b *board) meter(id schemas.MeterID) *meterHealth {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := &meterHealth{id: id}
	b.health = append(b.health, h)
	return h
}

// all returns the accounts of all meters. The list does not change.
func (b *board) all() []*meterHealth {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.health[:len(b.health):len(b.health)]
}

// set notes a failure; the time of the first in a row stays.
func (b *board) set(id schemas.MeterID, at time.Time, err error) {
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
func (b *board) clear(id schemas.MeterID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.faults, id)
}

// list returns the oldest failures, schemas.MaxFailing at most, and the count
// of all.
func (b *board) list() (oldest []schemas.MeterFault, total int) {
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
