package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// expiryBlocks is how far ahead of the head transactions expire: time enough
// to be tried again at other nodes, and well inside what ledgers allow.
const expiryBlocks = 2_000

// Execute signs a transaction that is not a batch, submits it and waits for
// its outcome. An outcome other than OK is a *Refusal. It is executed at most
// once, however often it has to be sent; after any other error it may still be.
// With Config.As the members of that account are asked instead: see ActAs.
func (c *Client) Execute(ctx context.Context, key protocol.PrivateKey, body protocol.Body) (rest.Status, error) {
	var nonce [8]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return rest.Status{}, fmt.Errorf("client: %w", err)
	}
	if _, err := c.Head(ctx); err != nil { // for the expiry: the last height heard of may be old
		return rest.Status{}, err
	}
	body = c.body(body)
	raw, err := protocol.SignTx(c.config.ChainID, key, c.height.Load()+expiryBlocks, binary.BigEndian.Uint64(nonce[:]), body)
	if err != nil {
		return rest.Status{}, err
	}
	id, err := protocol.TxID(c.config.ChainID, raw)
	if err != nil {
		return rest.Status{}, err
	}
	for attempt := 0; ; attempt++ {
		_, sent := c.Submit(ctx, raw)
		var refusal *Refusal
		if sent != nil && (!errors.As(sent, &refusal) || attempt == 0 && (!refusal.Retryable || c.heardTooFar(sent))) {
			return rest.Status{}, sent
		}
		s, err := c.Status(ctx, id, statusWait)
		for looks := 1; err == nil && s.State == rest.StatePending; looks++ {
			c.waitsForBlock(id, looks)
			s, err = c.Status(ctx, id, statusWait)
		}
		switch {
		case err != nil:
			return s, err
		case s.State == rest.StateCommitted:
			return s, c.asked(ctx, body, s)
		case s.State == rest.StateRefused:
			return s, c.refusedBecause(ctx, key, body, s)
		case sent != nil: // refused now, and no block has it from an earlier time
			return s, sent
		}
		if err := sleep(ctx, backoff(attempt)); err != nil {
			return s, err
		}
	}
}

// heardTooFar forgets a height that turned out to be nobody's.
func (c *Client) heardTooFar(err error) bool {
	code, _ := protocol.CodeOf(err)
	if code == protocol.CodeExpiryTooFar {
		c.height.Store(0)
	}
	return code == protocol.CodeExpiryTooFar
}

// reasonWithin bounds how long a refusal waits for its sentence.
const reasonWithin = 5 * time.Second

// refusedBecause is refusedStatus with a sentence that names what stood in the
// way. An outcome is a code, and no block has text; so the node is asked what
// would become of the same body now. Where that comes to another code, because
// the ledger went on, the code's meaning has to do.
func (c *Client) refusedBecause(ctx context.Context, key protocol.PrivateKey, body protocol.Body, s rest.Status) error {
	ctx, cancel := context.WithTimeout(ctx, reasonWithin)
	defer cancel()
	if now, err := c.dryRun(ctx, key, body); err == nil && now.Code == s.Code && now.Message != "" {
		s.Message = now.Message
		if s.Code == protocol.CodeContractAborted {
			s.Message += fmt.Sprintf(" (its code %d: see its README)", s.GuestCode)
		}
	}
	return refusedStatus(s)
}

// refusedStatus is an outcome as an error; its sentence begins with the code's
// name, as those of nodes do.
func refusedStatus(s rest.Status) error {
	if !strings.HasPrefix(s.Message, s.Name) {
		s.Message = s.Name + ": " + s.Message
	}
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

// Upgrade gives a contract other code; args are those of its migration.
func (c *Client) Upgrade(ctx context.Context, key protocol.PrivateKey, contract protocol.Address, module, manifest []byte, args json.RawMessage) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Upgrade{
		Contract: contract, Deploy: protocol.Deploy{Code: module, Manifest: manifest, Args: args},
	})
}

// Control pauses or resumes a contract, or redelivers or skips an entry; index
// is 0 for the first two.
func (c *Client) Control(ctx context.Context, key protocol.PrivateKey, contract protocol.Address, action protocol.Action, index uint64) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Control{Contract: contract, Action: action, Index: index})
}

// ContractLogs lists what a contract said on the node that is asked, after a
// number, 0 for all it keeps.
func (c *Client) ContractLogs(ctx context.Context, contract string, after uint64) ([]rest.ContractLog, error) {
	list, err := read[rest.ContractLogs](ctx, c, "/v1/contracts/%s/logs?after=%d", url.PathEscape(contract), after)
	return list.Logs, err
}

// Contracts lists the deployed contracts.
func (c *Client) Contracts(ctx context.Context) ([]rest.Contract, error) {
	list, err := read[rest.Contracts](ctx, c, "/v1/contracts")
	return list.Contracts, err
}

// Contract finds a contract by name or address; ok is false where there is none.
func (c *Client) Contract(ctx context.Context, nameOrAddress string) (contract rest.Contract, ok bool, err error) {
	contract, err = read[rest.Contract](ctx, c, "/v1/contracts/%s", url.PathEscape(nameOrAddress))
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Code == protocol.CodeContractUnknown {
		return contract, false, nil
	}
	return contract, err == nil, err
}

// Query asks a contract; args are texts that its manifest says how to read.
func (c *Client) Query(ctx context.Context, contract, method string, args map[string]string) (json.RawMessage, error) {
	return c.QueryAt(ctx, contract, method, 0, args)
}

// QueryAt asks a contract about the state after a height; 0 is now.
func (c *Client) QueryAt(ctx context.Context, contract, method string, height uint64, args map[string]string) (json.RawMessage, error) {
	q := url.Values{}
	for name, value := range args {
		q.Set(name, value)
	}
	if height > 0 {
		q.Set("height", strconv.FormatUint(height, 10))
	}
	return read[json.RawMessage](ctx, c, "/v1/contracts/%s/query/%s?%s", url.PathEscape(contract), url.PathEscape(method), q.Encode())
}

// DeadLetters lists a contract's dead letters from an index on, at most 1,000 at once.
func (c *Client) DeadLetters(ctx context.Context, contract string, from uint64, limit int) ([]rest.DeadLetter, error) {
	page, err := read[rest.DeadLetters](ctx, c, "/v1/contracts/%s/dead-letters?from=%d&limit=%d", url.PathEscape(contract), from, limit)
	return page.DeadLetters, err
}
