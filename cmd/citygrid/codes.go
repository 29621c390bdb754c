package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/schemas/codes"
)

func newCodes() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "codes",
		Short: "Code lists of components and events, and what a code means",
		Long: `Code lists of components and events, and what a code means.

The program comes with lists that follow CJ/T 214-2007 and GB/T 47678.5-2026 as
far as they are known, and its own citygrid-ext. They claim no conformity. A city
adds its own: "codes import" checks a list and writes it into the folder that the
hub reads (codes: in its configuration), --lists here.`,
	}
	cmd.AddCommand(newCodesList(), newCodesCheck(), newCodesImport())
	return cmd
}

// loadCodes returns the lists of the program and those of folder, which may be empty
// for none.
func loadCodes(folder string) (*codes.Lists, error) {
	lists, err := codes.Embedded()
	if err != nil || folder == "" {
		return lists, err
	}
	if lists, err = lists.AddDir(os.DirFS(folder)); err != nil {
		return nil, fmt.Errorf("folder %s: %w", folder, err)
	}
	return lists, nil
}

func newCodesList() *cobra.Command {
	var standard, kind, folder string
	cmd := &cobra.Command{
		Use:   "list [SEARCH...]",
		Short: "Print classes: all, or those whose code begins with the word or whose name has all words",
		RunE: func(cmd *cobra.Command, args []string) error {
			if kind != "" {
				if err := codes.Kind(kind).Validate(); err != nil {
					return fmt.Errorf("--kind: %w", err)
				}
			}
			lists, err := loadCodes(folder)
			if err != nil {
				return err
			}
			if standard != "" && !slices.Contains(lists.Standards(), standard) {
				return fmt.Errorf("--standard: no list %q; there are %s", standard, strings.Join(lists.Standards(), ", "))
			}
			return cli.Failed(printClasses(cmd.OutOrStdout(), lists.Search(strings.Join(args, " ")), standard, codes.Kind(kind)))
		},
	}
	cmd.Flags().StringVar(&standard, "standard", "", "only the list with this name")
	cmd.Flags().StringVar(&kind, "kind", "", "only component or event")
	cmd.Flags().StringVar(&folder, "lists", "", "folder of the city's lists")
	return cmd
}

// printClasses prints Chinese names last: a terminal gives them two columns a
// character, which the table cannot know.
func printClasses(out io.Writer, found []codes.Class, standard string, kind codes.Kind) error {
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "STANDARD\tKIND\tCODE\tUTILITY\tENGLISH\tNAME, MAJOR CLASS")
	n := 0
	for _, c := range found {
		if standard != "" && c.Ref.Standard != standard || kind != "" && c.Ref.Kind != kind {
			continue
		}
		n++
		english := c.EN
		if c.Withdrawn {
			english += " (withdrawn)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s, %s %s\n", c.Ref.Standard, c.Ref.Kind, c.Ref.Code, cmp.Or(c.Utility, "-"), english, c.ZH, c.Major.ZH, c.Major.EN)
	}
	if n == 0 {
		return errors.New("no class found; search by the beginning of a code, or by words of one name")
	}
	return table.Flush()
}

