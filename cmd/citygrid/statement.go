package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/statement"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/internal/gm"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func newStatement() *cobra.Command {
	cmd := &cobra.Command{Use: "statement", Short: "Show, sign and verify statements of reconciliation"}
	cmd.AddCommand(newStatementShow(), newStatementVerify(), newStatementSign(), newStatementKey())
	return cmd
}

func newStatementShow() *cobra.Command {
	var flags booksFlags
	var utility, format, lang, file, folder string
	var id int64
	var pdf bool
	cmd := &cobra.Command{
		Use:   "show (--run N | --utility NAME | --file FILE)",
		Short: "Print the statement of a run, of the last run of a utility, or of a file; or write all its forms",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			of, err := utilityOf(utility, true)
			if err != nil {
				return err
			}
			if err := canPrint(pdf, folder); err != nil {
				return err
			}
			language, err := statement.ParseLanguage(lang)
			if err != nil {
				return fmt.Errorf("--lang: %w", err)
			}
			show := func(d *statement.Document) error {
				if folder != "" {
					return cli.Failed(writeForms(cmd.Context(), d, language, folder, pdf, cmd.ErrOrStderr()))
				}
				return writeForm(cmd.OutOrStdout(), d, format, language)
			}
			if file != "" && id == 0 && utility == "" {
				d, err := readStatement(file)
				if err != nil {
					return err
				}
				return show(d)
			}
			if (id == 0) == (utility == "") || file != "" {
				return errors.New("which statement? Give one of --run N, --utility NAME and --file FILE")
			}
			l, err := flags.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cli.Failed(l.Close())) }()
			d, err := l.statementOf(cmd.Context(), id, of)
			if err != nil {
				return cli.Failed(err)
			}
			return show(d)
		},
	}
	flags.register(cmd, "")
	cmd.Flags().Int64Var(&id, "run", 0, "number of the run (citygrid reconcile list)")
	cmd.Flags().StringVar(&utility, "utility", "", "water, power or gas")
	cmd.Flags().StringVar(&file, "file", "", "a statement (.json), signed or not")
	cmd.Flags().StringVar(&format, "format", "txt", "txt, json, csv, xlsx or html")
	cmd.Flags().StringVar(&lang, "lang", "zh-CN", "language: zh-CN or en")
	cmd.Flags().StringVar(&folder, "out", "", "write JSON, CSV, XLSX and HTML to this folder instead of printing")
	cmd.Flags().BoolVar(&pdf, "pdf", false, "write a PDF too; it takes a Chromium on this machine")
	return cmd
}

// readStatement reads a statement file; one that is not valid is a failure.
func readStatement(file string) (*statement.Document, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the statement: %w", err)
	}
	d, err := statement.Parse(data)
	if err != nil {
		return nil, cli.Failed(fmt.Errorf("%s is NOT valid: %w", file, err))
	}
	return d, nil
}

func (l *openLedger) statementOf(ctx context.Context, id int64, utility schemas.Medium) (*statement.Document, error) {
	run, err := books.RunSummary{}, error(nil)
	if id != 0 {
		run, err = l.RunByID(ctx, id)
	} else {
		run, err = l.LatestRun(ctx, utility)
	}
	if err != nil {
		return nil, err
	}
	return l.statement(ctx, &run)
}

func writeForm(out io.Writer, d *statement.Document, format string, lang statement.Language) error {
	if format == "json" {
		text, err := d.Marshal()
		if err != nil {
			return cli.Failed(err)
		}
		_, err = out.Write(text)
		return cli.Failed(err)
	}
	write, ok := statement.WriterOf("." + format)
	if !ok {
		return fmt.Errorf("--format %q: want txt, json, csv, xlsx or html", format)
	}
	return cli.Failed(write(out, d, lang))
}

func newStatementVerify() *cobra.Command {
	var of string
	var trust []string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check digest, sums and signatures of a statement, or a printed form against its statement",
		Long: "Checks a statement (.json) by itself. A form for people (.csv, .xlsx, .html, .txt) is made again from its statement, which is the .json\n" +
			"file of the same name beside it or the one of --statement, and compared.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := readPublicKeys(trust)
			if err != nil {
				return err
			}
			file := args[0]
			if of == "" {
				of = strings.TrimSuffix(file, filepath.Ext(file)) + ".json"
			}
			d, err := readStatement(of)
			if errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("%w; --statement FILE names another", err)
			}
			if err != nil {
				return err
			}
			if filepath.Clean(file) != filepath.Clean(of) {
				if err := verifyForm(file, d); err != nil {
					return err
				}
			}
			return cli.Failed(report(cmd.OutOrStdout(), file, d, keys))
		},
	}
	cmd.Flags().StringVar(&of, "statement", "", "the statement that a printed form was made of (default the .json file beside it)")
	cmd.Flags().StringArrayVar(&trust, "trust", nil, "public key (PEM) of a person whose signature must be on it; may be given again")
	return cmd
}

// trusted is a public key with the name of its file.
type trusted struct {
	file string
	key  gm.SM2Public
}

func readPublicKeys(paths []string) (keys []trusted, err error) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--trust: %w", err)
		}
		key, err := gm.ParseSM2Public(text)
		if err != nil {
			return nil, fmt.Errorf("--trust %s: %w", path, err)
		}
		keys = append(keys, trusted{path, key})
	}
	return keys, nil
}

