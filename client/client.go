package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
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
	// ChainID is the ledger's name: signatures are bound to it. With Trust
	// it may be left out.
	ChainID string
	// Trust is what receipts are verified with, to begin with; the client
	// follows changes of the validators from there. Nil leaves verifying to
	// the caller.
	Trust *proof.Trust
	// HTTP is the transport; nil means one with sensible time-outs.
	HTTP *http.Client
	// TLS, without HTTP, is whom that transport trusts and what it shows: the
	// authorities of nodes, a client certificate. Nil means the system's
	// authorities.
	TLS *tls.Config
	// GiveUpAfter bounds how long one call goes on trying nodes that do not
	// answer or are at capacity; 0 means a minute.
	GiveUpAfter time.Duration
	// AnswerWithin bounds how long one node may take to answer, beside the
	// time it was asked to wait, before another is tried; 0 means 10 seconds.
	AnswerWithin time.Duration
	// Waiting is told, once for each request, transaction or batch, why it
	// still waits: no node answers, or the ledger makes no block. Nil is not
	// told. Requests made at once tell it at once.
	Waiting func(why error)
	// As has the members of an account asked for what is to be executed; nil
	// executes it as the key's own account.
	As *ActAs
}

// Client talks to a network of nodes. It is safe for concurrent use. Whichever
// node answers, a client reads what it wrote, and never an older state than
// it has seen: nodes behind the greatest height heard of are passed over.
type Client struct {
	config Config
	node   atomic.Uint32 // counts failovers: the node in use is the count modulo the nodes
	height atomic.Uint64 // greatest height heard of

	mu    sync.Mutex
	trust *proof.Trust // nil without Config.Trust; guarded by mu
}

const (
	maxAnswer  = 64 << 20 // bytes read of an answer
	maxHeight  = 1 << 62  // no node is that far
	dialWithin = 3 * time.Second
)

// New makes a client; it does not connect yet.
func New(c Config) (*Client, error) {
	if len(c.Nodes) == 0 {
		return nil, errors.New("client: no node to talk to")
	}
	switch {
	case c.ChainID == "" && c.Trust == nil:
		return nil, errors.New("client: the chain id is missing; it is in the genesis file")
	case c.ChainID == "":
		c.ChainID = c.Trust.ChainID()
	case c.Trust != nil && c.Trust.ChainID() != c.ChainID:
		return nil, fmt.Errorf("client: the chain is %q and what is trusted is of %q", c.ChainID, c.Trust.ChainID())
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
		dialer := net.Dialer{Timeout: dialWithin}
		if c.TLS != nil {
			c.TLS = c.TLS.Clone()
			c.TLS.NextProtos = []string{"http/1.1"} // which is what nodes speak
		}
		c.HTTP = &http.Client{Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: c.TLS, TLSHandshakeTimeout: dialWithin, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
		}}
	}
	if c.GiveUpAfter == 0 {
		c.GiveUpAfter = time.Minute
	}
	if c.AnswerWithin == 0 {
		c.AnswerWithin = 10 * time.Second
	}
	out := &Client{config: c}
	if c.Trust != nil {
		out.trust = c.Trust.Clone()
	}
	return out, nil
}

// Config is what the client was made with, defaults filled in.
func (c *Client) Config() Config { return c.config }

// ChainID is the ledger's name.
func (c *Client) ChainID() string { return c.config.ChainID }

// get fetches and decodes an answer.
func get[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	answer, err := c.call(ctx, r)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return out, fmt.Errorf("client: %s: %w", r.path, err)
	}
	return out, nil
}

func read[T any](ctx context.Context, c *Client, format string, args ...any) (T, error) {
	return get[T](ctx, c, request{path: fmt.Sprintf(format, args...)})
}

// Head is the newest block of the node in use.
func (c *Client) Head(ctx context.Context) (rest.Head, error) {
	return get[rest.Head](ctx, c, request{path: "/v1/head", anyHeight: true})
}

