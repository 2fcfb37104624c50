package client

import (
	"context"
	"fmt"
	"net/url"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// ActAs makes a client ask the members of an account for what it is told to
// execute: the key that signs is a member's, and Execute ends with *Asked.
type ActAs struct {
	Account protocol.Address
	Blocks  uint64 // how long the members may take; 0 means 10,000
}

// actBlocks is how long members may take to agree, unless it is said.
const actBlocks = 10_000

// Asked is how Execute ends where the client acts as an account of several
// members and the others have yet to agree. It is no failure.
type Asked struct {
	Status rest.Status
	Act    uint64 // log index by which the others approve it
}

// Error says what to do.
func (a *Asked) Error() string {
	return fmt.Sprintf("asked the members at height %d; it is done when enough of them approve act %d", a.Status.Height, a.Act)
}

// body is what is signed for a body: itself, or the question to the members.
func (c *Client) body(body protocol.Body) protocol.Body {
	as := c.config.As
	if as == nil {
		return body
	}
	switch body.(type) {
	case *protocol.ProposeAct, *protocol.ApproveAct: // these are a member's own
		return body
	}
	blocks := as.Blocks
	if blocks == 0 {
		blocks = actBlocks
	}
	return &protocol.ProposeAct{Account: as.Account, Expiry: c.height.Load() + blocks, Body: body}
}

// asked tells what was done from what was only asked for: an act that is done
// at once, since nobody else has to agree, leaves its own entries first.
func (c *Client) asked(ctx context.Context, body protocol.Body, s rest.Status) error {
	if _, proposed := body.(*protocol.ProposeAct); !proposed || c.config.As == nil || s.Entries != 1 {
		return nil
	}
	e, err := c.Entry(ctx, s.FirstIndex)
	if err != nil || e.Kind != protocol.EntryAccount {
		return err
	}
	return &Asked{s, s.FirstIndex}
}

// Try asks a node what a body would come to now, as the key's account or, with
// ActAs, as that account once its members agree. What is sent there expired
// long ago: the node cannot execute it.
func (c *Client) Try(ctx context.Context, key protocol.PrivateKey, body protocol.Body) (rest.DryRun, error) {
	if c.config.As != nil {
		if _, err := c.Head(ctx); err != nil { // for the act's expiry
			return rest.DryRun{}, err
		}
	}
	return c.dryRun(ctx, key, c.body(body))
}

// dryRun is Try of a body that is already the one to be sent.
func (c *Client) dryRun(ctx context.Context, key protocol.PrivateKey, body protocol.Body) (rest.DryRun, error) {
	raw, err := protocol.SignTx(c.config.ChainID, key, 0, 0, body)
	if err != nil {
		return rest.DryRun{}, err
	}
	return get[rest.DryRun](ctx, c, request{path: "/v1/dry-run", body: raw})
}

// Account is what an account is and may do at a height; 0 is now. The account
// of a contract may be named instead.
func (c *Client) Account(ctx context.Context, account string, height uint64) (rest.Account, error) {
	return read[rest.Account](ctx, c, "/v1/accounts/%s?height=%d", url.PathEscape(account), height)
}

// AccountOf is the address of the account a key speaks for.
func (c *Client) AccountOf(ctx context.Context, key protocol.PublicKey) (protocol.Address, error) {
	a, err := c.Account(ctx, key.Address().String(), 0)
	if err == nil && a.KeyOf != nil {
		return *a.KeyOf, nil
	}
	return key.Address(), err
}

// ProvenAccount is Account by a receipt of the state, which is verified where
// the client trusts somebody: the record, or that there is none.
func (c *Client) ProvenAccount(ctx context.Context, account protocol.Address, height uint64) (protocol.Account, error) {
	receipt, err := c.StateReceipt(ctx, protocol.AccountKey(account), height)
	if err != nil {
		return protocol.Account{}, err
	}
	found, link, err := protocol.DecodeAccount(receipt.State.State.Value)
	if err == nil && link != nil {
		err = fmt.Errorf("client: %s is the address of a later key of %s", account, link)
	}
	return found, err
}

// Accounts lists those with a role at a height, or with "" every one that
// somebody gave something to.
func (c *Client) Accounts(ctx context.Context, role string, height uint64) (all []rest.AccountRow, err error) {
	for after := ""; ; {
		answer, err := read[rest.Accounts](ctx, c, "/v1/accounts?role=%s&height=%d&limit=%d&after=%s", url.QueryEscape(role), height, page, after)
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Accounts...)
		if answer.Next == nil {
			return all, nil
		}
		after = answer.Next.String()
	}
}

// RotateKey has another key speak for the key's account from a height on.
func (c *Client) RotateKey(ctx context.Context, key, next protocol.PrivateKey, from uint64) (rest.Status, error) {
	account, err := c.AccountOf(ctx, key.Public())
	if err != nil {
		return rest.Status{}, err
	}
	return c.Execute(ctx, key, protocol.NewRotate(c.config.ChainID, account, next, from))
}

// RevokeAccount ends the key's account: no key speaks for it any more.
func (c *Client) RevokeAccount(ctx context.Context, key protocol.PrivateKey) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Revoke{})
}

// CreateMultisig makes an account as which threshold of its members act, and
// answers its address.
func (c *Client) CreateMultisig(ctx context.Context, key protocol.PrivateKey, name string, m protocol.Multisig) (protocol.Address, rest.Status, error) {
	creator, err := c.AccountOf(ctx, key.Public())
	if err != nil {
		return protocol.Address{}, rest.Status{}, err
	}
	s, err := c.Execute(ctx, key, &protocol.CreateMultisig{Name: name, Multisig: m})
	return protocol.MultisigAddress(creator, name), s, err
}

// ApproveAct agrees to what a member asked the key's account to do as an
// account of theirs. The approval that is enough executes it.
func (c *Client) ApproveAct(ctx context.Context, key protocol.PrivateKey, act uint64) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.ApproveAct{Act: act})
}

// Acts lists what waits for the approval of an account's members.
func (c *Client) Acts(ctx context.Context, account string) ([]rest.Act, error) {
	answer, err := read[rest.Acts](ctx, c, "/v1/accounts/%s/acts", url.PathEscape(account))
	return answer.Acts, err
}
