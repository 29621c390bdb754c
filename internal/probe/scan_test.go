package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/line"
	"citygrid/adapters/modbus"
	"citygrid/simulators"
	"citygrid/simulators/lab"
)

func testScanner(p place, progress *bytes.Buffer, units ...uint8) *scanner {
	if p.timeout == 0 {
		p.timeout = 150 * time.Millisecond
	}
	return &scanner{
		place: p, settings: []*line.Serial{p.serial}, asks: asksOf(p.serial != nil, false, units), match: true,
		open: func(p place) *session { return p.open(0) }, progress: progress, now: time.Now,
	}
}

// TestScanFindsEveryProtocol on one line, and the profile that each has.
func TestScanFindsEveryProtocol(t *testing.T) {
	for name, on := range map[string]func(testing.TB, lab.Config) (*lab.Bus, string){"terminal": onTerminal, "server": onServer} {
		t.Run(name, func(t *testing.T) {
			_, address := on(t, lab.Config{Serial: fast(), Slaves: []lab.Slave{
				slave(t, simulators.NewRTU, mustMeter(t, "eastron-sdm630", 3, ""), mustMeter(t, "fuxin-gas", 5, "")),
				slave(t, simulators.NewDLT645, mustMeter(t, "dlt645-three-phase", 0, plate645)),
				slave(t, simulators.NewCJT188, mustMeter(t, "cjt188-cold-water", 0, plate188)),
			}})
			var progress bytes.Buffer
			finds, err := testScanner(place{address: address, serial: wire115200()}, &progress, 1, 3, 5).run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := []struct{ protocol, address, profile string }{
				{"dlt645", plate645, "dlt645-three-phase"}, {"cjt188", plate188, "cjt188-cold-water"},
				{"modbus", "unit 3", "eastron-sdm630"}, {"modbus", "unit 5", "fuxin-gas"},
			}
			if len(finds) != len(want) {
				t.Fatalf("found %+v", finds)
			}
			for i, w := range want {
				f := finds[i]
				if f.Protocol != w.protocol || f.Address != w.address || f.Serial != "115200 8N1" || f.Answer == "" || !among(f.Profiles, w.profile) {
					t.Errorf("found %+v, want %+v", f, w)
				}
			}
			if !strings.Contains(progress.String(), "0%: 115200 8N1, DL/T 645 address") {
				t.Errorf("progress: %s", &progress)
			}
		})
	}
}

func among(all []Match, profile string) bool {
	for _, m := range all {
		if m.Profile == profile && m.Score > 0.8 {
			return true
		}
	}
	return false
}

// TestScanSaysThatSeveralAnswer: two meters that answer a broadcast at once
// destroy each other's answers.
func TestScanSaysThatSeveralAnswer(t *testing.T) {
	_, address := onServer(t, lab.Config{Serial: fast(), Slaves: []lab.Slave{
		slave(t, simulators.NewDLT645, mustMeter(t, "dlt645-three-phase", 0, plate645), mustMeter(t, "dlt645-prepaid-single-phase", 0, "000000000162")),
	}})
	finds, err := testScanner(place{address: address, serial: wire115200()}, new(bytes.Buffer)).run(t.Context())
	if err != nil || len(finds) == 0 || finds[0].Protocol != "dlt645" || finds[0].Address != anonymous || !strings.Contains(finds[0].Answer, "several answer at once") {
		t.Errorf("%+v, %v", finds, err)
	}
}

// TestScanFindsTheSettings: a port at the wrong speed hears nothing; the scan
// goes on until somebody answers and then stops.
func TestScanFindsTheSettings(t *testing.T) {
	t.Parallel()
	_, right := onServer(t, lab.Config{Serial: fast(), Slaves: []lab.Slave{slave(t, simulators.NewRTU, mustMeter(t, "eastron-sdm120", 2, ""))}})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var tried []string
	p := place{address: "/dev/ttyTEST", timeout: 30 * time.Millisecond, ports: func(_ string, s line.Serial) (line.Port, error) {
		tried = append(tried, s.String())
		if s.String() == "4800 8E1" {
			return net.Dial("tcp", right)
		}
		return net.Dial("tcp", silent.Addr().String())
	}}
	s := testScanner(p, new(bytes.Buffer))
	s.settings, s.asks, s.match = settingsOf([]int{9600, 2400, 4800, 1200}), asksOf(true, false, []uint8{2}), false
	finds, err := s.run(t.Context())
	if err != nil || len(finds) != 1 || finds[0].Serial != "4800 8E1" {
		t.Fatalf("%+v, %v", finds, err)
	}
	if got, want := strings.Join(dedupe(tried), ", "), "9600 8N1, 2400 8E1, 9600 8E1, 2400 8N1, 4800 8N1, 4800 8E1"; got != want {
		t.Errorf("tried %s, want %s", got, want)
	}
}