// Genesis is the founding document as a node has it. Trust it only when its
// hash is known from elsewhere.
func (c *Client) Genesis(ctx context.Context) ([]byte, error) {
	return c.call(ctx, request{path: "/v1/genesis", anyHeight: true})
}

// Submit sends a signed transaction and answers its id.
func (c *Client) Submit(ctx context.Context, raw []byte) (protocol.Hash, error) {
	taken, err := get[rest.Submitted](ctx, c, request{path: "/v1/transactions", body: raw})
	return taken.TxID, err
}

// SubmitAll sends signed transactions together: at most
// protocol.MaxTransactions, and protocol.MaxTxBytes in all. refused has a
// *Refusal for each that was not taken; those were not, when err is not nil, or
// nobody knows.
func (c *Client) SubmitAll(ctx context.Context, raws [][]byte) (refused []error, err error) {
	answer, err := get[rest.SubmittedMany](ctx, c, request{
		path: "/v1/transactions", body: protocol.JoinTransactions(raws), contentType: rest.TypeTransactions,
	})
	if err != nil {
		return nil, err
	}
	if len(answer.Transactions) != len(raws) {
		return nil, fmt.Errorf("client: the node answered %d of %d transactions", len(answer.Transactions), len(raws))
	}
	refused = make([]error, len(raws))
	for i, t := range answer.Transactions {
		if t.Code != protocol.CodeOK {
			refused[i] = &Refusal{Problem: t}
		}
	}
	return refused, nil
}

// Statuses asks where transactions are, at most protocol.MaxTransactions,
// waiting up to wait (at most 30 s) for a decision on the first.
func (c *Client) Statuses(ctx context.Context, ids []protocol.Hash, wait time.Duration) ([]rest.Status, error) {
	return statusesOf(ctx, c, ids, request{wait: wait})
}

func statusesOf(ctx context.Context, c *Client, ids []protocol.Hash, r request) ([]rest.Status, error) {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	r.path = fmt.Sprintf("/v1/transactions?ids=%s&wait=%s", strings.Join(texts, ","), r.wait)
	answer, err := get[rest.Statuses](ctx, c, r)
	if err != nil {
		return nil, err
	}
	if len(answer.Transactions) != len(ids) {
		return nil, fmt.Errorf("client: the node answered %d of %d statuses", len(answer.Transactions), len(ids))
	}
	return answer.Transactions, nil
}

// Status asks where a transaction is, waiting up to wait (at most 30 s) for a decision.
func (c *Client) Status(ctx context.Context, id protocol.Hash, wait time.Duration) (rest.Status, error) {
	return get[rest.Status](ctx, c, statusRequest(id, wait))
}

func statusRequest(id protocol.Hash, wait time.Duration) request {
	return request{path: fmt.Sprintf("/v1/transactions/%s?wait=%s", id, wait), wait: wait}
}

// Entry reads an entry of the log with what it commits to.
func (c *Client) Entry(ctx context.Context, index uint64) (rest.Entry, error) {
	return read[rest.Entry](ctx, c, "/v1/entries/%d", index)
}

// Entries reads a page of the log from an entry on: at most count entries and
// rest.MaxEntries, fewer where they are large; none where the log ends.
func (c *Client) Entries(ctx context.Context, from uint64, count int) ([]rest.Entry, error) {
	page, err := read[rest.Entries](ctx, c, "/v1/entries?from=%d&count=%d", from, min(count, rest.MaxEntries))
	if err != nil {
		return nil, err
	}
	if len(page.Entries) > count {
		return nil, fmt.Errorf("client: the node sent %d entries from %d on, asked were %d", len(page.Entries), from, count)
	}
	for i := range page.Entries {
		if page.Entries[i].Index != from+uint64(i) {
			return nil, fmt.Errorf("client: the node sent entry %d instead of %d", page.Entries[i].Index, from+uint64(i))
		}
	}
	return page.Entries, nil
}

