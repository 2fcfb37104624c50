package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		config client.Config
		says   string
	}{
		{client.Config{ChainID: "a"}, "no node"},
		{client.Config{Nodes: []string{"http://a"}}, "chain id"},
		{client.Config{Nodes: []string{"localhost:8080"}, ChainID: "a"}, "URL"},
		{client.Config{Nodes: []string{"ftp://a"}, ChainID: "a"}, "URL"},
	} {
		if _, err := client.New(c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.says)
		}
	}
}

// call makes a client of handlers, each a node on loopback.
func clientOf(t *testing.T, handlers ...http.HandlerFunc) *client.Client {
	t.Helper()
	var urls []string
	for _, h := range handlers {
		node := httptest.NewServer(h)
		t.Cleanup(node.Close)
		urls = append(urls, node.URL)
	}
	c, err := client.New(client.Config{Nodes: urls, ChainID: "cairn-fake", GiveUpAfter: 2 * time.Second, AnswerWithin: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answerHead(height uint64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(rest.HeaderHeight, fmt.Sprint(height))
		write(w, rest.Head{Height: height}, nil)
	}
}

// Whatever is wrong with one node, the next one answers, and is asked first from then on.
func TestFailover(t *testing.T) {
	for name, broken := range map[string]http.HandlerFunc{
		"unavailable": func(w http.ResponseWriter, _ *http.Request) {
			write(w, nil, protocol.Refuse(protocol.CodeUnavailable, "catching up"))
		},
		"internal": func(w http.ResponseWriter, _ *http.Request) {
			write(w, nil, protocol.Refuse(protocol.CodeInternal, "disk"))
		},
		"another proxy": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<html>bad gateway", http.StatusBadGateway)
		},
		"hangs":    func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte(`{"height":`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			c := clientOf(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); broken(w, r) }, answerHead(5))
			for range 3 {
				if head, err := c.Head(context.Background()); err != nil || head.Height != 5 {
					t.Errorf("%+v %v", head, err)
				}
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("the broken node was asked %d times", n)
			}
		})
	}
}

func TestGivesUp(t *testing.T) {
	busy := func(w http.ResponseWriter, _ *http.Request) {
		write(w, nil, protocol.Refuse(protocol.CodeBusy, "at capacity"))
	}
	c := clientOf(t, busy, busy)
	_, err := c.Head(context.Background())
	if code, _ := protocol.CodeOf(err); code != protocol.CodeBusy || !strings.Contains(err.Error(), "no node took the request within 2s") {
		t.Errorf("busy nodes: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Head(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("impatience: %v", err)
	}
	failing := func(w http.ResponseWriter, _ *http.Request) {
		write(w, nil, protocol.Refuse(protocol.CodeInternal, "disk"))
	}
	start := time.Now()
	_, err = clientOf(t, failing, failing).Head(context.Background())
	if code, _ := protocol.CodeOf(err); code != protocol.CodeInternal || time.Since(start) > time.Second {
		t.Errorf("a request that fails everywhere: %v after %s", err, time.Since(start))
	}
}

// A node that claims a height nobody has does not keep the client from the others.
func TestLyingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 2, 1, false)
		defer s.stop()
		s.ledger.mu.Lock()
		honest := s.ledger.nodes[0].height
		s.ledger.nodes[0].height = 1 << 40
		s.ledger.mu.Unlock()
		if _, err := s.client.Head(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.ledger.mu.Lock()
		s.ledger.nodes[0].height = honest
		s.ledger.mu.Unlock()
		at, err := s.client.Stream(context.Background(), s.key.Address(), "meters")
		if err != nil || at.Next != 0 {
			t.Errorf("%+v %v", at, err)
		}
		p := s.producer(client.ProducerConfig{})
		if _, err := p.Submit(context.Background(), event(0)); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.wantIDs(1)
	})
}

// A call of a contract takes effect once, whatever the network does.
func TestExecuteOnce(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			s := newSetup(t, 3, seed, true)
			status, err := s.client.Call(context.Background(), s.key, protocol.Address{1}, "set", []byte(`{}`))
			s.stop()
			if err != nil || status.State != rest.StateCommitted {
				t.Fatalf("seed %d: %+v %v", seed, status, err)
			}
			if len(s.ledger.executed) != 1 || s.ledger.executed[status.TxID] != 1 {
				t.Fatalf("seed %d: executed %v", seed, s.ledger.executed)
			}
		})
	}
}

// A refusal is an error with its code: of a node at once, of the ledger when it is final.
func TestExecuteRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 2, 1, false)
		defer s.stop()
		s.ledger.banned = s.key.Address()
		start := time.Now()
		_, err := s.client.Deploy(context.Background(), s.key, []byte("module"), []byte("{}"), nil)
		if code, _ := protocol.CodeOf(err); code != protocol.CodeUnauthorized || time.Since(start) > time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

// A request that no node answers says so before it gives up, once.
func TestWaitingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		c, err := client.New(client.Config{
			Nodes: []string{"http://nobody.invalid"}, ChainID: "c", HTTP: &http.Client{Transport: nobody{}},
			Waiting: func(why error) {
				if told++; !strings.Contains(why.Error(), "no node answers") || !strings.Contains(why.Error(), "nobody is there") {
					t.Errorf("told %q", why)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Head(t.Context()); err == nil || told != 1 {
			t.Errorf("%v, told %d times", err, told)
		}
	})
}

// nobody answers no request.
type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nobody is there")
}

// The refusal of an outcome has the sentence that a dry run gives for the same
// code, and the code's meaning where a dry run comes to another one.
func TestRefusalSaysWhy(t *testing.T) {
	key, err := protocol.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	const code = protocol.CodeFunds
	for _, c := range []struct {
		now  protocol.Code
		want string
	}{
		{code, "INSUFFICIENT_FUNDS: 3 are there, this takes 5"},
		{protocol.CodeOK, "INSUFFICIENT_FUNDS: " + code.Meaning()},
		{protocol.CodeHalted, "INSUFFICIENT_FUNDS: " + code.Meaning()},
	} {
		mux := http.NewServeMux()
		answer := func(route string, v any) {
			mux.HandleFunc(route, func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(v) })
		}
		answer("GET /v1/head", rest.Head{Height: 7})
		answer("POST /v1/transactions", rest.Submitted{})
		answer("GET /v1/transactions/{id}", rest.Status{State: rest.StateRefused, Code: code, Name: code.Name(), Message: code.Meaning()})
		answer("POST /v1/dry-run", map[string]any{"code": c.now, "name": c.now.Name(), "message": "INSUFFICIENT_FUNDS: 3 are there, this takes 5"})
		server := httptest.NewServer(mux)
		defer server.Close()
		l, err := client.New(client.Config{Nodes: []string{server.URL}, ChainID: "c"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Execute(t.Context(), key, &protocol.Vote{Proposal: 1, Yes: true})
		var refusal *client.Refusal
		if !errors.As(err, &refusal) || refusal.Code != code || err.Error() != c.want {
			t.Errorf("now %s: %v, want %s", c.now.Name(), err, c.want)
		}
	}
}