// TestScanGoesOnAfterNoise: at the wrong speed a line may give back bytes that
// are no frame. They are told, and do not pass for somebody who answers.
func TestScanGoesOnAfterNoise(t *testing.T) {
	t.Parallel()
	_, right := onServer(t, lab.Config{Serial: fast(), Slaves: []lab.Slave{slave(t, simulators.NewRTU, mustMeter(t, "eastron-sdm120", 2, ""))}})
	for _, first := range []bool{false, true} {
		p := place{address: "/dev/ttyTEST", timeout: 30 * time.Millisecond, ports: func(_ string, s line.Serial) (line.Port, error) {
			if s.String() == "2400 8E1" {
				return net.Dial("tcp", right)
			}
			port, far := net.Pipe()
			go func() {
				defer far.Close()
				for b := make([]byte, 256); ; {
					if _, err := far.Read(b); err != nil {
						return
					}
					if _, err := far.Write([]byte{0x00, 0xF8, 0x80}); err != nil {
						return
					}
				}
			}()
			return port, nil
		}}
		s := testScanner(p, new(bytes.Buffer))
		s.settings, s.asks, s.match, s.first = settingsOf([]int{9600, 2400}), asksOf(true, false, []uint8{2}), false, first
		finds, err := s.run(t.Context())
		last := len(finds) - 1
		if err != nil || last < 1 || finds[last].Serial != "2400 8E1" || finds[last].Address != "unit 2" || finds[0].Serial != "9600 8N1" {
			t.Errorf("first %v: %+v, %v", first, finds, err)
		}
	}
}

// countdown is a context that ends when it has been looked at so often.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestInterruptedProfilesAreLeftOut: a profile whose items were not all asked
// for is not judged.
func TestInterruptedProfilesAreLeftOut(t *testing.T) {
	_, address := onServer(t, lab.Config{Serial: fast(), Slaves: []lab.Slave{
		slave(t, simulators.NewRTU, mustMeter(t, "eastron-sdm630", 3, "")),
		slave(t, simulators.NewDLT645, mustMeter(t, "dlt645-three-phase", 0, plate645)),
		slave(t, simulators.NewCJT188, mustMeter(t, "cjt188-cold-water-valve", 0, plate188)),
	}})
	on := place{address: address, serial: wire115200(), timeout: 50 * time.Millisecond}.open(0)
	defer func() {
		if err := on.close(); err != nil {
			t.Error(err)
		}
	}()
	for name, match := range map[string]func(context.Context) []Match{
		"modbus": func(ctx context.Context) []Match { return matchModbus(ctx, on, 3) },
		"dlt645": func(ctx context.Context) []Match { return match645(ctx, on, plate645) },
		"cjt188": func(ctx context.Context) []Match { return match188(ctx, on, plate188) },
	} {
		whole := match(t.Context())
		for n := range 8 {
			for _, m := range match(&countdown{t.Context(), n}) {
				if !slices.Contains(whole, m) {
					t.Errorf("%s, interrupted after %d: %+v", name, n, m)
				}
			}
		}
	}
}

// dedupe leaves out what was tried again.
func dedupe(all []string) (out []string) {
	for i, s := range all {
		if i == 0 || all[i-1] != s {
			out = append(out, s)
		}
	}
	return out
}

// TestScanOfTCP: no broadcast is sent to a Modbus TCP gateway, and its "nobody
// behind me" is no find.
func TestScanOfTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g, err := simulators.NewGateway(simulators.GatewayConfig{Name: "g", Meters: []*simulators.Meter{mustMeter(t, "abb-b23", 7, "")}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, ln) }()
	defer func() { cancel(); <-served }()
	out, _, err := runProbe(t.Context(), "", "scan", "--address", ln.Addr().String(), "--units", "6-8", "--timeout", "200ms", "--json")
	var finds []Find
	if err != nil || json.Unmarshal([]byte(out), &finds) != nil || len(finds) != 1 || finds[0].Address != "unit 7" || !among(finds[0].Profiles, "abb-b23") {
		t.Errorf("%v: %s", err, out)
	}
	_, _, err = runProbe(t.Context(), "", "scan", "--address", ln.Addr().String(), "--units", "9", "--timeout", "50ms")
	if err == nil || !strings.Contains(err.Error(), "nobody answers") {
		t.Error(err)
	}
}

