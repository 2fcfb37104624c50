package contracttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/sim"
)

// Args are arguments by name. Use integers, strings, booleans and, for
// decimals, json.Number: floats do not say what they look like.
type Args map[string]any

func (a Args) bytes(t testing.TB) []byte {
	t.Helper()
	if a == nil {
		return nil
	}
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatalf("arguments: %v", err)
	}
	return text
}

// Options of a ledger. The zero value will do.
type Options struct {
	Start string // block time at the founding, RFC 3339; 2024-01-01T00:00:00Z when empty
	// Accounts are founding accounts with their roles, beside "producer", which
	// sends the events, "author", which deploys, and alice, bob and carol, who
	// may send events and call.
	Accounts []sim.Account
	Params   func(*genesis.Params) // changes the ledger's default rules
	// Interpreter runs the contracts without compiling them.
	Interpreter bool
}

// ledger is what the contracts of one test share.
type ledger struct {
	t         testing.TB
	sim       *sim.Ledger
	contracts []*Contract
	last      *Result // of the last act of the test, until its refusals were complained of
	events    int     // sent, for their ids
	entries   []sim.Entry
}

// Contract is a contract on a ledger in memory. Contracts deployed beside one
// another get each other's events.
type Contract struct {
	*ledger
	Name    string
	address protocol.Address
	since   uint64 // height of its deployment
	letters int    // dead letters noted so far
}

// Deploy founds a ledger and deploys a contract on it: NAME.wasm and
// manifest.json of this folder or of the folder NAME beside it, or of the
// folder that name is the path of.
func Deploy(t testing.TB, name string, args Args) *Contract {
	t.Helper()
	return Found(t, Options{}).Deploy(name, args)
}

// RefuseDeploy expects a deployment to be refused with the contract's own code,
// by its initialisation.
func RefuseDeploy(t testing.TB, name string, args Args, code uint32) {
	t.Helper()
	module, manifest := read(t, name)
	RefuseModule(t, module, manifest, args, protocol.CodeContractAborted, code)
}

// RefuseModule expects the deployment of a module that is not in a file to be
// refused; guestCode is the contract's own with CodeContractAborted, or else 0.
// It answers the reason.
func RefuseModule(t testing.TB, module, manifest []byte, args Args, code protocol.Code, guestCode uint32) string {
	t.Helper()
	l := Found(t, Options{})
	_, err := l.sim.Deploy(module, manifest, args.bytes(t))
	var refused *sim.Refused
	switch {
	case err == nil:
		t.Errorf("deployment\nexpected %s\ngot      success", codeText(code, guestCode))
		return ""
	case !errors.As(err, &refused) || refused.Code != code || refused.GuestCode != guestCode:
		t.Errorf("deployment\nexpected %s\ngot      %v", codeText(code, guestCode), err)
	}
	return err.Error()
}

// Found founds a ledger without contracts.
func Found(t testing.TB, o Options) *Contract {
	t.Helper()
	so := sim.Options{Params: o.Params, Accounts: o.Accounts, Interpreter: o.Interpreter}
	if o.Start != "" {
		so.Start = parseTime(t, o.Start)
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		so.Accounts = append(slices.Clip(so.Accounts), sim.Account{Name: name, Roles: []string{"author", "producer"}})
	}
	s, err := sim.New(so)
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{t: t, sim: s}
	t.Cleanup(l.end)
	return &Contract{ledger: l}
}

// Address is where an account lives, on every ledger of this package.
func Address(account string) protocol.Address { return sim.Address(account) }

// Address is where the contract lives.
func (c *Contract) Address() protocol.Address { return c.address }

func parseTime(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// end holds the whole history to account.
func (l *ledger) end() {
	l.complain()
	if !l.t.Failed() {
		if replayed, err := l.sim.Replay(); err != nil {
			l.t.Errorf("replayed from its founding the ledger comes to another result: %v", err)
		} else if err := replayed.Close(); err != nil {
			l.t.Error(err)
		}
	}
	if err := l.sim.Close(); err != nil {
		l.t.Error(err)
	}
}

// Deploy deploys another contract on the same ledger.
func (l *ledger) Deploy(name string, args Args) *Contract {
	l.t.Helper()
	module, manifest := read(l.t, name)
	return l.DeployModule(module, manifest, args)
}

// DeployModule deploys a module that is not in a file.
func (l *ledger) DeployModule(module, manifest []byte, args Args) *Contract {
	l.t.Helper()
	c := &Contract{ledger: l, Name: "the contract"}
	r := l.begin(c, "deployment")
	address, err := l.sim.Deploy(module, manifest, args.bytes(l.t))
	if err != nil {
		l.t.Fatalf("deployment\nexpected success\ngot      %v", err)
	}
	m, err := abi.ParseManifest(manifest)
	if err != nil {
		l.t.Fatal(err)
	}
	c.Name, c.address, c.since = m.Name, address, r.from
	l.contracts = append(l.contracts, c)
	l.settle(r)
	return c
}

// read finds a built contract.
func read(t testing.TB, name string) (module, manifest []byte) {
	t.Helper()
	base := filepath.Base(name)
	var tried []string
	for _, dir := range []string{".", filepath.Join("..", name), name} {
		file := filepath.Join(dir, base+".wasm")
		module, err := os.ReadFile(file)
		if err != nil {
			tried = append(tried, file)
			continue
		}
		manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		return module, manifest
	}
	t.Fatalf("%s is not built: there is none of %s; run scripts/build-contracts.sh %s", base, strings.Join(tried, ", "), base)
	return nil, nil
}

// Advance moves the block time on; a block is made then, and timers fire.
func (c *Contract) Advance(d time.Duration) *Result {
	c.t.Helper()
	r := c.begin(c, "the block "+d.String()+" later")
	if _, err := c.sim.Advance(d); err != nil {
		c.t.Fatal(err)
	}
	return c.settle(r)
}

// At moves the block time on to a moment, RFC 3339, as Advance does.
func (c *Contract) At(moment string) *Result {
	c.t.Helper()
	return c.Advance(parseTime(c.t, moment).Sub(c.sim.Now()))
}

// Sim is the ledger itself, for what this package has no words for.
func (l *ledger) Sim() *sim.Ledger { return l.sim }

// caller is the line of the test that is running.
func caller() string {
	_, own, _, _ := runtime.Caller(0)
	for depth := 1; ; depth++ {
		_, file, line, ok := runtime.Caller(depth)
		if !ok {
			return "?"
		}
		if filepath.Dir(file) != filepath.Dir(own) || strings.HasSuffix(file, "_test.go") {
			return fmt.Sprintf("%s:%d", filepath.Base(file), line)
		}
	}
}
