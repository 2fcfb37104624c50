package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serve runs a server on loopback until the test ends.
func serve(t *testing.T, b Backend, c Config) (s *Server, address string) {
	t.Helper()
	s = newServer(t, b, c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.Shutdown(ctx) // hostile connections may outlast it
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s, l.Addr().String()
}

// open makes a connection and writes text on it.
func open(t *testing.T, address, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	io.WriteString(c, text) // it may have been closed to make room for others
	return c
}

// Connections with half a header, half a body or an unread answer take all
// places, several times over. Others are served as if they were not there.
func TestSlowConnectionsMakeRoom(t *testing.T) {
	const places = 100
	s, address := serve(t, newStub(t), Config{MaxConnections: places})
	hostile := []string{
		"GET /v1/head HTT",
		"",
		"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ",
		"POST /v1/transactions HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhalf a body",
	}
	for i := range 5 * places {
		open(t, address, hostile[i%len(hostile)])
	}
	for range 5 { // an answer that does not fit the socket's buffers, unread
		open(t, address, "GET "+streamPath+"/entries?from=1000&count=10000 HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	for range 20 {
		response, err := fresh.Get("http://" + address + "/healthz")
		if err != nil {
			t.Fatalf("health: %v", err)
		}
		response.Body.Close()
		response, err = fresh.Post("http://"+address+"/v1/transactions", "application/octet-stream", strings.NewReader(string(make([]byte, 100_000))))
		if err != nil || response.StatusCode != http.StatusAccepted {
			t.Fatalf("submit: %v %v", response, err)
		}
		response.Body.Close()
	}
	if held := s.guard.count(); held > places {
		t.Errorf("%d connections are open, %d are allowed", held, places)
	}
	if s.guard.evicted.Load() < 3*places {
		t.Errorf("%d connections made room", s.guard.evicted.Load())
	}
}

// A connection whose request is being answered keeps its place; when all do,
// a new one is told to come back.
func TestWorkingConnectionsKeepTheirPlace(t *testing.T) {
	b := newStub(t)
	b.hold = make(chan struct{})
	s, address := serve(t, b, Config{MaxConnections: 2})
	request := fmt.Sprintf("POST /v1/transactions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(tx), tx)
	working := []net.Conn{open(t, address, request), open(t, address, request)}
	for s.guard.places() != 0 {
		time.Sleep(time.Millisecond)
	}
	third := open(t, address, "")
	third.SetReadDeadline(time.Now().Add(2 * time.Second))
	text, _ := io.ReadAll(third)
	if !strings.HasPrefix(string(text), "HTTP/1.1 503 ") || !strings.Contains(string(text), "Retry-After: 1") {
		t.Errorf("a connection too many got %q", text)
	}
	close(b.hold)
	for _, c := range working {
		c.SetReadDeadline(time.Now().Add(2 * time.Second))
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || response.StatusCode != http.StatusAccepted {
			t.Errorf("a working connection: %v %v", response, err)
		}
	}
	if s.guard.refused.Load() != 1 || s.guard.evicted.Load() != 0 {
		t.Errorf("%d refused, %d evicted", s.guard.refused.Load(), s.guard.evicted.Load())
	}
}

// places is how many connections could be given up.
func (g *guard) places() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open < g.max {
		return g.max
	}
	return g.waiting.Len()
}

// A node that stops answers what waits, at once.
func TestShutdownEndsWaits(t *testing.T) {
	s, address := serve(t, newStub(t), Config{})
	answered := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + address + "/v1/transactions/" + strings.Repeat("ab", 32) + "?wait=30s")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answered <- string(text)
	}()
	for s.guard.count() == 0 || s.guard.waitingCount() > 0 {
		time.Sleep(time.Millisecond)
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("shutdown after %s: %v", time.Since(start), err)
	}
	if text := <-answered; !strings.Contains(text, `"state":"unknown"`) {
		t.Errorf("the waiting request got %q", text)
	}
}

func (g *guard) waitingCount() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting.Len()
}
