package pcsc

import (
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// fakeDaemon answers as a pcscd would that is hard to come by: an old one, a new
// one, one that refuses, one with a broken driver.
type fakeDaemon struct {
	// minor is its version, and lowest the oldest that it takes beside it.
	minor, lowest int32
	hangUp        command // it closes the connection at this command
	connect       []Status
	begin         []Status
	transmit      Status
	answer        []byte // to every APDU
	announce      uint32 // the length of the answer that it tells, if not 0
	stall         bool   // it never answers an APDU
	pull          bool   // the card is pulled out at the first APDU

	mu       sync.Mutex
	readers  []stateMsg
	waiting  []net.Conn
	commands map[command]int
	disposed map[command]uint32
	stalled  chan struct{} // gets a value with each APDU that it does not answer
}

// serve starts the daemon and returns a client of it, which has not yet spoken
// to it.
func (f *fakeDaemon) serve(t *testing.T) *Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "comm")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	f.commands, f.disposed, f.stalled = make(map[command]int), make(map[command]uint32), make(chan struct{}, 1)
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			clients.Go(func() {
				defer conn.Close()
				for f.step(conn) {
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		clients.Wait()
	})
	return &Client{socket: socket, answers: time.Minute}
}

// setReaders changes the table of readers and tells those who wait.
func (f *fakeDaemon) setReaders(readers ...stateMsg) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers = readers
	for _, conn := range f.waiting {
		write(conn, changeMsg{})
	}
	f.waiting = nil
}

// aReader is a place in the table.
func aReader(name string, events, state uint32, atr ...byte) (m stateMsg) {
	copy(m.Name[:], name)
	m.Events, m.State, m.ATRLength = events, state, uint32(copy(m.ATR[:], atr))
	return m
}

func write(conn net.Conn, v any) {
	out, err := binary.Append(nil, binary.NativeEndian, v)
	if err != nil {
		panic(err) // no wire struct
	}
	_, _ = conn.Write(out) // the client may be gone
}

// step answers one request; false ends the connection.
func (f *fakeDaemon) step(conn net.Conn) bool {
	var h header
	if binary.Read(conn, binary.NativeEndian, &h) != nil || h.Command == f.hangUp {
		return false
	}
	body := make([]byte, h.Size)
	if _, err := io.ReadFull(conn, body); err != nil {
		return false
	}
	f.mu.Lock()
	f.commands[h.Command]++
	f.mu.Unlock()
	switch h.Command {
	case cmdVersion:
		f.version(conn, body)
	case cmdReadersState, cmdWaitChange:
		f.table(conn, h.Command == cmdWaitChange)
	case cmdTransmit:
		return f.apdu(conn, body)
	default:
		return f.simple(conn, h.Command, body)
	}
	return true
}

func (f *fakeDaemon) version(conn net.Conn, body []byte) {
	m := decoded[versionMsg](body)
	if m.Major != 4 || m.Minor > f.minor || m.Minor < f.lowest {
		m.Status = uint32(statusServiceStopped)
	}
	m.Major, m.Minor = 4, f.minor
	write(conn, m)
}

func (f *fakeDaemon) table(conn net.Conn, wait bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var places [maxReaders]stateMsg
	copy(places[:], f.readers)
	write(conn, places)
	if wait {
		f.waiting = append(f.waiting, conn)
	}
}

// apdu answers a command to the card.
func (f *fakeDaemon) apdu(conn net.Conn, body []byte) bool {
	m := decoded[transmitMsg](body)
	if _, err := io.CopyN(io.Discard, conn, int64(m.SendLength)); err != nil {
		return false
	}
	if f.pull {
		f.setReaders(aReader("R", 2, 2)) // empty
	}
	if f.stall {
		f.stalled <- struct{}{}
		return true
	}
	m.Status, m.RecvLength = uint32(f.transmit), uint32(len(f.answer))
	if f.announce != 0 {
		m.RecvLength = f.announce
	}
	write(conn, m)
	if f.transmit == 0 {
		write(conn, f.answer)
	}
	return true
}

// simple answers the commands whose answer is the request, filled in.
func (f *fakeDaemon) simple(conn net.Conn, cmd command, body []byte) bool {
	switch cmd {
	case cmdEstablishContext:
		m := decoded[contextMsg](body)
		m.Context = 7
		write(conn, m)
	case cmdConnect:
		m := decoded[connectMsg](body)
		m.Card, m.ActiveProtocol, m.Status = 9, protocolT1, uint32(f.next(&f.connect))
		write(conn, m)
	case cmdBeginTransaction:
		m := decoded[beginMsg](body)
		m.Status = uint32(f.next(&f.begin))
		write(conn, m)
	case cmdEndTransaction, cmdDisconnect:
		m := decoded[disposeMsg](body)
		f.mu.Lock()
		f.disposed[cmd] = m.Disposition
		f.mu.Unlock()
		write(conn, m)
	case cmdReleaseContext:
		write(conn, decoded[releaseMsg](body))
	default:
		return false
	}
	return true
}

// next takes the first status of a list; the last one stays.
func (f *fakeDaemon) next(list *[]Status) Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(*list) == 0 {
		return 0
	}
	s := (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return s
}

func decoded[T any](body []byte) (m T) {
	if _, err := binary.Decode(body, binary.NativeEndian, &m); err != nil {
		panic(err) // the client sent a request of the wrong size
	}
	return m
}
