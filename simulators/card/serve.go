package card

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// The control bytes of the vpcd protocol, messages of one byte [vsmartcard, virtual
// smart card reader: communication protocol].
const (
	vpcdOff   = 0x00
	vpcdOn    = 0x01
	vpcdReset = 0x02
	vpcdATR   = 0x04
)

// Serve is the card lying in the virtual reader at the other end of conn: it
// answers until the reader closes the connection (nil) or ctx ends, whose error it
// returns. It closes conn in any case, and that takes the card out of the reader.
// The card itself can be served again.
//
// Each message is a length of 2 bytes, big-endian, and that many bytes.
func Serve(ctx context.Context, conn net.Conn, c *Card) error {
	defer c.Reset()
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	r := bufio.NewReader(&prompt{conn})
	for {
		message, err := receive(r)
		if err == nil {
			err = c.serveOne(conn, message)
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case gone(err):
			return nil
		default:
			return fmt.Errorf("simulated card %s in the virtual reader: %w", c.id, err)
		}
	}
}

// gone reports whether the reader has closed its end. A reader that is killed, or
// that closes before it has read an answer, resets the connection.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// prompt acknowledges at once what it reads. vpcd writes length and body of a
// message apart, and without this each command waits some 50 ms for the kernel's
// delayed acknowledgement.
type prompt struct{ net.Conn }

// Read implements io.Reader.
func (p *prompt) Read(b []byte) (int, error) {
	quickAck(p.Conn)
	return p.Conn.Read(b)
}

// receive reads a message. io.EOF comes only between messages.
func receive(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(r, message); err != nil {
		return nil, fmt.Errorf("message cut off after its length of %d: %v", len(message), err)
	}
	return message, nil
}

// serveOne obeys a control byte or answers a command.
func (c *Card) serveOne(w io.Writer, message []byte) error {
	var answer []byte
	switch {
	case len(message) == 0:
		return nil
	case len(message) > 1:
		answer = c.Transmit(message)
	case message[0] == vpcdATR:
		answer = c.ATR()
	case message[0] == vpcdOff, message[0] == vpcdOn, message[0] == vpcdReset:
		c.Reset()
		return nil
	default:
		answer = c.Transmit(message)
	}
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(answer)))
	_, err := w.Write(append(framed, answer...))
	return err
}
