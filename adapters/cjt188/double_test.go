package cjt188

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"citygrid/adapters/catalog/catalogtest"
	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/line"
)

// serve starts a transparent serial server and has each request that reaches it
// answered by handle, which gets the frame without lead-in and returns bytes for
// the wire. It knows nothing of the code under test but the form of a request.
func serve(t *testing.T, handle func(request []byte) []byte) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
	)
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wait.Go(func() { answerAll(conn, handle) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wait.Wait()
	})
	return listener.Addr().String()
}

// answerAll reads requests, which have 16 bytes from 68 to 16.
func answerAll(conn net.Conn, handle func([]byte) []byte) {
	var pending []byte
	chunk := make([]byte, 256)
	for {
		n, err := conn.Read(chunk)
		if err != nil {
			return
		}
		pending = append(pending, chunk[:n]...)
		for {
			from := slices.Index(pending, 0x68)
			if from < 0 || len(pending) < from+16 {
				break
			}
			out := handle(slices.Clone(pending[from : from+16]))
			pending = pending[from+16:]
			if _, err := conn.Write(out); err != nil {
				return
			}
		}
	}
}

// double is a simulated meter whose items a test sets by hand.
type double struct {
	mu      sync.Mutex
	address [7]byte // as on the wire
	typ     byte
	// items are the contents by identifier.
	items map[uint16][]byte
	// low, high: it takes identifiers low byte first, high byte first.
	low, high bool
	// deny: it refuses what it does not know or have, else it keeps silent.
	deny bool
	// turn: it answers in the other order than it was asked.
	turn bool
	// bend changes an answer on its way.
	bend func(frame []byte) []byte
	// dead: nothing is answered.
	dead  bool
	asked []string // identifiers as on the wire
}

// newDouble is the prepaid water meter of the examples.
func newDouble(t *testing.T) *double {
	return &double{
		address: [7]byte{0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00}, typ: 0x10, low: true, high: true,
		items: map[uint16][]byte{
			0x901F: catalogtest.Bytes(t, "56 34 12 00 2C 00 00 12 00 2C 15 30 14 05 03 26 20 00 00"),
			0x8105: catalogtest.Bytes(t, "07 00 50 00 00 00 50 03 00 34 12 00 00 05 00"),
			0x8103: catalogtest.Bytes(t, "01"),
			0xD120: catalogtest.Bytes(t, "00 00 12 00 2C"),
			0xD121: catalogtest.Bytes(t, "50 99 11 00 2C"),
		},
	}
}

func (d *double) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// requests returns what was asked since the last call.
func (d *double) requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := d.asked
	d.asked = nil
	return asked
}

func (d *double) handle(request []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	hi, lo, ser := request[11], request[12], request[13]
	d.asked = append(d.asked, string("0123456789ABCDEF"[hi>>4])+string("0123456789ABCDEF"[hi&15])+
		string("0123456789ABCDEF"[lo>>4])+string("0123456789ABCDEF"[lo&15]))
	mine := request[1] == d.typ || request[1] == 0xAA
	for i, b := range d.address {
		mine = mine && (request[2+i] == b || request[2+i] == 0xAA)
	}
	if !mine || d.dead {
		return nil
	}
	var content []byte
	found := false
	if request[9] == 0x03 {
		found = d.high && hi == 0x81 && lo == 0x0A || d.low && hi == 0x0A && lo == 0x81
	} else {
		if d.high {
			content, found = d.items[uint16(hi)<<8|uint16(lo)]
		}
		if !found && d.low {
			content, found = d.items[uint16(lo)<<8|uint16(hi)]
		}
	}
	var answer []byte
	switch {
	case found:
		if d.turn {
			hi, lo = lo, hi
		}
		answer = d.frame(request[9]|0x80, append([]byte{hi, lo, ser}, content...))
	case d.deny:
		answer = d.frame(request[9]|0xC0, []byte{ser, 0x01, 0x00})
	default:
		return nil
	}
	if d.bend != nil {
		answer = d.bend(answer)
	}
	return answer
}

func (d *double) frame(control byte, data []byte) []byte {
	f := append([]byte{0x68, d.typ}, d.address[:]...)
	f = append(f, control, byte(len(data)))
	f = append(f, data...)
	return sealed(f)
}

// sealed appends checksum and end.
func sealed(f []byte) []byte {
	var cs byte
	for _, b := range f {
		cs += b
	}
	return append(f, cs, 0x16)
}

// testLine is a line to a transparent serial server, quick to give up.
func testLine(t *testing.T, addr string) *line.Line {
	t.Helper()
	l := line.New(line.Config{
		Name: "test", Address: addr, Timeout: 100 * time.Millisecond, QuietTime: 5 * time.Millisecond,
		Serial: &line.Serial{Baud: 115200, DataBits: 8, Parity: line.Even, StopBits: 1},
	})
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func mustProfile(t testing.TB, id string) *profiles.Profile {
	t.Helper()
	return catalogtest.Get(t, profiles.Embedded, id)
}

// source is a meter of that profile, read from d, with its edition changed.
func source(t *testing.T, d *double, id string, edition int, c Config) *Meter {
	t.Helper()
	p := *mustProfile(t, id)
	p.Edition = edition
	m, err := New(testLine(t, serve(t, d.handle)), c).Source("W-1", "00112233445566", &p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
