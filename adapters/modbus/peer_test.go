package modbus

import (
	"bytes"
	"io"
	"log"
	"math"
	"net"
	"testing"
	"time"

	peer "github.com/simonvetter/modbus"

	"citygrid/adapters"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// TestVectors plays published exchanges; the checksums of the serial originals
// are left away, the PDU is the same on TCP [Modbus TCP 3.1.2].
func TestVectors(t *testing.T) {
	in := func(function uint8, p profiles.Part) profiles.Part { p.Function = function; return p }
	f32 := func(at uint16) profiles.Part { return part(at, profiles.F32, 2, abcd) }
	tests := []struct {
		name, request, answer string // unit and PDU
		profile               []profiles.Field
		want                  []string
	}{
		{"MB-01/02 Eastron V1, SDM320Y manual p.42", "01 04 0000 0002", "01 04 04 43663334",
			[]profiles.Field{{Quantity: "power.voltage.l1", Parts: []profiles.Part{in(4, f32(0))}}}, []string{"230.20001"}},
		{"MB-03/04 Eastron pulse width", "01 03 000C 0002", "01 03 04 42C80000",
			[]profiles.Field{field(f32(0x0C))}, []string{"100"}},
		{"MB-06/07 DTSU666 active power", "01 03 2012 0002", "01 03 04 45000000",
			[]profiles.Field{{Quantity: "power.active", Parts: []profiles.Part{scaled(f32(0x2012), 1, -1)}}}, []string{"204.8"}},
		{"MB-08 DTSU666 export", "01 03 1028 0002", "01 03 04 440D370A",
			[]profiles.Field{{Quantity: "power.energy.export", Parts: []profiles.Part{f32(0x1028)}}}, []string{"564.86"}},
		{"MB-09/10 electromagnetic water meter", "01 03 0000 0002", "01 03 04 0000C148",
			[]profiles.Field{{Quantity: "water.velocity", Parts: []profiles.Part{part(0, profiles.F32, 2, cdab)}}}, []string{"-12.5"}},
		{"MB-12 CT and PT ratio in one", "01 03 0006 0002", "01 03 04 0001 000A",
			[]profiles.Field{u16Field("power.active.l1", 3, 6), {Quantity: "power.active.l2",
				Parts: []profiles.Part{scaled(part(7, profiles.U16, 1, abcd), 1, -1)}}}, []string{"1", "1.0"}},
		{"MB-13 KBR", "01 04 0001 0006", "01 04 0C 436B5AB4 42DC6720 42480C63",
			[]profiles.Field{
				{Quantity: "power.voltage.l1", Parts: []profiles.Part{in(4, f32(1))}},
				{Quantity: "power.current.l1", Parts: []profiles.Part{in(4, f32(3))}},
				{Quantity: "power.frequency", Parts: []profiles.Part{in(4, f32(5))}},
			}, []string{"235.35431", "110.201416", "50.012096"}},
		{"Fuxin flow computer, BCD total", "01 03 0012 0003", "01 03 06 000012345678",
			[]profiles.Field{{Quantity: "gas.volume.standard", Parts: []profiles.Part{scaled(part(0x12, profiles.BCD, 3, abcd), 1, -4)}}},
			[]string{"1234.5678"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			asked := make(chan []byte, 1)
			addr := startSlave(t, func(_ int, request []byte, conn net.Conn) bool {
				asked <- bytes.Clone(request[6:])
				body := unhex(t, tc.answer)
				frame := append(append(bytes.Clone(request[:4]), 0, byte(len(body))), body...)
				_, err := conn.Write(frame)
				return err == nil
			})
			l := newTestLine(t, lineConfig{Address: addr, Timeout: time.Second})
			m := mustSource(t, l, 1, titled(&profiles.Profile{ID: "vector", MaxRegisters: 125, Fields: tc.profile}))
			readings, err := m.Read(t.Context())
			if err != nil || len(readings) != len(tc.want) {
				t.Fatalf("got %v, %v", readings, err)
			}
			if got := <-asked; !bytes.Equal(got, unhex(t, tc.request)) {
				t.Errorf("asked % X, want %s", got, tc.request)
			}
			for i, want := range tc.want {
				if r := readings[i]; r.Value.String() != want || r.Quality != schemas.Good {
					t.Errorf("%s is %s (%s), want %s", r.Quantity, r.Value, r.Quality, want)
				}
			}
		})
	}
}

// peerDevice answers as a meter through another author's server.
type peerDevice struct{}

func (peerDevice) HandleCoils(*peer.CoilsRequest) ([]bool, error) {
	return nil, peer.ErrIllegalFunction
}

func (peerDevice) HandleDiscreteInputs(*peer.DiscreteInputsRequest) ([]bool, error) {
	return nil, peer.ErrIllegalFunction
}

func (peerDevice) HandleHoldingRegisters(r *peer.HoldingRegistersRequest) ([]uint16, error) {
	return peerWords(r.UnitId, 3, r.Addr, r.Quantity)
}

func (peerDevice) HandleInputRegisters(r *peer.InputRegistersRequest) ([]uint16, error) {
	return peerWords(r.UnitId, 4, r.Addr, r.Quantity)
}

func peerWords(unit, function uint8, at, n uint16) ([]uint16, error) {
	if unit == 9 {
		return nil, peer.ErrServerDeviceFailure
	}
	if at+n > 0x2000 {
		return nil, peer.ErrIllegalDataAddress
	}
	out := make([]uint16, n)
	for i := range out {
		out[i] = register(unit, function, at+uint16(i))
	}
	return out, nil
}

// startPeer starts the server on a free port; its configuration takes an
// address only, so a port is borrowed from the system first.
func startPeer(t *testing.T) string {
	t.Helper()
	var last error
	for range 10 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		ln.Close()
		s, err := peer.NewServer(&peer.ServerConfiguration{
			URL: "tcp://" + addr, Timeout: time.Minute, MaxClients: 2, Logger: log.New(io.Discard, "", 0),
		}, peerDevice{})
		if err != nil {
			t.Fatal(err)
		}
		if last = s.Start(); last == nil {
			t.Cleanup(func() { s.Stop() })
			return addr
		}
	}
	t.Fatal(last)
	return ""
}

