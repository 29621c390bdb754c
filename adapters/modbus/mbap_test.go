package modbus

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"testing"
	"time"

	gb "github.com/goburrow/modbus"
)

// streamConn gives a client the same bytes whatever it asks, in pieces.
type streamConn struct {
	net.Conn // nil: the methods below are all that a link uses
	r        *bytes.Reader
	piece    int
	asked    bool // nothing comes before
}

func (c *streamConn) Write(b []byte) (int, error)   { c.asked = true; return len(b), nil }
func (c *streamConn) Close() error                  { return nil }
func (c *streamConn) SetDeadline(t time.Time) error { return nil }

func (c *streamConn) Read(b []byte) (int, error) {
	if !c.asked {
		return 0, os.ErrDeadlineExceeded
	}
	return c.r.Read(b[:min(len(b), c.piece)])
}

// FuzzReply feeds the reader of answers any bytes in any pieces. It must end,
// and a success must rest on a whole right frame that is literally there.
func FuzzReply(f *testing.F) {
	request := []byte{0, 1, 0, 0, 0, 6, 7, 3, 0, 10, 0, 4}
	right := rightAnswer(request)
	f.Add(right, uint8(255), false)
	f.Add(append(bytes.Clone(right[:10]), right...), uint8(3), false)
	f.Add(append(bytes.Clone(right), right...), uint8(200), true)
	f.Add(exceptionAnswer(request, 2), uint8(1), false)
	f.Add([]byte("HTTP/1.1 400 Bad Request"), uint8(9), true)
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8, anyID bool) {
		l := openLine(lineConfig{
			Address: "fuzz", Timeout: time.Hour, QuietTime: -1, Retries: -1, NoTransactionID: anyID, Now: evenStart,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				return &streamConn{r: bytes.NewReader(stream), piece: int(piece) + 1}, nil
			},
		})
		dst := make([]byte, 8)
		err := l.ask(t.Context(), 7, Request{Function: 3, At: 10, Count: 4}, dst)
		want := append(bytes.Clone(right[:9]), dst...)
		if anyID {
			want = want[2:]
		}
		if err == nil && !bytes.Contains(stream, want) {
			t.Fatalf("registers % x out of % x", dst, stream)
		}
		if err == nil && !anyID && !bytes.HasPrefix(stream, want) {
			t.Fatalf("the first request of a line took an answer from behind other bytes: % x", stream)
		}
	})
}

// TestSplitPieces gives a right answer cut at every place.
func TestSplitPieces(t *testing.T) {
	right := rightAnswer([]byte{0, 1, 0, 0, 0, 6, 7, 3, 0, 10, 0, 4})
	for piece := 1; piece <= len(right); piece++ {
		l := openLine(lineConfig{Retries: -1, Now: evenStart, Dial: func(context.Context, string, string) (net.Conn, error) {
			return &streamConn{r: bytes.NewReader(right), piece: piece}, nil
		}})
		dst := make([]byte, 8)
		if err := l.ask(t.Context(), 7, Request{Function: 3, At: 10, Count: 4}, dst); err != nil || !bytes.Equal(dst, right[9:]) {
			t.Errorf("pieces of %d: % x, %v", piece, dst, err)
		}
	}
}

// TestIDsGoOn: the ids of a line do not start anew with its connection.
func TestIDsGoOn(t *testing.T) {
	asked := make(chan uint16, 100)
	addr := startSlave(t, func(n int, request []byte, conn net.Conn) bool {
		asked <- binary.BigEndian.Uint16(request)
		return answerRight(n, request, conn)
	})
	l := newTestLine(t, lineConfig{Address: addr, Timeout: 10 * time.Second, Now: evenStart})
	m := mustSource(t, l, 1, oracleProfile())
	for n := range uint16(5) {
		readAll(t, m, oracleProfile())
		if a, b := <-asked, <-asked; a != 2*n+1 || b != 2*n+2 {
			t.Errorf("read %d used the ids %d and %d", n, a, b)
		}
		l.Close()
	}
}

// TestIDWindow walks the ids around twice: the answer to the newest request is
// its own, those to earlier ones are stale, and no other is either.
func TestIDWindow(t *testing.T) {
	m := newMBAP(0xFFF0, false)
	pdu := &gb.ProtocolDataUnit{FunctionCode: 3, Data: []byte{0, 10, 0, 4}}
	for n := range 140_000 {
		request, err := m.encode(nil, 7, pdu)
		if err != nil {
			t.Fatal(err)
		}
		if n%997 != 0 && n > 40 {
			continue
		}
		for _, age := range []int{-40_000, -2, -1, 0, 1, 2, 20, 30_000, 32_768} {
			frame := rightAnswer(request)
			binary.BigEndian.PutUint16(frame, m.id-uint16(age))
			got, stale, err := m.open(request, frame)
			wantStale := age > 0 && age <= n
			if age == -40_000 { // comes round as 25,536 requests ago
				wantStale = n >= 25_536
			}
			if stale != wantStale || (got.Data != nil) != (age == 0) || (err != nil) == (stale || age == 0) {
				t.Fatalf("request %d, answer %d requests old: %v, stale %v, %v", n, age, got, stale, err)
			}
		}
	}
}

// BenchmarkRead reads a meter of two blocks over a loopback socket from a
// device that costs as little as a device can.
func BenchmarkRead(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, bench := range []struct {
		name string
		ctx  context.Context
	}{{"background", context.Background()}, {"cancellable", ctx}} {
		b.Run(bench.name, func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			go serveCanned(ln)
			l := openLine(lineConfig{Address: ln.Addr().String(), Timeout: 10 * time.Second})
			defer l.Close()
			m := mustSource(b, l, 1, oracleProfile())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Read(bench.ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// serveCanned answers every request with eight bytes of registers, without
// allocating.
func serveCanned(ln net.Listener) {
	conn, err := ln.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	var buf [maxFrame]byte
	frame := make([]byte, 17)
	for {
		if _, err := io.ReadFull(conn, buf[:12]); err != nil {
			return
		}
		copy(frame, buf[:8])
		frame[5], frame[8] = 11, 8
		if _, err := conn.Write(frame); err != nil {
			return
		}
	}
}
