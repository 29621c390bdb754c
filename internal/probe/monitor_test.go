package probe

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"citygrid/adapters/line"
	"citygrid/adapters/modbus"
	"citygrid/internal/cli"
	"citygrid/simulators"
	"citygrid/simulators/lab"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// watch gives a watcher runs of bytes, 20 ms apart, and returns what it shows.
func watch(t *testing.T, w *watcher, runs ...string) string {
	t.Helper()
	var out bytes.Buffer
	w.out = &out
	at := time.Date(2026, 3, 5, 14, 30, 0, 0, time.UTC)
	for _, run := range runs {
		w.bytes(at, received, unhex(t, run))
		at = at.Add(20 * time.Millisecond)
	}
	w.flush()
	return out.String()
}

// TestWordsForFrames: the published frames of metering practice, overheard.
func TestWordsForFrames(t *testing.T) {
	for _, tc := range []struct {
		name string
		runs []string
		want []string
	}{
		{"Eastron voltage", []string{"01 04 00 00 00 02 71 CB", "01 04 04 43 66 33 34 1B 38"},
			[]string{"-> 01 04", "unit 1: read 2 input registers from 0x0000", "<- 01 04", "unit 1: 2 input registers: 4366 3334"}},
		{"in one run", []string{"01 03 20 12 00 02 6F CE 01 03 04 45 00 00 00 EF 3F"},
			[]string{"read 2 holding registers from 0x2012", "2 holding registers: 4500 0000"}},
		{"in pieces", []string{"01 03 20", "12 00 02 6F CE"}, []string{"read 2 holding registers from 0x2012"}},
		{"write", []string{"01 06 00 1C 00 02 C9 CD"}, []string{"write 0002 to 0x001C"}},
		{"write many", []string{"01 10 00 16 00 02 04 3F 80 00 00 7F 75"}, []string{"write 2 from 0x0016 (function 16)"}},
		{"exception", []string{"01 83 02 C0 F1"}, []string{"answer to nothing that was seen", "unit 1 refuses function 3: 02 illegal data address"}},
		{"DL/T 645", []string{"FE FE FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16", "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"},
			[]string{"DL/T 645: master to 000000000161: 11 asks for 00010000", "DL/T 645: meter 000000000161: 00010000 = 26 00 00 00"}},
		{"CJ/T 188", []string{"68 10 66 55 44 33 22 11 00 01 03 90 1F 01 91 16", "68 10 66 55 44 33 22 11 00 81 16 90 1F 01 56 34 12 00 2C 00 00 12 00 2C 15 30 14 05 03 26 20 00 00 D1 16"},
			[]string{"request to 00112233445566, type 10", "answer of 00112233445566", "56 34 12 00 2C"}},
		{"stale", []string{"01 03 20 12 00 02 6F CE", "01 04 04 43 66 33 34 1B 38"}, []string{"stale or foreign"}},
		{"twice", []string{"01 03 20 12 00 02 6F CE", "01 03 04 45 00 00 00 EF 3F", "01 03 04 45 00 00 00 EF 3F"}, []string{"second answer"}},
		{"unanswered", []string{"01 03 20 12 00 02 6F CE", "01 03 20 12 00 02 6F CE"}, []string{"the request before it got no answer"}},
		{"noise before", []string{"00 3C 01 83 02 C0 F1"}, []string{"rubbish: too short", "unit 1 refuses"}},
		{"bad checksum, published so", []string{"68 10 44 33 22 11 00 33 78 81 16 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 21 84 08 16"},
			[]string{"rubbish: begins like CJ/T 188: checksum is 08"}},
		{"bad CRC", []string{"01 04 04 43 66 33 34 1B 39"}, []string{"rubbish: no checksum fits"}},
	} {
		got := watch(t, &watcher{}, tc.runs...)
		rest := got
		for _, want := range tc.want {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Errorf("%s: no %q (in this order) in\n%s", tc.name, want, got)
			}
			rest = after
		}
	}
	if got := watch(t, &watcher{tcp: true}, "00 01 00 00 00 07 01 03 04 45 00 00 00"); !strings.Contains(got, "Modbus TCP: unit 1, id 0001: 2 holding registers: 4500 0000") {
		t.Error(got)
	}
}

