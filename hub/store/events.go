package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"citygrid/schemas"
)

// eventMeasurement is the name under which component events are stored.
const eventMeasurement = "component_event"

// RejectedEventsError says that the series will never take some events. All others of
// the same call are in the store when it is returned.
type RejectedEventsError struct {
	// IDs are those of the events; Reason is the store's own word on the first.
	IDs    []schemas.EventID
	Reason string
}

// Error names the first of the events and counts them.
func (e *RejectedEventsError) Error() string {
	return fmt.Sprintf("the series refused %d component events for good, the first is %s: %s", len(e.IDs), e.IDs[0], e.Reason)
}

// Permanent returns true: to give the events again is in vain.
func (e *RejectedEventsError) Permanent() bool { return true }

// StoreEvents writes component events as points, for dashboards and alarms:
//
//	measurement component_event
//	tags        collector, component, kind, line, meter, phase   those that are given
//	fields      affected (integer), id (string), open (integer)  open: 1 when it opens, 0 when it clears
//	            since (integer, ms)
//	            quantity (string), value, limit (float)          where a reading decided
//	            note (string)                                    where there is one
//	time        taken_at, milliseconds
//
// It returns nil when all of them are in the store: acknowledged after its fsync. An
// event that is written twice is one point. Errors are those of Write, but a
// *RejectedEventsError in place of its *RejectedError.
func (s *Store) StoreEvents(ctx context.Context, collector schemas.CollectorID, events []schemas.ComponentEvent) error {
	if len(events) == 0 {
		return nil
	}
	refused, reason, err := s.sendFew(ctx, len(events), func(dst []byte, i int) []byte { return AppendEventLine(dst, collector, &events[i]) })
	if err != nil || len(refused) == 0 {
		return err
	}
	rejected := &RejectedEventsError{Reason: reason}
	for _, i := range refused {
		rejected.IDs = append(rejected.IDs, events[i].ID)
	}
	return rejected
}

// sendFew writes n lines at once, and one by one when the server blames some of them:
// it says how many it dropped but not which. It returns which it will never take, and
// why not the first; err is any other error, after which all are written again.
func (s *Store) sendFew(ctx context.Context, n int, line func(dst []byte, i int) []byte) (refused []int, reason string, err error) {
	var lines []byte
	for i := range n {
		lines = line(lines, i)
	}
	err = s.sendLines(ctx, string(lines))
	var ref *refusal
	if !errors.As(err, &ref) {
		return nil, "", err
	}
	for i := range n {
		err := s.sendLines(ctx, string(line(nil, i)))
		switch {
		case errors.As(err, &ref):
			if refused = append(refused, i); len(refused) == 1 {
				reason = ref.text
			}
		case err != nil:
			return nil, "", err
		}
	}
	return refused, reason, nil
}

// AppendEventLine appends e as one line of the line protocol, with its newline, and
// returns the longer slice.
func AppendEventLine(dst []byte, collector schemas.CollectorID, e *schemas.ComponentEvent) []byte {
	dst = append(dst, eventMeasurement...)
	// In the order of their names, which is how the server keeps them. A backslash at
	// the end of a tag would escape what follows.
	for _, tag := range [...]struct{ name, value string }{
		{"collector", string(collector)}, {"component", string(e.Component)}, {"kind", string(e.Kind)},
		{"line", strings.ReplaceAll(e.Line, `\`, "/")}, {"meter", string(e.Meter)}, {"phase", string(e.Phase)},
	} {
		if tag.value != "" {
			dst = append(append(append(dst, ','), tag.name...), '=')
			dst = appendTag(dst, tag.value)
		}
	}
	dst = strconv.AppendUint(append(dst, " affected="...), uint64(e.Affected), 10)
	dst = appendText(append(dst, 'i'), "id", string(e.ID))
	if e.Quantity != "" {
		dst = appendDecimal(append(dst, ",limit="...), e.Limit)
	}
	if e.Note != "" {
		dst = appendText(dst, "note", e.Note)
	}
	open := byte('0')
	if e.Phase == schemas.EventOpened {
		open = '1'
	}
	dst = append(append(dst, ",open="...), open, 'i')
	if e.Quantity != "" {
		dst = appendText(dst, "quantity", string(e.Quantity))
	}
	dst = strconv.AppendInt(append(dst, ",since="...), e.Since.UnixMilli(), 10)
	dst = append(dst, 'i')
	if e.Quantity != "" {
		dst = appendDecimal(append(dst, ",value="...), e.Value)
	}
	dst = strconv.AppendInt(append(dst, ' '), e.TakenAt.UnixMilli(), 10)
	return append(dst, '\n')
}

// appendText appends a further field that is a string.
func appendText(dst []byte, name, value string) []byte {
	dst = append(append(append(dst, ','), name...), `="`...)
	return append(appendString(dst, value), '"')
}
