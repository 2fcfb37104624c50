package bench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

const (
	// setUpAtOnce is how many meters are set up at a time.
	setUpAtOnce = 200
	// money is the asset that readings are paid in.
	money = "EUR"
	// funds are what each payer has and allows.
	funds = 1 << 50
	// leastDebit is less than any reading costs, in minor units: 1.1 at 40 each.
	leastDebit = 40
)

// meterTariff is the deployment's: a flat price, and readings that are stamped
// with their start.
const meterTariff = `{"stamp":"start","asset":"` + money + `","tariff":"bench","effective":"2000-01-01T00:00:00Z","bands":"flat 40"}`

// meters are what the metering contract bills.
type meters struct {
	contract protocol.Address
	payers   map[string]protocol.PrivateKey // by meter
}

// setUpMeters gives every meter a payer of its own, who allows the contract to
// debit: then each reading is a debit of the ledger's own tokens.
func (r *run) setUpMeters(ctx context.Context) error {
	var names []string
	for _, s := range r.load.streams {
		for n := range uint64(subjectsPerStream) {
			if s.kind == metering {
				names = append(names, s.subject(n))
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	fmt.Fprintf(r.Say, "setting up %d meters, each with a payer\n", len(names))
	contract, ok, err := r.clients[0].Contract(ctx, "metering")
	if err != nil || !ok {
		return fmt.Errorf("contract metering: there is %t, %w", ok, err)
	}
	r.meters = &meters{contract: contract.Address, payers: map[string]protocol.PrivateKey{}}
	ops := []protocol.TokenOp{{Kind: protocol.TokenIssue, Asset: money, Decimals: 2}}
	for _, name := range names {
		key, err := protocol.NewPrivateKey()
		if err != nil {
			return err
		}
		r.meters.payers[name] = key
		ops = append(ops, protocol.TokenOp{Kind: protocol.TokenMint, Asset: money, Account: key.Address(), Amount: funds})
	}
	for at := 0; at < len(ops); at += protocol.MaxTokenOps {
		if _, err := r.clients[0].Token(ctx, r.author, ops[at:min(at+protocol.MaxTokenOps, len(ops))]...); err != nil {
			return fmt.Errorf("money of the payers: %w", err)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(setUpAtOnce)
	for i, name := range names {
		group.Go(func() error {
			if err := r.meters.setUp(ctx, r.clients[i%len(r.clients)], r.author, name); err != nil {
				return fmt.Errorf("meter %s: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// setUp registers one meter and has its readings paid.
func (m *meters) setUp(ctx context.Context, c *client.Client, author protocol.PrivateKey, name string) error {
	payer := m.payers[name]
	allow := protocol.TokenOp{Kind: protocol.TokenAllow, Asset: money, Account: m.contract, Amount: funds}
	if _, err := c.Token(ctx, payer, allow); err != nil {
		return err
	}
	address := payer.Address()
	for _, call := range [...]struct{ method, args string }{
		{"register", fmt.Sprintf(`{"meter":%q,"account":%q,"tariff":"bench"}`, name, name)},
		{"payBy", fmt.Sprintf(`{"meter":%q,"payer":%q}`, name, base64.StdEncoding.EncodeToString(address[:]))},
	} {
		if _, err := c.Call(ctx, author, m.contract, call.method, json.RawMessage(call.args)); err != nil {
			return fmt.Errorf("%s: %w", call.method, err)
		}
	}
	return nil
}

// checkPaid compares what was collected with how many readings there were.
func (r *run) checkPaid(ctx context.Context) error {
	if r.meters == nil {
		return nil
	}
	readings := uint64(0)
	for _, s := range r.load.streams {
		if s.kind == metering {
			readings += s.sent
		}
	}
	collected, err := r.clients[0].Balance(ctx, r.meters.contract.String(), money, 0)
	if err != nil {
		return err
	}
	if collected.Amount < readings*leastDebit {
		return fmt.Errorf("no figures: %d readings were to be paid, and %d minor units were collected", readings, collected.Amount)
	}
	return nil
}
