package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/internal/peers"
)

func newBenchPeers() *cobra.Command {
	var o peers.Options
	var report string
	cmd := &cobra.Command{
		Use:   "bench-peers",
		Short: "Measure reading and storing beside Telegraf, on the same meters, broker and store",
		Long: `Runs "collector try" and Telegraf one after the other on the same simulated
meters: what a value costs on one TCP connection, what a dead meter costs its
neighbours, and what late answers on a serial line do to the values. "make
bench-peers" builds both programs first.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Citygrid == "" {
				if o.Citygrid, err = os.Executable(); err != nil {
					return cli.Failed(err)
				}
			}
			if err := o.Validate(); err != nil {
				return err
			}
			if o.Dir, err = os.MkdirTemp("", "citygrid-peers-"); err != nil {
				return cli.Failed(err)
			}
			defer os.RemoveAll(o.Dir)
			o.Log = func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
			r, err := peers.Run(cmd.Context(), o)
			if err != nil {
				return cli.Failed(err)
			}
			return cli.Failed(printPeers(cmd.OutOrStdout(), r, report))
		},
	}
	cmd.Flags().StringVar(&o.Telegraf, "telegraf", "bin/telegraf", "the Telegraf program")
	cmd.Flags().StringVar(&o.Collector, "collector", "bin/collector", "the edge program")
	cmd.Flags().DurationVar(&o.Each, "each", 30*time.Second, "how long each of the six runs lasts")
	cmd.Flags().IntVar(&o.Points, "points", 1_000_000, "how many points to bring from the broker into InfluxDB")
	cmd.Flags().StringVar((*string)(&o.Only), "only", "", "reading or storing; empty for both")
	cmd.Flags().StringVar(&o.Rows, "rows", "", "measure only the programs whose rows begin with `TEXT`")
	cmd.Flags().StringVar(&report, "json", "", "write the figures to `FILE` as JSON")
	return cmd
}

func printPeers(out io.Writer, r *peers.Report, path string) error {
	if err := errors.Join(printPeersReading(out, r), printPeersStoring(out, r)); err != nil {
		return err
	}
	if path == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(data, '\n'), 0o644)
}

// printPeersReading prints what the meters' side came to, if it was measured.
func printPeersReading(out io.Writer, r *peers.Report) error {
	c, t := r.Throughput.Citygrid, r.Throughput.Telegraf
	if c.ValuesPerSecond == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tcitygrid\tTelegraf")
	fmt.Fprintf(table, "one TCP connection, values/s\t%.0f\t%.0f\n", c.ValuesPerSecond, t.ValuesPerSecond)
	fmt.Fprintf(table, "CPU us per value\t%.2f\t%.2f\n", c.CPUMicros, t.CPUMicros)
	fmt.Fprintf(table, "peak memory, MiB\t%.1f\t%.1f\n", c.PeakMiB, t.PeakMiB)
	fmt.Fprintf(table, "schedule kept by the healthy, 1 of 10 dead\t%.1f%%\t%.1f%%\n", 100*r.Dead.Citygrid.Kept, 100*r.Dead.Telegraf.Kept)
	fmt.Fprintf(table, "wrong values after late answers, serial\t%d of %d\t%d of %d\n",
		r.Late.Citygrid.Wrong, r.Late.Citygrid.Values, r.Late.Telegraf.Wrong, r.Late.Telegraf.Values)
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "Telegraf needs %.1f times the CPU for a value\n", t.CPUMicros/c.CPUMicros)
	for _, first := range []string{r.Late.Citygrid.First, r.Late.Telegraf.First} {
		if first != "" {
			fmt.Fprintln(out, "for instance:", first)
		}
	}
	return nil
}

// printPeersStoring prints what the centre's side came to, if it was measured.
func printPeersStoring(out io.Writer, r *peers.Report) error {
	if len(r.Storing) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "points\tpoints/s\tCPU us\tpeak MiB\tbroker us\tInfluxDB us\t  from the broker into InfluxDB")
	for _, s := range r.Storing {
		fmt.Fprintf(table, "%d\t%.0f\t%.2f\t%.1f\t%.2f\t%.2f\t  %s\n", s.Points, s.PointsPerSecond, s.CPUMicros, s.PeakMiB, s.BrokerCPUMicros, s.InfluxCPUMicros, s.Name)
	}
	return table.Flush()
}
