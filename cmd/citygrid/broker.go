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
	"citygrid/hub/enrolment"
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

On SIGHUP it reads the enrolment again: who is gone or has a new password is
disconnected at once. A certificate that was replaced needs a restart.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.log = newLog()
			return p.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&p.listen, "listen", "127.0.0.1:1883", "address for MQTT; port 0 takes a free one")
	cmd.Flags().StringVar(&p.dir, "dir", "", "folder for the broker's files")
	cmd.Flags().StringVar(&p.enrolled, "enrolment", "", "enrolment list that citygrid keys issue keeps")
	cmd.Flags().StringVar(&p.cert, "cert", "", "certificate of the broker, PEM; without it the broker talks in clear")
	cmd.Flags().StringVar(&p.key, "key", "", "its key")
	cmd.Flags().StringVar(&p.clientCA, "client-ca", "", "authority of the clients' certificates, which replace passwords: the common name is the user")
	cli.MustRequire(cmd, "dir", "enrolment")
	cmd.AddCommand(newBrokerMosquitto())
	return cmd
}

// brokerProgram is the embedded broker without a hub.
type brokerProgram struct {
	listen, dir, enrolled string
	cert, key, clientCA   string
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
				p.log.Error("the enrolment was not reloaded; the old one stays in force", "error", err)
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
	case p.cert != "":
		o.TLS, err = brokerconfig.LoadServerTLS(p.cert, p.key, p.clientCA)
	case p.clientCA != "":
		err = errors.New("--client-ca needs TLS: give the broker's --cert and --key too")
	}
	return o, err
}

// reload puts the enrolment of the moment in force. A list that is wrong
// changes nothing.
func (p *brokerProgram) reload(b *brokerconfig.Broker) error {
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
