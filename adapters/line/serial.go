package line

import (
	"fmt"
	"time"
)

// Parity is the parity bit of a character.
type Parity string

// The parities.
const (
	None Parity = "none"
	Even Parity = "even"
	Odd  Parity = "odd"
)

// Serial is how a wire is driven.
type Serial struct {
	Baud     int
	DataBits int // 7 or 8
	Parity   Parity
	StopBits int // 1 or 2
}

// The bounds of Baud: what current loops and fast RS-485 use.
const (
	minBaud = 110
	maxBaud = 4_000_000
)

// Validate reports settings that no port of ours can have.
func (s Serial) Validate() error {
	switch {
	case s.Baud < minBaud || s.Baud > maxBaud:
		return fmt.Errorf("serial settings: baud %d, want %d to %d", s.Baud, minBaud, maxBaud)
	case s.DataBits != 7 && s.DataBits != 8:
		return fmt.Errorf("serial settings: data bits %d, want 7 or 8", s.DataBits)
	case s.Parity != None && s.Parity != Even && s.Parity != Odd:
		return fmt.Errorf("serial settings: parity %q, want none, even or odd", s.Parity)
	case s.StopBits != 1 && s.StopBits != 2:
		return fmt.Errorf("serial settings: stop bits %d, want 1 or 2", s.StopBits)
	}
	return nil
}

// bits is the length of a character on the wire, start bit included.
func (s Serial) bits() int {
	n := 1 + s.DataBits + s.StopBits
	if s.Parity != None {
		n++
	}
	return n
}

// Wire returns how long n bytes take on the wire.
func (s Serial) Wire(n int) time.Duration {
	return time.Duration(n*s.bits()) * time.Second / time.Duration(s.Baud)
}

// Silence returns the time that separates two frames: 3.5 characters, and above
// 19,200 Bd a fixed 1.750 ms [MODBUS over Serial Line V1.02, 2.5.1.1].
func (s Serial) Silence() time.Duration {
	if s.Baud > 19200 {
		return 1750 * time.Microsecond
	}
	return s.Wire(7) / 2
}

// String returns "9600 8N1".
func (s Serial) String() string {
	parity := byte('N')
	switch s.Parity {
	case Even:
		parity = 'E'
	case Odd:
		parity = 'O'
	}
	return fmt.Sprintf("%d %d%c%d", s.Baud, s.DataBits, parity, s.StopBits)
}
