package city

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"citygrid/adapters/line"
	collectorconfig "citygrid/collector/config"
	"citygrid/schemas"
	"citygrid/simulators"
	"citygrid/simulators/lab"
)

// simulateArgs returns the arguments of `citygrid simulate` that make a fleet.
func simulateArgs(f simulators.FleetConfig) []string {
	args := []string{
		"simulate",
		"--meters", fmt.Sprint(f.Meters), "--per-gateway", fmt.Sprint(f.MetersPerGateway), "--seed", fmt.Sprint(f.Seed),
		"--serial-lines", fmt.Sprint(f.SerialLines), "--stream-lines", fmt.Sprint(f.StreamLines),
		"--per-line", fmt.Sprint(f.MetersPerLine), "--baud", fmt.Sprint(f.Baud), "--turnaround", f.Turnaround.String(),
		"--step", f.Step.String(), "--faults", f.Faults.String(), "--no-value", fmt.Sprint(f.NoValue),
		"--start", f.Start.Format(time.RFC3339Nano),
	}
	var protocols []string
	for _, p := range f.Protocols {
		protocols = append(protocols, string(p))
	}
	if len(protocols) > 0 {
		args = append(args, "--protocols", strings.Join(protocols, ","))
	}
	return args
}

// Lines returns a fleet as a collector's configuration names it. addresses
// holds one for each line; a timeout of 0 leaves the default of 1 s. interval is the
// default of the configuration: the meters of a line that needs longer get an
// interval of their own.
func Lines(fleet *simulators.Fleet, addresses []string, timeout, interval time.Duration) (lines []collectorconfig.Line) {
	for i, l := range fleet.Lines() {
		out := collectorconfig.Line{Name: l.Name, Address: addresses[i], Timeout: collectorconfig.Duration(timeout)}
		if l.Serial != nil {
			out.Serial = serial(l.Serial)
		}
		own := collectorconfig.Duration(0)
		if d := intervalOf(l, timeout, interval); d != interval {
			own = collectorconfig.Duration(d)
		}
		for _, m := range l.Meters {
			out.Meters = append(out.Meters, collectorconfig.Meter{
				ID: m.ID, Unit: int(m.Unit), Address: m.Address, Profile: m.Profile, Interval: own,
			})
		}
		lines = append(lines, out)
	}
	return lines
}

// TrialConfig returns a configuration with which a collector reads lines and
// does nothing else: as "collector try" does, which needs no bundle or broker.
func TrialConfig(lines []collectorconfig.Line, interval time.Duration) *collectorconfig.Config {
	return &collectorconfig.Config{
		Collector: "trial", Bundle: "none", DataDir: "none", Interval: collectorconfig.Duration(interval),
		Broker: collectorconfig.Broker{URL: "tcp://127.0.0.1:1883"},
		Lines:  lines,
	}
}

// lines returns the city's own lines, with the card slots of its prepaid meters.
func (c *City) lines() []collectorconfig.Line {
	lines := Lines(c.fleet, c.addresses, wireTimeout, c.o.Interval)
	for i := range lines {
		if lines[i].Serial == nil {
			lines[i].Timeout = collectorconfig.Duration(answerTimeout)
		}
		for j := range lines[i].Meters {
			m := &lines[i].Meters[j]
			m.Cards = slices.Contains(cardProfiles(), m.Profile)
		}
	}
	return lines
}

// cardProfiles are those of the simulated models that have a card slot.
func cardProfiles() []string {
	return []string{"xintai-prepaid-water", "dlt645-prepaid-single-phase", "cjt188-cold-water-valve"}
}

// assumedBaud stands in the configuration of a line whose bytes take no time.
const assumedBaud = 115200

func serial(s *lab.Serial) *collectorconfig.Serial {
	out := &collectorconfig.Serial{Baud: s.Baud, Parity: line.Parity(s.Parity), DataBits: s.DataBits, StopBits: s.StopBits}
	if out.Baud == 0 {
		out.Baud = assumedBaud
	}
	return out
}

// headroom is how much of a line's time is kept for repeats, clocks and records
// from the memory of meters.
const headroom = 1.5

// defaultTimeout is that of a line whose configuration names none.
const defaultTimeout = time.Second

// slots are the intervals that a line may get: they divide the minute, the
// hour or the day, so that slots of different lines meet.
func slots() []time.Duration {
	var all []time.Duration
	for _, unit := range []time.Duration{time.Second, time.Minute} {
		for _, n := range []int{1, 2, 3, 5, 6, 10, 12, 15, 20, 30} {
			all = append(all, time.Duration(n)*unit)
		}
	}
	return append(all, time.Hour)
}

// intervalOf returns the time between two reads of a meter on l: the shortest
// slot in which its wire can serve all of its meters, and at least the interval
// of the others. A request that meets a fault costs the timeout, and the quiet
// time after it, which is as long.
func intervalOf(l simulators.Line, timeout, interval time.Duration) time.Duration {
	if timeout == 0 {
		timeout = defaultTimeout
	}
	need := time.Duration(headroom*float64(l.Cycle) + l.Mishaps*float64(2*timeout))
	if need <= interval {
		return interval
	}
	for _, s := range slots() {
		if s >= need {
			return s
		}
	}
	return need.Round(time.Hour) + time.Hour
}

// plan is what the collector was asked to do for a meter.
type plan struct {
	kind simulators.Kind
	// interval is the length of its slots, offset how far they are shifted: the
	// spread over the lines that the collector's configuration asks for.
	interval, offset time.Duration
	// window is how long before its moment a value may have left the register:
	// one answer at its latest, its time on the wire, and what a crowded machine
	// adds.
	window time.Duration
}

// maxFrame is the longest frame of all protocols: that of Modbus RTU.
const maxFrame = 256

// plans returns the plan of every meter.
func (c *City) plans() map[schemas.MeterID]plan {
	plans := make(map[schemas.MeterID]plan)
	lines := c.fleet.Lines()
	for i, l := range lines {
		offset := c.o.Interval / 2 * time.Duration(i) / time.Duration(len(lines))
		p := plan{
			kind: l.Kind, interval: intervalOf(l, wireTimeout, c.o.Interval), window: checkWindow,
			// Down, as the moment of a reading is: the first of a slot is of the
			// millisecond in which the slot begins.
			offset: offset.Truncate(time.Millisecond),
		}
		if l.Serial != nil {
			p.window = checkWindow - answerTimeout + wireTimeout + l.Serial.Wire(maxFrame)
		}
		for _, m := range l.Meters {
			plans[m.ID] = p
		}
	}
	return plans
}

// slot numbers the slots of the schedule.
func (p plan) slot(t time.Time) int64 { return (t.UnixNano() - int64(p.offset)) / int64(p.interval) }
