package pcsc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The versions of the protocol.
const (
	major = 4
	// oldest is the first whose table of readers is as here.
	oldest = 3
	// usual is offered first: by far the most daemons take it, the newest ones
	// beside their own.
	usual = 4
	// newest adds one command, which nobody needs here.
	newest = 5
)

// conn is a connection to the daemon. It serves one goroutine at a time.
type conn struct {
	net.Conn
	minor  int32
	broken bool // an exchange was cut short: nothing more can be said
}

// answerPatience is long: a daemon that was started for us answers when it has
// looked for all its readers.
const answerPatience = 20 * time.Second

// dial connects and agrees on a version.
func (c *Client) dial(ctx context.Context) (*conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return nil, dialError(c.socket, err)
	}
	n := &conn{Conn: raw}
	ctx, cancel := context.WithTimeoutCause(ctx, c.answers, ErrSilent)
	defer cancel()
	if err := n.negotiate(ctx); err != nil {
		n.close()
		return nil, fmt.Errorf("talk to pcscd at %s: %w", c.socket, err)
	}
	return n, nil
}

// negotiate offers the usual version, and then the daemon's own when it insists.
func (n *conn) negotiate(ctx context.Context) error {
	offer := int32(usual)
	for range 2 {
		m := versionMsg{Major: major, Minor: offer}
		err := n.call(ctx, cmdVersion, &m, &m)
		if errors.Is(err, ErrNotRunning) {
			// polkit's no is a closed connection, before any answer.
			return fmt.Errorf("%w (it closed the connection before its first answer; a daemon that is just ending does so too)", ErrDenied)
		}
		if err != nil {
			return err
		}
		if m.Status == 0 {
			n.minor = offer
			return nil
		}
		if m.Major != major || m.Minor < oldest || m.Minor > newest || m.Minor == offer {
			return fmt.Errorf("%w (it speaks %d.%d)", ErrVersion, m.Major, m.Minor)
		}
		offer = m.Minor
	}
	return ErrVersion
}

func (n *conn) close() {
	n.Conn.Close() // the daemon cleans up after us; an error changes nothing
}

// call sends a request and waits for its answer, which has a fixed size.
func (n *conn) call(ctx context.Context, cmd command, request, answer any) error {
	return n.exchange(ctx, func() error {
		if err := n.send(cmd, request, nil); err != nil {
			return err
		}
		return n.receive(answer)
	})
}

// exchange does talk, which ends when ctx does. After an error the connection is
// good for nothing.
func (n *conn) exchange(ctx context.Context, talk func() error) error {
	if n.broken {
		return errors.New("the connection to pcscd was given up")
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		n.SetDeadline(time.Unix(1, 0)) // long past; it fails only on a closed connection
	})
	err := talk()
	if !stop() {
		<-ended
		n.SetDeadline(time.Time{})
	}
	n.broken = err != nil
	return ioError(ctx, err)
}

// send writes a request, and the APDU behind it when there is one.
func (n *conn) send(cmd command, request any, apdu []byte) error {
	size := 0
	if request != nil {
		size = binary.Size(request)
	}
	out, err := binary.Append(nil, binary.NativeEndian, header{Size: uint32(size), Command: cmd})
	if err != nil {
		return err
	}
	if request != nil {
		if out, err = binary.Append(out, binary.NativeEndian, request); err != nil {
			return err
		}
	}
	_, err = n.Write(append(out, apdu...))
	return err
}

// receive reads an answer of the size of v, a pointer.
func (n *conn) receive(v any) error { return binary.Read(n, binary.NativeEndian, v) }

// states asks for the table of readers.
func (n *conn) states(ctx context.Context) ([]readerState, error) {
	return n.table(ctx, cmdReadersState)
}

// watch asks for the table of readers and for word of the next change; the
// daemon does both in one step, so that no change is missed [4.4].
func (n *conn) watch(ctx context.Context) ([]readerState, error) {
	if n.minor < 4 {
		return n.table(ctx, cmdReadersState)
	}
	return n.table(ctx, cmdWaitChange)
}

// table sends cmd and reads the table that answers it.
func (n *conn) table(ctx context.Context, cmd command) ([]readerState, error) {
	table := make([]byte, tableSize)
	err := n.exchange(ctx, func() error {
		if err := n.send(cmd, nil, nil); err != nil {
			return err
		}
		_, err := io.ReadFull(n, table)
		return err
	})
	if err != nil {
		return nil, err
	}
	return decodeStates(table)
}

// pollEvery is the time between two looks at a daemon of 4.3. It looks at its
// readers every 0.4 s itself.
const pollEvery = 200 * time.Millisecond

// changed waits for the word that watch asked for.
func (n *conn) changed(ctx context.Context) error {
	if n.minor < 4 {
		return pause(ctx, pollEvery)
	}
	var m changeMsg
	if err := n.exchange(ctx, func() error { return n.receive(&m) }); err != nil {
		return err
	}
	return check(m.Status)
}

// pause waits for d, or less when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
