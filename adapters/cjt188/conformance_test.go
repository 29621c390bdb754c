package cjt188

import (
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/adaptertest"
	"citygrid/adapters/cjt188/profiles"
	"citygrid/schemas"
)

// TestConformance runs the suite of all drivers, over a transparent serial
// server, for both orders of identifiers, for the order being found out, and for
// a meter whose sequence byte is not looked at.
func TestConformance(t *testing.T) {
	for name, tt := range map[string]struct {
		edition int
		ignore  bool
	}{
		"2018": {2018, false}, "2004": {2004, false}, "found out": {0, false}, "no sequence byte": {2018, true},
	} {
		t.Run(name, func(t *testing.T) {
			quantities := [2]schemas.Quantity{"water.volume.forward", "water.volume.reverse"}
			adaptertest.Run(t, adaptertest.Subject{
				Quantities: quantities, Patience: 2 * time.Second,
				Open: func(t *testing.T, d *adaptertest.Device) adapters.Source {
					return openSuite(t, d, quantities, tt.edition, Config{IgnoreSequence: tt.ignore})
				},
			})
		})
	}
}

// openSuite starts a meter whose n-th quantity is item 9010 + n, of one shape.
func openSuite(t *testing.T, d *adaptertest.Device, quantities [2]schemas.Quantity, edition int, c Config) adapters.Source {
	var mu sync.Mutex
	var held []byte
	addr := serve(t, func(request []byte) []byte {
		act := d.Next()
		n := min(request[11], request[12]) - 0x10
		digits := "FFFFFFFF"
		if value, ok := d.Value(quantities[n]); ok {
			digits = fmt.Sprintf("%08d", value)
		}
		frame := append([]byte{}, request[:14]...)
		frame[9], frame[10] = 0x81, 8
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Error(err)
		}
		frame = sealed(append(frame, b[3], b[2], b[1], b[0], 0x2C))
		mu.Lock()
		defer mu.Unlock()
		switch act {
		case adaptertest.Silence:
			return nil
		case adaptertest.Hold:
			held = append(held, frame...)
			return nil
		}
		frame = append(held, frame...)
		held = nil
		return frame
	})
	p := &profiles.Profile{
		ID: "double", Maker: "A", Model: "B", Document: "C", Medium: schemas.Water, Type: 0x10,
		Edition: edition, Lengths: map[uint16]int{0x9010: 5, 0x9011: 5},
	}
	for i, q := range quantities {
		p.Fields = append(p.Fields, profiles.Field{
			Quantity: q, DI: 0x9010 + uint16(i), Bytes: 4, Format: profiles.BCDUnit, Absent: []uint64{0xFFFFFFFF},
		})
	}
	m, err := New(testLine(t, addr), c).Source(adaptertest.Meter, "78330011223344", p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
