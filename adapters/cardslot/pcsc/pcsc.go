// Package pcsc reaches card readers through pcscd, the daemon of PC/SC Lite, by
// speaking the protocol of its socket: no C library, no cgo.
//
// The protocol is the one between libpcsclite and pcscd [pcsc-lite,
// src/winscard_msg.h and src/winscard_svc.c]; it is the daemon's own and has
// changed a few times. This package speaks 4.3 to 4.5, and newer daemons as far
// as they still take 4.4:
//
//	pcsc-lite        protocol  how
//	1.8.9 - 1.8.23   4.3       changes of readers are polled
//	1.8.24 - 2.2     4.4
//	2.3 - 2.4.0      4.5       takes no other
//	2.4.1 -          4.5, 4.6  takes 4.4
//
// Each wait and each card has a connection of its own. A wait that is called
// off just closes it, which takes the client off the daemon's list, and a daemon
// that was started again is found again.
package pcsc

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// DefaultSocket is where pcscd listens unless it was built otherwise.
const DefaultSocket = "/run/pcscd/pcscd.comm"

// Options say where pcscd is.
type Options struct {
	// Socket is the path of its socket. Empty means $PCSCLITE_CSOCK_NAME, as for
	// every other client, and DefaultSocket when that is empty too.
	Socket string
}

// Client knows a pcscd. It holds nothing open; its methods may be called from
// any goroutine.
type Client struct {
	socket   string
	patience time.Duration // with another program that holds the card
	answers  time.Duration // within which a daemon that is alive says its version
}

// Open returns a client of the daemon, after a look whether the two understand
// each other. Errors are ErrNotRunning, ErrSilent, ErrDenied and ErrVersion, and
// each says what to do.
func Open(ctx context.Context, o Options) (*Client, error) {
	c := &Client{
		socket:   cmp.Or(o.Socket, os.Getenv("PCSCLITE_CSOCK_NAME"), DefaultSocket),
		patience: busyPatience,
		answers:  answerPatience,
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	conn.close()
	return c, nil
}

// Readers returns the names of the readers that are plugged in, in the daemon's
// order. Where there is none the error is ErrNoReader.
func (c *Client) Readers(ctx context.Context) ([]string, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.close()
	states, err := conn.states(ctx)
	if err != nil {
		return nil, fmt.Errorf("list card readers: %w", err)
	}
	if len(states) == 0 {
		return nil, fmt.Errorf("list card readers: %w", ErrNoReader)
	}
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = s.name
	}
	return names, nil
}

// WaitReader waits until a reader is plugged in whose name contains part, and
// returns its whole name. An empty part takes the first of all.
func (c *Client) WaitReader(ctx context.Context, part string) (name string, err error) {
	err = c.await(ctx, func(states []readerState) (bool, error) {
		for _, s := range states {
			if strings.Contains(s.name, part) {
				name = s.name
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return "", fmt.Errorf("wait for a card reader: %w", err)
	}
	return name, nil
}

// Reader returns the reader with the name, which need not be plugged in yet.
func (c *Client) Reader(name string) *Reader { return &Reader{client: c, name: name} }

// await calls done with the readers' states, now and after each change, until it
// reports true or fails.
func (c *Client) await(ctx context.Context, done func([]readerState) (bool, error)) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.close()
	for {
		states, err := conn.watch(ctx)
		if err != nil {
			return err
		}
		if ok, err := done(states); ok || err != nil {
			return err
		}
		if err := conn.changed(ctx); err != nil {
			return err
		}
	}
}

// Reader is one card reader. Its methods may be called from any goroutine, but
// a reader has room for one card only: one goroutine should look after it.
type Reader struct {
	client *Client
	name   string

	mu     sync.Mutex
	events uint32 // the reader's event counter when WaitCard last saw a card
}

// Name returns the reader's name.
func (r *Reader) Name() string { return r.name }

// WaitCard waits until a card is in the reader and connects to it; a card that
// is in already, it takes at once. Errors: ErrNoReader when the reader is not
// plugged in, or no longer; ErrMute when the card does not answer; ErrBusy when
// another program does not let go of it; ErrDenied; ErrNotRunning when the daemon
// ended. Any other Status is a fault of this card: WaitRemoval waits for its end.
// The caller must Close the card.
func (r *Reader) WaitCard(ctx context.Context) (*Card, error) {
	for {
		state, err := r.waitPresent(ctx)
		if err != nil {
			return nil, fmt.Errorf("reader %q: wait for a card: %w", r.name, err)
		}
		r.mu.Lock()
		r.events = state.events
		r.mu.Unlock()
		if state.mute() {
			return nil, fmt.Errorf("reader %q: %w", r.name, ErrMute)
		}
		card, err := r.connect(ctx, state.atr)
		if err == nil {
			return card, nil
		}
		if !gone(err) {
			return nil, fmt.Errorf("reader %q: connect to the card: %w", r.name, err)
		}
		// Pulled out again already, or the whole reader: the next look tells, when
		// the daemon has had time to see it.
		if err := pause(ctx, busyPause); err != nil {
			return nil, fmt.Errorf("reader %q: wait for a card: %w", r.name, err)
		}
	}
}

// waitPresent waits for a card of which the daemon knows whether it answers.
func (r *Reader) waitPresent(ctx context.Context) (found readerState, err error) {
	err = r.client.await(ctx, func(states []readerState) (bool, error) {
		s, err := find(states, r.name)
		found = s
		return s.ready() || s.mute(), err
	})
	return found, err
}

// WaitRemoval waits until the card that WaitCard gave last is gone from the
// reader, even when another is in by now. A reader that is unplugged takes its
// card along: that is no error.
func (r *Reader) WaitRemoval(ctx context.Context) error {
	r.mu.Lock()
	events := r.events
	r.mu.Unlock()
	err := r.client.await(ctx, func(states []readerState) (bool, error) {
		s, err := find(states, r.name)
		return err != nil || !s.present() || s.events != events, nil
	})
	if err != nil {
		return fmt.Errorf("reader %q: wait for the card's removal: %w", r.name, err)
	}
	return nil
}

// find returns the state of the reader with the name.
func find(states []readerState, name string) (readerState, error) {
	for _, s := range states {
		if s.name == name {
			return s, nil
		}
	}
	return readerState{}, ErrNoReader
}
