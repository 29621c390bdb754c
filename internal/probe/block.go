package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters/modbus"
	"citygrid/adapters/modbus/profiles"
	"citygrid/internal/cli"
)

// block is the command line of block.
type block struct {
	target
	unit, function, at, count int
	words, displays           []string
	unitOf                    string
	top                       int
	json                      bool
	save                      saving
}

// BlockReport is what block found.
type BlockReport struct {
	Line     string `json:"line,omitempty"`
	Unit     int    `json:"unit"`
	Function int    `json:"function"`
	At       uint16 `json:"at"`
	// Words are the registers at each moment.
	Words []string `json:"words"`
	Views []View   `json:"views,omitempty"`
	// Picks are the ways of reading that give the display's number, best first.
	Picks []Pick `json:"picks,omitempty"`
}

func newBlock() *cobra.Command {
	var b block
	cmd := &cobra.Command{
		Use:   "block (--address LINE | -c FILE --line NAME | --words HEX) --at 0x0000 [--count N]",
		Short: "Read registers raw, show every way of reading them, and find the number on the display",
		Long: `Reads registers and shows them as every type in every order. With --display it
ranks the ways of reading that give the number on the meter's display. Type it as
it stands there, with its zeros. One moment is seldom proof: give the number
several times, and the registers are read again, each time when you press Enter,
which you do at the moment at which the display shows the next number.

With --save, --quantity and --pick the way chosen becomes a field of a profile,
and the registers read its golden vector. Both are checked with the collector's
own decoder before they are written.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return b.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	b.target.add(cmd, time.Second)
	f := cmd.Flags()
	f.IntVar(&b.unit, "unit", 1, "Modbus unit id")
	f.IntVar(&b.function, "function", 3, "3 (holding) or 4 (input registers)")
	f.IntVar(&b.at, "at", 0, "wire address of the first register, 0-based; 0x.. is taken")
	f.IntVar(&b.count, "count", 10, "how many registers, 1 to 125")
	f.StringArrayVar(&b.words, "words", nil, "registers in `HEX` instead of a line, as they came; once for each --display")
	f.StringArrayVar(&b.displays, "display", nil, "the `NUMBER` on the meter's display; several times for several moments")
	f.StringVar(&b.unitOf, "unit-of", "", "the `UNIT` on the display, such as kW.h; --save then scales to the quantity's")
	f.IntVar(&b.top, "top", 10, "how many ways of reading to list")
	f.BoolVar(&b.json, "json", false, "print JSON")
	b.save.add(cmd)
	b.require(cmd, "words")
	return cmd
}

// request returns what is to be read.
func (b *block) request() (modbus.Request, error) {
	if b.at < 0 || b.count < 1 || b.count > profiles.MaxRegisters || b.at+b.count > 1<<16 {
		return modbus.Request{}, fmt.Errorf("--at 0x%04X --count %d: want 1 to %d registers up to 0xFFFF", b.at, b.count, profiles.MaxRegisters)
	}
	if b.function != 3 && b.function != 4 {
		return modbus.Request{}, fmt.Errorf("--function %d: want 3 (holding) or 4 (input registers)", b.function)
	}
	if b.unit < 0 || b.unit > 255 {
		return modbus.Request{}, fmt.Errorf("--unit %d: want 0 to 255", b.unit)
	}
	return modbus.Request{Function: uint8(b.function), At: uint16(b.at), Count: uint16(b.count)}, nil
}

// check returns the displays and the saving, once everything that can be known
// to be wrong is known to be right.
func (b *block) check() ([]display, error) {
	var shown []display
	for _, text := range b.displays {
		d, err := parseDisplay(text)
		if err != nil {
			return nil, err
		}
		shown = append(shown, d)
	}
	if len(b.words) > 0 && len(b.words) != max(1, len(shown)) {
		return nil, fmt.Errorf("%d times --words and %d times --display: want as many, one for each moment", len(b.words), len(shown))
	}
	if _, err := b.save.prepare(b.unitOf, len(shown) > 0); err != nil {
		return nil, err
	}
	return shown, nil
}

func (b *block) run(ctx context.Context, in io.Reader, out, progress io.Writer) error {
	shown, err := b.check()
	if err != nil {
		return err
	}
	reads, where, err := b.read(ctx, in, progress, max(1, len(shown)))
	if err != nil {
		return err
	}
	report := BlockReport{Line: where, Unit: b.unit, Function: b.function, At: uint16(b.at)}
	var moments []moment
	for i, raw := range reads {
		report.Words = append(report.Words, words(raw))
		if i < len(shown) {
			moments = append(moments, moment{shown[i], raw})
		}
	}
	report.Picks = rankPicks(report.At, moments)
	if len(shown) == 0 {
		report.Views = views(uint8(b.function), report.At, reads[0])
	}
	if err := b.print(out, report); err != nil {
		return cli.Failed(err)
	}
	if len(shown) > 0 && len(report.Picks) == 0 {
		return cli.Failed(errors.New("no way of reading these registers gives the display's number: read others (--at, --function 4), and look whether the display shows another quantity or unit"))
	}
	if len(report.Picks) > 1 && !report.Picks[0].better(report.Picks[1]) {
		fmt.Fprintln(progress, "several ways agree equally well: give --display once more, at a moment at which it shows another number")
	}
	if b.save.file == "" {
		return nil
	}
	return b.save.write(progress, b, report, moments)
}

// read reads the registers n times, and says from where.
func (b *block) read(ctx context.Context, in io.Reader, progress io.Writer, n int) (reads [][]byte, where string, err error) {
	if len(b.words) > 0 {
		for _, text := range b.words {
			raw, err := parseWords(text)
			if err != nil {
				return nil, "", err
			}
			if len(reads) > 0 && len(raw) != len(reads[0]) {
				return nil, "", errors.New("--words: give as many registers for each moment")
			}
			reads = append(reads, raw)
		}
		return reads, "", nil
	}
	p, err := b.target.resolve()
	if err != nil {
		return nil, "", err
	}
	r, err := b.request()
	if err != nil {
		return nil, "", err
	}
	s := p.open(1)
	defer func() { err = errors.Join(err, cli.Failed(s.close())) }()
	enter := lines(in)
	for i := range n {
		if i > 0 {
			fmt.Fprintf(progress, "press Enter when the display shows %s\n", b.displays[i])
			if err := wait(ctx, enter); err != nil {
				return nil, "", cli.Failed(err)
			}
		}
		raw, err := s.registers(ctx, uint8(b.unit), r)
		if err != nil {
			return nil, "", cli.Failed(fmt.Errorf("unit %d at %s: %w", b.unit, s.line, err))
		}
		reads = append(reads, raw)
	}
	return reads, s.line.String(), nil
}

// registers reads a block.
func (s *session) registers(ctx context.Context, unit uint8, r modbus.Request) (raw []byte, err error) {
	err = s.ask(ctx, func(ctx context.Context) error {
		raw, _, err = s.modbus.ReadRaw(ctx, unit, r)
		return err
	})
	return raw, err
}

// lines returns a function that reads one line more of in. Its read cannot be
// interrupted; the one that is under way when the program ends, ends with it.
func lines(in io.Reader) func() <-chan error {
	buffered := bufio.NewReader(in)
	return func() <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := buffered.ReadString('\n')
			done <- err
		}()
		return done
	}
}

// wait waits for a line or the end of ctx.
func wait(ctx context.Context, enter func() <-chan error) error {
	select {
	case err := <-enter():
		if err != nil {
			return fmt.Errorf("wait for Enter: %w", err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// print writes the report.
func (b *block) print(out io.Writer, r BlockReport) error {
	if b.json {
		return writeJSON(out, r)
	}
	for _, w := range r.Words {
		fmt.Fprintf(out, "function %d, registers from 0x%04X: %s\n", r.Function, r.At, w)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(r.Views) > 0 {
		fmt.Fprintln(table, "AT\tWORDS\tTYPE\tABCD\tCDAB\tBADC\tDCBA")
	}
	for _, v := range r.Views {
		fmt.Fprintf(table, "0x%04X\t%s\t%s", v.At, v.Words, v.Type)
		for _, o := range []profiles.Order{profiles.ABCD, profiles.CDAB, profiles.BADC, profiles.DCBA} {
			fmt.Fprintf(table, "\t%s", short(v.Values[o]))
		}
		fmt.Fprintln(table)
	}
	if len(r.Picks) > 0 {
		fmt.Fprintln(table, "PICK\tAT\tTYPE\tORDER\tSHIFT\tGIVES\tWHY")
	}
	for i, p := range r.Picks {
		if i == b.top {
			fmt.Fprintf(table, "and %d more (--top)\n", len(r.Picks)-i)
			break
		}
		fmt.Fprintf(table, "%d\t0x%04X\t%s\t%s\t%d\t%s\t%s\n", i+1, p.At, shape{p.Type, p.Words}, p.Order, p.Shift, strings.Join(p.Values, ", "), p.Reason)
	}
	return table.Flush()
}

// maxShown is the longest number that a table of many shows whole.
const maxShown = 20

// short keeps the noise of a wrong type from spoiling the table.
func short(number string) string {
	switch {
	case number == "":
		return "."
	case len(number) > maxShown:
		return number[:maxShown-2] + ".."
	}
	return number
}
