package modbus

import (
	"encoding/binary"

	gb "github.com/goburrow/modbus"

	"citygrid/adapters/line"
)

// The MBAP header: transaction id 2, protocol id 2, length 2, unit 1
// [Modbus TCP 3.1.3]. The length counts what follows it: unit, function, data.
const (
	mbapHeader = 7
	// mbapRequest is the length of a read request.
	mbapRequest = mbapHeader + 5
	// maxFrame is a header and the largest PDU, 253 bytes [Modbus 4.1].
	maxFrame = mbapHeader + 253
	// The shortest answer is unit, function and one byte: an exception.
	minLength = 3
	maxLength = maxFrame - mbapHeader + 1
	// staleWindow is how far back an id still counts as one of ours; half the
	// ids, beyond which older and newer cannot be told apart.
	staleWindow = 1 << 15
)

// mbap is the framing of Modbus TCP. It lives as long as its Bus, so that ids
// go on counting across connections.
type mbap struct {
	// packager frames and checks; the connection half of it stays unused.
	packager *gb.TCPClientHandler
	// id is that of the newest request; earlier counts the requests before it.
	id      uint16
	earlier int
	anyID   bool
	// header is that of an answer whose id is not to be looked at.
	header [mbapHeader]byte
}

func newMBAP(id uint16, anyID bool) *mbap {
	return &mbap{packager: gb.NewTCPClientHandler(""), id: id, earlier: -1, anyID: anyID}
}

func (m *mbap) named() bool { return !m.anyID }

func (m *mbap) encode(dst []byte, unit uint8, pdu *gb.ProtocolDataUnit) ([]byte, error) {
	m.packager.SlaveId = unit
	frame, err := m.packager.Encode(pdu)
	if err != nil {
		return nil, err
	}
	m.id++
	m.earlier = min(m.earlier+1, staleWindow)
	binary.BigEndian.PutUint16(frame, m.id)
	return append(dst, frame...), nil
}

func (m *mbap) split(_ *query, b []byte) (skip, n int, err error) {
	if len(b) >= 4 {
		if id := binary.BigEndian.Uint16(b[2:]); id != 0 {
			return 0, 0, line.Refuse("protocol id %d, want 0", id)
		}
	}
	if len(b) < 6 {
		return 0, 0, nil
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length < minLength || length > maxLength {
		return 0, 0, line.Refuse("length %d, want %d to %d", length, minLength, maxLength)
	}
	if n := mbapHeader - 1 + length; len(b) >= n {
		return 0, n, nil
	}
	return 0, 0, nil
}

func (m *mbap) open(request, frame []byte) (gb.ProtocolDataUnit, bool, error) {
	answer := frame
	if m.anyID {
		copy(m.header[:], frame)
		copy(m.header[:2], request)
		answer = m.header[:]
	} else if age := int(m.id - binary.BigEndian.Uint16(frame)); age > 0 && age <= m.earlier {
		return gb.ProtocolDataUnit{}, true, nil
	}
	if err := m.packager.Verify(request, answer); err != nil {
		return gb.ProtocolDataUnit{}, false, &line.FrameError{Err: err}
	}
	pdu, err := m.packager.Decode(frame)
	if err != nil {
		return gb.ProtocolDataUnit{}, false, &line.FrameError{Err: err}
	}
	return *pdu, false, nil
}