func TestPeerServer(t *testing.T) {
	l := newTestLine(t, lineConfig{Address: startPeer(t), Timeout: time.Second})
	p := oracleProfile()
	p.Fields = append(p.Fields, u16Field("power.active", 4, 0x1FFF), u16Field("power.frequency", 4, 0))
	for _, unit := range []uint8{1, 2, 255} {
		readAll(t, mustSource(t, l, unit, p), p)
	}
	_, err := mustSource(t, l, 9, p).Read(t.Context())
	if adapters.ClassOf(err) != adapters.Slow {
		t.Errorf("device failure: %v", err)
	}
	p.Fields = append(p.Fields, u16Field("power.factor", 4, 0x2000))
	m := mustSource(t, l, 1, p)
	readings, err := m.Read(t.Context())
	if len(readings) != 6 || adapters.ClassOf(err) != adapters.Config {
		t.Errorf("one register too many: %d readings, %v", len(readings), err)
	}
	if err := checkOracle(p, 1, readings); err != nil {
		t.Error(err)
	}

	f64 := titled(&profiles.Profile{ID: "wide", MaxRegisters: 125, Fields: []profiles.Field{field(part(100, profiles.F64, 4, dcba))}})
	readings, err = mustSource(t, l, 1, f64).Read(t.Context())
	if err != nil || len(readings) != 1 {
		t.Fatalf("got %v, %v", readings, err)
	}
	var bits uint64
	for i := range uint16(4) {
		w := register(1, 3, 103-i)
		bits = bits<<16 | uint64(w<<8|w>>8)
	}
	if got, want := readings[0], math.Float64frombits(bits); got.HasValue() && got.Value.Float64() != want {
		t.Errorf("got %s, want %g", got.Value, want)
	}
}
