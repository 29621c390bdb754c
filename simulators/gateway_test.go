package simulators

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener without a network, so that a test can run on a clock of
// its own.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// reply is one frame that a raw client received.
type reply struct {
	transaction uint16
	unit        uint8
	pdu         []byte
}

func readReply(r io.Reader) (reply, error) {
	var header [7]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return reply{}, err
	}
	pdu := make([]byte, binary.BigEndian.Uint16(header[4:])-1)
	_, err := io.ReadFull(r, pdu)
	return reply{binary.BigEndian.Uint16(header[:]), header[6], pdu}, err
}

func ask(transaction uint16, unit, fn uint8, at, count uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, transaction)
	b = append(b, 0, 0, 0, 6, unit, fn)
	b = binary.BigEndian.AppendUint16(b, at)
	return binary.BigEndian.AppendUint16(b, count)
}

// twoMeters returns a gateway of two iEM3000 at units 7 and 9 and a dead one at
// unit 8.
func twoMeters(t testing.TB, f Faults) *Gateway {
	t.Helper()
	var meters []*Meter
	for unit := uint8(7); unit <= 9; unit++ {
		meters = append(meters, mustMeter(t, "schneider-iem3000", func(c *MeterConfig) {
			c.Unit, c.Seed, c.Dead = unit, uint64(unit), unit == 8
		}))
	}
	g, err := NewGateway(GatewayConfig{Name: "g", Meters: meters, Seed: 1, Faults: f})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// served runs f with a client of the gateway on a clock of its own.
func served(t *testing.T, g *Gateway, f func(client net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ln := newPipes()
		done := make(chan error)
		go func() { done <- g.Serve(ctx, ln) }()
		client := ln.dial()
		f(client)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is still open after Serve has returned")
		}
	})
}

// want returns the reply that a faultless gateway gives now.
func want(t *testing.T, m *Meter, at, count uint16) []byte {
	t.Helper()
	b, e := m.AppendRegisters([]byte{3, byte(2 * count)}, 3, at, count, time.Now())
	if e != 0 {
		t.Fatalf("exception %d", e)
	}
	return b
}

func TestServeAnswers(t *testing.T) {
	g := twoMeters(t, Faults{})
	served(t, g, func(client net.Conn) {
		for i, tt := range []struct {
			name    string
			request []byte
			want    []byte
		}{
			{"read", ask(1, 7, 3, 0x0BD3, 10), want(t, g.byUnit[7], 0x0BD3, 10)},
			{"unknown unit", ask(2, 50, 3, 0x0BD3, 10), []byte{0x83, 0x0B}},
			{"unit 0", ask(3, 0, 3, 0x0BD3, 10), []byte{0x83, 0x0B}},
			{"illegal address", ask(4, 7, 3, 0, 10), []byte{0x83, 0x02}},
			{"illegal count", ask(5, 7, 3, 0x0BD3, 126), []byte{0x83, 0x03}},
			{"count of 0", ask(6, 7, 3, 0x0BD3, 0), []byte{0x83, 0x03}},
			{"largest count", ask(7, 7, 3, 0x0BD3, 0xFFFF), []byte{0x83, 0x03}},
			{"coils", ask(8, 7, 1, 0, 1), []byte{0x81, 0x01}},
			{"write", ask(9, 7, 6, 0, 1), []byte{0x86, 0x01}},
			{"short read", []byte{0, 10, 0, 0, 0, 4, 7, 3, 0x0B, 0xD3}, []byte{0x83, 0x03}},
			{"write of many", []byte{0, 11, 0, 0, 0, 9, 7, 16, 0, 0, 0, 1, 2, 0, 0}, []byte{0x90, 0x01}},
		} {
			go client.Write(tt.request)
			r, err := readReply(client)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if r.transaction != uint16(i+1) || r.unit != tt.request[6] || !bytes.Equal(r.pdu, tt.want) {
				t.Errorf("%s: got %+v, want %x", tt.name, r, tt.want)
			}
		}
	})
}

func TestServeClosesOnGarbage(t *testing.T) {
	for name, frame := range map[string][]byte{
		"other protocol": {0, 1, 0, 1, 0, 6, 7, 3, 0, 0, 0, 1},
		"no function":    {0, 1, 0, 0, 0, 1, 7, 3, 0, 0, 0, 1},
		"too long":       {0, 1, 0, 0, 1, 0, 7, 3, 0, 0, 0, 1},
	} {
		served(t, twoMeters(t, Faults{}), func(client net.Conn) {
			go client.Write(frame)
			if r, err := readReply(client); !errors.Is(err, io.EOF) {
				t.Errorf("%s: %+v, %v, want a closed connection", name, r, err)
			}
		})
	}
}

