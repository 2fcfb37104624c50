package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
)

// Trust is what the client trusts now, as far as it has followed changes of
// the validators; nil where it trusts nobody.
func (c *Client) Trust() *proof.Trust {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trust == nil {
		return nil
	}
	return c.trust.Clone()
}

// UpdateTrust follows the validators from the set trusted now to the one that
// signs today. Nodes are asked for the steps and believed nothing: every step
// is verified. period bounds the age of what is trusted now; 0 sets no bound.
func (c *Client) UpdateTrust(ctx context.Context, period time.Duration) (*proof.Trust, error) {
	trust := c.Trust()
	if trust == nil {
		return nil, errors.New("client: there is no trust to update; Config.Trust says where to begin")
	}
	for {
		from := trust.Latest().Seen
		path, err := read[proof.TrustPath](ctx, c, "/v1/trust?from=%d", from)
		if err != nil {
			return nil, fmt.Errorf("client: steps of trust from height %d on: %w", from, err)
		}
		if path.ChainID != trust.ChainID() {
			return nil, fmt.Errorf("client: the node sent steps of chain %q", path.ChainID)
		}
		if err := trust.Extend(path.Steps, time.Now(), period); err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
		if len(path.Steps) == 0 || trust.Latest().Seen <= from {
			break
		}
		period = 0 // what was just verified is as new as it gets
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trust.Latest().Seen < trust.Latest().Seen {
		c.trust = trust.Clone()
	}
	return trust, nil
}

// Verify checks a receipt with what the client trusts. Where the validators
// may have changed since, it follows them first and tries once more.
func (c *Client) Verify(ctx context.Context, r *proof.Receipt) (proof.Statement, error) {
	trust := c.Trust()
	if trust == nil {
		return proof.Statement{}, errors.New("client: nothing is trusted; Config.Trust says what is")
	}
	statement, err := r.VerifyWith(trust)
	if err == nil || !othersMaySign(err) || r.Commit.Height <= trust.Latest().Seen {
		return statement, err
	}
	trust, updateErr := c.UpdateTrust(ctx, 0)
	if updateErr != nil {
		return statement, errors.Join(err, updateErr)
	}
	return r.VerifyWith(trust)
}

// othersMaySign says whether a receipt fails as one that another set signed.
func othersMaySign(err error) bool {
	for _, sign := range [...]error{proof.ErrUnsigned, proof.ErrValidator, proof.ErrSignature, proof.ErrPower} {
		if errors.Is(err, sign) {
			return true
		}
	}
	return false
}
