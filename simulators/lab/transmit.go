package lab

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// together is how far apart bytes may be due to be handed over at once, when
// the last of them is: nobody can tell on a fast line, and it spares the
// machine.
const together = time.Millisecond

// send queues bytes that start on the wire at a moment, or when it is free.
func (b *Bus) send(start time.Time, bytes []byte) {
	if len(bytes) == 0 {
		return
	}
	if start.Before(b.held) {
		start = b.held
	}
	first := 0
	if len(b.queue) > 0 && b.queue[0].started {
		first = 1
	}
	at, _ := slices.BinarySearchFunc(b.queue[first:], start, func(t transmission, s time.Time) int {
		if t.start.After(s) {
			return 1
		}
		return -1 // the one of equal time that was there before goes first
	})
	b.queue = slices.Insert(b.queue, first+at, transmission{start: start, bytes: bytes})
	b.stats.Wire += b.c.Serial.Wire(len(bytes))
	b.stats.BytesOut += uint64(len(bytes))
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// due returns the bytes that are to be handed over now, or how long to wait
// until there are some; ok is false when nothing is queued.
func (b *Bus) due(now time.Time) (bytes []byte, wait time.Duration, ok bool) {
	if len(b.queue) == 0 {
		return nil, 0, false
	}
	t := &b.queue[0]
	if !t.started {
		if wait := t.start.Sub(now); wait > 0 {
			return nil, wait, true
		}
		if t.start.Before(b.free) {
			t.start = b.free
		}
		t.started = true
		b.free = t.start.Add(b.c.Serial.Wire(len(t.bytes)))
	}
	// The byte that ends the piece: the last that is due soon after the first.
	end := t.sent + 1
	limit := b.c.Serial.Wire(end) + together
	for end < len(t.bytes) && b.c.Serial.Wire(end+1) <= limit {
		end++
	}
	if wait := t.start.Add(b.c.Serial.Wire(end)).Sub(now); wait > 0 {
		return nil, wait, true
	}
	bytes = t.bytes[t.sent:end]
	if t.sent = end; end == len(t.bytes) {
		b.queue = slices.Delete(b.queue, 0, 1)
	}
	return bytes, 0, true
}

// writeTimeout bounds a write to a master that does not read; what it misses is
// lost, as on a wire.
const writeTimeout = time.Second

// napTime is the longest wait that the system's own clock times. The runtime's
// timers are a millisecond coarse while it waits for descriptors, which is a
// character at 9600 Bd.
const napTime = 2 * time.Millisecond

// napping lets one line of the process at a time wait by the system's clock: that
// holds a processor.
var napping atomic.Bool

// transmit hands every byte to the masters when it is due, until ctx is done;
// to the tenth of a millisecond when fine.
func (b *Bus) transmit(ctx context.Context, fine bool) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		b.mu.Lock()
		bytes, wait, ok := b.due(time.Now())
		clients := b.clients
		b.mu.Unlock()
		for _, c := range clients {
			if len(bytes) == 0 {
				break
			}
			if d, ok := c.(interface{ SetWriteDeadline(time.Time) error }); ok {
				_ = d.SetWriteDeadline(time.Now().Add(writeTimeout))
			}
			_, _ = c.Write(bytes) // a broken connection shows at its reader
		}
		switch {
		case len(bytes) > 0:
			if ctx.Err() != nil {
				return
			}
			continue
		case ok && fine && b.c.Serial.Baud > 0 && wait <= napTime && napping.CompareAndSwap(false, true):
			nap(wait)
			napping.Store(false)
			continue
		case ok:
			timer.Reset(wait)
		default:
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-timer.C:
		}
	}
}
