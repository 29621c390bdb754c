// Package probe is the field engineer's tools, as one command group for both
// programs: who answers on a line (scan), what its registers hold and where the
// number on the display comes from (block, item), whether a line can be read as
// often as its configuration asks (plan), and what is going over it (monitor).
//
// They leave a line as they found it: a command that is interrupted ends after
// the request that is under way, waits for what may still be answered, and gives
// the line back.
package probe

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// New returns the command group. program is the name of the program that has
// it, for the examples.
func New(program string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Find meters on a line, look at their registers, plan and watch a line",
		Example: fmt.Sprintf(`  %[1]s probe scan --address /dev/ttyUSB0
  %[1]s probe block --address 192.0.2.12:502 --unit 1 --at 0x101E --count 12 --display 98765.43
  %[1]s probe item --address /dev/ttyUSB0 --serial 2400-8E1 --protocol dlt645 --di 00010000
  %[1]s probe plan -c collector.yaml
  %[1]s probe monitor -c collector.yaml --line riser-3 --poll`, program),
	}
	cmd.AddCommand(newScan(), newBlock(), newItem(), newPlan(), newMonitor())
	return cmd
}

// writeJSON writes v, indented.
func writeJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
