package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters/cardslot/cardfile"
	"citygrid/adapters/cardslot/pcsc"
	"citygrid/hub/ledger"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

const samWarning = "TEST SECURITY MODULE: it works with the simulator's cards only; no real card is touched and no real money may be taken"

func newCounter(now func() time.Time) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "counter",
		Short: "Sell, refund, issue and replace prepaid cards at a card reader",
		Long: `The point of sale: a card reader (pcscd must run), a folder that remembers what
was done (--state), and a settlement file for each day (docs/settlement-files.md).

Every card that is put in tells first what its meter has written back. An order
is remembered before the card is touched and read back from it afterwards. If the
card is pulled out in between, the next command says so and names the card:
"counter resume" finishes what was begun, and nothing is ever sold twice.

What was done waits in DIR/outbox for a collector on this machine, whose
configuration names the folder: counters: [{dir: DIR}].

The only security module that comes with this program is the simulator's TEST
module (--sam test). Its keys are public: it refuses every card but the
simulator's.`,
	}
	cmd.AddCommand(newCounterSetup(), newCounterSell(now), newCounterRefund(now), newCounterIssue(now), newCounterReplace(now), newCounterResume(now),
		newCounterStatus(now), newCounterClose(now))
	return cmd
}

func newCounterSetup() *cobra.Command {
	var dir string
	var s settings
	var water, gas, issuer string
	cmd := &cobra.Command{
		Use:   "setup --state DIR --terminal NAME --issuer ISSUER --sam test",
		Short: "Make the folder of a counter, once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.Issuer, s.Water, s.Gas = schemas.IssuerID(issuer), schemas.CreditUnit(water), schemas.CreditUnit(gas)
			if err := s.check(); err != nil {
				return err
			}
			if err := setUpCounter(dir, s); err != nil {
				return cli.Failed(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "counter %s is set up in %s\n%s\n", s.Terminal, dir, samWarning)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "state", "", "the counter's folder")
	cmd.Flags().StringVar(&s.Terminal, "terminal", "", "the counter's name: the channel of its settlement files")
	cmd.Flags().StringVar(&issuer, "issuer", "", "the city's issuer, 8 digits; cards of any other are refused")
	cmd.Flags().StringVar(&water, "water", string(schemas.CreditFen), "what the city's water cards count: fen or L")
	cmd.Flags().StringVar(&gas, "gas", string(schemas.CreditFen), "what the city's gas cards count: fen or L")
	cmd.Flags().StringVar(&s.SAM, "sam", "", `the security module; only "test", the simulator's, comes with this program`)
	cli.MustRequire(cmd, "state", "terminal", "issuer", "sam")
	return cmd
}

// maxTerminal keeps order numbers within the 64 bytes of a settlement file.
const maxTerminal = 32

func (s *settings) check() error {
	if !plainField(s.Terminal, maxTerminal) {
		return fmt.Errorf("--terminal %q: want 1 to %d of 0-9, A-Z, a-z, - and _", s.Terminal, maxTerminal)
	}
	if err := s.Issuer.Validate(); err != nil {
		return fmt.Errorf("--issuer: %w", err)
	}
	for _, unit := range []schemas.CreditUnit{s.Water, s.Gas} {
		if unit != schemas.CreditFen && unit != schemas.CreditLitre {
			return fmt.Errorf("--water and --gas: %q: want fen or L", unit)
		}
	}
	_, err := samOf(s.SAM)
	return err
}

// counterFlags are what the commands at a card have in common.
type counterFlags struct {
	dir, amount, utility, customer, card, replaces string
	order                                          purchaseOrder
}

func (f *counterFlags) atReader(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "state", "", "the counter's folder")
	cmd.Flags().StringVar(&f.order.reader, "reader", "", "the reader, by a part of its name; the first one if not given")
	cmd.Flags().StringVar(&f.order.socket, "socket", "", "pcscd's socket (default $PCSCLITE_CSOCK_NAME, or "+pcsc.DefaultSocket+")")
	cli.MustRequire(cmd, "state")
}

