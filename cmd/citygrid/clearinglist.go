package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/api"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/clearing"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/schemas"
)

func newClearingList() *cobra.Command {
	var f clearingFlags
	var q clearingListFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List clearing files with their answers, the latest day first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := q.filter()
			if err != nil {
				return err
			}
			return f.run(cmd.Context(), func(c *cityClearing) error {
				return cli.Failed(c.list(cmd.Context(), cmd.OutOrStdout(), filter, f.json))
			})
		},
	}
	f.register(cmd, "")
	f.registerJSON(cmd)
	cmd.Flags().StringVar(&q.direction, "direction", "", "only sent or received ones")
	cmd.Flags().StringVar(&q.partner, "partner", "", "only those to or from an issuer")
	cmd.Flags().StringVar(&q.from, "from", "", "first accounting day")
	cmd.Flags().StringVar(&q.to, "to", "", "last accounting day")
	cmd.Flags().BoolVar(&q.unanswered, "unanswered", false, "only those without an answer")
	cmd.Flags().Int64Var(&q.limit, "limit", 50, "at most so many, up to 1000")
	cmd.Flags().Int64Var(&q.offset, "offset", 0, "pass over so many, for the next page")
	return cmd
}

// clearingListFlags pick clearing files.
type clearingListFlags struct {
	direction, partner, from, to string
	unanswered                   bool
	limit, offset                int64
}

func (q *clearingListFlags) filter() (books.ClearingFilter, error) {
	f := books.ClearingFilter{Direction: books.Direction(q.direction), Partner: schemas.IssuerID(q.partner), Unanswered: q.unanswered,
		Page: books.Page{Limit: q.limit, Offset: q.offset}}
	if f.Direction != "" && f.Direction != books.Sent && f.Direction != books.Received {
		return f, fmt.Errorf("--direction %q: want sent or received", q.direction)
	}
	if f.Partner != "" {
		if err := f.Partner.Validate(); err != nil {
			return f, fmt.Errorf("--partner: %w", err)
		}
	}
	var err error
	if f.From, err = dayFlag("--from", q.from); err != nil {
		return f, err
	}
	f.To, err = dayFlag("--to", q.to)
	return f, err
}

