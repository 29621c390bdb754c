package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/internal/yearbooks"
	"citygrid/simulators/year"
)

func newYear() *cobra.Command {
	var o yearbooks.Options
	var dir, report string
	cmd := &cobra.Command{
		Use:   "year",
		Short: "Reconcile a simulated year of households and check what is found",
		Long: `Makes a year of life of prepaid households with things that are wrong on purpose,
plays its settlement files and card entries into new books, reconciles each
month, and holds what was found against what was injected. It fails when
anything is missed, or found without being there, or when a statement does not
foot. The same flags make the same year.`,
		Example: `  citygrid year --places 100000 --discrepancies 6000`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, remove, err := yearFolder(dir)
			if err != nil {
				return err
			}
			defer remove()
			o.Dir = filepath.Join(dir, "files")
			if o.Ledger == "" {
				o.Ledger = "sqlite:" + filepath.Join(dir, "books.db")
			}
			o.Progress = func(stage string, done, total int64) {
				fmt.Fprintf(cmd.ErrOrStderr(), "\r\x1b[K%s %d of %d", stage, done, total)
			}
			r, err := yearbooks.Play(cmd.Context(), o)
			fmt.Fprintln(cmd.ErrOrStderr())
			if err != nil {
				return cli.Failed(err)
			}
			return cli.Failed(finishYear(cmd.OutOrStdout(), r, report))
		},
	}
	cmd.Flags().Uint64Var(&o.World.Seed, "seed", 1, "makes the same year again")
	cmd.Flags().IntVar(&o.World.Places, "places", 2000, "how many meter places")
	cmd.Flags().IntVar(&o.World.Discrepancies, "discrepancies", 200, fmt.Sprintf("how many facts are wrong, of %d causes in turn", len(year.Causes())))
	cmd.Flags().StringVar(&o.Ledger, "ledger", "", "`DSN` of empty books; default: SQLite in the folder")
	cmd.Flags().StringVar(&dir, "dir", "", "keep books and files in this new `FOLDER`; default: a temporary one")
	cmd.Flags().StringVar(&report, "json", "", "write the report to `FILE` as JSON")
	cmd.AddCommand(newYearGrid())
	return cmd
}

// yearFolder returns the folder of a year, and how to remove it where it is a
// temporary one.
func yearFolder(asked string) (dir string, remove func(), err error) {
	if asked == "" {
		dir, err = os.MkdirTemp("", "citygrid-year-")
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	if err := os.Mkdir(asked, 0o700); err != nil {
		return "", nil, fmt.Errorf("--dir: %w; name a folder that does not exist yet", err)
	}
	return asked, func() {}, nil
}

// finishYear prints the report, writes it, and fails when it is not perfect.
func finishYear(out io.Writer, r *yearbooks.Report, path string) error {
	fmt.Fprintf(out, "%d places, %d days: %d card entries, %d sales, %d payments in %d files; %d statements, all foot\n",
		r.Places, r.Days, r.Entries, r.Sales, r.Payments, r.Files, r.Statements)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "class\tinjected\tfound\textra\tprecision\trecall")
	for _, c := range r.Classes {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%s\n", c.Class, c.Injected, c.Found, c.Extra, share(c.Found, c.Found+c.Extra), share(c.Found, c.Injected))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "seconds: store %.0f, files %.0f, runs %.0f\n", r.Seconds["store"], r.Seconds["files"], r.Seconds["runs"])
	for _, text := range r.First {
		fmt.Fprintln(out, text)
	}
	if err := saveReport(path, r); err != nil {
		return err
	}
	if !r.Perfect() {
		return fmt.Errorf("the books do not say what is wrong in this year, and nothing else")
	}
	return nil
}

// saveReport writes a report to a file as JSON; nothing without a name.
func saveReport(path string, report any) error {
	if path == "" {
		return nil
	}
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(data, '\n'), 0o644)
}

// share writes part of whole in per cent; of nothing it is no data.
func share(part, whole int) string {
	if whole == 0 {
		return "no data"
	}
	return fmt.Sprintf("%.2f%%", float64(part)*100/float64(whole))
}
