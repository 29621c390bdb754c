package simulators

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
	"citygrid/simulators/lab"
)

func TestFleetOfAllKinds(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 400, SerialLines: 5, StreamLines: 7, MetersPerLine: 9, Seed: 3})
	lines := f.Lines()
	counts := map[Kind]int{}
	names, ids, plates := map[string]bool{}, map[schemas.MeterID]bool{}, map[string]bool{}
	protocols, models := map[Protocol]int{}, map[string]bool{}
	total := 0
	for _, l := range lines {
		counts[l.Kind]++
		if names[l.Name] || l.Address != "" {
			t.Errorf("line %q with address %q before Listen, or its name twice", l.Name, l.Address)
		}
		names[l.Name] = true
		if (l.Serial == nil) != (l.Kind == TCPGateway) || (l.Cycle > 0) == (l.Kind == TCPGateway) {
			t.Errorf("%s: serial %v, cycle %s", l.Name, l.Serial, l.Cycle)
		}
		units := map[uint8]bool{}
		for _, lm := range l.Meters {
			m, ok := f.Meter(lm.ID)
			if !ok || ids[lm.ID] || lm.Profile != m.ProfileID() || lm.Unit != m.Unit || lm.Address != m.Address {
				t.Errorf("%s: %+v twice, unknown or another", l.Name, lm)
			}
			ids[lm.ID], models[lm.Profile] = true, true
			switch {
			case m.DLT645 != nil:
				protocols[DLT645]++
			case m.CJT188 != nil:
				protocols[CJT188]++
			case l.Kind != TCPGateway:
				protocols[RTU]++
			}
			if (lm.Unit != 0) != (m.Profile != nil) || (lm.Address == "") != (m.Profile != nil) {
				t.Errorf("%s: %+v has not one of unit and address", l.Name, lm)
			}
			if lm.Unit != 0 && units[lm.Unit] || lm.Address != "" && plates[lm.Address] {
				t.Errorf("%s: %+v has a neighbour's place", l.Name, lm)
			}
			units[lm.Unit], plates[lm.Address] = true, true
			total++
		}
	}
	if counts[SerialLine] != 5 || counts[StreamLine] != 7 || counts[TCPGateway] != 6 || total != 400 || len(f.Meters) != 400 {
		t.Errorf("lines %v with %d meters", counts, total)
	}
	if protocols[RTU] != 36 || protocols[DLT645] != 36 || protocols[CJT188] != 36 {
		t.Errorf("protocols %v, want 36 of each", protocols)
	}
	for _, id := range []string{"dlt645-three-phase", "dlt645-prepaid-single-phase", "dlt645-1997", "cjt188-cold-water-valve", "cjt188-gas"} {
		if !models[id] {
			t.Errorf("no %s on any line", id)
		}
	}
}

// TestWiresLeaveTheRestAlone: the meters behind gateways are the same with and
// without serial lines.
func TestWiresLeaveTheRestAlone(t *testing.T) {
	plain := mustFleet(t, FleetConfig{Meters: 60, Seed: 3})
	more := mustFleet(t, FleetConfig{Meters: 60 + 16, SerialLines: 1, StreamLines: 1, Seed: 3})
	for i, m := range plain.Meters {
		if o := more.Meters[i]; m.ID != o.ID || m.Unit != o.Unit || m.Seed != o.Seed || m.ProfileID() != o.ProfileID() {
			t.Errorf("meter %d is %s and %s", i, m.ID, o.ID)
		}
	}
}

func TestWireSettings(t *testing.T) {
	for _, tt := range []struct {
		c    FleetConfig
		want []string
	}{
		{FleetConfig{SerialLines: 2, StreamLines: 2}, []string{"9600 8E1", "2400 8E1", "9600 8E1", "2400 8E1"}},
		{FleetConfig{SerialLines: 2, Baud: 19200}, []string{"19200 8E1", "19200 8E1"}},
		{FleetConfig{StreamLines: 1, Protocols: []Protocol{RTU}}, []string{"9600 8N1"}},
		{FleetConfig{StreamLines: 1, Baud: NoPacing}, []string{"no pacing"}},
	} {
		tt.c.Meters = 8 * (tt.c.SerialLines + tt.c.StreamLines)
		f := mustFleet(t, tt.c)
		for i, l := range f.Lines() {
			if got := l.Serial.String(); got != tt.want[i] {
				t.Errorf("%+v: line %d is %s, want %s", tt.c, i, got, tt.want[i])
			}
			if (l.Cycle == 0) != (tt.c.Baud == NoPacing) {
				t.Errorf("%s: a cycle of %s", l.Serial, l.Cycle)
			}
		}
	}
}

