package line

import (
	"io"
	"time"
)

// Port is an open serial port; a net.Conn is one too, for tests. Close and
// SetDeadline may be called while Read waits, and then end it: SetDeadline with
// os.ErrDeadlineExceeded when the deadline is past.
type Port interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
}
