package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/cardfile"
	"citygrid/adapters/cardslot/pcsc"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

func newCardRead() *cobra.Command {
	var d desk
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "read",
		Short: "Read one card and print what its files say",
		Long: `Reads the card in the reader, or waits until one is put in, and prints every file
decoded. A file that cannot be understood is shown as a problem and does not hide
the others; the exit code is 1 then.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			profile, err := d.profile()
			if err != nil {
				return err
			}
			view, err := d.readOne(cmd.Context(), cmd.ErrOrStderr(), profile)
			if err != nil {
				return cli.Failed(err)
			}
			if asJSON {
				err = view.printJSON(cmd.OutOrStdout())
			} else {
				err = view.printTable(cmd.OutOrStdout())
			}
			if err == nil {
				err = view.problems()
			}
			return cli.Failed(err)
		},
	}
	d.cardFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// readOne waits for a card and reads it.
func (d *desk) readOne(ctx context.Context, progress io.Writer, profile cardslot.Profile) (cardView, error) {
	client, err := d.open(ctx)
	if err != nil {
		return cardView{}, err
	}
	name, err := client.WaitReader(ctx, d.reader)
	if err != nil {
		return cardView{}, err
	}
	fmt.Fprintf(progress, "reader %q: waiting for a card (Ctrl-C ends)\n", name)
	card, err := client.Reader(name).WaitCard(ctx)
	if err != nil {
		return cardView{}, err
	}
	view := cardView{Reader: name, Protocol: card.Protocol(), ATR: fmt.Sprintf("%X", card.ATR()), ReadAt: time.Now()}
	contents, err := readAndClose(ctx, card, profile)
	if err != nil {
		return cardView{}, err
	}
	view.fill(contents)
	return view, nil
}

// readAndClose reads a card and lets go of it.
func readAndClose(ctx context.Context, card *pcsc.Card, profile cardslot.Profile) (cardslot.Contents, error) {
	contents, err := cardslot.Read(ctx, card, profile)
	// What was read stands, however the daemon took our leave.
	_ = card.Close()
	return contents, err
}

// cardView is a card as --json prints it: for programs the wallets and, in the
// form of card.schema.json, what the meters wrote back; for people each file.
type cardView struct {
	Card         schemas.CardID      `json:"card"`
	Issuer       schemas.IssuerID    `json:"issuer"`
	Customer     string              `json:"customer"`
	ValidFrom    *time.Time          `json:"valid_from,omitempty"`
	ValidTo      *time.Time          `json:"valid_to,omitempty"`
	Reader       string              `json:"reader"`
	Protocol     string              `json:"protocol"`
	ATR          string              `json:"atr"`
	ReadAt       time.Time           `json:"read_at"`
	Applications []applicationView   `json:"applications"`
	Entries      []schemas.CardEntry `json:"entries"`
}

// applicationView is one application of a card.
type applicationView struct {
	Application string         `json:"application"`
	Utility     schemas.Medium `json:"utility"`
	Meter       string         `json:"meter"`
	Customer    string         `json:"customer"`
	CardType    string         `json:"card_type"`
	Wallet      walletView     `json:"wallet"`
	Orders      []field        `json:"order_file,omitempty"`
	Returned    []field        `json:"return_file,omitempty"`
	Prices      []field        `json:"price_files,omitempty"`
	Problems    []string       `json:"problems,omitempty"`
}

// walletView is the purchase on the card.
type walletView struct {
	Purchase uint32             `json:"purchase"`
	Amount   int64              `json:"amount"`
	Unit     schemas.CreditUnit `json:"unit"`
	Unloaded bool               `json:"unloaded"`
}

func (v *cardView) fill(c cardslot.Contents) {
	v.Card, v.Issuer, v.Customer = c.Card, c.Issuer, c.Public.Customer.String()
	v.Entries = append([]schemas.CardEntry{}, c.Entries(v.ReadAt, "")...) // never null
	v.ValidFrom, v.ValidTo = known(c.Public.ValidFrom), known(c.Public.ValidTo)
	for i := range c.Purses {
		p := &c.Purses[i]
		a := applicationView{
			Application: fmt.Sprintf("%04X", uint16(p.Application)), Utility: p.Application.Utility(),
			Meter: p.Meter.String(), Customer: p.Customer.String(), CardType: cardType(p.Type),
			Wallet:   walletView{p.Wallet.Count, p.Wallet.Amount.Value, p.Wallet.Amount.Unit, p.Unloaded()},
			Orders:   orderFields(p),
			Returned: returnFields(p),
			Prices:   priceFields(p),
		}
		for _, problem := range p.Problems {
			a.Problems = append(a.Problems, problem.Error())
		}
		v.Applications = append(v.Applications, a)
	}
}

// known returns a time that may be missing.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func cardType(t cardfile.CardType) string {
	switch t {
	case cardfile.CloseRelay:
		return "close relay"
	case cardfile.OpenAccount:
		return "open account"
	case cardfile.Purchased:
		return "purchase"
	case cardfile.Replacement:
		return "replacement"
	}
	return fmt.Sprintf("unknown %02X", byte(t))
}

// problems is an error when a file could not be understood.
func (v *cardView) problems() error {
	count := 0
	for _, a := range v.Applications {
		count += len(a.Problems)
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("card %s: %d files cannot be understood: read it again; if that does not help, the card was torn while it was written and needs the counter where it was sold to", v.Card, count)
}

func (v *cardView) printJSON(out io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printTable writes a row for each field of each file.
func (v *cardView) printTable(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "APPLICATION\tFILE\tFIELD\tVALUE")
	row := func(application, file, name string, value any) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%v\n", application, file, name, value)
	}
	row("card", "chip", "serial", v.Card)
	row("card", "chip", "protocol", v.Protocol+", ATR "+v.ATR)
	row("card", "public", "issuer", fmt.Sprintf("%s (city %s)", v.Issuer, v.Issuer.City()))
	row("card", "public", "customer", v.Customer)
	if v.ValidFrom != nil {
		row("card", "public", "valid from", day(*v.ValidFrom))
	}
	if v.ValidTo != nil {
		row("card", "public", "valid to", day(*v.ValidTo))
	}
	for _, a := range v.Applications {
		a.rows(row)
	}
	return table.Flush()
}

func (a applicationView) rows(row func(application, file, name string, value any)) {
	utility := string(a.Utility)
	row(utility, "order", "meter", a.Meter)
	row(utility, "order", "customer", a.Customer)
	row(utility, "order", "card type", a.CardType)
	for _, f := range a.Orders {
		row(utility, "order", f.Name, f.Value)
	}
	row(utility, "wallet", "purchase", a.Wallet)
	for _, f := range a.Returned {
		row(utility, "return", f.Name, f.Value)
	}
	if len(a.Returned) == 0 {
		row(utility, "return", "-", "no meter has written back yet")
	}
	for _, f := range a.Prices {
		row(utility, "price", f.Name, f.Value)
	}
	for _, problem := range a.Problems {
		row(utility, "PROBLEM", "-", problem)
	}
}

// String says what the wallet holds.
func (w walletView) String() string {
	if w.Purchase == 0 {
		return "none yet"
	}
	amount := credit(schemas.Credit{Value: w.Amount, Unit: w.Unit})
	if w.Unloaded {
		return fmt.Sprintf("number %d of %s, not yet loaded", w.Purchase, amount)
	}
	return fmt.Sprintf("number %d, loaded; %s in the wallet", w.Purchase, amount)
}
