package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/api"
	"citygrid/hub/completeness"
	"citygrid/hub/config"
	"citygrid/hub/enrolment"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

// gapFlags are what `citygrid gaps` takes.
type gapFlags struct {
	config, since, until           string
	collector, meter, area, reason string
	asJSON, recount                bool
}

func newGaps(now func() time.Time) *cobra.Command {
	var f gapFlags
	cmd := &cobra.Command{
		Use:   "gaps -c FILE [--since 24h]",
		Short: "Show which readings did not come although they were due, and why",
		Long: `Show which readings did not come although they were due, and why.

The hub may run or not. Expected is always received + refilled + lost + unknown. What
came in the last minutes may still be in the memory of a running hub.

With --recount the hub counts that time again from its store, as after a restore of
InfluxDB from a back-up: what the store has lost becomes a gap, and collectors are asked
to read it from the meters' own memories.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query(now())
			if err != nil {
				return err
			}
			return cli.Failed(f.run(cmd.Context(), cmd.OutOrStdout(), q, now))
		},
	}
	for _, flag := range []struct {
		to              *string
		name, or, usage string
	}{
		{&f.since, "since", "24h", "how long ago the time begins, such as 24h or 90d, or its first moment in RFC 3339"},
		{&f.until, "until", "", "its end, likewise; now when left out"},
		{&f.collector, "collector", "", "only this collector"},
		{&f.meter, "meter", "", "only this meter"},
		{&f.area, "area", "", "only collectors of the area whose code begins so"},
		{&f.reason, "reason", "", "only gaps for this reason, such as meter_silent"},
	} {
		cmd.Flags().StringVar(flag.to, flag.name, flag.or, flag.usage)
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration of the hub")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "one JSON object a line, as in the API")
	cmd.Flags().BoolVar(&f.recount, "recount", false, "have the hub count that time again from its store")
	cli.MustRequire(cmd, "config")
	return cmd
}

// query checks the flags.
func (f *gapFlags) query(now time.Time) (q completeness.Query, err error) {
	if q.Since, err = momentOf("since", f.since, now); err != nil {
		return q, err
	}
	q.Until = now
	if f.until != "" {
		if q.Until, err = momentOf("until", f.until, now); err != nil {
			return q, err
		}
	}
	if !q.Since.Before(q.Until) {
		return q, fmt.Errorf("--since %s is not before the end of the time", f.since)
	}
	q.Collector, q.Meter, q.Area, q.Reason = schemas.CollectorID(f.collector), schemas.MeterID(f.meter), f.area, completeness.Reason(f.reason)
	if f.reason != "" && !slices.Contains(completeness.Reasons(), q.Reason) {
		return q, fmt.Errorf("--reason %q: want one of %v", f.reason, completeness.Reasons())
	}
	q.Limit = completeness.MaxLimit
	return q, nil
}

// momentOf reads a moment: RFC 3339, or how long ago. A day is 24 h.
func momentOf(flag, text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	hours := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		hours = days + "h"
	}
	ago, err := time.ParseDuration(hours)
	if err != nil || ago < 0 {
		return time.Time{}, fmt.Errorf("--%s %q: want a length of time such as 24h or 90d, or a moment such as 2026-03-01T08:00:00Z", flag, text)
	}
	if hours != text {
		ago *= 24
	}
	return now.Add(-ago), nil
}

func (f *gapFlags) run(ctx context.Context, out io.Writer, q completeness.Query, now func() time.Time) (err error) {
	cfg, err := config.Load(f.config)
	if err != nil {
		return err
	}
	dsn := completenessAddress(cfg)
	if _, err := os.Stat(sqliteFile(dsn)); err != nil {
		return fmt.Errorf("no completeness ledger: %w; the hub makes it when it starts", err)
	}
	list, err := enrolment.Load(cfg.Path(cfg.Enrolment))
	if err != nil {
		return err
	}
	area := func(id schemas.CollectorID) schemas.AreaCode { c, _ := list.Find(id); return c.Area }
	enrolled := func(id schemas.CollectorID) bool { c, ok := list.Find(id); return ok && !c.Revoked }
	l, err := completeness.Open(ctx, dsn, completeness.Options{Now: now, Log: cli.NewLog(), Aside: true, Area: area, Enrolled: enrolled})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if f.recount {
		if err := l.AskRecount(ctx, q.Since, q.Until); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out, "The hub counts that time again from its store; look at the gaps in a minute.")
		return err
	}
	return f.list(ctx, out, l, q)
}

// list prints all pages.
func (f *gapFlags) list(ctx context.Context, out io.Writer, l *completeness.Ledger, q completeness.Query) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	encoder := json.NewEncoder(out)
	n := 0
	for {
		page, err := l.Gaps(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Gaps {
			g := &page.Gaps[i]
			if n++; f.asJSON {
				if err := encoder.Encode(api.GapOf(g)); err != nil {
					return err
				}
				continue
			}
			if n == 1 {
				fmt.Fprintln(w, "METER\tCOLLECTOR\tFROM\tTO\tEXPECTED\tRECEIVED\tREFILLED\tLOST\tUNKNOWN\tREASON\tWHAT TO DO")
			}
			printGap(w, g)
		}
		if q.After = page.Cursor; q.After == "" {
			break
		}
	}
	if err := w.Flush(); err != nil || f.asJSON {
		return err
	}
	return f.sums(ctx, out, l, q)
}

func printGap(w io.Writer, g *completeness.Gap) {
	meter := string(g.Meter)
	if meter == "" {
		meter = "all"
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", meter, g.Collector, g.From.UTC().Format(time.RFC3339), g.To.UTC().Format(time.RFC3339),
		g.Expected, g.Received, g.Refilled, g.TotalLost(), g.Unknown, g.Reason, g.Reason.Do())
}

// sums prints what each collector comes to.
func (f *gapFlags) sums(ctx context.Context, out io.Writer, l *completeness.Ledger, q completeness.Query) error {
	list, err := l.Completeness(ctx, q)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\nCOLLECTOR\tMETERS\tEXPECTED\tRECEIVED\tLATE\tREFILLED\tLOST\tUNKNOWN\tTOLD UNTIL\tLAST WORD")
	for i := range list {
		c := &list[i]
		told, heard := "nothing: its program keeps no accounts, or has just begun", c.Heard.UTC().Format(time.RFC3339)
		if !c.Told.IsZero() {
			told = c.Told.UTC().Format(time.RFC3339)
		}
		if c.Silent {
			heard += " (silent)"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", c.ID, c.Meters, c.Expected, c.Received, c.Late, c.Refilled, c.TotalLost(), c.Unknown, told, heard)
	}
	return w.Flush()
}
