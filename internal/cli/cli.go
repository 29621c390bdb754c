// Package cli is what the project's programs have in common: signals, exit
// codes and the last line on standard error.
//
// Exit codes: 0 done; 1 failed while running; 2 wrong usage or configuration.
package cli

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

// Main runs the program root with the arguments of the process and returns its
// exit code. SIGINT and SIGTERM end the command's context; a second one ends
// the process at once. An error is printed on standard error, after the name of
// the program.
func Main(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // back to the default: the second signal kills
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(root.ErrOrStderr(), "%s: %v\n", root.Name(), err)
	}
	return ExitCode(err)
}

// NewLog returns the log of a program: lines of key=value on standard error, or of JSON
// where the variable CITYGRID_LOG of the environment is json.
func NewLog() *slog.Logger {
	if os.Getenv("CITYGRID_LOG") == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

// failure is an error of Failed.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// Failed marks a failure after everything that can be wrong with usage and
// configuration was found right: the exit code is 1. Failed(nil) is nil.
func Failed(err error) error {
	if err == nil {
		return nil
	}
	return failure{err}
}

// ExitCode returns the exit code for what a command returned.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(failure)):
		return 1
	}
	return 2
}

// MustRequire marks flags that cmd cannot do without. It panics on a name that
// cmd does not define.
func MustRequire(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
}
