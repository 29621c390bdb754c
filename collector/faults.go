package collector

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// board holds what the status message says of the meters: for each whose last
// read failed, since when and why, and the account of every meter.
type board struct {
	mu     sync.Mutex
	faults map[schemas.MeterID]*boardFault
	told   uint64 // lists given
	health []*meterHealth
	lines  []boardLine
}

// boardFault is a failure, and in which list its exchange was told last; 0: in none.
type boardFault struct {
	schemas.MeterFault
	told uint64
}

func newBoard() *board {
	return &board{faults: make(map[schemas.MeterID]*boardFault)}
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
	f := b.faults[id]
	if f == nil {
		f = &boardFault{MeterFault: schemas.MeterFault{Meter: id, Since: at.UTC().Truncate(time.Millisecond)}}
		b.faults[id] = f
	}
	f.Error, f.Cause, f.Exchange, f.told = schemas.FaultText(err.Error()), causeOf(err), exchangeOf(err), 0
}

// causeOf returns why a read failed, as far as the driver says.
func causeOf(err error) schemas.FaultCause {
	if c := schemas.FaultCause(adapters.CauseOf(err)); slices.Contains(schemas.FaultCauses(), c) {
		return c
	}
	return ""
}

// exchangeOf returns what went over the line when a read failed, within the bounds
// of a status message; nil when the driver does not say, or says what cannot be.
func exchangeOf(err error) *schemas.Exchange {
	e, ok := adapters.ExchangeOf(err)
	if !ok {
		return nil
	}
	out := schemas.Exchange{At: e.At.UTC().Truncate(time.Millisecond), Protocol: schemas.Protocol(e.Protocol)}
	out.Sent, out.SentCut = frameOf(e.Sent, e.SentCut)
	out.Received, out.ReceivedCut = frameOf(e.Received, e.ReceivedCut)
	if out.Validate() != nil {
		return nil
	}
	return &out
}

func frameOf(b []byte, cut int) (frame []byte, left uint16) {
	if over := len(b) - schemas.MaxFrameBytes; over > 0 {
		b, cut = b[:schemas.MaxFrameBytes], cut+over
	}
	return b, uint16(min(cut, schemas.MaxFrameCut))
}

// clear forgets the meter's failure.
func (b *board) clear(id schemas.MeterID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.faults, id)
}

// list returns the oldest failures, schemas.MaxFailing at most, and the count
// of all. The exchanges of schemas.MaxExchanges of them go along: those that were in
// no list yet, and then those that were in none for the longest.
func (b *board) list() (oldest []schemas.MeterFault, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		oldest = append(oldest, f.MeterFault)
	}
	slices.SortFunc(oldest, func(x, y schemas.MeterFault) int {
		if c := x.Since.Compare(y.Since); c != 0 {
			return c
		}
		return strings.Compare(string(x.Meter), string(y.Meter))
	})
	oldest = oldest[:min(len(oldest), schemas.MaxFailing)]
	b.tell(oldest)
	return oldest, len(b.faults)
}

// tell leaves the exchanges of schemas.MaxExchanges failures in list, and notes which.
func (b *board) tell(list []schemas.MeterFault) {
	b.told++
	var order []int // of those with an exchange
	for i := range list {
		if list[i].Exchange != nil {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return cmp.Compare(b.faults[list[x].Meter].told, b.faults[list[y].Meter].told)
	})
	for n, i := range order {
		if n < schemas.MaxExchanges {
			b.faults[list[i].Meter].told = b.told
		} else {
			list[i].Exchange = nil
		}
	}
}
