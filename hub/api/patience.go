package api

import (
	"net/http"
	"time"
)

// patientPiece is how much of an answer a client has to take within streamPatience:
// 1.6 KB/s, what the slowest mobile network gives.
const patientPiece = 16 << 10

// patient writes an answer in pieces, each within streamPatience: a client that has
// stopped reading does not keep its place, which another one waits for, nor the memory
// of what it asked for.
type patient struct {
	http.ResponseWriter
	out *http.ResponseController
}

func patiently(w http.ResponseWriter) *patient {
	return &patient{ResponseWriter: w, out: http.NewResponseController(w)}
}

// begin gives the next piece its time; net/http takes the bound away after the request.
// It is the network's own clock, which a test's recorder does not have.
func (p *patient) begin() { _ = p.out.SetWriteDeadline(time.Now().Add(streamPatience)) }

// Write writes piece by piece.
func (p *patient) Write(data []byte) (written int, err error) {
	for {
		piece := data[written:min(len(data), written+patientPiece)]
		p.begin()
		n, err := p.ResponseWriter.Write(piece)
		written += n
		if err != nil || written == len(data) {
			return written, err
		}
	}
}

// Unwrap gives http.ResponseController what is below.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }
