package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/enrolment"
	"citygrid/internal/cli"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

const passphraseHelp = "where the passphrase is: fd:N, file:PATH or env:NAME"

func newKeys() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make, issue, rotate, revoke and inspect keys, and the log of what was done with them"}
	cmd.AddCommand(newKeysInit(), newKeysIssue(), newKeysRotate(), newKeysExtend(), newKeysRevoke(), newKeysDestroy(),
		newKeysList(), newKeysAudit(), newKeysInspect())
	return cmd
}

// office is the flags of those who work on a key folder.
type office struct {
	dir, by string
	// Where the master key is: a passphrase, or a program and the tenant.
	passphrase, tenant string
	command            []string
	from               enrolment.Masters // once it was asked for
}

// flags adds them; master says whether the work needs the master key.
func (o *office) flags(cmd *cobra.Command, master bool) {
	cmd.Flags().StringVar(&o.dir, "dir", "", "folder of the key files")
	cmd.Flags().StringVar(&o.by, "as", "", "who does this, for the audit log (default: the account of this machine)")
	cli.MustRequire(cmd, "dir")
	if !master {
		return
	}
	cmd.Flags().StringVar(&o.passphrase, "passphrase", "", passphraseHelp)
	cmd.Flags().StringArrayVar(&o.command, "master-command", nil, "a program that prints the master key, and its arguments, in place of the passphrase; repeated, one each")
	cmd.Flags().StringVar(&o.tenant, "tenant", "", "with --master-command: whose key it is")
	cmd.MarkFlagsOneRequired("passphrase", "master-command")
	cmd.MarkFlagsMutuallyExclusive("passphrase", "master-command")
	cmd.MarkFlagsRequiredTogether("master-command", "tenant")
}

// open returns the office.
func (o *office) open() (enrolment.Office, error) {
	opened := enrolment.Office{Folder: enrolment.Folder(o.dir), By: o.by}
	if opened.By == "" {
		account, err := user.Current()
		if err != nil {
			return opened, fmt.Errorf("the account of this machine has no name (%w): say who it is with --as", err)
		}
		opened.By = account.Username
	}
	return opened, nil
}

// masters says where the master keys are. A passphrase can be read once.
func (o *office) masters() (enrolment.Masters, error) {
	switch {
	case o.from != nil:
	case len(o.command) > 0:
		o.from = enrolment.Command{Args: o.command, Tenant: o.tenant}
	default:
		passphrase, err := seal.ReadPassphrase(o.passphrase)
		if err != nil {
			return nil, fmt.Errorf("--passphrase: %w", err)
		}
		o.from = enrolment.SealedFiles{First: enrolment.Folder(o.dir).Master(), Passphrase: passphrase}
	}
	return o.from, nil
}

// activeMaster returns the office and the master key of which new keys are made.
func (o *office) activeMaster(ctx context.Context) (work enrolment.Office, master *seal.Master, err error) {
	work, list, from, err := o.look()
	if err != nil {
		return work, nil, err
	}
	master, err = from.Master(ctx, list.ActiveMaster())
	return work, master, err
}

// openRing returns the office, its list, and the master keys in use.
func (o *office) openRing(ctx context.Context) (enrolment.Office, *enrolment.List, *seal.Ring, error) {
	work, list, from, err := o.look()
	if err != nil {
		return work, nil, nil, err
	}
	ring, err := enrolment.OpenRing(ctx, list, from, nil)
	return work, list, ring, err
}

func (o *office) look() (work enrolment.Office, list *enrolment.List, from enrolment.Masters, err error) {
	if work, err = o.open(); err != nil {
		return work, nil, nil, err
	}
	if from, err = o.masters(); err != nil {
		return work, nil, nil, err
	}
	list, err = enrolment.Load(work.List())
	return work, list, from, err
}

