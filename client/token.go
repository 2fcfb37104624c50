package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Token does operations on tokens, all of them or none, and waits for the
// outcome. An outcome other than OK is a *Refusal. They are done at most once,
// however often the transaction has to be sent.
//
//	c.Token(ctx, key, protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "EUR", Account: to, Amount: 1250})
func (c *Client) Token(ctx context.Context, key protocol.PrivateKey, ops ...protocol.TokenOp) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.Token{Ops: ops})
}

// TryToken asks a node what operations would come to now. What is sent there
// expired long ago: the node cannot execute it.
func (c *Client) TryToken(ctx context.Context, key protocol.PrivateKey, ops ...protocol.TokenOp) (rest.DryRun, error) {
	return c.Try(ctx, key, &protocol.Token{Ops: ops})
}

// page is how much of a list is asked for at once.
const page = 1_000

// listed reads all pages of a list.
func listed[T, P any](ctx context.Context, c *Client, path string, height uint64, of func(P) []T, after func(T) string) (all []T, err error) {
	for last := ""; ; {
		from := ""
		if last != "" {
			from = "&after=" + url.QueryEscape(last)
		}
		answer, err := read[P](ctx, c, "%s?height=%d&limit=%d%s", path, height, page, from)
		if err != nil {
			return nil, err
		}
		more := of(answer)
		all = append(all, more...)
		if len(more) < page {
			return all, nil
		}
		last = after(more[len(more)-1])
	}
}

// Assets lists the assets at a height; 0 is now.
func (c *Client) Assets(ctx context.Context, height uint64) ([]protocol.Asset, error) {
	return listed(ctx, c, "/v1/assets", height,
		func(p rest.Assets) []protocol.Asset { return p.Assets }, func(a protocol.Asset) string { return a.Symbol })
}

// Asset finds an asset; ok is false where there is none.
func (c *Client) Asset(ctx context.Context, symbol string) (asset protocol.Asset, ok bool, err error) {
	answer, err := read[rest.Asset](ctx, c, "/v1/assets/%s", url.PathEscape(symbol))
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Code == protocol.CodeAssetUnknown {
		return asset, false, nil
	}
	return answer.Asset, err == nil, err
}

// Balances lists what an account has at a height; 0 is now. The account of a
// contract may be named instead.
func (c *Client) Balances(ctx context.Context, account string, height uint64) ([]rest.TokenBalance, error) {
	return listed(ctx, c, accountPath(account, "balances"), height,
		func(p rest.Balances) []rest.TokenBalance { return p.Balances }, func(b rest.TokenBalance) string { return b.Asset })
}

// Balance is what an account has of one asset at a height; 0 is now.
func (c *Client) Balance(ctx context.Context, account, asset string, height uint64) (rest.TokenBalance, error) {
	answer, err := read[rest.Balances](ctx, c, "%s/%s?height=%d", accountPath(account, "balances"), url.PathEscape(asset), height)
	if err == nil && len(answer.Balances) != 1 {
		err = fmt.Errorf("client: the node answered %d balances of one asset", len(answer.Balances))
	}
	if err != nil {
		return rest.TokenBalance{}, err
	}
	return answer.Balances[0], nil
}

// ProvenBalance is Balance by a receipt of the state, which is verified where
// the client trusts somebody: the balance, or that there is none.
func (c *Client) ProvenBalance(ctx context.Context, account protocol.Address, asset string, height uint64) (protocol.Balance, error) {
	receipt, err := c.StateReceipt(ctx, protocol.BalanceKey(account, asset), height)
	if err != nil {
		return protocol.Balance{}, err
	}
	return protocol.DecodeBalance(receipt.State.State.Value)
}

// Allowances lists what an account lets others debit, at a height; 0 is now.
func (c *Client) Allowances(ctx context.Context, account string, height uint64) ([]rest.Allowance, error) {
	return listed(ctx, c, accountPath(account, "allowances"), height,
		func(p rest.Allowances) []rest.Allowance { return p.Allowances },
		func(a rest.Allowance) string { return a.Spender.String() + "/" + a.Asset })
}

// TokenTerms lists the holds, streams or schedules an account is a party of.
func (c *Client) TokenTerms(ctx context.Context, account string, kind protocol.TokenKind, height uint64) ([]rest.TokenTerms, error) {
	plural := map[protocol.TokenKind]string{protocol.TokenHold: "holds", protocol.TokenStream: "streams", protocol.TokenSchedule: "schedules"}[kind]
	if plural == "" {
		return nil, fmt.Errorf("client: a %s is neither a hold nor a stream nor a schedule", kind)
	}
	return listed(ctx, c, accountPath(account, plural), height,
		func(p rest.TokenTermsList) []rest.TokenTerms { return p.Terms },
		func(t rest.TokenTerms) string { return fmt.Sprint(t.ID) })
}

// TokenRules are the rewards and fees in force.
func (c *Client) TokenRules(ctx context.Context) (rest.TokenRules, error) {
	return read[rest.TokenRules](ctx, c, "/v1/token-rules")
}

func accountPath(account, what string) string {
	return "/v1/accounts/" + url.PathEscape(account) + "/" + what
}