func (f *counterFlags) whose(cmd *cobra.Command) {
	f.atReader(cmd)
	cmd.Flags().StringVar(&f.utility, "utility", "", "water, power or gas")
	cmd.Flags().StringVar(&f.order.meter, "meter-number", "", "the number on the meter's plate, up to 12 digits")
	cmd.Flags().StringVar(&f.customer, "customer", "", "the customer's number, up to 12 digits")
	cmd.Flags().StringVar(&f.card, "card", "", "the only card that will do, as the ledger says; any of the customer if not given")
	cmd.Flags().StringVar(&f.order.order, "order", "", "the order's number; made from counter, day and a serial number if not given")
	cmd.Flags().StringVar(&f.order.operator, "operator", "", "who sells")
	cli.MustRequire(cmd, "utility", "meter-number", "customer")
}

func (f *counterFlags) amounts(cmd *cobra.Command, amount string) {
	cmd.Flags().StringVar(&f.amount, "amount", "", amount)
	cmd.Flags().Int64Var(&f.order.volume, "volume", 0, "for purses that count a volume: litres")
}

func (f *counterFlags) numbered(cmd *cobra.Command, help string) {
	cmd.Flags().Uint32Var(&f.order.purchase, "purchase", 0, help)
}

// run checks the flags, opens the counter and does something there.
func (f *counterFlags) run(cmd *cobra.Command, now func() time.Time, do func(*counter, context.Context, *purchaseOrder) error) (err error) {
	o := &f.order
	o.utility, o.customer, o.card, o.replaces = schemas.Medium(f.utility), schemas.CustomerID(f.customer), schemas.CardID(f.card), schemas.CardID(f.replaces)
	o.out, o.progress = cmd.OutOrStdout(), cmd.ErrOrStderr()
	if err := f.check(); err != nil {
		return err
	}
	c, err := openCounter(f.dir, now)
	if errors.Is(err, errNoCounter) {
		return err
	}
	if err != nil {
		return cli.Failed(err)
	}
	defer func() { err = errors.Join(err, cli.Failed(c.close())) }()
	fmt.Fprintln(o.progress, samWarning)
	if err := c.sayPending(o.progress); err != nil {
		return cli.Failed(err)
	}
	return cli.Failed(do(c, cmd.Context(), o))
}

func (f *counterFlags) check() (err error) {
	o := &f.order
	if f.amount != "" {
		if o.money, err = schemas.ParseFen(f.amount); err != nil {
			return fmt.Errorf("--amount: %w", err)
		}
		if o.money <= 0 {
			return fmt.Errorf("--amount %s: want more than 0", f.amount)
		}
	}
	if f.utility != "" {
		if _, err := utilityOf(f.utility, false); err != nil {
			return err
		}
	}
	const maxOrder = 64
	for flag, s := range map[string]string{"order": o.order, "undoes": o.undoes, "operator": o.operator} {
		if s != "" && !plainField(s, maxOrder) {
			return fmt.Errorf("--%s %q: want up to %d of 0-9, A-Z, a-z, - and _", flag, s, maxOrder)
		}
	}
	for _, c := range []schemas.CardID{o.card, o.replaces} {
		if c != "" {
			if err := c.Validate(); err != nil {
				return fmt.Errorf("--card and --replaces: %w", err)
			}
		}
	}
	return nil
}

func newCounterSell(now func() time.Time) *cobra.Command {
	var f counterFlags
	cmd := &cobra.Command{
		Use:     "sell --state DIR --utility U --meter-number N --customer C --amount YUAN",
		Short:   "Put a purchase on the customer's card",
		Example: "  citygrid counter sell --state /var/lib/counter-1 --utility water --meter-number 000000000789 --customer 000000001122 --amount 50.00",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, now, (*counter).sell)
		},
	}
	f.whose(cmd)
	f.amounts(cmd, "what the customer pays, in yuan, such as 50.00")
	f.numbered(cmd, "the number that the ledger gives the purchase; left out, the card's own count goes on, which is right for a city with one counter only")
	cli.MustRequire(cmd, "amount")
	return cmd
}