func verifyForm(file string, d *statement.Document) error {
	form, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the form: %w", err)
	}
	if err := statement.CompareForm(file, form, d); err != nil {
		return cli.Failed(fmt.Errorf("%s is NOT what its statement says: %w", file, err))
	}
	return nil
}

// report says what was verified, and fails when a key that was named has not
// signed.
func report(out io.Writer, file string, d *statement.Document, keys []trusted) error {
	s := d.Statement
	fmt.Fprintf(out, "%s: valid statement of %s, %s to %s, run %d version %d, prepared by %s\n", file, s.Utility, s.From, s.To, s.Run.ID, s.Run.Version, s.Prepared.By)
	fmt.Fprintf(out, "SM3 %s\n", d.Digest)
	if len(d.Signatures) == 0 {
		fmt.Fprintln(out, "no signatures")
	}
	for n := range d.Signatures {
		g := &d.Signatures[n]
		whose := "by the key in the file; give --trust to check whose it is"
		if n := slices.IndexFunc(keys, func(k trusted) bool { return d.Trusted(g, []gm.SM2Public{k.key}) }); n >= 0 {
			whose = "by the key " + keys[n].file
		} else if len(keys) > 0 {
			whose = "by a key that you did NOT name"
		}
		fmt.Fprintf(out, "%s: %s at %s, signature right, %s\n", g.Role, g.Person, g.At, whose)
	}
	var missing []error
	for _, k := range keys {
		if !slices.ContainsFunc(d.Signatures, func(g statement.Signature) bool { return d.Trusted(&g, []gm.SM2Public{k.key}) }) {
			missing = append(missing, fmt.Errorf("%s is not signed with the key %s", file, k.file))
		}
	}
	return errors.Join(missing...)
}

func newStatementSign() *cobra.Command {
	var key, passphrase, role, as string
	cmd := &cobra.Command{
		Use:   "sign FILE --key FILE --passphrase SOURCE --role prepared|reviewed|approved --as PERSON",
		Short: "Sign a statement with SM2; three roles, three persons",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			signer, err := readSigningKey(key, passphrase)
			if err != nil {
				return err
			}
			d, err := readStatement(args[0])
			if err != nil {
				return err
			}
			if err := d.Sign(signer, rand.Reader, statement.Role(role), as, time.Now()); err != nil {
				return err
			}
			text, err := d.Marshal()
			if err != nil {
				return cli.Failed(err)
			}
			if err := durable.WriteFile(args[0], text, 0o644); err != nil {
				return cli.Failed(fmt.Errorf("write the statement: %w", err))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s by %s; its forms show it when they are printed again (citygrid statement show --file)\n", args[0], role, as)
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "key file of citygrid statement key")
	cmd.Flags().StringVar(&passphrase, "passphrase", "", passphraseHelp)
	cmd.Flags().StringVar(&role, "role", "", "prepared, reviewed or approved")
	cmd.Flags().StringVar(&as, "as", "", "who signs")
	cli.MustRequire(cmd, "key", "passphrase", "role", "as")
	return cmd
}

func readSigningKey(path, passphrase string) (gm.SM2Key, error) {
	opened, err := seal.ReadPassphrase(passphrase)
	if err != nil {
		return gm.SM2Key{}, fmt.Errorf("--passphrase: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return gm.SM2Key{}, fmt.Errorf("read the signing key: %w", err)
	}
	k, err := gm.ParseSM2Key(text, opened.Reveal())
	if err != nil {
		return gm.SM2Key{}, fmt.Errorf("read the signing key %s: %w", path, err)
	}
	return k, nil
}

func newStatementKey() *cobra.Command {
	var out, passphrase string
	cmd := &cobra.Command{
		Use:   "key --out FILE --passphrase SOURCE",
		Short: "Draw a person's SM2 key for signing: FILE.key sealed by a passphrase, and FILE.pub for everybody",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sealedBy, err := seal.ReadPassphrase(passphrase)
			if err != nil {
				return fmt.Errorf("--passphrase: %w", err)
			}
			for _, name := range []string{out + ".key", out + ".pub"} {
				if _, err := os.Lstat(name); err == nil {
					return fmt.Errorf("%s is there already and is not replaced; give --out another name", name)
				}
			}
			if err := drawKey(out, sealedBy.Reveal()); err != nil {
				return cli.Failed(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s.key signs and stays with its person; give %s.pub to everybody who verifies\n", out, out)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "name of the files, without .key and .pub")
	cmd.Flags().StringVar(&passphrase, "passphrase", "", passphraseHelp)
	cli.MustRequire(cmd, "out", "passphrase")
	return cmd
}

func drawKey(out string, passphrase []byte) error {
	k, err := gm.NewSM2Key(rand.Reader)
	if err != nil {
		return err
	}
	private, err := k.Encrypted(passphrase, seal.MinRounds)
	if err != nil {
		return err
	}
	public, err := k.Public().PEM()
	if err != nil {
		return err
	}
	return errors.Join(durable.WriteFile(out+".key", private, 0o600), durable.WriteFile(out+".pub", public, 0o644))
}
