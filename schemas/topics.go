package schemas

import (
	"fmt"
	"strings"
)

// Stream is the last level of a topic: what kind of message travels on it.
type Stream string

// The streams of version 1.
const (
	Readings Stream = "readings" // up: sealed Batch
	Cards    Stream = "cards"    // up: sealed CardBatch
	Events   Stream = "events"   // up: sealed EventBatch
	Statuses Stream = "status"   // up: sealed Status
	Online   Stream = "online"   // up, retained: "1", or "0" as last will; not sealed
	Receipts Stream = "receipt"  // down: sealed Receipt
	Commands Stream = "command"  // down: sealed command
)

// UpStreams are what a collector may publish.
func UpStreams() []Stream { return []Stream{Readings, Cards, Events, Statuses, Online} }

// DownStreams are what a collector may subscribe to.
func DownStreams() []Stream { return []Stream{Receipts, Commands} }

// topicRoot carries the version of the contract.
const topicRoot = "citygrid/v1"

// Topic is the address of a message.
type Topic struct {
	Area      AreaCode
	Collector CollectorID
	Stream    Stream
}

// String returns citygrid/v1/{area}/{collector}/{stream}. An empty area or
// collector becomes the single-level wildcard "+", which makes a filter.
func (t Topic) String() string {
	area, collector := string(t.Area), string(t.Collector)
	if area == "" {
		area = "+"
	}
	if collector == "" {
		collector = "+"
	}
	return topicRoot + "/" + area + "/" + collector + "/" + string(t.Stream)
}

// ParseTopic reads what String writes for a concrete topic. Wildcards, unknown
// streams and ids outside the alphabet are errors that name the level.
func ParseTopic(s string) (Topic, error) {
	rest, ok := strings.CutPrefix(s, topicRoot+"/")
	if !ok {
		return Topic{}, fmt.Errorf("topic %q: does not start with %s/", s, topicRoot)
	}
	levels := strings.Split(rest, "/")
	if len(levels) != 3 {
		return Topic{}, fmt.Errorf("topic %q: want %s/{area}/{collector}/{stream}", s, topicRoot)
	}
	t := Topic{Area: AreaCode(levels[0]), Collector: CollectorID(levels[1]), Stream: Stream(levels[2])}
	if err := t.Area.Validate(); err != nil {
		return Topic{}, fmt.Errorf("topic %q: %w", s, err)
	}
	if err := t.Collector.Validate(); err != nil {
		return Topic{}, fmt.Errorf("topic %q: %w", s, err)
	}
	switch t.Stream {
	case Readings, Cards, Events, Statuses, Online, Receipts, Commands:
		return t, nil
	}
	return Topic{}, fmt.Errorf("topic %q: unknown stream %q", s, levels[2])
}
