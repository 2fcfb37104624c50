package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/gateway"
)

// GatewayKeyFile holds the key of the account that the node submits events
// with on behalf of others. Whoever has it can submit events as this node.
const GatewayKeyFile = "gateway-key.json"

// accountKey is an account's key at rest, as clients read it too.
type accountKey struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Public  string `json:"publicKey"`
	Secret  string `json:"secretKey"`
}

// WriteAccountKey writes an account's key for its owner's eyes only. A file
// that is there is not replaced.
func WriteAccountKey(path, name string, key protocol.PrivateKey) error {
	text, err := json.MarshalIndent(accountKey{name, key.Address().String(), key.Public().String(), hex.EncodeToString(key.Bytes())}, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	return errors.Join(err, file.Close())
}

// readGatewayKey reads a home's gateway key; ok is false where there is none.
func readGatewayKey(home string) (key protocol.PrivateKey, ok bool, err error) {
	path := filepath.Join(home, GatewayKeyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return key, false, nil
	}
	if err != nil {
		return key, false, err
	}
	var at accountKey
	if err := json.Unmarshal(text, &at); err != nil {
		return key, false, fmt.Errorf("gateway key: %s: %w", path, err)
	}
	secret, err := hex.DecodeString(at.Secret)
	if err == nil {
		key, err = protocol.PrivateKeyFromBytes(secret)
	}
	if err != nil {
		return key, false, fmt.Errorf("gateway key: %s holds no secret key", path) // the cause could quote it
	}
	return key, true, nil
}

// newGateway makes the node's gateway; nil where the home has no key for one.
func (n *Node) newGateway(home string, ledger gateway.Ledger) (*gateway.Gateway, error) {
	key, ok, err := readGatewayKey(home)
	if err != nil || !ok {
		return nil, err
	}
	return gateway.New(gateway.Config{Key: key, ChainID: n.genesis.ChainID, DB: n.local, Ledger: ledger, Log: n.log.With("in", "gateway")}), nil
}

// Conforms refuses an event that the schema of its type, as the newest block
// has it, refuses.
func (b *backend) Conforms(events []protocol.Event) error {
	view, _, err := b.viewAt(0)
	if err != nil {
		return err
	}
	return b.machine.Conforms(view, events)
}

// serve starts what runs beside the API, until ctx ends.
func (n *Node) serve(ctx context.Context, work *sync.WaitGroup) {
	work.Go(func() { n.subscriptions.Run(ctx) })
	if n.traces != nil {
		work.Go(func() { n.traces.run(ctx) })
	}
	if n.gateway == nil {
		return
	}
	handler := n.api.Handler()
	work.Go(func() {
		if err := n.gateway.Run(ctx, handler); err != nil {
			n.log.Error("the gateway ended", "err", err)
		}
	})
}
