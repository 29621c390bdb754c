package simulators

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"citygrid/simulators/lab"
)

// Faults are the rates, 0 to 1, at which the field misbehaves. Dead, Reset,
// Swap and ClockJump are shares of the meters, Glitch is a share of the values
// of each meter; all others are shares of the requests, of which one has at
// most one fault. FaultList says which kind of line has which.
type Faults struct {
	// Late replies come LateBy after their request. Half of them are overtaken
	// by the replies to later requests, as on a gateway with several slaves in
	// flight; half hold up everything behind them, as on a serial line.
	Late float64
	// Split replies come in two pieces with a short pause between them.
	Split float64
	// Torn replies are cut: half of them go on after LateBy, half never do.
	Torn float64
	// Duplicate replies come twice.
	Duplicate float64
	// WrongUnit replies carry the unit id and the registers of a neighbour
	// under the transaction id of the request.
	WrongUnit float64
	// WrongSlave replies are those of another meter of the wire, whole and
	// under its own address.
	WrongSlave float64
	// WrongChecksum replies have one byte changed.
	WrongChecksum float64
	// Busy, Failure and GatewayTimeout are exceptions 06, 04 and 0B.
	Busy, Failure, GatewayTimeout float64
	// Exception replies refuse the request, in the way of their protocol.
	Exception float64
	// Slow replies come SlowBy later than they should, within any sane timeout.
	Slow float64
	// Reboot requests meet a meter that goes silent for RebootFor.
	Reboot float64
	// Noise is a burst of bytes before or after the reply.
	Noise float64
	// SameAddress requests are answered by two meters at once.
	SameAddress float64
	// Echo requests come back before their reply.
	Echo float64
	// Dead meters never answer.
	Dead float64
	// Reset meters set their counters to zero once, within ten minutes of the
	// fleet's start; Swap meters are replaced by another one, ClockJump meters
	// (of those that have a clock) are suddenly hours off, in the same time.
	Reset, Swap, ClockJump float64
	// Glitch is the share of the values of counters that the meter itself shows
	// wrong.
	Glitch float64
	// LateBy is how late the late replies are, SlowBy the slow ones, RebootFor
	// how long a reboot takes; 0 means lab.DefaultLateBy and so on.
	LateBy, SlowBy, RebootFor time.Duration
}

// DefaultLateBy is longer than the timeout that a collector gives a slave on a
// local line, so that a late reply meets the next request.
const DefaultLateBy = lab.DefaultLateBy

// place is where a fault happens.
type place uint8

const (
	onGateway  place = 1 << iota // a Modbus TCP gateway
	onWire                       // a serial line, of whatever port
	inMeter                      // a meter, behind either
	everywhere = onGateway | onWire
)

// rate is a named rate of Faults.
type rate struct {
	name   string
	value  *float64
	places place
	fault  lab.Fault // on a wire
	about  string
}

// rates lists the rates in the order in which ParseFaults knows and String
// writes them.
func (f *Faults) rates() []rate {
	return []rate{
		{"late", &f.Late, everywhere, lab.Late, "replies come late-by after their request"},
		{"split", &f.Split, everywhere, lab.Split, "replies come in two pieces, 5 ms apart"},
		{"torn", &f.Torn, onWire, lab.Torn, "replies are cut; the rest comes after late-by, or never"},
		{"duplicate", &f.Duplicate, everywhere, lab.Duplicate, "replies come twice"},
		{"wrong-unit", &f.WrongUnit, onGateway, 0, "a neighbour's reply under the right transaction id"},
		{"wrong-slave", &f.WrongSlave, onWire, lab.WrongSlave, "another meter's reply, whole, under its own address"},
		{"wrong-checksum", &f.WrongChecksum, onWire, lab.WrongChecksum, "one byte of the reply is changed"},
		{"busy", &f.Busy, onGateway, 0, "exception 06"},
		{"failure", &f.Failure, onGateway, 0, "exception 04"},
		{"gateway-timeout", &f.GatewayTimeout, onGateway, 0, "exception 0B"},
		{"exception", &f.Exception, onWire, lab.Exception, "the meter refuses, in the way of its protocol"},
		{"slow", &f.Slow, everywhere, lab.Slow, "replies come slow-by later, within the timeout"},
		{"reboot", &f.Reboot, onWire, lab.Reboot, "the meter goes silent for reboot-for"},
		{"noise", &f.Noise, onWire, lab.Noise, "a burst of bytes before or after the reply"},
		{"same-address", &f.SameAddress, onWire, lab.Collision, "two meters answer at once"},
		{"echo", &f.Echo, onWire, lab.Echo, "the request comes back before its reply"},
		{"dead", &f.Dead, inMeter, 0, "share of meters that never answer"},
		{"reset", &f.Reset, inMeter, 0, "share of meters whose counters go to zero once"},
		{"swap", &f.Swap, inMeter, 0, "share of meters that are replaced once"},
		{"clock-jump", &f.ClockJump, inMeter, 0, "share of meters whose clock jumps once (DL/T 645, CJ/T 188)"},
		{"glitch", &f.Glitch, inMeter, 0, "share of a meter's counter values that it shows wrong"},
	}
}

