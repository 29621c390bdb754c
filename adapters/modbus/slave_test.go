package modbus

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// register is what every test device holds: a function of unit, function and
// address, so that a value from the wrong place is seen to be one.
func register(unit, function uint8, addr uint16) uint16 {
	h := uint32(unit)<<24 ^ uint32(function)<<16 ^ uint32(addr)
	h ^= h >> 15
	h *= 0x2C1B3C6D
	h ^= h >> 12
	h *= 0x297A2D39
	return uint16(h ^ h>>15)
}

// rightAnswer returns the frame that answers a read request.
func rightAnswer(request []byte) []byte {
	unit, function := request[6], request[7]
	at, count := binary.BigEndian.Uint16(request[8:]), int(binary.BigEndian.Uint16(request[10:]))
	frame := make([]byte, 9+2*count)
	copy(frame, request[:8])
	binary.BigEndian.PutUint16(frame[4:], uint16(3+2*count))
	frame[8] = byte(2 * count)
	for i := range count {
		binary.BigEndian.PutUint16(frame[9+2*i:], register(unit, function, at+uint16(i)))
	}
	return frame
}

// exceptionAnswer returns the frame by which a device refuses a request.
func exceptionAnswer(request []byte, code byte) []byte {
	frame := append([]byte(nil), request[:9]...)
	binary.BigEndian.PutUint16(frame[4:], 3)
	frame[7] |= 0x80
	frame[8] = code
	return frame
}

// readRequest reads one request frame.
func readRequest(r io.Reader, buf *[maxFrame]byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:6]); err != nil {
		return nil, err
	}
	n := 6 + int(binary.BigEndian.Uint16(buf[4:]))
	if _, err := io.ReadFull(r, buf[6:n]); err != nil {
		return nil, err
	}
	return buf[:n], nil
}

// handler answers the n-th request (from 0, over all connections) by writing
// to conn what it likes. Returning false closes the connection.
type handler func(n int, request []byte, conn net.Conn) bool

// slave is a scripted device on a loopback port.
type slave struct {
	ln     net.Listener
	handle handler
	mu     sync.Mutex
	n      int
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

// startSlave returns the address of a device that lives as long as the test.
func startSlave(t testing.TB, h handler) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &slave{ln: ln, handle: h, conns: map[net.Conn]bool{}}
	s.wg.Go(s.accept)
	t.Cleanup(s.stop)
	return ln.Addr().String()
}

func (s *slave) stop() {
	s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *slave) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *slave) serve(c net.Conn) {
	defer c.Close()
	var buf [maxFrame]byte
	for {
		req, err := readRequest(c, &buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		n := s.n
		s.n++
		s.mu.Unlock()
		if !s.handle(n, req, c) {
			return
		}
	}
}
