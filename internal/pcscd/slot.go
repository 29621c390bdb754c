package pcscd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// slot is one reader, at a port where its driver waits for a card to call.
type slot struct {
	addr string

	mu   sync.Mutex
	card *card // nil when the slot is empty
}

// card is what is in a slot.
type card struct {
	conn   net.Conn
	cancel context.CancelFunc
	done   chan error // what Serve returned
}

// insert lets the card answer the driver until the connection ends.
func (s *slot) insert(serve Serve) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.card != nil {
		return errors.New("insert a card: the slot is taken: remove the other first")
	}
	conn, err := net.Dial("tcp4", s.addr)
	if err != nil {
		return fmt.Errorf("insert a card: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.card = &card{conn: conn, cancel: cancel, done: make(chan error, 1)}
	go s.card.run(ctx, serve)
	return nil
}

// run is ended by remove, which closes the connection and waits for done.
func (c *card) run(ctx context.Context, serve Serve) {
	err := serve(ctx, quick(c.conn))
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || ctx.Err() != nil {
		err = nil
	}
	c.conn.Close() // remove may have done it before
	c.done <- err
}

func (s *slot) remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.card
	if c == nil {
		return nil
	}
	s.card = nil
	c.cancel()
	c.conn.Close() // the card itself may have done it before
	return <-c.done
}

// freePorts returns the first of two neighbouring ports that were free a moment
// ago.
func freePorts() (int, error) {
	const attempts = 50
	for range attempts {
		first, err := net.ListenTCP("tcp4", &net.TCPAddr{})
		if err != nil {
			return 0, err
		}
		addr := *first.Addr().(*net.TCPAddr)
		port := addr.Port
		addr.Port++
		second, err := net.ListenTCP("tcp4", &addr)
		first.Close()
		if err != nil {
			continue // its neighbour is taken
		}
		second.Close()
		return port, nil
	}
	return 0, fmt.Errorf("no two neighbouring ports are free, in %d attempts", attempts)
}
