package mqttlink

import (
	"math"
	"sync"
)

// Message is a received message.
type Message struct {
	Topic     string
	Payload   []byte
	Retained  bool // the broker had it stored before the subscription
	Duplicate bool // the broker may have sent it before
	ack       func()
}

// Ack tells the broker that the message is dealt with. Call it after the work
// is durable. A second call does nothing; nor does a call after the link was
// lost, and then the broker sends the message again on the next link.
func (m Message) Ack() {
	if m.ack != nil {
		m.ack()
	}
}

// inbox takes messages off the connection's reader without holding it up while
// it is below its limit: a reader that waits for the session cannot deliver the
// acknowledgement for which the session may be waiting.
type inbox struct {
	mu    sync.Mutex
	queue []Message
	bytes int
	limit int

	more chan struct{} // 1: the queue is not empty
	room chan struct{} // 1: the queue became shorter
}

// newInbox has no limit until limitTo: until the SUBACK is read the reader
// must not stop, however much a persistent session has waiting.
func newInbox() *inbox {
	return &inbox{limit: math.MaxInt, more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func (b *inbox) limitTo(bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = bytes
}

// put waits for room, or gives the message up when down is closed.
func (b *inbox) put(m Message, down <-chan struct{}) {
	for !b.tryPut(m) {
		select {
		case <-b.room:
		case <-down:
			return
		}
	}
	signal(b.more)
}

func (b *inbox) tryPut(m Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) > 0 && b.bytes+len(m.Payload) > b.limit {
		return false
	}
	b.queue = append(b.queue, m)
	b.bytes += len(m.Payload)
	return true
}

func (b *inbox) take() (Message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return Message{}, false
	}
	m := b.queue[0]
	b.queue[0] = Message{} // let the payload go
	b.queue = b.queue[1:]
	b.bytes -= len(m.Payload)
	signal(b.room)
	return m, true
}

// pump hands the messages to out in order and closes it when down is closed.
func (b *inbox) pump(out chan<- Message, down <-chan struct{}) {
	defer close(out)
	for {
		m, ok := b.take()
		if !ok {
			select {
			case <-b.more:
				continue
			case <-down:
				return
			}
		}
		select {
		case out <- m:
		case <-down:
			return
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
