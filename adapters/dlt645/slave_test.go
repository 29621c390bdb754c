package dlt645

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"citygrid/adapters/catalog/catalogtest"
	"citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/line"
)

// plate is the address of the meter under test.
const plate = "218231000114"

// slave is a meter on a wire behind a serial server: it answers what is in its
// items, refuses what is not, and does what its hook says instead.
type slave struct {
	mu      sync.Mutex
	address Address
	items   map[uint32][]byte
	// hook, if set, gives the bytes to send instead of the answer; ok is false
	// to leave the request to the slave.
	hook  func(request Frame, di uint32) (b []byte, ok bool)
	asked []uint32
	addr  string
}

func newSlave(t *testing.T) *slave {
	t.Helper()
	a, err := ParseAddress(plate)
	if err != nil {
		t.Fatal(err)
	}
	s := &slave{address: a, items: map[uint32][]byte{}}
	s.addr = serve(t, s.handle)
	return s
}

// serve listens and gives each frame that comes to handle, whose bytes it sends
// back.
func serve(t *testing.T, handle func(conn net.Conn, request Frame) []byte) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[conn] = true
			mu.Unlock()
			wg.Go(func() { talk(conn, handle) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for conn := range conns {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return listener.Addr().String()
}

// talk serves one connection until it ends.
func talk(conn net.Conn, handle func(conn net.Conn, request Frame) []byte) {
	defer conn.Close()
	var have []byte
	for chunk := make([]byte, 512); ; {
		n, err := conn.Read(chunk)
		if err != nil {
			return
		}
		have = append(have, chunk[:n]...)
		skip, n, err := Split(have)
		if err != nil || n == 0 {
			continue
		}
		f, err := Parse(have[skip : skip+n])
		have = have[skip+n:]
		if err != nil {
			continue
		}
		// An empty write is one on a pipe.
		if b := handle(conn, f); len(b) > 0 {
			if _, err := conn.Write(b); err != nil {
				return
			}
		}
	}
}

func (s *slave) handle(_ net.Conn, f Frame) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := digits(f.Function())
	var di uint32
	if f.Function() != readAddress {
		di = identifier(f.Data, n)
	}
	s.asked = append(s.asked, di)
	if s.hook != nil {
		if b, ok := s.hook(f, di); ok {
			return b
		}
	}
	if !f.Address.admits(s.address) {
		return nil
	}
	if f.Function() == readAddress {
		return encode(s.address, fromMeter|readAddress, s.address.append(nil))
	}
	data, ok := s.items[di]
	if !ok {
		return encode(s.address, fromMeter|refused|f.Function(), []byte{noSuchData})
	}
	return s.answer(f.Function(), di, data)
}

// answer is the frame that answers function with an item's data.
func (s *slave) answer(function byte, di uint32, data []byte) []byte {
	return encode(s.address, fromMeter|function, append(appendDI(nil, di, digits(function)), data...))
}

// set gives an item its data; nil takes it away.
func (s *slave) set(di uint32, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[di] = data; data == nil {
		delete(s.items, di)
	}
}

func (s *slave) setHook(hook func(request Frame, di uint32) ([]byte, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// takeAsked returns the items asked for since the last call.
func (s *slave) takeAsked() []uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// wire is a fast serial line, so that tests do not wait for bytes.
func wire() *line.Serial {
	return &line.Serial{Baud: 115200, DataBits: 8, Parity: line.Even, StopBits: 1}
}

// busTo opens a bus to a serial server whose meter answers.
func busTo(t testing.TB, addr string, c Config) *Bus { return busWithin(t, 5*time.Second, addr, c) }

// busToSilence opens a bus to one whose meter may not.
func busToSilence(t testing.TB, addr string, c Config) *Bus {
	return busWithin(t, 100*time.Millisecond, addr, c)
}

func busWithin(t testing.TB, timeout time.Duration, addr string, c Config) *Bus {
	t.Helper()
	l := line.New(line.Config{Address: addr, Serial: wire(), Timeout: timeout, QuietTime: 5 * time.Millisecond})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(l, c)
}

func mustSource(t testing.TB, b *Bus, address string, p *profiles.Profile) *Meter {
	t.Helper()
	m, err := b.Source("METER-1", address, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// mustParse makes a profile from the keys that follow its head.
func mustParse(t testing.TB, keys string) *profiles.Profile {
	t.Helper()
	p, err := profiles.Parse("test.yaml", []byte("maker: A\nmodel: B\nmedium: power\ndocument: D\n"+keys))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func embedded(t testing.TB, id string) *profiles.Profile {
	t.Helper()
	return catalogtest.Get(t, profiles.Embedded, id)
}

// low returns bytes written the way of the documents, the highest first, in the
// order of the wire.
func low(t testing.TB, s string) []byte {
	t.Helper()
	b := catalogtest.Bytes(t, s)
	slices.Reverse(b)
	return b
}

// background bounds a test.
func background(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
