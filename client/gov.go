package client

import (
	"context"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// votingBlocks is how long a proposal is open, unless it is said.
const votingBlocks = 10_000

// Propose asks the council for actions, all of them or none, within so many
// blocks; 0 means 10,000. The proposal is known by the status's first index.
func (c *Client) Propose(ctx context.Context, key protocol.PrivateKey, title string, blocks uint64, actions ...protocol.GovAction) (rest.Status, error) {
	body, err := c.NewProposal(ctx, title, blocks, actions...)
	if err != nil {
		return rest.Status{}, err
	}
	return c.Execute(ctx, key, body)
}

// NewProposal is the body of a proposal that is open for so many blocks.
func (c *Client) NewProposal(ctx context.Context, title string, blocks uint64, actions ...protocol.GovAction) (*protocol.Propose, error) {
	head, err := c.Head(ctx)
	if err != nil {
		return nil, err
	}
	if blocks == 0 {
		blocks = votingBlocks
	}
	return &protocol.Propose{Title: title, Expiry: head.Height + blocks, Actions: actions}, nil
}

// Vote votes on a proposal; until it closes, another vote takes its place.
func (c *Client) Vote(ctx context.Context, key protocol.PrivateKey, proposal uint64, yes bool) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Vote{Proposal: proposal, Yes: yes})
}

// Withdraw takes a proposal of the key's account back.
func (c *Client) Withdraw(ctx context.Context, key protocol.PrivateKey, proposal uint64) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Withdraw{Proposal: proposal})
}

// Raise disputes an entry. The dispute is known by the status's first index.
func (c *Client) Raise(ctx context.Context, key protocol.PrivateKey, entry uint64, text string) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Raise{Entry: entry, Text: text})
}

// Resolve ends a dispute; the key's account is an arbiter.
func (c *Client) Resolve(ctx context.Context, key protocol.PrivateKey, dispute uint64, ruling protocol.Ruling, text string) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Resolve{Dispute: dispute, Ruling: ruling, Text: text})
}

// Council lists who votes at a height; 0 is now.
func (c *Client) Council(ctx context.Context, height uint64) (rest.Council, error) {
	return read[rest.Council](ctx, c, "/v1/council?height=%d", height)
}

// Proposals lists the proposals, or with open those that can be voted on.
func (c *Client) Proposals(ctx context.Context, open bool) (all []protocol.Proposal, err error) {
	for after := ""; ; {
		answer, err := read[rest.Proposals](ctx, c, "/v1/proposals?open=%t&limit=%d%s", open, page, after)
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Proposals...)
		if answer.Next == nil {
			return all, nil
		}
		after = "&after=" + strconv.FormatUint(*answer.Next, 10)
	}
}

// Proposal is one with its votes, as it stood at a height; 0 is now.
func (c *Client) Proposal(ctx context.Context, index, height uint64) (rest.Proposal, error) {
	return read[rest.Proposal](ctx, c, "/v1/proposals/%d?height=%d", index, height)
}

// Validators is who signs the block of a height; 0 is the newest.
func (c *Client) Validators(ctx context.Context, height uint64) (rest.Validators, error) {
	return read[rest.Validators](ctx, c, "/v1/validators?height=%d", height)
}

// ValidatorSets lists the sets of validators there were, the first one first.
func (c *Client) ValidatorSets(ctx context.Context) (all []protocol.ValidatorSet, err error) {
	for after := uint64(0); ; {
		answer, err := read[rest.ValidatorSets](ctx, c, "/v1/validators/sets?after=%d", after)
		if err != nil || len(answer.Sets) == 0 {
			return all, err
		}
		all = append(all, answer.Sets...)
		after = answer.Sets[len(answer.Sets)-1].Since
	}
}

// Nodes lists who is let in as a peer.
func (c *Client) Nodes(ctx context.Context) ([]rest.AdmittedNode, error) {
	answer, err := read[rest.Nodes](ctx, c, "/v1/nodes")
	return answer.Nodes, err
}

// Disputes lists what was disputed.
func (c *Client) Disputes(ctx context.Context) (all []protocol.DisputeRecord, err error) {
	for after := ""; ; {
		answer, err := read[rest.Disputes](ctx, c, "/v1/disputes?limit=%d%s", page, after)
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Disputes...)
		if answer.Next == nil {
			return all, nil
		}
		after = "&after=" + strconv.FormatUint(*answer.Next, 10)
	}
}
