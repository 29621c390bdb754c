package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/config"
	"citygrid/hub/registry"
	"citygrid/hub/registry/assets"
	"citygrid/hub/registry/census"
	"citygrid/hub/registry/geo"
	"citygrid/internal/cli"
)

func newRegistry() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "registry",
		Short: "The city's asset register: areas, cells, components, meters, departments and people",
	}
	cmd.AddCommand(newRegistryImport(), newRegistryExport(), newRegistryList(), newRegistryWhere(), newRegistryShow())
	return cmd
}

// registryFlags say which register a command works on: that of a hub's configuration,
// or any by its address.
type registryFlags struct{ config, dsn, lists string }

func (f *registryFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration of the hub, with its section grid")
	cmd.Flags().StringVar(&f.dsn, "db", "", "the register, sqlite:PATH or postgres://...; that of the configuration when left out")
	cmd.Flags().StringVar(&f.lists, "lists", "", "folder of the city's code lists; that of the configuration when left out")
}

// with opens the register, does what is to be done, and closes it.
func (f *registryFlags) with(ctx context.Context, do func(*assets.Register) error) error {
	dsn, err := f.address()
	if err != nil {
		return err
	}
	lists, err := loadCodes(f.lists)
	if err != nil {
		return err
	}
	r, err := assets.Open(ctx, dsn, assets.Options{Lists: lists, Roles: config.GridRoles()})
	if err != nil {
		return cli.Failed(err)
	}
	return errors.Join(do(r), cli.Failed(r.Close()))
}

// address is that of the flags, else of the configuration.
func (f *registryFlags) address() (string, error) {
	if u, err := url.Parse(f.dsn); err == nil {
		if _, has := u.User.Password(); has || u.Query().Has("password") {
			return "", errors.New("--db: holds a password, which everybody on this machine can see; put it into PGPASSWORD or ~/.pgpass, or give --config with grid.password")
		}
	}
	if f.config == "" {
		if f.dsn == "" {
			return "", errors.New("which register? Give --config FILE with a section grid, or --db sqlite:PATH")
		}
		return f.dsn, nil
	}
	cfg, err := config.Load(f.config)
	if err != nil {
		return "", err
	}
	if f.lists == "" {
		f.lists = cfg.Path(cfg.Codes)
	}
	if f.dsn != "" {
		return f.dsn, nil
	}
	if cfg.Grid.DSN == "" {
		return "", fmt.Errorf("configuration %s has no section grid; it says where the register is", f.config)
	}
	return databaseAddress(cfg, cfg.Grid.DSN, cfg.Grid.Password, "grid.password")
}

// readFlags say how the files of a register are written or read.
type readFlags struct{ crs, mapping, standard, encoding string }

func (f *readFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.crs, "crs", "", "coordinate reference system of the files, such as CGCS2000, EPSG:4549, WGS84 or GCJ-02; it is never guessed")
	cmd.Flags().StringVar(&f.mapping, "mapping", "plain", "names of the columns: "+strings.Join(mappingNames(), ", ")+", or a file of a mapping")
	cmd.Flags().StringVar(&f.standard, "standard", "", "code list of classes and component ids, where the file does not name it")
	cmd.Flags().StringVar(&f.encoding, "encoding", "", "character set of CSV files and of Shapefiles without .cpg: utf-8 or gb18030")
}

func mappingNames() []string {
	var names []string
	for name := range census.Mappings() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// options turns the flags into what package census takes.
func (f *readFlags) options() (o census.Options, err error) {
	o.Standard, o.Encoding = f.standard, f.encoding
	if f.crs != "" {
		if o.CRS, err = geo.ParseCRS(f.crs); err != nil {
			return o, fmt.Errorf("--crs: %w", err)
		}
	}
	if m, ok := census.Mappings()[f.mapping]; ok {
		o.Mapping = m
		return o, nil
	}
	data, err := os.ReadFile(f.mapping)
	if err == nil {
		o.Mapping, err = census.ParseMapping(data)
	}
	if err != nil {
		return o, fmt.Errorf("--mapping: neither one of %s nor a file that can be read: %w", strings.Join(mappingNames(), ", "), err)
	}
	return o, nil
}

// registryImport is the command import with its flags.
type registryImport struct {
	registryFlags
	readFlags
	kind, as string
	correct  string
	o        assets.ImportOptions
}

func newRegistryImport() *cobra.Command {
	var c registryImport
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Take census files into the register, all of them or none",
		Long: `Takes areas, cells, duty grids, departments, people, components and meter links from
CSV, GeoJSON and Shapefiles (.shp with its .dbf, or .zip) into the register. All files
of a call are taken or none: what is wrong is listed with file, line, field and remedy.
The same files again change nothing. A folder stands for the files in it.

What is in a file its name says (` + strings.Join(kindNames(), ", ") + `),
or --kind. Files that refer to each other, such as duty grids and people, are given in
one call. Nothing is ever deleted: a record that is in no file any more stays as it is.
A code keeps its meaning; --correct with a reason is for the correction of a survey.`,
		Example: `  citygrid registry import --db sqlite:grid.db --crs CGCS2000 --dry-run census/
  citygrid registry import -c hub.yaml --crs EPSG:4549 --mapping cjt214 --kind components manholes.shp
  citygrid registry import -c hub.yaml --crs CGCS2000 --correct "resurveyed 2026" cells.geojson`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args)
		},
	}
	c.registryFlags.register(cmd)
	c.readFlags.register(cmd)
	cmd.Flags().StringVar(&c.kind, "kind", "", "what is in the files, when their names do not say it: "+strings.Join(kindNames(), ", "))
	cmd.Flags().BoolVar(&c.o.DryRun, "dry-run", false, "find everything that is wrong, and change nothing")
	cmd.Flags().StringVar(&c.correct, "correct", "", "correct a survey under the same codes, for this reason")
	cmd.Flags().BoolVar(&c.o.GapsAllowed, "gaps-allowed", false, "ground that no cell covers is only a warning")
	cmd.Flags().StringVar(&c.as, "as", "", "who imports (default the user of this machine)")
	cmd.Flags().IntVar(&c.o.MaxProblems, "max-problems", 1000, "list so many problems of each file; all are counted")
	return cmd
}

