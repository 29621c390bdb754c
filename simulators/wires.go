package simulators

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	cjt188 "citygrid/adapters/cjt188/profiles"
	dlt645 "citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
	"citygrid/simulators/lab"
)

// Kind is a kind of line.
type Kind string

// The kinds of lines.
const (
	// TCPGateway is a Modbus TCP gateway.
	TCPGateway Kind = "gateway"
	// SerialLine is a serial port, here a pseudo-terminal.
	SerialLine Kind = "serial"
	// StreamLine is a transparent serial server: a serial line's bytes over TCP.
	StreamLine Kind = "stream"
)

// Protocol is what meters speak on a serial line.
type Protocol string

// The protocols of a serial line.
const (
	RTU    Protocol = "rtu"
	DLT645 Protocol = "dlt645"
	CJT188 Protocol = "cjt188"
)

// Protocols returns all of them.
func Protocols() []Protocol { return []Protocol{RTU, DLT645, CJT188} }

// Wire is a serial line with its meters, behind either kind of port.
type Wire struct {
	Kind   Kind
	Name   string
	Serial lab.Serial
	Meters []*Meter
	// Bus is the line itself, with its counts.
	Bus *lab.Bus

	turnaround time.Duration
}

// NoPacing is the baud rate of lines whose bytes take no time.
const NoPacing = -1

const (
	defaultMetersPerLine = 8
	maxMetersPerLine     = 32 // unit loads of an RS-485 driver
	defaultTurnaround    = 10 * time.Millisecond
)

func (c *FleetConfig) validateWires() error {
	switch {
	case c.SerialLines < 0 || c.StreamLines < 0:
		return fmt.Errorf("%d serial lines and %d stream lines; want none or more", c.SerialLines, c.StreamLines)
	case c.MetersPerLine < 1 || c.MetersPerLine > maxMetersPerLine:
		return fmt.Errorf("%d meters per serial line; want 1 to %d", c.MetersPerLine, maxMetersPerLine)
	case c.behindGateways() < 0:
		return fmt.Errorf("%d serial lines of %d meters need %d meters; there are %d", c.SerialLines+c.StreamLines,
			c.MetersPerLine, (c.SerialLines+c.StreamLines)*c.MetersPerLine, c.Meters)
	case c.Turnaround < 0:
		return fmt.Errorf("turnaround %s is negative", c.Turnaround)
	}
	for _, p := range c.Protocols {
		if !slices.Contains(Protocols(), p) {
			return fmt.Errorf("no protocol %q; there are %q", p, Protocols())
		}
	}
	if c.Baud != NoPacing {
		return lab.Serial{Baud: c.Baud}.Validate()
	}
	return nil
}

// serial returns the settings of serial line n: with even parity where meters
// speak DL/T 645 or CJ/T 188, whose standards ask for it.
func (c *FleetConfig) serial(n int) lab.Serial {
	s := lab.Serial{Baud: c.Baud, DataBits: 8, Parity: lab.Even, StopBits: 1}
	switch c.Baud {
	case 0:
		s.Baud = [...]int{9600, 2400}[n%2]
	case NoPacing:
		s.Baud = 0
	}
	if len(c.Protocols) == 1 && c.Protocols[0] == RTU {
		s.Parity = lab.None
	}
	return s
}

// catalogue holds the models that the meters of serial lines may be.
type catalogue struct {
	rtu    []*profiles.Profile
	dlt645 []*dlt645.Profile
	cjt188 []*cjt188.Profile
}

// catalogue returns n models of each protocol.
func (c *FleetConfig) catalogue(n int) (k catalogue, err error) {
	seed := mix(c.Seed, saltWireModels)
	if k.rtu, err = c.models(n); err != nil {
		return k, err
	}
	power, err := dlt645.Embedded()
	if err != nil {
		return k, err
	}
	if k.dlt645, err = every(power.IDs(), power.Get); err != nil {
		return k, err
	}
	water, err := cjt188.Embedded()
	if err != nil {
		return k, err
	}
	if k.cjt188, err = every(water.IDs(), water.Get); err != nil {
		return k, err
	}
	k.dlt645, k.cjt188 = inTurn(seed, k.dlt645, n), inTurn(seed, k.cjt188, n)
	return k, nil
}

