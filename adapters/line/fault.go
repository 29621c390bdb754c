package line

import (
	"errors"
	"fmt"
	"time"
)

// errIdleLost: the connection was lost between two requests. Nothing was under
// way, so nothing need be waited for.
var errIdleLost = errors.New("connection lost while idle")

// NoAnswer is a request that got no whole answer in time.
type NoAnswer struct {
	// Within is how long was waited for the first byte.
	Within time.Duration
	// Got is how many bytes came that are no whole frame.
	Got int
}

// Error says how long was waited and what to look at.
func (e *NoAnswer) Error() string {
	if e.Got > 0 {
		return fmt.Sprintf("no whole answer: it ended after %d bytes: check the wiring, and the length of the line", e.Got)
	}
	return fmt.Sprintf("no answer within %s: check the meter's address, its wiring and the timeout", e.Within)
}

// Timeout reports true, as net.Error does.
func (e *NoAnswer) Timeout() bool { return true }

// DialError is a connection or a port that could not be opened.
type DialError struct {
	// Device: it is a port, not a network address.
	Device bool
	Err    error
}

// Error says what the system answered and what to look at.
func (e *DialError) Error() string {
	if e.Device {
		return fmt.Sprintf("open: %v: look whether the adapter is plugged in, and whether this user may use the port", e.Err)
	}
	return fmt.Sprintf("connect: %v: look whether the gateway is on the network and the port is right", e.Err)
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// FrameError is something received that no request explains. After it nothing
// on the connection can be trusted.
type FrameError struct{ Err error }

// Refuse returns a *FrameError.
func Refuse(format string, args ...any) error {
	return &FrameError{fmt.Errorf(format, args...)}
}

// Error says what was wrong with the frame.
func (e *FrameError) Error() string { return "answer refused: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FrameError) Unwrap() error { return e.Err }

// DeviceError is how Turn.Ask returns what Request.Open said with the verdict
// Answer: the device understood and refused.
type DeviceError struct{ Err error }

// Error returns the request's own words.
func (e *DeviceError) Error() string { return e.Err.Error() }

// Unwrap returns the request's error.
func (e *DeviceError) Unwrap() error { return e.Err }