// witness is a slave that calls seen when it has been given so many requests, or,
// when foreign, bytes that are no request of its own.
type witness struct {
	lab.Slave
	foreign  bool
	requests int
	seen     func()
}

func (w *witness) Frame(b []byte) (skip, n int) {
	skip, n = w.Slave.Frame(b)
	if w.foreign && n == 0 && len(b) > 0 {
		w.seen()
	}
	return skip, n
}

func (w *witness) Answer(dst, frame []byte, t time.Time) []byte {
	if w.requests--; w.requests == 0 {
		w.seen()
	}
	return w.Slave.Answer(dst, frame, t)
}

// TestInterruptLeavesTheLineClean: whatever the moment, the scan ends with what
// it found, the line saw whole requests only, and the next master is answered at
// once.
func TestInterruptLeavesTheLineClean(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		during string
		when   witness
		finds  int // a request that is under way is waited for
	}{
		{"the broadcasts", witness{foreign: true}, 0},
		{"the request of unit 1", witness{requests: 1}, 1},
		{"the requests of the profiles", witness{requests: 4}, 1},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		meters := tc.when
		meters.Slave = slave(t, simulators.NewRTU, mustMeter(t, "eastron-sdm630", 1, ""), mustMeter(t, "eastron-sdm120", 4, ""))
		meters.seen = cancel
		bus, address := onTerminal(t, lab.Config{Serial: lab.Serial{Baud: 9600}, Turnaround: 30 * time.Millisecond, Slaves: []lab.Slave{&meters}})
		wire := &line.Serial{Baud: 9600, DataBits: 8, Parity: line.None, StopBits: 1}
		s := testScanner(place{address: address, serial: wire}, new(bytes.Buffer), 1, 2, 3, 4, 5, 6, 7, 8, 9)
		finds, err := s.run(ctx)
		if err != nil || ctx.Err() == nil {
			t.Fatalf("during %s: %v, interrupted: %v", tc.during, err, ctx.Err())
		}
		if len(finds) != tc.finds {
			t.Errorf("during %s: found %+v", tc.during, finds)
		}
		before := bus.Stats()
		next := place{address: address, serial: wire, timeout: time.Second}.open(0)
		raw, err := next.registers(t.Context(), 1, modbus.Request{Function: 4, At: 0, Count: 2})
		if err != nil || len(raw) != 4 {
			t.Errorf("during %s: the next master: %v", tc.during, err)
		}
		if err := next.close(); err != nil {
			t.Error(err)
		}
		now := bus.Stats()
		if now.Overlaps != 0 || now.Answered != before.Answered+1 || now.Requests != before.Requests+1 {
			t.Errorf("during %s: %+v, before %+v", tc.during, now, before)
		}
		// The broadcasts, whole: 16 bytes of DL/T 645 and 20 of its item, 20 and 20
		// of CJ/T 188.
		if !slices.Contains([]uint64{16, 36, 56, 76}, now.Garbage) {
			t.Errorf("during %s: %d bytes that are no whole requests", tc.during, now.Garbage)
		}
	}
}

func TestParseFlags(t *testing.T) {
	units, err := parseUnits("1-3, 100")
	if err != nil || !bytes.Equal(units, []byte{1, 2, 3, 100}) {
		t.Error(units, err)
	}
	for _, bad := range []string{"", "0-256", "5-3", "x", "1--2"} {
		if _, err := parseUnits(bad); err == nil {
			t.Errorf("units %q accepted", bad)
		}
	}
	for text, want := range map[string]string{"9600-8N1": "9600 8N1", "2400 8e1": "2400 8E1", "1200,7O2": "1200 7O2"} {
		if s, err := parseSerial(text); err != nil || s.String() != want {
			t.Errorf("%s: %s, %v", text, s, err)
		}
	}
	for _, bad := range []string{"9600", "9600-8X1", "5-8N1", "9600-9N1"} {
		if _, err := parseSerial(bad); err == nil {
			t.Errorf("serial %q accepted", bad)
		}
	}
}
