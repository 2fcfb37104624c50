package shipped

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// tokens is the real bank over a state in memory, for the transcripts of
// contracts that the SDK's native host gave tokens.
type tokens struct {
	self    protocol.Address
	pairs   map[string][]byte
	before  map[string][]byte // what a run that fails goes back to
	issuers map[string]protocol.Address
}

func (b *tokens) address() protocol.Address {
	if b == nil {
		return protocol.Address{}
	}
	return b.self
}

// keep ends a run.
func (b *tokens) keep(succeeded bool) {
	if b == nil {
		return
	}
	if !succeeded {
		b.pairs = maps.Clone(b.before)
	}
	b.before = maps.Clone(b.pairs)
}

// openBank does what a line of the transcript prepared in the native bank; ok
// is false where it is another line.
func (l *ledger) openBank(t testing.TB, line string) (ok bool) {
	words := strings.Fields(line)
	address := func(text string) protocol.Address {
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != 20 {
			t.Fatalf("transcript line %q: %v", line, err)
		}
		return protocol.Address(raw)
	}
	apply := func(by protocol.Address, op protocol.TokenOp) {
		if _, err := bank.New(l.bank, 1).Apply(by, &op); err != nil {
			t.Fatalf("transcript line %q: %v", line, err)
		}
		l.bank.keep(true)
	}
	amount := func() (n uint64) {
		if _, err := fmt.Sscan(words[3], &n); err != nil {
			t.Fatalf("transcript line %q: %v", line, err)
		}
		return n
	}
	switch words[0] {
	case "self":
		l.bank = &tokens{self: address(words[1]), pairs: map[string][]byte{}, issuers: map[string]protocol.Address{}}
	case "issue":
		l.bank.issuers[words[1]] = address(words[2])
		apply(address(words[2]), protocol.TokenOp{Kind: protocol.TokenIssue, Asset: words[1]})
	case "endow":
		apply(l.bank.issuers[words[1]], protocol.TokenOp{Kind: protocol.TokenMint, Asset: words[1], Account: address(words[2]), Amount: amount()})
	case "allow":
		apply(address(words[2]), protocol.TokenOp{Kind: protocol.TokenAllow, Asset: words[1], Account: l.bank.self, Amount: amount()})
	default:
		return false
	}
	return true
}

// given says whether a line of a transcript prepares the bank.
func given(line string) bool {
	word, _, _ := strings.Cut(line, " ")
	return slices.Contains([]string{"self", "issue", "endow", "allow"}, word)
}

// Balance implements vm.Host, as Token does.
func (l *ledger) Balance(asset string, account protocol.Address) (uint64, error) {
	if l.bank == nil {
		return l.Alone.Balance(asset, account)
	}
	b, err := bank.ReadBalance(l.bank, account, asset)
	return b.Amount, err
}

func (l *ledger) Token(op *protocol.TokenOp) (vm.TokenResult, error) {
	if l.bank == nil {
		return l.Alone.Token(op)
	}
	id, err := bank.New(l.bank, 1).Apply(l.bank.self, op)
	code, refused := protocol.CodeOf(err)
	if !refused {
		return vm.TokenResult{}, err
	}
	return vm.TokenResult{ID: id, Code: code}, nil
}

// Get implements bank.State, as the methods below do.
func (b *tokens) Get(key []byte) ([]byte, bool, error) {
	value, ok := b.pairs[string(key)]
	return value, ok, nil
}

func (b *tokens) Set(key, value []byte) error {
	b.pairs[string(key)] = append([]byte{}, value...)
	return nil
}

func (b *tokens) Delete(key []byte) error {
	delete(b.pairs, string(key))
	return nil
}

func (b *tokens) Scan(prefix, after []byte, limit int) (out []state.KV, err error) {
	for _, key := range slices.Sorted(maps.Keys(b.pairs)) {
		if strings.HasPrefix(key, string(prefix)) && key > string(after) && len(out) < limit {
			out = append(out, state.KV{Key: []byte(key), Value: b.pairs[key]})
		}
	}
	return out, nil
}
