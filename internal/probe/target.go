package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters/cjt188"
	"citygrid/adapters/dlt645"
	"citygrid/adapters/line"
	"citygrid/adapters/modbus"
	"citygrid/collector/config"
)

// target is the flags that name a line.
type target struct {
	address, serial string
	file, name      string
	timeout         time.Duration
}

// add adds the flags; timeout is the default of theirs.
func (t *target) add(cmd *cobra.Command, timeout time.Duration) {
	f := cmd.Flags()
	f.StringVar(&t.address, "address", "", "the line: a serial device, or host:port")
	f.StringVar(&t.serial, "serial", "", "how the wire is driven, such as 9600-8N1; with host:port it means a transparent serial server")
	f.StringVarP(&t.file, "config", "c", "", "take the line from this configuration of a collector")
	f.StringVar(&t.name, "line", "", "the line's name in the configuration")
	f.DurationVar(&t.timeout, "timeout", timeout, "how long an answer may take")
}

// require makes one of the ways to name a line, or of others, be given.
func (t *target) require(cmd *cobra.Command, others ...string) {
	ways := append([]string{"address", "config"}, others...)
	cmd.MarkFlagsMutuallyExclusive(ways...)
	cmd.MarkFlagsOneRequired(ways...)
}

// place is a line that can be opened.
type place struct {
	name, address string
	serial        *line.Serial // nil: Modbus TCP, or a device whose settings are not known yet
	timeout       time.Duration
	noIDs, noSER  bool
	// ports opens a serial port; nil is the system's (see line.Config.Open).
	ports func(device string, s line.Serial) (line.Port, error)
}

// resolve returns the place that the flags name. It opens nothing.
func (t *target) resolve() (place, error) {
	if t.file != "" {
		return t.fromFile()
	}
	p := place{address: t.address, timeout: t.timeout}
	if !line.IsDevice(p.address) {
		if _, _, err := net.SplitHostPort(p.address); err != nil {
			return p, fmt.Errorf("--address %s: want the path of a serial device or host:port: %w", p.address, err)
		}
	}
	if t.name != "" {
		return p, errors.New("--line goes with -c")
	}
	if t.serial == "" {
		return p, nil
	}
	s, err := parseSerial(t.serial)
	p.serial = &s
	return p, err
}

func (t *target) fromFile() (place, error) {
	c, err := config.Load(t.file)
	if err != nil {
		return place{}, err
	}
	if t.serial != "" {
		return place{}, errors.New("--serial: the configuration says how the wire is driven; leave it out")
	}
	l, err := lineOf(c, t.name)
	if err != nil {
		return place{}, err
	}
	p := place{name: l.Name, address: l.Address, timeout: time.Duration(l.Timeout), noIDs: l.NoTransactionID, noSER: l.IgnoreSequence}
	if s := l.Serial; s != nil {
		p.serial = &line.Serial{Baud: s.Baud, DataBits: s.DataBits, Parity: s.Parity, StopBits: s.StopBits}
	}
	return p, nil
}

// lineOf returns the line of that name; without a name, the only one.
func lineOf(c *config.Config, name string) (*config.Line, error) {
	var names []string
	for i := range c.Lines {
		if c.Lines[i].Name == name || name == "" && len(c.Lines) == 1 {
			return &c.Lines[i], nil
		}
		names = append(names, c.Lines[i].Name)
	}
	if name == "" {
		return nil, fmt.Errorf("--line: say which; the configuration has %s", strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("--line %q: the configuration has no such line; it has %s", name, strings.Join(names, ", "))
}

var serialForm = regexp.MustCompile(`(?i)^([0-9]+)[-, ]?([78])([NEO])([12])$`)

// parseSerial reads "9600-8N1".
func parseSerial(text string) (line.Serial, error) {
	m := serialForm.FindStringSubmatch(text)
	if m == nil {
		return line.Serial{}, fmt.Errorf("--serial %q: want baud, data bits, parity and stop bits, such as 9600-8N1 or 2400-8E1", text)
	}
	baud, err := strconv.Atoi(m[1])
	if err != nil {
		return line.Serial{}, fmt.Errorf("--serial %q: %w", text, err)
	}
	parity := map[string]line.Parity{"N": line.None, "E": line.Even, "O": line.Odd}[strings.ToUpper(m[3])]
	s := line.Serial{Baud: baud, DataBits: int(m[2][0] - '0'), Parity: parity, StopBits: int(m[4][0] - '0')}
	return s, s.Validate()
}

// quietTime is how long a probe leaves a line alone after a request without an
// answer. It is short, because a scan meets many: what comes later still is not
// taken for another's answer, since it names another unit or address.
const quietTime = 100 * time.Millisecond

// session is a line in use by a probe.
type session struct {
	line   *line.Line
	modbus *modbus.Bus
	dlt645 *dlt645.Bus
	cjt188 *cjt188.Bus
	// device is whether the line is a port; doubt whether the last request got
	// no answer, so that one may still come.
	device, doubt bool
}

// open returns a session; nothing is opened before the first request.
// retries is how often a request is repeated, 0 for never.
func (p place) open(retries int) *session {
	if retries == 0 {
		retries = -1
	}
	l := line.New(line.Config{Name: p.name, Address: p.address, Serial: p.serial, Timeout: p.timeout, QuietTime: quietTime, Open: p.ports})
	return &session{
		line:   l,
		modbus: modbus.New(l, modbus.Config{NoTransactionID: p.noIDs, Retries: retries}),
		dlt645: dlt645.New(l, dlt645.Config{Retries: retries}),
		cjt188: cjt188.New(l, cjt188.Config{Retries: retries, IgnoreSequence: p.noSER}),
		device: line.IsDevice(p.address),
	}
}

// ask puts one request. The end of ctx keeps it from being sent, and does not
// cut it short: a request that is out is waited for.
func (s *session) ask(ctx context.Context, request func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := request(context.WithoutCancel(ctx))
	var none *line.NoAnswer
	var frame *line.FrameError
	s.doubt = errors.As(err, &none) || errors.As(err, &frame)
	return err
}

// close gives the line back, silent: an answer that is late is waited for.
func (s *session) close() error {
	if s.doubt && s.device {
		ctx, cancel := context.WithTimeout(context.Background(), quietTime)
		defer cancel()
		_ = s.line.Listen(ctx, func(time.Time, []byte) {}) // what it says does not matter any more
	}
	return s.line.Close()
}