// Range reads the entries from one on, below another, page by page. A log that
// ends before is an error.
func (c *Client) Range(ctx context.Context, from, below uint64) iter.Seq2[*rest.Entry, error] {
	return func(yield func(*rest.Entry, error) bool) {
		for from < below {
			page, err := c.Entries(ctx, from, int(min(below-from, rest.MaxEntries)))
			if err == nil && len(page) == 0 {
				err = fmt.Errorf("the node's log ends before entry %d", below)
			}
			if err != nil {
				yield(nil, fmt.Errorf("entries from %d on: %w", from, err))
				return
			}
			for i := range page {
				if !yield(&page[i], nil) {
					return
				}
			}
			from += uint64(len(page))
		}
	}
}

// FindEvent finds an event by its CloudEvents identity; a zero producer is any.
func (c *Client) FindEvent(ctx context.Context, producer protocol.Address, source, id string) (rest.Entry, error) {
	q := url.Values{"source": {source}, "id": {id}}
	if !producer.IsZero() {
		q.Set("producer", producer.String())
	}
	return read[rest.Entry](ctx, c, "/v1/events?%s", q.Encode())
}

// receiptWait is how long a node may wait for the block that signs an entry.
const receiptWait = 10 * time.Second

// Receipt fetches the receipt of an entry and, where the client trusts
// somebody, verifies it.
func (c *Client) Receipt(ctx context.Context, index uint64) (*proof.Receipt, error) {
	receipt, err := c.receipt(ctx, fmt.Sprintf("/v1/receipts/%d?format=binary", index))
	if err != nil {
		return nil, fmt.Errorf("client: receipt of entry %d: %w", index, err)
	}
	if receipt.Entry == nil || receipt.Entry.Index != index {
		return nil, fmt.Errorf("client: the node sent the receipt of something else than entry %d", index)
	}
	return receipt, nil
}

// StateReceipt fetches, and where it can verifies, a receipt of what a key
// has in the state after a height, or that it has nothing. Height 0 is now.
func (c *Client) StateReceipt(ctx context.Context, key []byte, height uint64) (*proof.Receipt, error) {
	receipt, err := c.receipt(ctx, fmt.Sprintf("/v1/state?key=%x&height=%d&format=binary", key, height))
	if err != nil {
		return nil, fmt.Errorf("client: receipt of state: %w", err)
	}
	if receipt.State == nil || !bytes.Equal(receipt.State.State.Key, key) {
		return nil, fmt.Errorf("client: the node sent the receipt of something else than the key %x", key)
	}
	return receipt, nil
}

func (c *Client) receipt(ctx context.Context, path string) (*proof.Receipt, error) {
	answer, err := c.call(ctx, request{path: path, wait: receiptWait})
	if err != nil {
		return nil, err
	}
	receipt := new(proof.Receipt)
	if err := receipt.UnmarshalBinary(answer); err != nil {
		return nil, err
	}
	if c.config.Trust != nil {
		if _, err := c.Verify(ctx, receipt); err != nil {
			return nil, err
		}
	}
	return receipt, nil
}

// Stream says which sequence of a stream the ledger expects next.
func (c *Client) Stream(ctx context.Context, producer protocol.Address, name string) (rest.Stream, error) {
	return read[rest.Stream](ctx, c, "/v1/streams/%s/%s", producer, name)
}

// StreamEntries lists what became of a stream's sequences, at most
// rest.MaxStreamEntries at once.
func (c *Client) StreamEntries(ctx context.Context, producer protocol.Address, name string, from uint64, count int) ([]rest.StreamEntry, error) {
	page, err := read[rest.StreamEntries](ctx, c, "/v1/streams/%s/%s/entries?from=%d&count=%d", producer, name, from, count)
	return page.Entries, err
}
