package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	brokerconfig "citygrid/broker-config"
	"citygrid/hub/enrolment"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
)

// newBrokerMosquitto writes the access rules of the enrolment for a Mosquitto.
func newBrokerMosquitto() *cobra.Command {
	var o brokerconfig.MosquittoOptions
	var enrolled, out string
	cmd := &cobra.Command{
		Use:   "mosquitto --enrolment FILE --out DIR",
		Short: "Write the files for a Mosquitto that lets in whom the enrolment names",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := enrolment.Load(enrolled)
			if err != nil {
				return err
			}
			access, err := list.Access(nil)
			if err != nil {
				return err
			}
			files, err := brokerconfig.RenderMosquitto(access, o)
			if err != nil {
				return err
			}
			return writeFiles(cmd, out, files)
		},
	}
	cmd.Flags().StringVar(&enrolled, "enrolment", "", "enrolment list that citygrid keys issue keeps")
	cmd.Flags().StringVar(&out, "out", "", "folder for the files")
	cmd.Flags().StringVar(&o.ConfigDir, "config-dir", "", "where the files will lie on the broker's machine (default /etc/mosquitto/citygrid)")
	cmd.Flags().StringVar(&o.CertFile, "cert", "", "certificate of the listener, on the broker's machine")
	cmd.Flags().StringVar(&o.KeyFile, "key", "", "its key")
	cmd.Flags().StringVar(&o.ClientCA, "client-ca", "", "authority of the clients' certificates; passwords are then not asked for")
	cmd.Flags().StringVar(&o.CRLFile, "crl", "", "list of revoked client certificates, on the broker's machine")
	cli.MustRequire(cmd, "enrolment", "out")
	return cmd
}

func writeFiles(cmd *cobra.Command, dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return cli.Failed(err)
	}
	var names []string
	for name, data := range files {
		if err := durable.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return cli.Failed(err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(dir, name))
	}
	return nil
}
