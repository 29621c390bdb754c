package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/internal/certs"
	"citygrid/internal/cli"
	"citygrid/internal/secret"
	"citygrid/schemas/seal"
)

// soonEnds is how long before its end a certificate is told about.
const soonEnds = 30 * 24 * time.Hour

func newCerts(now func() time.Time) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "A small authority for TLS: make, issue, renew, revoke and list certificates",
		Long: `A small authority for TLS: make, issue, renew, revoke and list certificates.

Keep its folder on a machine without a network. Brokers, hubs and collectors get
ca.crt and their own .crt and .key; brokers that ask for client certificates get
crl.pem too, again after every revocation. ca.key never leaves.`,
	}
	cmd.AddCommand(newCertsInit(now), newCertsIssue(now), newCertsRenew(now), newCertsRevoke(now), newCertsList(now))
	return cmd
}

// certsFlags are what the commands share.
type certsFlags struct {
	dir, passphrase        string
	server, collector, hub string
	dns, ip                []string
	days                   int
	cluster                bool
	signing, serial        string
}

func (c *certsFlags) folder() certs.Folder { return certs.Folder(c.dir) }

func (c *certsFlags) sealedBy() (secret.Secret, error) {
	p, err := seal.ReadPassphrase(c.passphrase)
	if err != nil {
		return p, fmt.Errorf("--passphrase: %w", err)
	}
	return p, nil
}

func (c *certsFlags) addFolder(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.dir, "dir", "", "folder of the authority")
	cli.MustRequire(cmd, "dir")
}

func (c *certsFlags) addPassphrase(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.passphrase, "passphrase", "", passphraseHelp)
	cli.MustRequire(cmd, "passphrase")
}

func (c *certsFlags) addWho(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.server, "server", "", "a broker or a hub's pages, by host name or address")
	cmd.Flags().StringVar(&c.collector, "collector", "", "a collector, by its id")
	cmd.Flags().StringVar(&c.hub, "hub", "", "a hub, by its user at the broker")
	cmd.MarkFlagsOneRequired("server", "collector", "hub")
	cmd.MarkFlagsMutuallyExclusive("server", "collector", "hub")
}

func (c *certsFlags) addWhat(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&c.dns, "dns", nil, "more host names of a server")
	cmd.Flags().StringSliceVar(&c.ip, "ip", nil, "more addresses of a server")
	cmd.Flags().BoolVar(&c.cluster, "cluster", false, "a server of a NATS cluster: the others take it as a client")
	cmd.Flags().IntVar(&c.days, "days", 730, fmt.Sprintf("how long it lasts, 1 to %d", certs.MaxDays))
	cmd.Flags().StringVar(&c.signing, "request", "", "certificate request of a device that keeps its key to itself, PEM `FILE`")
}

func (c *certsFlags) who() (kind certs.Kind, name string) {
	switch {
	case c.server != "":
		return certs.Server, c.server
	case c.collector != "":
		return certs.Collector, c.collector
	}
	return certs.Hub, c.hub
}

func (c *certsFlags) request() (r certs.Request, err error) {
	r.Kind, r.Name = c.who()
	r.Hosts, r.Cluster, r.Days = append(append([]string(nil), c.dns...), c.ip...), c.cluster, c.days
	if c.signing != "" {
		if r.Signing, err = os.ReadFile(c.signing); err != nil {
			return r, fmt.Errorf("--request: %w", err)
		}
	}
	return r, nil
}

func newCertsInit(now func() time.Time) *cobra.Command {
	var c certsFlags
	var name string
	cmd := &cobra.Command{
		Use:   "init --dir DIR --name NAME --passphrase SOURCE",
		Short: "Make an authority for ten years, its key sealed by a passphrase",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pass, err := c.sealedBy()
			if err != nil {
				return err
			}
			if err := c.folder().Init(name, pass, now()); err != nil {
				return err
			}
			a, err := c.folder().Authority()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: authority %s until %s, sha256 %s\nkeep a copy of the folder and of the passphrase, each in a place of its own\n",
				c.folder().CA(), a.Name, a.Ends.Format(time.DateOnly), a.Fingerprint)
			return err
		},
	}
	c.addFolder(cmd)
	c.addPassphrase(cmd)
	cmd.Flags().StringVar(&name, "name", "", "name of the authority, such as that of the city")
	cli.MustRequire(cmd, "name")
	return cmd
}

func newCertsIssue(now func() time.Time) *cobra.Command {
	return newCertsSign(now, "issue", "Make a certificate and its key; nothing that is there is overwritten",
		func(f certs.Folder, p secret.Secret, r certs.Request, at time.Time) (certs.Issued, error) {
			return f.Issue(p, r, at)
		})
}

