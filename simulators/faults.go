package simulators

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Faults are the rates, 0 to 1, at which the field misbehaves. Dead and Reset
// are shares of the meters; all others are shares of the requests, of which
// one has at most one fault.
type Faults struct {
	// Late replies come LateBy after their request. Half of them are overtaken
	// by the replies to later requests, as on a gateway with several slaves in
	// flight; half hold up everything behind them, as on a serial line.
	Late float64
	// Split replies come in two pieces with a pause between them.
	Split float64
	// Duplicate replies come twice.
	Duplicate float64
	// WrongUnit replies carry the unit id and the registers of a neighbour
	// under the transaction id of the request.
	WrongUnit float64
	// Busy, Failure and GatewayTimeout are exceptions 06, 04 and 0B.
	Busy, Failure, GatewayTimeout float64
	// Dead meters never answer.
	Dead float64
	// Reset meters set their counters to zero once, within ten minutes of the
	// fleet's start.
	Reset float64
	// LateBy is how late the late replies are; 0 means DefaultLateBy.
	LateBy time.Duration
}

// DefaultLateBy is longer than the timeout that a collector gives a slave on a
// local line, so that a late reply meets the next request.
const DefaultLateBy = 400 * time.Millisecond

// rate is a named rate of Faults.
type rate struct {
	name       string
	value      *float64
	perRequest bool
}

// rates lists the rates in the order in which ParseFaults knows and String
// writes them.
func (f *Faults) rates() []rate {
	return []rate{
		{"late", &f.Late, true}, {"split", &f.Split, true}, {"duplicate", &f.Duplicate, true},
		{"wrong-unit", &f.WrongUnit, true}, {"busy", &f.Busy, true}, {"failure", &f.Failure, true},
		{"gateway-timeout", &f.GatewayTimeout, true}, {"dead", &f.Dead, false}, {"reset", &f.Reset, false},
	}
}

// lateByKey is the one setting of ParseFaults that is no rate.
const lateByKey = "late-by"

// ParseFaults reads a list such as "late=1%,split=0.5%,dead=5%,late-by=600ms".
// A rate is a percentage or a fraction of 1; the empty string is no faults.
func ParseFaults(s string) (Faults, error) {
	var f Faults
	if strings.TrimSpace(s) == "" {
		return f, nil
	}
	seen := map[string]bool{}
	for item := range strings.SplitSeq(s, ",") {
		name, text, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok {
			return Faults{}, fmt.Errorf("faults: %q: want name=rate, such as late=1%%", item)
		}
		if seen[name] {
			return Faults{}, fmt.Errorf("faults: %s is given twice", name)
		}
		seen[name] = true
		if err := f.set(name, text); err != nil {
			return Faults{}, fmt.Errorf("faults: %s: %w", name, err)
		}
	}
	return f, f.Validate()
}

func (f *Faults) set(name, text string) error {
	if name == lateByKey {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is no duration above zero; write 400ms", text)
		}
		f.LateBy = d
		return nil
	}
	var names []string
	for _, r := range f.rates() {
		if r.name == name {
			return parseRate(text, r.value)
		}
		names = append(names, r.name)
	}
	return fmt.Errorf("no such fault; there are %s and %s", strings.Join(names, ", "), lateByKey)
}

func parseRate(text string, into *float64) error {
	digits, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsNaN(v) {
		return fmt.Errorf("%q is no rate; write 1%% or 0.01", text)
	}
	if percent {
		v /= 100
	}
	if v < 0 || v > 1 {
		return fmt.Errorf("%q is not in 0%% to 100%%", text)
	}
	*into = v
	return nil
}

// Validate reports a rate outside 0 to 1, or rates of requests that add up to
// more than 1.
func (f Faults) Validate() error {
	sum := 0.0
	for _, r := range f.rates() {
		if !(*r.value >= 0 && *r.value <= 1) {
			return fmt.Errorf("faults: %s: %v is not in 0 to 1", r.name, *r.value)
		}
		if r.perRequest {
			sum += *r.value
		}
	}
	if sum > 1+1e-9 {
		return fmt.Errorf("faults: the rates of requests add up to %.4g%%; a request has at most one fault", 100*sum)
	}
	if f.LateBy < 0 {
		return fmt.Errorf("faults: %s: %s is negative", lateByKey, f.LateBy)
	}
	return nil
}

// String writes f as ParseFaults reads it; "" for no faults.
func (f Faults) String() string {
	var items []string
	for _, r := range f.rates() {
		if *r.value != 0 {
			items = append(items, r.name+"="+strconv.FormatFloat(*r.value, 'g', -1, 64))
		}
	}
	if f.LateBy != 0 {
		items = append(items, lateByKey+"="+f.LateBy.String())
	}
	return strings.Join(items, ",")
}

// fault is what happens to one request.
type fault uint8

const (
	noFault fault = iota
	lateOvertaken
	lateHolding
	split
	duplicate
	wrongUnit
	busy
	failure
	gatewayTimeout
	faultKinds
)

// draw returns the fault of the request with this hash.
func (f *Faults) draw(h uint64) fault {
	u := unit(h)
	for _, c := range [...]struct {
		kind fault
		rate float64
	}{
		{lateOvertaken, f.Late / 2}, {lateHolding, f.Late / 2}, {split, f.Split}, {duplicate, f.Duplicate},
		{wrongUnit, f.WrongUnit}, {busy, f.Busy}, {failure, f.Failure}, {gatewayTimeout, f.GatewayTimeout},
	} {
		if u < c.rate {
			return c.kind
		}
		u -= c.rate
	}
	return noFault
}

func (f *Faults) lateBy() time.Duration {
	if f.LateBy == 0 {
		return DefaultLateBy
	}
	return f.LateBy
}
