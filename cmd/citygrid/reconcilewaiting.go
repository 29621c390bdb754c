package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/ledger/books"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

func newReconcileWaiting() *cobra.Command {
	var flags booksFlags
	var limit int64
	cmd := &cobra.Command{
		Use:   "waiting",
		Short: "List rows that no run could take: their meter is not in the register, or they contradict it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			l, err := flags.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cli.Failed(l.Close())) }()
			return cli.Failed(l.listWaiting(cmd.Context(), cmd.OutOrStdout(), books.Page{Limit: limit}))
		},
	}
	flags.register(cmd, "")
	cmd.Flags().Int64Var(&limit, "limit", 50, "at most so many of each, up to 1000")
	return cmd
}

// whyEntry says what an entry waits for.
func whyEntry(e *schemas.CardEntry) string {
	if e.PurchaseModulus == 0 {
		return "not in the register"
	}
	return fmt.Sprintf("not in the register, or its purchase count of %d, which begins anew at %d, may mean several purchases: read the meter's card at a counter",
		e.Purchase.Number, e.PurchaseModulus)
}

// listWaiting prints what waits for the register or was refused. A number of
// refusals is that of the page: the books do not count them.
func (l *openLedger) listWaiting(ctx context.Context, out io.Writer, page books.Page) error {
	sales, allSales, err := l.UnresolvedSales(ctx, page)
	if err != nil {
		return err
	}
	entries, allEntries, err := l.UnresolvedEntries(ctx, page)
	if err != nil {
		return err
	}
	refused, err := l.Refused(ctx, page)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tORDER OR EVENT\tDAY\tUTILITY\tMETER\tMETER NUMBER\tAMOUNT\tWHY")
	for n := range sales {
		s := &sales[n]
		fmt.Fprintf(w, "sale\t%s\t%s\t%s\t%s\t%s\t%s\tnot in the register\n", s.Order, s.Day, s.Utility, dash(string(s.Meter)), dash(s.MeterNumber), s.Amount)
	}
	for n := range entries {
		e := &entries[n]
		fmt.Fprintf(w, "entry\t%s %s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Event, e.Moment().In(l.rules.Calendar.Zone).Format(time.DateTime), e.Day,
			e.Utility, dash(string(e.Meter)), dash(e.MeterNumber), credit(e.Amount), whyEntry(&e.CardEntry))
	}
	for _, r := range refused {
		fmt.Fprintf(w, "%s\trow %d, run %d\t-\t-\t%s\t-\t-\t%s\n", r.Ledger, r.Row, r.Run, dash(r.Meter), r.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d sales and %d card entries wait for the register; %d rows were refused by runs\n", allSales, allEntries, len(refused))
	return err
}
