package dlt645

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/adaptertest"
	"citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

var _ adapters.Source = (*Meter)(nil)

// TestConformance runs the suite of all drivers, behind a serial server and on a
// port, and with an address of wildcards.
func TestConformance(t *testing.T) {
	for _, tt := range []struct {
		name, address string
		port          bool
	}{
		{"serial server", plate, false}, {"port", plate, true}, {"wildcard on a port", Anyone, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			quantities := [2]schemas.Quantity{"power.credit.money", "power.voltage.l1"}
			adaptertest.Run(t, adaptertest.Subject{
				Quantities: quantities,
				Patience:   6 * time.Second,
				Open: func(t *testing.T, d *adaptertest.Device) adapters.Source {
					b := openDouble(t, &double{device: d, quantities: quantities, held: map[net.Conn][]byte{}}, tt.port)
					return mustSource(t, b, tt.address, doubleProfile(quantities))
				},
			})
		})
	}
}

// double is a meter whose n-th quantity is the item n+1, FF for none.
type double struct {
	device     *adaptertest.Device
	quantities [2]schemas.Quantity
	mu         sync.Mutex
	held       map[net.Conn][]byte
}

func doubleProfile(quantities [2]schemas.Quantity) *profiles.Profile {
	p := &profiles.Profile{ID: "double", Maker: "A", Model: "B", Medium: schemas.Power, Document: "D", Edition: 2007}
	for i, q := range quantities {
		p.Fields = append(p.Fields, profiles.Field{Quantity: q, DI: uint32(i + 1), Bytes: 2, Format: profiles.BCD})
	}
	return p
}

func (d *double) handle(conn net.Conn, f Frame) []byte {
	act := d.device.Next()
	di := identifier(f.Data, 4)
	data := []byte{0xFF, 0xFF}
	if value, ok := d.device.Value(d.quantities[di-1]); ok {
		if _, err := fmt.Sscanf(fmt.Sprintf("%02d%02d", value%100, value/100), "%2x%2x", &data[0], &data[1]); err != nil {
			return nil
		}
	}
	a, _ := ParseAddress(plate)
	frame := encode(a, fromMeter|readData, append(appendDI(nil, di, 4), data...))
	d.mu.Lock()
	defer d.mu.Unlock()
	switch act {
	case adaptertest.Silence:
		return nil
	case adaptertest.Hold:
		d.held[conn] = append(d.held[conn], frame...)
		return nil
	}
	frame = append(d.held[conn], frame...)
	delete(d.held, conn)
	return frame
}

// openDouble puts the double behind a serial server, or on a port that stays
// open whatever the driver does.
func openDouble(t *testing.T, d *double, port bool) *Bus {
	c := line.Config{Serial: wire(), Timeout: 200 * time.Millisecond, QuietTime: 5 * time.Millisecond}
	if port {
		c.Address = "/dev/double"
		c.Open = func(string, line.Serial) (line.Port, error) {
			ours, theirs := net.Pipe()
			go talk(theirs, d.handle) // ends with ours
			return ours, nil
		}
	} else {
		c.Address = serve(t, d.handle)
	}
	l := line.New(c)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(l, Config{})
}
