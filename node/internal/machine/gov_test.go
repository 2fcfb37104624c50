package machine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/governance"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

func validatorKey(n byte) protocol.ValidatorKey { return protocol.ValidatorKey{n, 1} }

// councilOf founds ledgers with a council of x, y and z, of whom z has this
// weight and the others 1, an arbiter j and four validators of power 10.
func councilOf(keys map[string]protocol.PrivateKey, weight uint64) func(*genesis.Document) {
	return func(doc *genesis.Document) {
		add := func(name string, weight uint64, roles ...string) {
			keys[name] = testKey(name[0])
			doc.Accounts = append(doc.Accounts, genesis.Account{
				Name: name, PubKey: keys[name].Public(), Address: keys[name].Address(), Roles: roles, Weight: weight,
			})
		}
		add("x", 1, "council")
		add("y", 0, "council", "operator")
		add("z", weight, "council")
		add("j", 0, "arbiter")
		for i := range byte(4) {
			doc.Validators = append(doc.Validators, genesis.Validator{Name: fmt.Sprint("v", i), PubKey: genesis.Key(validatorKey(i)), Power: 10})
		}
	}
}

func governed(t testing.TB) *ledger {
	t.Helper()
	return governedBy(t, 2)
}

func governedBy(t testing.TB, weight uint64) *ledger {
	t.Helper()
	keys := map[string]protocol.PrivateKey{}
	l := newLedgerOf(t, councilOf(keys, weight))
	for name, key := range keys {
		l.keys[name] = key
	}
	return l
}

func (l *ledger) propose(code protocol.Code, actions ...protocol.GovAction) Outcome {
	l.t.Helper()
	return l.must(l.one("x", &protocol.Propose{Title: "a change", Expiry: l.store.Head().Height + 50, Actions: actions}), code)
}

// pass proposes actions and has two of three members agree. It answers the
// result of the block that decided.
func (l *ledger) pass(actions ...protocol.GovAction) Result {
	l.t.Helper()
	p := l.propose(protocol.CodeOK, actions...).First
	l.must(l.one("x", &protocol.Vote{Proposal: p, Yes: true}), protocol.CodeOK)
	result := l.block(l.sign("z", &protocol.Vote{Proposal: p, Yes: true}))
	l.must(result.Outcomes[0], protocol.CodeOK)
	return result
}