func kindNames() []string {
	var names []string
	for _, k := range census.Kinds() {
		names = append(names, string(k))
	}
	return names
}

func (c *registryImport) run(ctx context.Context, out, progress io.Writer, args []string) error {
	read, err := c.options()
	if err != nil {
		return err
	}
	files, err := c.files(args, read)
	if err != nil {
		return err
	}
	if c.o.By = c.as; c.o.By == "" {
		u, err := user.Current()
		if err != nil {
			return errors.New("who are you? Give --as PERSON")
		}
		c.o.By = u.Username
	}
	if err := registry.PersonID(c.o.By).Validate(); err != nil {
		return fmt.Errorf("--as: %w", err)
	}
	c.o.Correct, c.o.Reason = c.correct != "", c.correct
	return c.with(ctx, func(r *assets.Register) error {
		shown := newBar(progress, time.Now)
		s, err := r.Import(ctx, files, c.o, shown.show)
		shown.end()
		printProblems(progress, s)
		if bad := printImported(out, s); err == nil {
			err = bad
		}
		var refused *assets.RefusedError
		if errors.As(err, &refused) {
			err = fmt.Errorf("%d errors; nothing was changed", refused.Errors)
		}
		if errors.Is(err, assets.ErrOptions) {
			return err
		}
		return cli.Failed(err)
	})
}

// files are those of the arguments; of a folder, all whose names say what they are.
func (c *registryImport) files(args []string, read census.Options) ([]assets.File, error) {
	var files []assets.File
	for _, arg := range args {
		paths, err := inFolder(arg)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			f := assets.File{Path: path, Kind: census.Kind(c.kind), Read: read}
			if f.Kind == "" {
				f.Kind = assets.KindOf(path)
			}
			if f.Kind == "" || !slices.Contains(census.Kinds(), f.Kind) {
				return nil, fmt.Errorf("%s: what is in it? Give --kind: %s", path, strings.Join(kindNames(), ", "))
			}
			if read.CRS.IsZero() && slices.Contains([]census.Kind{census.Areas, census.Cells, census.Components}, f.Kind) {
				return nil, fmt.Errorf("%s: in which coordinate reference system? Give --crs, such as CGCS2000 or EPSG:4549; it is never guessed", path)
			}
			files = append(files, f)
		}
	}
	return files, nil
}

func inFolder(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return []string{path}, nil // no folder; reading it says what is wrong
	}
	var paths []string
	for _, e := range entries {
		if _, err := census.FormatOf(e.Name()); err == nil && assets.KindOf(e.Name()) != "" {
			paths = append(paths, filepath.Join(path, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no file in this folder has a name that says what is in it, such as cells.geojson or components.csv", path)
	}
	return paths, nil
}

// printProblems prints what was found, a line each.
func printProblems(out io.Writer, s assets.Summary) {
	for _, f := range s.Files {
		for _, p := range f.Problems {
			word := ""
			if p.Warning {
				word = "warning: "
			}
			fmt.Fprintf(out, "%s%s\n", word, p.Error())
		}
		if more := f.Errors + f.Warnings - len(f.Problems); more > 0 {
			fmt.Fprintf(out, "%s: and %d more that are much the same\n", f.File, more)
		}
	}
}

// printImported prints what an import came to.
func printImported(out io.Writer, s assets.Summary) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "file\tkind\trecords\tadded\tchanged\tunchanged\terrors\twarnings\tno position")
	for _, f := range s.Files {
		if f.Same {
			fmt.Fprintf(w, "%s\t%s\tthe same file as before\n", f.File, f.Kind)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", f.File, f.Kind, f.Records, f.Added, f.Changed, f.Unchanged, f.Errors, f.Warnings, f.Unlocated)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var err error
	switch {
	case s.Errors > 0:
	case s.Stored:
		_, err = fmt.Fprintf(out, "imported; %d components are in another cell now\n", s.Relocated)
	case s.DryRun:
		_, err = fmt.Fprintln(out, "this was a dry run; nothing was changed")
	default:
		_, err = fmt.Fprintln(out, "everything was there already; nothing was changed")
	}
	return err
}
