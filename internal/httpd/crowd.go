package httpd

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"

	"citygrid/internal/clientaddr"
)

// crowd is all open connections, and the requests under way on them.
type crowd struct {
	max, perAddress int
	exempt          func(netip.Addr) bool

	mu      sync.Mutex
	open    int
	from    map[netip.Addr]held
	waiting *list.List // of *member: those that wait for their client, the longest first
	evicted uint64
	refused uint64
}

// held is what one client has of the server.
type held struct{ connections, requests int }

func newCrowd(most, perAddress int, exempt func(netip.Addr) bool) *crowd {
	return &crowd{max: most, perAddress: perAddress, exempt: exempt, from: make(map[netip.Addr]held), waiting: list.New()}
}

func (c *crowd) counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Counts{Open: c.open, Evicted: c.evicted, Refused: c.refused}
}

// member is one connection.
type member struct {
	net.Conn
	crowd   *crowd
	client  netip.Addr
	counted bool // in from

	// Under the crowd's lock:
	place    *list.Element // in waiting; nil while requests are under way
	requests int
	gone     bool
}

// admitting is a listener that hands out those for whom there is room.
type admitting struct {
	net.Listener
	crowd *crowd
}

func (c *crowd) listen(l net.Listener) net.Listener { return admitting{l, c} }

// Accept implements net.Listener.
func (a admitting) Accept() (net.Conn, error) {
	for {
		conn, err := a.Listener.Accept()
		if err != nil {
			return nil, err
		}
		m, evicted := a.crowd.admit(conn)
		if evicted != nil {
			_ = evicted.Conn.Close() // its server sees the end and tidies up
		}
		if m != nil {
			return m, nil
		}
		_ = conn.Close()
	}
}

// admit returns the new member, or nil when there is no room, and the connection that
// has to make room, which is out of the crowd already.
func (c *crowd) admit(conn net.Conn) (m, evicted *member) {
	m = &member{Conn: conn, crowd: c}
	if p, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		address := p.Addr().Unmap().WithZone("")
		m.client, m.counted = clientaddr.Of(address), !c.exempt(address)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case m.counted && c.from[m.client].connections >= c.perAddress:
		evicted = c.longest(func(o *member) bool { return o.counted && o.client == m.client })
	case c.open >= c.max:
		evicted = c.longest(func(*member) bool { return true })
	default:
		c.add(m)
		return m, nil
	}
	if evicted == nil {
		c.refused++
		return nil, nil
	}
	c.remove(evicted)
	c.evicted++
	c.add(m)
	return m, evicted
}

// hold adds to what the client of m has. The caller holds mu.
func (c *crowd) hold(m *member, connections, requests int) {
	if !m.counted {
		return
	}
	h := c.from[m.client]
	h.connections += connections
	h.requests += requests
	if c.from[m.client] = h; h == (held{}) {
		delete(c.from, m.client)
	}
}

// longest returns the connection that has waited longest of those that fit; nil for none.
func (c *crowd) longest(fits func(*member) bool) *member {
	for e := c.waiting.Front(); e != nil; e = e.Next() {
		if o := e.Value.(*member); fits(o) {
			return o
		}
	}
	return nil
}

func (c *crowd) add(m *member) {
	c.open++
	c.hold(m, 1, 0)
	m.place = c.waiting.PushBack(m)
}

func (c *crowd) remove(m *member) {
	if m.gone {
		return
	}
	m.gone = true
	c.open--
	c.hold(m, -1, 0)
	if m.place != nil {
		c.waiting.Remove(m.place)
		m.place = nil
	}
}

// Close implements net.Conn.
func (m *member) Close() error {
	m.crowd.mu.Lock()
	m.crowd.remove(m)
	m.crowd.mu.Unlock()
	return m.Conn.Close()
}

type memberKey struct{}

// withMember lets a request find its connection.
func withMember(ctx context.Context, conn net.Conn) context.Context {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if m, ok := conn.(*member); ok {
		return context.WithValue(ctx, memberKey{}, m)
	}
	return ctx
}

// enter notes that a request is under way on its connection, until leave is called. It
// reports whether its client may have so many: if not, it is to be refused at once.
func enter(ctx context.Context) (leave func(), within bool) {
	m, ok := ctx.Value(memberKey{}).(*member)
	if !ok {
		return func() {}, true
	}
	c := m.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	m.requests++
	if m.place != nil {
		c.waiting.Remove(m.place)
		m.place = nil
	}
	c.hold(m, 0, 1)
	return m.leave, !m.counted || c.from[m.client].requests <= c.perAddress
}

// leave takes back enter. The connection may have gone before its last request.
func (m *member) leave() {
	m.crowd.mu.Lock()
	defer m.crowd.mu.Unlock()
	m.crowd.hold(m, 0, -1)
	if m.requests--; m.requests == 0 && !m.gone {
		m.place = m.crowd.waiting.PushBack(m)
	}
}
