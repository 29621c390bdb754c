package schemas

import (
	"fmt"
	"slices"
	"time"
)

// Exchange is what went over a line when a request failed: evidence for people.
// No number is ever taken from it.
type Exchange struct {
	// At is when the request was given up, by the collector's clock.
	At       time.Time
	Protocol Protocol
	// Sent is the request, Received all that came while its answer was awaited,
	// whole frames or not; at most MaxFrameBytes each, and not both empty. Secrets
	// in a request are zeros.
	Sent, Received []byte
	// SentCut and ReceivedCut count the bytes that followed and were left out, at
	// most MaxFrameCut; 0 unless Sent or Received has MaxFrameBytes.
	SentCut, ReceivedCut uint16
}

// Protocol is what is spoken on a line.
type Protocol string

// The protocols.
const (
	ModbusTCP Protocol = "modbus_tcp"
	ModbusRTU Protocol = "modbus_rtu"
	DLT645    Protocol = "dlt645" // DL/T 645-2007
	CJT188    Protocol = "cjt188" // CJ/T 188-2004 and 2018
)

// FaultCause says in one word why a meter's read failed, for programs that tell
// people in their own language. MeterFault.Error has the details.
type FaultCause string

// The causes.
const (
	CauseNoAnswer    FaultCause = "no_answer"   // nothing came in time
	CauseCutShort    FaultCause = "cut_short"   // bytes came that are no whole frame
	CauseBadAnswer   FaultCause = "bad_answer"  // a frame came that does not answer the request, or fails its check
	CauseRefused     FaultCause = "refused"     // the meter understood and refused
	CauseUnreachable FaultCause = "unreachable" // the port or the gateway could not be opened
)

// Bounds of an Exchange.
const (
	// MaxFrameBytes bounds Sent and Received.
	MaxFrameBytes = 256
	// MaxFrameCut bounds SentCut and ReceivedCut: more is told as this much.
	MaxFrameCut = 65535
	// MaxExchanges is how many of a Status's failing meters carry an Exchange, so
	// that a message stays small: about 9 kB of them. The others have their turn in
	// the next messages, and a reader keeps what it was told of a meter while the
	// meter fails.
	MaxExchanges = 16
)

// The closed lists, in the order of the document.
var (
	protocolTable = []Protocol{ModbusTCP, ModbusRTU, DLT645, CJT188}
	causeTable    = []FaultCause{CauseNoAnswer, CauseCutShort, CauseBadAnswer, CauseRefused, CauseUnreachable}
)

// Protocols returns every protocol.
func Protocols() []Protocol { return slices.Clone(protocolTable) }

// FaultCauses returns every cause.
func FaultCauses() []FaultCause { return slices.Clone(causeTable) }

// Validate reports the first thing that keeps e from being sent or shown.
func (e *Exchange) Validate() error {
	if err := validTime("at", e.At); err != nil {
		return err
	}
	if err := oneOf("protocol", e.Protocol, protocolTable); err != nil {
		return err
	}
	if len(e.Sent)+len(e.Received) == 0 {
		return &FieldError{Field: "received", Problem: "nothing was sent and nothing received; leave the exchange out"}
	}
	if err := validFrame("sent", e.Sent, e.SentCut); err != nil {
		return err
	}
	return validFrame("received", e.Received, e.ReceivedCut)
}

func validFrame(field string, b []byte, cut uint16) error {
	switch {
	case len(b) > MaxFrameBytes:
		return &FieldError{Field: field, Problem: fmt.Sprintf("%d bytes, want at most %d", len(b), MaxFrameBytes)}
	case cut > 0 && len(b) < MaxFrameBytes:
		return &FieldError{Field: field + "_cut", Problem: fmt.Sprintf("%d bytes left out although only %d are there", cut, len(b))}
	}
	return nil
}

// validExchanges checks the bound that all failing meters share.
func (s *Status) validExchanges() error {
	n := 0
	for i := range s.Failing {
		if s.Failing[i].Exchange != nil {
			n++
		}
	}
	if n > MaxExchanges {
		return &FieldError{Field: "failing", Problem: fmt.Sprintf("%d exchanges, want at most %d in a message", n, MaxExchanges)}
	}
	return nil
}
