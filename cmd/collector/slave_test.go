package main

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// slave is a Modbus TCP gateway: every float register of every unit holds 230.5,
// and unit 99 does not answer.
type slave struct {
	listener net.Listener
	clients  sync.WaitGroup
	asked    chan struct{} // closed with the first request
	first    sync.Once
}

// newSlave serves until the test ends.
func newSlave(t testing.TB) *slave {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &slave{listener: l, asked: make(chan struct{})}
	s.clients.Go(s.accept)
	return s
}

func (s *slave) address() string { return s.listener.Addr().String() }

// close returns when the clients have gone.
func (s *slave) close() {
	_ = s.listener.Close() // it was open
	s.clients.Wait()
}

func (s *slave) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.clients.Go(func() { defer c.Close(); _ = s.serve(c) })
	}
}

// serve answers requests until the client hangs up.
func (s *slave) serve(c io.ReadWriter) error {
	request := make([]byte, 12)
	for {
		if _, err := io.ReadFull(c, request); err != nil {
			return err
		}
		s.first.Do(func() { close(s.asked) })
		if request[6] == 99 {
			continue
		}
		n := 2 * int(binary.BigEndian.Uint16(request[10:]))
		answer := append(append([]byte(nil), request[:8]...), byte(n))
		binary.BigEndian.PutUint16(answer[4:], uint16(3+n))
		for range n / 4 {
			answer = binary.BigEndian.AppendUint32(answer, 0x43668000)
		}
		if _, err := c.Write(answer); err != nil {
			return err
		}
	}
}
