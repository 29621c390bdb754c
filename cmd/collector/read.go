package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/collector"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

func newRead() *cobra.Command {
	var path, meter string
	cmd := &cobra.Command{
		Use:   "read -c FILE --meter ID",
		Short: "Read one meter once and print a table; nothing is sealed or sent",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := assemble(path)
			if err != nil {
				return err
			}
			return readMeter(cmd.Context(), cmd.OutOrStdout(), p.options.Lines, schemas.MeterID(meter))
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&meter, "meter", "", "the meter's id in the configuration")
	if err := cmd.MarkFlagRequired("meter"); err != nil {
		panic(err) // the flag is defined one line above
	}
	return cmd
}

// readMeter reads one meter and prints what it gave, also when it gave only a
// part.
func readMeter(ctx context.Context, out io.Writer, lines []collector.Line, id schemas.MeterID) error {
	line, meter, err := findMeter(lines, id)
	if err != nil {
		return err
	}
	defer line.Close()
	readings, readErr := meter.Source.Read(ctx)
	if err := printReadings(out, readings); err != nil {
		return cli.Failed(err)
	}
	if readErr != nil {
		return cli.Failed(readErr)
	}
	return nil
}

func findMeter(lines []collector.Line, id schemas.MeterID) (collector.Line, collector.Meter, error) {
	var known []string
	for _, l := range lines {
		if i := slices.IndexFunc(l.Meters, func(m collector.Meter) bool { return m.ID == id }); i >= 0 {
			return l, l.Meters[i], nil
		}
		for _, m := range l.Meters {
			known = append(known, string(m.ID))
		}
	}
	if len(known) > 10 {
		known = append(known[:10], fmt.Sprintf("and %d more", len(known)-10))
	}
	return collector.Line{}, collector.Meter{}, fmt.Errorf("no meter %s in the configuration; it has %s", id, strings.Join(known, ", "))
}

func printReadings(out io.Writer, readings []schemas.Reading) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUANTITY\tVALUE\tUNIT\tQUALITY\tTAKEN AT")
	for _, r := range readings {
		value, quality := "-", r.Quality.String()
		if r.HasValue() {
			value = r.Value.String()
		}
		if r.Reason != "" {
			quality += " (" + string(r.Reason) + ")"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.Quantity, value, r.Unit, quality, r.TakenAt.Format(time.RFC3339Nano))
	}
	return table.Flush()
}
