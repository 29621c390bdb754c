package main

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func newEnrol() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enrol",
		Short: "Ask the key office for this box's key bundle, and put it in place",
		Long: `Ask the key office for this box's key bundle, and put it in place.

A bundle comes to a box in ways that no carrier of the files can read:

  request, accept   the box makes an SM2 key pair; the private key stays in the box, and
                    the bundle comes back sealed to the public key
  accept --code     the bundle comes sealed under a code that is spoken over the telephone
  accept            the next bundle of a box comes sealed under the key that it has`,
	}
	cmd.AddCommand(newEnrolRequest(), newEnrolAccept())
	return cmd
}

func newEnrolRequest() *cobra.Command {
	var out, key string
	var id schemas.CollectorID
	cmd := &cobra.Command{
		Use:   "request --collector ID --out FILE",
		Short: "Make a key pair in this box and a request for the key office",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return enrolRequest(cmd, id, out, keyBeside(out, key))
		},
	}
	cmd.Flags().StringVar((*string)(&id), "collector", "", "collector id")
	cmd.Flags().StringVar(&out, "out", "", "request `FILE`, to be sent to the key office; it is not secret")
	cmd.Flags().StringVar(&key, "key", "", "private key `FILE`, which stays here (default: beside the request, .key)")
	cli.MustRequire(cmd, "collector", "out")
	return cmd
}

// keyBeside is where the private key of a request lies.
func keyBeside(request, key string) string {
	if key != "" {
		return key
	}
	return strings.TrimSuffix(request, filepath.Ext(request)) + ".key"
}

