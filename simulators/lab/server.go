package lab

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Server is a transparent serial server: what comes over TCP goes on the wire
// as it is, and back to everyone who is connected.
type Server struct {
	Listener net.Listener
	// Clients is how many may be connected at once; 0 means 1, as most
	// converters have it. The next waits, without an answer, until one leaves.
	Clients int
}

func (s Server) serve(ctx context.Context, b *Bus) error {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = s.Listener.Close() })
	defer stop()
	seats := make(chan struct{}, max(1, s.Clients))
	for {
		select {
		case seats <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := s.Listener.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		clients.Go(func() {
			b.attend(ctx, conn)
			<-seats
		})
	}
}
