package modbus

import (
	gb "github.com/goburrow/modbus"

	"citygrid/adapters/line"
)

// An RTU frame: unit, function, data, CRC 2 [MODBUS over Serial Line 2.5.1].
const (
	// rtuRequest is the length of a read request: unit, function, address 2,
	// count 2, CRC 2.
	rtuRequest = 8
	// rtuException is the length of a refusal: unit, function, code, CRC 2.
	rtuException = 5
	// rtuOverhead is what an answer has beside its registers: unit, function,
	// byte count, CRC 2.
	rtuOverhead = 5
	// maxLeadIn is how many bytes of noise may stand before an answer: a bus
	// that changes its talker floats for a moment, which reads as 00 or FF.
	maxLeadIn = 2
)

// rtu is the framing of Modbus on a wire. An answer does not name its request;
// see padding.
type rtu struct {
	// packager frames and checks; its transporter, which takes a late answer
	// for the next one, stays unused.
	packager *gb.RTUClientHandler
}

func newRTU() *rtu { return &rtu{gb.NewRTUClientHandler("")} }

func (*rtu) named() bool { return false }

func (r *rtu) encode(dst []byte, unit uint8, pdu *gb.ProtocolDataUnit) ([]byte, error) {
	r.packager.SlaveId = unit
	frame, err := r.packager.Encode(pdu)
	if err != nil {
		return nil, err
	}
	return append(dst, frame...), nil
}

// split knows the length from the request, and refuses at the first byte that
// the answer cannot have.
func (r *rtu) split(q *query, b []byte) (skip, n int, err error) {
	skip = leadIn(q.unit, b)
	b = b[skip:]
	_, count := q.pad.apply(&q.block.Request)
	size := rtuOverhead + 2*int(count)
	switch {
	case len(b) > 0 && b[0] != q.unit:
		return 0, 0, line.Refuse("unit %d, asked %d", b[0], q.unit)
	case len(b) > 1 && b[1] == q.block.Function|0x80:
		size = rtuException
	case len(b) > 1 && b[1] != q.block.Function:
		return 0, 0, line.Refuse("function %d, asked for %d", b[1], q.block.Function)
	case len(b) > 2 && int(b[2]) != 2*int(count):
		return 0, 0, line.Refuse("%d bytes of registers announced, asked for %d", b[2], 2*count)
	}
	if len(b) < size {
		return 0, 0, nil
	}
	return skip, size, nil
}

// leadIn returns how many bytes at the start of b are no unit on a serial line,
// where units are 1 to 247 [MODBUS over Serial Line 2.2].
func leadIn(unit uint8, b []byte) int {
	n := 0
	for n < len(b) && n < maxLeadIn && b[n] != unit && (b[n] == 0 || b[n] == 0xFF) {
		n++
	}
	return n
}

func (r *rtu) open(request, frame []byte) (gb.ProtocolDataUnit, bool, error) {
	if err := r.packager.Verify(request, frame); err != nil {
		return gb.ProtocolDataUnit{}, false, &line.FrameError{Err: err}
	}
	pdu, err := r.packager.Decode(frame)
	if err != nil {
		return gb.ProtocolDataUnit{}, false, &line.FrameError{Err: err}
	}
	return *pdu, false, nil
}
