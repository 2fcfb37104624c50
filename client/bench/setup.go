package bench

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// connect makes a client for each node, with the others to turn to, and reads
// the keys of the network's accounts.
func (r *run) connect() (err error) {
	doc, err := genesis.Load(filepath.Join(r.net.dir, "genesis.json"))
	if err != nil {
		return err
	}
	trust, err := doc.Trust()
	if err != nil {
		return err
	}
	for i := range r.net.nodes {
		var urls []string
		for j := range r.net.nodes {
			urls = append(urls, r.net.nodes[(i+j)%len(r.net.nodes)].API)
		}
		c, err := client.New(client.Config{Nodes: urls, Trust: trust})
		if err != nil {
			return err
		}
		r.clients = append(r.clients, c)
	}
	if r.producer, err = r.net.key("producer"); err != nil {
		return err
	}
	r.author, err = r.net.key("author")
	return err
}

// key reads the key of an account that the network was founded with.
func (d *devnet) key(name string) (key protocol.PrivateKey, err error) {
	text, err := os.ReadFile(filepath.Join(d.dir, "keys", name+".json"))
	if err != nil {
		return key, err
	}
	var file struct {
		Secret string `json:"secretKey"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return key, err
	}
	secret, err := hex.DecodeString(file.Secret)
	if err != nil {
		return key, fmt.Errorf("key %s: %w", name, err)
	}
	return protocol.PrivateKeyFromBytes(secret)
}

// setUpAtOnce is how many calls are under way while meters are registered.
const setUpAtOnce = 48

// setUpMeters registers every meter with a prepaid account of its own, so that
// each reading debits one.
func (r *run) setUpMeters(ctx context.Context) error {
	var subjects []string
	for _, s := range r.load.streams {
		for n := range uint64(subjectsPerStream) {
			if s.kind == metering {
				subjects = append(subjects, s.subject(n))
			}
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	fmt.Fprintf(r.Say, "registering %d prepaid meters\n", len(subjects))
	contract, ok, err := r.clients[0].Contract(ctx, "metering")
	if err != nil || !ok {
		return fmt.Errorf("contract metering: there is %t, %w", ok, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(setUpAtOnce)
	for i, meter := range subjects {
		c := r.clients[i%len(r.clients)]
		group.Go(func() error {
			for _, call := range [...]struct{ method, args string }{
				{"register", fmt.Sprintf(`{"meter":%q,"account":%q,"tariff":"bench","prepaid":true}`, meter, meter)},
				{"credit", fmt.Sprintf(`{"account":%q,"amount":%d}`, meter, uint64(1)<<50)},
			} {
				if _, err := c.Call(ctx, r.author, contract.Address, call.method, json.RawMessage(call.args)); err != nil {
					return fmt.Errorf("meter %s: %s: %w", meter, call.method, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}
