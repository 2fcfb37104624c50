package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Config of a Client.
type Config struct {
	// Nodes are the API addresses to use, such as http://127.0.0.1:8080. The
	// first that answers is used until it fails.
	Nodes []string
	// ChainID is the ledger's name: signatures are bound to it.
	ChainID string
	// Anchor is what receipts are verified against; the zero Anchor leaves
	// verifying to the caller.
	Anchor proof.Anchor
	// HTTP is the transport; nil means one with sensible time-outs.
	HTTP *http.Client
	// GiveUpAfter bounds how long one call goes on trying nodes that do not
	// answer; 0 means a minute.
	GiveUpAfter time.Duration
}

// Client talks to a network of nodes. It is safe for concurrent use.
type Client struct {
	config Config
	node   atomic.Uint32 // index of the node in use
	height atomic.Uint64 // greatest height heard of
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// New makes a client; it does not connect yet.
func New(c Config) (*Client, error) {
	if len(c.Nodes) == 0 {
		return nil, errors.New("client: no node to talk to")
	}
	if c.ChainID == "" {
		return nil, errors.New("client: the chain id is missing; it is in the genesis file")
	}
	nodes := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		u, err := url.Parse(node)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, fmt.Errorf("client: node %q is not an http or https URL", node)
		}
		nodes[i] = strings.TrimSuffix(node, "/")
	}
	c.Nodes = nodes
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: 45 * time.Second, Transport: &http.Transport{
			MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: 40 * time.Second,
		}}
	}
	if c.GiveUpAfter == 0 {
		c.GiveUpAfter = time.Minute
	}
	return &Client{config: c}, nil
}

// ChainID is the ledger's name.
func (c *Client) ChainID() string { return c.config.ChainID }

// Refusal is a node's answer that is not a success.
type Refusal struct {
	rest.Problem
	Status     int // HTTP status
	RetryAfter time.Duration
}

// Error is the node's sentence.
func (r *Refusal) Error() string { return r.Message }

// Unwrap shows the code to protocol.CodeOf.
func (r *Refusal) Unwrap() error { return &protocol.Error{Code: r.Code, Text: r.Message} }

// call sends one request to the node in use, moving on to the next node while
// nodes do not answer or are unavailable. Every request is safe to repeat.
func (c *Client) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	deadline := time.Now().Add(c.config.GiveUpAfter)
	for attempt := 0; ; attempt++ {
		at := c.node.Load()
		answer, err := c.once(ctx, c.config.Nodes[int(at)%len(c.config.Nodes)], method, path, body)
		var refusal *Refusal
		if err == nil || ctx.Err() != nil || errors.As(err, &refusal) && refusal.Code != protocol.CodeUnavailable && refusal.Code != protocol.CodeBusy {
			return answer, err
		}
		if refusal == nil || refusal.Code == protocol.CodeUnavailable {
			c.node.CompareAndSwap(at, at+1)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("client: no node took the request within %s: %w", c.config.GiveUpAfter, err)
		}
		pause := backoff(attempt)
		if refusal != nil && refusal.RetryAfter > pause {
			pause = refusal.RetryAfter
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// backoff grows from 20 ms to a second, with jitter, so that producers that
// lost a node together do not come back together.
func backoff(attempt int) time.Duration {
	full := 20 * time.Millisecond << min(attempt, 6)
	return full/2 + rand.N(full/2)
}

func (c *Client) once(ctx context.Context, node, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, node+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/octet-stream")
	}
	response, err := c.config.HTTP.Do(request)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", node, err)
	}
	if response.StatusCode < 300 {
		return answer, nil
	}
	refusal := &Refusal{Status: response.StatusCode}
	if json.Unmarshal(answer, &refusal.Problem) != nil || refusal.Code == protocol.CodeOK {
		refusal.Problem = rest.Problem{Code: protocol.CodeUnavailable, Name: protocol.CodeUnavailable.Name(), Retryable: true,
			Message: fmt.Sprintf("%s answered %s, which is not an answer of this API", node, response.Status)}
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds >= 0 && seconds < 3600 {
		refusal.RetryAfter = time.Duration(seconds) * time.Second
	}
	return nil, refusal
}

// get fetches and decodes an answer.
func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var out T
	answer, err := c.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return out, fmt.Errorf("client: %s: %w", path, err)
	}
	return out, nil
}

