package detect

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/schemas"
)

// Rules are the thresholds of a collector. What a key leaves out is that of
// Default; an entry of Classes goes before the keys on top, an entry of Meters
// before its class.
type Rules struct {
	Set            `yaml:",inline"`
	LineOffline    LineOffline             `yaml:"line_offline,omitempty"`
	GatewayOffline GatewayOffline          `yaml:"gateway_offline,omitempty"`
	Classes        map[string]Set          `yaml:"classes,omitempty"`
	Meters         map[schemas.MeterID]Set `yaml:"meters,omitempty"`
}

// Set is what can be said of the meters, of a class of them, or of one.
type Set struct {
	// MaxGap: two readings further apart than this, or than two intervals of the
	// meter if that is more, say nothing of the time between.
	MaxGap       *time.Duration `yaml:"max_gap,omitempty"`
	Leak         Leak           `yaml:"leak,omitempty"`
	Burst        Burst          `yaml:"burst,omitempty"`
	ReverseFlow  ReverseFlow    `yaml:"reverse_flow,omitempty"`
	CoverOpen    CoverOpen      `yaml:"cover_open,omitempty"`
	WaterLevel   WaterLevel     `yaml:"water_level,omitempty"`
	ValveStuck   ValveStuck     `yaml:"valve_stuck,omitempty"`
	BatteryLow   BatteryLow     `yaml:"battery_low,omitempty"`
	CreditOut    CreditOut      `yaml:"credit_out,omitempty"`
	MeterOffline MeterOffline   `yaml:"meter_offline,omitempty"`
}

// Leak is about the flow of a water meter through the night.
type Leak struct {
	Off *bool `yaml:"off,omitempty"`
	// Window is the night by the local clock, "02:00-04:00", with seconds if need
	// be. It may pass midnight.
	Window *string `yaml:"window,omitempty"`
	// Above, in m3/h: a night in which the flow was never seen below it is a
	// night of a leak. Below: the flow that counts as none when the event is to
	// be cleared.
	Above *Amount `yaml:"above,omitempty"`
	Below *Amount `yaml:"below,omitempty"`
	// Nights is how many such nights in a row open the event.
	Nights *int `yaml:"nights,omitempty"`
	// Coverage is how much of the window readings must speak of, in per cent.
	Coverage *int `yaml:"coverage,omitempty"`
	// ClearAfter: so long without flow, by day or night, clears the event too;
	// 0: only a night does.
	ClearAfter *time.Duration `yaml:"clear_after,omitempty"`
}

// Burst is about a flow that no use explains; it opens a leak.
type Burst struct {
	Off *bool `yaml:"off,omitempty"`
	// Above and Below, in m3/h: for at least For above the one opens, for at
	// least ClearFor below the other clears.
	Above    *Amount        `yaml:"above,omitempty"`
	Below    *Amount        `yaml:"below,omitempty"`
	For      *time.Duration `yaml:"for,omitempty"`
	ClearFor *time.Duration `yaml:"clear_for,omitempty"`
}

// ReverseFlow is about water that runs back.
type ReverseFlow struct {
	Off *bool `yaml:"off,omitempty"`
	// Volume, in m3, is how much may run back in Within; it is looked for in
	// spans of one to two times Within.
	Volume *Amount        `yaml:"volume,omitempty"`
	Within *time.Duration `yaml:"within,omitempty"`
	// Flow, in m3/h, must not run back for as long as For.
	Flow *Amount        `yaml:"flow,omitempty"`
	For  *time.Duration `yaml:"for,omitempty"`
	// ClearAfter: so long with no more than ClearVolume, in m3, and no flow
	// running back clears.
	ClearAfter  *time.Duration `yaml:"clear_after,omitempty"`
	ClearVolume *Amount        `yaml:"clear_volume,omitempty"`
}

// CoverOpen is about the cover of a chamber: its contact, or its tilt.
type CoverOpen struct {
	Off *bool `yaml:"off,omitempty"`
	// Above and Below, in degrees: a tilt from the one on is open, up to the
	// other closed.
	Above *Amount `yaml:"above,omitempty"`
	Below *Amount `yaml:"below,omitempty"`
	// Agree of the last Of readings must say the same.
	Agree *int `yaml:"agree,omitempty"`
	Of    *int `yaml:"of,omitempty"`
}

// WaterLevel is about water in a chamber: its level, or its float switch.
type WaterLevel struct {
	Off *bool `yaml:"off,omitempty"`
	// Above and Below, in m.
	Above *Amount `yaml:"above,omitempty"`
	Below *Amount `yaml:"below,omitempty"`
	Agree *int    `yaml:"agree,omitempty"`
	Of    *int    `yaml:"of,omitempty"`
}

// ValveStuck is about the valve of a water or gas meter and the relay of a power
// meter.
type ValveStuck struct {
	Off *bool `yaml:"off,omitempty"`
	// For is how long it may be on its way, ClearFor how long it must be right.
	For      *time.Duration `yaml:"for,omitempty"`
	ClearFor *time.Duration `yaml:"clear_for,omitempty"`
	// Expected is open, closed or any (a meter of prepayment works its valve
	// itself). It holds nothing against a meter whose credit is out.
	Expected *string `yaml:"expected,omitempty"`
}

// BatteryLow is about the voltage of a meter's battery, or what the meter itself
// says of it.
type BatteryLow struct {
	Off *bool `yaml:"off,omitempty"`
	// Above clears and Below opens, in V.
	Above *Amount `yaml:"above,omitempty"`
	Below *Amount `yaml:"below,omitempty"`
	Agree *int    `yaml:"agree,omitempty"`
	Of    *int    `yaml:"of,omitempty"`
}

