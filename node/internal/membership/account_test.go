package membership

import (
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// memory is a state in a map.
type memory map[string][]byte

func (m memory) Get(key []byte) ([]byte, bool, error) { v, ok := m[string(key)]; return v, ok, nil }
func (m memory) Set(key, value []byte) error          { m[string(key)] = value; return nil }
func (m memory) Delete(key []byte) error              { delete(m, string(key)); return nil }

func (m memory) Scan(prefix, after []byte, limit int) ([]state.KV, error) {
	var found []state.KV
	for key, value := range m {
		if strings.HasPrefix(key, string(prefix)) && key > string(after) {
			found = append(found, state.KV{Key: []byte(key), Value: value})
		}
	}
	slices.SortFunc(found, func(a, b state.KV) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return found[:min(limit, len(found))], nil
}

const chain = "cairn-test"

func secret(n byte) protocol.PrivateKey {
	key, err := protocol.PrivateKeyFromBytes([]byte(strings.Repeat(string(rune(n)), 32)))
	if err != nil {
		panic(err)
	}
	return key
}

func wantCode(t *testing.T, err error, want protocol.Code) {
	t.Helper()
	if code, ok := protocol.CodeOf(err); !ok || code != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

func TestRolesAreRequired(t *testing.T) {
	s, a := memory{}, protocol.Address{1}
	stranger, err := Resolve(s, a, 1)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, stranger.Require(Producer), protocol.CodeUnauthorized)
	if err := SetRoles(s, a, Producer|Author); err != nil {
		t.Fatal(err)
	}
	p, err := Resolve(s, a, 1)
	if err != nil || p.Roles.String() != "producer+author" {
		t.Fatal(p, err)
	}
	if err := p.Require(Author); err != nil {
		t.Fatal(err)
	}
	wantCode(t, p.Require(Council), protocol.CodeUnauthorized)
	for _, bad := range [][]string{{"king"}, {"author", "author"}} {
		if _, err := ParseRoles(bad); err == nil {
			t.Errorf("%v accepted", bad)
		}
	}
}

// speaks says which of some keys speak for an account at a height.
func speaks(t *testing.T, s memory, account protocol.Address, height uint64, keys ...protocol.PrivateKey) (names string) {
	t.Helper()
	for i, key := range keys {
		p, err := Resolve(s, key.Address(), height)
		switch _, refused := protocol.CodeOf(err); {
		case err == nil && p.Address == account:
			names += string(rune('a' + i))
		case err != nil && !refused:
			t.Fatal(err)
		}
	}
	return names
}

func rotate(t *testing.T, s memory, present, next protocol.PrivateKey, height, from uint64) error {
	t.Helper()
	p, err := Resolve(s, present.Address(), height)
	if err != nil {
		return err
	}
	return Rotate(s, chain, &p, present.Public(), height, protocol.NewRotate(chain, p.Address, next, from))
}

// At every height exactly one key speaks for an account, whatever the rotations.
func TestOneKeySpeaksAtEachHeight(t *testing.T) {
	s, a, b, c, d := memory{}, secret('a'), secret('b'), secret('c'), secret('d')
	account := a.Address()
	for _, step := range []struct {
		present, next protocol.PrivateKey
		height, from  uint64
	}{{a, b, 10, 20}, {b, c, 30, 31}, {c, d, 40, 100}, {c, a, 50, 60}, {c, b, 50, 60}, {c, secret('e'), 50, 60}} {
		err := rotate(t, s, step.present, step.next, step.height, step.from)
		if reused := step.next.Address() == a.Address() || step.next.Address() == b.Address() && step.height == 50; reused {
			wantCode(t, err, protocol.CodeKeyTaken)
		} else if err != nil {
			t.Fatalf("%+v: %v", step, err)
		}
	}
	for _, want := range []struct {
		height uint64
		key    string
	}{{50, "c"}, {59, "c"}, {60, "e"}, {1 << 40, "e"}} {
		if got := speaks(t, s, account, want.height, a, b, c, d, secret('e')); got != want.key {
			t.Errorf("height %d: %q speaks, want %q", want.height, got, want.key)
		}
	}
	// d never spoke and was let go: it is free again.
	if p, err := Resolve(s, d.Address(), 60); err != nil || p.Address != d.Address() {
		t.Errorf("%v %v", p.Address, err)
	}
}

func TestRotationRefusals(t *testing.T) {
	s, a, b := memory{}, secret('a'), secret('b')
	if err := SetRoles(s, secret('m').Address(), Author); err != nil {
		t.Fatal(err)
	}
	wantCode(t, rotate(t, s, a, b, 10, 10), protocol.CodeCutOver)
	wantCode(t, rotate(t, s, a, b, 10, 11+MaxCutOver), protocol.CodeCutOver)
	wantCode(t, rotate(t, s, a, a, 10, 12), protocol.CodeKeyTaken)
	wantCode(t, rotate(t, s, a, secret('m'), 10, 12), protocol.CodeKeyTaken) // a member's key stays that member's
	p := Party{Address: a.Address()}
	foreign := protocol.NewRotate("another", a.Address(), b, 12)
	wantCode(t, Rotate(s, chain, &p, a.Public(), 10, foreign), protocol.CodeBadSignature)
	stolen := protocol.NewRotate(chain, a.Address(), b, 12)
	p = Party{Address: secret('x').Address()} // another account cannot use the consent given to this one
	wantCode(t, Rotate(s, chain, &p, secret('x').Public(), 10, stolen), protocol.CodeBadSignature)
}

func TestRevocationAndRecovery(t *testing.T) {
	s, a, b, c := memory{}, secret('a'), secret('b'), secret('c')
	account := a.Address()
	if err := SetRoles(s, account, Author); err != nil {
		t.Fatal(err)
	}
	if err := rotate(t, s, a, b, 5, 100); err != nil {
		t.Fatal(err)
	}
	if err := Revoke(s, account); err != nil {
		t.Fatal(err)
	}
	if got := speaks(t, s, account, 200, a, b); got != "" {
		t.Fatalf("%q speaks for a revoked account", got)
	}
	if err := Recover(s, chain, account, c.Public(), c.Sign(protocol.RotationDigest(chain, account, c.Public(), 0))); err != nil {
		t.Fatal(err)
	}
	if got := speaks(t, s, account, 200, a, b, c); got != "c" {
		t.Fatalf("%q speaks after the recovery", got)
	}
	if p, err := Resolve(s, c.Address(), 1); err != nil || p.Roles != Author {
		t.Fatalf("%v %v", p.Roles, err)
	}
}

func TestQuotaCountsByWindow(t *testing.T) {
	s, p := memory{}, Party{Address: protocol.Address{1}}
	p.Quota = protocol.Quota{Blocks: 10, Events: 5, Gas: 100}
	use := func(height uint64, a Amount) error {
		if err := Admit(s, &p, height, a); err != nil {
			return err
		}
		return Use(s, &p, height, a)
	}
	for _, step := range []struct {
		height uint64
		amount Amount
		over   bool
	}{
		{12, Amount{Events: 5, Bytes: 1 << 50}, false}, {19, Amount{Events: 1}, true}, {19, Amount{Gas: 100}, false},
		{19, Amount{Gas: 1}, true}, {20, Amount{Events: 6}, true}, {20, Amount{Events: 3, Gas: ^uint64(0)}, true}, {20, Amount{Events: 3}, false},
		{29, Amount{Events: 2}, false}, {29, Amount{Events: 1}, true}, {30, Amount{Events: 1}, false},
	} {
		err := use(step.height, step.amount)
		if !step.over && err == nil {
			continue
		}
		wantCode(t, err, protocol.CodeOverQuota)
		if over, ok := err.(*OverQuota); !ok || over.Until != step.height/10*10+10 {
			t.Errorf("height %d: the window ends at %+v", step.height, over)
		}
	}
	if left, err := GasLeft(s, &p, 19, 1000); err != nil || left != 100 { // usage is of another window by now
		t.Errorf("%d %v", left, err)
	}
}
