package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters/line"
	"citygrid/internal/cli"
)

// scan is the command line of scan.
type scan struct {
	target
	bauds            []int
	units            string
	all, first, json bool
	profiles         bool
}

func newScan() *cobra.Command {
	var s scan
	cmd := &cobra.Command{
		Use:   "scan (--address LINE | -c FILE --line NAME)",
		Short: "Find out who answers on a line, and which built-in profiles fit",
		Long: `Asks for DL/T 645 and CJ/T 188 meters by their broadcast addresses, and each
Modbus unit for a register. On a serial device whose settings are not given, all
pairs of --baud and parity are tried, the usual ones first, until somebody answers.
Bytes that are no whole answer are told, and the search for the settings goes on.

Nothing is written to any meter. Stop the collector of the line first: a line has
one master. Ctrl-C ends the scan after the request that is under way and prints
what was found.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s.target.add(cmd, 500*time.Millisecond)
	s.require(cmd)
	f := cmd.Flags()
	f.IntSliceVar(&s.bauds, "baud", []int{9600, 2400, 4800, 19200, 1200, 115200}, "the speeds to try on a serial device, with no and with even parity")
	f.StringVar(&s.units, "units", "", "the Modbus units to ask, such as 1-16,100 (default 1-32, and 255 on Modbus TCP; with --all 1-247)")
	f.BoolVar(&s.all, "all", false, "ask everything: all units, DL/T 645-1997, and the other settings also when somebody has answered")
	f.BoolVar(&s.first, "first", false, "end with the first meter that answers")
	f.BoolVar(&s.profiles, "profiles", true, "read what the built-in profiles would read, to see which fit")
	f.BoolVar(&s.json, "json", false, "print JSON")
	return cmd
}

func (s *scan) run(ctx context.Context, out, progress io.Writer) error {
	scanner, err := s.scanner(progress)
	if err != nil {
		return err
	}
	finds, scanErr := scanner.run(ctx)
	if ctx.Err() != nil {
		fmt.Fprintln(progress, "interrupted; this was found until then")
	}
	if err := s.print(out, finds); err != nil {
		return cli.Failed(err)
	}
	switch {
	case scanErr != nil:
		return cli.Failed(fmt.Errorf("scan %s: %w", scanner.place.address, scanErr))
	case len(finds) == 0 && ctx.Err() == nil:
		return cli.Failed(fmt.Errorf("scan %s: nobody answers: %s", scanner.place.address, s.advice(scanner)))
	}
	return nil
}

// advice says what to try when nobody answers.
func (s *scan) advice(on *scanner) string {
	switch {
	case on.settings[0] == nil:
		return "look whether this is a Modbus TCP gateway (a transparent serial server needs --serial, such as --serial 9600-8E1), and at the wiring behind it; give --all or other --units, or a longer --timeout"
	case len(on.settings) > 1:
		return "look at the wiring (A and B exchanged?) and the power of the meters and the adapter; give --all, other --baud, or a longer --timeout"
	}
	return "look at the wiring (A and B exchanged?) and the power of the meters and the adapter; look whether the wire is driven at " + on.settings[0].String() + "; give --all, other --units, or a longer --timeout"
}

// scanner returns what the flags ask for.
func (s *scan) scanner(progress io.Writer) (*scanner, error) {
	p, err := s.target.resolve()
	if err != nil {
		return nil, err
	}
	if s.file != "" {
		p.timeout = s.timeout // the line's own is made for known meters
	}
	settings := []*line.Serial{p.serial}
	if p.serial == nil && line.IsDevice(p.address) {
		settings = settingsOf(s.bauds)
	}
	for _, setting := range settings {
		if setting == nil {
			continue
		}
		if err := setting.Validate(); err != nil {
			return nil, fmt.Errorf("--baud: %w", err)
		}
	}
	if len(settings) == 0 {
		return nil, errors.New("--baud: none")
	}
	wire := settings[0] != nil
	text := s.units
	switch {
	case text != "":
	case s.all:
		text = "1-247"
	case wire:
		text = "1-32"
	default:
		text = "1-32,255"
	}
	units, err := parseUnits(text)
	if err != nil {
		return nil, err
	}
	return &scanner{
		place: p, settings: settings, asks: asksOf(wire, s.all, units), all: s.all, first: s.first, match: s.profiles,
		open: func(p place) *session { return p.open(0) }, progress: progress, now: time.Now,
	}, nil
}

// parseUnits reads "1-16,100".
func parseUnits(text string) (units []uint8, err error) {
	bad := fmt.Errorf("--units %q: want units 0 to 255, such as 1-16,100", text)
	for part := range strings.SplitSeq(text, ",") {
		low, high, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			high = low
		}
		from, err := strconv.ParseUint(low, 10, 8)
		if err != nil {
			return nil, bad
		}
		to, err := strconv.ParseUint(high, 10, 8)
		if err != nil || to < from {
			return nil, bad
		}
		for u := from; u <= to; u++ {
			units = append(units, uint8(u))
		}
	}
	return units, nil
}

func (s *scan) print(out io.Writer, finds []Find) error {
	if s.json {
		if finds == nil {
			finds = []Find{}
		}
		return writeJSON(out, finds)
	}
	if len(finds) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROTOCOL\tADDRESS\tWIRE\tANSWER\tPROFILES THAT FIT")
	for _, f := range finds {
		first := "-"
		if len(f.Profiles) > 0 {
			first = f.Profiles[0].String()
		}
		wire := f.Serial
		if wire == "" {
			wire = "TCP"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.Protocol, f.Address, wire, f.Answer, first)
		for _, m := range f.Profiles[min(1, len(f.Profiles)):] {
			fmt.Fprintf(table, "\t\t\t\t%s\n", m)
		}
	}
	return table.Flush()
}

// String is one line for people.
func (m Match) String() string { return fmt.Sprintf("%s %.0f%% (%s)", m.Profile, 100*m.Score, m.Why) }
