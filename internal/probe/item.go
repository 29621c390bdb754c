package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters/cjt188"
	cjt188profiles "citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/dlt645"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

// item is the command line of item.
type item struct {
	target
	protocol, meter, di string
	edition             int
	json                bool
}

// ItemReport is what item found.
type ItemReport struct {
	Protocol string `json:"protocol"`
	From     string `json:"from"`
	Item     string `json:"item"`
	// Data are in the order of the wire: low byte first.
	Data     string        `json:"data"`
	Readings []ItemReading `json:"readings"`
}

// ItemReading is a run of an item's bytes, read as BCD low byte first.
type ItemReading struct {
	At    int `json:"at"`
	Bytes int `json:"bytes"`
	// Shifts are digits × 10^0, 10^-1 ... 10^-4.
	Shifts []string `json:"shifts"`
	// Unit is what the byte behind the number means as a unit of CJ/T 188.
	Unit string `json:"unit,omitempty"`
}

func newItem() *cobra.Command {
	var i item
	cmd := &cobra.Command{
		Use:   "item (--address LINE | -c FILE --line NAME) --protocol dlt645|cjt188 --di DI",
		Short: "Read one item of a DL/T 645 or CJ/T 188 meter raw, and show it as BCD with each shift",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return i.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	i.target.add(cmd, time.Second)
	i.require(cmd)
	f := cmd.Flags()
	f.StringVar(&i.protocol, "protocol", "", "dlt645 or cjt188")
	f.StringVar(&i.meter, "meter", "", "the meter's address, 12 digits or 14 (default: whoever is on the line)")
	f.StringVar(&i.di, "di", "", "the item in hexadecimal, such as 00010000, 9010 (1997) or 901F (CJ/T 188)")
	f.IntVar(&i.edition, "edition", 0, "of the standard: 2007 or 1997 for DL/T 645 (default by the length of --di), 2018 or 2004 for CJ/T 188 (default: both are tried)")
	f.BoolVar(&i.json, "json", false, "print JSON")
	cli.MustRequire(cmd, "protocol", "di")
	return cmd
}

func (i *item) run(ctx context.Context, out io.Writer) error {
	di, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(i.di), "0x"), 16, 32)
	if err != nil {
		return fmt.Errorf("--di %q: want hexadecimal digits", i.di)
	}
	p, err := i.target.resolve()
	if err != nil {
		return err
	}
	if p.serial == nil {
		return errors.New("--serial: say how the wire is driven; DL/T 645 and CJ/T 188 commonly have 2400-8E1")
	}
	var read func(context.Context, *session, uint32) (ItemReport, error)
	switch i.protocol {
	case "dlt645":
		read, err = i.reader645(di)
	case "cjt188":
		read, err = i.reader188(di)
	default:
		err = fmt.Errorf("--protocol %q: want dlt645 or cjt188", i.protocol)
	}
	if err != nil {
		return err
	}
	s := p.open(1)
	report, err := read(ctx, s, uint32(di))
	if err = errors.Join(err, s.close()); err != nil {
		return cli.Failed(fmt.Errorf("item %s of %s at %s: %w", i.di, i.whom(), s.line, err))
	}
	return cli.Failed(i.print(out, report))
}

// whom names the meter that is asked.
func (i *item) whom() string {
	if strings.Trim(i.meter, "Aa") == "" {
		return "whoever is on the line"
	}
	return "meter " + i.meter
}

type itemReader = func(context.Context, *session, uint32) (ItemReport, error)

func (i *item) reader645(di uint64) (itemReader, error) {
	if i.meter == "" {
		i.meter = dlt645.Anyone
	}
	if i.edition == 0 {
		i.edition = 2007
		if len(i.di) <= 4 {
			i.edition = 1997
		}
	}
	if i.edition != 2007 && (i.edition != 1997 || di > 0xFFFF) {
		return nil, fmt.Errorf("--edition %d with item %s: want 2007, or 1997 and an item of four digits", i.edition, i.di)
	}
	if _, err := dlt645.ParseAddress(i.meter); err != nil {
		return nil, fmt.Errorf("--meter: %w", err)
	}
	return func(ctx context.Context, s *session, di uint32) (ItemReport, error) {
		var raw dlt645.Raw
		err := s.ask(ctx, func(ctx context.Context) (err error) {
			raw, err = s.dlt645.ReadItem(ctx, i.meter, i.edition, di)
			return err
		})
		return ItemReport{Protocol: i.protocol, From: raw.From, Item: strings.ToUpper(i.di), Data: fmt.Sprintf("% X", raw.Data), Readings: bcdReadings(raw.Data, false)}, err
	}, nil
}

