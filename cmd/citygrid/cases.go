package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
	"citygrid/hub/config"
	"citygrid/internal/cli"
)

// newCases looks at cases without the hub: it changes nothing in them. Whoever acts in
// a case does it over the API, where the hub knows who they are.
func newCases() *cobra.Command {
	cmd := &cobra.Command{Use: "cases", Short: "Look at the cases of a hub: list, show, check the journal"}
	cmd.AddCommand(newCasesList(), newCasesShow(), newCasesCheck(), newCasesLimits())
	return cmd
}

// gridFlags say which grid a command works on.
type gridFlags struct{ config string }

func (f *gridFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration of the hub, with its section grid")
	cli.MustRequire(cmd, "config")
}

// with opens the grid, does what is to be done, and closes it.
func (f *gridFlags) with(ctx context.Context, do func(*gridProgram) error) error {
	cfg, err := config.Load(f.config)
	if err != nil {
		return err
	}
	if cfg.Grid.DSN == "" {
		return fmt.Errorf("configuration %s has no section grid; it says where the register and the cases are", f.config)
	}
	lists, err := loadCodes(cfg.Path(cfg.Codes))
	if err != nil {
		return err
	}
	g := &gridProgram{cfg: cfg, lists: lists, log: cli.NewLog()}
	if err := g.openDesk(ctx); err != nil {
		return cli.Failed(errors.Join(fmt.Errorf("grid: %w", err), g.Close()))
	}
	return cli.Failed(errors.Join(do(g), g.Close()))
}

func newCasesList() *cobra.Command {
	var flags gridFlags
	var f desk.Filter
	var states []string
	var class, department, light string
	cmd := &cobra.Command{
		Use: "list", Short: "List cases, the latest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, s := range states {
				f.States = append(f.States, cases.State(s))
			}
			f.Class, f.Department, f.Light = class, cases.DepartmentID(department), limits.Light(light)
			return flags.with(cmd.Context(), func(g *gridProgram) error {
				list, err := g.desk.List(cmd.Context(), f)
				if err != nil {
					return err
				}
				zone, err := g.cfg.Grid.Location()
				if err != nil {
					return err
				}
				return printCases(cmd.OutOrStdout(), list, zone)
			})
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&f.Open, "open", false, "only those that are not at their end")
	cmd.Flags().StringSliceVar(&states, "state", nil, "only these states, such as filed,dispatched")
	cmd.Flags().StringVar(&f.Cell, "cell", "", "a cell, or the code of an area that it lies in")
	cmd.Flags().StringVar(&class, "class", "", `a class, or the beginning of one, such as "CJ/T 214-2007:event:04"`)
	cmd.Flags().StringVar(&department, "department", "", "with this department")
	cmd.Flags().StringVar(&light, "light", "", "yellow or red")
	cmd.Flags().IntVar(&f.Limit, "limit", 50, "at most so many, up to 1000")
	return cmd
}

func printCases(out io.Writer, list []desk.Summary, zone *time.Location) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "none")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "case\tstate\tlight\tclass\tcell\twith\treported\tdeadline\twhat")
	for n := range list {
		s := &list[n]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.State, s.Light, s.Class.Code, s.ClassName, s.Cell, s.Handler,
			stamp(s.Reported, zone), stamp(s.Handling.Deadline, zone), shorten(s.Description, 60))
	}
	return w.Flush()
}

// stamp writes a moment for people; "-" for none.
func stamp(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(zone).Format("2006-01-02 15:04")
}

// shorten puts a text on one line of up to so many characters.
func shorten(text string, most int) string {
	r := []rune(strings.Join(strings.Fields(text), " "))
	if len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return string(r)
}

func newCasesShow() *cobra.Command {
	var flags gridFlags
	cmd := &cobra.Command{
		Use: "show CASE", Short: "Show a case and its journal", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.with(cmd.Context(), func(g *gridProgram) error {
				entries, err := g.desk.Journal(cmd.Context(), cases.CaseID(args[0]))
				if err != nil {
					return err
				}
				c, err := cases.Fold(entries)
				if err != nil {
					return err
				}
				zone, err := g.cfg.Grid.Location()
				if err != nil {
					return err
				}
				return printCase(cmd.OutOrStdout(), c, entries, zone)
			})
		},
	}
	flags.register(cmd)
	return cmd
}

func printCase(out io.Writer, c *cases.Case, entries []cases.Entry, zone *time.Location) error {
	fmt.Fprintf(out, "case %s: %s since %s\n%s %s, cell %s, %s\n%s\n\n", c.ID, c.State, stamp(c.Since, zone), c.Class, c.ClassName, c.Cell, c.Report.Location, c.Report.Description)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "no\treceived\tact\tby\trole\tsays")
	for n := range entries {
		e := &entries[n]
		says := strings.Join(strings.Fields(strings.Join([]string{string(e.Outcome), e.Reason, e.Text}, " ")), " ")
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", e.Number, stamp(e.ReceivedAt, zone), e.Act, e.Person, strings.TrimSpace(string(e.Role)+" "+string(e.Department)), shorten(says, 100))
	}
	return w.Flush()
}

func newCasesCheck() *cobra.Command {
	var flags gridFlags
	cmd := &cobra.Command{
		Use: "check", Short: "Make every case again from its journal and compare: changed entries, missing ones, lists that differ", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(g *gridProgram) error {
				found, clocks := 0, 0
				err := g.desk.Check(cmd.Context(), func(f desk.Finding) {
					if f.Clock {
						clocks++
						return
					}
					found++
					fmt.Fprintf(cmd.OutOrStdout(), "case %s: %s\n", f.Case, f.Problem)
				})
				if err != nil {
					return err
				}
				all, err := g.desk.Count(cmd.Context(), desk.Filter{})
				if err != nil {
					return err
				}
				if found > 0 {
					return fmt.Errorf("%d findings in %d cases: somebody has changed the database; compare it with the back-up", found, all)
				}
				if clocks > 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "%d cases have another clock than the limits file of today makes: was it changed? Indicators count by today's\n", clocks)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d cases: every journal is whole, and every list shows what it comes to\n", all)
				return nil
			})
		},
	}
	flags.register(cmd)
	return cmd
}

func newCasesLimits() *cobra.Command {
	return &cobra.Command{
		Use: "limits [FILE]", Short: "Check a file of time limits, or print a sample of one", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := cmd.OutOrStdout().Write(limits.Sample)
				return cli.Failed(err)
			}
			cfg := &config.Config{Grid: config.Grid{Limits: args[0]}}
			book, err := loadLimits(cfg, time.UTC)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d limits, the clock starts when a case is %s, rework gets its time %s\n", args[0], len(book.Rules), book.Starts, book.Rework)
			return nil
		},
	}
}
