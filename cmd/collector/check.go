package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"citygrid/collector/config"
	"citygrid/internal/cli"
)

func newCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Say what is wrong with a configuration, and what it reads, without opening a socket",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := assemble(path)
			if err != nil {
				return err
			}
			for _, w := range p.config.Warnings() {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: warning: %s\n", path, w)
			}
			lines, err := p.config.Summary()
			if err != nil {
				return err
			}
			if err := printLines(cmd.OutOrStdout(), lines); err != nil {
				return cli.Failed(err)
			}
			meters := 0
			for _, l := range lines {
				meters += len(l.Meters)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok: collector %s, %d lines, %d meters\n", path, p.options.Bundle.Collector, len(lines), meters)
			return nil
		},
	}
	configFlag(cmd, &path)
	return cmd
}

// printLines writes what each line is asked for in one cycle of all its meters.
func printLines(out io.Writer, lines []config.LineSummary) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LINE\tADDRESS\tWIRE\tMETERS\tREQUESTS A CYCLE\tVALUES")
	for _, l := range lines {
		wire, requests, values := "network", 0, 0
		if s := l.Serial; s != nil {
			wire = fmt.Sprintf("%d Bd %d%.1s%d", s.Baud, s.DataBits, strings.ToUpper(string(s.Parity)), s.StopBits)
		}
		for _, m := range l.Meters {
			requests += m.Cost.Requests
			values += m.Values
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\n", l.Name, l.Address, wire, len(l.Meters), requests, values)
	}
	return table.Flush()
}
