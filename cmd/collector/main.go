// Command collector is the edge program alone: it reads meters, seals, spools
// and publishes. It is small, static and cross-compiled for the boxes in the
// cabinets.
//
//	collector run   -c FILE            read and publish until told to stop
//	collector check -c FILE            say what is wrong with a configuration
//	collector read  -c FILE --meter ID read one meter once and print a table
//
// Results go to standard output, everything else to standard error. Exit
// codes: 0 done; 1 failed while running; 2 wrong usage or configuration.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(mainCode()) }

// mainCode runs the program and returns its exit code.
func mainCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	root := newRoot()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "collector:", err)
	if errors.As(err, new(runError)) {
		return 1
	}
	return 2
}

// runError marks a failure after everything that can be wrong with usage and
// configuration was found right.
type runError struct{ error }

func (e runError) Unwrap() error { return e.error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "collector",
		Short:         "Reads meters, seals the readings and publishes them",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newRun(), newCheck(), newRead())
	return root
}

// configFlag adds the flag that every command has.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "configuration file")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag is defined one line above
	}
}

func newLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}
