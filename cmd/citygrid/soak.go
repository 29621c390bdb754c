package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/internal/soak"
)

func newSoak() *cobra.Command {
	var f fleetFlags
	o := soak.Options{}
	var report string
	cmd := &cobra.Command{
		Use:   "soak",
		Short: "Read a faulty simulated city flat out and check every value",
		Long: `Reads a simulated city with the collector's own loops, as fast as its lines go,
and holds every value against what the meter showed at that moment. It fails
when one value is wrong. The same flags make the same city and the same faults.`,
		Example: `  citygrid soak --values 10000000 --faults late=0.5%,torn=0.5%,noise=0.5%,wrong-slave=0.5%`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Fleet, err = f.config(); err != nil {
				return err
			}
			if err := o.Validate(); err != nil {
				return fmt.Errorf("%w (--values, --for, --timeout)", err)
			}
			o.Progress = func(values, wrong uint64) {
				fmt.Fprintf(cmd.ErrOrStderr(), "\r%d values, %d wrong ", values, wrong)
			}
			r, err := soak.Run(cmd.Context(), o)
			fmt.Fprintln(cmd.ErrOrStderr())
			if err != nil {
				return cli.Failed(err)
			}
			if cmd.Context().Err() != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "interrupted; this is what was checked until then")
			}
			return cli.Failed(finishSoak(cmd.OutOrStdout(), r, report))
		},
	}
	f.add(cmd)
	cmd.Flags().Uint64Var(&o.Values, "values", 1_000_000, "how many values to check; 0 for no such end")
	cmd.Flags().DurationVar(&o.For, "for", 0, "how long to go on at most; 0 for no such end")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 150*time.Millisecond, "the collector's patience with one answer")
	cmd.Flags().StringVar(&report, "json", "", "write the report to `FILE` as JSON")
	return cmd
}

// finishSoak prints the report, writes it, and fails when a value was wrong.
func finishSoak(out io.Writer, r *soak.Report, path string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "lines\tof kind\treads\tfailed\tvalues\twrong\t")
	for _, kind := range []string{"tcp", "serial", "stream"} {
		if k := r.Kinds[kind]; k != nil {
			fmt.Fprintf(table, "%d\t%s\t%d\t%d\t%d\t%d\t\n", k.Lines, kind, k.Reads, k.Failed, k.Values, k.Wrong)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "seed %d: %d values in %.1f s, %d wrong; %d suspect, %d without a number, %d from the meters' memory; %d glitches of the meters, %d of them marked\n",
		r.Seed, r.Values, r.Seconds, r.Wrong, r.Suspect, r.Missing, r.Kept, r.Glitches, r.GlitchesMarked)
	for _, text := range r.FirstWrong {
		fmt.Fprintln(out, "wrong:", text)
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
	if r.Wrong > 0 {
		return fmt.Errorf("%d of %d values are wrong", r.Wrong, r.Values)
	}
	return nil
}
