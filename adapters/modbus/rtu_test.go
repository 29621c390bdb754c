package modbus

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gb "github.com/goburrow/modbus"

	"citygrid/adapters"
	"citygrid/adapters/adaptertest"
	"citygrid/adapters/line"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// TestRTUVectors holds the framing to published frames. MB-05 and the write of
// the synthetic ones show the CRC only, since nothing here writes.
func TestRTUVectors(t *testing.T) {
	tests := []struct{ name, request, answer, data string }{
		{"MB-01/02 Eastron SDM320Y manual p.42", "01 04 0000 0002 71CB", "01 04 04 43663334 1B38", "43663334"},
		{"MB-03/04 Eastron pulse width", "01 03 000C 0002 0408", "01 03 04 42C80000 6FB5", "42C80000"},
		{"MB-06/07 DTSU666 active power", "01 03 2012 0002 6FCE", "01 03 04 45000000 EF3F", "45000000"},
		{"MB-08 DTSU666 export", "01 03 1028 0002 40C3", "01 03 04 440D370A E937", "440D370A"},
		{"MB-09/10 electromagnetic water meter", "01 03 0000 0002 C40B", "01 03 04 0000C148 AB95", "0000C148"},
		{"MB-11 DTSU666-H poll", "0B 03 07D1 0001 D5ED", "", ""},
		{"MB-12 CT ratio", "01 03 0006 0001 640B", "01 03 02 0001 7984", "0001"},
		{"MB-12 PT ratio", "01 03 0007 0001 35CB", "01 03 02 000A 3843", "000A"},
		{"MB-13 KBR", "01 04 0001 0006 21C8", "01 04 0C 436B5AB4 42DC6720 42480C63 AF7C", "436B5AB442DC672042480C63"},
		{"synthetic, Xintai block", "01 03 0001 001C 15C3", "", ""},
		{"synthetic, iEM3000 import", "01 03 0C83 0004 B6B1", "", ""},
		{"MB-05 Eastron write", "01 10 0016 0002 04 3F800000 7F75", "", ""},
		{"synthetic, close the valve", "01 06 001C 0002 C9CD", "", ""},
	}
	r := newRTU()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			want := unhex(t, tc.request)
			pdu := gb.ProtocolDataUnit{FunctionCode: want[1], Data: want[2 : len(want)-2]}
			if got, err := r.encode(nil, want[0], &pdu); err != nil || !bytes.Equal(got, want) {
				t.Errorf("encoded % X, %v", got, err)
			}
			if tc.answer == "" {
				return
			}
			q := queryOf(r, want)
			answer, data := unhex(t, tc.answer), unhex(t, tc.data)
			for n := range answer {
				if _, size, err := q.Split(answer[:n]); size != 0 || err != nil {
					t.Errorf("%d bytes of it are %d, %v", n, size, err)
				}
			}
			if skip, size, err := q.Split(answer); skip != 0 || size != len(answer) || err != nil {
				t.Errorf("whole answer is %d+%d, %v", skip, size, err)
			}
			if v, err := q.Open(answer); v != line.Answer || err != nil || !bytes.Equal(q.dst, data) {
				t.Errorf("% X, %v, %v", q.dst, v, err)
			}
		})
	}
	q := queryOf(r, unhex(t, "01 03 0001 001C 15C3"))
	refusal := unhex(t, "01 83 02 C0F1")
	if _, size, err := q.Split(refusal); size != len(refusal) || err != nil {
		t.Errorf("exception 2 is %d bytes, %v", size, err)
	}
	if v, err := q.Open(refusal); v != line.Answer || adapters.ClassOf(err) != adapters.Config {
		t.Errorf("exception 2: %v, %v", v, err)
	}
}

// queryOf returns the query that sends request.
func queryOf(f framing, request []byte) *query {
	q := &query{framing: f, frame: request}
	at, count := binary.BigEndian.Uint16(request[2:]), binary.BigEndian.Uint16(request[4:])
	b := newBlock(spread(125, 0, nil, at), Request{Function: request[1], At: at, Count: count})
	q.begin(request[0], &b, make([]byte, 2*count))
	q.shape = shapeOf(request)
	return q
}

