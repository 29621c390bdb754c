package modbus

import (
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters/line"
	"citygrid/adapters/modbus/profiles"
)

// spans records what is asked: address and count.
func spans(l *[]uint16) func(line.Event) {
	return func(e line.Event) {
		if e.What == line.Sent {
			*l = append(*l, binary.BigEndian.Uint16(e.Bytes[2:]), binary.BigEndian.Uint16(e.Bytes[4:]))
		}
	}
}

// TestPadding shows how requests of one shape are told apart. Each field is a
// request of its own.
func TestPadding(t *testing.T) {
	tests := []struct {
		name    string
		profile *profiles.Profile
		refuse  func(at, count uint16) bool
		want    []uint16 // address, count of two reads
		quiet   int      // requests that had to wait for the quiet time
	}{
		{"one request for ever", spread(125, 0, nil, 10), nil, []uint16{10, 1, 10, 2, 10, 1}, 0},
		{"two of one shape", spread(125, 0, nil, 10, 100), nil, []uint16{10, 1, 100, 2, 10, 1, 100, 2, 10, 1, 100, 2}, 0},
		{"a hole behind", spread(125, 0, []profiles.Span{{Function: 3, From: 11, To: 11}}, 10), nil, []uint16{10, 1, 9, 2, 10, 1}, 0},
		{"the first and the last address", spread(2, 0, nil, 0, 0xFFFF), nil, []uint16{0, 1, 0xFFFE, 2, 0, 1, 0xFFFE, 2, 0, 1, 0xFFFE, 2}, 0},
		{"the device has nothing behind", spread(125, 0, nil, 10), func(at, count uint16) bool { return at+count > 11 },
			[]uint16{10, 1, 10, 2, 10, 1, 9, 2}, 0},
		{"the device has one register", spread(125, 0, nil, 10), func(at, count uint16) bool { return count > 1 },
			[]uint16{10, 1, 10, 2, 10, 1, 9, 2, 10, 1}, 0},
		{"one register at once, two blocks", spread(1, 0, nil, 10, 20), nil, []uint16{10, 1, 20, 1, 10, 1, 20, 1, 10, 1, 20, 1}, 5},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const quiet = 300 * time.Millisecond
				var asked []uint16
				var devices sync.WaitGroup
				l := openLine(lineConfig{
					Address: "/dev/bubble", Serial: fastSerial(), QuietTime: quiet, Monitor: spans(&asked),
					Open: pipePort(&devices, func(conn io.ReadWriter) {
						serveRTU(t, conn, func(_ int, request []byte, w io.Writer) bool {
							frame := rtuAnswer(request, register)
							if tc.refuse != nil && tc.refuse(binary.BigEndian.Uint16(request[2:]), binary.BigEndian.Uint16(request[4:])) {
								frame = rtuRefusal(request, 2)
							}
							_, err := w.Write(frame)
							return err == nil
						})
					}),
				})
				m := mustSource(t, l, 1, titled(tc.profile))
				start := time.Now()
				for range 3 {
					readAll(t, m, tc.profile)
				}
				if got := asked[:min(len(asked), len(tc.want))]; !slices.Equal(got, tc.want) {
					t.Errorf("asked %v, want %v", asked, tc.want)
				}
				// The port was opened once, which costs one quiet time too.
				if got := int(time.Since(start)/quiet) - 1; got != tc.quiet {
					t.Errorf("waited for %d quiet times, want %d", got, tc.quiet)
				}
				l.Close()
				devices.Wait()
			})
		})
	}
}

// TestPaddingIgnored: a device that never answers a widened request is asked
// for no more of them after a while.
func TestPaddingIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []uint16
		var devices sync.WaitGroup
		l := openLine(lineConfig{
			Address: "/dev/bubble", Serial: fastSerial(), Timeout: 100 * time.Millisecond, Monitor: spans(&asked),
			Open: pipePort(&devices, func(conn io.ReadWriter) {
				serveRTU(t, conn, func(n int, request []byte, w io.Writer) bool {
					return request[5] > 1 || rtuRight(n, request, w)
				})
			}),
		})
		p := titled(spread(125, 0, nil, 10))
		m := mustSource(t, l, 1, p)
		for range 60 {
			readAll(t, m, p)
		}
		asked = asked[:0]
		timeouts := l.Stats().Timeouts
		for range 20 {
			readAll(t, m, p)
		}
		if l.Stats().Timeouts != timeouts {
			t.Errorf("still asks for what is never answered: %v", asked)
		}
		l.Close()
		devices.Wait()
	})
}

// TestArrange: of blocks that cannot be widened, one of another shape is asked
// between those of one.
func TestArrange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []uint16
		var devices sync.WaitGroup
		l := openLine(lineConfig{
			Address: "/dev/bubble", Serial: fastSerial(), Monitor: spans(&asked),
			Open: pipePort(&devices, func(conn io.ReadWriter) { serveRTU(t, conn, rtuRight) }),
		})
		holes := []profiles.Span{{Function: 3, From: 0, To: 9}, {Function: 3, From: 11, To: 19}, {Function: 3, From: 21, To: 29}, {Function: 3, From: 32, To: 40}}
		p := spread(125, 0, holes, 10, 20, 30, 31)
		m := mustSource(t, l, 1, titled(p))
		readAll(t, m, p)
		if want := []uint16{10, 1, 30, 2, 20, 1}; !slices.Equal(asked, want) {
			t.Errorf("asked %v, want %v", asked, want)
		}
		l.Close()
		devices.Wait()
	})
}
