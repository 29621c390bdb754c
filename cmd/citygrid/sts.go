package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"citygrid/hub/ledger/sts"
	"citygrid/internal/cli"
)

func newSTS() *cobra.Command {
	var base, opened string
	cmd := &cobra.Command{
		Use:   "sts TOKEN",
		Short: "Say what a 20-digit STS token is, and check what can be checked",
		Long: `Says what a 20-digit token of a prepaid meter is [IEC 62055-41]. A test token is
checked. A credit token is encrypted with the key of its meter: what it says is
known only with --opened, its data block as a security module opened it.

Whoever has a token can load it. It is not repeated, kept or logged; other people
of this machine may see it in the list of processes, so give - and type it, or
pipe it in.`,
		Example: "  citygrid sts 5649 3153 7254 5031 3471\n  citygrid sts -",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := sts.ParseBase(base)
			if err != nil {
				return fmt.Errorf("--base: %w", err)
			}
			text, err := tokenText(cmd.InOrStdin(), args)
			if err != nil {
				return cli.Failed(err)
			}
			token, err := sts.Parse(text)
			if err != nil {
				return cli.Failed(err)
			}
			d, err := sts.Describe(token, b, opened)
			if err != nil {
				return cli.Failed(err)
			}
			for _, line := range d.Lines {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&base, "base", "2014", "base date of the meter's key: 1993, 2014 or 2035")
	cmd.Flags().StringVar(&opened, "opened", "", "data block of a credit token as a security module opened it, 16 hexadecimal digits")
	return cmd
}

// tokenText returns the token of the arguments, or the first line of in for "-".
func tokenText(in io.Reader, args []string) (string, error) {
	text := strings.Join(args, " ")
	if text != "-" {
		return text, nil
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return strings.TrimSpace(line), nil
}
