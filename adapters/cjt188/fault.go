package cjt188

import (
	"errors"
	"fmt"

	"citygrid/adapters"
	"citygrid/adapters/ask"
	"citygrid/adapters/line"
)

// refusal is a meter's answer that it will not give an item. The standard has no
// list of reasons, so it may be a fault that passes.
type refusal struct{ status []byte }

// Error says what the meter said.
func (e *refusal) Error() string {
	return fmt.Sprintf("the meter refuses (status % X): compare the profile with the list of items that the meter has", e.status)
}

// Class returns adapters.Slow.
func (e *refusal) Class() adapters.Class { return adapters.Slow }

// misfit is an item of another length than the profile's: another item.
type misfit struct {
	di        uint16
	got, want int
}

// Error says how long the item was.
func (e *misfit) Error() string {
	return fmt.Sprintf("item %04X has %d bytes of data, the profile says %d: the meter has another layout and needs another profile",
		e.di, e.got, e.want)
}

// Class returns adapters.Config.
func (e *misfit) Class() adapters.Class { return adapters.Config }

// stranger is an answer of another meter than before, to an address with
// wildcards.
type stranger struct{ from, known Address }

// Error says who answered.
func (e *stranger) Error() string {
	return fmt.Sprintf("two meters on the line: %s answers, and before %s did; give the meter's own address (a meter that was exchanged is taken after %s)",
		e.from, e.known, ask.ForgetAfter)
}

// Class returns adapters.Config.
func (e *stranger) Class() adapters.Class { return adapters.Config }

// otherOrder is an answer whose identifier comes in the other order than it was
// asked in.
type otherOrder struct{ asked order }

// Error says which edition fits.
func (e *otherOrder) Error() string {
	return fmt.Sprintf("the meter answers in the order of the edition of %d when asked in that of %d: change the profile's edition, or leave it out",
		e.asked.other().edition(), e.asked.edition())
}

// Class returns adapters.Config.
func (e *otherOrder) Class() adapters.Class { return adapters.Config }

// unsupported is something that a profile has no items for.
type unsupported string

// Error names it.
func (e unsupported) Error() string { return string(e) }

// Class returns adapters.Config.
func (e unsupported) Class() adapters.Class { return adapters.Config }

// unreadable is an answer from which nothing can be told.
type unreadable struct{ err error }

// Error says what was in it.
func (e *unreadable) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *unreadable) Unwrap() error { return e.err }

// Class returns adapters.Slow.
func (e *unreadable) Class() adapters.Class { return adapters.Slow }

// tryOther reports an error after which a meter whose order is not known may
// answer in the other one.
func tryOther(err error) bool {
	var (
		silence *line.NoAnswer
		refused *refusal
		order   *otherOrder
	)
	return errors.As(err, &silence) || errors.As(err, &refused) || errors.As(err, &order)
}

// firstSays chooses between the errors of the one order and the other, second.
// That of the first counts only if the meter itself said no to the second: a
// refusal in the wrong order means nothing, and an answer lost in the right one
// would turn it into a record that the meter does not have.
func firstSays(second error) bool {
	return isRefusal(second) || isOtherOrder(second)
}

// isRefusal reports that the meter itself will not give an item.
func isRefusal(err error) bool {
	var refused *refusal
	return errors.As(err, &refused)
}

// explain adds to an error what the operator can do about it.
func explain(err error, r *request) error {
	var silence *line.NoAnswer
	if errors.As(err, &silence) && r.strange > 0 {
		return fmt.Errorf("%w; %d answers came with another sequence byte than was sent: late ones, or the meter never returns it",
			err, r.strange)
	}
	return err
}

// failure is a failed request of m; what names it for people.
func (m *Meter) failure(what string, err error) *adapters.Error {
	return &adapters.Error{
		Meter: m.id, Class: adapters.ClassOf(err),
		Request: fmt.Sprintf("%s of meter %s at %s", what, m.address, m.bus.line),
		Err:     err,
	}
}
