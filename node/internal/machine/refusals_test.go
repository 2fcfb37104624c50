package machine

import (
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

const most = protocol.MaxAmount

// edges is a ledger whose accounts stand at the edges: x has all EUR there can
// be, y's are frozen, and z gave the author the greatest allowance.
func edges(t *testing.T) *ledger {
	l := governed(t)
	l.keys["sink"] = testKey('S')
	l.pass(protocol.GovAction{Kind: protocol.GovRoles, Account: l.address("y"), Roles: protocol.RoleProducer,
		Grants: protocol.Grants{Sources: []string{"/meters/"}}})
	l.pass(protocol.GovAction{Kind: protocol.GovQuota, Account: l.address("y"), Quota: protocol.Quota{Blocks: 1_000_000, Events: 3}})
	author := l.address("author")
	l.want(protocol.CodeOK, l.token("author",
		protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR"},
		protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: l.address("x"), Amount: most},
		protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "CAP", Amount: 10, Freezable: true},
		protocol.TokenOp{Kind: protocol.TokenMint, Asset: "CAP", Account: l.address("y"), Amount: 8},
		protocol.TokenOp{Kind: protocol.TokenFreeze, Asset: "CAP", Account: l.address("y")}))
	l.want(protocol.CodeOK, l.token("x", protocol.TokenOp{Kind: protocol.TokenAllow, Asset: "EUR", Account: author, Amount: most}))
	l.want(protocol.CodeOK, l.token("author", protocol.TokenOp{Kind: protocol.TokenDebit, Asset: "EUR", From: l.address("x"), Account: l.address("z"), Amount: 1}))
	return l
}

// Each of these is refused with its code, and changes nobody's units.
func TestTokensAreRefusedAtTheEdges(t *testing.T) {
	l := edges(t)
	x, sink := l.address("x"), l.address("sink")
	for _, c := range []struct {
		what string
		by   string
		op   protocol.TokenOp
		code protocol.Code
	}{
		{"one more than there is", "x", protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "EUR", Account: sink, Amount: most}, protocol.CodeFunds},
		{"frozen", "y", protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "CAP", Account: sink, Amount: 1}, protocol.CodeFrozen},
		{"held, frozen", "y", protocol.TokenOp{Kind: protocol.TokenHold, Asset: "CAP", Amount: 1}, protocol.CodeFrozen},
		{"burned, frozen", "y", protocol.TokenOp{Kind: protocol.TokenBurn, Asset: "CAP", Amount: 1}, protocol.CodeFrozen},
		{"minted over 2^63-1", "author", protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: sink, Amount: 1}, protocol.CodeSupplyCap},
		{"minted far over", "author", protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: sink, Amount: most}, protocol.CodeSupplyCap},
		{"minted over the cap", "author", protocol.TokenOp{Kind: protocol.TokenMint, Asset: "CAP", Account: sink, Amount: 3}, protocol.CodeSupplyCap},
		{"held over the balance", "x", protocol.TokenOp{Kind: protocol.TokenHold, Asset: "EUR", Amount: most}, protocol.CodeFunds},
		{"debited over what is left", "author", protocol.TokenOp{Kind: protocol.TokenDebit, Asset: "EUR", From: x, Account: sink, Amount: most}, protocol.CodeAllowance},
		{"held over what is left", "author", protocol.TokenOp{Kind: protocol.TokenHold, Asset: "EUR", From: x, Amount: most}, protocol.CodeAllowance},
		{"streamed over the balance", "x", protocol.TokenOp{Kind: protocol.TokenStream, Asset: "EUR", Account: sink, Amount: most, Rate: most, PeriodMs: 1}, protocol.CodeFunds},
		{"streamed for ever", "x", protocol.TokenOp{Kind: protocol.TokenStream, Asset: "EUR", Account: sink, Amount: most - 1, Rate: 1, PeriodMs: 1_000}, protocol.CodeTokenTerms},
	} {
		before := l.has("x", "EUR") + l.has("z", "EUR") + l.has("y", "CAP")
		out := l.one(c.by, &protocol.Token{Ops: []protocol.TokenOp{c.op}})
		if out.Code != c.code {
			t.Errorf("%s: %s (%s), want %s", c.what, out.Code, out.Text, c.code)
		}
		if l.has("sink", "EUR")+l.has("sink", "CAP") != 0 || before != l.has("x", "EUR")+l.has("z", "EUR")+l.has("y", "CAP") {
			t.Errorf("%s: units moved", c.what)
		}
	}
	for _, amount := range []uint64{0, most + 1, ^uint64(0)} { // these have no encoding
		op := protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "EUR", Account: sink, Amount: amount}
		_, err := protocol.SignTx(testChain, l.keys["x"], 1_000, 1, &protocol.Token{Ops: []protocol.TokenOp{op}})
		if code, _ := protocol.CodeOf(err); code != protocol.CodeAmount {
			t.Errorf("%d units: %v", amount, err)
		}
	}
}

