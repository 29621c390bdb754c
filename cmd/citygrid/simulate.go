package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	collectorconfig "citygrid/collector/config"
	"citygrid/internal/city"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/internal/strictyaml"
	"citygrid/schemas"
	"citygrid/simulators"
	"citygrid/simulators/lab"
)

// fleetFlags are the flags that make a fleet; the same flags make the same one.
type fleetFlags struct {
	meters, perGateway    int
	serial, stream, onOne int
	baud                  int
	protocols             []string
	turnaround            time.Duration
	seed                  uint64
	step                  time.Duration
	faults, start         string
	noValue               float64
}

func (f *fleetFlags) add(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.meters, "meters", 100, "how many meters")
	cmd.Flags().IntVar(&f.perGateway, "per-gateway", 50, "how many meters share a gateway, 1 to 247")
	cmd.Flags().IntVar(&f.serial, "serial-lines", 0, "how many serial lines, each a pseudo-terminal")
	cmd.Flags().IntVar(&f.stream, "stream-lines", 0, "how many serial lines behind transparent serial servers (raw frames over TCP)")
	cmd.Flags().IntVar(&f.onOne, "per-line", 8, "how many meters share a serial line, 1 to 32")
	cmd.Flags().IntVar(&f.baud, "baud", 0, "speed of the serial lines (default 9600 and 2400 in turn; -1 for bytes that take no time)")
	cmd.Flags().StringSliceVar(&f.protocols, "protocols", nil, "what the meters of a serial line speak, in turn (default rtu,dlt645,cjt188)")
	cmd.Flags().DurationVar(&f.turnaround, "turnaround", 0, "how long a meter of a serial line takes to answer, and up to as much again by chance (default 10ms)")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "the same seed makes the same city")
	cmd.Flags().DurationVar(&f.step, "step", time.Second, "how long a meter's values stay the same")
	cmd.Flags().Float64Var(&f.noValue, "no-value", 0, "share of (gauge, minute) pairs for which a meter says that it has no value, 0 to 1")
	cmd.Flags().StringVar(&f.faults, "faults", "", "such as late=1%,split=1%,dead=5%; all of them: citygrid simulate --help")
}

// config returns the fleet's configuration. Its Start is zero when the flag was
// not given.
func (f *fleetFlags) config() (simulators.FleetConfig, error) {
	c := simulators.FleetConfig{
		Meters: f.meters, MetersPerGateway: f.perGateway, Seed: f.seed, Step: f.step, NoValue: f.noValue,
		SerialLines: f.serial, StreamLines: f.stream, MetersPerLine: f.onOne, Baud: f.baud, Turnaround: f.turnaround,
	}
	for _, p := range f.protocols {
		c.Protocols = append(c.Protocols, simulators.Protocol(p))
	}
	var err error
	if c.Faults, err = simulators.ParseFaults(f.faults); err != nil {
		return c, fmt.Errorf("--faults: %w", err)
	}
	if f.start != "" {
		if c.Start, err = time.Parse(time.RFC3339Nano, f.start); err != nil {
			return c, fmt.Errorf("--start: %w", err)
		}
	}
	return c, nil
}

