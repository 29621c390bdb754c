package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/internal/city"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/internal/outage"
)

func newBenchOutage() *cobra.Command {
	var o outage.Options
	var report string
	cmd := &cobra.Command{
		Use:   "bench-outage",
		Short: "Take a part of a running city away, give it back, and measure how the backlog drains",
		Long: `Runs a city of simulated meters with the real programs, takes its broker (or its
hub, or its InfluxDB) away, and gives it back. Printed are the backlog, how fast
it drains beside what goes on being read, how long the newest readings wait
meanwhile, the peak memory of collector and hub, and what is lost: every stored
point is held against what its meter showed. It fails when a promise is not kept.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := o.Validate(); err != nil {
				return err
			}
			if o.Citygrid, err = os.Executable(); err != nil {
				return cli.Failed(err)
			}
			if o.Dir, err = os.MkdirTemp("", "citygrid-outage-"); err != nil {
				return cli.Failed(err)
			}
			defer os.RemoveAll(o.Dir)
			o.Log = func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
			r, err := outage.Run(cmd.Context(), o)
			if err != nil {
				return cli.Failed(err)
			}
			return cli.Failed(printOutage(cmd.OutOrStdout(), r, report))
		},
	}
	cmd.Flags().StringVar(&o.Collector, "collector", "bin/collector", "the edge program")
	cmd.Flags().StringVar(&o.Part, "part", city.Broker, "what is taken away: broker, hub or influxd")
	cmd.Flags().IntVar(&o.Rate, "rate", 2000, "readings a second, about")
	cmd.Flags().DurationVar(&o.Before, "before", 30*time.Second, "how long the city runs before")
	cmd.Flags().DurationVar(&o.Outage, "outage", 10*time.Minute, "how long the part is away")
	cmd.Flags().StringVar(&report, "json", "", "write the figures to `FILE` as JSON")
	return cmd
}

// printOutage prints the report, writes it, and fails when a promise was not kept.
func printOutage(out io.Writer, r *outage.Report, path string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(table, name+"\t"+format+"\n", args...) }
	line("live", "%.0f readings/s of %d meters", r.LiveRate, r.Meters)
	line("outage", "%s away for %.0f s", r.Part, r.Seconds)
	line("backlog", "%d readings; the first was stored %.1f s after the return", r.Backlog, r.Back)
	line("drained", "in %.1f s, %.0f readings/s beside the live ones: %.1f times the live rate", r.Drain, r.DrainRate, r.Times)
	line("taken to stored, before", "p50 %.1f s, p99 %.1f s, most %.1f s (%d sampled)", r.Before.P50, r.Before.P99, r.Before.Most, r.Before.Readings)
	line("taken to stored, of readings taken during the drain", "p50 %.1f s, p99 %.1f s, most %.1f s (%d sampled)", r.During.P50, r.During.P99, r.During.Most, r.During.Readings)
	line("peak memory", "collector %.1f MiB, hub %.1f MiB (%.1f before the outage)", r.CollectorMiB, r.HubMiB, r.HubAtOutage)
	line("audit", "%d read, %d stored: %d lost, %d duplicated, %d wrong", r.Read, r.Stored, r.Lost, r.Duplicated, r.Wrong)
	if err := table.Flush(); err != nil {
		return err
	}
	if path != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := durable.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if problems := r.Problems(); len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}
