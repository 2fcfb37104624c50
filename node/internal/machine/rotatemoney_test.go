package machine

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// rotate is a transaction by which a key is followed by another.
func (l *ledger) rotate(who, next string, from uint64) []byte {
	l.t.Helper()
	party, err := membership.Resolve(l.view(), l.address(who), l.store.Head().Height+1)
	if _, refused := protocol.CodeOf(err); err != nil && !refused {
		l.t.Fatal(err)
	}
	return l.sign(who, protocol.NewRotate(testChain, party.Address, l.keys[next], from))
}

func (l *ledger) next() uint64 { return l.store.Head().Height + 1 }

// An account keeps its address: what is paid there stays its own, whichever key
// speaks for it. What would go to the address of a later key is refused.
func TestUnitsStayWithTheAccount(t *testing.T) {
	l := governed(t)
	l.keys["n"], l.keys["u"], l.keys["f"] = testKey('N'), testKey('U'), testKey('F')
	author, later := l.address("author"), l.address("n")
	l.want(protocol.CodeOK, l.token("author",
		protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR"}, protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: author, Amount: 100},
		pays(l, "u", 10), pays(l, "producer", 10)))
	l.want(protocol.CodeKeyTaken, l.rotate("author", "u", l.next()+1))
	l.pass(protocol.GovAction{Kind: protocol.GovFees, Account: l.address("f"), Asset: "EUR", Each: 1})
	l.want(protocol.CodeKeyTaken, l.rotate("author", "f", l.next()+1))
	l.pass(protocol.GovAction{Kind: protocol.GovFees})
	l.want(protocol.CodeOK, l.rotate("author", "n", l.next()+1))
	l.want(protocol.CodeOK, l.token("producer", protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "EUR", Account: author, Amount: 5}))
	for _, op := range []protocol.TokenOp{
		pays(l, "n", 1),
		{Kind: protocol.TokenHold, Asset: "EUR", Account: later, Amount: 1},
		{Kind: protocol.TokenHold, Asset: "EUR", Controller: later, Amount: 1},
		{Kind: protocol.TokenStream, Asset: "EUR", Account: later, Amount: 1, Rate: 1, PeriodMs: 1},
		{Kind: protocol.TokenSchedule, Asset: "EUR", Account: later, Amount: 1, Count: 1},
		{Kind: protocol.TokenAllow, Asset: "EUR", Account: later, Amount: 1},
	} {
		l.want(protocol.CodeKeyAddress, l.token("producer", op))
	}
	l.want(protocol.CodeKeyAddress, l.token("n", protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: later, Amount: 1}))
	l.want(protocol.CodeKeyAddress, l.token("n", protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "USD", Account: later}))
	l.want(protocol.CodeOK, l.token("n", pays(l, "producer", 85)))
	if has := l.has("author", "EUR"); has != 0 {
		t.Fatalf("%d EUR are left", has)
	}
	for _, a := range []protocol.GovAction{
		{Kind: protocol.GovCouncil, Account: later, Weight: 1},
		{Kind: protocol.GovRoles, Account: later, Roles: protocol.RoleProducer},
		{Kind: protocol.GovQuota, Account: later, Quota: protocol.Quota{Blocks: 1, Events: 1}},
		{Kind: protocol.GovRevoke, Account: later, On: true},
		{Kind: protocol.GovFees, Account: later, Asset: "EUR", Each: 1},
	} {
		l.propose(protocol.CodeKeyAddress, a)
	}
	l.want(protocol.CodeKeyAddress, l.sign("producer", &protocol.CreateMultisig{
		Name: "office", Multisig: protocol.Multisig{Threshold: 1, Members: []protocol.Address{later}},
	}))
}

// Whatever is paid and whichever keys follow which: of everything that anybody
// has or is owed, some key can dispose.
func TestNoRotationStrandsUnits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLedger(t)
		names := []string{"author", "b", "c", "d", "e", "f", "g"}
		for _, name := range names[1:] {
			l.keys[name] = testKey(name[0])
		}
		l.want(protocol.CodeOK, l.token("author", protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR"},
			protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: l.address("author"), Amount: 10_000}, pays(l, "b", 100), pays(l, "c", 100)))
		name := rapid.SampledFrom(names)
		for range rapid.IntRange(1, 30).Draw(rt, "blocks") {
			var txs [][]byte
			for range rapid.IntRange(1, 3).Draw(rt, "transactions") {
				by := name.Draw(rt, "by")
				if rapid.Bool().Draw(rt, "rotate") {
					txs = append(txs, l.rotate(by, name.Draw(rt, "next"), l.next()+rapid.Uint64Range(1, 3).Draw(rt, "in")))
					continue
				}
				op := pays(l, name.Draw(rt, "to"), rapid.Uint64Range(1, 60).Draw(rt, "amount"))
				switch op.Kind = rapid.SampledFrom([]protocol.TokenKind{protocol.TokenTransfer, protocol.TokenHold, protocol.TokenStream, protocol.TokenSchedule}).Draw(rt, "kind"); op.Kind {
				case protocol.TokenHold:
					op.UntilMs = 1_700_000_000_000 + (l.next()+5)*1000
				case protocol.TokenStream:
					op.Rate, op.PeriodMs = 10, 1000
				case protocol.TokenSchedule:
					op.Count, op.StartMs = 1, 1_700_000_000_000+(l.next()+4)*1000
				}
				txs = append(txs, l.token(by, op))
			}
			l.block(txs...)
			for _, name := range names {
				l.owns(rt, name)
			}
		}
		for range 10 { // what is held, streams or is due has happened by then
			l.block()
		}
		l.collect(rt, names)
	})
}

// owns holds an address to it: what is nobody's has nothing and is owed nothing.
func (l *ledger) owns(rt *rapid.T, name string) {
	known, err := bank.Known(l.view(), l.address(name))
	if err != nil {
		rt.Fatal(err)
	}
	if _, err := membership.Own(l.view(), l.address(name)); err != nil && known {
		rt.Fatalf("height %d: units of %s are stuck: %v", l.store.Head().Height, name, err)
	}
}

// collect pays everything there is to one account, by whichever keys speak.
func (l *ledger) collect(rt *rapid.T, names []string) {
	l.keys["sink"] = testKey('S')
	for _, owner := range names {
		amount := l.has(owner, "EUR")
		if amount == 0 {
			continue
		}
		by := ""
		for _, key := range names {
			if p, err := membership.Resolve(l.view(), l.address(key), l.next()); err == nil && p.Address == l.address(owner) {
				by = key
			}
		}
		if by == "" {
			rt.Fatalf("nobody speaks for %s, who has %d EUR", owner, amount)
		}
		l.want(protocol.CodeOK, l.token(by, pays(l, "sink", amount)))
	}
	if all := l.has("sink", "EUR"); all != 10_000 {
		rt.Fatalf("%d of 10000 EUR could be paid out", all)
	}
}
