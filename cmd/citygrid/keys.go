package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"citygrid/hub/enrolment"
	"citygrid/internal/cli"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

const passphraseHelp = "where the passphrase is: fd:N, file:PATH or env:NAME"

func newKeys() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make, issue and inspect keys"}
	cmd.AddCommand(newKeysInit(), newKeysIssue(), newKeysRevoke(), newKeysInspect())
	return cmd
}

func newKeysInit() *cobra.Command {
	var dir, tenant, passphrase string
	var rounds int
	cmd := &cobra.Command{
		Use:   "init --dir DIR --tenant NAME --passphrase SOURCE",
		Short: "Draw a master key, seal it by a passphrase, and make the hub's account at the broker",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sealedBy, err := seal.ReadPassphrase(passphrase)
			if err != nil {
				return fmt.Errorf("--passphrase: %w", err)
			}
			folder := enrolment.Folder(dir)
			if err := folder.Init(tenant, sealedBy, rounds); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: master key of tenant %s; keep a copy of the file and of the passphrase, each in a place of its own\n",
				folder.Master(), tenant)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder for the key files")
	cmd.Flags().StringVar(&tenant, "tenant", "", "name of the city or utility; part of every key")
	cmd.Flags().StringVar(&passphrase, "passphrase", "", passphraseHelp)
	cmd.Flags().IntVar(&rounds, "rounds", seal.MinRounds, "rounds of PBKDF2-HMAC-SM3")
	cli.MustRequire(cmd, "dir", "tenant", "passphrase")
	return cmd
}

func newKeysIssue() *cobra.Command {
	var r enrolment.Request
	var dir, passphrase string
	cmd := &cobra.Command{
		Use:   "issue --dir DIR --area CODE --collector ID --passphrase SOURCE",
		Short: "Enrol a collector: its key bundle and its account at the broker",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sealedBy, err := seal.ReadPassphrase(passphrase)
			if err != nil {
				return fmt.Errorf("--passphrase: %w", err)
			}
			folder := enrolment.Folder(dir)
			master, err := readMaster(folder.Master(), sealedBy)
			if err != nil {
				return err
			}
			if r.Bundle == "" {
				r.Bundle = filepath.Join(dir, string(r.Collector)+".bundle")
			}
			generation, err := folder.Issue(master, r)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: bundle of collector %s, key generation %#04x; bring it to the box and delete it here\n", r.Bundle, r.Collector, generation)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the key files")
	cmd.Flags().StringVar((*string)(&r.Area), "area", "", "area code: 6, 9 or 12 digits")
	cmd.Flags().StringVar((*string)(&r.Collector), "collector", "", "collector id: 1 to 32 of 0-9 A-Z a-z _ -")
	cmd.Flags().StringVar(&r.Bundle, "out", "", "bundle file (default DIR/ID.bundle)")
	cmd.Flags().StringVar(&r.Note, "note", "", "where the box stands, for the enrolment list")
	cmd.Flags().BoolVar(&r.Renew, "renew", false, "give an enrolled or revoked collector a new key; its old one is refused from then on")
	cmd.Flags().StringVar(&passphrase, "passphrase", "", passphraseHelp)
	cli.MustRequire(cmd, "dir", "area", "collector", "passphrase")
	return cmd
}

// readMaster opens the master key file, and says how one is made when there is
// none.
func readMaster(path string, passphrase secret.Secret) (*seal.Master, error) {
	m, err := seal.ReadMaster(path, passphrase)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; citygrid keys init makes it", err)
	}
	return m, err
}

func newKeysRevoke() *cobra.Command {
	var dir string
	var id schemas.CollectorID
	cmd := &cobra.Command{
		Use:   "revoke --dir DIR --collector ID",
		Short: "Shut a collector out, from the hub and from the broker, until it is issued a new key",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := enrolment.Folder(dir).Revoke(id); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "collector %s is revoked; send SIGHUP to the hub and to the broker, which read the list again\n", id)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the key files")
	cmd.Flags().StringVar((*string)(&id), "collector", "", "collector id")
	cli.MustRequire(cmd, "dir", "collector")
	return cmd
}

func newKeysInspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what a master key file or a bundle is, without showing a key",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			m, notMaster := seal.InspectMaster(args[0])
			if notMaster == nil {
				fmt.Fprintf(out, "master key: tenant %s, generation %d, sealed with %d rounds of PBKDF2-HMAC-SM3\n", m.Tenant, m.Generation, m.Rounds)
				return nil
			}
			b, notBundle := seal.ReadBundle(args[0])
			if notBundle != nil {
				return fmt.Errorf("neither a master key file nor a bundle: %w; %w", notMaster, notBundle)
			}
			fmt.Fprintf(out, "bundle: tenant %s, area %s, collector %s, key generation %#04x, key %v, broker user %s, password %v\n",
				b.Tenant, b.Area, b.Collector, b.Generation, b.Key, b.BrokerUser, b.BrokerPassword)
			return nil
		},
	}
}
