package lab

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Fault is what the line does to one request.
type Fault uint8

// The faults of a line.
const (
	NoFault Fault = iota
	// Late answers come LateBy after their request. Half of them are overtaken
	// by answers to later requests, as from a slave that was busy; half hold up
	// everything behind them, as in a converter that was.
	Late
	// Split answers have a short pause in them, within what every driver bears.
	Split
	// Torn answers are cut. Half of them go on after LateBy, half never do.
	Torn
	// Duplicate answers come twice.
	Duplicate
	// WrongChecksum answers have one byte changed.
	WrongChecksum
	// WrongSlave answers are those of another meter, whole and under its own
	// address.
	WrongSlave
	// Exception answers refuse: Modbus busy, the error frame of the others.
	Exception
	// Slow answers come SlowBy later than they should, within any sane timeout.
	Slow
	// Reboot silences the meter for RebootFor, this request included.
	Reboot
	// Noise is a burst of bytes before or after the answer, with beginnings of
	// frames among them.
	Noise
	// Collision is a second meter of the same address: two answers on the wire
	// at once. The bytes that arrive never make a valid frame by chance, which a
	// checksum of eight bits would otherwise allow now and then.
	Collision
	// Echo gives the request back before the answer, as some RS-485 adapters do.
	Echo
	faultKinds
)

// faultNames are the names in the order of the constants.
var faultNames = [faultKinds]string{
	"none", "late", "split", "torn", "duplicate", "wrong-checksum", "wrong-slave", "exception",
	"slow", "reboot", "noise", "same-address", "echo",
}

// String returns the name as ParseFaults of the simulators knows it.
func (f Fault) String() string {
	if f < faultKinds {
		return faultNames[f]
	}
	return fmt.Sprintf("fault(%d)", uint8(f))
}

// FaultKinds returns all faults but NoFault.
func FaultKinds() []Fault {
	kinds := make([]Fault, 0, faultKinds-1)
	for f := NoFault + 1; f < faultKinds; f++ {
		kinds = append(kinds, f)
	}
	return kinds
}

// Faults are the rates, 0 to 1, at which requests meet a fault; each has at
// most one. They are the same for the same seed and number of request,
// whatever the time.
type Faults struct {
	Rates map[Fault]float64
	// LateBy, SlowBy and RebootFor are the lengths of these faults; 0 means the
	// defaults.
	LateBy, SlowBy, RebootFor time.Duration
}

// The default lengths.
const (
	DefaultLateBy    = 400 * time.Millisecond
	DefaultSlowBy    = 100 * time.Millisecond
	DefaultRebootFor = 3 * time.Second
	splitPause       = 5 * time.Millisecond
)

// Validate reports a rate that is none, or rates of more than 1 together.
func (f Faults) Validate() error {
	sum := 0.0
	for kind := range faultKinds {
		r := f.Rates[kind]
		if !(r >= 0 && r <= 1) {
			return fmt.Errorf("%s: rate %v is not in 0 to 1", kind, r)
		}
		sum += r
	}
	if sum > 1+1e-9 {
		return fmt.Errorf("the rates add up to %.4g%%; a request has at most one fault", 100*sum)
	}
	if f.LateBy < 0 || f.SlowBy < 0 || f.RebootFor < 0 {
		return fmt.Errorf("a length below zero: late by %s, slow by %s, reboot for %s", f.LateBy, f.SlowBy, f.RebootFor)
	}
	return nil
}

func (f Faults) withDefaults() Faults {
	orDefault(&f.LateBy, DefaultLateBy)
	orDefault(&f.SlowBy, DefaultSlowBy)
	orDefault(&f.RebootFor, DefaultRebootFor)
	return f
}

func orDefault(d *time.Duration, otherwise time.Duration) {
	if *d == 0 {
		*d = otherwise
	}
}

// draw returns the fault of a request.
func (f Faults) draw(r *rand.Rand) Fault {
	u := r.Float64()
	for kind := NoFault + 1; kind < faultKinds; kind++ {
		if u < f.Rates[kind] {
			return kind
		}
		u -= f.Rates[kind]
	}
	return NoFault
}