func TestDeadMeterIsSilent(t *testing.T) {
	g := twoMeters(t, Faults{})
	served(t, g, func(client net.Conn) {
		// The dead meter's neighbours are served at once.
		go client.Write(append(ask(1, 8, 3, 0x0BD3, 2), ask(2, 9, 3, 0x0BD3, 2)...))
		if r, err := readReply(client); err != nil || r.transaction != 2 {
			t.Errorf("%+v, %v, want the reply to request 2", r, err)
		}
		if err := client.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if r, err := readReply(client); err == nil {
			t.Errorf("the dead meter answered %+v", r)
		}
	})
	if s := g.Stats(); s.Silent != 1 || s.Requests != 2 {
		t.Errorf("stats %+v", s)
	}
}

// TestLate sends a request every 200 ms and looks when and in which order the
// replies come: most in time, some overtaken, some holding up those behind
// them; none lost, none twice.
func TestLate(t *testing.T) {
	const requests, spacing, lateBy = 200, 200 * time.Millisecond, 450 * time.Millisecond
	g := twoMeters(t, Faults{Late: 0.1, LateBy: lateBy})
	served(t, g, func(client net.Conn) {
		sent := make(chan time.Time, requests)
		var sender sync.WaitGroup
		defer sender.Wait()
		sender.Go(func() {
			for i := range uint16(requests) {
				sent <- time.Now()
				client.Write(ask(i, 7, 3, 0x0BD3, 10))
				time.Sleep(spacing)
			}
		})
		var times []time.Time
		overtaken, held, onTime, last := 0, 0, 0, -1
		seen := map[uint16]bool{}
		for range requests {
			r, err := readReply(client)
			if err != nil || seen[r.transaction] || r.pdu[0] != 3 || len(r.pdu) != 22 {
				t.Fatalf("reply %+v, %v (seen %v)", r, err, seen[r.transaction])
			}
			seen[r.transaction] = true
			for len(times) <= int(r.transaction) {
				times = append(times, <-sent)
			}
			after := time.Since(times[r.transaction])
			switch {
			case int(r.transaction) < last && after >= lateBy:
				overtaken++
			case after == 0:
				onTime++
			case after > 0:
				held++
			}
			last = max(last, int(r.transaction))
		}
		if overtaken < 3 || held < 3 || onTime < requests/2 {
			t.Errorf("%d overtaken, %d held up, %d in time", overtaken, held, onTime)
		}
	})
	if s := g.Stats(); s.Late < 8 || s.Late > 35 {
		t.Errorf("%d of %d were late at a rate of 10%%", s.Late, requests)
	}
}

func TestLateReplyIsThatLate(t *testing.T) {
	g := twoMeters(t, Faults{Late: 1})
	served(t, g, func(client net.Conn) {
		for i := range uint16(10) {
			sent := time.Now()
			expect := want(t, g.byUnit[9], 0x0BD3, 10)
			go client.Write(ask(i, 9, 3, 0x0BD3, 10))
			r, err := readReply(client)
			if err != nil || !bytes.Equal(r.pdu, expect) {
				t.Fatalf("%+v, %v, want the registers as they were at the request", r, err)
			}
			if d := time.Since(sent); d != DefaultLateBy {
				t.Errorf("late by %s, want %s", d, DefaultLateBy)
			}
		}
	})
}

func TestSplit(t *testing.T) {
	g := twoMeters(t, Faults{Split: 1})
	served(t, g, func(client net.Conn) {
		cuts := map[int]bool{}
		for i := range uint16(20) {
			go client.Write(ask(i, 7, 3, 0x0BD3, 4))
			buf := make([]byte, 100)
			n, err := client.Read(buf)
			if err != nil || n >= 17 {
				t.Fatalf("first piece of %d bytes, %v", n, err)
			}
			cuts[n] = true
			at := time.Now()
			rest, err := client.Read(buf[n:])
			if err != nil || n+rest != 17 || time.Since(at) != splitPause {
				t.Errorf("second piece of %d bytes after %d, %s later, %v", rest, n, time.Since(at), err)
			}
			if r, err := readReply(bytes.NewReader(buf)); err != nil || r.transaction != i || len(r.pdu) != 10 {
				t.Errorf("pieces make %+v, %v", r, err)
			}
		}
		if len(cuts) < 5 {
			t.Errorf("cut only at %v", cuts)
		}
	})
}

func TestDuplicate(t *testing.T) {
	served(t, twoMeters(t, Faults{Duplicate: 1}), func(client net.Conn) {
		go client.Write(ask(77, 7, 3, 0x0BD3, 4))
		first, err1 := readReply(client)
		second, err2 := readReply(client)
		if err1 != nil || err2 != nil || first.transaction != 77 || second.transaction != 77 || !bytes.Equal(first.pdu, second.pdu) {
			t.Errorf("%+v %v, %+v %v, want one reply twice", first, err1, second, err2)
		}
	})
}

