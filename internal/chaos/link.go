package chaos

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is a TCP proxy that can be a bad network.
type link struct {
	listener net.Listener
	target   atomic.Pointer[string]
	// replied is called with each piece that the target's side sends.
	replied func()
	served  sync.WaitGroup

	mu     sync.Mutex
	state  weather
	away   int           // outages that go on: one that ends does not end another
	thaw   chan struct{} // closed when a frozen link thaws
	pairs  map[*pair]struct{}
	closed bool
}

// weather is what a link does to what passes.
type weather struct {
	frozen bool
	delay  time.Duration // before each piece
	piece  int           // how much passes at once; 0: as it comes
	cutIn  int64         // bytes until a reset; 0: none
}

// pair is one connection through a link.
type pair struct{ client, server *net.TCPConn }

// reset ends both sides at once, as a router does that forgot them.
func (p *pair) reset() {
	for _, c := range []*net.TCPConn{p.client, p.server} {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}

// newLink opens a link on the loopback interface.
func newLink(replied func()) (*link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &link{listener: l, replied: replied, pairs: make(map[*pair]struct{}), thaw: make(chan struct{})}
	k.served.Go(k.accept)
	return k, nil
}

// to says where the link leads, and returns its own address.
func (k *link) to(target string) string {
	k.target.Store(&target)
	return k.listener.Addr().String()
}

func (k *link) accept() {
	for {
		client, err := k.listener.Accept()
		if err != nil {
			return
		}
		k.served.Go(func() { k.connect(client.(*net.TCPConn)) })
	}
}

// connect carries one connection until either side ends it.
func (k *link) connect(client *net.TCPConn) {
	target := k.target.Load()
	if target == nil || k.isAway() {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	server, err := net.DialTimeout("tcp", *target, time.Second)
	if err != nil {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	p := &pair{client, server.(*net.TCPConn)}
	if !k.add(p) {
		p.reset()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { k.carry(p, p.server, p.client, nil) })
	both.Go(func() { k.carry(p, p.client, p.server, k.replied) })
	both.Wait()
	k.mu.Lock()
	delete(k.pairs, p)
	k.mu.Unlock()
	_ = p.client.Close()
	_ = p.server.Close()
}

func (k *link) add(p *pair) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.away > 0 {
		return false
	}
	k.pairs[p] = struct{}{}
	return true
}

// carry copies one direction, through the weather.
func (k *link) carry(p *pair, to, from *net.TCPConn, seen func()) {
	room := make([]byte, 32<<10)
	for {
		n, err := from.Read(room[:k.pieceOf(len(room))])
		if n > 0 {
			cut := k.pass(n)
			if cut >= 0 {
				_, _ = to.Write(room[:cut])
				p.reset()
				return
			}
			if _, werr := to.Write(room[:n]); werr != nil {
				p.reset()
				return
			}
			if seen != nil {
				seen()
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				_ = to.CloseWrite()
			} else {
				p.reset()
			}
			return
		}
	}
}

func (k *link) pieceOf(room int) int {
	if piece := k.now().piece; piece > 0 {
		return min(piece, room)
	}
	return room
}

// pass waits as long as n bytes have to, and returns how many of them pass before a
// reset; -1: all.
func (k *link) pass(n int) (cut int) {
	for {
		k.mu.Lock()
		state, thaw := k.state, k.thaw
		if !state.frozen || k.closed {
			defer k.mu.Unlock()
			return k.spend(n)
		}
		k.mu.Unlock()
		<-thaw
	}
}

// spend counts bytes towards a reset, and delays them; mu is held, and let go of for
// the delay.
func (k *link) spend(n int) int {
	if d := k.state.delay; d > 0 && !k.closed {
		k.mu.Unlock()
		time.Sleep(d)
		k.mu.Lock()
	}
	if k.state.cutIn == 0 {
		return -1
	}
	if k.state.cutIn > int64(n) {
		k.state.cutIn -= int64(n)
		return -1
	}
	cut := int(k.state.cutIn) - 1
	k.state.cutIn = 0
	return cut
}

func (k *link) now() weather {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

func (k *link) isAway() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.away > 0
}

// leave takes the link away until back is called: its connections are cut, and no other
// is accepted.
func (k *link) leave() (back func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.away++
	k.resetAll()
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.away--
	}
}

// set changes the weather.
func (k *link) set(w weather) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state.frozen && !w.frozen {
		close(k.thaw)
		k.thaw = make(chan struct{})
	}
	k.state = w
}

// cut resets every connection.
func (k *link) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.resetAll()
}

func (k *link) resetAll() {
	for p := range k.pairs {
		p.reset()
	}
}

// close ends the link and waits for all that it carries.
func (k *link) close() {
	k.mu.Lock()
	k.closed = true
	k.resetAll()
	close(k.thaw)
	k.thaw = make(chan struct{})
	k.mu.Unlock()
	_ = k.listener.Close()
	k.served.Wait()
}
