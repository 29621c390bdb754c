package modbus

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/adaptertest"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// TestConformance runs the suite of all drivers, with and without ids.
func TestConformance(t *testing.T) {
	for name, noID := range map[string]bool{"with ids": false, "without ids": true} {
		t.Run(name, func(t *testing.T) {
			quantities := [2]schemas.Quantity{"water.volume.forward", "water.flow"}
			adaptertest.Run(t, adaptertest.Subject{
				Quantities: quantities,
				Patience:   2 * time.Second,
				Open: func(t *testing.T, d *adaptertest.Device) adapters.Source {
					return openDouble(t, d, quantities, noID)
				},
			})
		})
	}
}

// openDouble starts a meter whose n-th quantity is register 100 × n, FFFF for
// none, and a source that reads it.
func openDouble(t *testing.T, d *adaptertest.Device, quantities [2]schemas.Quantity, noID bool) adapters.Source {
	var mu sync.Mutex
	held := map[net.Conn][]byte{}
	addr := startSlave(t, func(_ int, request []byte, conn net.Conn) bool {
		act := d.Next()
		frame := rightAnswer(request)
		value, ok := d.Value(quantities[request[9]/100])
		if !ok {
			value = 0xFFFF
		}
		binary.BigEndian.PutUint16(frame[9:], uint16(value))
		if noID {
			frame[0], frame[1] = 0, 2
		}
		mu.Lock()
		defer mu.Unlock()
		switch act {
		case adaptertest.Silence:
			return true
		case adaptertest.Hold:
			held[conn] = append(held[conn], frame...)
			return true
		}
		frame = append(held[conn], frame...)
		delete(held, conn)
		_, err := conn.Write(frame)
		return err == nil
	})
	p := &profiles.Profile{ID: "double", MaxRegisters: 125}
	for i, q := range quantities {
		f := u16Field(q, 3, uint16(100*i))
		f.Parts[0].Absent = []uint64{0xFFFF}
		p.Fields = append(p.Fields, f)
	}
	l := newTestLine(t, lineConfig{Address: addr, Timeout: 50 * time.Millisecond, QuietTime: 5 * time.Millisecond, NoTransactionID: noID})
	m, err := l.Source(adaptertest.Meter, 1, titled(p))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