func newKeysInit() *cobra.Command {
	var o office
	var tenant, passphrase string
	var command []string
	var rounds int
	cmd := &cobra.Command{
		Use:   "init --dir DIR --tenant NAME --passphrase SOURCE",
		Short: "Draw a master key, seal it by a passphrase, and make the hub's account at the broker",
		Long: `Draw a master key, seal it by a passphrase, and make the hub's account at the broker.

With --master-command a key service keeps the master key: the program prints that of
generation 1, and no file of it is written.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := o.open()
			if err != nil {
				return err
			}
			if len(command) > 0 {
				return initKept(cmd, folder, enrolment.Command{Args: command, Tenant: tenant})
			}
			sealedBy, err := seal.ReadPassphrase(passphrase)
			if err != nil {
				return fmt.Errorf("--passphrase: %w", err)
			}
			if err := folder.Init(tenant, sealedBy, rounds); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: master key of tenant %s; keep a copy of the file and of the passphrase, each in a place of its own\n",
				folder.Master(), tenant)
			return nil
		},
	}
	o.flags(cmd, false)
	cmd.Flags().StringVar(&tenant, "tenant", "", "name of the city or utility; part of every key")
	cmd.Flags().StringVar(&passphrase, "passphrase", "", passphraseHelp)
	cmd.Flags().StringArrayVar(&command, "master-command", nil, "a program that prints the master key, and its arguments; repeated, one each")
	cmd.Flags().IntVar(&rounds, "rounds", seal.MinRounds, "rounds of PBKDF2-HMAC-SM3")
	cli.MustRequire(cmd, "tenant")
	cmd.MarkFlagsOneRequired("passphrase", "master-command")
	cmd.MarkFlagsMutuallyExclusive("passphrase", "master-command")
	return cmd
}

// initKept makes a folder whose master key a key service keeps.
func initKept(cmd *cobra.Command, folder enrolment.Office, from enrolment.Command) error {
	master, err := from.Master(cmd.Context(), 1)
	if err != nil {
		return err
	}
	if err := folder.InitWith(master, func() error { return nil }); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: keys of tenant %s; the master key, check value %s, stays with %s\n",
		folder.List(), from.Tenant, seal.CheckValue(master.Secret), from.Args[0])
	return nil
}

// travel is the flags of how a bundle comes to its box.
type travel struct {
	request string
	code    bool
	plain   bool                                  // as it is
	ring    *seal.Ring                            // of the keys that are rotated; nil: there is none to seal under
	codes   map[schemas.CollectorID]secret.Secret // that were drawn
	words   map[schemas.CollectorID]string        // of what was sealed
}

func (t *travel) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.request, "request", "", "seal the bundle to the box that made this `FILE` with collector enrol request")
	cmd.Flags().BoolVar(&t.code, "code", false, "seal the bundle under a one-time code, which is printed, to be spoken over the telephone")
	cmd.MarkFlagsMutuallyExclusive("request", "code")
}

// wrap returns what seals a bundle; nil for a bundle that is carried as it is.
func (t *travel) wrap() (enrolment.Wrap, error) {
	t.codes, t.words = map[schemas.CollectorID]secret.Secret{}, map[schemas.CollectorID]string{}
	switch {
	case t.code:
		return t.noted(func(b seal.Bundle, _ uint16) ([]byte, error) {
			code, err := seal.NewCode(rand.Reader)
			if err != nil {
				return nil, err
			}
			t.codes[b.Collector] = code
			return seal.SealWithCode(code, b, rand.Reader)
		}), nil
	case t.request != "":
		data, err := os.ReadFile(t.request)
		if err != nil {
			return nil, fmt.Errorf("--request: %w", err)
		}
		request, err := seal.ParseRequest(data)
		if err != nil {
			return nil, fmt.Errorf("--request %s: %w", t.request, err)
		}
		return t.noted(func(b seal.Bundle, _ uint16) ([]byte, error) { return seal.SealFor(request, b, rand.Reader) }), nil
	case t.underOldKey():
		return t.noted(t.sealWithOld), nil
	}
	return nil, nil
}

// underOldKey reports whether the bundle is sealed under the key that the box has.
func (t *travel) underOldKey() bool { return t.request == "" && !t.code && !t.plain && t.ring != nil }

func (t *travel) sealWithOld(b seal.Bundle, before uint16) ([]byte, error) {
	old, err := t.ring.CollectorKey(seal.DefaultProvider(), before, string(b.Collector))
	if err != nil {
		return nil, fmt.Errorf("%w; give --code, --request or --plain", err)
	}
	return seal.SealWithKey(old, before, b, rand.Reader)
}

// noted keeps the words of what wrap seals.
func (t *travel) noted(wrap enrolment.Wrap) enrolment.Wrap {
	return func(b seal.Bundle, before uint16) ([]byte, error) {
		data, err := wrap(b, before)
		if err != nil {
			return nil, err
		}
		sealed, err := seal.ParseSealed(data)
		if err != nil {
			return nil, err
		}
		t.words[b.Collector] = sealed.Words()
		return data, nil
	}
}

// suffix is that of the bundle files.
func (t *travel) suffix() string {
	if t.request != "" || t.code || t.underOldKey() {
		return ".sealed"
	}
	return ".bundle"
}

// tell says what was written and how it comes to the box.
func (t *travel) tell(cmd *cobra.Command, i enrolment.Issued) {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s: bundle of collector %s, key generation %#04x, check value %s; ", i.Bundle, i.Collector, i.Generation, i.Key)
	words, sealed := t.words[i.Collector]
	if !sealed {
		fmt.Fprintln(out, "bring it to the box and delete it here")
		return
	}
	if t.underOldKey() {
		fmt.Fprintln(out, "send it to the box, where collector enrol accept opens it with the key that it has")
		return
	}
	fmt.Fprintf(out, "send it to the box, where collector enrol accept opens it\n  words of the bundle, the same at the box: %s\n", words)
	if code, ok := t.codes[i.Collector]; ok {
		fmt.Fprintf(out, "  one-time code, shown here only: %s\n", code.Reveal())
	}
}

func newKeysIssue() *cobra.Command {
	var r enrolment.Request
	var o office
	var t travel
	cmd := &cobra.Command{
		Use:   "issue --dir DIR --area CODE --collector ID --passphrase SOURCE",
		Short: "Enrol a collector: its key bundle and its account at the broker",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, master, err := o.activeMaster(cmd.Context())
			if err != nil {
				return err
			}
			if r.Wrap, err = t.wrap(); err != nil {
				return err
			}
			if r.Bundle == "" {
				r.Bundle = filepath.Join(o.dir, string(r.Collector)+t.suffix())
			}
			issued, err := folder.Issue(master, r)
			if err != nil {
				return err
			}
			t.tell(cmd, issued)
			return nil
		},
	}
	o.flags(cmd, true)
	t.flags(cmd)
	cmd.Flags().StringVar((*string)(&r.Area), "area", "", "area code: 6, 9 or 12 digits")
	cmd.Flags().StringVar((*string)(&r.Collector), "collector", "", "collector id: 1 to 32 of 0-9 A-Z a-z _ -")
	cmd.Flags().StringVar(&r.Bundle, "out", "", "bundle file (default DIR/ID.bundle, or DIR/ID.sealed)")
	cmd.Flags().StringVar(&r.Note, "note", "", "where the box stands, for the enrolment list")
	cmd.Flags().BoolVar(&r.Renew, "renew", false, "give an enrolled or revoked collector a new key; its old ones are refused from then on")
	cli.MustRequire(cmd, "area", "collector")
	return cmd
}

func newKeysRevoke() *cobra.Command {
	var o office
	var id schemas.CollectorID
	cmd := &cobra.Command{
		Use:   "revoke --dir DIR --collector ID",
		Short: "Shut a collector out, from the hub and from the broker, until it is issued a new key",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := o.open()
			if err != nil {
				return err
			}
			if err := folder.Revoke(id); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "collector %s is revoked; %s\n", id, hangUp)
			return nil
		},
	}
	o.flags(cmd, false)
	cmd.Flags().StringVar((*string)(&id), "collector", "", "collector id")
	cli.MustRequire(cmd, "collector")
	return cmd
}

// hangUp puts a change of the list in force.
const hangUp = "send SIGHUP to the hub and to the broker, which read the list again"

func newKeysInspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what a master key file, a bundle, a sealed bundle or a request is, without showing a key",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			m, notMaster := seal.InspectMaster(args[0])
			if notMaster == nil {
				fmt.Fprintf(out, "master key: tenant %s, generation %d, sealed with %d rounds of PBKDF2-HMAC-SM3\n", m.Tenant, m.Generation, m.Rounds)
				return nil
			}
			if text, ok := inspectTravelling(args[0]); ok {
				fmt.Fprintln(out, text)
				return nil
			}
			b, notBundle := seal.ReadIssued(args[0])
			if notBundle != nil {
				return fmt.Errorf("neither a master key file nor a bundle: %w; %w", notMaster, notBundle)
			}
			fmt.Fprintf(out, "bundle: tenant %s, area %s, collector %s, key generation %#04x, check value %s, key %v, broker user %s, password %v%s\n",
				b.Tenant, b.Area, b.Collector, b.Generation, seal.CheckValue(b.Key.Secret), b.Key, b.BrokerUser, b.BrokerPassword, keptBy(&b))
			return nil
		},
	}
}

// keptBy says what a bundle keeps of the one before it.
func keptBy(b *seal.Bundle) string {
	text := ""
	if b.BrokerPassword.IsZero() {
		text = " as it is in the box"
	}
	for i, p := range b.Previous {
		if i == 0 {
			text += ", earlier keys"
		}
		text += fmt.Sprintf(" %#04x", p.Generation)
	}
	return text
}

// inspectTravelling says what a file that is not secret is.
func inspectTravelling(path string) (string, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", false
	}
	if r, err := seal.ParseRequest(data); err == nil {
		return fmt.Sprintf("enrolment request: collector %s, words %s", r.Collector, r.Words()), true
	}
	if s, err := seal.ParseSealed(data); err == nil {
		return fmt.Sprintf("sealed bundle: collector %s, key generation %#04x, sealed by %s, words %s", s.Collector, s.Generation, s.Method, s.Words()), true
	}
	return "", false
}

func newKeysAudit() *cobra.Command {
	var dir, known string
	var check, asJSON bool
	cmd := &cobra.Command{
		Use:   "audit --dir DIR",
		Short: "List what was done with keys, and check that nothing in the list was changed",
		Long: `List what was done with keys, and check that nothing in the list was changed.

Each line holds the SM3 of the line before, and the enrolment list holds that of the
last. Who may write in the key folder can write all of them anew: keep the head that
--check prints elsewhere, and give it again with --head.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			head, err := parseHead(known)
			if err != nil {
				return err
			}
			folder := enrolment.Folder(dir)
			if err := folder.Check(); err != nil {
				return err
			}
			log, err := folder.ReadAudit(head)
			if log != nil && !check {
				if e := printAudit(cmd, log, asJSON); e != nil {
					return e
				}
			}
			if broken := (*enrolment.BrokenError)(nil); errors.As(err, &broken) {
				return cli.Failed(err)
			}
			if err != nil || !check {
				return err
			}
			return tellHead(cmd, log)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the key files")
	cmd.Flags().BoolVar(&check, "check", false, "check only, and print the head, to be kept elsewhere")
	cmd.Flags().StringVar(&known, "head", "", "a head that was kept, `N:DIGEST`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "the entries as JSON, one a line")
	cli.MustRequire(cmd, "dir")
	return cmd
}

func parseHead(text string) (enrolment.Head, error) {
	if text == "" {
		return enrolment.Head{}, nil
	}
	number, digest, ok := strings.Cut(text, ":")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || len(digest) != 64 {
		return enrolment.Head{}, errors.New("--head: want N:DIGEST as --check printed it")
	}
	return enrolment.Head{Entries: n, Last: digest}, nil
}

func tellHead(cmd *cobra.Command, log *enrolment.Log) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%d entries, each follows from the one before; head %d:%s\n", len(log.Entries), log.Head.Entries, log.Head.Last)
	if log.Unfinished > 0 {
		fmt.Fprintf(out, "the last %d were written down and not done: the program was stopped between\n", log.Unfinished)
	}
	if log.Torn > 0 {
		fmt.Fprintf(out, "%d bytes of a line that was cut short stand at the end\n", log.Torn)
	}
	return nil
}

func newKeysExtend() *cobra.Command {
	var o office
	var id schemas.CollectorID
	var grace time.Duration
	cmd := &cobra.Command{
		Use:   "extend --dir DIR --collector ID",
		Short: "Let a collector's rotated keys open longer: its box comes back with an old spool",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := o.open()
			if err != nil {
				return err
			}
			n, err := folder.Extend(id, grace)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("collector %s has no rotated key that is not destroyed", id)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d keys of collector %s open for %v more; %s\n", n, id, grace, hangUp)
			return nil
		},
	}
	o.flags(cmd, false)
	cmd.Flags().StringVar((*string)(&id), "collector", "", "collector id")
	cmd.Flags().DurationVar(&grace, "grace", enrolment.DefaultGrace, "how long from now")
	cli.MustRequire(cmd, "collector")
	return cmd
}
