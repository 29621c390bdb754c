package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/intake"
	"citygrid/hub/ledger/tariff"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

func newImport() *cobra.Command {
	var c importCommand
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Take vending and settlement files into the books, each whole or not at all",
		Long: "Takes vending and settlement files (docs/settlement-files.md) into the books. A file with a mistake changes nothing; the message names\n" +
			"line and column. The same file again changes nothing either. --register and --tariffs take the asset register and tariff files first.\n\n" +
			"The register is a CSV file with the columns " + strings.Join(registerColumns(), ",") + ", one line an installation,\n" +
			"those of a meter place together, the oldest first; docs/operations.md says what they hold.",
		Example: "  citygrid import -c hub.yaml --register register.csv --tariffs tariffs.yaml\n" +
			"  citygrid import -c hub.yaml --mapping bank --check settlement-20261121.txt\n" +
			"  citygrid import -c hub.yaml --mapping bank settlement-20261121.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args)
		},
	}
	c.books.register(cmd, "who imports (default the user of this machine)")
	cmd.Flags().StringVar(&c.mapping, "mapping", "citygrid", "column mapping: one of "+strings.Join(intake.Names(), ", ")+", one of the configuration's folder, or a file")
	cmd.Flags().BoolVar(&c.check, "check", false, "read and check only; nothing is stored")
	cmd.Flags().StringVar(&c.channel, "channel", "", "channel, where the file does not say it")
	cmd.Flags().StringVar(&c.utility, "utility", "", "water, power or gas, where the file does not say it")
	cmd.Flags().StringVar(&c.day, "day", "", "accounting day, where the file does not say it")
	cmd.Flags().IntVar(&c.number, "number", 0, "number of the file, where the file does not say it")
	cmd.Flags().StringVar(&c.places, "register", "", "asset register: a CSV file of meter places")
	cmd.Flags().StringArrayVar(&c.tariffs, "tariffs", nil, "tariff file (YAML); may be given again")
	return cmd
}

// importCommand is the command with its flags.
type importCommand struct {
	books                                  booksFlags
	mapping, channel, utility, day, places string
	tariffs                                []string
	number                                 int
	check                                  bool
}

func (c *importCommand) run(ctx context.Context, out, progress io.Writer, files []string) (err error) {
	if len(files) == 0 && c.places == "" && len(c.tariffs) == 0 {
		return errors.New("what to import? Name files, or give --register or --tariffs")
	}
	options, err := c.options()
	if err != nil {
		return err
	}
	l, err := c.books.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cli.Failed(l.Close())) }()
	mapping, err := l.mapping(c.mapping)
	if err != nil {
		return fmt.Errorf("--mapping: %w", err)
	}
	if options.By, err = l.person(c.books.as, "clerk"); err != nil {
		return err
	}
	options.Zone = l.rules.Calendar.Zone
	if err := l.importFacts(ctx, out, c, options.By); err != nil {
		return cli.Failed(err)
	}
	var errs []error
	for _, file := range files {
		if err := l.importFile(ctx, out, progress, file, mapping, options, c.check); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return cli.Failed(errors.Join(errs...))
}

// options returns what the flags say about the files.
func (c *importCommand) options() (intake.Options, error) {
	o := intake.Options{Now: time.Now, Channel: c.channel, Utility: schemas.Medium(c.utility), Number: c.number}
	if c.day != "" {
		day, err := ledger.ParseDay(c.day)
		if err != nil {
			return o, fmt.Errorf("--day: %w", err)
		}
		o.Day = &day
	}
	if _, err := utilityOf(c.utility, true); err != nil {
		return o, err
	}
	if c.number < 0 {
		return o, fmt.Errorf("--number %d: files count from 1", c.number)
	}
	return o, nil
}

// mapping finds a column mapping: a file, one of the configuration's folder, or
// one that comes with the program.
func (l *openLedger) mapping(name string) (*intake.Mapping, error) {
	if strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ".yaml") {
		return loadMapping(name)
	}
	if m, err := l.ownMapping(name); m != nil || err != nil {
		return m, err
	}
	return intake.Named(name)
}

// ownMapping finds a mapping of the configuration's folder; nil where there is
// none.
func (l *openLedger) ownMapping(name string) (*intake.Mapping, error) {
	if l.settings.Mappings == "" {
		return nil, nil
	}
	m, err := loadMapping(filepath.Join(l.folder.Path(l.settings.Mappings), name+".yaml"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return m, err
}

func loadMapping(path string) (*intake.Mapping, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the mapping: %w", err)
	}
	m, err := intake.Load(text)
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	return m, nil
}

// importFacts takes the asset register and the tariffs, if any were named.
func (l *openLedger) importFacts(ctx context.Context, out io.Writer, c *importCommand, by string) error {
	if c.places != "" {
		places, err := readRegister(c.places, l.rules.Calendar.Zone)
		if err != nil {
			return err
		}
		if c.check {
			fmt.Fprintf(out, "%s: good: %d places; nothing was stored\n", c.places, len(places))
		} else if err := l.StoreRegister(ctx, places); err != nil {
			return fmt.Errorf("register %s: %w", c.places, err)
		} else {
			fmt.Fprintf(out, "%s: %d places are in the books\n", c.places, len(places))
		}
	}
	for _, path := range c.tariffs {
		if c.check {
			if err := checkTariff(out, path); err != nil {
				return err
			}
			continue
		}
		if err := l.takeTariff(ctx, path, by); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: tariffs are in the books\n", path)
	}
	return nil
}

func checkTariff(out io.Writer, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read tariffs: %w", err)
	}
	plans, err := tariff.Load(text)
	if err != nil {
		return fmt.Errorf("tariffs %s: %w", path, err)
	}
	_, err = fmt.Fprintf(out, "%s: good: %d plans; nothing was stored\n", path, len(plans))
	return err
}

func (l *openLedger) importFile(ctx context.Context, out, progress io.Writer, path string, m *intake.Mapping, o intake.Options, check bool) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	o.Name = filepath.Base(path)
	bar := newBar(progress, time.Now)
	o.Progress = func(done int64) { bar.show(o.Name, done, int64(len(raw))) }
	f, err := intake.Read(ctx, bytes.NewReader(raw), m, o)
	bar.end()
	if err != nil {
		return err
	}
	if check {
		_, err = fmt.Fprintf(out, "%s: good: %s, %d rows, SM3 %s; nothing was stored\n", path, f.FileID, f.Rows(), f.Digest)
		return err
	}
	done, err := l.StoreFile(ctx, f)
	var same *ledger.ImportedError
	if errors.As(err, &same) {
		_, err = fmt.Fprintf(out, "%s: %v\n", path, same)
		return err
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: imported %s: %d rows, %s yuan taken, %s given back, SM3 %s\n", path, done.FileID, done.Rows, done.Debit, done.Credit, done.Digest)
	if done.Unresolved > 0 {
		fmt.Fprintf(out, "%s: the register does not know the meter of %d rows; they wait until it does (citygrid import --register FILE; citygrid reconcile waiting lists them)\n", path, done.Unresolved)
	}
	return nil
}
