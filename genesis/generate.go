package genesis

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Network is a generated ledger: its document, and the secrets that belong to it.
type Network struct {
	Document   *Document
	Validators []ed25519.PrivateKey           // by place in Document.Validators
	LogKeys    []ed25519.PrivateKey           // the same
	Accounts   map[string]protocol.PrivateKey // by name
}

// Generate makes a network of n equal validators and two accounts: "producer",
// which submits events, and "author", which deploys contracts and sits on the
// council. Keys come from the operating system's randomness.
func Generate(chainID string, n int, now time.Time) (*Network, error) {
	if n < 1 || n > maxValidators {
		return nil, fmt.Errorf("genesis: validators: must be 1 to %d, are %d", maxValidators, n)
	}
	net := &Network{
		Document: &Document{ChainID: chainID, Time: now.UTC().Truncate(time.Millisecond), Params: DefaultParams()},
		Accounts: map[string]protocol.PrivateKey{},
	}
	for i := range n {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("genesis: %w", err)
		}
		logPublic, logPrivate, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("genesis: %w", err)
		}
		net.Validators, net.LogKeys = append(net.Validators, private), append(net.LogKeys, logPrivate)
		net.Document.Validators = append(net.Document.Validators, Validator{
			Name: fmt.Sprintf("node%d", i), PubKey: Key(public), Power: 10, LogKey: Key(logPublic),
		})
	}
	for _, account := range [...]struct {
		name  string
		roles []string
	}{{"producer", []string{"producer"}}, {"author", []string{"author", "council"}}} {
		if _, err := net.AddAccount(account.name, account.roles...); err != nil {
			return nil, err
		}
	}
	return net, net.Document.Validate()
}

// AddAccount adds an account with a new key. Validate the document afterwards.
func (n *Network) AddAccount(name string, roles ...string) (protocol.PrivateKey, error) {
	key, err := protocol.NewPrivateKey()
	if err != nil {
		return key, fmt.Errorf("genesis: %w", err)
	}
	n.Accounts[name] = key
	n.Document.Accounts = append(n.Document.Accounts, Account{
		Name: name, PubKey: key.Public(), Address: key.Address(), Roles: roles,
	})
	return key, nil
}
