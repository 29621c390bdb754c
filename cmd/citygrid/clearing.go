package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

func newClearing() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clearing",
		Short: "Exchange with other cities what was sold on each other's cards",
		Long: "Exchanges with other cities what the terminals of one sold on the cards of the other (docs/clearing-files.md). Each day: make the files\n" +
			"and send them to the partners; receive theirs and send the answers back; take their answers to ours. net says who owes whom.",
	}
	cmd.AddCommand(newClearingMake(), newClearingReceive(), newClearingAnswer(), newClearingList(), newClearingNet())
	return cmd
}

// clearingFlags say whose clearing it is, and in which books.
type clearingFlags struct {
	books booksFlags
	json  bool
}

func (f *clearingFlags) register(cmd *cobra.Command, asHelp string) {
	f.books.register(cmd, asHelp)
	cmd.Flags().StringVar(&f.books.issuer, "issuer", "", "who we are, 8 digits; ledger.issuer of the configuration when left out")
}

func (f *clearingFlags) registerJSON(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, as the API gives it")
}

// run opens the books for do and closes them.
func (f *clearingFlags) run(ctx context.Context, do func(c *cityClearing) error) (err error) {
	if given := schemas.IssuerID(f.books.issuer); given != "" {
		if err := given.Validate(); err != nil {
			return fmt.Errorf("--issuer: %w", err)
		}
	}
	l, err := f.books.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cli.Failed(l.Close())) }()
	home := schemas.IssuerID(l.settings.Issuer)
	if home == "" {
		return errors.New("who are we? Give --config FILE with ledger.issuer, or --issuer and the 8 digits on our cards")
	}
	return do(&cityClearing{openLedger: l, home: home})
}

// cityClearing is the clearing of one issuer.
type cityClearing struct {
	*openLedger
	home schemas.IssuerID
}

func newClearingMake() *cobra.Command {
	var f clearingFlags
	var day, to string
	cmd := &cobra.Command{
		Use:   "make --day DAY",
		Short: "Make the files of all sales up to a day that were in none before",
		Long: "Makes a clearing file for each partner, accounting day and utility, of all sales up to DAY that were in none before, and keeps it in the\n" +
			"books. With --to, every file up to DAY that has no answer yet is written to the folder, also those that were made before: send them again\n" +
			"as often as needed, a partner takes each once. A repeat after a crash gives the same files.",
		Example: "  citygrid clearing make -c hub.yaml --day 2026-11-21 --to outbox",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			upto, err := ledger.ParseDay(day)
			if err != nil {
				return fmt.Errorf("--day: %w", err)
			}
			return f.run(cmd.Context(), func(c *cityClearing) error {
				by, err := c.person(f.books.as, "reviewer", "approver")
				if err != nil {
					return err
				}
				return cli.Failed(c.make(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), upto, to, by))
			})
		},
	}
	f.register(cmd, "who makes them (default the user of this machine)")
	cmd.Flags().StringVar(&day, "day", "", "last accounting day whose sales are taken, such as 2026-11-21")
	cmd.Flags().StringVar(&to, "to", "", "folder for the files; they stay in the books in any case")
	cli.MustRequire(cmd, "day")
	return cmd
}

func (c *cityClearing) make(ctx context.Context, out, progress io.Writer, upto ledger.Day, to, by string) error {
	made, err := c.MakeClearing(ctx, c.home, upto, by)
	if err != nil {
		return err
	}
	if err := printMade(out, &made); err != nil || to == "" {
		return err
	}
	return c.writeUnanswered(ctx, progress, upto, to)
}

// writeUnanswered writes the files up to a day that the partners have not answered.
func (c *cityClearing) writeUnanswered(ctx context.Context, progress io.Writer, upto ledger.Day, folder string) error {
	filter := books.ClearingFilter{Direction: books.Sent, To: upto, Unanswered: true, Page: books.Page{Limit: 1000}}
	for {
		list, _, err := c.ClearingFiles(ctx, filter)
		if err != nil {
			return err
		}
		for n := range list {
			if list[n].From != c.home {
				continue
			}
			if err := c.writeTo(ctx, progress, folder, list[n].FileName()); err != nil {
				return err
			}
		}
		if filter.Offset += int64(len(list)); len(list) == 0 {
			return nil
		}
	}
}

func newClearingReceive() *cobra.Command {
	var f clearingFlags
	var to string
	cmd := &cobra.Command{
		Use:   "receive FILE...",
		Short: "Take clearing files of partners, and answer them",
		Long: "Takes clearing files of partners into the books, each whole or not at all, and answers each detail: accepted where it is about a card and\n" +
			"a meter of ours and a purchase that can be, refused with the reason where not. The same file again changes nothing.",
		Example: "  citygrid clearing receive -c hub.yaml --to outbox inbox/clearing-32010002-33010001-20261121-001.csv",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			return f.take(cmd.Context(), files, func(ctx context.Context, c *cityClearing, path, by string) error {
				return c.receive(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), path, to, by)
			})
		},
	}
	f.register(cmd, "who receives them (default the user of this machine)")
	cmd.Flags().StringVar(&to, "to", "", "folder for the answers; they stay in the books in any case")
	return cmd
}

func newClearingAnswer() *cobra.Command {
	var f clearingFlags
	cmd := &cobra.Command{
		Use:     "answer FILE...",
		Short:   "Take the answers of partners to our files",
		Example: "  citygrid clearing answer -c hub.yaml inbox/answer-33010001-32010002-20261121-001.csv",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			return f.take(cmd.Context(), files, func(ctx context.Context, c *cityClearing, path, by string) error {
				return c.answer(ctx, cmd.OutOrStdout(), path, by)
			})
		},
	}
	f.register(cmd, "who takes them (default the user of this machine)")
	return cmd
}

// take hands every file to do; one that is refused does not keep back the others.
func (f *clearingFlags) take(ctx context.Context, files []string, do func(ctx context.Context, c *cityClearing, path, by string) error) error {
	return f.run(ctx, func(c *cityClearing) error {
		by, err := c.person(f.books.as, "clerk")
		if err != nil {
			return err
		}
		var errs []error
		for _, path := range files {
			if err := do(ctx, c, path, by); err != nil {
				errs = append(errs, err)
			}
			if ctx.Err() != nil {
				break
			}
		}
		return cli.Failed(errors.Join(errs...))
	})
}

func (c *cityClearing) receive(ctx context.Context, out, progress io.Writer, path, to, by string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	got, repeated, err := c.ReceiveClearing(ctx, c.home, filepath.Base(path), raw, by)
	if err != nil {
		return err
	}
	if err := c.printTaken(ctx, out, &got, repeated); err != nil || to == "" || got.Answer == nil {
		return err
	}
	return c.writeTo(ctx, progress, to, got.AnswerName())
}

func (c *cityClearing) answer(ctx context.Context, out io.Writer, path, by string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	got, repeated, err := c.ReceiveClearingAnswer(ctx, c.home, filepath.Base(path), raw, by)
	if err != nil {
		return err
	}
	return c.printTaken(ctx, out, &got, repeated)
}