func newCertsRenew(now func() time.Time) *cobra.Command {
	return newCertsSign(now, "renew", "Make a certificate with a new key in place of a live one, which stays good until it ends or is revoked",
		func(f certs.Folder, p secret.Secret, r certs.Request, at time.Time) (certs.Issued, error) {
			return f.Renew(p, r, at)
		})
}

func newCertsSign(now func() time.Time, verb, short string, do func(certs.Folder, secret.Secret, certs.Request, time.Time) (certs.Issued, error)) *cobra.Command {
	var c certsFlags
	cmd := &cobra.Command{
		Use:   verb + " --dir DIR --passphrase SOURCE (--server NAME [--dns ...] [--ip ...] | --collector ID | --hub NAME)",
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := c.request()
			if err != nil {
				return err
			}
			pass, err := c.sealedBy()
			if err != nil {
				return err
			}
			out, err := do(c.folder(), pass, r, now())
			if err != nil {
				return err
			}
			return printIssued(cmd.OutOrStdout(), out)
		},
	}
	c.addFolder(cmd)
	c.addPassphrase(cmd)
	c.addWho(cmd)
	c.addWhat(cmd)
	return cmd
}

func printIssued(out io.Writer, i certs.Issued) error {
	key := "its key stays on the device"
	if i.Key != "" {
		key = "key " + i.Key + "; bring it to its place and delete it here"
	}
	_, err := fmt.Fprintf(out, "%s: %s %s until %s, serial %s, sha256 %s\n%s\n", i.Cert, i.Kind, i.Name, i.Ends.Format(time.DateOnly), i.Serial, i.Fingerprint, key)
	return err
}

func newCertsRevoke(now func() time.Time) *cobra.Command {
	var c certsFlags
	cmd := &cobra.Command{
		Use:   "revoke --dir DIR --passphrase SOURCE (--server NAME | --collector ID | --hub NAME) [--serial HEX]",
		Short: "Put the live certificates of a name, or one by its serial number, on the list of revoked ones",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pass, err := c.sealedBy()
			if err != nil {
				return err
			}
			kind, name := c.who()
			serial := strings.TrimLeft(strings.ToLower(strings.ReplaceAll(c.serial, ":", "")), "0")
			if c.serial != "" && serial == "" {
				return errors.New("--serial: want the hexadecimal number that citygrid certs ls shows")
			}
			revoked, err := c.folder().Revoke(pass, kind, name, serial, now())
			if err != nil {
				return err
			}
			for _, r := range revoked {
				fmt.Fprintf(cmd.OutOrStdout(), "revoked: %s %s, serial %s\n", r.Kind, r.Name, r.Serial)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "copy %s to the brokers and send them SIGHUP\n", c.folder().CRL())
			return err
		},
	}
	c.addFolder(cmd)
	c.addPassphrase(cmd)
	c.addWho(cmd)
	cmd.Flags().StringVar(&c.serial, "serial", "", "one certificate only; hexadecimal, as citygrid certs ls shows it")
	return cmd
}

func newCertsList(now func() time.Time) *cobra.Command {
	var c certsFlags
	cmd := &cobra.Command{
		Use:   "ls --dir DIR",
		Short: "List what was issued, the first to end first: until when, serial numbers, fingerprints, what is revoked",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			authority, err := c.folder().Authority()
			if err != nil {
				return err
			}
			list, err := c.folder().List()
			if err != nil {
				return err
			}
			return printCerts(cmd.OutOrStdout(), authority, list, now())
		},
	}
	c.addFolder(cmd)
	return cmd
}

func printCerts(out io.Writer, authority certs.Record, list []certs.Record, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tNAME\tENDS\tSTATE\tSERIAL\tSHA256")
	authority.Kind = "authority"
	for _, r := range append([]certs.Record{authority}, list...) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Kind, r.Name, r.Ends.Format(time.DateOnly), certState(r, now), r.Serial, r.Fingerprint)
	}
	return w.Flush()
}

// certState is a word for what a certificate is good for.
func certState(r certs.Record, now time.Time) string {
	switch left := r.Ends.Sub(now); {
	case !r.Revoked.IsZero():
		return "revoked " + r.Revoked.Format(time.DateOnly)
	case left <= 0:
		return "ended"
	case left < soonEnds:
		return fmt.Sprintf("ends in %d days: renew", int(left/(24*time.Hour)))
	}
	return "good"
}