func newSimulate() *cobra.Command {
	var f fleetFlags
	var host, lines, scenario, controlAt string
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "A city of simulated meters, until told to stop",
		Long: `A city of simulated meters: behind Modbus TCP gateways, on serial lines
(pseudo-terminals), and on serial lines behind transparent serial servers, until
told to stop. The first line of its output says in JSON where they are; a table
for people goes to the standard error output.

Faults are shares of the requests, of which one has at most one, or of the
meters. A line that cannot have a fault has none of it:
` + simulators.FaultList() + `
A scenario says what happens besides, so long after the start:
  events:
    - {at: 10s, meter: W-000001, what: dies}
    - {at: 20s, meter: W-000002, what: reboots, for: 5s}
    - {at: 30s, meter: P-000030, what: clock-jumps, by: -2h}
    - {at: 1m, meter: G-000003, what: resets}
    - {at: 2m, meter: G-000003, what: is-swapped}

With --control an address of this machine takes orders while the meters run; the
line with "ready" says which:
  curl -d meter=W-000021 -d flow=4.5 URL/break     a leak of 4.5 m3/h behind a water meter
  curl -d meter=W-000021 URL/mend                  it is repaired
  curl -d meter=P-000002 -d what=silent URL/break  the meter does not answer
  curl -d meter=P-000002 -d what=silent URL/mend   it answers again
  curl URL/mishaps                                 what has happened, with its moments
`,
		Example: `  citygrid simulate --meters 8 --serial-lines 1 --baud 2400
  citygrid simulate --meters 24 --serial-lines 3 --protocols dlt645 --faults late=1%,noise=1%,late-by=1s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := f.config()
			if err != nil {
				return err
			}
			if config.Start.IsZero() {
				config.Start = time.Now()
			}
			if config.Events, err = readScenario(scenario); err != nil {
				return fmt.Errorf("--scenario: %w", err)
			}
			fleet, err := simulators.NewFleet(config)
			if err != nil {
				return err
			}
			if err := fleet.Listen(cmd.Context(), host); err != nil {
				return cli.Failed(err)
			}
			if lines != "" {
				if err := writeLines(lines, fleet); err != nil {
					return cli.Failed(err)
				}
			}
			url, stop, err := openControl(cmd.Context(), controlAt, fleet)
			if err != nil {
				return err
			}
			defer stop()
			if err := announce(cmd.OutOrStdout(), city.Ready{Part: city.Simulators, URL: url, Addresses: fleet.Addresses()}); err != nil {
				return cli.Failed(err)
			}
			showLines(cmd.ErrOrStderr(), fleet)
			err = fleet.Wait()
			showWires(cmd.ErrOrStderr(), fleet)
			if err != nil {
				return cli.Failed(err)
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.start, "start", "", "when the counters stood at their first values (RFC 3339; default now)")
	cmd.Flags().StringVar(&host, "host", "127.0.0.1", "address to listen on; each gateway and each serial server takes a free port")
	cmd.Flags().StringVar(&controlAt, "control", "", "take orders to break and mend meters on this `ADDRESS` (127.0.0.1:0 for a free port), see --help")
	cmd.Flags().StringVar(&scenario, "scenario", "", "what happens to which meter when: a `FILE` of YAML, see --help")
	cmd.Flags().StringVar(&lines, "lines", "", "write the `lines:` part of a collector's configuration to `FILE`")
	cmd.AddCommand(newSimulateCity())
	return cmd
}

// scenarioEvent is a simulators.Event as a scenario has it.
type scenarioEvent struct {
	At    time.Duration   `yaml:"at"`
	Meter schemas.MeterID `yaml:"meter"`
	What  string          `yaml:"what"`
	For   time.Duration   `yaml:"for"`
	By    time.Duration   `yaml:"by"`
}

// readScenario reads the events of a scenario; none without a file.
func readScenario(path string) ([]simulators.Event, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Events []scenarioEvent `yaml:"events"`
	}
	if err := strictyaml.Decode(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var events []simulators.Event
	for _, e := range file.Events {
		events = append(events, simulators.Event(e))
	}
	return events, nil
}

// showLines prints where each line is and who is on it.
func showLines(out io.Writer, fleet *simulators.Fleet) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer table.Flush()
	for _, l := range fleet.Lines() {
		settings, cycle := "Modbus TCP", ""
		if l.Serial != nil {
			settings = l.Serial.String()
		}
		if l.Cycle > 0 {
			cycle = fmt.Sprintf("%.1f s a cycle", l.Cycle.Seconds())
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d meters\t%s\n", l.Name, l.Address, settings, len(l.Meters), cycle)
	}
}

// showWires prints what the serial lines have seen. The wire time is what the
// frames, the meters and the silences between needed: nobody can be faster.
func showWires(out io.Writer, fleet *simulators.Fleet) {
	for _, w := range fleet.Wires {
		s := w.Bus.Stats()
		fmt.Fprintf(out, "%s: %d requests, %d answered, %d met silence; %d bytes in, %d out, wire time %.3f s of %.3f s in use; out of turn %d, too soon %d",
			w.Name, s.Requests, s.Answered, s.Silent, s.BytesIn, s.BytesOut, s.Wire.Seconds(), s.InUse.Seconds(), s.Overlaps, s.Hasty)
		for _, kind := range lab.FaultKinds() {
			if n := s.Faults[kind]; n > 0 {
				fmt.Fprintf(out, "; %s %d", kind, n)
			}
		}
		fmt.Fprintln(out)
	}
}

func writeLines(path string, fleet *simulators.Fleet) error {
	data, err := yaml.Marshal(struct {
		Lines []collectorconfig.Line `yaml:"lines"`
	}{city.Lines(fleet, fleet.Addresses(), 0, 0)})
	if err != nil {
		return fmt.Errorf("write lines: %w", err)
	}
	return durable.WriteFile(path, data, os.FileMode(0o644))
}