// TestListen overhears another master on a real line.
func TestListen(t *testing.T) {
	bus, address := onServer2(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := &notify{after: "Modbus RTU: unit 3: 2 input registers", done: cancel}
	ended := make(chan error, 1)
	go func() {
		m := monitor{target: target{address: address, serial: "115200-8N1", timeout: time.Second}}
		ended <- m.run(ctx, out, new(bytes.Buffer))
	}()
	p := place{address: address, serial: wire115200(), timeout: time.Second}
	other := p.open(1)
	for ctx.Err() == nil {
		if _, err := other.registers(ctx, 3, modbus.Request{Function: 4, At: 0, Count: 2}); err != nil && ctx.Err() == nil {
			t.Error(err)
			cancel()
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := other.close(); err != nil {
		t.Error(err)
	}
	if s := bus.Stats(); s.Garbage != 0 {
		t.Errorf("the listener sent something: %+v", s)
	}
}

// TestMonitorSaysWhatVanished: the other end hangs up, or the port is gone.
func TestMonitorSaysWhatVanished(t *testing.T) {
	ln := mustListen(t)
	hungUp := make(chan struct{})
	go func() {
		defer close(hungUp)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	defer func() { _ = ln.Close(); <-hungUp }()
	p := place{name: "riser", address: ln.Addr().String()}
	for _, tc := range []struct {
		p    place
		err  error
		want string
	}{
		{p, nil, "<nil>"},
		{p, &line.DialError{Err: io.EOF}, "connect: EOF: look whether the gateway"},
		{place{address: "/dev/ttyS9"}, syscall.EIO, "the port is gone: look whether the adapter is plugged in, and start again"},
	} {
		got := fmt.Sprint(tc.p.vanished(tc.err))
		if !strings.Contains(got, tc.want) || strings.Count(got, "look") > 1 {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
	m := monitor{target: target{address: p.address, serial: "115200-8N1", timeout: time.Second}}
	err := m.run(t.Context(), io.Discard, io.Discard)
	if cli.ExitCode(err) != 1 || !strings.HasPrefix(err.Error(), "listen on "+p.address+": ") || !strings.HasSuffix(err.Error(), "another program uses it, and start again") {
		t.Error(err)
	}
	file := mustFile(t, configText(p.address, "{baud: 115200, parity: none}", "1m", "      - {id: W-1, unit: 3, profile: changli-em}\n"))
	_, progress, err := runProbe(t.Context(), "", "monitor", "-c", file, "--line", "riser", "--poll", "--cycles", "1")
	if err != nil || !strings.Contains(progress, "riser ("+p.address+"): ") || !strings.HasSuffix(progress, "another program uses it\n") {
		t.Error(progress, err)
	}
}

// onServer2 is a line that two masters can reach.
func onServer2(t *testing.T) (*lab.Bus, string) {
	ln := mustListen(t)
	return serveBus(t, lab.Config{
		Serial: fast(), Slaves: []lab.Slave{slave(t, simulators.NewRTU, mustMeter(t, "eastron-sdm630", 3, ""))},
	}, lab.Server{Listener: ln, Clients: 2}), ln.Addr().String()
}

// notify calls done once it was written what it waits for.
type notify struct {
	bytes.Buffer
	after string
	done  func()
}

func (n *notify) Write(p []byte) (int, error) {
	k, err := n.Buffer.Write(p)
	if strings.Contains(n.String(), n.after) {
		n.done()
	}
	return k, err
}

// TestMonitorWhilePolling shows requests, answers, and why one was not taken.
func TestMonitorWhilePolling(t *testing.T) {
	_, address := onServer(t, lab.Config{
		Serial: fast(), Slaves: []lab.Slave{slave(t, simulators.NewRTU, mustMeter(t, "changli-em", 3, ""))},
		Seed: 1, Faults: lab.Faults{Rates: map[lab.Fault]float64{lab.WrongChecksum: 1}},
	})
	file := mustFile(t, configText(address, "{baud: 115200, parity: none}", "1m", "      - {id: W-1, unit: 3, profile: changli-em}\n"))
	out, progress, err := runProbe(t.Context(), "", "monitor", "-c", file, "--line", "riser", "--poll", "--cycles", "1")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"-> 03 03 00 00 00 02", "unit 3: read 2 holding registers from 0x0000", "rubbish: no checksum fits"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !strings.Contains(progress, "answer refused") {
		t.Error(progress)
	}
	for _, args := range [][]string{
		{"--address", "127.0.0.1:1"}, {"--address", "127.0.0.1:1", "--serial", "9600-8N1", "--poll"}, {"-c", file, "--line", "nowhere"}, {"--address", "x"},
	} {
		if _, _, err := runProbe(t.Context(), "", append([]string{"monitor"}, args...)...); err == nil {
			t.Errorf("%v accepted", args)
		}
	}
}

// FuzzFind: whatever is overheard, frames lie inside the bytes, and everything
// is shown once.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{"0103201200026FCE01030445000000EF3F", "FEFE6861010000000068910833333433593333338A16", "6810665544332211000103901F019116", "0183 02C0F1 68"} {
		f.Add(unhex(f, seed), false)
	}
	f.Add(unhex(f, "000100000007010304450000 00"), true)
	f.Fuzz(func(t *testing.T, b []byte, tcp bool) {
		if s, skip, n := find(b, tcp, false); n > 0 && (s == nil || skip+n > len(b) || s.text == "") {
			t.Errorf("%v at %d, %d of %d", s, skip, n, len(b))
		}
		var out bytes.Buffer
		w := &watcher{out: &out, tcp: tcp}
		w.bytes(time.Time{}, received, b)
		w.flush()
		shown := 0
		for line := range strings.Lines(out.String()) {
			if !strings.HasPrefix(line, "    ") {
				shown += len(strings.Fields(line)) - 2
			}
		}
		if shown > len(b) || shown < len(b)-bytes.Count(b, []byte{leadIn}) {
			t.Errorf("%d of %d bytes shown:\n%s", shown, len(b), &out)
		}
	})
}