// CreditOut is about the purse of a prepaid meter.
type CreditOut struct {
	Off *bool `yaml:"off,omitempty"`
	// Below opens at or below it, Above clears above it, in the purse's unit.
	Below *Amount `yaml:"below,omitempty"`
	Above *Amount `yaml:"above,omitempty"`
	Agree *int    `yaml:"agree,omitempty"`
	Of    *int    `yaml:"of,omitempty"`
	// Prepaid: the meter is one of prepayment. Without it a purse counts only once
	// it has been seen with credit: others show nothing for ever.
	Prepaid *bool `yaml:"prepaid,omitempty"`
}

// MeterOffline is about a meter that does not answer.
type MeterOffline struct {
	Off *bool `yaml:"off,omitempty"`
	// After is how many of its intervals a meter may be silent.
	After *int `yaml:"after,omitempty"`
	// Answers in a row clear, but not before Hold.
	Answers *int           `yaml:"answers,omitempty"`
	Hold    *time.Duration `yaml:"hold,omitempty"`
}

// LineOffline is about all meters of a line; After is that of the meters.
type LineOffline struct {
	Off     *bool          `yaml:"off,omitempty"`
	Answers *int           `yaml:"answers,omitempty"`
	Hold    *time.Duration `yaml:"hold,omitempty"`
}

// GatewayOffline is about the port or gateway of a line.
type GatewayOffline struct {
	Off *bool `yaml:"off,omitempty"`
	// After is how long it may refuse, twice at least.
	After   *time.Duration `yaml:"after,omitempty"`
	Answers *int           `yaml:"answers,omitempty"`
	Hold    *time.Duration `yaml:"hold,omitempty"`
}

// Amount is an exact number of a rule.
type Amount schemas.Decimal

// UnmarshalYAML reads a number exactly as it is written.
func (a *Amount) UnmarshalYAML(n *yaml.Node) error {
	d, err := schemas.ParseDecimal(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: %q is no number: write it as 0.05 or 12", n.Line, n.Value)
	}
	*a = Amount(d)
	return nil
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (a Amount) MarshalYAML() (any, error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: schemas.Decimal(a).String()}, nil
}

// Default returns what holds where a configuration says nothing, for the small
// meter of a household, and the class "large" for the meter of a building or a
// district.
//
// The reasons: a household's meter of Q3 = 2.5 m3/h counts from 4 to 8 L/h on
// [starting flow; GB/T 778.1, OIML R 49-1], so that 10 L/h, a dripping cistern,
// is the least that is certain; two nights, because one may have had guests. A
// large meter has users at night, and one night of 0.2 m3/h beyond them is
// 2 m3. A full bore of DN20 is 5 m3/h, a garden hose 1.5: 3 m3/h for a quarter
// of an hour is a pipe that is gone. A lithium cell (Li-SOCl2, 3.6 V) holds its
// voltage to the end and is nearly empty at 3.1 V; 3.3 V is a new one. A valve
// turns within a minute. A cover is tilted by 15 degrees by a hand, and by less
// than 10 by a lorry.
func Default() Rules {
	number := func(text string) *Amount {
		d, _ := schemas.ParseDecimal(text)
		return new(Amount(d))
	}
	small := Set{
		MaxGap: new(30 * time.Minute),
		Leak: Leak{Off: new(false), Window: new("02:00-04:00"), Above: number("0.010"), Below: number("0.005"),
			Nights: new(2), Coverage: new(80), ClearAfter: new(2 * time.Hour)},
		Burst: Burst{Off: new(false), Above: number("3.0"), Below: number("1.0"), For: new(15 * time.Minute), ClearFor: new(15 * time.Minute)},
		ReverseFlow: ReverseFlow{Off: new(false), Volume: number("0.100"), Within: new(24 * time.Hour), Flow: number("0.050"),
			For: new(10 * time.Minute), ClearAfter: new(6 * time.Hour), ClearVolume: number("0.010")},
		CoverOpen:    CoverOpen{Off: new(false), Above: number("15"), Below: number("10"), Agree: new(2), Of: new(3)},
		WaterLevel:   WaterLevel{Off: new(false), Above: number("0.50"), Below: number("0.40"), Agree: new(2), Of: new(3)},
		ValveStuck:   ValveStuck{Off: new(false), For: new(10 * time.Minute), ClearFor: new(time.Minute), Expected: new("any")},
		BatteryLow:   BatteryLow{Off: new(false), Above: number("3.30"), Below: number("3.10"), Agree: new(3), Of: new(4)},
		CreditOut:    CreditOut{Off: new(false), Below: number("0"), Above: number("0"), Agree: new(2), Of: new(3), Prepaid: new(false)},
		MeterOffline: MeterOffline{Off: new(false), After: new(3), Answers: new(2), Hold: new(time.Minute)},
	}
	return Rules{
		Set:            small,
		LineOffline:    LineOffline{Off: new(false), Answers: new(2), Hold: new(time.Minute)},
		GatewayOffline: GatewayOffline{Off: new(false), After: new(2 * time.Minute), Answers: new(2), Hold: new(time.Minute)},
		Classes: map[string]Set{"large": {
			Leak:        Leak{Above: number("0.200"), Below: number("0.100"), Nights: new(1)},
			Burst:       Burst{Above: number("60"), Below: number("30")},
			ReverseFlow: ReverseFlow{Volume: number("1.0"), Flow: number("0.500"), ClearVolume: number("0.1")},
		}},
	}
}
