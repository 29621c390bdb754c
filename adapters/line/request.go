package line

// Request is one question to one device, and the only judge of what answers it.
// Its methods are called by one goroutine at a time.
type Request interface {
	// Encode appends the frame to be sent to dst. It is called once for each
	// attempt. last is the frame sent on this line before it, of whatever
	// protocol, nil if none: a request whose answer does not name it (Modbus
	// RTU) must give itself a shape that a stale answer to last cannot fit.
	Encode(dst, last []byte) ([]byte, error)
	// Split looks for the first frame in b: skip bytes of lead-in that may
	// stand before it, then n bytes of frame; n = 0 means that more bytes are
	// needed. An error means that b can never become a frame.
	Split(b []byte) (skip, n int, err error)
	// Open judges a whole frame, whose bytes are valid during the call only and
	// must not be changed.
	//
	// Answer without an error: it is the answer, and the request has kept what
	// it needs of it. Answer with an error: the device itself refuses; if the
	// error's class (see adapters.ClassOf) is Transient, the request is
	// repeated. Stale: an answer to an earlier request that names it; it is
	// dropped, the wait goes on, and the request has kept nothing of it. Any
	// other verdict with an error, or an error made by Refuse with whatever
	// verdict: no request explains the frame, nothing on the line can be
	// trusted.
	Open(frame []byte) (Verdict, error)
}

// Naming is a Request that may know its answer by more than its shape.
type Naming interface {
	// Named reports whether every answer names its request (the transaction id
	// of Modbus TCP, the SER of CJ/T 188). Then a request that got no answer
	// leaves no doubt behind, and needs neither hang-up nor quiet time.
	Named() bool
}

// Doubtful is a Request that cannot always give itself the shape that Encode
// asks for.
type Doubtful interface {
	// Doubtful reports, after Encode, whether a stale answer to the frame sent
	// before could be taken for this one's. Then it is sent only when a wire
	// has been silent for the quiet time.
	Doubtful() bool
}

// Verdict is what a request says of a frame.
type Verdict uint8

// The verdicts.
const (
	// Answer: the frame answers the request.
	Answer Verdict = iota
	// Stale: the frame answers an earlier request.
	Stale
	// Foreign: no request explains the frame; comes with an error.
	Foreign
)

func named(r Request) bool {
	n, ok := r.(Naming)
	return ok && n.Named()
}
