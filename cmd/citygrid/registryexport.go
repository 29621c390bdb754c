package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"citygrid/hub/registry/assets"
	"citygrid/hub/registry/census"
	"citygrid/internal/cli"
)

// registryExport is the command export with its flags.
type registryExport struct {
	registryFlags
	readFlags
	to, format string
	kinds      []string
}

func newRegistryExport() *cobra.Command {
	var c registryExport
	cmd := &cobra.Command{
		Use:   "export --to DIR",
		Short: "Write the register as census files, which import reads back",
		Long: `Writes the whole register, what has ended too, as files that "citygrid registry import"
reads back to the same records. Kinds without geometry are written as CSV when the
format is shp.`,
		Example: "  citygrid registry export -c hub.yaml --to census --format geojson --crs CGCS2000",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	c.registryFlags.register(cmd)
	c.readFlags.register(cmd)
	cmd.Flags().StringVar(&c.to, "to", "", "write into this new `FOLDER`")
	cmd.Flags().StringVar(&c.format, "format", "geojson", "geojson, csv or shp")
	cmd.Flags().StringSliceVar(&c.kinds, "kind", nil, "only these kinds, such as cells,components")
	cli.MustRequire(cmd, "to")
	return cmd
}

func (c *registryExport) run(ctx context.Context, out io.Writer) error {
	if c.crs == "" {
		c.crs = "CGCS2000"
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	formats := map[string]census.Format{"geojson": census.GeoJSON, "csv": census.CSV, "shp": census.Shapefile, "shapefile": census.Shapefile}
	if o.Format = formats[c.format]; o.Format == "" {
		return fmt.Errorf("--format %q: want geojson, csv or shp", c.format)
	}
	kinds := census.Kinds()
	if len(c.kinds) > 0 {
		kinds = nil
	}
	for _, k := range c.kinds {
		if !slices.Contains(census.Kinds(), census.Kind(k)) {
			return fmt.Errorf("--kind %q: want some of %v", k, kindNames())
		}
		kinds = append(kinds, census.Kind(k))
	}
	return c.with(ctx, func(r *assets.Register) error {
		if err := os.Mkdir(c.to, 0o755); err != nil {
			return fmt.Errorf("--to: %w; name a folder that does not exist yet", err)
		}
		return cli.Failed(c.write(ctx, out, r, kinds, o))
	})
}

func (c *registryExport) write(ctx context.Context, out io.Writer, r *assets.Register, kinds []census.Kind, o census.Options) error {
	o.TempDir = c.to
	var shapes, tables []census.Kind
	for _, k := range kinds {
		if o.Format == census.Shapefile && !slices.Contains([]census.Kind{census.Areas, census.Cells, census.Components}, k) {
			tables = append(tables, k)
		} else {
			shapes = append(shapes, k)
		}
	}
	ending := map[census.Format]string{census.CSV: ".csv", census.GeoJSON: ".geojson", census.Shapefile: ".zip"}
	create := func(format census.Format) assets.Create {
		return func(k census.Kind) (io.WriteCloser, error) {
			path := filepath.Join(c.to, string(k)+ending[format])
			fmt.Fprintln(out, path)
			return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		}
	}
	err := r.Export(ctx, shapes, o, create(o.Format))
	o.Format = census.CSV
	err = errors.Join(err, r.Export(ctx, tables, o, create(census.CSV)))
	if err != nil {
		return fmt.Errorf("%w; what is in %s is not complete", err, c.to)
	}
	return nil
}
