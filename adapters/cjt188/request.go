package cjt188

import (
	"bytes"

	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/line"
)

// order is the order of the two bytes of an identifier on the wire.
type order uint8

const (
	lowFirst  order = iota // edition of 2018, and many meters sold as 2004
	highFirst              // edition of 2004
)

// wire returns di as it is sent.
func (o order) wire(di uint16) [2]byte {
	if o == highFirst {
		return [2]byte{byte(di >> 8), byte(di)}
	}
	return [2]byte{byte(di), byte(di >> 8)}
}

// other returns the other order.
func (o order) other() order { return 1 - o }

// edition names the edition that prescribes the order.
func (o order) edition() int {
	if o == highFirst {
		return 2004
	}
	return 2018
}

// request asks one item of one meter; see line.Request.
type request struct {
	bus     *Bus
	typ     uint8
	address Address
	control uint8
	di      uint16
	order   order
	// length is how long the item's data must be.
	length int

	ser      byte // of the frame sent last
	strange  int  // answers with another sequence byte
	doubtful bool // see Doubtful

	// The answer.
	from     Address
	fromType uint8
	data     [profiles.MaxData]byte
}

// Encode appends the request with a sequence byte of its own.
func (r *request) Encode(dst, last []byte) ([]byte, error) {
	r.bus.sequence++
	r.ser = r.bus.sequence
	r.doubtful = r.bus.ignoreSequence && r.repeats(last)
	for range r.bus.leadIn {
		dst = append(dst, leadIn)
	}
	return r.frame(dst), nil
}

// repeats reports whether an answer to last, late, would be one to r but for its
// sequence byte.
func (r *request) repeats(last []byte) bool {
	f, err := Parse(last)
	return err == nil && f.Control == r.control && len(f.Data) == 3 && [2]byte(f.Data[:2]) == r.order.wire(r.di) &&
		(r.typ == wildcard || f.Type == wildcard || f.Type == r.typ) &&
		(r.address.matches(f.Address) || f.Address.matches(r.address))
}

// Doubtful reports, after Encode, whether a stale answer could be taken for this
// request's; see line.Doubtful.
func (r *request) Doubtful() bool { return r.doubtful }

func (r *request) frame(dst []byte) []byte {
	di := r.order.wire(r.di)
	data := [3]byte{di[0], di[1], r.ser}
	return Frame{Type: r.typ, Address: r.address, Control: r.control, Data: data[:]}.Append(dst)
}

// Split looks for the first frame in b.
func (r *request) Split(b []byte) (skip, n int, err error) { return split(b) }

// Named reports whether answers name their request.
func (r *request) Named() bool { return !r.bus.ignoreSequence }

// Open judges a frame; see line.Request.
func (r *request) Open(b []byte) (line.Verdict, error) {
	f, err := Parse(b)
	if err != nil {
		return line.Foreign, line.Refuse("%w", err)
	}
	if f.Control&fromMeter == 0 {
		var own [envelope + 3]byte
		if bytes.Equal(b, r.frame(own[:0])) {
			return line.Stale, nil // a transceiver that hears itself
		}
		return line.Foreign, line.Refuse("%s: another master is on the line", f)
	}
	ser, ok := f.sequence()
	if !ok {
		return line.Foreign, line.Refuse("%s: it has no sequence byte", f)
	}
	if ser != r.ser && !r.bus.ignoreSequence {
		r.strange++
		return line.Stale, nil
	}
	if r.typ != wildcard && f.Type != r.typ || !r.address.matches(f.Address) || f.Control&function != r.control {
		return line.Foreign, line.Refuse("%s: asked was %s, type %02X", f, r.address, r.typ)
	}
	if f.Control&failed != 0 {
		return line.Answer, &refusal{status: f.Data[len(f.Data)-2:]}
	}
	return r.take(f)
}

// take keeps the content of an answer of the right meter to the right request.
func (r *request) take(f Frame) (line.Verdict, error) {
	di := [2]byte(f.Data[:2])
	if di != r.order.wire(r.di) {
		if di == r.order.other().wire(r.di) {
			return line.Answer, &otherOrder{asked: r.order}
		}
		return line.Foreign, line.Refuse("%s: asked was item %04X", f, r.di)
	}
	content := f.Data[3:]
	if len(content) != r.length {
		return line.Answer, &misfit{di: r.di, got: len(content), want: r.length}
	}
	r.from, r.fromType = f.Address, f.Type
	copy(r.data[:], content)
	return line.Answer, nil
}
