package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"citygrid/adapters/line"
	"citygrid/schemas"
)

// Line is one physical line: a Modbus TCP device or gateway, a serial port, or
// a serial server that passes its wire through. It may have meters of several
// protocols.
type Line struct {
	Name string `yaml:"name"`
	// Address is host:port, or the path of a serial device.
	Address string `yaml:"address"`
	// Serial is how the wire is driven. It is needed for a device, and makes a
	// host:port a transparent serial server; without it host:port is Modbus TCP.
	Serial *Serial `yaml:"serial,omitempty"`
	// Timeout bounds the wait for one answer; QuietTime is the pause after an
	// error that leaves doubt about what may still arrive.
	Timeout   Duration `yaml:"timeout,omitempty"`
	QuietTime Duration `yaml:"quiet_time,omitempty"`
	// NoTransactionID is for gateways that do not echo the transaction id.
	NoTransactionID bool `yaml:"no_transaction_id,omitempty"`
	// IgnoreSequence is for CJ/T 188 meters that do not return the sequence byte
	// of the request.
	IgnoreSequence bool `yaml:"ignore_sequence,omitempty"`
	// CloseAfterCycle gives the connection back whenever nothing is due for a
	// while, for devices that serve one client at a time.
	CloseAfterCycle bool `yaml:"close_after_cycle,omitempty"`
	// ProbeShare is the share of the line's time that meters which do not answer
	// may use while others wait, above 0 and at most 1; 0 is the default, 0.05.
	ProbeShare float64 `yaml:"probe_share,omitempty"`
	Meters     []Meter `yaml:"meters"`
}

// Serial is how a wire is driven.
type Serial struct {
	Baud   int         `yaml:"baud"`
	Parity line.Parity `yaml:"parity"`
	// DataBits and StopBits are 8 and 1 where the file does not say.
	DataBits int `yaml:"data_bits,omitempty"`
	StopBits int `yaml:"stop_bits,omitempty"`
}

// usual is what an operator is told who has left out how the wire is driven: no
// guess is made, because a wrong one looks like a dead meter.
const usual = "usual are {baud: 9600, parity: none} for Modbus and {baud: 2400, parity: even} for DL/T 645 and CJ/T 188; the meter's display or document says"

func (l *Line) applyDefaults() {
	orDefault(&l.Timeout, defaultTimeout)
	quiet := defaultQuietTime
	if l.Serial != nil || l.NoTransactionID {
		quiet = l.Timeout
	}
	orDefault(&l.QuietTime, quiet)
	if l.Serial != nil {
		orDefault(&l.Serial.DataBits, 8)
		orDefault(&l.Serial.StopBits, 1)
	}
}

// kind says how the line is reached.
func (l *Line) kind() schemas.LineKind {
	switch {
	case line.IsDevice(l.Address):
		return schemas.LineSerial
	case l.Serial != nil:
		return schemas.LineServer
	}
	return schemas.LineModbusTCP
}

// settings returns the line's wire as package line has it, nil for none.
func (l *Line) settings() *line.Serial {
	if l.Serial == nil {
		return nil
	}
	return &line.Serial{Baud: l.Serial.Baud, DataBits: l.Serial.DataBits, Parity: l.Serial.Parity, StopBits: l.Serial.StopBits}
}

// checkLines also finds what two lines may not have in common.
func (c *Config) checkLines() error {
	if len(c.Lines) == 0 {
		return c.at(errors.New("no line to read"), "lines")
	}
	names, addresses := map[string]bool{}, map[string]string{}
	meters := map[schemas.MeterID]string{}
	for i := range c.Lines {
		l := &c.Lines[i]
		if l.Name == "" || names[l.Name] {
			return c.at(fmt.Errorf("%q: want a name of its own for each line", l.Name), "lines", i, "name")
		}
		names[l.Name] = true
		if err := c.checkLine(i, l); err != nil {
			return err
		}
		end := l.end()
		if other, ok := addresses[end]; ok {
			return c.at(fmt.Errorf("%s is the address of line %s too; one line is one owner: put the meters under one", l.Address, other), "lines", i, "address")
		}
		addresses[end] = l.Name
		if err := c.checkMeters(i, l, meters); err != nil {
			return err
		}
	}
	return nil
}

// end names the port or endpoint that the line owns: two paths to one device
// are one. A device that is not plugged in is known by its path.
func (l *Line) end() string {
	if !line.IsDevice(l.Address) {
		return l.Address
	}
	if real, err := filepath.EvalSymlinks(l.Address); err == nil {
		return real
	}
	return filepath.Clean(l.Address)
}

// checkLine checks what a line is by itself.
func (c *Config) checkLine(i int, l *Line) error {
	device := line.IsDevice(l.Address)
	if !device {
		if _, _, err := net.SplitHostPort(l.Address); err != nil {
			return c.at(fmt.Errorf("want host:port or the path of a serial device: %w", err), "lines", i, "address")
		}
	}
	switch {
	case device && l.Serial == nil:
		return c.at(fmt.Errorf("%s is a serial device; say how its wire is driven (serial): %s", l.Address, usual), "lines", i)
	case l.Serial != nil && (l.Serial.Baud == 0 || l.Serial.Parity == ""):
		return c.at(fmt.Errorf("want baud and parity: %s", usual), "lines", i, "serial")
	case l.Serial != nil && l.NoTransactionID:
		return c.at(errors.New("there are no transaction ids on a serial wire; leave it out"), "lines", i, "no_transaction_id")
	case l.Serial == nil && l.IgnoreSequence:
		return c.at(errors.New("is for CJ/T 188 on a serial wire; leave it out"), "lines", i, "ignore_sequence")
	case l.Timeout < 0:
		return c.at(errNegative, "lines", i, "timeout")
	case l.QuietTime < 0:
		return c.at(errNegative, "lines", i, "quiet_time")
	case !(l.ProbeShare >= 0 && l.ProbeShare <= 1):
		return c.at(fmt.Errorf("%v is no share: want above 0 and at most 1", l.ProbeShare), "lines", i, "probe_share")
	case len(l.Meters) == 0:
		return c.at(errors.New("no meter on this line"), "lines", i, "meters")
	}
	if s := l.settings(); s != nil {
		if err := s.Validate(); err != nil {
			return c.at(err, "lines", i, "serial")
		}
	}
	return nil
}

// warn notes what works and yet should not stay so.
func (c *Config) warn() {
	for i, l := range c.Lines {
		if strings.HasPrefix(l.Address, "/dev/ttyUSB") || strings.HasPrefix(l.Address, "/dev/ttyACM") {
			c.warnings = append(c.warnings, c.at(fmt.Errorf(
				"%s names whichever adapter was plugged in first, and may be another line after the next start; use its path in /dev/serial/by-id", l.Address),
				"lines", i, "address").Error())
		}
	}
}
