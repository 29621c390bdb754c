package interop

import (
	"fmt"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/cjt188"
	cjt188profiles "citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/dlt645"
	dlt645profiles "citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/line"
	"citygrid/adapters/modbus"
	modbusprofiles "citygrid/adapters/modbus/profiles"
	"citygrid/simulators"
	"citygrid/simulators/lab"
)

// seeds make meters of other digits, states and settlement days.
func seeds() []uint64 { return []uint64{1, 2, 7, 1001} }

// seedsOf returns the seeds for a kind of meter: all for the plain one, which is
// everywhere, one for each of the others.
func seedsOf(kind string) []uint64 {
	if kind == "plain" {
		return seeds()
	}
	return seeds()[:1]
}

// someNoValue is how often a meter of these tests has no value to show.
const someNoValue = 0.15

// modbusMeters are meters of every profile, one for each seed, with unit ids
// from 1.
func modbusMeters(t *testing.T, noValue float64) []*simulators.Meter {
	t.Helper()
	var meters []*simulators.Meter
	for _, p := range each(t, modbusprofiles.Embedded) {
		for _, seed := range seeds() {
			unit := uint8(len(meters) + 1)
			meters = append(meters, mustMeter(t, simulators.MeterConfig{
				ID: "METER-1", Profile: p, Unit: unit, Seed: seed<<8 + uint64(unit), Start: noon(), NoValue: noValue,
			}))
		}
	}
	return meters
}

// TestModbus reads meters of all profiles, as RTU and as TCP, and wants what
// their oracle says.
func TestModbus(t *testing.T) {
	for _, tt := range []struct {
		name string
		open func(*testing.T, *clock, []*simulators.Meter) *line.Line
	}{
		{"rtu", func(t *testing.T, c *clock, meters []*simulators.Meter) *line.Line {
			slave, err := simulators.NewRTU(meters...)
			if err != nil {
				t.Fatal(err)
			}
			return onBus(t, c, slave)
		}},
		{"tcp", func(t *testing.T, c *clock, meters []*simulators.Meter) *line.Line { return onGateway(t, c, meters...) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, meters := &clock{}, modbusMeters(t, someNoValue)
			bus := modbus.New(tt.open(t, c, meters), modbus.Config{Retries: -1})
			for _, sim := range meters {
				m, err := bus.Source("METER-1", sim.Unit, sim.Profile)
				if err != nil {
					t.Fatal(err)
				}
				for _, at := range moments() {
					c.set(at)
					readLive(t, m, sim, at)
				}
			}
		})
	}
}

const plate645 = "001234567890"

// TestDLT645 reads meters of all profiles: everything in one frame and in
// several, with wake-up bytes and without, after a swap, with a clock that is
// wrong, by their address and by that of anyone.
func TestDLT645(t *testing.T) {
	base := simulators.MeterConfig{ID: "METER-1", Address: plate645, Start: noon().AddDate(0, -5, 0)}
	tests := map[string]struct {
		change  func(*simulators.MeterConfig)
		address string
	}{
		"plain":             {func(*simulators.MeterConfig) {}, plate645},
		"no value at times": {func(c *simulators.MeterConfig) { c.NoValue = someNoValue }, plate645},
		"wake-up bytes":     {func(c *simulators.MeterConfig) { c.Preamble = 4 }, plate645},
		"short frames":      {func(c *simulators.MeterConfig) { c.MaxData, c.Preamble = 9, 3 }, plate645},
		"swapped":           {func(c *simulators.MeterConfig) { c.SwapAt = noon().AddDate(0, -1, -9) }, plate645},
		"clock ahead":       {func(c *simulators.MeterConfig) { c.ClockOffset = 97 * time.Second }, plate645},
		"clock behind":      {func(c *simulators.MeterConfig) { c.ClockOffset = -26 * time.Hour }, plate645},
		"clock set":         {func(c *simulators.MeterConfig) { c.ClockJumpAt, c.ClockJumpBy = noon().AddDate(0, 0, -3), 3*time.Hour }, plate645},
		"anyone":            {func(c *simulators.MeterConfig) { c.Preamble = 1 }, dlt645.Anyone},
	}
	for _, p := range each(t, dlt645profiles.Embedded) {
		for name, tt := range tests {
			for _, seed := range seedsOf(name) {
				t.Run(fmt.Sprintf("%s/%s/%d", p.ID, name, seed), func(t *testing.T) {
					t.Parallel()
					c := base
					c.DLT645, c.Seed = p, seed
					tt.change(&c)
					if p.Edition != 2007 && c.MaxData > 0 {
						c.MaxData = 0 // the older edition has short items only
					}
					oneOf := 7
					if name == "plain" {
						oneOf = 1
					}
					readDLT645(t, c, tt.address, oneOf)
				})
			}
		}
	}
}

func readDLT645(t *testing.T, c simulators.MeterConfig, address string, oneOf int) {
	sim := mustMeter(t, c)
	slave, err := simulators.NewDLT645(sim)
	if err != nil {
		t.Fatal(err)
	}
	hands := &clock{}
	bus := dlt645.New(onBus(t, hands, slave), dlt645.Config{Retries: -1})
	m, err := bus.Source("METER-1", address, c.DLT645)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range moments() {
		hands.set(at)
		readLive(t, m, sim, at)
	}
	if c.DLT645.Edition == 2007 { // the older one has no question for an address
		if found, err := bus.ReadAddress(t.Context()); err != nil || found != plate645 {
			t.Errorf("address %q, %v; the plate says %s", found, err, plate645)
		}
	}
	hands.set(noon())
	readAround(t, m, sim, noon(), c.DLT645.Clock != nil, oneOf)
}

