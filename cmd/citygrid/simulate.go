package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	collectorconfig "citygrid/collector/config"
	"citygrid/internal/city"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/simulators"
)

// fleetFlags are the flags that make a fleet; the same flags make the same one.
type fleetFlags struct {
	meters, perGateway int
	seed               uint64
	step               time.Duration
	faults, start      string
	noValue            float64
}

func (f *fleetFlags) add(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.meters, "meters", 100, "how many meters")
	cmd.Flags().IntVar(&f.perGateway, "per-gateway", 50, "how many meters share a gateway, 1 to 247")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "the same seed makes the same city")
	cmd.Flags().DurationVar(&f.step, "step", time.Second, "how long a meter's values stay the same")
	cmd.Flags().Float64Var(&f.noValue, "no-value", 0, "share of (gauge, minute) pairs for which a meter says that it has no value, 0 to 1")
	cmd.Flags().StringVar(&f.faults, "faults", "", "such as late=1%,split=1%,dead=5%")
}

// config returns the fleet's configuration. Its Start is zero when the flag was
// not given.
func (f *fleetFlags) config() (simulators.FleetConfig, error) {
	c := simulators.FleetConfig{Meters: f.meters, MetersPerGateway: f.perGateway, Seed: f.seed, Step: f.step, NoValue: f.noValue}
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
	var host, lines string
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "A fleet of simulated meters on Modbus TCP, until told to stop",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := f.config()
			if err != nil {
				return err
			}
			if config.Start.IsZero() {
				config.Start = time.Now()
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
			if err := announce(cmd.OutOrStdout(), city.Ready{Part: city.Simulators, Addresses: fleet.Addresses()}); err != nil {
				return cli.Failed(err)
			}
			if err := fleet.Wait(); err != nil {
				return cli.Failed(err)
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.start, "start", "", "when the counters stood at their first values (RFC 3339; default now)")
	cmd.Flags().StringVar(&host, "host", "127.0.0.1", "address to listen on; each gateway takes a free port")
	cmd.Flags().StringVar(&lines, "lines", "", "write the `lines:` part of a collector's configuration to `FILE`")
	return cmd
}

func writeLines(path string, fleet *simulators.Fleet) error {
	data, err := yaml.Marshal(struct {
		Lines []collectorconfig.Line `yaml:"lines"`
	}{city.Lines(fleet, fleet.Addresses(), 0)})
	if err != nil {
		return fmt.Errorf("write lines: %w", err)
	}
	return durable.WriteFile(path, data, os.FileMode(0o644))
}
