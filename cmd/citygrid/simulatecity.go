package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"citygrid/internal/cli"
	"citygrid/schemas"
	"citygrid/simulators/district"
)

// newSimulateCity makes the subcommand city of simulate: a district as census files.
func newSimulateCity() *cobra.Command {
	var o district.Options
	var dir, collector string
	var spoil int
	cmd := &cobra.Command{
		Use:   "city",
		Short: "Write the census of an invented district",
		Long: `Writes the census of an invented district as files that "citygrid import" reads:
areas, cells, duty grids, departments, people, components and meter links, in the
columns of the mapping "plain" and in CGCS2000 degrees (EPSG:4490). The same flags
write the same bytes. district.json says what there is; with --spoil it lists every
mistake that was made on purpose, with file, line, field and rule.`,
		Example: `  citygrid simulate city --to census
  citygrid simulate city --to census --components 1000000 --standard "GB/T 47678.5-2026"
  citygrid simulate city --to spoilt --spoil 2`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Collector = schemas.CollectorID(collector)
			switch {
			case o.Meters < 0:
				return fmt.Errorf("--meters: %d, want 0 or more", o.Meters)
			case o.Meters == 0:
				o.Meters = -1 // there 0 is the default
			}
			d, err := district.New(o)
			if err != nil {
				return err
			}
			if err := os.Mkdir(dir, 0o755); err != nil {
				return fmt.Errorf("--to: %w; name a folder that does not exist yet", err)
			}
			census, err := d.WriteCensus(cmd.Context(), dir, spoil)
			if err != nil {
				return cli.Failed(errors.Join(err, os.RemoveAll(dir))) // it was made above
			}
			mistakes := len(census.Spoilt)
			census.Spoilt = nil
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(census); err != nil {
				return cli.Failed(err)
			}
			if mistakes > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d mistakes, listed in district.json\n", mistakes)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "to", "", "write into this new `FOLDER`")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "makes the same district again")
	cmd.Flags().IntVar(&o.Cells, "cells", 2000, "how many unit cells")
	cmd.Flags().IntVar(&o.Components, "components", 50_000, "how many components, meters included")
	cmd.Flags().IntVar(&o.Departments, "departments", 20, "how many departments, 7 to 20")
	cmd.Flags().IntVar(&o.Inspectors, "inspectors", 40, "how many inspectors, each with a duty grid")
	cmd.Flags().IntVar(&o.Meters, "meters", 300, "how many of the components are meters")
	cmd.Flags().StringVar(&collector, "collector", "edge-01", "which collector reads the first thousand meters")
	cmd.Flags().StringVar(&o.Standard, "standard", "CJ/T 214-2007", `code list of components: "CJ/T 214-2007" (16 digits) or "GB/T 47678.5-2026" (17 digits)`)
	cmd.Flags().IntVar(&spoil, "spoil", 0, "make so many mistakes of each kind, and list them")
	cli.MustRequire(cmd, "to")
	return cmd
}
