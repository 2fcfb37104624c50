package sim

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// Names of the accounts that every ledger has.
const (
	Producer = "producer" // submits events
	Author   = "author"   // deploys and calls contracts, and is the council
)

// Account is a founding account beside Producer and Author.
type Account struct {
	Name  string
	Roles []string
}

// key is an account's secret: it follows from the name, so that every ledger
// gives an account of this name the same address.
func key(name string) protocol.PrivateKey {
	secret := sha256.Sum256([]byte("simulated account " + name))
	k, err := protocol.PrivateKeyFromBytes(secret[:])
	if err != nil {
		panic(fmt.Sprintf("sim: the hash of %q is no secret key: %v", name, err)) // one in 2^127 is none
	}
	return k
}

// Address is where an account of this name lives, on every simulated ledger.
func Address(name string) protocol.Address { return key(name).Address() }

// found makes the founding document: what a generated network of one validator
// has, with keys that follow from the names.
func found(o *Options) (*genesis.Document, error) {
	generated, err := genesis.Generate(o.ChainID, 1, o.Start)
	if err != nil {
		return nil, err
	}
	doc := generated.Document
	for i := range doc.Validators {
		v := &doc.Validators[i]
		v.PubKey, v.LogKey = genesis.Key(ed25519Key("validator "+v.Name)), genesis.Key(ed25519Key("log of "+v.Name))
	}
	for _, a := range o.Accounts {
		if slices.ContainsFunc(doc.Accounts, func(b genesis.Account) bool { return b.Name == a.Name }) {
			return nil, fmt.Errorf("account %q is there twice", a.Name)
		}
		doc.Accounts = append(doc.Accounts, genesis.Account{Name: a.Name, Roles: a.Roles})
	}
	for i := range doc.Accounts {
		a := &doc.Accounts[i]
		a.PubKey, a.Address = key(a.Name).Public(), Address(a.Name)
	}
	if o.Params != nil {
		o.Params(&doc.Params)
	}
	return doc, doc.Validate()
}

// ed25519Key is a public key that follows from what it is called.
func ed25519Key(name string) ed25519.PublicKey {
	seed := sha256.Sum256([]byte("simulated " + name))
	return ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
}

// defaultStart is the founding time of a ledger that is given none.
var defaultStart = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
