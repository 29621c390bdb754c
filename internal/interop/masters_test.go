package interop

import (
	"context"
	"encoding/json"
	"math/big"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/modbus"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
	"citygrid/simulators"
)

// city returns a fleet with a meter or more of every Modbus profile on one line,
// its clock standing still, served until the test ends.
func city(t *testing.T, kind simulators.Kind) (*simulators.Fleet, simulators.Line) {
	t.Helper()
	c := simulators.FleetConfig{Meters: 31, MetersPerGateway: 247, Seed: 3, Start: noon().AddDate(0, -1, -1), Now: noon,
		Profiles: each(t, profiles.Embedded)}
	if kind == simulators.SerialLine {
		c.SerialLines, c.MetersPerLine, c.Protocols, c.Baud = 1, c.Meters, []simulators.Protocol{simulators.RTU}, simulators.NoPacing
	}
	f, err := simulators.NewFleet(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	if err := f.Listen(ctx, "127.0.0.1"); err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := f.Wait(); err != nil {
			t.Error(err)
		}
	})
	return f, f.Lines()[0]
}

// onBoth runs a test behind a gateway and on a pseudo-terminal.
func onBoth(t *testing.T, test func(*testing.T, *simulators.Fleet, simulators.Line)) {
	for _, kind := range []simulators.Kind{simulators.TCPGateway, simulators.SerialLine} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f, l := city(t, kind)
			test(t, f, l)
		})
	}
}

// expected is the oracle's value; these meters always have one.
func expected(t *testing.T, m *simulators.Meter, q schemas.Quantity) schemas.Decimal {
	t.Helper()
	value, missing, ok := m.Expected(q, noon())
	if !ok || missing != "" {
		t.Fatalf("%s: %s is %q", m.ProfileID(), q, missing)
	}
	return value
}

// masterField is a field as pymodbus_master.py reads it.
type masterField struct {
	Unit   uint8            `json:"unit"`
	States map[uint16]uint8 `json:"states"`
	Mask   uint16           `json:"mask"`
	Parts  []masterPart     `json:"parts"`
}

type masterPart struct {
	Function uint8          `json:"function"`
	At       uint16         `json:"at"`
	Type     profiles.Type  `json:"type"`
	Words    int            `json:"words"`
	Order    profiles.Order `json:"order"`
	Times    int64          `json:"times"`
	Shift    int            `json:"shift"`
	Places   int            `json:"places"`
}

func newMasterField(unit uint8, f profiles.Field) masterField {
	out := masterField{Unit: unit, States: f.States, Mask: f.Mask}
	for _, p := range f.Parts {
		out.Parts = append(out.Parts, masterPart{p.Function, p.At, p.Type, p.Words, p.Order, p.Times, p.Shift, p.Places})
	}
	return out
}

// TestPymodbusMaster has pymodbus read all simulated Modbus meters, and a decoder
// in Python make values of the registers.
func TestPymodbusMaster(t *testing.T) {
	onBoth(t, func(t *testing.T, f *simulators.Fleet, l simulators.Line) {
		job := map[string]any{"mode": "rtu", "device": l.Address}
		if l.Kind == simulators.TCPGateway {
			host, port := hostPort(t, l)
			job = map[string]any{"mode": "tcp", "host": host, "port": port}
		}
		var fields []masterField
		for _, m := range f.Meters {
			for _, field := range m.Profile.Fields {
				fields = append(fields, newMasterField(m.Unit, field))
			}
		}
		job["fields"] = fields
		var got []string
		if err := json.Unmarshal([]byte(script(t, "pymodbus_master.py", job)), &got); err != nil || len(got) != len(fields) {
			t.Fatalf("%d values of %d, %v", len(got), len(fields), err)
		}
		for _, m := range f.Meters {
			for _, field := range m.Profile.Fields {
				want := expected(t, m, field.Quantity)
				if rational(t, got[0]).Cmp(rational(t, want.String())) != 0 {
					t.Errorf("%s: %s: pymodbus reads %s, the oracle says %s", m.ProfileID(), field.Quantity, got[0], want)
				}
				got = got[1:]
			}
		}
	})
}

func rational(t *testing.T, s string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return r
}

func hostPort(t *testing.T, l simulators.Line) (host string, port int) {
	t.Helper()
	host, p, err := net.SplitHostPort(l.Address)
	if err != nil {
		t.Fatal(err)
	}
	if port, err = strconv.Atoi(p); err != nil {
		t.Fatal(err)
	}
	return host, port
}

