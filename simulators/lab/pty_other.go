//go:build !linux

package lab

import (
	"context"
	"errors"
	"io"
	"time"
)

// Terminal is a pseudo-terminal: a serial port without hardware.
type Terminal struct{ io.ReadWriteCloser }

// OpenTerminal fails: the lab's pseudo-terminals need Linux. Serve the line as a
// Server instead.
func OpenTerminal() (*Terminal, error) {
	return nil, errors.New("a simulated serial port needs Linux; use a serial server instead")
}

// Path returns nothing.
func (t *Terminal) Path() string { return "" }

func (t *Terminal) serve(context.Context, *Bus) error { return errors.ErrUnsupported }

func nap(d time.Duration) { time.Sleep(d) }