func newCodesCheck() *cobra.Command {
	var standard, folder, template, zone string
	cmd := &cobra.Command{
		Use:   "check CODE...",
		Short: "Say what codes are: area, cell, component, event class, class or case number",
		Long: `Say what codes are: area, cell, component, event class, class or case number.

Every reading that the code allows is printed with its parts, and what contradicts
it. The length of a code does not decide between standards; --standard does. The
exit code is 1 when a code has no reading without a contradiction.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lists, err := loadCodes(folder)
			if err != nil {
				return err
			}
			var numbers *codes.CaseTemplate
			if template != "" {
				if numbers, err = caseTemplate(template, zone); err != nil {
					return err
				}
			}
			return cli.Failed(checkCodes(cmd.OutOrStdout(), args, lists, standard, numbers))
		},
	}
	cmd.Flags().StringVar(&standard, "standard", "", "the standard or list that the codes are from")
	cmd.Flags().StringVar(&folder, "lists", "", "folder of the city's lists")
	cmd.Flags().StringVar(&template, "case", "", "read case numbers by this template, such as E{class}{yyyymmdd}{serial:4}")
	cmd.Flags().StringVar(&zone, "zone", "Asia/Shanghai", "time zone of the days in case numbers")
	return cmd
}

func caseTemplate(pattern, zone string) (*codes.CaseTemplate, error) {
	at, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("--zone: %w", err)
	}
	t, err := codes.NewCaseTemplate(pattern, at)
	if err != nil {
		return nil, fmt.Errorf("--case: %w", err)
	}
	return t, nil
}

// checkCodes prints what each code is, and fails at the end where one is nothing.
func checkCodes(out io.Writer, list []string, lists *codes.Lists, standard string, numbers *codes.CaseTemplate) error {
	var wrong []string
	for _, code := range list {
		readings := lists.Explain(code, standard)
		if numbers != nil {
			// A number that does not fit the template is only worth a word when nothing fits.
			if as := numbers.Explain(code); fits(as) || !slices.ContainsFunc(readings, fits) {
				readings = append(readings, as)
			}
		}
		fmt.Fprintln(out, code)
		for _, r := range readings {
			printReading(out, r)
		}
		if !slices.ContainsFunc(readings, fits) {
			wrong = append(wrong, code)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d of %d codes cannot be: %s", len(wrong), len(list), strings.Join(wrong, ", "))
	}
	return nil
}

// fits reports a reading that nothing contradicts.
func fits(r codes.Reading) bool { return len(r.Against) == 0 }

func printReading(out io.Writer, r codes.Reading) {
	fmt.Fprintf(out, "  %s", r.What)
	if r.Standard != "" {
		fmt.Fprintf(out, " by %s", r.Standard)
	}
	fmt.Fprintln(out)
	for _, p := range r.Parts {
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("    %-12s %-8s %s", p.Name, p.Digits, p.Means), " "))
	}
	for _, a := range r.Against {
		fmt.Fprintf(out, "    contradicted: %s\n", a)
	}
}

func newCodesImport() *cobra.Command {
	var folder string
	var head codes.Head
	var kind string
	cmd := &cobra.Command{
		Use:   "import FILE --to DIR",
		Short: "Check a city's own list (YAML, or CSV with flags) and write it where the hub reads it",
		Long: `Check a city's own list and write it where the hub reads it.

FILE is YAML as the program's own lists are, or CSV in UTF-8 with the columns
` + strings.Join(codes.CSVColumns(), ",") + `
(from utility on they may be left out), and the rest as flags. Every mistake is
printed with its line and field; a list with a mistake changes nothing.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			head.Kind = codes.Kind(kind)
			list, err := readCodeList(cmd, args[0], head)
			if err != nil {
				return fmt.Errorf("code list %s: nothing was changed:\n%w", args[0], err)
			}
			return importCodes(cmd.OutOrStdout(), args[0], folder, list)
		},
	}
	cmd.Flags().StringVar(&folder, "to", "", "folder of the city's lists (codes: in the hub's configuration)")
	headFlags(cmd, &head, &kind)
	cli.MustRequire(cmd, "to")
	return cmd
}

// headFlagNames are the flags of what a CSV file has no place for.
func headFlagNames() []string {
	return []string{"standard", "kind", "version", "from", "until", "source", "sure", "note", "code-length", "ids"}
}

func headFlags(cmd *cobra.Command, head *codes.Head, kind *string) {
	f := cmd.Flags()
	f.StringVar(&head.Standard, "standard", "", "CSV: name of the list, as records will carry it")
	f.StringVar(kind, "kind", "", "CSV: component or event")
	f.StringVar(&head.Version, "version", "", "CSV: version of the list")
	f.StringVar(&head.From, "from", "", "CSV: in force from YYYY, YYYY-MM or YYYY-MM-DD")
	f.StringVar(&head.Until, "until", "", "CSV: in force until, empty while it is")
	f.StringVar(&head.Source, "source", "", "CSV: where the list comes from")
	f.StringVar(&head.Sure, "sure", "", "CSV: how sure and how complete it is")
	f.StringVar(&head.Note, "note", "", "CSV: a note")
	f.IntVar(&head.CodeLength, "code-length", 4, "CSV: digits of a class code; 0 for codes that are words")
	f.StringVar(&head.IDs, "ids", "", "CSV: the standard by whose rule ids are built from the codes")
}

func readCodeList(cmd *cobra.Command, path string, head codes.Head) (codes.List, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return codes.List{}, err
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		return codes.ParseCSV(data, head)
	case ".yaml", ".yml":
		for _, name := range headFlagNames() {
			if cmd.Flags().Changed(name) {
				return codes.List{}, fmt.Errorf("--%s is for CSV; a YAML list says it itself", name)
			}
		}
		return codes.ParseYAML(data)
	}
	return codes.List{}, errors.New("want a file that ends in .csv or .yaml")
}

// importCodes holds list against the program's lists and those of folder, and writes
// it there.
func importCodes(out io.Writer, path, folder string, list codes.List) error {
	present := folder
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		present = ""
	}
	lists, err := loadCodes(present)
	if err != nil {
		return err
	}
	file, data := filepath.Join(folder, list.FileName()), list.Encode()
	old, err := os.ReadFile(file)
	switch {
	case err == nil && bytes.Equal(old, data):
		_, err := fmt.Fprintf(out, "%s holds this list already\n", file)
		return cli.Failed(err)
	case err == nil:
		return fmt.Errorf("code list %s: %s is there and differs; nothing was changed: give what has changed a new version", path, file)
	case !errors.Is(err, os.ErrNotExist):
		return cli.Failed(err)
	}
	if _, err := lists.Add(list); err != nil {
		return fmt.Errorf("code list %s: nothing was changed:\n%w", path, err)
	}
	if err := errors.Join(os.MkdirAll(folder, 0o755), durable.WriteFile(file, data, 0o644)); err != nil {
		return cli.Failed(fmt.Errorf("write the list: %w", err))
	}
	_, err = fmt.Fprintf(out, "%s: %d classes of %s, version %s; the hub reads them at its next start\n", file, len(list.Classes), list.Standard, list.Version)
	return cli.Failed(err)
}
