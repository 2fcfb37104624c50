package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// request is one request to whichever node answers. Every request of this API
// is safe to repeat.
type request struct {
	path        string
	body        []byte        // a transaction; nil reads
	contentType string        // of the body; empty is application/octet-stream
	wait        time.Duration // how long the node may wait before it answers
	anyHeight   bool          // an answer about the past will do
	sticky      bool          // answers errMoved instead of asking the next node
}

// errMoved says that the node in use does not answer and the next one is in
// use now. It may lack what the first one was sent.
var errMoved = errors.New("client: moved on to another node")

// Refusal is a node's answer that is not a success.
type Refusal struct {
	rest.Problem
	Status     int // HTTP status; 0 for a refusal that is an outcome
	RetryAfter time.Duration
}

// Error is the node's sentence.
func (r *Refusal) Error() string { return r.Message }

// Unwrap shows the code to protocol.CodeOf.
func (r *Refusal) Unwrap() error { return &protocol.Error{Code: r.Code, Text: r.Message} }

// OfEvents says that a batch was refused for good, for what an event in it is:
// of another source or type than was granted, against its schema, too large.
// The other events may be accepted without that one.
func (r *Refusal) OfEvents() bool {
	if r.Retryable {
		return false
	}
	switch r.Code {
	case protocol.CodeSource, protocol.CodeSchemaMismatch, protocol.CodeSchemaCost, protocol.CodeEventMalformed, protocol.CodeEventMissing,
		protocol.CodeEventAttribute, protocol.CodeEventTooLarge, protocol.CodeTooLarge:
		return true
	}
	return false
}

// waitingAfter is when Config.Waiting is told that no node answers.
const waitingAfter = 2 * time.Second

// waitsForBlock tells Config.Waiting of a transaction that is in no block,
// after so many looks at its status.
func (c *Client) waitsForBlock(id protocol.Hash, looks int) {
	if looks == stalledLooks && c.config.Waiting != nil {
		c.config.Waiting(fmt.Errorf("transaction %s is in no block yet; a ledger makes none while validators with a third of the power are away", id))
	}
}

// call sends a request to the node in use, moving on to the next node while
// nodes do not answer, fail or are behind, and waiting while they are at
// capacity.
func (c *Client) call(ctx context.Context, r request) ([]byte, error) {
	started := time.Now()
	deadline, waiting := started.Add(c.config.GiveUpAfter), c.config.Waiting
	nodes, behind, failed := len(c.config.Nodes), 0, 0
	for attempt := 0; ; attempt++ {
		at, least := c.node.Load(), uint64(0)
		if !r.anyHeight && r.body == nil {
			least = c.height.Load()
		}
		answer, height, err := c.once(ctx, c.config.Nodes[int(at)%nodes], r, least)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var refusal *Refusal
		if errors.As(err, &refusal) {
			switch refusal.Code {
			case protocol.CodeBusy, protocol.CodeOverQuota, protocol.CodeTimeout, protocol.CodeUnavailable:
			case protocol.CodeInternal: // perhaps this node's disk; where all say so, it is the request
				if failed++; failed >= 2*nodes {
					return nil, err
				}
			default:
				return nil, err
			}
		}
		if mistrusts(err) { // trying for longer makes no certificate valid
			if failed++; failed >= 2*nodes {
				return nil, err
			}
		}
		moved := refusal == nil || refusal.Code == protocol.CodeUnavailable || refusal.Code == protocol.CodeInternal
		if moved {
			c.node.CompareAndSwap(at, at+1)
		}
		if refusal != nil && height > 0 && height < least {
			if behind++; behind >= 2*nodes { // nobody has the height that one of them claimed
				c.height.CompareAndSwap(least, height)
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("client: no node took the request within %s: %w", c.config.GiveUpAfter, err)
		}
		if waiting != nil && time.Since(started) > waitingAfter {
			waiting(fmt.Errorf("no node answers, for %s at most: %w", c.config.GiveUpAfter, err))
			waiting = nil
		}
		pause := backoff(attempt)
		if refusal != nil && !(moved && attempt+1 < nodes) {
			pause += refusal.RetryAfter
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		if moved && r.sticky {
			return nil, errMoved
		}
	}
}

// mistrusts says whether one end does not take the other's certificate, or does
// not speak TLS at all.
func mistrusts(err error) bool {
	var unverified *tls.CertificateVerificationError
	var alert *net.OpError
	return errors.As(err, &unverified) || errors.As(err, &alert) && alert.Op == "remote error" || errors.Is(err, http.ErrSchemeMismatch)
}

// backoff grows from 20 ms to about a second, with jitter, so that producers
// that lost a node together do not come back together.
func backoff(attempt int) time.Duration {
	full := 20 * time.Millisecond << min(attempt, 6)
	return full/2 + rand.N(full/2)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once asks one node, once. height is what the node says it has committed.
func (c *Client) once(ctx context.Context, node string, r request, least uint64) (answer []byte, height uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.wait+c.config.AnswerWithin)
	defer cancel()
	method := http.MethodGet
	if r.body != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, node+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, 0, err
	}
	if r.body != nil {
		req.Header.Set("Content-Type", cmp.Or(r.contentType, "application/octet-stream"))
	}
	if least > 0 {
		req.Header.Set(rest.HeaderMinHeight, strconv.FormatUint(least, 10))
	}
	response, err := c.config.HTTP.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("answered more than %d bytes", maxAnswer)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", node, err)
	}
	height, _ = strconv.ParseUint(response.Header.Get(rest.HeaderHeight), 10, 64)
	c.heard(height)
	if response.StatusCode < 300 {
		return answer, height, nil
	}
	return nil, height, refusalOf(node, response, answer)
}

func refusalOf(node string, response *http.Response, answer []byte) *Refusal {
	refusal := &Refusal{Status: response.StatusCode}
	if json.Unmarshal(answer, &refusal.Problem) != nil || refusal.Code == protocol.CodeOK {
		refusal.Problem = rest.Problem{Code: protocol.CodeUnavailable, Name: protocol.CodeUnavailable.Name(), Retryable: true,
			Message: fmt.Sprintf("%s answered %s, which is not an answer of this API", node, response.Status)}
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds >= 0 && seconds < 3600 {
		refusal.RetryAfter = time.Duration(seconds) * time.Second
	}
	return refusal
}

// heard remembers the greatest height, for expiries and for reading one's own writes.
func (c *Client) heard(height uint64) {
	for height < maxHeight {
		known := c.height.Load()
		if height <= known || c.height.CompareAndSwap(known, height) {
			return
		}
	}
}
