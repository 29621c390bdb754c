package ingest

import (
	"sync"
	"time"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// source is one stream of one collector. Each has sessions, and a history, of its
// own [schemas/envelope.md 7].
type source struct {
	collector schemas.CollectorID
	stream    schemas.Stream
}

// deliveryKey names an envelope.
type deliveryKey struct {
	source
	context seal.Context
	seq     uint32
}

// delivery is one envelope between intake and receipt.
type delivery struct {
	key      deliveryKey
	area     schemas.AreaCode
	tag      [16]byte
	readings []schemas.Reading
	cards    []schemas.CardEntry
	events   []schemas.ComponentEvent
	accounts []schemas.SlotAccount
	// again is true for an envelope that was stored before and only wants its
	// receipt.
	again bool
	// repeated is true for one whose number was stored before, perhaps with other
	// content: it is stored again.
	repeated bool
	tries    int // calls of the courier's store that failed
	storedAt time.Time
	// rejected says why the store does not hold all of the readings, and never
	// will; code is the counter for that.
	rejected error
	code     seal.Code
	// kept is true when the letter of a rejected envelope is on disk, withheld
	// when there was no room to keep it for good: then it gets no receipt.
	kept, withheld bool
	message        mqttlink.Message
	held           int64 // bytes of Receiver.held
	// copies are redeliveries of the same envelope while it was pending.
	copies []mqttlink.Message
}

func (d *delivery) reject(code seal.Code, reason error) { d.code, d.rejected = code, reason }

// maxCopies bounds the redeliveries that are kept to be acknowledged with an
// envelope: while the store is down for a day, a broker may send one again
// every half minute. Older ones are let go; they come again once it is stored,
// and are duplicates then.
const maxCopies = 8

// join adds a redelivery, of which only the acknowledgement is wanted: its
// content is that of the first.
func (d *delivery) join(m mqttlink.Message) {
	m.Payload = nil
	if len(d.copies) == maxCopies {
		d.copies = append(d.copies[:0], d.copies[1:]...)
	}
	d.copies = append(d.copies, m)
}

// pendingSet holds the envelopes between intake and receipt, which the trackers
// do not know yet.
type pendingSet struct {
	book *replayBook

	mu         sync.Mutex
	deliveries map[deliveryKey]*delivery
	boots      map[bootKey]bootOnTheWay
}

type bootKey struct {
	source
	boot uint32
}

// bootOnTheWay is the session that uses a boot number.
type bootOnTheWay struct {
	random    [8]byte
	envelopes int
}

func newPendingSet(book *replayBook) *pendingSet {
	return &pendingSet{book: book, deliveries: make(map[deliveryKey]*delivery), boots: make(map[bootKey]bootOnTheWay)}
}

func (k deliveryKey) bootKey() bootKey { return bootKey{k.source, k.context.Boot} }

// admit says what d is to all that is stored or on its way. A new or repeated one becomes
// pending; a copy of a pending one joins it. Card entries and events that may be new
// count as new: they were left with their collector while those of later sessions were
// taken, and their stores take no fact twice.
func (p *pendingSet) admit(d *delivery) (v seal.Verdict, joined bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first, ok := p.deliveries[d.key]; ok {
		if first.tag != d.tag {
			return seal.NonceReuse, false
		}
		first.join(d.message)
		return seal.Duplicate, true
	}
	b, ok := p.boots[d.key.bootKey()]
	if ok && b.random != d.key.context.Random {
		return seal.BootConflict, false
	}
	switch v = p.book.check(d.key, d.tag); {
	case v == seal.New, v == seal.Repeated:
	case v == seal.Late && d.key.stream != schemas.Readings:
		v = seal.New
	default:
		return v, false
	}
	p.deliveries[d.key] = d
	p.boots[d.key.bootKey()] = bootOnTheWay{random: d.key.context.Random, envelopes: b.envelopes + 1}
	return v, false
}

// drop ends the time in which copies may join d and returns them.
func (p *pendingSet) drop(d *delivery) []mqttlink.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deliveries[d.key] != d {
		return nil
	}
	delete(p.deliveries, d.key)
	if b := p.boots[d.key.bootKey()]; b.envelopes > 1 {
		p.boots[d.key.bootKey()] = bootOnTheWay{random: b.random, envelopes: b.envelopes - 1}
	} else {
		delete(p.boots, d.key.bootKey())
	}
	return d.copies
}