// length is a named duration of Faults.
type length struct {
	name  string
	value *time.Duration
	about string
}

func (f *Faults) lengths() []length {
	return []length{
		{"late-by", &f.LateBy, "how late late replies are (default " + lab.DefaultLateBy.String() + ")"},
		{"slow-by", &f.SlowBy, "how slow slow replies are (default " + lab.DefaultSlowBy.String() + ")"},
		{"reboot-for", &f.RebootFor, "how long a reboot takes (default " + lab.DefaultRebootFor.String() + ")"},
	}
}

// FaultList describes every name that ParseFaults knows, one a line, with the
// lines that have the fault: for the help of a program.
func FaultList() string {
	var b strings.Builder
	var f Faults
	for _, r := range f.rates() {
		where := map[place]string{onGateway: "gateways", onWire: "serial", everywhere: "all lines", inMeter: "meters"}[r.places]
		fmt.Fprintf(&b, "  %-16s %-10s %s\n", r.name, where, r.about)
	}
	for _, l := range f.lengths() {
		fmt.Fprintf(&b, "  %-16s %-10s %s\n", l.name, "", l.about)
	}
	return b.String()
}

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
	var names []string
	for _, r := range f.rates() {
		if r.name == name {
			return parseRate(text, r.value)
		}
		names = append(names, r.name)
	}
	for _, l := range f.lengths() {
		if l.name == name {
			return parseLength(text, l.value)
		}
		names = append(names, l.name)
	}
	return fmt.Errorf("no such fault; there are %s", strings.Join(names, ", "))
}

func parseLength(text string, into *time.Duration) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no duration above zero; write 400ms", text)
	}
	*into = d
	return nil
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
		if r.places != inMeter {
			sum += *r.value
		}
	}
	if sum > 1+1e-9 {
		return fmt.Errorf("faults: the rates of requests add up to %.4g%%; a request has at most one fault", 100*sum)
	}
	for _, l := range f.lengths() {
		if *l.value < 0 {
			return fmt.Errorf("faults: %s: %s is negative", l.name, *l.value)
		}
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
	for _, l := range f.lengths() {
		if *l.value != 0 {
			items = append(items, l.name+"="+l.value.String())
		}
	}
	return strings.Join(items, ",")
}

// refuse returns an error that names the first rate that none of the places
// has.
func (f Faults) refuse(places place, what string) error {
	for _, r := range f.rates() {
		if *r.value != 0 && r.places&(places|inMeter) == 0 {
			return fmt.Errorf("faults: %s is none of %s", r.name, what)
		}
	}
	return nil
}

// at returns the faults that happen at a place, without the others.
func (f Faults) at(p place) Faults {
	for _, r := range f.rates() {
		if r.places&p == 0 {
			*r.value = 0
		}
	}
	return f
}

// Wire returns the faults of a serial line as the lab takes them. Faults that a
// serial line cannot have are an error that names the first; those of meters
// are no business of the wire and are left out.
func (f Faults) Wire() (lab.Faults, error) {
	if err := f.refuse(onWire, "a serial line"); err != nil {
		return lab.Faults{}, err
	}
	w := lab.Faults{Rates: make(map[lab.Fault]float64), LateBy: f.LateBy, SlowBy: f.SlowBy, RebootFor: f.RebootFor}
	for _, r := range f.rates() {
		if *r.value != 0 && r.places&onWire != 0 {
			w.Rates[r.fault] = *r.value
		}
	}
	return w, nil
}

// fault is what happens to one request at a gateway.
type fault uint8

const (
	noFault fault = iota
	lateOvertaken
	lateHolding
	slow
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
		{slow, f.Slow},
	} {
		if u < c.rate {
			return c.kind
		}
		u -= c.rate
	}
	return noFault
}

func (f *Faults) lateBy() time.Duration { return orElse(f.LateBy, lab.DefaultLateBy) }

func (f *Faults) slowBy() time.Duration { return orElse(f.SlowBy, lab.DefaultSlowBy) }

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
