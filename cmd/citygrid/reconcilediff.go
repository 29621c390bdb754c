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

	"citygrid/hub/api"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/statement"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

func newDifferences() *cobra.Command {
	var flags booksFlags
	var f differenceFlags
	cmd := &cobra.Command{
		Use:   "differences [KEY]",
		Short: "List differences, or show one with everything that bears on it",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			l, err := flags.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cli.Failed(l.Close())) }()
			if len(args) == 1 {
				return cli.Failed(l.showDifference(cmd.Context(), cmd.OutOrStdout(), args[0]))
			}
			filter, err := f.filter(l.rules.Calendar, time.Now())
			if err != nil {
				return err
			}
			return cli.Failed(l.listDifferences(cmd.Context(), cmd.OutOrStdout(), filter))
		},
	}
	flags.register(cmd, "")
	cmd.Flags().StringVar(&f.utility, "utility", "", "only of water, power or gas")
	cmd.Flags().StringVar(&f.class, "class", "", "only of a class, such as SALE_NO_PAY")
	cmd.Flags().StringVar(&f.state, "state", "", "only in a state: open, explained, assigned, adjusted, closed")
	cmd.Flags().StringVar(&f.meter, "meter", "", "only of a meter")
	cmd.Flags().StringVar(&f.age, "age", "", "only of an age in days: 0-1, 2-3, 4-7, 8-30 or 31+")
	cmd.Flags().StringVar(&f.asOf, "as-of", "", "accounting day to which ages count (default today)")
	cmd.Flags().BoolVar(&f.cleared, "cleared", false, "those that runs have cleared, instead of those that are open")
	cmd.Flags().Int64Var(&f.limit, "limit", 50, "at most so many, up to 1000")
	cmd.Flags().Int64Var(&f.offset, "offset", 0, "pass over so many, for the next page")
	return cmd
}

// differenceFlags pick differences.
type differenceFlags struct {
	utility, class, state, meter, age, asOf string
	cleared                                 bool
	limit, offset                           int64
}

func (f *differenceFlags) filter(calendar ledger.Calendar, now time.Time) (books.DifferenceFilter, error) {
	utility, err := utilityOf(f.utility, true)
	if err != nil {
		return books.DifferenceFilter{}, err
	}
	q := books.DifferenceFilter{Utility: utility, Class: ledger.Class(strings.ToUpper(f.class)), State: ledger.State(f.state),
		Meter: schemas.MeterID(f.meter), Cleared: f.cleared, AsOf: calendar.DayOf(now), Page: books.Page{Limit: f.limit, Offset: f.offset}}
	if f.asOf != "" {
		day, err := ledger.ParseDay(f.asOf)
		if err != nil {
			return q, fmt.Errorf("--as-of: %w", err)
		}
		q.AsOf = day
	}
	if f.class != "" && !slices.Contains(ledger.Classes(), q.Class) {
		return q, fmt.Errorf("--class %s: no such class; want one of %v", f.class, ledger.Classes())
	}
	if states := []ledger.State{ledger.Open, ledger.Explained, ledger.Assigned, ledger.Adjusted, ledger.Closed}; f.state != "" && !slices.Contains(states, q.State) {
		return q, fmt.Errorf("--state %s: want one of %v", f.state, states)
	}
	if f.age == "" {
		return q, nil
	}
	for _, b := range books.Bands() {
		if b.String() == f.age {
			q.Band = &b
			return q, nil
		}
	}
	return q, fmt.Errorf("--age %s: want one of %v", f.age, books.Bands())
}

func (l *openLedger) listDifferences(ctx context.Context, out io.Writer, f books.DifferenceFilter) error {
	list, total, err := l.Differences(ctx, f)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DAY\tSTATE\tYUAN\tVOLUME\tMETER\tSHOWN\tEXPECTED\tKEY")
	for n := range list {
		d := &list[n]
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", d.Day, d.State, d.Amount, d.Volume, dash(string(d.Meter)), dash(d.Shown), dash(d.Expected), d.Key)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d of %d\n", len(list), total)
	return err
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (l *openLedger) showDifference(ctx context.Context, out io.Writer, key string) error {
	t, err := l.Difference(ctx, key)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %s, %s yuan, of %s\n", t.Key, t.State, t.Amount, t.Day)
	fmt.Fprintf(out, "shown: %s; expected: %s; %s\n", dash(t.Shown), dash(t.Expected), dash(t.Note))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, e := range t.Events {
		fmt.Fprintf(w, "%s\t%s\n", e.At.In(l.rules.Calendar.Zone).Format(time.DateTime), eventText(&e))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if next := t.State.Next(); len(next) > 0 {
		_, err = fmt.Fprintf(out, "may become: %v\n", next)
	}
	return err
}

func eventText(e *books.Event) string {
	switch {
	case e.Sale != nil:
		s := e.Sale
		return fmt.Sprintf("%s\t%s/%s\t%s yuan\tnumber %d by %s at %s", s.Kind, s.Channel, s.Order, s.Amount, s.Purchase.Number, dash(s.Operator), dash(s.Terminal))
	case e.Payment != nil:
		p := e.Payment
		what := "payment"
		if p.Refund {
			what = "payment given back"
		}
		return fmt.Sprintf("%s\t%s/%s\t%s yuan\treference %s", what, p.Channel, p.Order, p.Amount, dash(p.Reference))
	case e.Entry != nil:
		c := e.Entry
		return fmt.Sprintf("%s\tcard %s\t%s\tnumber %d, residual %s, bought %s", c.Event, dash(string(c.Card)), credit(c.Amount), c.Purchase.Number, credit(c.Residual), credit(c.Bought))
	}
	d := e.Decision
	what := string(d.To)
	if d.To == ledger.Adjusted {
		what += fmt.Sprintf(" by %s yuan", d.Amount)
	}
	text := fmt.Sprintf("%s\tby %s\t%s\t%s", what, d.Who, dash(statement.OneLine(d.Assignee)), statement.OneLine(d.Why))
	if d.Evidence != "" {
		text += " (" + statement.OneLine(d.Evidence) + ")"
	}
	return text
}

func credit(c schemas.Credit) string {
	switch c.Unit {
	case "":
		return "-"
	case schemas.CreditFen:
		return schemas.Fen(c.Value).String() + " yuan"
	}
	return fmt.Sprintf("%d %s", c.Value, c.Unit)
}

func newDecide() *cobra.Command {
	var flags booksFlags
	var action, amount, token string
	var d ledger.Decision
	cmd := &cobra.Command{
		Use:   "decide KEY --as PERSON --action explain|assign|adjust|close --reason TEXT",
		Short: "Take the next step in the life of a difference; it is kept for ever",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			state, role, ok := api.Action(action)
			if !ok {
				return fmt.Errorf("--action %q: want explain, assign, adjust or close", action)
			}
			if d.To = state; amount != "" {
				if d.Amount, err = schemas.ParseFen(amount); err != nil {
					return fmt.Errorf("--amount: %w", err)
				}
			}
			l, err := flags.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cli.Failed(l.Close())) }()
			if d.Who, err = l.decider(cmd.Context(), flags.as, token, role); err != nil {
				return err
			}
			done, err := l.Decide(cmd.Context(), args[0], d)
			if err != nil {
				return cli.Failed(err)
			}
			what := string(done.To)
			if done.To == ledger.Adjusted {
				what += fmt.Sprintf(" by %s yuan", done.Amount)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is %s, by %s at %s (decision %d)\n", args[0], what, done.Who, done.At.Format(time.RFC3339), done.ID)
			return err
		},
	}
	flags.register(cmd, "who decides")
	cmd.Flags().StringVar(&token, "token", "", "where the person's token is: file:PATH, env:NAME or fd:N; needed where the configuration names people")
	cmd.Flags().StringVar(&action, "action", "", "explain, assign, adjust or close")
	cmd.Flags().StringVar(&d.Why, "reason", "", "why")
	cmd.Flags().StringVar(&d.Evidence, "evidence", "", "what supports it: a receipt, a photo, a letter")
	cmd.Flags().StringVar(&d.Assignee, "assignee", "", "who has to see to it, for assign")
	cmd.Flags().StringVar(&amount, "amount", "", "by how many yuan the books are adjusted, for adjust")
	cmd.Flags().Int64Var(&d.Volume, "volume", 0, "by how many litres or watt-hours, for adjust")
	cli.MustRequire(cmd, "as", "action", "reason")
	return cmd
}
