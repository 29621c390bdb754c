package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"citygrid/internal/chaos"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
)

func newChaos() *cobra.Command {
	var o chaos.Options
	var path string
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Put a city under fire and look whether a reading was lost",
		Long: `Runs trials. Each starts a city of real processes (collector, broker, hub,
InfluxDB) with 200 simulated meters, loads cards, reports component events, and
lets a schedule of faults drawn from its seed happen: kill -9 at bad moments,
stopped processes, a broker and an InfluxDB that are gone or answer with errors,
slow, half-open and broken connections, full disks of collector, hub and InfluxDB,
damaged spools, a clock that is set, two collectors with one identity, a folder
restored from an old image; in one of fifty seeds a broker that is gone for minutes.
When all faults have ended it holds every reading, card entry and event that was
ever on the collector's disk against InfluxDB, the ledger and the cases.

What a damaged spool destroys is lost on purpose, and must be told: each such read
must lie in a slot that the hub's ledger of completeness (citygrid gaps) shows as
without a reading. The ledger knows slots: of a slot that was read twice, or whose
read went out in two envelopes, it has the rest, and the report counts that apart.

It fails when anything was lost, doubled or changed, or destroyed and not told, when a
good reading was put aside with a bad one, or a program broke, and says which seed. One seed alone again, with its schedule:
  citygrid chaos --trials 1 --seed 17
Filling disks needs root on Linux; without it the other faults are tried.`,
		Example: `  citygrid chaos --trials 500 --json chaos.json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Trials < 1 || o.Parallel < 1 {
				return fmt.Errorf("--trials %d, --parallel %d: want at least 1", o.Trials, o.Parallel)
			}
			if o.Citygrid, err = os.Executable(); err != nil {
				return cli.Failed(err)
			}
			if o.Collector == "" {
				o.Collector = filepath.Join(filepath.Dir(o.Citygrid), "collector")
			}
			out := cmd.OutOrStdout()
			if o.Trials == 1 {
				fmt.Fprint(out, chaos.NewPlan(o.Seed))
			}
			o.Progress = func(p chaos.Plan, r *chaos.Result) {
				fmt.Fprintln(cmd.ErrOrStderr(), r)
				if r.Bad() == 0 {
					return
				}
				for _, text := range r.Examples {
					fmt.Fprintln(cmd.ErrOrStderr(), " ", text)
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "  again: citygrid chaos --trials 1 --seed %d\n%s", p.Seed, p)
			}
			report, err := chaos.Run(cmd.Context(), o)
			if report == nil {
				return cli.Failed(err)
			}
			return cli.Failed(errors.Join(err, report.WriteTable(out), finishChaos(report, path)))
		},
	}
	cmd.Flags().IntVar(&o.Trials, "trials", 20, "how many seeds to try")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "the first seed")
	cmd.Flags().IntVar(&o.Parallel, "parallel", 2, "how many trials at once")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "folder for the trials' files (default that of the system for temporary files)")
	cmd.Flags().StringVar(&o.Collector, "collector", "", "path of the program collector (default beside this one)")
	cmd.Flags().StringVar(&path, "json", "", "write the report to `FILE` as JSON")
	return cmd
}

// finishChaos writes the report, and fails when a trial did.
func finishChaos(r *chaos.Report, path string) error {
	if path != "" {
		data, err := r.JSON()
		if err != nil {
			return err
		}
		if err := durable.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	if len(r.Failed) > 0 {
		return fmt.Errorf("%d of %d trials failed", len(r.Failed), r.Trials)
	}
	return nil
}
