package simulators

import (
	"strings"
	"testing"
	"time"
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
	f := Faults{Late: 0.1, Split: 0.02, Duplicate: 0.03, WrongUnit: 0.04, Busy: 0.05, Failure: 0.06, GatewayTimeout: 0.07}
	const n = 200_000
	var counts [faultKinds]float64
	for i := range uint64(n) {
		counts[f.draw(mix(9, i))]++
	}
	for kind, want := range map[fault]float64{
		lateOvertaken: 0.05, lateHolding: 0.05, split: 0.02, duplicate: 0.03, wrongUnit: 0.04,
		busy: 0.05, failure: 0.06, gatewayTimeout: 0.07, noFault: 0.63,
	} {
		if got := counts[kind] / n; got < want*0.9 || got > want*1.1 {
			t.Errorf("fault %d at a rate of %v, want %v", kind, got, want)
		}
	}
}
