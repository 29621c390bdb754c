package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/api"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/hub/ledger/books"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/schemas"
)

// Results go to standard output, as a table or with --json as the API writes them;
// progress goes to standard error.

func newBill() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bill",
		Short: "Bills of accounts that use first and pay later: make, list, state, advise",
		Long: `Bills of accounts that use first and pay later (先用后付). Once: import the register,
the tariffs and the list of accounts. Each month: make the bills, and send the file
of each channel to the channel (bill file); its settlement file pays them (citygrid
import). At any time: list the bills, state an account, or say what is due.`,
	}
	accounts := &cobra.Command{Use: "accounts", Short: "The accounts: import a list, or list them"}
	accounts.AddCommand(newBillAccountsImport(), newBillAccountsList())
	cmd.AddCommand(accounts, newBillMake(), newBillFile(), newBillList(), newBillState(), newBillDue())
	return cmd
}

// billCommand is what the bill commands share.
type billCommand struct {
	books                      booksFlags
	utility, meter, month      string
	from, to                   string
	limit, offset              int
	json, dry, check, everyone bool
}

func (c *billCommand) flags(cmd *cobra.Command, asHelp string) {
	c.books.register(cmd, asHelp)
	cmd.Flags().BoolVar(&c.json, "json", false, "write JSON, as the API does")
}

func (c *billCommand) paging(cmd *cobra.Command) {
	cmd.Flags().IntVar(&c.limit, "limit", 50, "at most so many, up to 1000")
	cmd.Flags().IntVar(&c.offset, "offset", 0, "pass over so many")
}

func (c *billCommand) picking(cmd *cobra.Command, of string) {
	cmd.Flags().StringVar(&c.utility, "utility", "", "only "+of+" of water, power or gas")
	cmd.Flags().StringVar(&c.meter, "meter", "", "only "+of+" of this meter")
}

// with opens the books, does something with them, and closes them. Without readings
// the registers of meters are not opened.
func (c *billCommand) with(ctx context.Context, readings bool, do func(*openLedger) error) (err error) {
	if _, err := utilityOf(c.utility, true); err != nil {
		return err
	}
	l, err := c.books.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cli.Failed(l.Close())) }()
	if readings {
		closeRegisters, err := l.openRegisters()
		if err != nil {
			return err
		}
		defer closeRegisters()
	}
	return do(l)
}

func (c *billCommand) accounts() api.AccountQuery {
	return api.AccountQuery{Utility: schemas.Medium(c.utility), Meter: schemas.MeterID(c.meter), Limit: c.limit, Offset: c.offset}
}

