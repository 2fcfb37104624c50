package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// expiryBlocks is how far ahead of the head transactions expire: time enough
// to be tried again at other nodes, and well inside what ledgers allow.
const expiryBlocks = 2_000

// expiry is the last height a transaction signed now may be executed at.
func (c *Client) expiry(ctx context.Context) (uint64, error) {
	if known := c.height.Load(); known > 0 {
		return known + expiryBlocks, nil
	}
	head, err := c.Head(ctx)
	return head.Height + expiryBlocks, err
}

// Execute signs a transaction that is not a batch, submits it and waits for
// its outcome. An outcome other than OK is a *Refusal.
func (c *Client) Execute(ctx context.Context, key protocol.PrivateKey, body protocol.Body) (rest.Status, error) {
	var nonce [8]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return rest.Status{}, fmt.Errorf("client: %w", err)
	}
	head, err := c.Head(ctx)
	if err != nil {
		return rest.Status{}, err
	}
	raw, err := protocol.SignTx(c.config.ChainID, key, head.Height+expiryBlocks, binary.BigEndian.Uint64(nonce[:]), body)
	if err != nil {
		return rest.Status{}, err
	}
	id, err := c.Submit(ctx, raw)
	if err != nil {
		return rest.Status{}, err
	}
	for {
		s, err := c.Status(ctx, id, 10*time.Second)
		switch {
		case err != nil:
			return s, err
		case s.State == rest.StateCommitted:
			return s, nil
		case s.State == rest.StateRefused:
			return s, refusedStatus(s)
		case s.State == rest.StateUnknown: // the node that had it may be gone: the same bytes again are harmless
			if _, err := c.Submit(ctx, raw); err != nil {
				return s, err
			}
		}
	}
}

func refusedStatus(s rest.Status) error {
	return &Refusal{Problem: rest.Problem{Code: s.Code, Name: s.Name, Message: s.Message, Retryable: s.Retryable}}
}

// Deploy creates a contract from its module and manifest.
func (c *Client) Deploy(ctx context.Context, key protocol.PrivateKey, module, manifest []byte, args json.RawMessage) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Deploy{Code: module, Manifest: manifest, Args: args})
}

// Call runs a method of a contract.
func (c *Client) Call(ctx context.Context, key protocol.PrivateKey, contract protocol.Address, method string, args json.RawMessage) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Call{Contract: contract, Method: method, Args: args})
}

// Contracts lists the deployed contracts.
func (c *Client) Contracts(ctx context.Context) ([]rest.Contract, error) {
	list, err := get[rest.Contracts](ctx, c, "/v1/contracts")
	return list.Contracts, err
}

// Contract finds a contract by name or address; ok is false where there is none.
func (c *Client) Contract(ctx context.Context, nameOrAddress string) (contract rest.Contract, ok bool, err error) {
	contract, err = get[rest.Contract](ctx, c, "/v1/contracts/"+url.PathEscape(nameOrAddress))
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Code == protocol.CodeContractUnknown {
		return contract, false, nil
	}
	return contract, err == nil, err
}

// Query asks a contract; args are texts that its manifest says how to read.
func (c *Client) Query(ctx context.Context, contract, method string, args map[string]string) (json.RawMessage, error) {
	q := url.Values{}
	for name, value := range args {
		q.Set(name, value)
	}
	return get[json.RawMessage](ctx, c, fmt.Sprintf("/v1/contracts/%s/query/%s?%s", url.PathEscape(contract), url.PathEscape(method), q.Encode()))
}

// DeadLetters lists a contract's dead letters from an index on.
func (c *Client) DeadLetters(ctx context.Context, contract string, from uint64, limit int) ([]rest.DeadLetter, error) {
	page, err := get[rest.DeadLetters](ctx, c, fmt.Sprintf("/v1/contracts/%s/dead-letters?from=%d&limit=%d", url.PathEscape(contract), from, limit))
	return page.DeadLetters, err
}
