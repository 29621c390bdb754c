package config

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/collector"
	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
	"citygrid/simulators/lab"
)

// liar is a meter that answers as its script says and keeps what went over the
// wire: each request, and what it gave for it.
type liar struct {
	// gives makes the answer to a request, and how long it takes.
	gives func(request []byte) (answer []byte, after time.Duration)

	mu    sync.Mutex
	talks []talk
}

type talk struct{ asked, gave []byte }

// attend answers until the other side is gone. Each request comes in one piece here:
// the frames are short, and the wire is a pipe of the system.
func (l *liar) attend(rw io.ReadWriter) {
	b := make([]byte, 512)
	for {
		n, err := rw.Read(b)
		if err != nil {
			return
		}
		asked := bytes.Clone(b[:n])
		answer, after := l.gives(asked)
		l.mu.Lock()
		l.talks = append(l.talks, talk{asked, answer})
		l.mu.Unlock()
		go func() {
			time.Sleep(after) // the meter's own slowness, which the case is about
			_, _ = rw.Write(answer)
		}()
	}
}

// heard returns what was given for a request of these bytes.
func (l *liar) heard(request []byte) (gave [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.talks {
		if bytes.Equal(t.asked, request) {
			gave = append(gave, t.gave)
		}
	}
	return gave
}

// port puts the meter behind a pseudo-terminal or a TCP port, and returns its address.
func (l *liar) port(t *testing.T, kind schemas.LineKind) string {
	t.Helper()
	if kind == schemas.LineSerial {
		terminal, err := lab.OpenTerminal()
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
		var work sync.WaitGroup
		work.Go(func() { l.attend(terminal) })
		t.Cleanup(func() { terminal.Close(); work.Wait() })
		return terminal.Path()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() { defer conn.Close(); l.attend(conn) })
			t.Cleanup(func() { conn.Close() })
		}
	})
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// The meters of the cases.
const (
	power645 = `{id: M-1, profile: dlt645-three-phase, direction: forward, address: "000012345678"}`
	modbusM  = `{id: M-1, profile: eastron-sdm630, unit: 3}`
)

// answer645 is a whole answer to a request of DL/T 645 with four bytes of data.
func answer645(request []byte) []byte {
	for request[0] == 0xFE {
		request = request[1:]
	}
	b := slices.Concat(request[:8], []byte{0x91, 8}, request[10:14], []byte{0x33, 0x33, 0x33, 0x33})
	sum := byte(0)
	for _, c := range b {
		sum += c
	}
	return append(b, sum, 0x16)
}

