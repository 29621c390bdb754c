// Command collector is the edge program alone: it reads meters, seals, spools
// and publishes. It is small, static and cross-compiled for the boxes in the
// cabinets.
//
//	collector run   -c FILE            read and publish until told to stop
//	collector check -c FILE            say what is wrong with a configuration
//	collector read  -c FILE --meter ID read one meter once and print a table
//	collector try   -c FILE            read all meters for a while, seal nothing, and say how that went
//	collector card                     look at prepaid cards in a card reader
//	collector spool                    list, verify and export what waits on the disk
//	collector enrol                    ask the key office for a bundle, and put it in place
//	collector probe                    find meters on a line, look at registers, plan and watch a line
//
// Results go to standard output, everything else to standard error. Exit
// codes: 0 done; 1 failed while running; 2 wrong usage or configuration.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"citygrid/internal/cli"
	"citygrid/internal/probe"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(cli.Main(newRoot())) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:     "collector",
		Short:   "Reads meters, seals the readings and publishes them",
		Version: version,
	}
	root.AddCommand(newRun(), newCheck(), newRead(), newTry(), newCard(), newEnrol(), newSpool(), probe.New("collector"))
	return root
}

// configFlag adds the flag that every command has.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "configuration file")
	cli.MustRequire(cmd, "config")
}
