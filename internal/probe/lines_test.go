package probe

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	cjt188profiles "citygrid/adapters/cjt188/profiles"
	dlt645profiles "citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/line"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
	"citygrid/simulators"
	"citygrid/simulators/lab"
)

const (
	plate645 = "000000000161"
	plate188 = "00112233445566"
)

// mustMeter makes a simulated meter: of Modbus when it has a unit.
func mustMeter(t testing.TB, profile string, unit uint8, address string) *simulators.Meter {
	t.Helper()
	c := simulators.MeterConfig{
		ID: schemas.MeterID("M-" + profile), Unit: unit, Address: address, Seed: 1, Step: time.Hour, Preamble: 4,
		Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	var err error
	switch len(address) {
	case 12:
		c.DLT645, err = get(dlt645profiles.Embedded())(profile)
	case 14:
		c.CJT188, err = get(cjt188profiles.Embedded())(profile)
	default:
		c.Preamble = 0
		c.Profile, err = get(profiles.Embedded())(profile)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := simulators.NewMeter(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// get returns the lookup of a set.
func get[P any, S interface{ Get(string) (*P, error) }](set S, err error) func(string) (*P, error) {
	return func(id string) (*P, error) {
		if err != nil {
			return nil, err
		}
		return set.Get(id)
	}
}

// slave returns one protocol's meters.
func slave(t testing.TB, make func(...*simulators.Meter) (simulators.Slave, error), meters ...*simulators.Meter) lab.Slave {
	t.Helper()
	s, err := make(meters...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onServer serves a line behind a transparent serial server.
func onServer(t testing.TB, c lab.Config) (*lab.Bus, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveBus(t, c, lab.Server{Listener: ln}), ln.Addr().String()
}

// onTerminal serves a line on a pseudo-terminal.
func onTerminal(t testing.TB, c lab.Config) (*lab.Bus, string) {
	t.Helper()
	term, err := lab.OpenTerminal()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return serveBus(t, c, term), term.Path()
}

func serveBus(t testing.TB, c lab.Config, port lab.Port) *lab.Bus {
	t.Helper()
	b, err := lab.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, port) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return b
}

// fast is a wire whose bytes take no time; probes believe in wire115200.
func fast() lab.Serial { return lab.Serial{} }

func wire115200() *line.Serial {
	return &line.Serial{Baud: 115200, DataBits: 8, Parity: line.None, StopBits: 1}
}

// configText is a collector's configuration with one line.
func configText(address, serial, interval, meters string) string {
	return fmt.Sprintf(`collector: c1
bundle: nowhere.bundle
data_dir: data
interval: %s
broker: {url: "tcp://127.0.0.1:1"}
lines:
  - name: riser
    address: %q
    serial: %s
    timeout: 300ms
    meters:
%s`, interval, address, serial, meters)
}
