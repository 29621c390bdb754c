package store

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// transitionMeasurement is the name under which what happens to cases is stored.
const transitionMeasurement = "case_transition"

// Transition is an act in the journal of cases, as dashboards count it.
type Transition struct {
	Seq  int64 // its number in the journal of all cases
	Case string
	// Act, State (after it), Source, Class and Area are what is counted by; Area is the
	// community of the case, 12 digits. Empty ones are left out.
	Act, State, Source, Class, Area string
	Department                      string
	At                              time.Time // when the hub took it
}

// RejectedTransitionsError says that the series will never take some acts, such as
// those that are older than it keeps anything. All others of the same call are in the
// store when it is returned.
type RejectedTransitionsError struct {
	// Seqs are their numbers in the journal; Reason is the store's own word on the first.
	Seqs   []int64
	Reason string
}

// Error names the first of the acts and counts them.
func (e *RejectedTransitionsError) Error() string {
	return fmt.Sprintf("the series refused %d acts of cases for good, the first is entry %d of the journal: %s", len(e.Seqs), e.Seqs[0], e.Reason)
}

// slots keeps points of one millisecond apart: a phone that comes back sends many acts
// at once, and points with the same tags and time would be one.
const slots = 16

// StoreTransitions writes acts as points:
//
//	measurement case_transition
//	tags        act, area, class, department, slot, source, state   those that are given
//	fields      case (string), seq (integer), n (integer, 1)
//	time        At, milliseconds
//
// An act that is written twice is one point. Errors are those of Write, but a
// *RejectedTransitionsError in place of its *RejectedError.
func (s *Store) StoreTransitions(ctx context.Context, list []Transition) error {
	if len(list) == 0 {
		return nil
	}
	refused, reason, err := s.sendFew(ctx, len(list), func(dst []byte, n int) []byte { return appendTransition(dst, &list[n]) })
	if err != nil || len(refused) == 0 {
		return err
	}
	rejected := &RejectedTransitionsError{Reason: reason}
	for _, n := range refused {
		rejected.Seqs = append(rejected.Seqs, list[n].Seq)
	}
	return rejected
}

func appendTransition(dst []byte, t *Transition) []byte {
	dst = append(dst, transitionMeasurement...)
	for _, tag := range [...]struct{ name, value string }{
		{"act", t.Act}, {"area", t.Area}, {"class", t.Class}, {"department", t.Department},
		{"slot", strconv.FormatInt(t.Seq%slots, 10)}, {"source", t.Source}, {"state", t.State},
	} {
		if tag.value != "" {
			dst = append(append(append(dst, ','), tag.name...), '=')
			dst = appendTag(dst, tag.value)
		}
	}
	dst = append(dst, ` case="`...)
	dst = append(appendString(dst, t.Case), `",n=1i,seq=`...)
	dst = strconv.AppendInt(dst, t.Seq, 10)
	dst = strconv.AppendInt(append(dst, "i "...), t.At.UnixMilli(), 10)
	return append(dst, '\n')
}
