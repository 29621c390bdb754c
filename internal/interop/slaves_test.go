package interop

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"citygrid/adapters/line"
	"citygrid/adapters/modbus"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
	"citygrid/simulators/lab"
)

// unit is a slave by another author with the registers of a golden vector.
type unit struct {
	id      uint8
	profile *profiles.Profile
	vector  profiles.Vector
}

// vectorUnits returns a slave for every vector of every Modbus profile.
func vectorUnits(t *testing.T) []unit {
	t.Helper()
	var all []unit
	for _, p := range each(t, profiles.Embedded) {
		vectors, err := profiles.Vectors(p.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range vectors {
			all = append(all, unit{uint8(len(all) + 1), p, v})
		}
	}
	if len(all) > 247 {
		t.Fatalf("%d vectors are more than a line has addresses", len(all))
	}
	return all
}

// registers are words by function and wire address, as the scripts read them.
type registers map[string]map[string]uint16

func (r registers) set(function uint8, at int, word uint16) {
	f := strconv.Itoa(int(function))
	if r[f] == nil {
		r[f] = map[string]uint16{}
	}
	r[f][strconv.Itoa(at)] = word
}

// unwanted is what registers hold that no vector gives: it must never show.
const unwanted = 0xA5A5

// holds returns the registers of u. With gaps, they are all that its driver may
// read across; without, those only that its map names.
func (u unit) holds(t *testing.T, gaps bool) registers {
	t.Helper()
	r := registers{}
	plan, err := modbus.Plan(u.profile)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range plan {
		for k := 0; gaps && k < int(q.Count); k++ {
			r.set(q.Function, int(q.At)+k, unwanted)
		}
	}
	for _, f := range u.profile.Fields {
		for _, p := range f.Parts {
			for k := range p.Words {
				r.set(p.Function, int(p.At)+k, unwanted)
			}
		}
	}
	for _, b := range u.vector.Blocks {
		for k, w := range b.Words {
			r.set(b.Function, int(b.At)+k, w)
		}
	}
	return r
}

// hold returns the registers of all units, by unit id.
func hold(t *testing.T, units []unit, gaps bool) map[string]registers {
	t.Helper()
	all := map[string]registers{}
	for _, u := range units {
		all[strconv.Itoa(int(u.id))] = u.holds(t, gaps)
	}
	return all
}

// readVectors reads all units over l and wants what their vectors say, twice:
// what the driver has learned of a device must not change a value.
func readVectors(t *testing.T, l *line.Line, units []unit) {
	t.Helper()
	bus, values := modbus.New(l, modbus.Config{Retries: -1}), 0
	for _, u := range units {
		m, err := bus.Source("METER-1", u.id, u.profile)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			readings, err := m.Read(t.Context())
			if err != nil || len(readings) != len(u.profile.Fields) {
				t.Errorf("%s, %s: %d readings of %d, %v", u.profile.ID, u.vector.Name, len(readings), len(u.profile.Fields), err)
			}
			values += u.check(t, readings)
		}
	}
	if values == 0 {
		t.Error("no value was compared")
	}
}

// check compares readings with the vector and returns how many values it names.
func (u unit) check(t *testing.T, readings []schemas.Reading) int {
	t.Helper()
	byQuantity := map[schemas.Quantity]schemas.Reading{}
	for _, r := range readings {
		byQuantity[r.Quantity] = r
	}
	for _, want := range u.vector.Want {
		r, ok := byQuantity[want.Quantity]
		exact := want.Missing != "" && r.Reason == want.Missing || want.Missing == "" && r.HasValue() && r.Value.Cmp(want.Value) == 0
		if !ok || !exact {
			t.Errorf("%s, %s: %s is %s %s, want %s %s", u.profile.ID, u.vector.Name, want.Quantity, r.Value, r.Reason, want.Value, want.Missing)
		}
	}
	return len(u.vector.Want)
}

// patience is how long a slave may take: it is another process, on a machine that
// may have much to do, and none of these tests waits for silence.
const patience = 10 * time.Second

// TestPymodbusSlaves reads the golden vectors of all profiles from slaves of
// pymodbus.
func TestPymodbusSlaves(t *testing.T) {
	units := vectorUnits(t)
	for _, tt := range []struct {
		name, mode string
		gaps       bool
		serial     *line.Serial
	}{
		{"tcp", "tcp", true, nil},
		{"tcp, what the map does not name is refused", "tcp", false, nil},
		{"rtu over tcp", "rtu-tcp", true, fast()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at := slaves(t, "pymodbus_slave.py", map[string]any{"mode": tt.mode, "units": hold(t, units, tt.gaps)})
			readVectors(t, openLine(t, line.Config{Timeout: patience, Address: at, Serial: tt.serial}), units)
		})
	}
	t.Run("rtu", func(t *testing.T) {
		t.Parallel()
		ours, theirs := terminal(t), terminal(t)
		carry(t, ours, theirs)
		carry(t, theirs, ours)
		slaves(t, "pymodbus_slave.py", map[string]any{"mode": "rtu", "device": theirs.Path(), "units": hold(t, units, true)})
		readVectors(t, openLine(t, line.Config{Timeout: patience, Address: ours.Path(), Serial: fast()}), units)
	})
}

// TestLibmodbusSlaves reads the golden vectors of all profiles from slaves of
// libmodbus; on a wire each unit is a slave of its own, and hears all that is said there: a
// slave of libmodbus that has heard a request to another waits for that answer.
func TestLibmodbusSlaves(t *testing.T) {
	units := vectorUnits(t)
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		at := slaves(t, "libmodbus_slave.py", map[string]any{"mode": "tcp", "units": hold(t, units, true)})
		readVectors(t, openLine(t, line.Config{Timeout: patience, Address: at}), units)
	})
	t.Run("rtu", func(t *testing.T) {
		t.Parallel()
		master, devices := terminal(t), map[string]string{}
		ports := []*lab.Terminal{master}
		for _, u := range units {
			port := terminal(t)
			ports = append(ports, port)
			devices[strconv.Itoa(int(u.id))] = port.Path()
		}
		var wire sync.Mutex
		for _, from := range ports {
			carry(t, from, &tap{wire: &wire, from: from, ports: ports})
		}
		slaves(t, "libmodbus_slave.py", map[string]any{"mode": "rtu", "devices": devices, "units": hold(t, units, true)})
		readVectors(t, openLine(t, line.Config{Timeout: patience, Address: master.Path(), Serial: fast()}), units)
	})
}

// tap is how one port speaks on a bus.
type tap struct {
	wire  *sync.Mutex
	from  *lab.Terminal
	ports []*lab.Terminal
}

// Write gives b to all others. All of them have it before anybody else speaks:
// an answer that overtook its request would confuse whoever listens.
func (s *tap) Write(p []byte) (int, error) {
	s.wire.Lock()
	defer s.wire.Unlock()
	for _, to := range s.ports {
		if to == s.from {
			continue
		}
		if n, err := to.Write(p); err != nil {
			return n, err
		}
	}
	return len(p), nil
}

// terminal returns a pseudo-terminal for the length of the test.
func terminal(t *testing.T) *lab.Terminal {
	t.Helper()
	term, err := lab.OpenTerminal()
	if err != nil {
		absent(t, fmt.Sprintf("no pseudo-terminal: %v", err))
	}
	return term
}

// carry copies bytes from a terminal to others until the test ends, and closes
// the terminal then.
func carry(t *testing.T, from *lab.Terminal, to io.Writer) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(to, from) })
	t.Cleanup(func() {
		if err := from.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}
