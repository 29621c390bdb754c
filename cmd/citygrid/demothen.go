package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"citygrid/internal/city"
	"citygrid/internal/cli"
)

// runThen runs a program of the user's in a shell once the city is up, and returns when
// it has ended. URL is the address of the pages, PEOPLE the file of the sample people,
// PASSPHRASE what they sign in with, DIR the folder of the demo's files.
func runThen(ctx context.Context, c *city.City, command, dir, passphrase string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	cmd.Env = append(os.Environ(), "URL="+c.HubURL(), "PEOPLE="+filepath.Join(dir, "people.json"), "PASSPHRASE="+passphrase, "DIR="+dir)
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return cli.Failed(fmt.Errorf("--then %s: %w", command, err))
	}
	return nil
}
