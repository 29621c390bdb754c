package line

import (
	"bytes"
	"time"

	"citygrid/adapters"
)

// Traced is a Request that names what it speaks. Only of such a request does an
// error tell what went over the line.
type Traced interface {
	// Protocol is one of schemas.Protocols.
	Protocol() string
}

// Concealing is a Traced request of a protocol whose frames may hold secrets.
type Concealing interface {
	// Conceal makes zeros of what nobody may see in bytes of the line, of either
	// direction: a converter may hear itself.
	Conceal(b []byte)
}

// Failure is an error of Turn.Ask with what went over the line in the last
// attempt: the request, and all that came until it was given up.
type Failure struct {
	exchange adapters.Exchange
	Err      error
}

// Error says what Err does.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Exchange returns what went over the line; see adapters.ExchangeOf.
func (f *Failure) Exchange() adapters.Exchange { return f.exchange }

// Cause is nothing in time, or a part.
func (e *NoAnswer) Cause() adapters.Cause {
	if e.Got > 0 {
		return adapters.CutShort
	}
	return adapters.NoAnswer
}

// Cause is that nobody was reached.
func (e *DialError) Cause() adapters.Cause { return adapters.Unreachable }

// Cause is an answer that is none.
func (e *FrameError) Cause() adapters.Cause { return adapters.BadAnswer }

// Cause is the device's own no.
func (e *DeviceError) Cause() adapters.Cause { return adapters.Refused }

// maxTrace is how many bytes of each direction are kept: more than any whole frame
// of Modbus RTU, and enough of the others to see what is wrong.
const maxTrace = 256

// trace is what went over the line in the exchange under way.
type trace struct {
	sent []byte // part of Line.frame or Line.last
	came [maxTrace]byte
	kept int // of came
	all  int // bytes that came
}

// begin forgets the exchange before.
func (t *trace) begin() { t.sent, t.kept, t.all = nil, 0, 0 }

// out notes the request that is out now. What came before it was not its answer;
// what is pending, the head of a late frame, will stand before its answer.
func (t *trace) out(frame, pending []byte) {
	t.kept, t.all = 0, 0
	t.sent = frame
	t.in(pending)
}

// in notes bytes that came.
func (t *trace) in(b []byte) {
	t.kept += copy(t.came[t.kept:], b)
	t.all += len(b)
}

// failure puts what went over the line to err, if anything did.
func (t *trace) failure(r Request, at time.Time, err error) error {
	traced, ok := r.(Traced)
	if !ok || len(t.sent)+t.kept == 0 {
		return err
	}
	sent := t.sent[:min(len(t.sent), maxTrace)]
	e := adapters.Exchange{
		At: at, Protocol: traced.Protocol(),
		Sent: bytes.Clone(sent), Received: bytes.Clone(t.came[:t.kept]),
		SentCut: len(t.sent) - len(sent), ReceivedCut: t.all - t.kept,
	}
	if c, ok := r.(Concealing); ok {
		c.Conceal(e.Sent)
		c.Conceal(e.Received)
	}
	return &Failure{exchange: e, Err: err}
}
