package modbus

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"citygrid/adapters/line"
)

// crc16 is CRC-16/MODBUS computed bit by bit, apart from the packager's table
// [MODBUS over Serial Line 6.2.2].
func crc16(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, x := range b {
		crc ^= uint16(x)
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low != 0 {
				crc ^= 0xA001
			}
		}
	}
	return crc
}

// sealRTU appends the CRC.
func sealRTU(b []byte) []byte {
	return binary.LittleEndian.AppendUint16(b, crc16(b))
}

// rtuAnswer returns what answers an RTU read request; value gives a register.
func rtuAnswer(request []byte, value func(unit, function uint8, at uint16) uint16) []byte {
	at, count := binary.BigEndian.Uint16(request[2:]), binary.BigEndian.Uint16(request[4:])
	frame := []byte{request[0], request[1], byte(2 * count)}
	for i := range count {
		frame = binary.BigEndian.AppendUint16(frame, value(request[0], request[1], at+i))
	}
	return sealRTU(frame)
}

func rtuRefusal(request []byte, code byte) []byte {
	return sealRTU([]byte{request[0], request[1] | 0x80, code})
}

// rtuHandler answers the n-th request by writing to w what it likes; false ends
// the device.
type rtuHandler func(n int, request []byte, w io.Writer) bool

func rtuRight(_ int, request []byte, w io.Writer) bool {
	_, err := w.Write(rtuAnswer(request, register))
	return err == nil
}

// serveRTU reads requests from rw until that ends. A request with a wrong CRC
// fails the test: it is the master's.
func serveRTU(t testing.TB, rw io.ReadWriter, h rtuHandler) {
	for n := 0; ; n++ {
		request := make([]byte, rtuRequest)
		if _, err := io.ReadFull(rw, request); err != nil {
			return
		}
		if crc16(request[:6]) != binary.LittleEndian.Uint16(request[6:]) {
			t.Errorf("request % X has a wrong CRC", request)
			return
		}
		if !h(n, request, rw) {
			return
		}
	}
}

// startPTY returns the path of a serial port behind which h answers.
func startPTY(t testing.TB, h rtuHandler) string {
	t.Helper()
	return openPTY(t, func(master *os.File) { serveRTU(t, master, h) })
}

// openPTY returns the path of a serial port whose other end serve has.
func openPTY(t testing.TB, serve func(master *os.File)) string {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no pseudo-terminal: %v", err)
		}
		t.Skipf("no pseudo-terminal: %v", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { serve(master) })
	t.Cleanup(func() {
		slave.Close() // held so that the master does not see an unopened port
		master.Close()
		wg.Wait()
	})
	return slave.Name()
}

// startRTUServer returns the address of a serial server behind which h answers;
// one client at a time, and n counts over all.
func startRTUServer(t testing.TB, h rtuHandler) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
		total int
	)
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			serveRTU(t, conn, func(_ int, request []byte, w io.Writer) bool {
				total++
				return h(total-1, request, w)
			})
			conn.Close()
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return ln.Addr().String()
}

// fastSerial keeps the silences of tests short.
func fastSerial() *line.Serial {
	return &line.Serial{Baud: 115200, DataBits: 8, Parity: line.None, StopBits: 1}
}

// inbox is the device's end of a pipe that takes what is written to it at once,
// as a port's buffer does.
type inbox struct {
	net.Conn
	in *io.PipeReader
}

func (b *inbox) Read(p []byte) (int, error) { return b.in.Read(p) }

// pipePort returns an Open that leads to serve without a port.
func pipePort(wg *sync.WaitGroup, serve func(io.ReadWriter)) func(string, line.Serial) (line.Port, error) {
	return func(string, line.Serial) (line.Port, error) {
		ours, theirs := net.Pipe()
		queue := make(chan []byte, 1024)
		r, w := io.Pipe()
		wg.Go(func() { // takes at once
			defer close(queue)
			for {
				b := make([]byte, 64)
				n, err := theirs.Read(b)
				if err != nil {
					return
				}
				queue <- b[:n]
			}
		})
		wg.Go(func() {
			for b := range queue {
				w.Write(b)
			}
			w.Close()
		})
		wg.Go(func() {
			serve(&inbox{theirs, r})
			theirs.Close()
			io.Copy(io.Discard, r)
		})
		return ours, nil
	}
}

// noEqualShapes is a monitor that fails the test when two requests in a row
// could be answered by one frame, and the line was not silent for quiet between
// them.
func noEqualShapes(t testing.TB, quiet time.Duration) func(line.Event) {
	var last shape
	var at time.Time
	return func(e line.Event) {
		if e.What == line.Sent {
			s := shapeOf(e.Bytes)
			if s == last && e.At.Sub(at) < quiet {
				t.Errorf("two requests in a row have the shape %+v", s)
			}
			last = s
		}
		at = e.At
	}
}

// serialKinds are the two lines without ids: the test opens one with its device
// answering by h.
func serialKinds() map[string]func(t testing.TB, h rtuHandler) lineConfig {
	return map[string]func(t testing.TB, h rtuHandler) lineConfig{
		"port":          func(t testing.TB, h rtuHandler) lineConfig { return lineConfig{Address: startPTY(t, h)} },
		"serial server": func(t testing.TB, h rtuHandler) lineConfig { return lineConfig{Address: startRTUServer(t, h)} },
	}
}

// onSerial opens the line of a kind with timings for tests.
func onSerial(t testing.TB, c lineConfig) *testLine {
	t.Helper()
	c.Serial = fastSerial()
	if c.Timeout == 0 {
		c.Timeout = time.Second
	}
	if c.QuietTime == 0 {
		c.QuietTime = 5 * time.Millisecond
	}
	if c.Monitor == nil {
		c.Monitor = noEqualShapes(t, time.Hour)
	}
	return newTestLine(t, c)
}
