package pcsc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"citygrid/adapters/cardslot"
)

// Card is a card in a reader, from WaitCard to Close, in one transaction: no
// other program can come between two commands. It is used by one goroutine at a
// time.
type Card struct {
	reader   *Reader
	conn     *conn
	context  uint32
	handle   int32
	protocol uint32
	atr      []byte
}

var _ cardslot.Card = (*Card)(nil)

// How long, and how often, to ask for a card that another program holds.
const (
	busyPatience = 5 * time.Second
	busyPause    = 50 * time.Millisecond
)

// closeTimeout bounds the good-byes of Close.
const closeTimeout = 2 * time.Second

// connect opens the card in the reader and begins the transaction.
func (r *Reader) connect(ctx context.Context, atr []byte) (_ *Card, err error) {
	conn, err := r.client.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &Card{reader: r, conn: conn, atr: bytes.Clone(atr)}
	defer func() {
		if err != nil {
			conn.close() // the daemon lets go of the card by itself
		}
	}()
	establish := contextMsg{}
	if err := conn.call(ctx, cmdEstablishContext, &establish, &establish); err != nil {
		return nil, err
	}
	if err := check(establish.Status); err != nil {
		return nil, err
	}
	c.context = establish.Context
	if err := r.patiently(ctx, c.open); err != nil {
		return nil, err
	}
	return c, r.patiently(ctx, c.begin)
}

// patiently tries until another program has let go of the card.
func (r *Reader) patiently(ctx context.Context, try func(context.Context) error) error {
	waited := time.Duration(0)
	for {
		err := try(ctx)
		if !errors.Is(err, ErrBusy) || waited >= r.client.patience {
			return err
		}
		if err := pause(ctx, busyPause); err != nil {
			return err
		}
		waited += busyPause
	}
}

// open connects to the card. It is shared with other programs until begin: an
// exclusive one would be refused where any of them just watches the reader.
func (c *Card) open(ctx context.Context) error {
	name, err := nameField(c.reader.name)
	if err != nil {
		return err
	}
	m := connectMsg{Context: c.context, Reader: name, Share: shareShared, Preferred: protocolAny}
	err = c.conn.call(ctx, cmdConnect, &m, &m)
	if errors.Is(err, ErrNotRunning) {
		// Before 2.3, polkit's no to a single reader is a closed connection.
		return fmt.Errorf("%w (it closed the connection when asked for the card)", ErrDenied)
	}
	if err != nil {
		return err
	}
	if err := check(m.Status); err != nil {
		return err
	}
	if m.ActiveProtocol != protocolT0 && m.ActiveProtocol != protocolT1 {
		return statusProtocol
	}
	c.handle, c.protocol = m.Card, m.ActiveProtocol
	return nil
}

func (c *Card) begin(ctx context.Context) error {
	m := beginMsg{Card: c.handle}
	if err := c.conn.call(ctx, cmdBeginTransaction, &m, &m); err != nil {
		return err
	}
	return check(m.Status)
}

// ATR returns the card's answer to reset.
func (c *Card) ATR() []byte { return bytes.Clone(c.atr) }

// Protocol returns the transmission protocol: "T=0" or "T=1" [ISO/IEC 7816-3].
func (c *Card) Protocol() string {
	if c.protocol == protocolT0 {
		return "T=0"
	}
	return "T=1"
}

// Transmit sends a command APDU and returns the answer as the card gave it. For
// a card of T=0 it leaves out the Le of a command that has data, which that
// protocol cannot carry [ISO/IEC 7816-3 12.2.4]; the card then answers 61xx. When
// ctx ends first, the connection is given up and so is the card: only Close is
// left.
func (c *Card) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	sent := apdu
	if c.protocol == protocolT0 {
		var err error
		if sent, err = tpdu(apdu); err != nil {
			return nil, fmt.Errorf("reader %q: %w", c.reader.name, err)
		}
	}
	answer, err := c.transmit(ctx, sent)
	if err == nil && len(answer) < 2 {
		err = fmt.Errorf("%w (%d bytes)", errNoStatusWord, len(answer))
	}
	if err != nil {
		return nil, fmt.Errorf("reader %q: send a command to the card: %w", c.reader.name, c.explain(ctx, err))
	}
	return answer, nil
}

func (c *Card) transmit(ctx context.Context, sent []byte) (answer []byte, err error) {
	m := transmitMsg{
		Card: c.handle, SendProtocol: c.protocol, SendPciSize: pciSize, SendLength: uint32(len(sent)),
		RecvProtocol: protocolAny, RecvPciSize: pciSize, RecvLength: maxAPDU,
	}
	err = c.conn.exchange(ctx, func() error {
		if err := c.conn.send(cmdTransmit, &m, sent); err != nil {
			return err
		}
		if err := c.conn.receive(&m); err != nil || m.Status != 0 {
			return err
		}
		if m.RecvLength > maxAPDU {
			return fmt.Errorf("pcscd announces an answer of %d bytes", m.RecvLength)
		}
		answer = make([]byte, m.RecvLength)
		_, err := io.ReadFull(c.conn, answer)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, check(m.Status)
}

// removalPatience is longer than the daemon takes to see that a card is gone: it
// looks every 0.4 s.
const removalPatience = 1500 * time.Millisecond

// errNoStatusWord is an answer that no card gives.
var errNoStatusWord = errors.New("an answer without a status word")

// explain finds out whether a command failed because the card was pulled out.
// The daemon says at first only that there was no answer, and with some drivers
// (vpcd) that all went well and the answer is empty.
func (c *Card) explain(ctx context.Context, err error) error {
	if !errors.Is(err, errNoStatusWord) && !errors.Is(err, statusNotTransacted) && !errors.Is(err, statusComm) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, removalPatience)
	defer cancel()
	if c.reader.WaitRemoval(ctx) != nil {
		return err
	}
	return fmt.Errorf("%w: %w", cardslot.ErrRemoved, err)
}

// Close ends the transaction and resets the card, so that no other program finds
// it unlocked. It is to be called once, also after the card was removed; an error
// means only that the daemon did not take its leave properly.
func (c *Card) Close() error {
	defer c.conn.close()
	if c.conn.broken {
		return nil // the daemon does the same when the connection ends
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	for _, cmd := range []command{cmdEndTransaction, cmdDisconnect} {
		m := disposeMsg{Card: c.handle, Disposition: leaveCard}
		if cmd == cmdDisconnect {
			m.Disposition = resetCard
		}
		if err := c.conn.call(ctx, cmd, &m, &m); err != nil {
			return fmt.Errorf("reader %q: let go of the card: %w", c.reader.name, err)
		}
		// Its status says at most that the card is gone.
	}
	m := releaseMsg{Context: c.context}
	if err := c.conn.call(ctx, cmdReleaseContext, &m, &m); err != nil {
		return fmt.Errorf("reader %q: let go of the card: %w", c.reader.name, err)
	}
	return nil
}
