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

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/ledger/statement"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/schemas"
)

// The summary goes to standard output, progress and the names of files to
// standard error.

func newReconcile() *cobra.Command {
	var r reconciliation
	cmd := &cobra.Command{
		Use:   "reconcile --utility NAME --date DAY [--to DAY]",
		Short: "Compare sales, payments, cards and meters, and print the statement",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	r.books.register(cmd, "who makes the run (default the user of this machine)")
	cmd.Flags().StringVar(&r.utility, "utility", "", "water, power or gas")
	cmd.Flags().StringVar(&r.from, "date", "", "accounting day, or the first of several")
	cmd.Flags().StringVar(&r.to, "to", "", "last accounting day (default --date)")
	cmd.Flags().StringVar(&r.out, "out", "", "folder for the statement as JSON, CSV, XLSX and HTML")
	cmd.Flags().BoolVar(&r.pdf, "pdf", false, "write a PDF too; it takes a Chromium on this machine")
	cmd.Flags().StringVar(&r.lang, "lang", "zh-CN", "language of the statement: zh-CN or en")
	cli.MustRequire(cmd, "utility", "date")
	cmd.AddCommand(newReconcileList(), newReconcileWaiting())
	return cmd
}

// reconciliation is the command with its flags.
type reconciliation struct {
	books                        booksFlags
	utility, from, to, out, lang string
	pdf                          bool
}

func (r *reconciliation) run(ctx context.Context, out, progress io.Writer) (err error) {
	span, err := r.span()
	if err != nil {
		return err
	}
	lang, err := statement.ParseLanguage(r.lang)
	if err != nil {
		return fmt.Errorf("--lang: %w", err)
	}
	if err := canPrint(r.pdf, r.out); err != nil {
		return err
	}
	l, err := r.books.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cli.Failed(l.Close())) }()
	by, err := l.person(r.books.as, "clerk")
	if err != nil {
		return err
	}
	closeRegisters, err := l.openRegisters()
	if err != nil {
		return err
	}
	defer closeRegisters()
	d, err := l.reconcile(ctx, schemas.Medium(r.utility), span, by, progress)
	if err != nil {
		return cli.Failed(err)
	}
	// The files first: whoever reads the summary may go away before its end.
	var written error
	if r.out != "" {
		written = writeForms(ctx, d, lang, r.out, r.pdf, progress)
	}
	return cli.Failed(errors.Join(written, statement.Text(out, d, lang)))
}

// canPrint finds out before the work whether a PDF can be made.
func canPrint(pdf bool, folder string) error {
	if !pdf {
		return nil
	}
	if folder == "" {
		return errors.New("--pdf: give --out FOLDER too")
	}
	if err := statement.CanPrint(); err != nil {
		return fmt.Errorf("--pdf: %w", err)
	}
	return nil
}

func (r *reconciliation) span() (s reconcile.Span, err error) {
	if s.From, err = ledger.ParseDay(r.from); err != nil {
		return s, fmt.Errorf("--date: %w", err)
	}
	if s.To = s.From; r.to != "" {
		if s.To, err = ledger.ParseDay(r.to); err != nil {
			return s, fmt.Errorf("--to: %w", err)
		}
	}
	if s.To < s.From {
		return s, fmt.Errorf("--to %s is before --date %s", s.To, s.From)
	}
	_, err = utilityOf(r.utility, false)
	return s, err
}

// writeForms writes a statement in all forms to a folder, with a PDF if asked. A
// statement that is there already is not written over: it may be signed.
func writeForms(ctx context.Context, d *statement.Document, lang statement.Language, folder string, pdf bool, progress io.Writer) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("folder for the statement: %w", err)
	}
	s := d.Statement
	base := filepath.Join(folder, fmt.Sprintf("statement-%s-%s-v%d", s.Utility, s.To, s.Run.Version))
	if err := free(base+".json", d); err != nil {
		return err
	}
	forms := []string{".json", ".csv", ".xlsx", ".html"}
	if pdf {
		forms = append(forms, ".pdf")
	}
	for _, form := range forms {
		out, err := render(ctx, d, lang, form)
		if err != nil {
			return err
		}
		if err := durable.WriteFile(base+form, out, 0o644); err != nil {
			return fmt.Errorf("write the statement: %w", err)
		}
		fmt.Fprintf(progress, "wrote %s\n", base+form)
	}
	return nil
}

// free says that path holds no statement, or this one without signatures.
func free(path string, d *statement.Document) error {
	held, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the statement: %w", err)
	}
	if mine, err := d.Marshal(); err != nil || bytes.Equal(held, mine) {
		return err
	}
	return fmt.Errorf("%s is there already and is another statement, or signed; nothing was written. Name another folder: citygrid statement show --run %d --out FOLDER", path, d.Statement.Run.ID)
}

func render(ctx context.Context, d *statement.Document, lang statement.Language, form string) ([]byte, error) {
	switch form {
	case ".json":
		return d.Marshal()
	case ".pdf":
		return statement.PDF(ctx, d, lang)
	}
	write, ok := statement.WriterOf(form)
	if !ok {
		return nil, fmt.Errorf("no form %q of a statement", form)
	}
	var out bytes.Buffer
	err := write(&out, d, lang)
	return out.Bytes(), err
}

func newReconcileList() *cobra.Command {
	var flags booksFlags
	var utility string
	var limit int64
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the runs, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			of, err := utilityOf(utility, true)
			if err != nil {
				return err
			}
			l, err := flags.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cli.Failed(l.Close())) }()
			runs, err := l.Runs(cmd.Context(), of, books.Page{Limit: limit})
			if err != nil {
				return cli.Failed(err)
			}
			return cli.Failed(listRuns(cmd.OutOrStdout(), runs))
		},
	}
	flags.register(cmd, "")
	cmd.Flags().StringVar(&utility, "utility", "", "only runs of water, power or gas")
	cmd.Flags().Int64Var(&limit, "limit", 50, "at most so many")
	return cmd
}

func listRuns(out io.Writer, runs []books.RunSummary) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tUTILITY\tFROM\tTO\tVERSION\tSTATE\tOPEN\tYUAN\tBY\tAT\tTOOK")
	for n := range runs {
		r := &runs[n]
		var open reconcile.Tally
		for _, c := range r.Figures.Classes {
			open.Count, open.Fen = open.Count+c.Closing.Count, open.Fen+c.Closing.Fen
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\t%s\t%s\n", r.ID, r.Utility, r.Span.From, r.Span.To, r.Version, r.State,
			open.Count, open.Fen, r.By, r.At.Format(time.RFC3339), r.Took)
	}
	return w.Flush()
}
