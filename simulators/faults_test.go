package simulators

import (
	"strings"
	"testing"
	"time"

	"citygrid/simulators/lab"
)

func TestParseFaults(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Faults
	}{
		{"", Faults{}},
		{"  ", Faults{}},
		{"late=1%,split=0.5%,dead=5%", Faults{Late: 0.01, Split: 0.005, Dead: 0.05}},
		{"late=0.25, late-by=1s", Faults{Late: 0.25, LateBy: time.Second}},
		{"duplicate=1%,wrong-unit=2%,busy=3%,failure=4%,gateway-timeout=5%,reset=6%",
			Faults{Duplicate: 0.01, WrongUnit: 0.02, Busy: 0.03, Failure: 0.04, GatewayTimeout: 0.05, Reset: 0.06}},
		{"torn=1%,wrong-slave=2%,wrong-checksum=3%,exception=4%,slow=5%,reboot=6%,noise=7%,same-address=8%,echo=9%",
			Faults{Torn: 0.01, WrongSlave: 0.02, WrongChecksum: 0.03, Exception: 0.04, Slow: 0.05, Reboot: 0.06, Noise: 0.07, SameAddress: 0.08, Echo: 0.09}},
		{"swap=1%,clock-jump=2%,glitch=0.1%,slow-by=90ms,reboot-for=1m",
			Faults{Swap: 0.01, ClockJump: 0.02, Glitch: 0.001, SlowBy: 90 * time.Millisecond, RebootFor: time.Minute}},
		{"dead=100%,reset=100%,late=100%", Faults{Dead: 1, Reset: 1, Late: 1}},
	} {
		got, err := ParseFaults(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParseFaults(%q) = %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
	}
}

func TestParseFaultsRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"late":               "want name=rate",
		"late=1%,":           "want name=rate",
		"late=1%,late=2%":    "given twice",
		"later=1%":           "no such fault; there are late, split",
		"late=101%":          "not in 0% to 100%",
		"late=-1%":           "not in 0% to 100%",
		"late=often":         "write 1% or 0.01",
		"late=NaN":           "write 1% or 0.01",
		"late-by=fast":       "no duration",
		"late-by=-1s":        "no duration",
		"late=60%,split=50%": "add up to 110%",
		"late= 1%":           "no rate",
	} {
		if f, err := ParseFaults(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseFaults(%q) = %+v, %v, want %q", in, f, err, want)
		}
	}
}

func FuzzParseFaults(f *testing.F) {
	f.Add("late=1%,split=1%,dead=5%,late-by=600ms")
	f.Add("busy=1e-3,reset=.5")
	f.Add("torn=1%,noise=2%,swap=3%,slow-by=90ms,reboot-for=1m")
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := ParseFaults(s)
		if err != nil {
			return
		}
		if err := parsed.Validate(); err != nil {
			t.Fatalf("%q: accepted, yet %v", s, err)
		}
		again, err := ParseFaults(parsed.String())
		if err != nil || again != parsed {
			t.Errorf("%q -> %q -> %+v, %v", s, parsed.String(), again, err)
		}
	})
}

func TestDrawKeepsTheRates(t *testing.T) {
	f := Faults{Late: 0.1, Split: 0.02, Duplicate: 0.03, WrongUnit: 0.04, Busy: 0.05, Failure: 0.06, GatewayTimeout: 0.07, Slow: 0.08}
	const n = 200_000
	var counts [faultKinds]float64
	for i := range uint64(n) {
		counts[f.draw(mix(9, i))]++
	}
	for kind, want := range map[fault]float64{
		lateOvertaken: 0.05, lateHolding: 0.05, split: 0.02, duplicate: 0.03, wrongUnit: 0.04,
		busy: 0.05, failure: 0.06, gatewayTimeout: 0.07, slow: 0.08, noFault: 0.55,
	} {
		if got := counts[kind] / n; got < want*0.9 || got > want*1.1 {
			t.Errorf("fault %d at a rate of %v, want %v", kind, got, want)
		}
	}
}

// TestFaultsKnowTheirPlace: a line refuses, by name, what it cannot have.
func TestFaultsKnowTheirPlace(t *testing.T) {
	for name, tt := range map[string]struct {
		faults string
		gateway, wire, all,
		tcpOnly, wiresOnly string // what the error says; "" is none
	}{
		"everywhere": {faults: "late=1%,split=1%,duplicate=1%,slow=1%,dead=50%,reset=50%,swap=50%,glitch=1%"},
		"wire":       {"torn=1%,late=1%", "torn is none of a Modbus TCP gateway", "", "", "torn is none of this fleet", ""},
		"noise":      {"noise=1%", "noise is none", "", "", "noise is none", ""},
		"gateway":    {"late=1%,busy=1%", "", "busy is none of a serial line", "", "", "busy is none of this fleet"},
		"clock":      {"clock-jump=50%", "", "", "", "no meter of this fleet has a clock", ""},
		"both":       {"busy=1%,echo=1%", "echo is none", "busy is none", "", "echo is none", "busy is none"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ParseFaults(tt.faults)
			if err != nil {
				t.Fatal(err)
			}
			says := func(what string, err error, want string) {
				t.Helper()
				if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v, want %q", what, err, want)
				}
			}
			_, err = NewGateway(GatewayConfig{Faults: f})
			says("gateway", err, tt.gateway)
			_, err = f.Wire()
			says("wire", err, tt.wire)
			c := FleetConfig{Meters: 20, Start: start, Faults: f}
			_, err = NewFleet(c)
			says("fleet on TCP", err, tt.tcpOnly)
			c.SerialLines, c.StreamLines = 1, 1
			_, err = NewFleet(c)
			says("fleet of all", err, tt.all)
			c.Meters = 16
			_, err = NewFleet(c)
			says("fleet on wires", err, tt.wiresOnly)
		})
	}
}

// TestWireTakesEveryFaultOfTheLab so that none is without a name.
func TestWireTakesEveryFaultOfTheLab(t *testing.T) {
	var f Faults
	for _, r := range f.rates() {
		if r.places&onWire != 0 {
			*r.value = 0.01
		}
	}
	w, err := f.Wire()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range lab.FaultKinds() {
		if w.Rates[kind] != 0.01 {
			t.Errorf("%s has no name", kind)
		}
	}
	for _, r := range f.rates() {
		if r.places&onWire != 0 && r.name != r.fault.String() {
			t.Errorf("%s is %s on the wire", r.name, r.fault)
		}
	}
}

func TestFaultListNamesAll(t *testing.T) {
	list := FaultList()
	var f Faults
	for _, r := range f.rates() {
		if !strings.Contains(list, "  "+r.name+" ") {
			t.Errorf("%s is not described", r.name)
		}
	}
	for _, l := range f.lengths() {
		if !strings.Contains(list, l.name+" ") {
			t.Errorf("%s is not described", l.name)
		}
	}
}
