package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Say what is wrong with a configuration, without opening a socket",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := assemble(path)
			if err != nil {
				return err
			}
			meters := 0
			for _, l := range p.options.Lines {
				meters += len(l.Meters)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok: collector %s, %d lines, %d meters\n",
				path, p.options.Bundle.Collector, len(p.options.Lines), meters)
			return nil
		},
	}
	configFlag(cmd, &path)
	return cmd
}
