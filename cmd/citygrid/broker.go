package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	brokerconfig "citygrid/broker-config"
	"citygrid/hub/config"
	"citygrid/hub/enrolment"
	"citygrid/internal/certs"
	"citygrid/internal/city"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

func newBroker() *cobra.Command {
	var p brokerProgram
	cmd := &cobra.Command{
		Use:   "broker --enrolment FILE --dir DIR",
		Short: "The embedded MQTT broker alone, until told to stop",
		Long: `The embedded MQTT broker alone, until told to stop.

On SIGHUP it reads the enrolment again, its certificate and the list of revoked
ones: who is gone, has a new password or shows a revoked certificate is
disconnected at once.

In clear it listens on this machine alone: give it a certificate, or a proxy with
one and --behind-proxy.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.log = cli.NewLog()
			return p.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&p.listen, "listen", "127.0.0.1:1883", "address for MQTT; port 0 takes a free one")
	cmd.Flags().StringVar(&p.dir, "dir", "", "folder for the broker's files")
	cmd.Flags().StringVar(&p.enrolled, "enrolment", "", "enrolment list that citygrid keys issue keeps")
	cmd.Flags().StringVar(&p.cert, "cert", "", "certificate of the broker, PEM; without it the broker talks in clear")
	cmd.Flags().StringVar(&p.key, "key", "", "its key")
	cmd.Flags().StringVar(&p.crl, "crl", "", "list of revoked client certificates, which citygrid certs keeps")
	cmd.Flags().BoolVar(&p.behindProxy, "behind-proxy", false, "a proxy in front encrypts: talk in clear on an address of the network")
	cmd.Flags().StringVar(&p.clientCA, "client-ca", "", "authority of the clients' certificates, which replace passwords: the common name is the user")
	cli.MustRequire(cmd, "dir", "enrolment")
	cmd.AddCommand(newBrokerMosquitto())
	return cmd
}

// brokerProgram is the embedded broker without a hub.
type brokerProgram struct {
	listen, dir, enrolled string
	cert, key             string
	clientCA, crl         string
	behindProxy           bool
	tls                   *certs.Listener // nil: in clear
	log                   *slog.Logger
}

// run serves until ctx is done, and reloads the enrolment on SIGHUP.
func (p *brokerProgram) run(ctx context.Context, out io.Writer) error {
	options, err := p.options()
	if err != nil {
		return err
	}
	// Before the broker starts: unheard, the signal would end the process.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	b, err := brokerconfig.Start(ctx, options)
	if err != nil {
		return cli.Failed(err)
	}
	defer b.Close()
	if err := announce(out, city.Ready{Part: city.Broker, URL: b.URL()}); err != nil {
		return cli.Failed(err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			if err := p.reload(b); err != nil {
				p.log.Error("not all was reloaded; what the error names stays as it was", "error", err)
			}
		}
	}
}

func (p *brokerProgram) options() (o brokerconfig.Options, err error) {
	list, err := enrolment.Load(p.enrolled)
	if err != nil {
		return o, err
	}
	if o, err = brokerOptions(p.listen, p.dir, list, nil); err != nil {
		return o, err
	}
	o.Log = p.log
	switch {
	case (p.cert == "") != (p.key == ""):
		return o, errors.New("TLS needs both --cert and --key")
	case p.cert == "" && (p.clientCA != "" || p.crl != ""):
		return o, errors.New("--client-ca and --crl need TLS: give the broker's --cert and --key too")
	case p.cert == "":
		return o, config.CheckClear("--listen", p.listen, "--cert and --key", "--behind-proxy", p.behindProxy)
	}
	p.tls, err = certs.Listen(certs.Files{Cert: p.cert, Key: p.key, ClientCA: p.clientCA, CRL: p.crl})
	if err != nil {
		return o, fmt.Errorf("TLS of the broker: %w", err)
	}
	o.TLS, o.Revoked = p.tls.Config(), p.tls.Revoked
	return o, nil
}

// reload puts the certificates and the enrolment of the moment in force. A file that is
// wrong changes nothing.
func (p *brokerProgram) reload(b *brokerconfig.Broker) error {
	return errors.Join(reloadTLS(p.tls, b), p.reloadList(b))
}

// reloadTLS reads the certificates of a listener again, and ends the links of those whose
// certificate is revoked now. b is nil for a listener that is no broker's.
func reloadTLS(l *certs.Listener, b *brokerconfig.Broker) error {
	if l == nil {
		return nil
	}
	if err := l.Reload(); err != nil || b == nil {
		return err
	}
	return b.DropRevoked()
}

func (p *brokerProgram) reloadList(b *brokerconfig.Broker) error {
	list, err := enrolment.Load(p.enrolled)
	if err != nil {
		return err
	}
	access, err := list.Access(nil)
	if err != nil {
		return err
	}
	if err := b.SetAccess(access); err != nil {
		return err
	}
	p.log.Info("enrolment reloaded", "collectors", len(list.Collectors))
	return nil
}

// brokerOptions sets up the embedded broker for the enrolled collectors.
func brokerOptions(listen, dir string, list *enrolment.List, areas []schemas.AreaCode) (brokerconfig.Options, error) {
	host, portText, err := net.SplitHostPort(listen)
	if err != nil {
		return brokerconfig.Options{}, fmt.Errorf("address of the broker: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return brokerconfig.Options{}, fmt.Errorf("address of the broker %q: the port is no number", listen)
	}
	access, err := list.Access(areas)
	if err != nil {
		return brokerconfig.Options{}, err
	}
	return brokerconfig.Options{Dir: dir, Host: host, Port: port, Access: access}, nil
}