// every gets all of a set.
func every[T any](ids []string, get func(string) (T, error)) (all []T, err error) {
	for _, id := range ids {
		x, err := get(id)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	if len(all) == 0 {
		return nil, errors.New("no profile is built in")
	}
	return all, nil
}

// wired returns the configurations of the meters on serial lines; the first has
// number first.
func (c *FleetConfig) wired(first int) ([]MeterConfig, error) {
	n := c.Meters - first
	if n == 0 {
		return nil, nil
	}
	models, err := c.catalogue(n)
	if err != nil {
		return nil, err
	}
	protocols := c.Protocols
	if len(protocols) == 0 {
		protocols = Protocols()
	}
	all := make([]MeterConfig, n)
	for k := range all {
		i := first + k
		turn := k / len(protocols)
		switch protocols[k%len(protocols)] {
		case RTU:
			p := models.rtu[turn]
			all[k] = c.meter(i, p.Medium)
			all[k].Profile, all[k].Unit = p, c.unit(saltWireUnits, k/c.MetersPerLine, k%c.MetersPerLine)
		case DLT645:
			p := models.dlt645[turn]
			all[k] = c.meter(i, p.Medium)
			all[k].DLT645, all[k].Address = p, c.plate(i, 12)
		case CJT188:
			p := models.cjt188[turn]
			all[k] = c.meter(i, p.Medium)
			all[k].CJT188, all[k].Address = p, c.plate(i, 14)
		}
		if all[k].Profile == nil {
			all[k].Preamble = int(mix(all[k].Seed, saltPreamble) % 5)
		}
	}
	return all, nil
}

// plate returns an address of so many digits that no other meter has.
func (c *FleetConfig) plate(i, digits int) string {
	maker := mix(mix(c.Seed, saltPlate), uint64(i)) % 1e6
	return fmt.Sprintf("%0*d", digits, maker*1e6+uint64(i+1)%1e6)
}

// hasClock reports whether a meter has a clock that can be read.
func hasClock(m *MeterConfig) bool {
	return m.DLT645 != nil && m.DLT645.Clock != nil || m.CJT188 != nil && m.CJT188.Clock != nil
}

// slaves returns one slave for each protocol that meters speak.
func slaves(meters []*Meter) (all []lab.Slave, err error) {
	var byProtocol [3][]*Meter
	for _, m := range meters {
		switch {
		case m.DLT645 != nil:
			byProtocol[1] = append(byProtocol[1], m)
		case m.CJT188 != nil:
			byProtocol[2] = append(byProtocol[2], m)
		default:
			byProtocol[0] = append(byProtocol[0], m)
		}
	}
	for i, make := range []func(...*Meter) (Slave, error){NewRTU, NewDLT645, NewCJT188} {
		if len(byProtocol[i]) == 0 {
			continue
		}
		s, err := make(byProtocol[i]...)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (f *Fleet) addWires(c FleetConfig, meters []*Meter) error {
	faults, err := c.Faults.at(onWire).Wire()
	if err != nil {
		return err
	}
	for _, rate := range faults.Rates {
		f.mishaps += rate
	}
	turnaround := orElse(c.Turnaround, defaultTurnaround)
	if c.Baud == NoPacing {
		turnaround = c.Turnaround
	}
	for on := range slices.Chunk(meters, c.MetersPerLine) {
		n := len(f.Wires)
		w := &Wire{Kind: SerialLine, Name: fmt.Sprintf("serial-%03d", n+1), Serial: c.serial(n), Meters: on, turnaround: turnaround}
		if k := n - c.SerialLines; k >= 0 {
			w.Kind, w.Name, w.Serial = StreamLine, fmt.Sprintf("stream-%03d", k+1), c.serial(k)
		}
		everyone, err := slaves(on)
		if err != nil {
			return err
		}
		w.Bus, err = lab.New(lab.Config{
			Name: w.Name, Slaves: everyone, Serial: w.Serial, Turnaround: turnaround, Jitter: turnaround,
			Seed: mix(mix(c.Seed, saltWire), uint64(n)), Faults: faults, Now: c.Now,
		})
		if err != nil {
			return err
		}
		f.Wires = append(f.Wires, w)
	}
	return nil
}

// doorway is a line that can be opened.
type doorway struct {
	name string
	open func(ctx context.Context, host string) (door, error)
}

// door is an open line that waits to be served.
type door struct {
	address string
	serve   func(context.Context) error
	close   func() error
}

// doorways returns all lines, in the order of Lines.
func (f *Fleet) doorways() (all []doorway) {
	for _, g := range f.Gateways {
		all = append(all, doorway{g.Name, func(ctx context.Context, host string) (door, error) {
			return overTCP(ctx, host, g.Serve)
		}})
	}
	for _, w := range f.Wires {
		all = append(all, doorway{w.Name, w.open})
	}
	return all
}

func overTCP(ctx context.Context, host string, serve func(context.Context, net.Listener) error) (door, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return door{}, err
	}
	return door{ln.Addr().String(), func(ctx context.Context) error { return serve(ctx, ln) }, ln.Close}, nil
}

// open opens the wire's port.
func (w *Wire) open(ctx context.Context, host string) (door, error) {
	if w.Kind == StreamLine {
		return overTCP(ctx, host, func(ctx context.Context, ln net.Listener) error {
			return w.Bus.Serve(ctx, lab.Server{Listener: ln})
		})
	}
	t, err := lab.OpenTerminal()
	if err != nil {
		return door{}, err
	}
	return door{t.Path(), func(ctx context.Context) error { return w.Bus.Serve(ctx, t) }, t.Close}, nil
}

// Line is a line as a collector's configuration needs it.
type Line struct {
	Kind Kind
	Name string
	// Address is host:port, or the path of a serial line's device; empty before
	// Listen.
	Address string
	// Serial are the settings of the wire; nil for a gateway.
	Serial *lab.Serial
	// Cycle is about how long the wire needs to give every meter's values once,
	// without faults; 0 for a gateway and without pacing.
	Cycle time.Duration
	// Mishaps is how many requests of a cycle meet a fault on the wire, on
	// average; 0 where Cycle is.
	Mishaps float64
	Meters  []LineMeter
}

// LineMeter is a meter of a Line.
type LineMeter struct {
	ID schemas.MeterID
	// Unit is the Modbus unit id, Address the digits on the plate of a meter of
	// another protocol; a meter has one of them.
	Unit    uint8
	Address string
	Profile string
}

// Lines returns all lines with their addresses and meters: the gateways, the
// serial lines, the serial servers.
func (f *Fleet) Lines() []Line {
	var lines []Line
	for _, g := range f.Gateways {
		lines = append(lines, Line{Kind: TCPGateway, Name: g.Name, Meters: lineMeters(g.Meters)})
	}
	for _, w := range f.Wires {
		line := Line{Kind: w.Kind, Name: w.Name, Serial: &w.Serial, Meters: lineMeters(w.Meters)}
		if w.Serial.Baud > 0 {
			for _, m := range w.Meters {
				d, requests := w.cost(m)
				line.Cycle += d
				line.Mishaps += float64(requests) * f.mishaps
			}
		}
		lines = append(lines, line)
	}
	for i, address := range f.addresses {
		lines[i].Address = address
	}
	return lines
}

func lineMeters(meters []*Meter) (out []LineMeter) {
	for _, m := range meters {
		out = append(out, LineMeter{m.ID, m.Unit, m.Address, m.ProfileID()})
	}
	return out
}

// Lengths of frames without their data.
const (
	rtuFrames = 8 + 5           // request and answer
	dltFrames = 16 + 16 + 4 + 4 // and the bytes FE before both
	cjtFrames = 16 + 14 + 4 + 4
)

// cost returns how long the wire needs for one read of m, and in how many
// requests.
func (w *Wire) cost(m *Meter) (d time.Duration, requests int) {
	spend := func(bytes int) {
		requests++
		d += w.Serial.Wire(bytes) + w.turnaround*3/2 + w.Serial.Silence()
	}
	switch {
	case m.DLT645 != nil:
		for _, size := range sizes(m.DLT645.Fields, func(f dlt645.Field) (uint32, int) { return f.DI, f.At + f.Bytes }) {
			spend(dltFrames + size)
		}
	case m.CJT188 != nil:
		for di, size := range sizes(m.CJT188.Fields, func(f cjt188.Field) (uint16, int) { return f.DI, f.At + f.Bytes + 1 }) {
			spend(cjtFrames + max(size, m.CJT188.Lengths[di]))
		}
	default:
		for _, r := range m.readable {
			for left := int(r.To-r.From) + 1; left > 0; left -= m.Profile.MaxRegisters {
				spend(rtuFrames + 2*min(left, m.Profile.MaxRegisters))
			}
		}
	}
	return d, requests
}

// sizes returns the length of each item that fields stand in.
func sizes[F any, DI comparable](fields []F, place func(F) (DI, int)) map[DI]int {
	items := make(map[DI]int)
	for _, f := range fields {
		di, end := place(f)
		items[di] = max(items[di], end)
	}
	return items
}
