package listener

// The connections there may be, and how they end. Nobody can shut others out by holding connections: a client
// network has a quarter of them at most, and when all are taken the one that has been idle longest makes room.

import (
	"container/list"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"latchkey/internal/peer"
)

// connections is a listener that admits a bounded number of connections at a time.
type connections struct {
	net.Listener
	most    int
	shareOf func(client netip.Addr) netip.Prefix

	mu        sync.Mutex
	freed     sync.Cond // something was closed or became idle
	open      int
	byNetwork map[netip.Prefix]int
	idle      list.List // of *connection: the longest idle first
	closed    bool
	hurried   bool // the server closes everything now: nothing waits for a client any more
}

// connection is one of them. It keeps CloseWrite, which net/http uses so that a refusal reaches a client that is
// still sending.
type connection struct {
	*net.TCPConn
	of      *connections
	network netip.Prefix // the zero one: without a share

	idle     *list.Element // guarded by of.mu; nil: a request is under way
	released bool          // likewise: no longer counted
	lingered bool          // used by the connection's own goroutine alone
}

// A connection that ends after a request is read from for a while: closed at once with something unread, the
// kernel would send a reset, which takes the answer from a client that is still sending (RFC 9112 §9.6).
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 16 << 20
)

func limitConnections(l net.Listener, most int, shareOf func(netip.Addr) netip.Prefix) *connections {
	c := &connections{Listener: l, most: most, shareOf: shareOf, byNetwork: map[netip.Prefix]int{}}
	c.freed.L = &c.mu
	return c
}

// Accept returns the next connection that there is room for.
func (c *connections) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok {
			return conn, nil // there is no other listener than TCP's
		}
		client := tcp.RemoteAddr().(*net.TCPAddr).AddrPort().Addr() // a TCP connection's address is one
		admitted, err := c.admit(&connection{TCPConn: tcp, of: c, network: c.shareOf(client)})
		if admitted != nil || err != nil {
			return admitted, err
		}
	}
}

// Close also ends a waiting Accept.
func (c *connections) Close() error {
	c.mu.Lock()
	c.closed = true
	c.freed.Broadcast()
	c.mu.Unlock()
	return c.Listener.Close()
}

// shareOf is the network whose share a client's connections use up: an IPv4 /24 or an IPv6 /48, as one customer of
// a provider may have. This machine and trusted proxies have none: the zero one.
func shareOf(client netip.Addr, trusted peer.Proxies) netip.Prefix {
	if client.Unmap().IsLoopback() || trusted.Trust(client) {
		return netip.Prefix{}
	}
	return peer.NetworkPrefix(client)
}

// admit makes room for conn, or closes it where its network has its share and uses all of it. It waits while
// every connection is in use.
func (c *connections) admit(conn *connection) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn.network.IsValid() && c.byNetwork[conn.network] >= max(1, c.most/4) && !c.evict(conn.network) {
		_ = conn.TCPConn.Close()
		return nil, nil
	}
	for c.open >= c.most && !c.evict(netip.Prefix{}) {
		if c.closed {
			_ = conn.TCPConn.Close()
			return nil, net.ErrClosed
		}
		c.freed.Wait()
	}
	c.open++
	if conn.network.IsValid() {
		c.byNetwork[conn.network]++
	}
	conn.idle = c.idle.PushBack(conn)
	return conn, nil
}

// evict closes the connection that has been idle longest: of the network, or of all for the zero one. The
// caller holds mu.
func (c *connections) evict(network netip.Prefix) bool {
	for e := c.idle.Front(); e != nil; e = e.Next() {
		conn := e.Value.(*connection)
		if !network.IsValid() || conn.network == network {
			c.release(conn)
			_ = conn.TCPConn.Close() // its goroutine finds out when it reads
			return true
		}
	}
	return false
}

// release stops counting conn. The caller holds mu.
func (c *connections) release(conn *connection) {
	if conn.released {
		return
	}
	conn.released = true
	c.setIdle(conn, false)
	c.open--
	if c.byNetwork[conn.network]--; c.byNetwork[conn.network] <= 0 {
		delete(c.byNetwork, conn.network)
	}
	c.freed.Signal()
}

// setIdle notes whether conn waits for a request. The caller holds mu.
func (c *connections) setIdle(conn *connection, idle bool) {
	switch {
	case idle && conn.idle == nil && !conn.released:
		conn.idle = c.idle.PushBack(conn)
		c.freed.Signal()
	case !idle && conn.idle != nil:
		c.idle.Remove(conn.idle)
		conn.idle = nil
	}
}

// noteState is http.Server.ConnState.
func (c *connections) noteState(nc net.Conn, state http.ConnState) {
	if inTLS, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = inTLS.NetConn()
	}
	conn, ok := nc.(*connection)
	if !ok || state == http.StateNew {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setIdle(conn, state == http.StateIdle)
}

// hurry makes closing wait for nobody.
func (c *connections) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hurried = true
}

// CloseWrite ends our half, and waits for the client to end its own.
func (conn *connection) CloseWrite() error {
	err := conn.TCPConn.CloseWrite()
	conn.linger()
	return err
}

// Close ends the connection; after a request it does so as CloseWrite does.
func (conn *connection) Close() error {
	conn.of.mu.Lock()
	polite := conn.idle == nil && !conn.released && !conn.of.hurried
	conn.of.mu.Unlock()
	if polite && !conn.lingered && conn.TCPConn.CloseWrite() == nil {
		conn.linger()
	}
	conn.of.mu.Lock()
	conn.of.release(conn)
	conn.of.mu.Unlock()
	return conn.TCPConn.Close()
}

// linger reads what the client still sends and drops it, within bounds.
func (conn *connection) linger() {
	conn.lingered = true
	if conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, conn.TCPConn, lingerBytes) // trouble ends it, as it should
	}
}