// TestSerialConformance runs the suite of all drivers on a pseudo-terminal and
// on a serial server.
func TestSerialConformance(t *testing.T) {
	for name, open := range serialKinds() {
		t.Run(name, func(t *testing.T) {
			quantities := [2]schemas.Quantity{"water.volume.forward", "water.flow"}
			adaptertest.Run(t, adaptertest.Subject{
				Quantities: quantities,
				Patience:   2 * time.Second,
				Open: func(t *testing.T, d *adaptertest.Device) adapters.Source {
					c := open(t, rtuDouble(d, quantities))
					c.Timeout = 60 * time.Millisecond
					p := &profiles.Profile{ID: "double", MaxRegisters: 125}
					for i, q := range quantities {
						f := u16Field(q, 3, uint16(100*i))
						f.Parts[0].Absent = []uint64{0xFFFF}
						p.Fields = append(p.Fields, f)
					}
					m, err := onSerial(t, c).Source(adaptertest.Meter, 1, titled(p))
					if err != nil {
						t.Fatal(err)
					}
					return m
				},
			})
		})
	}
}

// rtuDouble is a meter whose n-th quantity is register 100 × n, FFFF for none.
func rtuDouble(d *adaptertest.Device, quantities [2]schemas.Quantity) rtuHandler {
	var mu sync.Mutex
	var held []byte
	var holder io.Writer
	return func(_ int, request []byte, w io.Writer) bool {
		act := d.Next()
		frame := rtuAnswer(request, func(_, _ uint8, at uint16) uint16 {
			if at%100 != 0 {
				return 0xDEAD
			}
			if v, ok := d.Value(quantities[at/100]); ok {
				return uint16(v)
			}
			return 0xFFFF
		})
		mu.Lock()
		defer mu.Unlock()
		if holder != w {
			holder, held = w, nil
		}
		switch act {
		case adaptertest.Silence:
			return true
		case adaptertest.Hold:
			held = append(held, frame...)
			return true
		}
		frame = append(held, frame...)
		held = nil
		_, err := w.Write(frame)
		return err == nil
	}
}

// lateProfile is the three input registers of the test that Telegraf 1.39.3
// fails: each holds its own address.
func lateProfile() *profiles.Profile {
	return titled(&profiles.Profile{ID: "late", MaxRegisters: 125, MaxGap: 16, Fields: []profiles.Field{
		u16Field("power.voltage.l1", 4, 0), u16Field("power.voltage.l2", 4, 72), u16Field("power.voltage.l3", 4, 200),
	}})
}

// TestLateReplyRTU: timeout 1 s, one reply at 1.5 s, three fields of one shape.
// Telegraf, mbmd and goburrow's own transporter give every later value to the
// wrong field, without an error.
func TestLateReplyRTU(t *testing.T) {
	for _, quiet := range []time.Duration{0, -1, 100 * time.Millisecond} {
		for _, retries := range []int{-1, 1} {
			for late := range 7 {
				synctest.Test(t, func(t *testing.T) { lateReply(t, quiet, retries, late) })
			}
		}
	}
}

func lateReply(t *testing.T, quiet time.Duration, retries, late int) {
	var devices sync.WaitGroup
	own := func(_, _ uint8, at uint16) uint16 { return at }
	port := pipePort(&devices, func(conn io.ReadWriter) {
		serveRTU(t, conn, func(n int, request []byte, w io.Writer) bool {
			delay := 30 * time.Millisecond
			if n == late {
				delay = 1500 * time.Millisecond
			}
			time.Sleep(delay) // the bubble's clock
			_, err := w.Write(rtuAnswer(request, own))
			return err == nil
		})
	})
	l := openLine(lineConfig{
		Address: "/dev/bubble", Serial: fastSerial(), QuietTime: quiet, Retries: retries, Open: port, Monitor: noEqualShapes(t, time.Hour),
	})
	m := mustSource(t, l, 1, lateProfile())
	whole := 0
	for range 7 {
		readings, err := m.Read(t.Context())
		for _, r := range readings {
			want := map[schemas.Quantity]int64{"power.voltage.l1": 0, "power.voltage.l2": 72, "power.voltage.l3": 200}[r.Quantity]
			if r.Quality != schemas.Good || r.Value.Mantissa != want {
				t.Errorf("quiet %s, retries %d, reply %d late: %s is %s, want %d", quiet, retries, late, r.Quantity, r.Value, want)
			}
		}
		if whole++; err != nil {
			whole = 0
		}
	}
	if whole < 2 && quiet >= 0 {
		t.Errorf("quiet %s, retries %d, reply %d late: not well again after it", quiet, retries, late)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	devices.Wait()
}
