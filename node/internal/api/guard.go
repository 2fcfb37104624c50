package api

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// guard is a listener that holds a bounded number of connections. When all
// places are taken, a new connection takes the place of the one that has kept
// the node waiting longest: with half a header, half a body, an answer it does
// not read, or nothing at all. So clients that hold connections open, by
// accident or on purpose, do not keep others out. A connection whose request
// is being answered is never closed this way.
type guard struct {
	net.Listener
	max     int
	secured bool // connections begin with a TLS handshake

	mu      sync.Mutex
	open    int        // connections that hold a place; guarded by mu
	waiting *list.List // of *conn, those that keep the node waiting, the longest first; guarded by mu

	evicted atomic.Uint64 // closed to make room
	refused atomic.Uint64 // closed at once: every place was at work
}

func newGuard(max int) *guard { return &guard{max: max, waiting: list.New()} }

// conn is a connection that holds a place.
type conn struct {
	net.Conn
	guard *guard
	place *list.Element // in waiting; nil while a request is being answered; guarded by guard.mu
	gone  bool          // gave its place back; guarded by guard.mu
}

// busyAnswer is for a connection that finds every place at work.
const busyAnswer = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// Accept waits for a connection and gives it a place.
func (g *guard) Accept() (net.Conn, error) {
	for {
		raw, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, guard: g}
		victim, ok := g.admit(c)
		if victim != nil {
			g.evicted.Add(1)
			victim.Conn.Close()
		}
		if ok {
			return c, nil
		}
		g.refused.Add(1)
		if !g.secured { // a client that waits for a handshake could not read it
			raw.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)) // fits an empty socket buffer
			raw.Write([]byte(busyAnswer))
		}
		raw.Close()
	}
}

// admit gives c a place, perhaps the victim's.
func (g *guard) admit(c *conn) (victim *conn, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open >= g.max {
		oldest := g.waiting.Front()
		if oldest == nil {
			return nil, false
		}
		victim = oldest.Value.(*conn)
		victim.leave()
	}
	g.open++
	c.place = g.waiting.PushBack(c)
	return victim, true
}

// leave gives the place back, once. The caller holds guard.mu.
func (c *conn) leave() {
	if c.gone {
		return
	}
	c.gone = true
	c.guard.open--
	if c.place != nil {
		c.guard.waiting.Remove(c.place)
		c.place = nil
	}
}

// Close closes the connection and frees its place.
func (c *conn) Close() error {
	c.guard.mu.Lock()
	c.leave()
	c.guard.mu.Unlock()
	return c.Conn.Close()
}

// begin says that the node is at work for this connection; end that the node
// waits for its client again.
func (c *conn) begin() {
	if c == nil {
		return
	}
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	if c.place != nil {
		c.guard.waiting.Remove(c.place)
		c.place = nil
	}
}

func (c *conn) end() {
	if c == nil {
		return
	}
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	if !c.gone && c.place == nil {
		c.place = c.guard.waiting.PushBack(c)
	}
}

func (g *guard) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	if held, ok := c.(*conn); ok {
		return context.WithValue(ctx, connKey{}, held)
	}
	return ctx
}

// connOf finds the request's connection; nil where there is none, as in tests.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// budget bounds the bytes that requests hold together.
type budget struct {
	used atomic.Int64
	max  int64
}

// take reserves n bytes; false where they are not free now.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.max {
		return true
	}
	b.used.Add(-n)
	return false
}

func (b *budget) give(n int64) { b.used.Add(-n) }
