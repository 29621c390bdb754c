package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"
)

// tokenBytes is the chance in a person's token.
const tokenBytes = 32

func newToken() *cobra.Command {
	return &cobra.Command{
		Use:   "token",
		Short: "Draw a token for a person of the ledger, and the line for the configuration",
		Long: "Draws a token. The first line of the output is the token: give it to its person and keep no copy. The second is the digest, for\n" +
			"ledger.people in the hub's configuration.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chance := make([]byte, tokenBytes)
			if _, err := rand.Read(chance); err != nil {
				return fmt.Errorf("draw a token: %w", err)
			}
			token := base64.RawURLEncoding.EncodeToString(chance)
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\ntoken: sha256:%x\n", token, sha256.Sum256([]byte(token)))
			return err
		},
	}
}
