package lab

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// frameGap ends an unfinished request: no driver pauses that long inside one.
const frameGap = 50 * time.Millisecond

// receive takes bytes from a master. They are on the wire from now on.
func (b *Bus) receive(chunk []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Sub(b.rxAt) > frameGap {
		b.drop(len(b.rx))
	}
	if len(b.rx) == 0 {
		b.manners(now)
		b.stats.InUse += b.used(now)
		b.asked = now
	}
	b.rx, b.rxAt = append(b.rx, chunk...), now
	b.rxEnd = later(now, b.rxEnd).Add(b.c.Serial.Wire(len(chunk)))
	for {
		slave, skip, n := b.request()
		if n == 0 {
			break
		}
		lead := 0 // bytes FE that wake the meters
		for lead < skip && b.rx[skip-1-lead] == leadByte {
			lead++
		}
		b.drop(skip - lead)
		frame := slices.Clone(b.rx[lead : lead+n])
		b.rx = b.rx[lead+n:]
		b.answer(slave, frame, lead)
	}
	b.drop(len(b.rx) - maxChunk)
}

// drop forgets n bytes of no request.
func (b *Bus) drop(n int) {
	if n > 0 {
		b.stats.Garbage += uint64(n)
		b.rx = b.rx[n:]
	}
}

// manners notes a master that speaks out of turn.
func (b *Bus) manners(now time.Time) {
	switch {
	case len(b.queue) > 0 && b.queue[0].started || now.Before(b.free):
		b.stats.Overlaps++
	case now.Before(b.free.Add(b.c.Serial.Silence())):
		b.stats.Hasty++
	}
}

// leftAlone is how long after the end of an exchange nobody is waiting for it
// any more.
const leftAlone = 100 * time.Millisecond

