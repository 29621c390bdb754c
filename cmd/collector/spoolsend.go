package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"citygrid/collector"
	"citygrid/collector/config"
	"citygrid/collector/spool"
	"citygrid/internal/cli"
	"citygrid/internal/mqttlink"
	"citygrid/schemas/seal"
)

func newSpoolSend() *cobra.Command {
	var path, bundle, file string
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "send -c FILE --in FILE",
		Short: "Publish an exported file from another place, until the hub has confirmed all of it",
		Long: `Publishes the envelopes of a file that export wrote, in the name of the collector
that sealed them, and waits for the hub's receipts. It needs that collector's
configuration (for the broker) and bundle. The collector itself must not be connected
at the same time: the broker takes one of the two. Sending a file twice does no harm.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := sendOptions(path, bundle)
			if err != nil {
				return err
			}
			if _, err := os.Stat(file); err != nil {
				return fmt.Errorf("send: %w", err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			return cli.Failed(sendFile(ctx, o, file, cmd.OutOrStdout()))
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&bundle, "bundle", "", "key bundle `FILE`, in place of that of the configuration")
	cmd.Flags().StringVar(&file, "in", "", "the exported `FILE`")
	cmd.Flags().DurationVar(&patience, "for", 10*time.Minute, "how long to go on")
	cli.MustRequire(cmd, "in")
	return cmd
}

// sendOptions reads the configuration and the bundle; it opens no socket.
func sendOptions(path, bundleFile string) (o collector.SendOptions, err error) {
	cfg, err := config.Load(path)
	if err != nil {
		return o, err
	}
	if bundleFile == "" {
		bundleFile = cfg.Path(cfg.Bundle)
	}
	bundle, err := seal.ReadBundle(bundleFile)
	if err != nil {
		return o, fmt.Errorf("bundle: %w", err)
	}
	if o.Provider, err = seal.ProviderByName(cfg.Provider); err != nil {
		return o, err
	}
	o.Bundle, o.Log, o.Broker = &bundle, cli.NewLog(), mqttlink.Config{URL: cfg.Broker.URL}
	if cfg.Broker != (config.Broker{URL: cfg.Broker.URL}) {
		o.Broker.TLS, err = mqttlink.LoadTLS(cfg.Path(cfg.Broker.CA), cfg.Path(cfg.Broker.Cert), cfg.Path(cfg.Broker.Key))
		if err != nil {
			return o, fmt.Errorf("configuration %s: broker.ca, broker.cert, broker.key: %w", path, err)
		}
	}
	return o, nil
}

// sendFile sends an exported file and says what became of it.
func sendFile(ctx context.Context, o collector.SendOptions, path string, out io.Writer) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	if o.Dir, err = os.MkdirTemp("", "citygrid-send-"); err != nil {
		return errors.Join(err, file.Close())
	}
	defer func() { err = errors.Join(err, file.Close(), os.RemoveAll(o.Dir)) }()
	sent, err := collector.Send(ctx, o, func(add func([]byte) error) error {
		_, err := spool.ReadExport(file, func(_ spool.Section, r spool.Record) error { return add(r.Data) })
		return err
	})
	fmt.Fprintf(out, "%s: %d envelopes, %d confirmed by the hub\n", path, sent.Envelopes, sent.Confirmed)
	return err
}
