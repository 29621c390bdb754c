package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/pcsc"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

// desk is what the card commands have in common: the reader, and what a city's
// cards do not say themselves.
type desk struct {
	socket, reader string
	water, gas     string
}

func newCard() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "card",
		Short: "Look at prepaid cards in a card reader; nothing is written on them",
		Long: `Reads prepaid cards through pcscd, the daemon of PC/SC readers, which must run.
Reading needs no keys, and nothing is written on a card.`,
	}
	cmd.AddCommand(newCardList(), newCardRead(), newCardWatch())
	return cmd
}

// flags adds the flags that find the reader.
func (d *desk) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.socket, "socket", "", "pcscd's socket (default $PCSCLITE_CSOCK_NAME, or "+pcsc.DefaultSocket+")")
}

// cardFlags adds the flags of the commands that read cards.
func (d *desk) cardFlags(cmd *cobra.Command) {
	d.flags(cmd)
	cmd.Flags().StringVar(&d.reader, "reader", "", "the reader, by a part of its name; the first one if not given")
	cmd.Flags().StringVar(&d.water, "water", string(schemas.CreditFen), "what the city's water cards count: fen or L")
	cmd.Flags().StringVar(&d.gas, "gas", string(schemas.CreditFen), "what the city's gas cards count: fen or L")
}

// profile returns what the flags say of the cards.
func (d *desk) profile() (cardslot.Profile, error) {
	p := cardslot.Profile{Water: schemas.CreditUnit(d.water), Gas: schemas.CreditUnit(d.gas), Source: schemas.FromReader}
	for flag, unit := range map[string]schemas.CreditUnit{"water": p.Water, "gas": p.Gas} {
		if unit != schemas.CreditFen && unit != schemas.CreditLitre {
			return p, fmt.Errorf("--%s %s: want fen or L", flag, unit)
		}
	}
	return p, nil
}

func (d *desk) open(ctx context.Context) (*pcsc.Client, error) {
	return pcsc.Open(ctx, pcsc.Options{Socket: d.socket})
}

func newCardList() *cobra.Command {
	var d desk
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Name the card readers that are plugged in",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := d.open(cmd.Context())
			if err != nil {
				return cli.Failed(err)
			}
			names, err := client.Readers(cmd.Context())
			if err != nil {
				return cli.Failed(err)
			}
			for _, name := range names {
				fmt.Fprintln(cmd.OutOrStdout(), name)
			}
			return nil
		},
	}
	d.flags(cmd)
	return cmd
}