func newBillAccountsImport() *cobra.Command {
	var c billCommand
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take a list of accounts, YAML or CSV, whole or not at all",
		Long: `Takes a list of accounts into the books, whole or not at all. Accounts that are
not named stay as they are. The meter must be in the register (citygrid import
--register). A list in YAML:

  terms: {due_days: 15, warn: 80, stop: 120}   # for all; these are the defaults
  accounts:
    - meter: W-000042
      utility: water
      mode: credit              # or prepaid: no bills any more
      limit: "200.00"           # what may be owed, yuan
      channel: bank             # who collects the bills
      begin: 2026-10-01T00:00:00+08:00   # else with the installation
      terms: {late: {free_days: 5, per_day: 50, cap: 20}}   # 0.05 % a day, up to 20 %

"from" names an installation that has ended, "customer" somebody else than the
register does. A CSV file has these columns, of which from, customer, begin and those
of the terms may be empty:

  ` + strings.Join(accountColumns(), ",") + `.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), false, func(l *openLedger) error { return c.importAccounts(cmd.Context(), l, cmd.OutOrStdout(), args[0]) })
		},
	}
	c.flags(cmd, "who imports (default the user of this machine)")
	cmd.Flags().BoolVar(&c.check, "check", false, "read and check the file only; nothing is stored")
	return cmd
}

func (c *billCommand) importAccounts(ctx context.Context, l *openLedger, out io.Writer, path string) error {
	by, err := l.person(c.books.as, string(api.Reviewer))
	if err != nil {
		return err
	}
	list, err := readAccounts(path, l.rules.Calendar.Zone)
	if err != nil {
		return cli.Failed(err)
	}
	changed := 0
	if !c.check {
		if changed, err = l.StoreAccounts(ctx, list, by); err != nil {
			return cli.Failed(fmt.Errorf("accounts %s: %w; nothing was changed", path, err))
		}
	}
	if c.json {
		return cli.Failed(writeJSON(out, map[string]any{"accounts": len(list), "changed": changed, "stored": !c.check}))
	}
	if c.check {
		_, err = fmt.Fprintf(out, "%s: good: %d accounts; nothing was stored\n", path, len(list))
	} else {
		_, err = fmt.Fprintf(out, "%s: %d accounts, %d new or changed\n", path, len(list), changed)
	}
	return cli.Failed(err)
}

func newBillAccountsList() *cobra.Command {
	var c billCommand
	cmd := &cobra.Command{
		Use: "list", Short: "List the accounts in force by meter", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), false, func(l *openLedger) error {
				list, err := billsFace{l}.Accounts(cmd.Context(), c.accounts())
				if err != nil {
					return cli.Failed(err)
				}
				return cli.Failed(printList(cmd.OutOrStdout(), c.json, list, api.AccountJSONOf, func(out io.Writer) error { return printAccounts(out, list, l.rules.Calendar.Zone) }))
			})
		},
	}
	c.flags(cmd, "")
	c.picking(cmd, "accounts")
	c.paging(cmd)
	return cmd
}

func newBillMake() *cobra.Command {
	var c billCommand
	cmd := &cobra.Command{
		Use:   "make --utility NAME --month MONTH",
		Short: "Make the bills of a month that is over",
		Long: "Makes the bills of a month from the readings in InfluxDB. Account and month are one order number: making a month again gives the same\n" +
			"bills, and makes those that were left out. An account without a register at a boundary is left out and listed with what is missing.",
		Example: "  citygrid bill make -c hub.yaml --utility water --month 2026-10 --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), true, func(l *openLedger) error { return c.makeBills(cmd.Context(), l, cmd.OutOrStdout(), cmd.ErrOrStderr()) })
		},
	}
	c.flags(cmd, "who makes them (default the user of this machine)")
	c.picking(cmd, "accounts")
	cmd.Flags().StringVar(&c.month, "month", "", "a month, such as 2026-10")
	cmd.Flags().BoolVar(&c.dry, "dry-run", false, "make them and keep nothing")
	cmd.Flags().BoolVar(&c.everyone, "all", false, "list accounts too that were billed before or were not in use")
	cli.MustRequire(cmd, "utility", "month")
	return cmd
}

func (c *billCommand) makeBills(ctx context.Context, l *openLedger, out, progress io.Writer) error {
	month, err := billing.ParseMonth(c.month)
	if err != nil {
		return fmt.Errorf("--month: %w", err)
	}
	by, err := l.person(c.books.as, string(api.Reviewer))
	if err != nil {
		return err
	}
	if l.folder != nil && l.folder.Influx.Bundled {
		return errors.New("the readings are in the hub's own InfluxDB, which this command cannot ask; make the bills through the hub: POST /api/v1/ledger/bills")
	}
	if err := l.takeTariffs(ctx, by); err != nil {
		return cli.Failed(err)
	}
	r := api.BillsRequest{Utility: schemas.Medium(c.utility), Month: month, Meter: schemas.MeterID(c.meter), Dry: c.dry, By: by}
	table := newBillTable(out, l.rules.Calendar.Zone, c.everyone)
	each := table.add
	if c.json {
		each = func(*books.BillOutcome) error { return nil }
	}
	bar := newBar(progress, time.Now)
	made, err := l.makeBills(ctx, r, each, func(p books.Progress) { bar.show(p.Stage, p.Done, p.Total) })
	bar.end()
	if err != nil && made.Accounts == 0 {
		return cli.Failed(err)
	}
	if c.json {
		return cli.Failed(errors.Join(err, writeJSON(out, api.BillsMadeJSONOf(&r, &made))))
	}
	return cli.Failed(errors.Join(err, table.end(&r, &made)))
}

func newBillFile() *cobra.Command {
	var c billCommand
	var to string
	cmd := &cobra.Command{
		Use:   "file IMPORT",
		Short: "Give out a file of bills, for the channel that collects them",
		Long: "Gives out a file of bills, byte for byte as the books hold it. IMPORT is its number, which bill make prints. The form is that of\n" +
			"docs/settlement-files.md.",
		Example: "  citygrid bill file -c hub.yaml 12 --to bank-2026-10.csv",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return fmt.Errorf("IMPORT %q: want the number of an import, such as 12", args[0])
			}
			return c.with(cmd.Context(), false, func(l *openLedger) error {
				raw, err := l.Raw(cmd.Context(), id)
				if err == nil && to == "" {
					_, err = cmd.OutOrStdout().Write(raw)
				} else if err == nil {
					err = durable.WriteFile(to, raw, 0o600)
				}
				return cli.Failed(err)
			})
		},
	}
	c.books.register(cmd, "")
	cmd.Flags().StringVar(&to, "to", "", "the file to write; standard output when left out")
	return cmd
}

func newBillList() *cobra.Command {
	var c billCommand
	cmd := &cobra.Command{
		Use: "list", Short: "List bills, the latest first, with what was paid of them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := api.BillQuery{Utility: schemas.Medium(c.utility), Meter: schemas.MeterID(c.meter), Limit: c.limit, Offset: c.offset}
			if c.month != "" {
				var err error
				if q.Month, err = billing.ParseMonth(c.month); err != nil {
					return fmt.Errorf("--month: %w", err)
				}
			}
			return c.with(cmd.Context(), false, func(l *openLedger) error {
				list, err := billsFace{l}.Bills(cmd.Context(), q)
				if err != nil {
					return cli.Failed(err)
				}
				return cli.Failed(printList(cmd.OutOrStdout(), c.json, list, api.BillJSONOf, func(out io.Writer) error { return printBills(out, list) }))
			})
		},
	}
	c.flags(cmd, "")
	c.picking(cmd, "bills")
	c.paging(cmd)
	cmd.Flags().StringVar(&c.month, "month", "", "only bills of this month")
	return cmd
}

func newBillState() *cobra.Command {
	var c billCommand
	cmd := &cobra.Command{
		Use: "state --meter METER --from DAY --to DAY", Short: "State the accounts of a meter over accounting days", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := ledger.ParseDay(c.from)
			if err != nil {
				return fmt.Errorf("--from: %w", err)
			}
			to, err := ledger.ParseDay(c.to)
			if err != nil {
				return fmt.Errorf("--to: %w", err)
			}
			if to < from {
				return fmt.Errorf("--to %s is before --from %s", to, from)
			}
			return c.with(cmd.Context(), false, func(l *openLedger) error {
				list, err := billsFace{l}.State(cmd.Context(), schemas.MeterID(c.meter), from, to)
				if err != nil {
					return cli.Failed(err)
				}
				return cli.Failed(printList(cmd.OutOrStdout(), c.json, list, api.AccountStateJSONOf, func(out io.Writer) error { return printStates(out, list, l.rules.Calendar.Zone) }))
			})
		},
	}
	c.flags(cmd, "")
	cmd.Flags().StringVar(&c.meter, "meter", "", "meter id")
	cmd.Flags().StringVar(&c.from, "from", "", "first accounting day")
	cmd.Flags().StringVar(&c.to, "to", "", "last accounting day")
	cli.MustRequire(cmd, "meter", "from", "to")
	return cmd
}

func newBillDue() *cobra.Command {
	var c billCommand
	cmd := &cobra.Command{
		Use: "due", Short: "Say what accounts owe now, unbilled use included, and what their limits advise", Args: cobra.NoArgs,
		Long: "Lists accounts that their limit warns of, that are overdue, or whose unbilled use is not known. It is advice: nothing is switched.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), true, func(l *openLedger) error { return c.due(cmd.Context(), l, cmd.OutOrStdout(), cmd.ErrOrStderr()) })
		},
	}
	c.flags(cmd, "")
	c.picking(cmd, "accounts")
	cmd.Flags().BoolVar(&c.everyone, "all", false, "list the others too")
	return cmd
}

// duePage is how many accounts are asked for at once.
const duePage = 500

func (c *billCommand) due(ctx context.Context, l *openLedger, out, progress io.Writer) error {
	if l.folder != nil && l.folder.Influx.Bundled {
		l.registers = nil
		fmt.Fprintln(progress, "note: the readings are in the hub's own InfluxDB, which this command cannot ask; GET /api/v1/ledger/advice of the hub prices unbilled use")
	}
	var list []api.AccountAdvice
	var all int64
	bar := newBar(progress, time.Now)
	for {
		q := books.AccountFilter{Utility: schemas.Medium(c.utility), Meter: schemas.MeterID(c.meter), Page: books.Page{Limit: duePage, Offset: all}}
		page, n, err := l.Books.Advise(ctx, q, l.registers)
		if err != nil {
			bar.end()
			return cli.Failed(err)
		}
		for i := range page {
			if a := &page[i]; c.everyone || a.Step != billing.None || a.Overdue > 0 || a.Why != "" {
				list = append(list, adviceOf(a))
			}
		}
		all += int64(n)
		bar.show("accounts", all, 0)
		if n < duePage {
			break
		}
	}
	bar.end()
	return cli.Failed(printList(out, c.json, list, api.AdviceJSONOf, func(out io.Writer) error { return printAdvice(out, list, all, l.rules.Calendar.Zone) }))
}

// printList writes a list as JSON or as a table.
func printList[T, J any](out io.Writer, asJSON bool, list []T, of func(*T) J, table func(io.Writer) error) error {
	if !asJSON {
		return table(out)
	}
	all := make([]J, len(list))
	for n := range list {
		all[n] = of(&list[n])
	}
	return writeJSON(out, all)
}

func writeJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
