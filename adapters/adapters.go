// Package adapters is the contract between a meter driver and the collector: a
// Source reads one meter and says exactly what it got.
//
// A driver for another protocol is a folder beside adapters/modbus whose tests
// call the conformance suite in adapters/adaptertest.
package adapters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/schemas"
)

// Source reads one meter. Calls to one Source do not overlap; Sources that
// share a physical line are called one at a time by the line's owner.
type Source interface {
	// Read asks the meter for everything that its profile names, once.
	//
	// Each reading carries the moment at which the answer that holds it had
	// arrived, UTC, whole milliseconds. A value that the meter marks as not
	// available, or that cannot be decoded, comes as a Missing reading with
	// its reason; never as zero and never left out.
	//
	// When some requests of the meter succeed and others fail, Read returns
	// the readings of those that succeeded together with an error (an *Error)
	// for the first that failed. A reading that was returned is never wrong
	// because another request failed. Read returns soon after ctx is done.
	Read(ctx context.Context) ([]schemas.Reading, error)
}

// Clocked is a Source whose meter has a clock that can be read.
type Clocked interface {
	// ReadClock returns what the meter's clock showed and the moment at which
	// its answer had arrived, both UTC (the time zone of the meter's clock is
	// the driver's business). The difference, less the half of the exchange, is
	// its drift. Errors are those of Source.Read.
	ReadClock(ctx context.Context) (meter, at time.Time, err error)
}

// Keeper is a Source whose meter keeps dated readings in its own memory.
type Keeper interface {
	// Kept says how many records of that origin the meter keeps: the days of
	// schemas.DailyFreeze, the months of schemas.MonthlyFreeze, the points of
	// schemas.LoadRecord; 0 for none. It asks nothing of the meter.
	Kept(schemas.Origin) int
	// ReadKept reads record n of that origin, counted back from the newest,
	// which is 1. Its readings carry the origin, and as TakenAt the moment of
	// the meter's record. A record that the meter does not hold (yet) is no
	// reading and no error. Errors are those of Source.Read.
	ReadKept(ctx context.Context, origin schemas.Origin, n int) ([]schemas.Reading, error)
}

// Identified is a Source whose meter tells who it is.
type Identified interface {
	// ReadSerial returns the meter's own serial number as its display or plate
	// shows it, in capitals without blanks. Errors are those of Source.Read.
	ReadSerial(ctx context.Context) (string, error)
}

// Class says what a failed read means for the schedule.
type Class uint8

// The classes.
const (
	// Transient: a timeout, a checksum error, "busy", a gateway that got no
	// answer. Try again with back-off.
	Transient Class = iota
	// Slow: the device reports a failure of its own (Modbus exception 04).
	// Try again, but seldom.
	Slow
	// Config: the device says that the request is wrong for it (Modbus
	// exceptions 01, 02, 03), or the answer can never fit the profile. Trying
	// again changes nothing: say so once.
	Config
)

// String returns "transient", "slow" or "config".
func (c Class) String() string {
	switch c {
	case Transient:
		return "transient"
	case Slow:
		return "slow"
	case Config:
		return "config"
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Error is a failed read: which meter, what was asked, what came back.
type Error struct {
	Meter schemas.MeterID
	Class Class
	// Request is what was asked, for people: "input registers 0x0046-0x0049 of
	// unit 7 at 10.0.0.5:502".
	Request string
	Err     error
}

// Error returns one line for the operator.
func (e *Error) Error() string {
	return fmt.Sprintf("meter %s: %s: %v", e.Meter, e.Request, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of err: that of the *Error in its chain, else what
// an error in it says by its method Class, else Transient.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	var own interface{ Class() Class }
	if errors.As(err, &own) {
		return own.Class()
	}
	return Transient
}