func newCounterRefund(now func() time.Time) *cobra.Command {
	var f counterFlags
	cmd := &cobra.Command{
		Use:   "refund --state DIR --utility U --meter-number N --customer C --undoes ORDER",
		Short: "Take a purchase that no meter has loaded off the card again",
		Long: `Takes a purchase that no meter has loaded off the card. Give the money back only
when the command says "written and read back". On the day of the sale, while that
day is open, it is a reversal; later it is a refund, and --amount must say what
was paid.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, now, (*counter).refund) },
	}
	f.whose(cmd)
	f.amounts(cmd, "what was paid, in yuan; known to the counter while the day of the sale is open")
	f.numbered(cmd, "the number of the purchase; that of the sale, or what the card carries, if left out")
	cmd.Flags().StringVar(&f.order.undoes, "undoes", "", "the order of the sale")
	cli.MustRequire(cmd, "undoes")
	return cmd
}

func newCounterIssue(now func() time.Time) *cobra.Command {
	var f counterFlags
	cmd := &cobra.Command{
		Use:   "issue --state DIR --utility U --meter-number N --customer C",
		Short: "Make a blank card the customer's first one",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.run(cmd, now, (*counter).issue) },
	}
	f.whose(cmd)
	f.numbered(cmd, "the last purchase of the meter's installation; 0 before the first")
	return cmd
}

func newCounterReplace(now func() time.Time) *cobra.Command {
	var f counterFlags
	cmd := &cobra.Command{
		Use:   "replace --state DIR --utility U --meter-number N --customer C --replaces CARD --purchase N",
		Short: "Make a blank card stand in for a lost one",
		Long: `Issues a card in the place of a lost one; purchases are counted on from --purchase.
If the lost card carried that purchase and no meter has loaded it, give its
--amount (or --volume): the same purchase is written again, and of the two cards
the meter takes one. It is no sale and costs the customer nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, now, (*counter).issue) },
	}
	f.whose(cmd)
	f.amounts(cmd, "what the lost card carried, in yuan; left out if nothing")
	f.numbered(cmd, "the last purchase of the installation, as the ledger says")
	cmd.Flags().StringVar(&f.replaces, "replaces", "", "the serial number of the lost card")
	cli.MustRequire(cmd, "replaces", "purchase")
	return cmd
}

func newCounterResume(now func() time.Time) *cobra.Command {
	var f counterFlags
	cmd := &cobra.Command{
		Use:   "resume --state DIR",
		Short: "Finish what was interrupted on the card that is put in",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.run(cmd, now, (*counter).resume) },
	}
	f.atReader(cmd)
	return cmd
}

// atCounter runs what needs the folder and no card.
func atCounter(dir string, now func() time.Time, do func(*counter) error) (err error) {
	c, err := openCounter(dir, now)
	if errors.Is(err, errNoCounter) {
		return err
	}
	if err != nil {
		return cli.Failed(err)
	}
	defer func() { err = errors.Join(err, cli.Failed(c.close())) }()
	return cli.Failed(do(c))
}

func newCounterStatus(now func() time.Time) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "status --state DIR",
		Short: "Say what is unfinished and what the open days have taken",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return atCounter(dir, now, func(c *counter) error { return c.status(cmd.OutOrStdout()) })
		},
	}
	cmd.Flags().StringVar(&dir, "state", "", "the counter's folder")
	cli.MustRequire(cmd, "state")
	return cmd
}

func (c *counter) status(out io.Writer) error {
	fmt.Fprintf(out, "counter %s, issuer %s\n%s\n", c.desk.Settings.Terminal, c.desk.Settings.Issuer, samWarning)
	if err := c.sayPending(out); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DAY\tUTILITY\tFILE\tORDERS\tTAKEN\tGIVEN BACK\tLAST")
	for i := range c.desk.Open {
		t := &c.desk.Open[i]
		var taken, given schemas.Fen
		for _, r := range t.Rows {
			if r.Kind == ledger.Refund || r.Kind == ledger.Reversal {
				given += r.Money
			} else {
				taken += r.Money
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", t.Day, t.Utility, t.Number, len(t.Rows), taken, given, t.Rows[len(t.Rows)-1].At.In(cardfile.Zone()).Format(time.DateTime))
	}
	return w.Flush()
}

func newCounterClose(now func() time.Time) *cobra.Command {
	var dir, day string
	cmd := &cobra.Command{
		Use:   "close-day --state DIR",
		Short: "Write the settlement files of the day, for citygrid import",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			day, err := dayArgument(day, now())
			if err != nil {
				return err
			}
			return atCounter(dir, now, func(c *counter) error {
				if err := c.sayPending(cmd.ErrOrStderr()); err != nil {
					return err
				}
				paths, err := c.closeDays(day)
				for _, p := range paths {
					fmt.Fprintln(cmd.OutOrStdout(), p)
				}
				if err == nil && len(paths) == 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), "nothing was sold up to %s that has no file yet\n", day)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&dir, "state", "", "the counter's folder")
	cmd.Flags().StringVar(&day, "day", "", "close the days up to this one (default today, in the time zone of the cards)")
	cli.MustRequire(cmd, "state")
	return cmd
}
