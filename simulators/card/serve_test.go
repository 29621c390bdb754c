package card_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"citygrid/simulators/card"
)

// reader is the end of the connection where vpcd sits.
type reader struct {
	net.Conn
	t testing.TB
}

// insert puts the card into a reader over TCP; the channel tells how Serve ended.
func insert(t testing.TB, ctx context.Context, c *card.Card) (reader, <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- card.Serve(ctx, conn, c) }()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := far.(*net.TCPConn).SetNoDelay(false); err != nil { // vpcd leaves Nagle on
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return reader{far, t}, ended
}

// tell writes length and body apart, as vpcd does.
func (r reader) tell(message []byte) {
	r.t.Helper()
	for _, part := range [][]byte{binary.BigEndian.AppendUint16(nil, uint16(len(message))), message} {
		if _, err := r.Write(part); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r reader) hear() string {
	r.t.Helper()
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		r.t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(r, answer); err != nil {
		r.t.Fatal(err)
	}
	return string(answer)
}

func (r reader) ask(message, want string) {
	r.t.Helper()
	r.tell(unhex(r.t, message))
	if got := r.hear(); got != string(unhex(r.t, want)) {
		r.t.Errorf("%s: answer %X; want %s", message, got, want)
	}
}

// TestServe is a session of the virtual reader. Control bytes other than 04 have
// no answer: the next answer would be out of step if they had.
func TestServe(t *testing.T) {
	c := mustNew(t)
	r, ended := insert(t, t.Context(), c)
	r.tell([]byte{1})
	r.ask("04", "3B6900004300000000 0000002A")
	r.ask("00B0990108", serial+"9000")
	r.ask("00A4000C02DF01", "9000")
	r.ask("00B0820001", "009000")
	r.tell(nil)
	r.tell([]byte{2}) // reset: the MF is current again
	r.ask("00B0820001", "6A82")
	r.ask("00A4000C02DF01", "9000")
	r.tell([]byte{0})
	r.tell([]byte{1})
	r.ask("00B0820001", "6A82")
	r.ask("03", "6700")
	r.Close()
	if err := <-ended; err != nil {
		t.Errorf("reader closed: %v; want nil", err)
	}
}

// TestRemoval: the card is pulled in the middle of a session and put into another
// reader. What was written is there, who had authenticated is not known any more.
func TestRemoval(t *testing.T) {
	c := mustNew(t)
	ctx, pull := context.WithCancel(t.Context())
	r, ended := insert(t, ctx, c)
	p := terminal(t, c, 1)
	p.authenticate()
	wantSW(t, "wallet", p.update(2, 0, unhex(t, "0000271000000001")), "9000")
	pull()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("pulled: %v; want context.Canceled", err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the reader sees %v; want io.EOF", err)
	}
	send(t, c, "00D682000100", "6A82") // the MF is current again
	r, _ = insert(t, t.Context(), c)
	r.ask("00A4000C02DF01", "9000")
	r.ask("00B0820008", "0000271000000001 9000")
	r.ask("00D682000100", "6982")
}

func TestServeReportsACutMessage(t *testing.T) {
	r, ended := insert(t, t.Context(), mustNew(t))
	if _, err := r.Write([]byte{0, 5, 0, 0xB0}); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), serial) {
		t.Errorf("cut message: %v; want an error that names the card", err)
	}
}

// BenchmarkServe is a READ BINARY through the virtual reader's protocol, with
// length and body written apart.
func BenchmarkServe(b *testing.B) {
	r, _ := insert(b, b.Context(), mustNew(b))
	for b.Loop() {
		r.ask("00B0990108", serial+"9000")
	}
}

// BenchmarkUpdate is a challenge and an update with its MAC, in process.
func BenchmarkUpdate(b *testing.B) {
	c := mustNew(b)
	p := terminal(b, c, 1)
	p.authenticate()
	wallet := unhex(b, "0000271000000001")
	for b.Loop() {
		if sw := p.update(2, 0, wallet); sw != "9000" {
			b.Fatal(sw)
		}
	}
}
