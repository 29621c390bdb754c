package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters"
	"citygrid/collector"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

func newRead() *cobra.Command {
	var path, meter, kept string
	cmd := &cobra.Command{
		Use:   "read -c FILE --meter ID",
		Short: "Read one meter once and print a table; nothing is sealed or sent",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, lines, err := loadLines(path)
			if err != nil {
				return err
			}
			line, m, err := findMeter(lines, schemas.MeterID(meter))
			if err != nil {
				return err
			}
			read := readMeter
			if kept != "" {
				if read, err = keptReader(m, kept); err != nil {
					return err
				}
			}
			err = read(cmd.Context(), cmd.OutOrStdout(), m)
			return cli.Failed(errors.Join(err, closeLines([]collector.Line{line})))
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&meter, "meter", "", "the meter's id in the configuration")
	cmd.Flags().StringVar(&kept, "kept", "", "print the records in the meter's own memory instead: daily, monthly or load")
	cli.MustRequire(cmd, "meter")
	return cmd
}

// readMeter reads a meter and prints what it gave, also when it gave only a
// part, and how far its clock is ahead when it has one.
func readMeter(ctx context.Context, out io.Writer, m collector.Meter) error {
	readings, readErr := m.Source.Read(ctx)
	if err := printReadings(out, readings); err != nil {
		return err
	}
	if readErr != nil {
		return readErr
	}
	clocked, ok := m.Source.(adapters.Clocked)
	if !ok {
		return nil
	}
	start := time.Now()
	shown, at, err := clocked.ReadClock(ctx)
	if adapters.ClassOf(err) == adapters.Config {
		return nil // its profile has no clock, or this one has none
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "clock: %s, %s ahead\n", shown.Format(time.RFC3339), collector.Drift(start, shown, at).Round(time.Millisecond))
	return err
}

// origins are the values of --kept.
var origins = map[string]schemas.Origin{
	"daily": schemas.DailyFreeze, "monthly": schemas.MonthlyFreeze, "load": schemas.LoadRecord,
}

// keptReader returns a reader of a meter's records, or says that it has none.
func keptReader(m collector.Meter, name string) (func(context.Context, io.Writer, collector.Meter) error, error) {
	origin, ok := origins[name]
	if !ok {
		return nil, fmt.Errorf("--kept %s: want daily, monthly or load", name)
	}
	keeper, ok := m.Source.(adapters.Keeper)
	if !ok || keeper.Kept(origin) == 0 {
		return nil, fmt.Errorf("meter %s keeps no %s records, by its profile", m.ID, name)
	}
	return func(ctx context.Context, out io.Writer, _ collector.Meter) error {
		return readKept(ctx, out, keeper, origin)
	}, nil
}

// readKept prints all records that a meter holds, the newest first, and those
// that came before a failure.
func readKept(ctx context.Context, out io.Writer, keeper adapters.Keeper, origin schemas.Origin) error {
	var all []schemas.Reading
	var failed error
	for n := 1; n <= keeper.Kept(origin) && failed == nil; n++ {
		var readings []schemas.Reading
		readings, failed = keeper.ReadKept(ctx, origin, n)
		all = append(all, readings...)
	}
	if len(all) == 0 && failed == nil {
		_, failed = fmt.Fprintln(out, "the meter holds no such record")
	}
	return errors.Join(printReadings(out, all), failed)
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

// printReadings writes a table, unless it would be empty. The column of origins
// is there when any reading is not live.
func printReadings(out io.Writer, readings []schemas.Reading) error {
	if len(readings) == 0 {
		return nil
	}
	dated := slices.ContainsFunc(readings, func(r schemas.Reading) bool { return r.Origin != schemas.Live })
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head := "QUANTITY\tVALUE\tUNIT\tQUALITY\tTAKEN AT"
	if dated {
		head += "\tORIGIN"
	}
	fmt.Fprintln(table, head)
	for _, r := range readings {
		value, quality := "-", r.Quality.String()
		if r.HasValue() {
			value = r.Value.String()
		}
		if r.Reason != "" {
			quality += " (" + string(r.Reason) + ")"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s", r.Quantity, value, r.Unit, quality, r.TakenAt.Format(time.RFC3339Nano))
		if dated {
			fmt.Fprintf(table, "\t%s", r.Origin)
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}