// mbpoll runs mbpoll once and returns what it prints behind "[1]:", in order.
func mbpoll(t *testing.T, l simulators.Line, unit, function uint8, format string, at uint16, count int, more ...string) []string {
	t.Helper()
	args := []string{"-0", "-1", "-q", "-o", "5", "-a", strconv.Itoa(int(unit)), "-t", strconv.Itoa(map[uint8]int{3: 4, 4: 3}[function]) + format,
		"-r", strconv.Itoa(int(at)), "-c", strconv.Itoa(count)}
	if l.Kind == simulators.TCPGateway {
		host, port := hostPort(t, l)
		args = append(append(args, more...), "-m", "tcp", "-p", strconv.Itoa(port), host)
	} else {
		args = append(append(args, more...), "-m", "rtu", "-b", "115200", "-P", "none", l.Address)
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	out, err := exec.CommandContext(ctx, "mbpoll", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("mbpoll %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	var values []string
	for _, row := range strings.Split(string(out), "\n") {
		if reference, value, ok := strings.Cut(row, "]:"); ok && strings.HasPrefix(reference, "[") {
			values = append(values, strings.TrimSpace(value))
		}
	}
	if len(values) != count {
		t.Fatalf("mbpoll %s printed %d values:\n%s", strings.Join(args, " "), len(values), out)
	}
	return values
}

// TestMbpoll has mbpoll, a master of libmodbus, read all simulated Modbus meters:
// their registers, and the numbers that it can make of them itself.
func TestMbpoll(t *testing.T) {
	if _, err := exec.LookPath("mbpoll"); err != nil {
		absent(t, "no mbpoll: apt-get install mbpoll")
	}
	onBoth(t, func(t *testing.T, f *simulators.Fleet, l simulators.Line) {
		seen, numbers := map[string]bool{}, 0
		for _, m := range f.Meters {
			if seen[m.ProfileID()] {
				continue
			}
			seen[m.ProfileID()] = true
			pollRegisters(t, l, m)
			for _, field := range m.Profile.Fields {
				numbers += pollNumber(t, l, m, field)
			}
		}
		if len(seen) != len(each(t, profiles.Embedded)) || numbers < 100 {
			t.Errorf("%d profiles and %d numbers were compared", len(seen), numbers)
		}
	})
}

// pollRegisters reads what a driver would read, as hexadecimal words.
func pollRegisters(t *testing.T, l simulators.Line, m *simulators.Meter) {
	t.Helper()
	plan, err := modbus.Plan(m.Profile)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range plan {
		words, exception := m.Registers(q.Function, q.At, q.Count, noon())
		if exception != 0 {
			t.Fatalf("%s: exception %d", m.ProfileID(), exception)
		}
		for k, text := range mbpoll(t, l, m.Unit, q.Function, ":hex", q.At, int(q.Count)) {
			if got, err := strconv.ParseUint(text, 0, 16); err != nil || uint16(got) != words[k] {
				t.Errorf("%s: register 0x%04X of function %d: mbpoll prints %q, the meter shows 0x%04X",
					m.ProfileID(), int(q.At)+k, q.Function, text, words[k])
			}
		}
	}
}

// pollNumber reads a field that mbpoll has a format for and returns 1, else 0.
func pollNumber(t *testing.T, l simulators.Line, m *simulators.Meter, f profiles.Field) int {
	t.Helper()
	p := f.Parts[0]
	formats := map[profiles.Type]string{profiles.F32: ":float", profiles.U32: ":int", profiles.I32: ":int", profiles.U16: "", profiles.I16: ""}
	orders := map[profiles.Order][]string{profiles.ABCD: {"-B"}, profiles.CDAB: {}}
	format, known := formats[p.Type]
	order, sorted := orders[p.Order]
	if len(f.Parts) != 1 || len(f.States) > 0 || p.Places > 0 || !known || !sorted {
		return 0
	}
	text := mbpoll(t, l, m.Unit, p.Function, format, p.At, 1, order...)[0]
	plain, _, _ := strings.Cut(text, " ") // "65535 (-1)"
	if p.Type == profiles.I16 && strings.HasSuffix(text, ")") {
		plain = strings.Trim(text[strings.IndexByte(text, '('):], "()")
	}
	got := rational(t, plain)
	if p.Type == profiles.U32 && got.Sign() < 0 {
		got.Add(got, rational(t, "4294967296"))
	}
	want := rational(t, expected(t, m, f.Quantity).String())
	scale := new(big.Rat).SetInt64(p.Times)
	ten := rational(t, "1e"+strconv.Itoa(p.Shift))
	want.Quo(want, scale.Mul(scale, ten)) // the number on the wire
	if p.Type == profiles.F32 {
		want = sixDigits(t, want)
		got = sixDigits(t, got)
	}
	if got.Cmp(want) != 0 {
		t.Errorf("%s: %s: mbpoll prints %s, the oracle says %s", m.ProfileID(), f.Quantity, text, want.RatString())
	}
	return 1
}

// sixDigits is a float as "%g" of C prints it.
func sixDigits(t *testing.T, r *big.Rat) *big.Rat {
	t.Helper()
	v, _ := r.Float32()
	return rational(t, strconv.FormatFloat(float64(v), 'e', 5, 64))
}
