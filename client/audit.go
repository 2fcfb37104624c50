package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/cairn-ledger/cairn/client/rest"
)

// At is a point of the past: a height, or a time, which stands for the last
// block at or before it. The zero At is now.
type At struct {
	Height uint64
	Time   time.Time
}

func (a At) set(q url.Values) {
	switch {
	case !a.Time.IsZero():
		q.Set("time", a.Time.UTC().Format(time.RFC3339Nano))
	case a.Height > 0:
		q.Set("height", strconv.FormatUint(a.Height, 10))
	}
}

// HeadAt says where the ledger stood.
func (c *Client) HeadAt(ctx context.Context, at At) (rest.Head, error) {
	q := url.Values{}
	at.set(q)
	return read[rest.Head](ctx, c, "/v1/head?%s", q.Encode())
}

// QueryPast asks a contract about the past; args are texts that its manifest
// says how to read.
func (c *Client) QueryPast(ctx context.Context, contract, method string, at At, args map[string]string) (json.RawMessage, error) {
	q := url.Values{}
	for name, value := range args {
		q.Set(name, value)
	}
	at.set(q)
	return read[json.RawMessage](ctx, c, "/v1/contracts/%s/query/%s?%s", url.PathEscape(contract), url.PathEscape(method), q.Encode())
}

// Block fetches a decided block. It is verified where the client trusts
// somebody; what the ledger was before it, is not.
func (c *Client) Block(ctx context.Context, height uint64) (rest.Block, error) {
	block, err := read[rest.Block](ctx, c, "/v1/blocks/%d", height)
	if err != nil {
		return block, err
	}
	if block.Height != height || block.Decided.Commit.Height != height {
		return block, fmt.Errorf("client: the node sent another block than %d", height)
	}
	if c.config.Trust != nil {
		err = c.VerifyBlock(ctx, &block)
	}
	return block, err
}

// Diff fetches a page of what changed in the state between two heights; after
// is the last page's Next.
func (c *Client) Diff(ctx context.Context, from, to uint64, after []byte, limit int) (rest.Diff, error) {
	return read[rest.Diff](ctx, c, "/v1/diff?from=%d&to=%d&after=%x&limit=%d", from, to, after, limit)
}

// StateKeys lists keys of the state under a prefix, after a key. Height 0 is
// now. Nothing proves that the list is whole.
func (c *Client) StateKeys(ctx context.Context, prefix, after []byte, height uint64, limit int) ([][]byte, error) {
	page, err := read[rest.StateKeys](ctx, c, "/v1/state/keys?prefix=%x&after=%x&height=%d&limit=%d", prefix, after, height, limit)
	return page.Keys, err
}

// StateSince asks which block wrote the value that a key has after a height.
// Nothing proves the answer.
func (c *Client) StateSince(ctx context.Context, key []byte, height uint64) (rest.StateSince, error) {
	return read[rest.StateSince](ctx, c, "/v1/state/since?key=%x&height=%d", key, height)
}

// VerifyBlock checks that the validators of its height decided a block, as
// Verify does for receipts.
func (c *Client) VerifyBlock(ctx context.Context, block *rest.Block) error {
	trust := c.Trust()
	if trust == nil {
		return errors.New("client: nothing is trusted; Config.Trust says what is")
	}
	seal := block.Decided.Seal()
	_, err := seal.VerifyWith(trust)
	if err != nil && othersMaySign(err) && block.Height > trust.Latest().Seen {
		if trust, err = c.UpdateTrust(ctx, 0); err == nil {
			_, err = seal.VerifyWith(trust)
		}
	}
	if err != nil {
		return fmt.Errorf("client: block %d: %w", block.Height, err)
	}
	return nil
}