func TestWrongUnit(t *testing.T) {
	g := twoMeters(t, Faults{WrongUnit: 1})
	served(t, g, func(client net.Conn) {
		go client.Write(ask(5, 7, 3, 0x0BD3, 4))
		r, err := readReply(client)
		if err != nil || r.transaction != 5 || r.unit != 8 {
			t.Errorf("%+v, %v, want unit 8 under transaction 5", r, err)
		}
		if neighbours := want(t, g.byUnit[8], 0x0BD3, 4); !bytes.Equal(r.pdu, neighbours) {
			t.Errorf("got %x, want the neighbour's %x", r.pdu, neighbours)
		}
	})
}

// TestWrongUnitAlone shows that a gateway of one meter gives wrong registers
// under a unit id that it does not have.
func TestWrongUnitAlone(t *testing.T) {
	m := mustMeter(t, "schneider-iem3000", nil)
	g, err := NewGateway(GatewayConfig{Name: "g", Meters: []*Meter{m}, Faults: Faults{WrongUnit: 1}})
	if err != nil {
		t.Fatal(err)
	}
	served(t, g, func(client net.Conn) {
		go client.Write(ask(5, 7, 3, 0x0BD3, 4))
		r, err := readReply(client)
		if err != nil || r.unit == 7 || len(r.pdu) != 10 || bytes.Equal(r.pdu, want(t, m, 0x0BD3, 4)) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestExceptionFaults(t *testing.T) {
	for _, tt := range []struct {
		f    Faults
		code byte
	}{{Faults{Busy: 1}, 6}, {Faults{Failure: 1}, 4}, {Faults{GatewayTimeout: 1}, 0x0B}} {
		served(t, twoMeters(t, tt.f), func(client net.Conn) {
			go client.Write(ask(1, 7, 3, 0x0BD3, 4))
			if r, err := readReply(client); err != nil || !bytes.Equal(r.pdu, []byte{0x83, tt.code}) {
				t.Errorf("%s: %+v, %v", tt.f, r, err)
			}
		})
	}
}

func TestNewGatewayRefuses(t *testing.T) {
	a, b := mustMeter(t, "abb-b23", nil), mustMeter(t, "tuf-2000m", nil)
	if _, err := NewGateway(GatewayConfig{Meters: []*Meter{a, b}}); err == nil {
		t.Error("accepted two meters of one unit")
	}
	if _, err := NewGateway(GatewayConfig{Meters: []*Meter{a}, Faults: Faults{Late: 2}}); err == nil {
		t.Error("accepted a rate of 200 %")
	}
}

// FuzzRequests sends bytes to a whole gateway: it must neither panic nor give
// replies that are no Modbus TCP frames.
func FuzzRequests(f *testing.F) {
	g := twoMeters(f, Faults{Duplicate: 0.2, WrongUnit: 0.3, Busy: 0.2})
	f.Add(ask(1, 7, 3, 0x0BD3, 10))
	f.Add(ask(2, 9, 4, 0xFFFF, 0xFFFF))
	f.Add([]byte{0, 1, 0, 0, 0, 2, 7, 43})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bytes.NewReader(data)
		out := newOutbox(nil)
		var frame [maxADU]byte
		for {
			q, err := readRequest(in, frame[:])
			if err != nil {
				break
			}
			g.answer(t.Context(), q, out)
		}
		replies := bytes.NewReader(out.buf)
		for replies.Len() > 0 {
			r, err := readReply(replies)
			if err != nil || len(r.pdu) < 2 || len(r.pdu) > 253 {
				t.Fatalf("reply %+v, %v", r, err)
			}
			if size := len(r.pdu); r.pdu[0]&0x80 != 0 && size != 2 || r.pdu[0]&0x80 == 0 && size != 2+int(r.pdu[1]) {
				t.Fatalf("reply %x", r.pdu)
			}
		}
	})
}

// BenchmarkServe measures requests of 40 registers over TCP, client and server
// in one process: one at a time, and 16 in flight.
func BenchmarkServe(b *testing.B) {
	for _, bench := range []struct {
		name     string
		inFlight int
	}{{"one at a time", 1}, {"16 in flight", 16}} {
		b.Run(bench.name, func(b *testing.B) { benchmarkServe(b, bench.inFlight) })
	}
}

func benchmarkServe(b *testing.B, inFlight int) {
	p := twentyFloats(b)
	m := mustMeter(b, "eastron-sdm630", func(c *MeterConfig) { c.Profile = p })
	g, err := NewGateway(GatewayConfig{Name: "g", Meters: []*Meter{m}})
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, ln) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	requests := bytes.Repeat(ask(1, 7, 4, 0, 40), inFlight)
	replies := make([]byte, inFlight*(9+80))
	for b.Loop() {
		if _, err := conn.Write(requests); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, replies); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*inFlight)/b.Elapsed().Seconds(), "requests/s")
}
