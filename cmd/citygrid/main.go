// Command citygrid is the program at the centre.
//
//	citygrid demo       the whole river on this machine, with simulated meters
//	citygrid hub        receive, open, store, answer, show
//	citygrid broker     the embedded MQTT broker alone
//	citygrid simulate   a fleet of simulated meters alone
//	citygrid keys       make, issue, rotate, revoke and inspect keys; the log of that
//	citygrid certs      a small authority for TLS certificates
//	citygrid backup     copy all that a hub keeps, and restore puts it back
//	citygrid codes      code lists of components and events; what a code means
//	citygrid registry   the asset register: census files in and out, what is where
//	citygrid cases      list, show and check the cases of a hub
//	citygrid indicators count the indicators from the journal of cases
//	citygrid probe      find meters on a line, look at registers, plan and watch a line
//
//	citygrid import       take vending and settlement files into the books of prepaid utilities
//	citygrid reconcile    compare sales, payments, cards and meters; print and write the statement
//	citygrid differences  list what does not agree, or show one with its history
//	citygrid decide       explain, assign, adjust or close a difference
//	citygrid statement    show, sign and verify statements
//	citygrid bill         make and list bills of accounts that use first and pay later
//	citygrid clearing     exchange with other cities what was sold on each other's cards
//	citygrid counter      sell, refund, issue and replace prepaid cards at a card reader
//	citygrid sts          what a 20-digit STS token is
//	citygrid token        draw a person's token for the ledger's API
//	citygrid year         a simulated year, of households or of cases, against the truth
//
// Results go to standard output, everything else to standard error. Exit
// codes: 0 done; 1 failed while running; 2 wrong usage or configuration.
package main

import (
	"encoding/json"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"citygrid/internal/city"
	"citygrid/internal/cli"
	"citygrid/internal/probe"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(cli.Main(newRoot())) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:     "citygrid",
		Short:   "Water, power and gas meters of a city, from register to screen",
		Version: version,
	}
	root.AddCommand(newDemo(), newHub(), newBroker(), newSimulate(), newSoak(), newChaos(), newBenchPeers(), newBenchOutage(), newKeys(), probe.New("citygrid"),
		newImport(), newReconcile(), newDifferences(), newDecide(), newStatement(), newBill(), newClearing(), newToken(), newYear(),
		newCounter(time.Now), newSTS(), newCodes(), newRegistry(), newCases(), newIndicators(), newGaps(time.Now), newCerts(time.Now), newBackup(time.Now), newRestore())
	return root
}

// announce prints the first line of a part's output: JSON, for the program
// that started it.
func announce(out io.Writer, r city.Ready) error { return json.NewEncoder(out).Encode(r) }