// used returns how long the last exchange took, when the next begins now.
func (b *Bus) used(now time.Time) time.Duration {
	if b.asked.IsZero() {
		return 0
	}
	end := later(b.free, b.rxEnd).Add(b.c.Serial.Silence())
	if now.Sub(end) <= leftAlone {
		end = now
	}
	return end.Sub(b.asked)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// request finds the first whole request that any protocol knows.
func (b *Bus) request() (slave Slave, skip, n int) {
	for _, s := range b.c.Slaves {
		if at, size := s.Frame(b.rx); size > 0 && (n == 0 || at < skip) {
			slave, skip, n = s, at, size
		}
	}
	return slave, skip, n
}

// question is a request under way and what is known of its answer.
type question struct {
	slave    Slave
	frame    []byte
	protocol protocol
	answer   []byte
	lead     int       // bytes FE before the answer
	begin    time.Time // when the answer would begin
	chance   *rand.Rand
}

// answer queues what the line gives back for a request that before bytes of
// lead-in came with.
func (b *Bus) answer(slave Slave, frame []byte, before int) {
	b.stats.Requests++
	b.stats.BytesIn += uint64(before + len(frame))
	b.stats.Wire += b.c.Serial.Wire(before+len(frame)) + b.c.Serial.Silence()
	b.chance.Seed(b.c.Seed, b.stats.Requests)
	lead := leadIn(frame)
	p, known := protocolOf(frame[lead:])
	q := &question{slave: slave, frame: frame[lead:], protocol: p, chance: rand.New(b.chance)}
	turnaround := b.c.Turnaround
	if b.c.Jitter > 0 {
		turnaround += time.Duration(q.chance.Int64N(int64(b.c.Jitter)))
	}
	kind := b.c.Faults.draw(q.chance)
	q.begin = b.rxEnd.Add(turnaround)
	if q.answer = slave.Answer(nil, frame, b.c.Now()); len(q.answer) == 0 {
		b.stats.Silent++
		return
	}
	q.lead = leadIn(q.answer)
	if _, sound := protocolOf(q.answer[q.lead:]); !known || !sound {
		kind = NoFault // a protocol that the lab does not know
	} else if b.reboots(q, kind) {
		b.stats.Silent++
		return
	}
	b.stats.Answered++
	b.stats.Wire += turnaround
	b.stats.Faults[kind]++
	b.give(q, kind)
}

// reboots reports whether the meter asked is silent because it reboots, with
// this request or since an earlier one.
func (b *Bus) reboots(q *question, kind Fault) bool {
	name := string(q.protocol.address(q.frame))
	b.note(q.protocol, name)
	awake := !b.rxEnd.Before(b.asleep[name])
	if kind == Reboot && awake {
		b.stats.Faults[Reboot]++
		b.asleep[name] = b.rxEnd.Add(b.c.Faults.RebootFor)
	}
	return kind == Reboot || !awake
}

// wildcard stands for any two digits in an address of DL/T 645 and CJ/T 188.
const wildcard = 0xAA

// note remembers an address that answered, for WrongSlave.
func (b *Bus) note(p protocol, address string) {
	if p != rtu && strings.IndexByte(address, wildcard) >= 0 || slices.Contains(b.seen[p], address) {
		return
	}
	b.seen[p] = append(b.seen[p], address)
}

// give sends the answer with the fault that it has.
func (b *Bus) give(q *question, kind Fault) {
	switch kind {
	case Late:
		if q.chance.IntN(2) == 0 {
			b.held = later(b.held, q.begin.Add(b.c.Faults.LateBy))
		}
		q.begin = q.begin.Add(b.c.Faults.LateBy)
	case Slow:
		q.begin = q.begin.Add(b.c.Faults.SlowBy)
		b.stats.Wire += b.c.Faults.SlowBy
	case Split, Torn:
		b.cut(q, kind)
		return
	case Duplicate:
		q.answer = append(q.answer, q.answer...)
	case WrongChecksum:
		q.spoil()
	case WrongSlave:
		q.answer = b.neighbour(q)
	case Exception:
		q.answer = q.protocol.refusal(q.answer[:q.lead], q.frame)
	case Noise:
		if q.chance.IntN(2) == 0 {
			q.answer = append(q.noise(), q.answer...)
		} else {
			end := q.begin.Add(b.c.Serial.Wire(len(q.answer)) + 2*b.c.Serial.Silence())
			b.send(end, q.noise())
		}
	case Collision:
		q.collide()
	case Echo:
		b.send(b.rxEnd.Add(-b.c.Serial.Wire(len(q.frame))), slices.Clone(q.frame))
	}
	b.send(q.begin, q.answer)
}

// cut sends an answer in two pieces, or its beginning only.
func (b *Bus) cut(q *question, kind Fault) {
	at := 1 + q.chance.IntN(len(q.answer)-1)
	pause := splitPause
	if kind == Torn {
		pause = b.c.Faults.LateBy
	}
	b.send(q.begin, q.answer[:at])
	if kind == Split || q.chance.IntN(2) == 0 {
		b.send(q.begin.Add(b.c.Serial.Wire(at)+pause), q.answer[at:])
	}
}

// spoil changes one byte, so that the check shows it.
func (q *question) spoil() {
	first := q.lead + q.protocol.data()
	last := len(q.answer)
	if q.protocol != rtu {
		last-- // the end byte has no check
	}
	q.answer[first+q.chance.IntN(last-first)] ^= 1 << q.chance.IntN(8)
}

// neighbour returns the answer of another meter to the same request, under its
// own address. When there is no other, or it has no answer, the asked meter's
// own comes under an address that is not its own.
func (b *Bus) neighbour(q *question) []byte {
	own := string(q.protocol.address(q.frame))
	others := slices.DeleteFunc(slices.Clone(b.seen[q.protocol]), func(a string) bool { return a == own })
	if len(others) > 0 {
		asked := slices.Clone(q.frame)
		copy(q.protocol.address(asked), others[q.chance.IntN(len(others))])
		q.protocol.mend(asked)
		if answer := q.slave.Answer(nil, asked, b.c.Now()); len(answer) > 0 {
			return answer
		}
	}
	answer := slices.Clone(q.answer)
	frame := answer[q.lead:]
	address := q.protocol.address(frame)
	address[len(address)-1] ^= 1 // decimal digits stay decimal
	q.protocol.mend(frame)
	return answer
}

// noise returns a burst, half of it beginnings of frames.
func (q *question) noise() []byte {
	burst := make([]byte, 1+q.chance.IntN(12))
	heads := []byte{frameStart, leadByte, frameEnd, q.frame[0], q.frame[1]}
	for i := range burst {
		if burst[i] = byte(q.chance.Uint32()); q.chance.IntN(2) == 0 {
			burst[i] = heads[q.chance.IntN(len(heads))]
		}
	}
	return burst
}

// collide lays a second answer over the first, a little shifted; a driven line
// wins over an idle one.
func (q *question) collide() {
	shift := 1 + q.chance.IntN(3)
	second := slices.Concat(make([]byte, shift), q.answer)
	for i := range second {
		if second[i] = ^second[i]; i < len(q.answer) {
			second[i] &= q.answer[i]
		}
	}
	if _, valid := protocolOf(second[leadIn(second):]); valid {
		second[len(second)-1] ^= 0xFF
	}
	q.answer = second
}