const plate188 = "00112233445566"

// TestCJT188 reads meters of all profiles, of both editions whichever way the
// driver has to find that out, in every unit of volume, with wake-up bytes and
// without, after a swap, with a clock that is wrong.
func TestCJT188(t *testing.T) {
	tests := map[string]func(*simulators.MeterConfig){
		"plain":                     func(*simulators.MeterConfig) {},
		"silent on the other order": func(c *simulators.MeterConfig) { c.RefuseOrder = false },
		"no value at times":         func(c *simulators.MeterConfig) { c.NoValue = someNoValue },
		"wake-up bytes":             func(c *simulators.MeterConfig) { c.Preamble = 4 },
		"swapped":                   func(c *simulators.MeterConfig) { c.SwapAt = noon().AddDate(0, -3, -9) },
		"clock ahead":               func(c *simulators.MeterConfig) { c.ClockOffset = 97 * time.Second },
		"clock behind":              func(c *simulators.MeterConfig) { c.ClockOffset = -26 * time.Hour },
	}
	for code := range 256 {
		if unit, _, ok := cjt188profiles.UnitOf(byte(code)); ok && unit == "m3" {
			tests[fmt.Sprintf("unit %02X", code)] = func(c *simulators.MeterConfig) { c.UnitByte = byte(code) }
		}
	}
	for _, p := range each(t, cjt188profiles.Embedded) {
		for _, edition := range []int{2004, 2018} {
			if p.Edition != 0 && p.Edition != edition {
				continue
			}
			for name, change := range tests {
				for _, seed := range seedsOf(name) {
					t.Run(fmt.Sprintf("%s/%d/%s/%d", p.ID, edition, name, seed), func(t *testing.T) {
						t.Parallel()
						c := simulators.MeterConfig{
							ID: "METER-1", CJT188: p, Address: plate188, Edition: edition, Seed: seed, Start: noon().AddDate(0, -5, 0), RefuseOrder: true,
						}
						change(&c)
						readCJT188(t, c)
					})
				}
			}
		}
	}
}

func readCJT188(t *testing.T, c simulators.MeterConfig) {
	sim := mustMeter(t, c)
	slave, err := simulators.NewCJT188(sim)
	if err != nil {
		t.Fatal(err)
	}
	hands := &clock{}
	l := onBus(t, hands, slave)
	bus := cjt188.New(l, cjt188.Config{Retries: -1})
	m, err := bus.Source("METER-1", plate188, c.CJT188)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range moments() {
		hands.set(at)
		readLive(t, m, sim, at)
	}
	hands.set(noon())
	readAround(t, m, sim, noon(), c.CJT188.Clock != nil, 1)
	if found, err := bus.FindOnly(t.Context()); err != nil || found.Address != plate188 || found.Type != c.CJT188.Type {
		t.Errorf("found %+v, %v; the plate says %s", found, err, plate188)
	}
}

// TestOneLine reads meters of all profiles of all protocols on one line, in
// turns, as a cabinet has them.
func TestOneLine(t *testing.T) {
	t.Parallel()
	rtu := modbusMeters(t, 0)
	var dlt, cjt []*simulators.Meter
	for i, p := range each(t, dlt645profiles.Embedded) {
		dlt = append(dlt, mustMeter(t, simulators.MeterConfig{
			ID: "METER-1", DLT645: p, Address: fmt.Sprintf("6868686868%02d", i), Seed: uint64(i), Start: noon(), Preamble: i % 5,
		}))
	}
	for i, p := range each(t, cjt188profiles.Embedded) {
		cjt = append(cjt, mustMeter(t, simulators.MeterConfig{
			ID: "METER-1", CJT188: p, Address: fmt.Sprintf("161616681616%02d", i), Seed: uint64(i), Start: noon(), Preamble: i % 5,
			RefuseOrder: true,
		}))
	}
	var slaves []lab.Slave
	for _, s := range []struct {
		open   func(...*simulators.Meter) (simulators.Slave, error)
		meters []*simulators.Meter
	}{{simulators.NewRTU, rtu}, {simulators.NewDLT645, dlt}, {simulators.NewCJT188, cjt}} {
		slave, err := s.open(s.meters...)
		if err != nil {
			t.Fatal(err)
		}
		slaves = append(slaves, slave)
	}
	hands := &clock{t: noon()}
	l := onBus(t, hands, slaves...)
	m645, m188, mrtu := dlt645.New(l, dlt645.Config{Retries: -1}), cjt188.New(l, cjt188.Config{Retries: -1}), modbus.New(l, modbus.Config{Retries: -1})
	type device struct {
		source adapters.Source
		sim    *simulators.Meter
	}
	var all []device
	add := func(sim *simulators.Meter, source adapters.Source, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, device{source, sim})
	}
	for i, sim := range rtu {
		m, err := mrtu.Source("METER-1", sim.Unit, sim.Profile)
		add(sim, m, err)
		if i < len(dlt) {
			p, err := m645.Source("METER-1", dlt[i].Address, dlt[i].DLT645)
			add(dlt[i], p, err)
		}
		if i < len(cjt) {
			w, err := m188.Source("METER-1", cjt[i].Address, cjt[i].CJT188)
			add(cjt[i], w, err)
		}
	}
	for _, at := range moments() {
		hands.set(at)
		for _, d := range all {
			readLive(t, d.source, d.sim, at)
		}
	}
}
