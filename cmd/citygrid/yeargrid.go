package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"citygrid/internal/cli"
	"citygrid/internal/yeargrid"
)

func newYearGrid() *cobra.Command {
	var o yeargrid.Options
	var report string
	cmd := &cobra.Command{
		Use:   "grid",
		Short: "Play a simulated year of cases and compare the indicators with the truth",
		Long: `Makes a seeded district and a year of its cases, plays every act through the
workflow, and counts the indicators. It fails when an act that docs/cases.md
allows is refused, when one that it does not allow is taken, or when a single
number of any indicator differs from what the simulator knows.`,
		Example: `  citygrid year grid --cases 201000 --illegal 25`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Progress = func(done, total int) { fmt.Fprintf(cmd.ErrOrStderr(), "\r\x1b[K%d of %d cases", done, total) }
			r, err := yeargrid.Run(cmd.Context(), o, cmd.OutOrStdout())
			fmt.Fprintln(cmd.ErrOrStderr())
			if err != nil {
				return cli.Failed(err)
			}
			if err := saveReport(report, r); err != nil {
				return cli.Failed(err)
			}
			if !r.Perfect() {
				return cli.Failed(fmt.Errorf("the year does not agree with the truth; see above"))
			}
			return nil
		},
	}
	cmd.Flags().Uint64Var(&o.District.Seed, "seed", 1, "makes the same year again")
	cmd.Flags().IntVar(&o.Year.Cases, "cases", 20_000, "how many cases are reported")
	cmd.Flags().IntVar(&o.Year.Illegal, "illegal", 25, "at how many of a thousand opportunities somebody tries what is not allowed")
	cmd.Flags().StringVar(&o.Desk, "desk", "", "`DSN` of empty tables to keep the cases in; in memory when left out")
	cmd.Flags().StringVar(&report, "json", "", "write the report to `FILE` as JSON")
	return cmd
}
