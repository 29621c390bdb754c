package dlt645

import (
	"context"
	"time"

	"citygrid/adapters/ask"
	"citygrid/adapters/line"
)

// maxFrames bounds an answer of several frames: 20 of them hold far more than
// any item has [2007 annex A].
const maxFrames = 20

// ask reads the data of one item, over as many frames as the meter needs, and
// returns them with the moment at which the last had arrived.
func (m *Meter) ask(ctx context.Context, t *line.Turn, di uint32) ([]byte, time.Time, error) {
	function := byte(readData)
	if m.profile.Edition == 1997 {
		function = readData1997
	}
	first, at, err := m.put(ctx, t, request{function: function, di: di})
	if err != nil || !first.more {
		return first.data, at, err
	}
	if function == readData1997 {
		return nil, time.Time{}, misfitf("the item is longer than one frame; DL/T 645-1997 does not number frames, so the rest could not be proved")
	}
	data := first.data
	for seq := 1; seq < maxFrames; seq++ {
		next, at, err := m.put(ctx, t, request{function: readNext, di: di, seq: byte(seq)})
		if err != nil {
			return nil, time.Time{}, err
		}
		data = append(data, next.data...)
		if !next.more {
			return data, at, nil
		}
	}
	return nil, time.Time{}, misfitf("the item is longer than %d frames", maxFrames)
}

// put asks one question and makes sure who answers.
func (m *Meter) put(ctx context.Context, t *line.Turn, r request) (answer, time.Time, error) {
	r.to = m.address
	q := question{request: r, wake: m.bus.wake}
	at, err := t.Ask(ctx, &q, max(m.retries(), 0))
	if err == nil || fromMeterItself(err) {
		if stranger := m.recognise(q.from); stranger != nil {
			return answer{}, time.Time{}, stranger
		}
	}
	if err != nil {
		return answer{}, time.Time{}, err
	}
	return q.answer, at, nil
}

// recognise makes sure that a wildcard address is always answered by the same
// meter: with two on the line, each answer may be of the other.
func (m *Meter) recognise(from Address) error {
	if !m.address.Wild() || m.known.Takes(from, m.bus.now()) {
		return nil
	}
	return misfitf("two meters on the line: %s answers, and before %s did; give the meter's own address (a meter that was exchanged is taken after %s)",
		from, m.known.Address, ask.ForgetAfter)
}
