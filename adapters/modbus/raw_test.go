package modbus

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// TestReadRaw gives the registers asked for on every kind of line, twice in a
// row, which on a wire needs another shape.
func TestReadRaw(t *testing.T) {
	lines := map[string]func(testing.TB) *testLine{
		"TCP": func(t testing.TB) *testLine {
			addr := startSlave(t, func(_ int, request []byte, conn net.Conn) bool {
				_, err := conn.Write(rightAnswer(request))
				return err == nil
			})
			return newTestLine(t, lineConfig{Address: addr, Timeout: time.Second})
		},
		"port":          func(t testing.TB) *testLine { return onSerial(t, lineConfig{Address: startPTY(t, rtuRight)}) },
		"serial server": func(t testing.TB) *testLine { return onSerial(t, lineConfig{Address: startRTUServer(t, rtuRight)}) },
	}
	for name, open := range lines {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			for range 2 {
				raw, at, err := l.ReadRaw(t.Context(), 7, Request{Function: 4, At: 0x100, Count: 3})
				if err != nil || len(raw) != 6 || time.Since(at) > time.Minute {
					t.Fatalf("% X at %s: %v", raw, at, err)
				}
				for i := range uint16(3) {
					want := register(7, 4, 0x100+i)
					if !bytes.Equal(raw[2*i:2*i+2], []byte{byte(want >> 8), byte(want)}) {
						t.Errorf("register %d: % X, want %04X", i, raw[2*i:2*i+2], want)
					}
				}
			}
			for _, r := range []Request{{Function: 6, Count: 1}, {Function: 3}, {Function: 3, Count: 126}, {Function: 3, At: 0xFFFF, Count: 2}} {
				if _, _, err := l.ReadRaw(t.Context(), 7, r); err == nil {
					t.Errorf("%+v accepted", r)
				}
			}
		})
	}
}

func TestExceptionOf(t *testing.T) {
	addr := startSlave(t, func(_ int, request []byte, conn net.Conn) bool {
		_, err := conn.Write(exceptionAnswer(request, 2))
		return err == nil
	})
	l := newTestLine(t, lineConfig{Address: addr, Timeout: time.Second})
	_, _, err := l.ReadRaw(t.Context(), 7, Request{Function: 3, Count: 1})
	if code, ok := ExceptionOf(err); code != 2 || !ok {
		t.Errorf("%d, %v of %v", code, ok, err)
	}
	if _, ok := ExceptionOf(net.ErrClosed); ok {
		t.Error("a closed connection is no exception")
	}
}
