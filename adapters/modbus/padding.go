package modbus

import "encoding/binary"

// An RTU answer, and that of a Modbus TCP gateway without ids, names its unit,
// its function and how many registers it holds, not which [Modbus 6.3]. So the
// answer to one request fits every other of the same shape, and a late one would
// be taken for it. Two requests in a row therefore never have one shape, nor has
// a request that of one which got no answer a while ago: it asks for a register
// more, which is dropped from the answer.

// shape is what an RTU answer can be told by.
type shape struct {
	unit, function uint8
	count          uint16
}

// shapeOf returns the shape of a frame sent; the zero shape, which no request
// has, for one that is not a read request.
func shapeOf(frame []byte) shape {
	switch len(frame) {
	case mbapRequest:
		frame = frame[mbapHeader-1:]
	case rtuRequest:
	default:
		return shape{}
	}
	return shape{frame[0], frame[1], binary.BigEndian.Uint16(frame[4:])}
}

// history is the shapes of the requests sent last.
type history struct {
	shapes   [8]shape
	requests int
	// trouble is the number of the request up to which stale answers are to be
	// expected, because one before it got none.
	trouble int
}

// troubleTime is for how many requests after one without an answer stale
// answers are expected: more than any device has under way.
const troubleTime = 16

// add notes a request sent.
func (h *history) add(s shape) {
	h.shapes[h.requests%len(h.shapes)] = s
	h.requests++
}

// ago returns how many requests ago s was sent, 1 for the last; more than are
// remembered if it was not.
func (h *history) ago(s shape) int {
	for n := 1; n <= min(h.requests, len(h.shapes)); n++ {
		if h.shapes[(h.requests-n)%len(h.shapes)] == s {
			return n
		}
	}
	return len(h.shapes) + 1
}

// pad is how a request is widened: an index of widths.
type pad uint8

const (
	noPad pad = iota
	padAfter
	padBefore
	padAfter2
	padAfter3
	pads
)

// extra is how many registers are asked for before and after the wanted ones.
func (p pad) extra() (before, after int) {
	switch p {
	case padAfter:
		return 0, 1
	case padBefore:
		return 1, 0
	case padAfter2:
		return 0, 2
	case padAfter3:
		return 0, 3
	}
	return 0, 0
}

// apply returns what is asked of the device.
func (p pad) apply(r *Request) (at, count uint16) {
	before, after := p.extra()
	return r.At - uint16(before), r.Count + uint16(before+after)
}

// padding remembers which widenings a device refuses for a block.
type padding struct {
	refused [pads]bool
	// silent counts the padded requests in a row that gave nothing where
	// another one, right after, gave the answer.
	silent [pads]uint8
	// works: a padded request was answered.
	works bool
}

// maxSilent is how many padded requests may give nothing before the device is
// taken to dislike them.
const maxSilent = 3

// allows reports whether the profile lets the block be widened so.
func (b *block) allows(way pad) bool {
	before, after := way.extra()
	first, last := int(b.At)-before, b.last()+after
	return way == noPad || first >= 0 && last <= 0xFFFF && last-first+1 <= b.profile.MaxRegisters &&
		!inHole(b.profile, b.Function, first, last)
}

// declines reports whether the device is known to refuse way, or a part of it.
func (q *query) declines(b *block, way pad) bool {
	no := func(way pad) bool { return b.padding.refused[way] || b == q.block && q.declined[way] }
	return no(way) || (way == padAfter2 || way == padAfter3) && no(padAfter)
}

// choose returns how to widen b after a request of the shape last: by the least
// that gives it another shape, or in trouble the one not used for the longest
// time. doubtful if there is no way, so that an answer to that would fit.
func (q *query) choose(unit uint8, b *block, last shape) (best pad, doubtful bool) {
	if q.framing.named() {
		return noPad, false
	}
	longest := 0
	for way := range pads {
		if !b.allows(way) || q.declines(b, way) {
			continue
		}
		_, count := way.apply(&b.Request)
		s := shape{unit, b.Function, count}
		ago := q.history.ago(s)
		if s == last {
			ago = 1
		}
		if ago > 1 && q.content(b, way) {
			return way, false
		}
		if ago > longest {
			best, longest = way, ago
		}
	}
	return best, longest <= 1
}

// content reports whether a way that differs from the last request will do:
// when no stale answers are expected, or when it is the bare request and may be
// the only one that the device answers.
func (q *query) content(b *block, way pad) bool {
	return q.history.requests >= q.history.trouble || way == noPad && q.tried != noPad && !b.padding.works
}

// clashes reports whether b, asked next, would be doubtful.
func (q *query) clashes(unit uint8, b *block) bool {
	_, doubtful := q.choose(unit, b, q.shape)
	return doubtful
}

// padRefused reports whether err is the refusal of a padded request by a device
// that may well take another. It is remembered if it does: one that refuses
// everything, for instance while it starts, has said nothing of the padding.
func (q *query) padRefused(err error) bool {
	if q.pad == noPad || !refusesSpan(err) {
		return false
	}
	q.declined[q.pad] = true
	return true
}

// settle learns from the outcome of a request whether the device answers padded
// requests at all.
func (q *query) settle(err error) {
	if err != nil {
		return
	}
	p := q.block.padding
	for way, no := range q.declined {
		p.refused[way] = p.refused[way] || no
	}
	p.silent[q.pad] = 0
	p.works = p.works || q.pad != noPad
	if q.declined[q.tried] || q.tried == noPad || q.tried == q.pad {
		return
	}
	if p.silent[q.tried]++; p.silent[q.tried] >= maxSilent {
		p.refused[q.tried] = true
	}
}
