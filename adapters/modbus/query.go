package modbus

import (
	"encoding/binary"

	gb "github.com/goburrow/modbus"

	"citygrid/adapters/line"
)

// framing is what Modbus TCP and RTU do differently: how a frame is made, where
// it ends, and how it is known whose answer it is.
type framing interface {
	// encode appends the frame of a new request to dst.
	encode(dst []byte, unit uint8, pdu *gb.ProtocolDataUnit) ([]byte, error)
	// split is line.Request.Split for the answer to q.
	split(q *query, b []byte) (skip, n int, err error)
	// open returns the contents of a frame that answers request, which is the
	// newest one encoded. stale means that it answers an earlier request; an
	// error that no request explains it.
	open(request, frame []byte) (pdu gb.ProtocolDataUnit, stale bool, err error)
	// named reports whether answers name their requests.
	named() bool
	// protocol is one of schemas.Protocols.
	protocol() string
}

// query is the read of one block, as the line asks for it.
type query struct {
	framing framing
	unit    uint8
	block   *block
	dst     []byte
	// pad widens what is asked of the device; see padding.
	pad      pad
	tried    pad        // the padded attempt before this one, which gave nothing
	declined [pads]bool // by the device, since begin
	doubtful bool
	frame    []byte // encoded last; valid until the next is
	shape    shape  // of frame
	answered bool   // frame was, by registers
	// history matters only where answers do not name their requests.
	history history

	pdu  gb.ProtocolDataUnit
	data [4]byte
}

var (
	_ line.Request  = (*query)(nil)
	_ line.Naming   = (*query)(nil)
	_ line.Doubtful = (*query)(nil)
)

func (q *query) begin(unit uint8, b *block, dst []byte) {
	q.unit, q.block, q.dst = unit, b, dst
	q.pad, q.tried, q.doubtful = noPad, noPad, false
	q.declined = [pads]bool{}
}

// Named reports whether answers name their requests.
func (q *query) Named() bool { return q.framing.named() }

// Doubtful reports a request whose answer the one to the frame before it fits.
func (q *query) Doubtful() bool { return q.doubtful }

// Encode appends the request in a shape that an answer to last does not fit, if
// there is one that the device is known not to refuse.
func (q *query) Encode(dst, last []byte) ([]byte, error) {
	if q.pad != noPad {
		q.tried = q.pad
	}
	if !q.answered {
		q.history.trouble = q.history.requests + troubleTime
	}
	q.answered = false
	q.pad, q.doubtful = q.choose(q.unit, q.block, shapeOf(last))
	at, count := q.pad.apply(&q.block.Request)
	q.pdu = gb.ProtocolDataUnit{FunctionCode: q.block.Function, Data: q.data[:]}
	binary.BigEndian.PutUint16(q.data[:], at)
	binary.BigEndian.PutUint16(q.data[2:], count)
	frame, err := q.framing.encode(dst, q.unit, &q.pdu)
	if err != nil {
		return nil, err
	}
	q.frame, q.shape = frame, shape{q.unit, q.block.Function, count}
	q.history.add(q.shape)
	return frame, nil
}

// Split finds the first frame in b.
func (q *query) Split(b []byte) (skip, n int, err error) { return q.framing.split(q, b) }

// Open keeps the registers of the answer; an *exception is the device's own
// error.
func (q *query) Open(frame []byte) (line.Verdict, error) {
	pdu, stale, err := q.framing.open(q.frame, frame)
	switch {
	case err != nil:
		return line.Foreign, err
	case stale:
		return line.Stale, nil
	}
	err = q.unpack(&pdu)
	q.answered = err == nil // a refusal has no shape, and may be to an earlier request
	return line.Answer, err
}

// unpack checks an answer against what was asked and copies its registers.
func (q *query) unpack(pdu *gb.ProtocolDataUnit) error {
	data, function := pdu.Data, q.block.Function
	_, count := q.pad.apply(&q.block.Request)
	want := 2 * int(count)
	switch {
	case pdu.FunctionCode == function|0x80:
		if len(data) != 1 {
			return line.Refuse("exception with %d bytes, want 1", len(data))
		}
		return &exception{function: function, code: data[0]}
	case pdu.FunctionCode != function:
		return line.Refuse("function %d, asked for %d", pdu.FunctionCode, function)
	case len(data) != 1+want || int(data[0]) != want:
		return line.Refuse("%d bytes of registers announced as %d, asked for %d", len(data)-1, data[0], want)
	}
	before, _ := q.pad.extra()
	copy(q.dst, data[1+2*before:])
	return nil
}
