//go:build !linux

package line

import (
	"os"
	"sync/atomic"
	"time"

	"go.bug.st/serial"
)

// openPort opens a serial port for this process alone and sets it up.
func openPort(device string, s Serial) (Port, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	mode := &serial.Mode{BaudRate: s.Baud, DataBits: s.DataBits}
	switch s.Parity {
	case Even:
		mode.Parity = serial.EvenParity
	case Odd:
		mode.Parity = serial.OddParity
	}
	if s.StopBits == 2 {
		mode.StopBits = serial.TwoStopBits
	}
	p, err := serial.Open(device, mode)
	if err != nil {
		return nil, err
	}
	return &port{Port: p}, nil
}

// sliceTime bounds one wait of the library, which knows no deadline that can be
// moved while it waits.
const sliceTime = 20 * time.Millisecond

// port gives a port of the library a deadline.
type port struct {
	serial.Port
	// until keeps the reading of the monotonic clock, which no correction of the
	// system's clock moves; nil or the zero time for none.
	until atomic.Pointer[time.Time]
}

// SetDeadline sets the moment at which Read ends; the zero time is none.
func (p *port) SetDeadline(t time.Time) error {
	p.until.Store(&t)
	return nil
}

// Read waits for bytes up to the deadline.
func (p *port) Read(b []byte) (int, error) {
	for {
		wait := sliceTime
		if until := p.until.Load(); until != nil && !until.IsZero() {
			wait = min(wait, time.Until(*until))
		}
		if wait <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		if err := p.SetReadTimeout(wait); err != nil {
			return 0, err
		}
		if n, err := p.Port.Read(b); n > 0 || err != nil {
			return n, err
		}
	}
}