func (l *ledger) params() genesis.Params {
	l.t.Helper()
	p, err := genesis.DecodeParams(l.store.Head().Params)
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

// act reads an entry of governance and holds it to its cause.
func (l *ledger) act(index, cause uint64) *protocol.GovernanceAct {
	l.t.Helper()
	payload, err := ReadPayload(l.store, l.view(), index)
	if err != nil {
		l.t.Fatal(err)
	}
	act, err := protocol.DecodeAct(payload.Bytes)
	if err != nil {
		l.t.Fatal(err)
	}
	if e := l.entry(index); e.Kind != protocol.EntryGovernance || e.Cause != cause || protocol.Commitment(payload.Blind, payload.Bytes) != e.Commitment {
		l.t.Fatalf("entry %d is %+v", index, e)
	}
	return act.(*protocol.GovernanceAct)
}

// Every step of a proposal is an entry that leads back to it.
func TestAProposalsSteps(t *testing.T) {
	l := governed(t)
	give := protocol.GovAction{Kind: protocol.GovRoles, Account: l.keys["producer"].Address(), Roles: membership.Producer | membership.Auditor}
	p := l.propose(protocol.CodeOK, give).First
	if act := l.act(p, protocol.NoCause); act.Step != protocol.GovProposed || act.By != l.keys["x"].Address() || len(act.Actions) != 1 {
		t.Fatalf("%+v", act)
	}
	no := l.must(l.one("y", &protocol.Vote{Proposal: p}), protocol.CodeOK)
	if act := l.act(no.First, p); act.Step != protocol.GovVoted || act.Yes || act.Tally != (protocol.Tally{No: 1, Total: 4}) {
		t.Fatalf("%+v", act)
	}
	l.must(l.one("y", &protocol.Vote{Proposal: p}), protocol.CodeDoubleVote)
	l.must(l.one("z", &protocol.Vote{Proposal: p, Yes: true}), protocol.CodeOK)
	l.must(l.one("producer", &protocol.Vote{Proposal: p, Yes: true}), protocol.CodeUnauthorized)
	l.must(l.one("y", &protocol.Vote{Proposal: p + 1, Yes: true}), protocol.CodeProposalUnknown)
	passed := l.must(l.one("y", &protocol.Vote{Proposal: p, Yes: true}), protocol.CodeOK) // changed its mind: 3 of 4
	if act := l.act(passed.First+1, p); passed.Entries != 2 || act.Step != protocol.GovPassed || act.Tally != (protocol.Tally{Yes: 3, Total: 4}) {
		t.Fatalf("%+v", act)
	}
	l.must(l.one("x", &protocol.Vote{Proposal: p, Yes: true}), protocol.CodeProposalClosed)
	l.must(l.one("x", &protocol.Withdraw{Proposal: p}), protocol.CodeProposalClosed)
	account, err := membership.Read(l.view(), give.Account)
	if err != nil || account.Roles != give.Roles {
		t.Fatalf("%v %v", account.Roles, err)
	}
	again := newLedgerOf(t, councilOf(map[string]protocol.PrivateKey{}, 2))
	again.replay(l)
}

func TestProposalsExpireAndAreWithdrawn(t *testing.T) {
	l := governed(t)
	halt := protocol.GovAction{Kind: protocol.GovHalt, On: true}
	l.must(l.one("x", &protocol.Propose{Title: "t", Expiry: l.store.Head().Height, Actions: []protocol.GovAction{halt}}), protocol.CodeProposalTerms)
	p := l.must(l.one("x", &protocol.Propose{Title: "t", Expiry: 4, Actions: []protocol.GovAction{halt}}), protocol.CodeOK).First
	w := l.propose(protocol.CodeOK, halt).First
	l.must(l.one("y", &protocol.Withdraw{Proposal: w}), protocol.CodeUnauthorized)
	size := l.store.Head().LogSize
	raw := l.sign("z", &protocol.Vote{Proposal: p, Yes: true})
	if l.store.Head().Height != 4 {
		t.Fatal(l.store.Head().Height)
	}
	l.must(l.block(raw).Outcomes[0], protocol.CodeProposalExpired)
	if act := l.act(size, p); act.Step != protocol.GovExpired || l.entry(size).Height != 5 {
		t.Fatalf("%+v", act)
	}
	withdrawn := l.must(l.one("x", &protocol.Withdraw{Proposal: w}), protocol.CodeOK)
	if act := l.act(withdrawn.First, w); act.Step != protocol.GovWithdrawn {
		t.Fatalf("%+v", act)
	}
	for range governance.MaxOpen {
		l.propose(protocol.CodeOK, halt)
	}
	l.propose(protocol.CodeProposalLimit, halt)
}

func TestValidatorsChangeByVote(t *testing.T) {
	l := governed(t)
	result := l.pass(protocol.GovAction{Kind: protocol.GovValidator, Validator: validatorKey(9), Power: 10, Name: "v9"})
	if len(result.Validators) != 1 || result.Validators[0].Key != validatorKey(9) || result.Validators[0].Power != 10 {
		t.Fatalf("%+v", result.Validators)
	}
	decided := l.store.Head().Height
	for height, want := range map[uint64]int{1: 4, decided + 1: 4, decided + 2: 5, decided + 99: 5} {
		if set, err := governance.At(l.view(), height); err != nil || len(set.Validators) != want {
			t.Errorf("%d validators sign block %d, want %d (%v)", len(set.Validators), height, want, err)
		}
	}
	gone := func(n byte) protocol.GovAction {
		return protocol.GovAction{Kind: protocol.GovValidator, Validator: validatorKey(n)}
	}
	l.propose(protocol.CodePowerChange, gone(0), gone(1))
	l.propose(protocol.CodePowerChange, protocol.GovAction{Kind: protocol.GovValidator, Validator: validatorKey(7), Power: 17, Name: "v7"})
	l.propose(protocol.CodeProposalTerms, gone(8))
	forced := gone(1)
	forced.Force = true
	if result := l.pass(gone(0), forced); len(result.Validators) != 2 || result.Validators[0].Power != 0 {
		t.Fatalf("%+v", result.Validators)
	}
	all := []protocol.GovAction{gone(2), gone(3), gone(9)}
	for i := range all {
		all[i].Force = true
	}
	l.propose(protocol.CodeLastMember, all...)
	if result := l.block(); len(result.Validators) != 0 {
		t.Fatalf("an empty block changes %+v", result.Validators)
	}
}

// Proof of two signatures at one height takes a validator out for good.
// A validator's log key is in the set's record, comes with its power or later,
// stays when the power changes, and is nobody else's.
func TestLogKeysChangeByVote(t *testing.T) {
	l, key := governed(t), func(n byte) protocol.LogKey { return protocol.LogKey{n, 2} }
	power := func(n byte, p uint64, name string) protocol.GovAction {
		return protocol.GovAction{Kind: protocol.GovValidator, Validator: validatorKey(n), Power: p, Name: name}
	}
	give := func(n byte, k protocol.LogKey) protocol.GovAction {
		return protocol.GovAction{Kind: protocol.GovLogKey, Validator: validatorKey(n), LogKey: k}
	}
	keys := func() string {
		set, err := governance.Latest(l.view())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proof.SetCosigners(testChain, set); err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, v := range set.Validators {
			text += fmt.Sprint(v.Name, "=", v.LogKey[0], " ")
		}
		return text
	}
	for _, step := range []struct {
		actions []protocol.GovAction
		code    protocol.Code
		keys    string
	}{
		{[]protocol.GovAction{power(9, 10, "v9"), give(9, key(9))}, protocol.CodeOK, "v0=0 v1=0 v2=0 v3=0 v9=9 "},
		{[]protocol.GovAction{power(9, 12, "w")}, protocol.CodeOK, "v0=0 v1=0 v2=0 v3=0 w=9 "},
		{[]protocol.GovAction{give(0, key(1))}, protocol.CodeOK, "v0=1 v1=0 v2=0 v3=0 w=9 "},
		{[]protocol.GovAction{give(9, key(5)), give(0, key(9))}, protocol.CodeOK, "v0=9 v1=0 v2=0 v3=0 w=5 "},
		{[]protocol.GovAction{give(0, protocol.LogKey{})}, protocol.CodeOK, "v0=0 v1=0 v2=0 v3=0 w=5 "},
		{[]protocol.GovAction{give(1, key(5))}, protocol.CodeProposalTerms, ""},
		{[]protocol.GovAction{give(1, protocol.LogKey(validatorKey(2)))}, protocol.CodeProposalTerms, ""},
		{[]protocol.GovAction{give(8, key(8))}, protocol.CodeProposalTerms, ""},
		{[]protocol.GovAction{give(8, key(8)), power(8, 10, "v8")}, protocol.CodeProposalTerms, ""},
		{[]protocol.GovAction{power(8, 10, "v1")}, protocol.CodeProposalTerms, ""},
		{[]protocol.GovAction{power(1, 10, strings.Repeat("n", 65)), give(1, key(1))}, protocol.CodeProposalTerms, ""},
		{[]protocol.GovAction{power(9, 12, strings.Repeat("n", 65))}, protocol.CodeProposalTerms, ""},
		{[]protocol.GovAction{power(1, 10, "a/b +é")}, protocol.CodeOK, "v0=0 a/b +é=0 v2=0 v3=0 w=5 "},
	} {
		if step.code != protocol.CodeOK {
			l.propose(step.code, step.actions...)
			continue
		}
		if result := l.pass(step.actions...); step.actions[0].Kind == protocol.GovLogKey && len(result.Validators) != 0 {
			t.Errorf("a log key changes whose power? %+v", result.Validators)
		}
		if got := keys(); got != step.keys {
			t.Errorf("the keys are %s, want %s", got, step.keys)
		}
	}
	newLedgerOf(t, councilOf(map[string]protocol.PrivateKey{}, 2)).replay(l)
}

func TestMisbehaviourBarsAValidator(t *testing.T) {
	l := governed(t)
	l.block()
	accuse := func(n byte) Result {
		key := validatorKey(n)
		sum := sha256.Sum256(key[:])
		height := l.store.Head().Height + 1
		return l.execute(Block{Height: height, TimeMs: 1_700_000_000_000 + int64(height)*1000,
			Misbehaviour: []governance.Misbehaviour{{Address: [20]byte(sum[:20]), Height: 1}}})
	}
	for n := range byte(3) { // each is more than a third in the end: evidence asks nobody
		index := l.store.Head().LogSize
		result := accuse(n)
		act := l.act(index, protocol.NoCause)
		if len(result.Validators) != 1 || result.Validators[0] != (protocol.SetMember{Key: validatorKey(n)}) || !act.Removed || act.Validator != validatorKey(n) || act.Height != 1 {
			t.Fatalf("%+v %+v", result.Validators, act)
		}
	}
	index := l.store.Head().LogSize
	if result := accuse(3); len(result.Validators) != 0 || l.act(index, protocol.NoCause).Removed {
		t.Fatal("the last validator was removed")
	}
	if result := accuse(200); len(result.Validators) != 0 || l.store.Head().LogSize != index+1 {
		t.Fatal("a stranger's misbehaviour was recorded")
	}
	l.propose(protocol.CodeBarred, protocol.GovAction{Kind: protocol.GovValidator, Validator: validatorKey(0), Power: 1, Name: "v0"})
}

// While the ledger is halted, governance goes on and nothing else does: also
// that of a member of the council that is an account of several members.
func TestHaltAndResume(t *testing.T) {
	l := governed(t)
	office := l.group() // of x, y and z
	l.must(l.deploy("parking"), protocol.CodeOK)
	l.pass(protocol.GovAction{Kind: protocol.GovCouncil, Account: office, Weight: 5})
	act := l.must(l.one("y", &protocol.ProposeAct{Account: office, Expiry: 99, Body: &protocol.Control{Action: protocol.ActionPause}}), protocol.CodeOK).First
	p := l.propose(protocol.CodeOK, protocol.GovAction{Kind: protocol.GovHalt, On: true}).First
	l.actAs("x", "y", office, &protocol.Vote{Proposal: p, Yes: true})
	l.must(l.one("z", &protocol.Vote{Proposal: p, Yes: true}), protocol.CodeOK)
	if !l.params().Halted {
		t.Fatal("7 of 9 did not halt the ledger")
	}
	raw := l.sign("producer", events("s", 0, "/m", 1))
	l.wantDoor(raw, protocol.CodeHalted)
	l.must(l.block(raw).Outcomes[0], protocol.CodeHalted)
	l.must(l.one("author", &protocol.Revoke{}), protocol.CodeHalted)
	l.must(l.one("x", &protocol.ProposeAct{Account: office, Expiry: 99, Body: &protocol.Control{Action: protocol.ActionPause}}), protocol.CodeHalted)
	l.must(l.one("x", &protocol.ApproveAct{Act: act}), protocol.CodeHalted)
	p = l.propose(protocol.CodeOK, protocol.GovAction{Kind: protocol.GovHalt}).First
	l.actAs("x", "z", office, &protocol.Vote{Proposal: p, Yes: true})
	result := l.block(l.sign("z", &protocol.Vote{Proposal: p, Yes: true}), raw)
	l.must(result.Outcomes[0], protocol.CodeOK)
	l.must(result.Outcomes[1], protocol.CodeHalted) // until the block is over
	l.must(l.one("producer", events("s", 0, "/m", 1)), protocol.CodeOK)
}

// actAs has two members do something as their account.
func (l *ledger) actAs(a, b string, account protocol.Address, body protocol.Body) {
	l.t.Helper()
	act := l.must(l.one(a, &protocol.ProposeAct{Account: account, Expiry: 99, Body: body}), protocol.CodeOK).First
	l.must(l.one(b, &protocol.ApproveAct{Act: act}), protocol.CodeOK)
}

func TestContractsAndCodeAreTheCouncilsToo(t *testing.T) {
	l := governed(t)
	l.must(l.deploy("parking"), protocol.CodeOK)
	contract := protocol.ContractAddress(l.keys["author"].Address(), "parking")
	pause := protocol.GovAction{Kind: protocol.GovContract, Contract: contract, On: true}
	l.propose(protocol.CodeContractUnknown, protocol.GovAction{Kind: protocol.GovContract, Contract: protocol.Address{1}, On: true})
	l.must(l.one("author", &protocol.Control{Contract: contract, Action: protocol.ActionPause}), protocol.CodeOK)
	l.pass(pause)
	l.must(l.one("author", &protocol.Control{Contract: contract, Action: protocol.ActionResume}), protocol.CodeContractPaused)
	pause.On = false
	l.pass(pause)
	c, err := l.machine.Contract(l.view(), contract)
	if err != nil || !c.Paused {
		t.Fatal("the council let go on what the author had paused", err)
	}
	l.must(l.one("author", &protocol.Control{Contract: contract, Action: protocol.ActionResume}), protocol.CodeOK)

	l.pass(protocol.GovAction{Kind: protocol.GovParam, Name: "approveUpgrades", Value: 1})
	code, manifest := (&script{ledger: l}).files("parking")
	upgrade := &protocol.Upgrade{Contract: contract, Deploy: protocol.Deploy{Code: code, Manifest: manifest}}
	l.must(l.one("author", upgrade), protocol.CodeNotApproved)
	l.pass(protocol.GovAction{Kind: protocol.GovCode, Hash: sha256.Sum256(code), On: true})
	l.must(l.one("author", upgrade), protocol.CodeVersion) // approved: now the next rule speaks
}

func TestParametersChangeWithinTheirBounds(t *testing.T) {
	l := governed(t)
	set := func(name string, value uint64) protocol.GovAction {
		return protocol.GovAction{Kind: protocol.GovParam, Name: name, Value: value}
	}
	l.propose(protocol.CodeProposalTerms, set("blokGas", 1))
	l.propose(protocol.CodeProposalTerms, set("halted", 1))
	l.propose(protocol.CodeProposalTerms, set("deliveryGas", 1_200_000_000))
	before := l.params()
	l.pass(set("deliveryGas", 1_200_000_000), set("contractGas", 2_400_000_000), set("hopLimit", 3))
	after := l.params()
	before.DeliveryGas, before.ContractGas, before.HopLimit = 1_200_000_000, 2_400_000_000, 3
	if after != before {
		t.Fatalf("%+v", after)
	}
	// Two that pass in one block: the second builds on the first.
	a := l.propose(protocol.CodeOK, set("hopLimit", 4)).First
	b := l.propose(protocol.CodeOK, set("maxExpiryBlocks", 777)).First
	var txs [][]byte
	for _, p := range []uint64{a, b} {
		for _, name := range []string{"x", "z"} {
			txs = append(txs, l.sign(name, &protocol.Vote{Proposal: p, Yes: true}))
		}
	}
	l.block(txs...)
	if p := l.params(); p.HopLimit != 4 || p.MaxExpiryBlocks != 777 {
		t.Fatalf("%+v", p)
	}
}

// Nodes stop at the height of an upgrade that they do not know, in a block's
// very beginning; those that know it go on from there, with the same result.
func TestNetworkUpgrade(t *testing.T) {
	l := governed(t)
	at := l.store.Head().Height + 6
	l.propose(protocol.CodeProposalTerms, protocol.GovAction{Kind: protocol.GovUpgrade, Height: at, Value: 1})
	l.pass(protocol.GovAction{Kind: protocol.GovUpgrade, Height: at, Value: 2})
	for l.store.Head().Height < at-1 {
		l.block()
	}
	before := l.store.Head()
	b := l.store.Begin(at, before.TimeMs+1000)
	if _, err := l.machine.Execute(b, Block{Height: at, TimeMs: before.TimeMs + 1000}); !errors.Is(err, ErrRules) {
		t.Fatalf("a program that knows version 1 went on: %v", err)
	}
	b.Discard()
	l.machine.known = 2
	l.block()
	if p := l.params(); p.Version != 2 || p.UpgradeHeight != 0 || p.UpgradeVersion != 0 {
		t.Fatalf("%+v", p)
	}
	if act := l.act(before.LogSize, protocol.NoCause); act.Step != protocol.GovUpgraded || act.Version != 2 {
		t.Fatalf("%+v", act)
	}
	l.machine.known = 1 // an old program over new data
	if _, err := l.machine.Execute(l.store.Begin(at+1, 0), Block{Height: at + 1}); !errors.Is(err, ErrRules) {
		t.Fatal(err)
	}
}

func TestDisputes(t *testing.T) {
	l := governed(t)
	event := l.must(l.one("producer", events("s", 0, "/m", 1)), protocol.CodeOK).First
	l.must(l.one("author", &protocol.Raise{Entry: 99, Text: "none"}), protocol.CodeDisputeUnknown)
	raised := l.must(l.one("author", &protocol.Raise{Entry: event, Text: "the meter was broken"}), protocol.CodeOK).First
	if e := l.entry(raised); e.Kind != protocol.EntryDispute || e.Cause != event {
		t.Fatalf("%+v", e)
	}
	resolve := &protocol.Resolve{Dispute: raised, Ruling: protocol.RulingUpheld, Text: "entry 0 is void"}
	l.must(l.one("author", resolve), protocol.CodeUnauthorized)
	l.must(l.one("j", &protocol.Resolve{Dispute: event, Ruling: protocol.RulingSettled, Text: "none"}), protocol.CodeDisputeUnknown)
	own := l.must(l.one("j", &protocol.Raise{Entry: event, Text: "mine"}), protocol.CodeOK).First
	l.must(l.one("j", &protocol.Resolve{Dispute: own, Ruling: protocol.RulingUpheld, Text: "I am right"}), protocol.CodeArbiterParty)
	resolved := l.must(l.one("j", resolve), protocol.CodeOK).First
	if e := l.entry(resolved); e.Kind != protocol.EntryDispute || e.Cause != raised {
		t.Fatalf("%+v", e)
	}
	l.must(l.one("j", resolve), protocol.CodeDisputeClosed)
	d, err := governance.Dispute(l.view(), raised)
	if err != nil || d.Ruling != protocol.RulingUpheld || d.Resolution != resolved || d.Arbiter != l.keys["j"].Address() || d.Entry != event {
		t.Fatalf("%+v %v", d, err)
	}
}

// The council sets what an accepted event earns its producer: from then on each
// is paid, up to the period's limit, and when it ends the reward, none is.
func TestTheCouncilRewardsProducers(t *testing.T) {
	l := governed(t)
	l.want(protocol.CodeOK, l.token("x",
		protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR"},
		protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: l.address("x"), Amount: 1_000}))
	sent := uint64(0)
	send := func(want uint64) {
		t.Helper()
		body := &protocol.Batch{Stream: "s", First: sent}
		for range 4 {
			body.Records = append(body.Records, scriptEvent(fmt.Sprint(sent), map[string]string{"type": "t1"}))
			sent++
		}
		l.want(protocol.CodeOK, l.sign("producer", body))
		if got := l.has("producer", "EUR"); got != want || got+l.has("x", "EUR") != 1_000 {
			t.Errorf("after %d events the producer has %d, want %d", sent, got, want)
		}
	}
	send(0)
	reward := protocol.GovAction{Kind: protocol.GovReward, Name: "t1", Asset: "EUR", Account: l.address("x"), Each: 5, Limit: 35, PeriodMs: 1 << 40}
	l.pass(reward)
	send(20)
	send(35) // the period's limit; events are accepted without
	reward.Limit = 1_000
	l.pass(reward)
	before := l.has("producer", "EUR")
	send(before + 20)
	l.pass(protocol.GovAction{Kind: protocol.GovReward, Name: "t1"})
	send(before + 20)
}
