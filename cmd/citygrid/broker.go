package main

import (
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	brokerconfig "citygrid/broker-config"
	"citygrid/hub/enrolment"
	"citygrid/internal/city"
	"citygrid/schemas"
)

func newBroker() *cobra.Command {
	var listen, dir, enrolled string
	cmd := &cobra.Command{
		Use:   "broker --enrolment FILE --dir DIR",
		Short: "The embedded MQTT broker alone, until told to stop",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := enrolment.Load(enrolled)
			if err != nil {
				return err
			}
			options, err := brokerOptions(listen, dir, list, nil)
			if err != nil {
				return err
			}
			options.Log = newLog()
			b, err := brokerconfig.Start(cmd.Context(), options)
			if err != nil {
				return runError{err}
			}
			defer b.Close()
			if err := announce(cmd.OutOrStdout(), city.Ready{Part: city.Broker, URL: b.URL()}); err != nil {
				return runError{err}
			}
			<-cmd.Context().Done()
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:1883", "address for MQTT; port 0 takes a free one")
	cmd.Flags().StringVar(&dir, "dir", "", "folder for the broker's files")
	cmd.Flags().StringVar(&enrolled, "enrolment", "", "enrolment list that citygrid keys issue keeps")
	mustRequire(cmd, "dir", "enrolment")
	cmd.AddCommand(newBrokerMosquitto())
	return cmd
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
