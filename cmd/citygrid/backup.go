package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/config"
	"citygrid/internal/backup"
	"citygrid/internal/cli"
)

func newBackup(now func() time.Time) *cobra.Command {
	var file, to string
	cmd := &cobra.Command{
		Use:   "backup -c FILE --to DIR",
		Short: "Copy everything that a hub keeps, also while it runs",
		Long: `Copies keys, replay state, books, register, cases, accounts, photos, refused messages
and, where influx.backup is set, the readings into a new folder, in the order that makes
the copy safe to go on from. The folder has a manifest when it is whole.
docs/operations.md, "Back-up and restore", says what else belongs to it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			parts, missing := backupParts(cfg, file)
			m, err := backup.Take(cmd.Context(), to, "citygrid "+version, parts, missing, now)
			if err != nil {
				return cli.Failed(err)
			}
			printManifest(cmd, to, m)
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "the hub's configuration")
	cmd.Flags().StringVar(&to, "to", "", "a new folder for the copy; it holds secrets and people's data")
	cli.MustRequire(cmd, "config", "to")
	cmd.AddCommand(newBackupCheck())
	return cmd
}

func newBackupCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR",
		Short: "Read a copy through and compare it with its manifest",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := backup.Check(args[0])
			if err != nil {
				return cli.Failed(err)
			}
			printManifest(cmd, args[0], m)
			return nil
		},
	}
}

func newRestore() *cobra.Command {
	var file, from string
	cmd := &cobra.Command{
		Use:   "restore -c FILE --from DIR",
		Short: "Put a copy of citygrid backup back, where nothing is yet",
		Long: `Puts a copy back to the places that the configuration names. The hub must not run, and
nothing is written over: on the machine that was, move the old files away first. The
collectors then send again what the copy does not know as stored.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			release, err := lockFolder(cfg.Path(cfg.DataDir))
			if err != nil {
				return cli.Failed(fmt.Errorf("%w; stop the hub first", err))
			}
			defer func() { _ = release() }() // the end of the process releases it too
			parts, _ := backupParts(cfg, file)
			m, err := backup.Put(cmd.Context(), from, parts)
			if err != nil {
				return cli.Failed(err)
			}
			printManifest(cmd, from, m)
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "the hub's configuration; a copy of it is in the folder config of the copy")
	cmd.Flags().StringVar(&from, "from", "", "folder of the copy")
	cli.MustRequire(cmd, "config", "from")
	return cmd
}

func printManifest(cmd *cobra.Command, dir string, m *backup.Manifest) {
	var size int64
	for _, f := range m.Files {
		size += f.Size
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: whole, of %s, %d parts, %d files, %d bytes\n", dir, m.TakenAt.Format(time.RFC3339), len(m.Parts), len(m.Files), size)
	for _, what := range m.Missing {
		fmt.Fprintf(cmd.OutOrStdout(), "not in it: %s\n", what)
	}
}
