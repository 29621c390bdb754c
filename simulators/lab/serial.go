package lab

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

// Serial is the speed and the character of a wire. Baud 0 is a wire that takes
// no time at all, for tests of volume.
type Serial struct {
	Baud     int
	DataBits int // 7 or 8; 0 means 8
	Parity   Parity
	StopBits int // 1 or 2; 0 means 1
}

// Validate reports the first setting that no wire has.
func (s Serial) Validate() error {
	switch {
	case s.Baud < 0 || s.Baud > 0 && s.Baud < 110 || s.Baud > 4_000_000:
		return fmt.Errorf("baud %d is not in 110 to 4000000, nor 0 for no pacing", s.Baud)
	case s.DataBits != 0 && s.DataBits != 7 && s.DataBits != 8:
		return fmt.Errorf("%d data bits; want 7 or 8", s.DataBits)
	case s.Parity != "" && s.Parity != None && s.Parity != Even && s.Parity != Odd:
		return fmt.Errorf("parity %q; want none, even or odd", s.Parity)
	case s.StopBits < 0 || s.StopBits > 2:
		return fmt.Errorf("%d stop bits; want 1 or 2", s.StopBits)
	}
	return nil
}

func (s Serial) withDefaults() Serial {
	if s.DataBits == 0 {
		s.DataBits = 8
	}
	if s.Parity == "" {
		s.Parity = None
	}
	if s.StopBits == 0 {
		s.StopBits = 1
	}
	return s
}

// bits is the length of a character: start, data, parity, stop.
func (s Serial) bits() int64 {
	s = s.withDefaults()
	n := int64(1 + s.DataBits + s.StopBits)
	if s.Parity != None {
		n++
	}
	return n
}

// Wire returns how long n characters are on the wire.
func (s Serial) Wire(n int) time.Duration {
	if s.Baud == 0 {
		return 0
	}
	return time.Duration(int64(n) * s.bits() * int64(time.Second) / int64(s.Baud))
}

// fastBaud is the speed above which the silence between frames is fixed.
const (
	fastBaud    = 19200
	fastSilence = 1750 * time.Microsecond
)

// Silence returns the pause that ends a frame: 3.5 characters, and 1.750 ms
// above 19200 Bd [Modbus over serial line V1.02 2.5.1.1].
func (s Serial) Silence() time.Duration {
	switch {
	case s.Baud == 0:
		return 0
	case s.Baud > fastBaud:
		return fastSilence
	}
	return s.Wire(7) / 2
}

// String writes s as people do: "9600 8E1".
func (s Serial) String() string {
	if s.Baud == 0 {
		return "no pacing"
	}
	s = s.withDefaults()
	letter := map[Parity]string{None: "N", Even: "E", Odd: "O"}[s.Parity]
	return fmt.Sprintf("%d %d%s%d", s.Baud, s.DataBits, letter, s.StopBits)
}