func TestNewFleetRefusesWires(t *testing.T) {
	for want, c := range map[string]FleetConfig{
		"3 serial lines of 8 meters need 24 meters; there are 20": {Meters: 20, SerialLines: 2, StreamLines: 1},
		"-1 serial lines":           {Meters: 20, SerialLines: -1},
		"33 meters per serial line": {Meters: 66, SerialLines: 1, MetersPerLine: 33},
		`no protocol "mbus"`:        {Meters: 20, SerialLines: 1, Protocols: []Protocol{"mbus"}},
		"baud 3":                    {Meters: 20, SerialLines: 1, Baud: 3},
		"turnaround":                {Meters: 20, SerialLines: 1, Turnaround: -1},
	} {
		c.Start = start
		if _, err := NewFleet(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

// firstQuestion returns a request for the first thing that m gives.
func firstQuestion(m *Meter) []byte {
	switch {
	case m.DLT645 != nil:
		q := append([]byte{0x68}, reversed(m.Address)...)
		q = append(q, 0x68)
		di := m.DLT645.Fields[0].DI
		if m.DLT645.Edition == 1997 {
			q = append(q, 0x01, 2, byte(di)+0x33, byte(di>>8)+0x33)
		} else {
			q = append(q, 0x11, 4)
			for i := range 4 {
				q = append(q, byte(di>>(8*i))+0x33)
			}
		}
		return append(q, sum8(q), 0x16)
	case m.CJT188 != nil:
		q := append([]byte{0x68, m.CJT188.Type}, reversed(m.Address)...)
		di := m.CJT188.Fields[0].DI
		hi, lo := byte(di>>8), byte(di)
		if m.lowFirst {
			hi, lo = lo, hi
		}
		q = append(q, 0x01, 3, hi, lo, 7)
		return append(q, sum8(q), 0x16)
	}
	r := m.readable[0]
	q := binary.BigEndian.AppendUint16([]byte{m.Unit, r.Function}, r.From)
	q = binary.BigEndian.AppendUint16(q, 1)
	return binary.LittleEndian.AppendUint16(q, crc16(q))
}

func reversed(digits string) (b []byte) {
	for i := len(digits); i > 0; i -= 2 {
		var pair byte
		if _, err := fmt.Sscanf(digits[i-2:i], "%02x", &pair); err != nil {
			panic(err)
		}
		b = append(b, pair)
	}
	return b
}

// TestEveryMeterOfEveryWireAnswers asks each by raw bytes through its port.
func TestEveryMeterOfEveryWireAnswers(t *testing.T) {
	c := FleetConfig{Meters: 48, StreamLines: 3, SerialLines: 3, Baud: NoPacing, Seed: 2}
	if runtime.GOOS != "linux" {
		c.SerialLines = 0
	}
	f := mustFleet(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := f.Listen(ctx, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	addresses := map[string]bool{}
	for i, l := range f.Lines() {
		if l.Address == "" || addresses[l.Address] || l.Address != f.Addresses()[i] {
			t.Errorf("%s: address %q", l.Name, l.Address)
		}
		addresses[l.Address] = true
		port := openLine(t, l)
		for _, lm := range l.Meters {
			m, _ := f.Meter(lm.ID)
			if _, err := port.Write(firstQuestion(m)); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 512)
			n, err := port.Read(got)
			if err != nil || n < 7 {
				t.Errorf("%s: %s (%s) says % x, %v", l.Name, m.ID, m.ProfileID(), got[:n], err)
			}
		}
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, w := range f.Wires {
		if st := w.Bus.Stats(); st.Answered != uint64(len(w.Meters)) || st.Garbage+st.Silent != 0 {
			t.Errorf("%s: %+v", w.Name, st)
		}
	}
	cancel()
	if err := f.Wait(); err != nil {
		t.Error(err)
	}
}

func openLine(t *testing.T, l Line) io.ReadWriteCloser {
	t.Helper()
	if l.Kind == SerialLine {
		port, err := os.OpenFile(l.Address, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		return port
	}
	conn, err := net.Dial("tcp", l.Address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestCycleIsNearTheTruth compares the estimate with what the wire of a real
// cycle needs, of every protocol at its own speed.
func TestCycleIsNearTheTruth(t *testing.T) {
	for _, p := range Protocols() {
		f := mustFleet(t, FleetConfig{Meters: 8, StreamLines: 1, Protocols: []Protocol{p}, Baud: 9600, Seed: 4})
		estimate := f.Lines()[0].Cycle
		if estimate < 500*time.Millisecond || estimate > 30*time.Second {
			t.Errorf("%s: a cycle of 8 meters is said to take %s", p, estimate)
		}
	}
}

func TestFateOfMeters(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 120, SerialLines: 5, StreamLines: 5, Seed: 8,
		Faults: Faults{Dead: 0.1, Reset: 0.2, Swap: 0.3, ClockJump: 0.5, Glitch: 0.01}})
	dead, reset, swapped, clocks, jumped := 0, 0, 0, 0, 0
	within := func(what string, m *Meter, at time.Time) {
		if d := at.Sub(start); d < resetFrom || d > resetWithin {
			t.Errorf("%s of %s after %s", what, m.ID, d)
		}
	}
	for _, m := range f.Meters {
		if m.Dead {
			dead++
		}
		if !m.ResetAt.IsZero() {
			reset++
			within("reset", m, m.ResetAt)
		}
		if !m.SwapAt.IsZero() {
			swapped++
			within("swap", m, m.SwapAt)
		}
		if hasClock(&m.MeterConfig) {
			clocks++
		}
		if !m.ClockJumpAt.IsZero() {
			jumped++
			within("jump", m, m.ClockJumpAt)
			if m.ClockJumpBy == 0 || m.ClockJumpBy.Abs() > maxJumpHours*time.Hour {
				t.Errorf("the clock of %s jumps by %s", m.ID, m.ClockJumpBy)
			}
		}
		if m.Glitch != 0.01 {
			t.Errorf("%s glitches at %v", m.ID, m.Glitch)
		}
	}
	if dead != 12 || reset != 24 || swapped != 36 || clocks < 20 || jumped != (clocks+1)/2 {
		t.Errorf("of 120 are %d dead, %d reset, %d swapped, %d of %d clocks jumped", dead, reset, swapped, jumped, clocks)
	}
}

// TestWireFaultsReachTheBus: each name of a wire's fault makes that fault there.
func TestWireFaultsReachTheBus(t *testing.T) {
	var all Faults
	for _, r := range all.rates() {
		if r.places&onWire == 0 {
			continue
		}
		faults, err := ParseFaults(r.name + "=100%,late-by=1ms,slow-by=1ms,reboot-for=1ns")
		if err != nil {
			t.Fatal(err)
		}
		f := mustFleet(t, FleetConfig{Meters: 3, StreamLines: 1, MetersPerLine: 3, Baud: NoPacing, Seed: 1, Faults: faults})
		ctx, cancel := context.WithCancel(t.Context())
		if err := f.Listen(ctx, "127.0.0.1"); err != nil {
			t.Fatal(err)
		}
		port := openLine(t, f.Lines()[0])
		if _, err := port.Write(firstQuestion(f.Meters[0])); err != nil {
			t.Fatal(err)
		}
		if r.fault != lab.Reboot {
			if _, err := port.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		for f.Wires[0].Bus.Stats().Faults[r.fault] == 0 && t.Context().Err() == nil {
			runtime.Gosched()
		}
		_ = port.Close()
		cancel()
		if err := f.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// TestMishapsAreTheWiresOwn: only the faults of a serial line count for it.
func TestMishapsAreTheWiresOwn(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 16, StreamLines: 1, Seed: 4, Faults: Faults{Noise: 0.1, Torn: 0.1, Busy: 0.5, Dead: 0.5}})
	for _, l := range f.Lines() {
		requests := 0
		for _, m := range f.Wires[0].Meters {
			_, n := f.Wires[0].cost(m)
			requests += n
		}
		want := 0.0
		if l.Kind != TCPGateway {
			want = 0.2 * float64(requests)
		}
		if math.Abs(l.Mishaps-want) > 1e-9 || requests < len(f.Wires[0].Meters) {
			t.Errorf("%s: %v mishaps, want %v of %d requests", l.Name, l.Mishaps, want, requests)
		}
	}
}