// dayFlag reads an accounting day; 0 where none is given.
func dayFlag(name, text string) (ledger.Day, error) {
	if text == "" {
		return 0, nil
	}
	day, err := ledger.ParseDay(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return day, nil
}

func (c *cityClearing) list(ctx context.Context, out io.Writer, filter books.ClearingFilter, asJSON bool) error {
	list, total, err := c.ClearingFiles(ctx, filter)
	if err != nil {
		return err
	}
	if asJSON {
		page := api.ClearingPageJSON{Total: int(total), Rows: make([]api.ClearingFileJSON, len(list))}
		for n := range list {
			f := clearingFileOf(&list[n])
			page.Rows[n] = api.ClearingFileOf(&f)
		}
		return writeJSON(out, page)
	}
	if err := printFiles(out, list); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d of %d clearing files\n", len(list), total)
	return err
}

// printFiles prints files with their answers.
func printFiles(out io.Writer, list []books.ClearingFile) error {
	w := newTable(out)
	fmt.Fprintln(w, "FILE\tDIRECTION\tUTILITY\tDETAILS\tTAKEN\tGIVEN BACK\tACCEPTED\tREFUSED\tAT\tBY")
	for n := range list {
		f := &list[n]
		accepted, refused := "no answer yet", "-"
		if a := f.Answer; a != nil {
			accepted, refused = fmt.Sprintf("%d, %s", a.Accepted.Count, a.Accepted.Net()), fmt.Sprintf("%d, %s", a.Refused.Count, a.Refused.Net())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", f.FileName(), f.Direction, f.Utility, f.Sums.Count, f.Sums.Taken, f.Sums.Returned,
			accepted, refused, f.At.Format(time.RFC3339), f.By)
	}
	return w.Flush()
}

// heldPrinted bounds the rows that are printed with a reason.
const heldPrinted = 20

// printMade prints what was made and what is held.
func printMade(out io.Writer, made *books.ClearingMade) error {
	if len(made.Files) > 0 {
		if err := printFiles(out, made.Files); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d new clearing files; %d rows and card entries are held until their other side has come\n", len(made.Files), len(made.Held))
	if len(made.Held) == 0 {
		return nil
	}
	w := newTable(out)
	fmt.Fprintln(w, "HELD\tORDER OR EVENT\tMETER NUMBER\tCARD\tPURCHASE\tAMOUNT\tWHY")
	for n := range made.Held[:min(len(made.Held), heldPrinted)] {
		h := api.ClearingHeldOf(&made.Held[n])
		fmt.Fprintf(w, "%s\t%s%s\t%s\t%s\t%d\t%s\t%s\n", h.What, h.Order, h.Event, dash(h.MeterNumber), dash(h.Card), h.Purchase, h.Amount, h.Why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more := len(made.Held) - heldPrinted; more > 0 {
		fmt.Fprintf(out, "and %d more\n", more)
	}
	return nil
}

// printTaken says what became of a file or an answer, and what was refused.
func (c *cityClearing) printTaken(ctx context.Context, out io.Writer, f *books.ClearingFile, repeated bool) error {
	what, a := "taken", f.Answer
	if a == nil {
		return fmt.Errorf("%s: has no answer in the books", f.FileName())
	}
	if repeated {
		what = fmt.Sprintf("was taken before, at %s by %s; nothing was changed", a.At.Format(time.RFC3339), a.By)
	}
	fmt.Fprintf(out, "%s: %s: %d details; accepted %d, %s yuan; refused %d, %s yuan\n", f.FileName(), what, f.Sums.Count,
		a.Accepted.Count, a.Accepted.Net(), a.Refused.Count, a.Refused.Net())
	if a.Refused.Count == 0 {
		return nil
	}
	raw, err := c.ClearingBytes(ctx, f.AnswerName())
	if err != nil {
		return err
	}
	answer, err := clearing.ReadAnswer(ctx, f.AnswerName(), bytes.NewReader(raw))
	if err != nil {
		return err
	}
	left := heldPrinted
	for _, r := range answer.Results {
		if r.Reason != "" && left > 0 {
			left--
			fmt.Fprintf(out, "  refused %s, %s yuan: %s\n", r.Order, r.Amount, r.Reason)
		}
	}
	if more := a.Refused.Count - heldPrinted; more > 0 {
		fmt.Fprintf(out, "  and %d more\n", more)
	}
	return nil
}

// writeTo writes a file of the books to a folder. What is there already is left:
// the same content is what is wanted, and other content may be somebody's.
func (c *cityClearing) writeTo(ctx context.Context, progress io.Writer, folder, name string) error {
	raw, err := c.ClearingBytes(ctx, name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("folder for clearing files: %w", err)
	}
	path := filepath.Join(folder, name)
	switch held, err := os.ReadFile(path); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return fmt.Errorf("write the clearing file: %w", err)
	case bytes.Equal(held, raw):
		fmt.Fprintf(progress, "%s is there already\n", path)
		return nil
	default:
		return fmt.Errorf("%s is there already with other content; nothing was written over: name another folder, or look who wrote it", path)
	}
	if err := durable.WriteFile(path, raw, 0o600); err != nil {
		return fmt.Errorf("write the clearing file: %w", err)
	}
	fmt.Fprintf(progress, "wrote %s\n", path)
	return nil
}

func newClearingNet() *cobra.Command {
	var f clearingFlags
	var from, to string
	cmd := &cobra.Command{
		Use:     "net --from DAY --to DAY",
		Short:   "Say what we owe other cities and what they owe us",
		Long:    "Nets what was accepted in both directions, by partner. What was refused or is not answered yet is owed by nobody and stands beside.",
		Example: "  citygrid clearing net -c hub.yaml --from 2026-11-01 --to 2026-11-30",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			first, err := dayFlag("--from", from)
			if err != nil {
				return err
			}
			last, err := dayFlag("--to", to)
			if err != nil {
				return err
			}
			if last < first {
				return fmt.Errorf("--to %s is before --from %s", last, first)
			}
			return f.run(cmd.Context(), func(c *cityClearing) error {
				n, err := c.NetClearing(cmd.Context(), c.home, first, last)
				if err != nil {
					return cli.Failed(err)
				}
				if f.json {
					return cli.Failed(writeJSON(cmd.OutOrStdout(), api.NettingOf(&n, first, last)))
				}
				return cli.Failed(printNetting(cmd.OutOrStdout(), &n, first, last))
			})
		},
	}
	f.register(cmd, "")
	f.registerJSON(cmd)
	cmd.Flags().StringVar(&from, "from", "", "first accounting day")
	cmd.Flags().StringVar(&to, "to", "", "last accounting day")
	cli.MustRequire(cmd, "from", "to")
	return cmd
}

func printNetting(out io.Writer, n *clearing.Netting, from, to ledger.Day) error {
	fmt.Fprintf(out, "Clearing of %s, accounting days %s to %s. Money in yuan, takings less what was given back.\n\n", n.Home, from, to)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "PARTNER\tFILES\tDETAILS\tSENT\tACCEPTED\tREFUSED\tNO ANSWER YET\tOWED\t")
	line := func(who string, d clearing.Direction, owed string) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t\n", who, d.Files, d.Sent.Count, d.Sent.Net(), d.Accepted.Net(), d.Refused.Net(), d.Pending.Net(), owed)
	}
	for _, p := range n.Positions {
		line("we sent "+string(p.Partner), p.Ours, "we owe "+p.Owe.String())
		line("sent by "+string(p.Partner), p.Theirs, "owed to us "+p.Owed.String())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, p := range n.Positions {
		fmt.Fprintf(out, "%s: %s\n", p.Partner, pays(p.Balance))
	}
	_, err := fmt.Fprintf(out, "All partners: we owe %s, %s are owed to us; %s\n", n.Owe, n.Owed, pays(n.Balance))
	return err
}

// pays says a balance in words.
func pays(balance schemas.Fen) string {
	switch {
	case balance > 0:
		return fmt.Sprintf("we are paid %s yuan", balance)
	case balance < 0:
		return fmt.Sprintf("we pay %s yuan", -balance)
	}
	return "nobody pays"
}