// TestFramesOfFailures reads a meter that answers wrongly, over a real serial port
// and over TCP, and finds in the collector's status the very bytes that were on the
// wire.
func TestFramesOfFailures(t *testing.T) {
	const atOnce, tooLate = 0, 900 * time.Millisecond
	torn := func(q []byte) ([]byte, time.Duration) { return answer645(q)[:11], atOnce }
	wrong := func(q []byte) ([]byte, time.Duration) {
		b := answer645(q)
		b[len(b)-2]++
		return b, atOnce
	}
	late := func(q []byte) ([]byte, time.Duration) { return answer645(q), tooLate }
	noise := func(q []byte) ([]byte, time.Duration) { return bytes.Repeat([]byte{0x55}, 300), atOnce }
	refuses := func(q []byte) ([]byte, time.Duration) {
		return slices.Concat(q[:4], []byte{0, 3, q[6], q[7] | 0x80, 2}), atOnce
	}
	for _, c := range []struct {
		name     string
		kind     schemas.LineKind
		meter    string
		gives    func([]byte) ([]byte, time.Duration)
		protocol schemas.Protocol
		cause    schemas.FaultCause
		silent   bool // nothing of the answer came in time
		bounded  bool // more came than a status tells
	}{
		{"torn on a port", schemas.LineSerial, power645, torn, schemas.DLT645, schemas.CauseCutShort, false, false},
		{"wrong on a port", schemas.LineSerial, power645, wrong, schemas.DLT645, schemas.CauseBadAnswer, false, false},
		{"late on a port", schemas.LineSerial, power645, late, schemas.DLT645, schemas.CauseNoAnswer, true, false},
		{"torn over TCP", schemas.LineServer, power645, torn, schemas.DLT645, schemas.CauseCutShort, false, false},
		{"wrong over TCP", schemas.LineServer, power645, wrong, schemas.DLT645, schemas.CauseBadAnswer, false, false},
		{"late over TCP", schemas.LineServer, power645, late, schemas.DLT645, schemas.CauseNoAnswer, true, false},
		{"a gateway refuses", schemas.LineModbusTCP, modbusM, refuses, schemas.ModbusTCP, schemas.CauseRefused, false, false},
		{"more than a status tells", schemas.LineServer, modbusM, noise, schemas.ModbusRTU, "", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			meter := &liar{gives: c.gives}
			s := failingStatus(t, meter.port(t, c.kind), c.kind, c.meter)
			f := s.Failing[0]
			e := f.Exchange
			if e.Protocol != c.protocol || c.cause != "" && f.Cause != c.cause {
				t.Errorf("%s, cause %q, want %s, %q (%s)", e.Protocol, f.Cause, c.protocol, c.cause, f.Error)
			}
			if age := time.Since(e.At); age < 0 || age > time.Minute {
				t.Errorf("the exchange is of %s", e.At)
			}
			gave := meter.heard(e.Sent)
			if len(gave) == 0 {
				t.Fatalf("the status tells of the request % X, which the meter never saw", e.Sent)
			}
			switch want := gave[0]; {
			case c.silent:
				if len(e.Received) > 0 {
					t.Errorf("received % X, want nothing", e.Received)
				}
			case c.bounded:
				// How much had come when the line gave up is up to the system.
				if !bytes.HasPrefix(want, e.Received) || len(e.Received)+int(e.ReceivedCut) > len(want) || len(e.Received) == 0 {
					t.Errorf("received % X and %d more, want a beginning of % X", e.Received, e.ReceivedCut, want)
				}
			case !bytes.Equal(e.Received, want) || e.ReceivedCut != 0:
				t.Errorf("received % X and %d more, want % X", e.Received, e.ReceivedCut, want)
			}
			if l := s.Lines; len(l) != 1 || l[0].Kind != c.kind || l[0].Name != "test" || l[0].Meters != 1 || l[0].Read != 0 {
				t.Errorf("lines %+v", l)
			}
			if s.KeyGeneration == 0 || !s.CertificateEnds.IsZero() {
				t.Errorf("key generation %d, certificate until %s", s.KeyGeneration, s.CertificateEnds)
			}
		})
	}
}

// failingStatus runs a collector with one meter until its status tells of an exchange
// that failed, and returns that status, as the hub would decode it.
func failingStatus(t *testing.T, address string, kind schemas.LineKind, meter string) *schemas.Status {
	t.Helper()
	c := openCollector(t, address, kind, meter)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(30 * time.Second); ; {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("no failed exchange in the status: %+v", c.Status())
		}
		s := c.Status()
		if len(s.Failing) == 0 || s.Failing[0].Exchange == nil {
			continue
		}
		wire, err := schemas.EncodeStatus(nil, &s)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := schemas.DecodeStatus(wire)
		if err != nil {
			t.Fatal(err)
		}
		return decoded
	}
}

func openCollector(t *testing.T, address string, kind schemas.LineKind, meter string) *collector.Collector {
	t.Helper()
	wire := ""
	if kind != schemas.LineModbusTCP {
		wire = "\n    serial: {baud: 9600, parity: none}"
	}
	path := filepath.Join(t.TempDir(), "collector.yaml")
	text := fmt.Sprintf(`collector: c001
bundle: c001.bundle
data_dir: data
interval: 1s
broker: {url: "tcp://127.0.0.1:1"}
lines:
  - name: test
    address: %s%s
    timeout: 300ms
    quiet_time: 50ms
    meters: [%s]
`, address, wire, meter)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := cfg.BuildLines()
	if err != nil {
		t.Fatal(err)
	}
	master, err := seal.NewMaster("test", 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := seal.Issue(master, "330106", "c001", 0, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := collector.Open(collector.Options{
		Bundle: &bundle, Provider: seal.DefaultProvider(), DataDir: t.TempDir(), Lines: lines,
		Batch: collector.BatchLimits{MaxReadings: 10, MaxAge: time.Second}, Broker: mqttlink.Config{URL: cfg.Broker.URL},
		Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Version: "test", Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
