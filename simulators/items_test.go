package simulators

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
	"time"

	dlt645 "citygrid/adapters/dlt645/profiles"
	"citygrid/schemas"
)

// askDLT builds a request.
func askDLT(address string, control byte, data ...byte) []byte {
	wire, _ := hex.DecodeString(address)
	frame := []byte{0x68}
	for i := range wire {
		frame = append(frame, wire[len(wire)-1-i])
	}
	frame = append(frame, 0x68, control, byte(len(data)))
	for _, b := range data {
		frame = append(frame, b+0x33)
	}
	sum := byte(0)
	for _, b := range frame {
		sum += b
	}
	return append(frame, sum, 0x16)
}

// dltReply takes an answer apart the plain way.
type dltReply struct {
	address string
	control byte
	data    []byte
}

func parseDLT(t testing.TB, b []byte) dltReply {
	t.Helper()
	for len(b) > 0 && b[0] == 0xFE {
		b = b[1:]
	}
	if len(b) < 12 || b[0] != 0x68 || b[7] != 0x68 || len(b) != 12+int(b[9]) || b[len(b)-1] != 0x16 {
		t.Fatalf("no frame: % X", b)
	}
	sum := byte(0)
	for _, x := range b[:len(b)-2] {
		sum += x
	}
	if sum != b[len(b)-2] {
		t.Fatalf("checksum %02X in % X, want %02X", b[len(b)-2], b, sum)
	}
	r := dltReply{control: b[8]}
	for i := 6; i >= 1; i-- {
		r.address += hex.EncodeToString(b[i : i+1])
	}
	for _, x := range b[10 : len(b)-2] {
		r.data = append(r.data, x-0x33)
	}
	return r
}

// readItem reads an item of a meter, in as many frames as it comes; ok is false
// for a refusal.
func readItem(t testing.TB, s Slave, m *Meter, di uint32, at time.Time) (data []byte, frames int, ok bool) {
	t.Helper()
	read, next, size := byte(0x11), byte(0x12), 4
	if m.DLT645.Edition == 1997 {
		read, next, size = 1, 2, 2
	}
	id := []byte{byte(di), byte(di >> 8), byte(di >> 16), byte(di >> 24)}[:size]
	r := parseDLT(t, s.Answer(nil, askDLT(m.Address, read, id...), at))
	for {
		if r.control&0x40 != 0 {
			return nil, frames, false
		}
		if !bytes.Equal(r.data[:size], id) || r.address != m.Address {
			t.Fatalf("asked %X of %s, got % X of %s", id, m.Address, r.data, r.address)
		}
		body := r.data[size:]
		if frames > 0 && size == 4 {
			if int(body[len(body)-1]) != frames {
				t.Fatalf("frame %d has number %d", frames, body[len(body)-1])
			}
			body = body[:len(body)-1]
		}
		if data, frames = append(data, body...), frames+1; r.control&0x20 == 0 {
			return data, frames, true
		}
		question := append([]byte(nil), id...)
		if size == 4 {
			question = append(question, byte(frames))
		}
		// The meter goes on counting while it is read.
		r = parseDLT(t, s.Answer(nil, askDLT(m.Address, next, question...), at.Add(time.Duration(frames)*time.Minute)))
	}
}

// digitsOf decodes one number the long way: text, then a rational.
func digitsOf(b []byte, format string, shift int) (*big.Rat, schemas.Reason) {
	rev := make([]byte, len(b))
	for i := range b {
		rev[len(b)-1-i] = b[i]
	}
	text, sign := hex.EncodeToString(rev), ""
	switch format {
	case "bits":
		n := new(big.Int).SetBytes(rev)
		return new(big.Rat).SetInt(n), ""
	case "sbcd":
		if text[0] >= '8' && rev[0]&0x80 != 0 {
			rev[0] &= 0x7F
			text, sign = hex.EncodeToString(rev), "-"
		}
	}
	if strings.ContainsAny(text, "abcdef") {
		return nil, schemas.ReasonBadBCD
	}
	n, ok := new(big.Rat).SetString(sign + text)
	if !ok {
		panic(text)
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(shift, -shift))), nil)
	if shift < 0 {
		return n.Quo(n, new(big.Rat).SetInt(scale)), ""
	}
	return n.Mul(n, new(big.Rat).SetInt(scale)), ""
}

// decodeDLT decodes one field of an item.
func decodeDLT(f dlt645.Field, item []byte) (*big.Rat, schemas.Reason) {
	b := item[f.At : f.At+f.Bytes]
	for _, a := range f.Absent {
		n, _ := digitsOf(b, "bits", 0)
		if n.Num().Uint64() == a {
			return nil, schemas.ReasonSentinel
		}
	}
	if f.Format != dlt645.Bits && bytes.Count(b, []byte{0xFF}) == len(b) {
		return nil, schemas.ReasonSentinel
	}
	v, reason := digitsOf(b, string(f.Format), f.Shift)
	if f.States == nil || reason != "" {
		return v, reason
	}
	return stateOf(v, f.Mask, f.States)
}

func stateOf(v *big.Rat, mask uint16, states map[uint16]uint8) (*big.Rat, schemas.Reason) {
	word := uint16(v.Num().Uint64())
	if mask != 0 {
		word &= mask
	}
	code, ok := states[word]
	if !ok {
		return nil, schemas.ReasonUnknownState
	}
	return new(big.Rat).SetInt64(int64(code)), ""
}
