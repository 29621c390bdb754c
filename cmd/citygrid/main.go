// Command citygrid is the program at the centre.
//
//	citygrid demo       the whole river on this machine, with simulated meters
//	citygrid hub        receive, open, store, answer, show
//	citygrid broker     the embedded MQTT broker alone
//	citygrid simulate   a fleet of simulated meters alone
//	citygrid keys       make, issue and inspect keys
//
// Results go to standard output, everything else to standard error. Exit
// codes: 0 done; 1 failed while running; 2 wrong usage or configuration.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"citygrid/internal/city"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(mainCode()) }

// mainCode runs the program and returns its exit code.
func mainCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := newRoot().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "citygrid:", err)
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
		Use:           "citygrid",
		Short:         "Water, power and gas meters of a city, from register to screen",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newDemo(), newHub(), newBroker(), newSimulate(), newKeys())
	return root
}

// mustRequire marks flags that a command cannot do without.
func mustRequire(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a name that the command does not define
		}
	}
}

func newLog() *slog.Logger { return slog.New(slog.NewTextHandler(os.Stderr, nil)) }

// announce prints the first line of a part's output: JSON, for the program
// that started it.
func announce(out io.Writer, r city.Ready) error { return json.NewEncoder(out).Encode(r) }
