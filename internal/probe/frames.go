package probe

import (
	"fmt"

	"citygrid/adapters/cjt188"
	"citygrid/adapters/dlt645"
	"citygrid/adapters/modbus"
)

// seen is a frame on a line, of whichever protocol, in words.
type seen struct {
	protocol string
	text     string
	// request is whether a master sent it; answers whether it can be the answer
	// to a request seen before.
	request bool
	answers func(to *seen) bool

	modbus modbus.Sight
	dlt645 dlt645.Frame
	cjt188 cjt188.Frame
}

const (
	// leadIn may stand before the frames of DL/T 645 and CJ/T 188.
	leadIn     = 0xFE
	frameStart = 0x68
)

// find looks for the first whole frame in b: skip bytes before it, then n bytes
// of it; n = 0 when there is none (yet). sent is whether a master is known to
// have sent b; tcp whether the line speaks Modbus TCP.
func find(b []byte, tcp, sent bool) (s *seen, skip, n int) {
	for skip := range b {
		if s, n := see(b[skip:], tcp, sent); n > 0 {
			return s, skip, n
		}
	}
	return nil, 0, 0
}

// see reads the frame that b begins with.
func see(b []byte, tcp, sent bool) (*seen, int) {
	if tcp {
		m, n := modbus.SeeTCP(b, sent)
		return seenModbus("Modbus TCP", m), n
	}
	if s, n := see645(b); n > 0 {
		return s, n
	}
	if s, n := see188(b); n > 0 {
		return s, n
	}
	m, n := modbus.SeeRTU(b)
	return seenModbus("Modbus RTU", m), n
}

func seenModbus(protocol string, m modbus.Sight) *seen {
	s := &seen{protocol: protocol, text: m.String(), request: m.Request, modbus: m}
	s.answers = func(to *seen) bool { return to.protocol == protocol && m.Answers(to.modbus) }
	return s
}

// The lengths of the frames beside their data, and where the length stands.
const (
	dltEnvelope, dltLength = 12, 9
	cjtEnvelope, cjtLength = 13, 10
)

func see645(b []byte) (*seen, int) {
	if len(b) < dltEnvelope || b[0] != frameStart || len(b) < dltEnvelope+int(b[dltLength]) {
		return nil, 0
	}
	n := dltEnvelope + int(b[dltLength])
	f, err := dlt645.Parse(b[:n])
	if err != nil {
		return nil, 0
	}
	s := &seen{protocol: "DL/T 645", text: f.String(), request: !f.FromMeter(), dlt645: f}
	s.answers = func(to *seen) bool { return to.protocol == s.protocol && answers645(to.dlt645, f) }
	return s, n
}

func answers645(q, a dlt645.Frame) bool {
	if a.Function() != q.Function() || !q.Address.Wild() && a.Address != q.Address {
		return false
	}
	n := min(4, len(q.Data))
	return a.Refused() || len(a.Data) >= n && string(a.Data[:n]) == string(q.Data[:n])
}

func see188(b []byte) (*seen, int) {
	if len(b) < cjtEnvelope || b[0] != frameStart || len(b) < cjtEnvelope+int(b[cjtLength]) {
		return nil, 0
	}
	n := cjtEnvelope + int(b[cjtLength])
	f, err := cjt188.Parse(b[:n])
	if err != nil {
		return nil, 0
	}
	f.Data = append([]byte(nil), f.Data...)
	text := f.String()
	if len(f.Data) > 3 {
		text += fmt.Sprintf(": % X", f.Data[3:])
	}
	s := &seen{protocol: "CJ/T 188", text: text, request: f.Control&0x80 == 0, cjt188: f}
	s.answers = func(to *seen) bool { return to.protocol == s.protocol && answers188(to.cjt188, f) }
	return s, n
}

func answers188(q, a cjt188.Frame) bool {
	const functionBits, sequenceAt = 0x3F, 2
	if a.Control&functionBits != q.Control&functionBits || len(q.Data) <= sequenceAt {
		return false
	}
	for i, b := range q.Address {
		if b != 0xAA && b != a.Address[i] {
			return false
		}
	}
	at := sequenceAt
	if len(a.Data) == 3 && a.Control&0x40 != 0 {
		at = 0 // a refusal names no item
	}
	return len(a.Data) > at && a.Data[at] == q.Data[sequenceAt]
}

// whyNot says in words why bytes are no frame.
func whyNot(b []byte, tcp bool) string {
	rest := b
	for len(rest) > 0 && rest[0] == leadIn {
		rest = rest[1:]
	}
	switch {
	case len(rest) == 0:
		return "lead-in without a frame"
	case tcp:
		return "no Modbus TCP header, or less than a whole frame"
	case rest[0] == frameStart && len(rest) > 7 && rest[7] == frameStart:
		_, err := dlt645.Parse(rest)
		return fmt.Sprintf("begins like DL/T 645: %v", err)
	case rest[0] == frameStart:
		_, err := cjt188.Parse(rest)
		return fmt.Sprintf("begins like CJ/T 188: %v", err)
	case len(rest) < 4:
		return "too short for any frame: noise, or the rest of one"
	}
	return "no checksum fits: noise, a torn frame, or other settings of the wire"
}