// samePath reports whether two paths are of one file, be it there or not.
func samePath(a, b string) (bool, error) {
	absA, errA := filepath.Abs(a)
	absB, errB := filepath.Abs(b)
	if err := errors.Join(errA, errB); err != nil {
		return false, err
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return absA == absB || errA == nil && errB == nil && os.SameFile(infoA, infoB), nil
}

// enrolRequest makes the key once: a request that is asked for again is of the key
// that lies there.
func enrolRequest(cmd *cobra.Command, id schemas.CollectorID, out, keyPath string) error {
	if same, err := samePath(out, keyPath); err != nil {
		return err
	} else if same {
		return fmt.Errorf("%s would hold both the request and the private key: give --out or --key another name, such as box.req", out)
	}
	key, err := seal.ReadBoxKey(keyPath)
	if errors.Is(err, fs.ErrNotExist) {
		if key, err = seal.NewBoxKey(id, rand.Reader); err != nil {
			return err
		}
		err = seal.WriteBoxKey(keyPath, key)
	}
	if err != nil {
		return err
	}
	if key.Collector != id {
		return fmt.Errorf("%s is the key of collector %s: give --key another file", keyPath, key.Collector)
	}
	request, err := key.Request()
	if err != nil {
		return err
	}
	data, err := request.MarshalFile()
	if err != nil {
		return err
	}
	if err := durable.WriteFile(out, data, 0o644); err != nil {
		return cli.Failed(err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: request of collector %s; send it to the key office and read it these words:\n  %s\n%s stays in this box until the bundle is accepted\n",
		out, id, request.Words(), keyPath)
	return nil
}

// acceptance is the flags of enrol accept.
type acceptance struct {
	in, bundle, key, code, words string
	plain                        bool
}

func newEnrolAccept() *cobra.Command {
	var a acceptance
	cmd := &cobra.Command{
		Use:   "accept --in FILE --bundle FILE",
		Short: "Open a bundle of the key office and put it in place of the old one",
		Long: `Open a bundle of the key office and put it in place of the old one.

FILE is a sealed bundle, or with --plain one that was carried here as it is. Whoever saw
a request can seal to it: a bundle for a request counts when the key office reads the same
words, which --words gives or a question asks for. A box that has a bundle
keeps its broker password where the new one has none, and its earlier keys, which what
lies in its spool was sealed under. An older bundle, and one that was accepted before,
is refused. Restart the collector afterwards; its spool goes out as it is.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd) },
	}
	cmd.Flags().StringVar(&a.in, "in", "", "`FILE` of the key office")
	cmd.Flags().StringVar(&a.bundle, "bundle", "", "where the collector's configuration has its bundle")
	cmd.Flags().StringVar(&a.key, "key", "", "private key `FILE` of the request (default: beside --in, .key)")
	cmd.Flags().StringVar(&a.code, "code", "", "where the one-time code is: fd:N (fd:0 to type it), file:PATH or env:NAME")
	cmd.Flags().StringVar(&a.words, "words", "", "words of the bundle as the key office read them; others are refused")
	cmd.Flags().BoolVar(&a.plain, "plain", false, "the bundle is not sealed: somebody who may have the key carried it here")
	cmd.MarkFlagsMutuallyExclusive("key", "code", "plain")
	cmd.MarkFlagsMutuallyExclusive("words", "plain")
	cli.MustRequire(cmd, "in", "bundle")
	return cmd
}

func (a *acceptance) run(cmd *cobra.Command) error {
	if a.plain {
		return a.runPlain(cmd)
	}
	data, err := os.ReadFile(a.in)
	if err != nil {
		return err
	}
	sealed, err := seal.ParseSealed(data)
	if err != nil {
		return fmt.Errorf("%s: %w; a bundle that was carried here as it is wants --plain", a.in, err)
	}
	if a.words != "" && a.words != sealed.Words() {
		return fmt.Errorf("the words of %s are %s: it is not the bundle that the key office sealed", a.in, sealed.Words())
	}
	record := acceptedRecord(a.bundle)
	if err := record.refuse(sealed); err != nil {
		return err
	}
	b, erase, err := a.open(sealed)
	if err != nil {
		return err
	}
	if err := a.confirm(cmd, sealed); err != nil {
		return err
	}
	if err := a.place(cmd, b); err != nil {
		return err
	}
	// From here on its generation refuses it; the record does when the bundle is gone.
	if err := errors.Join(record.add(sealed), erase()); err != nil {
		return cli.Failed(err)
	}
	return nil
}

// confirm asks whether the key office sealed the bundle. The code or the box's own key
// says so already; a request is public, and proves nothing of who answered it.
func (a *acceptance) confirm(cmd *cobra.Command, sealed *seal.SealedBundle) error {
	if a.words != "" || sealed.Method == seal.ByKey {
		return nil
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "words of the bundle, the same at the key office: %s\n", sealed.Words())
	if sealed.Method == seal.ByCode {
		return nil
	}
	fmt.Fprint(out, "does the key office read you these words? yes or no: ")
	answer, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 64)).ReadString('\n')
	fmt.Fprintln(out)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("the bundle is not accepted and nothing was changed: have the key office read the words of the bundle, and answer yes or give them with --words")
	}
	return nil
}

// runPlain takes a bundle that was carried here as it is.
func (a *acceptance) runPlain(cmd *cobra.Command) error {
	b, err := seal.ReadIssued(a.in)
	if err != nil {
		return err
	}
	if err := a.place(cmd, b); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "delete %s: it is as secret as this box\n", a.in)
	return nil
}

// open opens the bundle; erase removes the private key, whose use is over.
func (a *acceptance) open(sealed *seal.SealedBundle) (b seal.Bundle, erase func() error, err error) {
	if sealed.Method == seal.ByCode {
		if a.code == "" {
			return b, nil, fmt.Errorf("%s is sealed under a one-time code: say where it is with --code, such as fd:0 to type it", a.in)
		}
		code, err := seal.ReadPassphrase(a.code)
		if err != nil {
			return b, nil, fmt.Errorf("--code: %w", err)
		}
		b, err = sealed.OpenWithCode(code)
		return b, func() error { return nil }, err
	}
	if sealed.Method == seal.ByKey {
		old, err := seal.ReadBundle(a.bundle)
		if err != nil {
			return b, nil, fmt.Errorf("%s is sealed under the key that this box has: %w", a.in, err)
		}
		b, err = sealed.OpenAfter(&old)
		return b, func() error { return nil }, err
	}
	path := keyBeside(a.in, a.key)
	key, err := seal.ReadBoxKey(path)
	if err != nil {
		return b, nil, fmt.Errorf("%w; --key says where the key of the request lies", err)
	}
	b, err = sealed.OpenWithKey(key)
	return b, func() error { return durable.Erase(path) }, err
}

// place puts b where the collector finds it, after what is there.
func (a *acceptance) place(cmd *cobra.Command, b seal.Bundle) error {
	old, err := seal.ReadBundle(a.bundle)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = b.Validate()
	case err == nil:
		b, err = b.Succeed(&old)
	}
	if err != nil {
		return err
	}
	if err := seal.PlaceBundle(a.bundle, b); err != nil {
		return cli.Failed(err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: collector %s, key generation %#04x, check value %s; restart the collector\n",
		a.bundle, b.Collector, b.Generation, seal.CheckValue(b.Key.Secret))
	return nil
}

// acceptedFile is the record of the sealed bundles that this box has taken, beside its
// bundle: the SM3 of each in hexadecimal digits, one a line.
type acceptedFile string

func acceptedRecord(bundle string) acceptedFile { return acceptedFile(bundle + ".accepted") }

func (f acceptedFile) read() (digests []string, err error) {
	data, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(data)), err
}

// refuse refuses a sealed bundle that was taken before.
func (f acceptedFile) refuse(s *seal.SealedBundle) error {
	digests, err := f.read()
	if err != nil {
		return err
	}
	if slices.Contains(digests, hex.EncodeToString(s.Digest())) {
		return fmt.Errorf("this sealed bundle was accepted before, and counts once: ask the key office for a new one (%s)", f)
	}
	return nil
}

func (f acceptedFile) add(s *seal.SealedBundle) error {
	digests, err := f.read()
	if err != nil {
		return err
	}
	text := strings.Join(append(digests, hex.EncodeToString(s.Digest())), "\n") + "\n"
	return durable.WriteFile(string(f), []byte(text), 0o600)
}