func (i *item) reader188(di uint64) (itemReader, error) {
	if i.meter == "" {
		i.meter = "AAAAAAAAAAAAAA"
	}
	editions := []int{2018, 2004}
	if i.edition != 0 {
		if !slices.Contains(editions, i.edition) {
			return nil, fmt.Errorf("--edition %d: want 2018 or 2004", i.edition)
		}
		editions = []int{i.edition}
	}
	if di > 0xFFFF {
		return nil, fmt.Errorf("--di %s: CJ/T 188 has items of four digits", i.di)
	}
	if _, err := cjt188.ParseAddress(i.meter); err != nil {
		return nil, fmt.Errorf("--meter: %w", err)
	}
	return func(ctx context.Context, s *session, di uint32) (r ItemReport, err error) {
		for _, edition := range editions {
			var raw cjt188.Raw
			err = s.ask(ctx, func(ctx context.Context) (err error) {
				raw, err = s.cjt188.ReadItem(ctx, cjt188.AnyType, i.meter, edition, uint16(di))
				return err
			})
			if err == nil {
				return ItemReport{
					Protocol: i.protocol, From: fmt.Sprintf("%s, type %02X", raw.From, raw.Type), Item: strings.ToUpper(i.di),
					Data: fmt.Sprintf("% X", raw.Data), Readings: bcdReadings(raw.Data, true),
				}, nil
			}
		}
		return r, err
	}, nil
}

// shifts is how many places of decimals are shown: 0 to 4.
const shifts = 5

// bcdReadings reads data as BCD: whole when it is short, and in runs of four,
// three and two bytes.
func bcdReadings(data []byte, units bool) (all []ItemReading) {
	widths := []int{4, 3, 2}
	if len(data) <= 8 && !slices.Contains(widths, len(data)) {
		widths = append([]int{len(data)}, widths...)
	}
	for _, width := range widths {
		if width < 1 {
			continue
		}
		step := width
		if units && len(data) > width {
			step = 1 // numbers and their units alternate
		}
		for at := 0; at+width <= len(data); at += step {
			digits, ok := bcd(data[at : at+width])
			if !ok {
				continue
			}
			r := ItemReading{At: at, Bytes: width, Shifts: shifted(digits)}
			if units && width == 4 && at+width < len(data) {
				r.Unit = unitText(data[at+width])
			}
			if units && len(data) > width && r.Unit == "" {
				continue
			}
			all = append(all, r)
		}
	}
	return all
}

// bcd reads two digits a byte, low byte first.
func bcd(b []byte) (n int64, ok bool) {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]>>4 > 9 || b[i]&0xF > 9 {
			return 0, false
		}
		n = n*100 + int64(b[i]>>4)*10 + int64(b[i]&0xF)
	}
	return n, true
}

func shifted(digits int64) (out []string) {
	for shift := range shifts {
		out = append(out, schemas.Decimal{Mantissa: digits, Exponent: int8(-shift)}.String())
	}
	return out
}

func unitText(code byte) string {
	unit, by, ok := cjt188profiles.UnitOf(code)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%02X: %s x 10^%d", code, unit, by)
}

func (i *item) print(out io.Writer, r ItemReport) error {
	if i.json {
		return writeJSON(out, r)
	}
	fmt.Fprintf(out, "meter %s, item %s: %s\n", r.From, r.Item, r.Data)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "BYTE\tBYTES\tBCD\tSHIFT -1\tSHIFT -2\tSHIFT -3\tSHIFT -4\tUNIT BYTE")
	for _, x := range r.Readings {
		fmt.Fprintf(table, "%d\t%d\t%s\t%s\n", x.At, x.Bytes, strings.Join(x.Shifts, "\t"), x.Unit)
	}
	return table.Flush()
}