// Rate times time goes over 64 bits, what has flowed does not: all of the
// greatest amount flows, and no more.
func TestTheGreatestStreamFlowsWhole(t *testing.T) {
	l := edges(t)
	l.want(protocol.CodeOK, l.token("x", protocol.TokenOp{Kind: protocol.TokenStream, Asset: "EUR", Account: l.address("sink"), Amount: most - 1, Rate: most, PeriodMs: 5_000}))
	began, last := l.store.Head().TimeMs, uint64(0)
	for l.store.Head().TimeMs < began+6_000 {
		code := protocol.CodeOK
		if l.store.Head().TimeMs >= began+4_000 {
			code = protocol.CodeTokenIDUnknown // all has flowed, and the stream has ended by itself
		}
		l.want(code, l.token("x", protocol.TokenOp{Kind: protocol.TokenSettle, ID: 1}))
		if has := l.has("sink", "EUR"); has < last || has+l.has("x", "EUR") > most-1 {
			t.Fatalf("%d have flowed, %d before", has, last)
		}
		last = l.has("sink", "EUR")
	}
	if last != most-1 {
		t.Fatalf("%d of %d have flowed", last, most-1)
	}
}

// What the council and the grants refuse, each with its code.
func TestMembersAreRefused(t *testing.T) {
	l := edges(t)
	l.must(l.one("y", events("s", 0, "/elsewhere/1", 1)), protocol.CodeSource)
	l.must(l.one("y", events("s", 0, "/meters/1", 4)), protocol.CodeOverQuota)
	l.must(l.one("y", events("s", 0, "/meters/1", 3)), protocol.CodeOK)
	l.must(l.one("y", events("s", 3, "/meters/1", 1)), protocol.CodeOverQuota)
	power := protocol.GovAction{Kind: protocol.GovValidator, Validator: validatorKey(9), Power: 1, Name: "v9"}
	p := l.must(l.one("x", &protocol.Propose{Title: "soon over", Expiry: l.next() + 2, Actions: []protocol.GovAction{power}}), protocol.CodeOK).First
	l.must(l.one("x", &protocol.Vote{Proposal: p, Yes: true}), protocol.CodeOK)
	l.must(l.one("x", &protocol.Vote{Proposal: p, Yes: true}), protocol.CodeDoubleVote)
	l.must(l.one("z", &protocol.Vote{Proposal: p, Yes: true}), protocol.CodeProposalExpired)
	power.Power = 14 // a third of the 40 there are is 13.3
	l.propose(protocol.CodePowerChange, power)
	power.Power = protocol.MaxPower
	l.propose(protocol.CodePowerChange, power)
	power.Power++
	if _, err := protocol.EncodeBody(&protocol.Propose{Title: "t", Expiry: 9, Actions: []protocol.GovAction{power}}); err == nil {
		t.Error("a power over the bound has an encoding")
	}
}