// Head is the newest block of the node in use.
func (c *Client) Head(ctx context.Context) (rest.Head, error) {
	head, err := get[rest.Head](ctx, c, "/v1/head")
	if err == nil {
		c.heard(head.Height)
	}
	return head, err
}

// heard remembers the greatest height, for expiries.
func (c *Client) heard(height uint64) {
	for {
		known := c.height.Load()
		if height <= known || c.height.CompareAndSwap(known, height) {
			return
		}
	}
}

// Submit sends a signed transaction and answers its id.
func (c *Client) Submit(ctx context.Context, raw []byte) (protocol.Hash, error) {
	answer, err := c.call(ctx, http.MethodPost, "/v1/transactions", raw)
	if err != nil {
		return protocol.Hash{}, err
	}
	var taken rest.Submitted
	if err := json.Unmarshal(answer, &taken); err != nil {
		return protocol.Hash{}, fmt.Errorf("client: submit: %w", err)
	}
	return taken.TxID, nil
}

// Status asks where a transaction is, waiting up to wait (at most 30 s) for a decision.
func (c *Client) Status(ctx context.Context, id protocol.Hash, wait time.Duration) (rest.Status, error) {
	s, err := get[rest.Status](ctx, c, fmt.Sprintf("/v1/transactions/%s?wait=%s", id, wait))
	if err == nil {
		c.heard(s.Height)
	}
	return s, err
}

// Entry reads an entry of the log with what it commits to.
func (c *Client) Entry(ctx context.Context, index uint64) (rest.Entry, error) {
	return get[rest.Entry](ctx, c, fmt.Sprintf("/v1/entries/%d", index))
}

// FindEvent finds an event by its CloudEvents identity; a zero producer is any.
func (c *Client) FindEvent(ctx context.Context, producer protocol.Address, source, id string) (rest.Entry, error) {
	q := url.Values{"source": {source}, "id": {id}}
	if !producer.IsZero() {
		q.Set("producer", producer.String())
	}
	return get[rest.Entry](ctx, c, "/v1/events?"+q.Encode())
}

// Receipt fetches the receipt of an entry and, where the client has an anchor,
// verifies it.
func (c *Client) Receipt(ctx context.Context, index uint64) (*proof.Receipt, error) {
	answer, err := c.call(ctx, http.MethodGet, fmt.Sprintf("/v1/receipts/%d?format=binary", index), nil)
	if err != nil {
		return nil, err
	}
	receipt := new(proof.Receipt)
	if err := receipt.UnmarshalBinary(answer); err != nil {
		return nil, fmt.Errorf("client: receipt of entry %d: %w", index, err)
	}
	if c.config.Anchor.ChainID() == "" {
		return receipt, nil
	}
	statement, err := receipt.Verify(c.config.Anchor)
	if err != nil {
		return nil, fmt.Errorf("client: receipt of entry %d: %w", index, err)
	}
	if statement.Entry == nil || receipt.Entry.Index != index {
		return nil, fmt.Errorf("client: the node sent the receipt of something else than entry %d", index)
	}
	return receipt, nil
}

// Stream says which sequence of a stream the ledger expects next.
func (c *Client) Stream(ctx context.Context, producer protocol.Address, name string) (rest.Stream, error) {
	return get[rest.Stream](ctx, c, fmt.Sprintf("/v1/streams/%s/%s", producer, name))
}

// StreamEntries lists what became of a stream's sequences, at most 10,000 at once.
func (c *Client) StreamEntries(ctx context.Context, producer protocol.Address, name string, from uint64, count int) ([]rest.StreamEntry, error) {
	page, err := get[rest.StreamEntries](ctx, c, fmt.Sprintf("/v1/streams/%s/%s/entries?from=%d&count=%d", producer, name, from, count))
	return page.Entries, err
}
