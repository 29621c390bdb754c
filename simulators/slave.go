package simulators

import "time"

// Slave is one protocol on a simulated line: the meters that speak it.
type Slave interface {
	// Frame returns where the first whole request in b begins and ends: skip
	// bytes of anything else, then n bytes; n = 0: no whole request yet.
	Frame(b []byte) (skip, n int)
	// Answer appends the reply to a request frame, as the slave's meters give it
	// at t. dst comes back unchanged when the frame means no meter of the slave,
	// or none that is alive, or is a broadcast that nobody answers.
	Answer(dst, frame []byte, t time.Time) []byte
}
