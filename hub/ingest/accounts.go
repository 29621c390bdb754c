package ingest

import (
	"time"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// Accounts is an Observer that keeps an account of each collector's envelopes, too.
// Like an Observer it must be quick.
type Accounts interface {
	// StoredFrom is Observer.Stored with the collector whose readings they are. It is
	// called in its place.
	StoredFrom(id schemas.CollectorID, readings []schemas.Reading, at time.Time)
	// Session tells in which session an envelope that opened was sealed: its boot
	// number and its random part.
	Session(id schemas.CollectorID, stream schemas.Stream, boot uint32, random [8]byte, at time.Time)
	// Refused tells of a message on the topic of a collector that is, or was, enrolled
	// here. It proves nothing about that collector: who has its account at the broker,
	// or a bridge, may have sent it.
	Refused(id schemas.CollectorID, code string, at time.Time)
}

// noteSession tells the accounts of an envelope that opened.
func (r *Receiver) noteSession(topic schemas.Topic, h seal.Header) {
	if r.accounts != nil {
		r.accounts.Session(topic.Collector, topic.Stream, h.Context.Boot, h.Context.Random, r.o.Now())
	}
}

// noteRefused tells the accounts of a message that is refused, if its topic names a
// collector that has a place in them.
func (r *Receiver) noteRefused(m mqttlink.Message, code seal.Code) {
	if r.accounts == nil {
		return
	}
	topic, err := schemas.ParseTopic(m.Topic)
	if err != nil {
		return
	}
	if _, generation, ok := r.o.Enrolled(topic.Collector); ok || generation != 0 {
		r.accounts.Refused(topic.Collector, string(code), r.o.Now())
	}
}
