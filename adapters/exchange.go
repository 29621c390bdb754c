package adapters

import (
	"errors"
	"time"

	"citygrid/schemas"
)

// Exchange is what went over a line when a request failed: evidence for people.
type Exchange struct {
	// At is when the request was given up.
	At time.Time
	// Protocol is one of schemas.Protocols.
	Protocol string
	// Sent is the request as far as it went out, Received all that came while its
	// answer was awaited. Secrets are zeros. Either may be empty.
	Sent, Received []byte
	// SentCut and ReceivedCut count bytes behind them that were not kept.
	SentCut, ReceivedCut int
}

// Cause is why a request failed, in a word: one of schemas.FaultCauses.
type Cause string

// The causes.
const (
	NoAnswer    = Cause(schemas.CauseNoAnswer)
	CutShort    = Cause(schemas.CauseCutShort)
	BadAnswer   = Cause(schemas.CauseBadAnswer)
	Refused     = Cause(schemas.CauseRefused)
	Unreachable = Cause(schemas.CauseUnreachable)
)

// ExchangeOf returns what the first error of the chain of err that knows tells by
// its method Exchange; ok is false when none does.
func ExchangeOf(err error) (e Exchange, ok bool) {
	var own interface{ Exchange() Exchange }
	if !errors.As(err, &own) {
		return Exchange{}, false
	}
	return own.Exchange(), true
}

// CauseOf returns what the first error of the chain of err that knows tells by its
// method Cause; empty when none does.
func CauseOf(err error) Cause {
	var own interface{ Cause() Cause }
	if !errors.As(err, &own) {
		return ""
	}
	return own.Cause()
}
