package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/cases"
	"citygrid/hub/cases/indicators"
	"citygrid/internal/cli"
)

func newIndicators() *cobra.Command {
	var flags gridFlags
	var from, csv, xlsx, by string
	var months int
	cmd := &cobra.Command{
		Use: "indicators", Short: "Count the indicators of docs/indicators.md from the journal of cases", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(indicators.Dimensions(), indicators.Dimension(by)) {
				return fmt.Errorf("--by %q: want one of %v", by, indicators.Dimensions())
			}
			return flags.with(cmd.Context(), func(g *gridProgram) error {
				rows, err := g.indicators(cmd, from, months)
				if err != nil {
					return err
				}
				if err := errors.Join(export(csv, rows, indicators.CSV), export(xlsx, rows, indicators.XLSX)); err != nil {
					return err
				}
				return printIndicators(cmd.OutOrStdout(), rows, indicators.Dimension(by))
			})
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&from, "from", "", "the first month, such as 2026-01; the present one when left out")
	cmd.Flags().IntVar(&months, "months", 1, "how many months")
	cmd.Flags().StringVar(&by, "by", string(indicators.City), "what the table shows: city, inspector, acceptor, shift_leader, dispatcher, department, cell, community, street or class")
	cmd.Flags().StringVar(&csv, "csv", "", "write everything to this file as CSV")
	cmd.Flags().StringVar(&xlsx, "xlsx", "", "write everything to this file as a workbook")
	return cmd
}

func (g *gridProgram) indicators(cmd *cobra.Command, from string, months int) ([]indicators.Row, error) {
	o, err := g.deskOptions()
	if err != nil {
		return nil, err
	}
	first := time.Now().In(o.Zone)
	if from != "" {
		if first, err = time.ParseInLocation("2006-01", from, o.Zone); err != nil {
			return nil, fmt.Errorf("--from %q: want a month such as 2026-01", from)
		}
	}
	if months < 1 || months > 120 {
		return nil, fmt.Errorf("--months %d: want 1 to 120", months)
	}
	t, err := indicators.New(indicators.Config{Book: o.Limits, Periods: indicators.Months(first, months, o.Zone), AsOf: time.Now().UTC()})
	if err != nil {
		return nil, err
	}
	if err := g.desk.Journals(cmd.Context(), func(c *cases.Case, entries []cases.Entry) error { return t.Add(c, entries) }); err != nil {
		return nil, err
	}
	return t.Rows(), nil
}

// export writes rows to a file; nothing without a name.
func export(path string, rows []indicators.Row, write func(io.Writer, []indicators.Row) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return cli.Failed(err)
	}
	return cli.Failed(errors.Join(write(f, rows), f.Close()))
}

func printIndicators(out io.Writer, rows []indicators.Row, by indicators.Dimension) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for n := range rows {
		r := &rows[n]
		if r.Dimension != by {
			continue
		}
		fmt.Fprintf(w, "%s\t%s %s\t\t\n", r.Period, r.Dimension, r.Key)
		for _, i := range indicators.Indicators() {
			fmt.Fprintf(w, "\t%s\t%s\t%s\n", i.Name(), r.Ratio(i), percent(r.Ratio(i)))
		}
		for _, c := range indicators.Counts() {
			fmt.Fprintf(w, "\t%s\t%d\t\n", c.Name(), r.Count(c))
		}
		if s := r.Score(); s.Known() {
			fmt.Fprintf(w, "\tscore\t%d.%02d\t%s\n", s.Hundredths/100, s.Hundredths%100, s.Grade())
		}
	}
	return w.Flush()
}

func percent(r indicators.Ratio) string {
	bp, ok := r.BasisPoints()
	if !ok {
		return "" // the ratio says "no data"
	}
	return fmt.Sprintf("%d.%02d %%", bp/100, bp%100)
}
