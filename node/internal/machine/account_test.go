package machine

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/membership"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// give founds the ledger anew with more accounts, whose keys follow from the
// first letters of their names.
func (l *ledger) give(accounts map[string]protocol.Account) {
	l.t.Helper()
	b := l.store.Begin(l.store.Head().Height, 1_700_000_000_000)
	for _, name := range sortedNames(accounts) {
		if _, known := l.keys[name]; !known {
			l.keys[name] = testKey(name[0])
		}
		account := accounts[name]
		if err := membership.Put(b.State(), l.keys[name].Address(), &account); err != nil {
			l.t.Fatal(err)
		}
	}
	l.commit(b)
}

func sortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (l *ledger) must(out Outcome, code protocol.Code) Outcome {
	l.t.Helper()
	if out.Code != code {
		l.t.Fatalf("got %s (%s), want %s", out.Code, out.Text, code)
	}
	return out
}

// door is CheckTx at the head.
func (l *ledger) door(raw []byte) error {
	l.t.Helper()
	head := l.store.Head()
	view, err := l.store.View(head.Height)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.machine.CheckTx(view, head, raw)
}

func (l *ledger) wantDoor(raw []byte, want protocol.Code) {
	l.t.Helper()
	if code, ok := protocol.CodeOf(l.door(raw)); !ok || code != want {
		l.t.Fatalf("the door says %s, want %s", code, want)
	}
}

func events(stream string, first uint64, source string, count int) *protocol.Batch {
	batch := &protocol.Batch{Stream: stream, First: first, Seed: [32]byte{7}}
	for i := range count {
		e := protocol.Event{ID: fmt.Sprint(first + uint64(i)), Source: source, Type: "reading.v1", DataForm: protocol.DataJSON, Data: []byte(`{"kwh":1}`)}
		batch.Records = append(batch.Records, e.AppendRecord(nil))
	}
	return batch
}

// accountAct reads an entry's act and holds the entry to it.
func (l *ledger) accountAct(index uint64, cause uint64) *protocol.AccountAct {
	l.t.Helper()
	payload, err := ReadPayload(l.store, l.view(), index)
	if err != nil {
		l.t.Fatal(err)
	}
	act, err := protocol.DecodeAct(payload.Bytes)
	if err != nil {
		l.t.Fatal(err)
	}
	e := l.entry(index)
	if e.Kind != protocol.EntryAccount || e.Cause != cause || protocol.Commitment(payload.Blind, payload.Bytes) != e.Commitment {
		l.t.Fatalf("entry %d is %+v", index, e)
	}
	return act.(*protocol.AccountAct)
}

// A key is followed by another at exactly one height; the stream, its place and
// the recognition of duplicates stay the account's.
func TestRotationCutsOverInsideAStream(t *testing.T) {
	l := newLedger(t)
	l.keys["next"] = testKey('n')
	account := l.keys["producer"].Address()
	l.must(l.one("producer", events("s", 0, "/meter", 3)), protocol.CodeOK)
	cut := l.store.Head().Height + 3
	out := l.must(l.one("producer", protocol.NewRotate(testChain, account, l.keys["next"], cut)), protocol.CodeOK)
	if act := l.accountAct(out.First, protocol.NoCause); act.Op != protocol.AccountRotate || act.Account != account || act.From != cut || act.Key != l.keys["next"].Public() {
		t.Fatalf("%+v", act)
	}
	for l.store.Head().Height < cut+1 {
		height, first := l.store.Head().Height+1, l.store.Head().LogSize-1
		byOld, byNew := l.sign("producer", events("s", first, "/meter", 1)), l.sign("next", events("s", first, "/meter", 1))
		early, late := protocol.CodeOK, protocol.CodeKeyEarly
		if height >= cut {
			early, late = protocol.CodeKeyRetired, protocol.CodeOK
		}
		l.wantDoor(byOld, early)
		l.wantDoor(byNew, late)
		result := l.block(byOld, byNew)
		l.must(result.Outcomes[0], early)
		l.must(result.Outcomes[1], late)
	}
	stream := protocol.NewStreamID(account, "s")
	for sequence := range uint64(6) {
		index, ok, err := StreamEntry(l.store, stream, sequence)
		if err != nil || !ok || l.entry(index).Origin != account {
			t.Fatalf("sequence %d: %v %v", sequence, ok, err)
		}
	}
	if out := l.must(l.one("next", events("again", 0, "/meter", 6)), protocol.CodeOK); out.Duplicates != 6 {
		t.Errorf("%d of 6 events were recognised under the new key", out.Duplicates)
	}
	if out := l.must(l.one("next", events("s", 0, "/meter", 6)), protocol.CodeOK); out.Absorbed != 6 {
		t.Errorf("%d of 6 events were absorbed under the new key", out.Absorbed)
	}
	newLedger(t).replay(l)
}

func TestARevokedAccountIsRefused(t *testing.T) {
	l := newLedger(t)
	l.must(l.one("producer", &protocol.Revoke{}), protocol.CodeOK)
	raw := l.sign("producer", events("s", 0, "/meter", 1))
	l.wantDoor(raw, protocol.CodeAccountRevoked)
	l.must(l.block(raw).Outcomes[0], protocol.CodeAccountRevoked)
}

// group makes an account of three members of whom two act.
func (l *ledger) group() protocol.Address {
	l.t.Helper()
	var members []protocol.Address
	for _, name := range []string{"x", "y", "z"} {
		l.keys[name] = testKey(name[0])
		members = append(members, l.keys[name].Address())
	}
	slices.SortFunc(members, func(a, b protocol.Address) int { return slices.Compare(a[:], b[:]) })
	out := l.must(l.one("x", &protocol.CreateMultisig{Name: "office", Multisig: protocol.Multisig{Threshold: 2, Members: members}}), protocol.CodeOK)
	account := protocol.MultisigAddress(l.keys["x"].Address(), "office")
	if act := l.accountAct(out.First, protocol.NoCause); act.Account != account {
		l.t.Fatalf("the entry names %s", act.Account)
	}
	l.give(map[string]protocol.Account{})
	b := l.store.Begin(l.store.Head().Height, 0)
	if err := membership.SetRoles(b.State(), account, membership.Author); err != nil {
		l.t.Fatal(err)
	}
	l.commit(b)
	return account
}

func (l *ledger) acts(account protocol.Address) int {
	l.t.Helper()
	acts, err := membership.Acts(l.store.Begin(l.store.Head().Height, 0).State(), account)
	if err != nil {
		l.t.Fatal(err)
	}
	return len(acts)
}

func deployBody(t *testing.T) *protocol.Deploy {
	t.Helper()
	code, manifest := (&script{ledger: &ledger{t: t}}).files("parking")
	return &protocol.Deploy{Code: code, Manifest: manifest}
}

// Two of three members deploy a contract that then belongs to their account;
// the entries lead from the contract's back to the proposal.
func TestMembersActAsOneAccount(t *testing.T) {
	l := newLedger(t)
	office := l.group()
	proposed := l.must(l.one("x", &protocol.ProposeAct{Account: office, Expiry: 100, Body: deployBody(t)}), protocol.CodeOK)
	act := l.accountAct(proposed.First, protocol.NoCause)
	if act.Kind != protocol.TxDeploy || act.By != l.keys["x"].Address() || act.Executed {
		t.Fatalf("%+v", act)
	}
	l.must(l.one("x", &protocol.ApproveAct{Act: proposed.First}), protocol.CodeApproved)
	l.must(l.one("author", &protocol.ApproveAct{Act: proposed.First}), protocol.CodeUnauthorized)
	l.must(l.one("author", &protocol.ProposeAct{Account: office, Expiry: 100, Body: &protocol.Control{Action: protocol.ActionPause}}), protocol.CodeUnauthorized)
	approve := l.sign("z", &protocol.ApproveAct{Act: proposed.First})
	done := l.must(l.block(approve).Outcomes[0], protocol.CodeOK)
	if done.Entries != 2 || l.entry(done.First).Kind != protocol.EntryContract || l.entry(done.First).Origin != office || l.entry(done.First).Cause != proposed.First {
		t.Fatalf("%+v %+v", done, l.entry(done.First))
	}
	if act := l.accountAct(done.First+1, proposed.First); !act.Executed || act.Op != protocol.AccountApprove || act.Act != proposed.First {
		t.Fatalf("%+v", act)
	}
	view, err := l.store.View(l.store.Head().Height)
	if err != nil {
		t.Fatal(err)
	}
	contract, err := l.machine.ContractNamed(view, "parking")
	if err != nil || contract.Author != office || contract.Address != protocol.ContractAddress(office, "parking") {
		t.Fatalf("%+v %v", contract, err)
	}
	l.must(l.block(approve).Outcomes[0], protocol.CodeReplayed)
	l.must(l.one("y", &protocol.ApproveAct{Act: proposed.First}), protocol.CodeActUnknown)
	if l.acts(office) != 0 {
		t.Error("an executed act still waits")
	}
}

// An act that is refused waits on without the approval that would have
// executed it, and is done when what stood in its way is gone.
func TestARefusedActCanBeApprovedAgain(t *testing.T) {
	l := newLedger(t)
	office := l.group()
	address := protocol.ContractAddress(office, "parking")
	pause := l.must(l.one("x", &protocol.ProposeAct{Account: office, Expiry: 100, Body: &protocol.Control{Contract: address, Action: protocol.ActionPause}}), protocol.CodeOK)
	before := l.store.Head()
	l.must(l.one("y", &protocol.ApproveAct{Act: pause.First}), protocol.CodeContractUnknown)
	if after := l.store.Head(); after.StateRoot != before.StateRoot || after.LogSize != before.LogSize {
		t.Fatal("a refused approval changed something")
	}
	deploy := l.must(l.one("x", &protocol.ProposeAct{Account: office, Expiry: 100, Body: deployBody(t)}), protocol.CodeOK)
	l.must(l.one("y", &protocol.ApproveAct{Act: deploy.First}), protocol.CodeOK)
	l.must(l.one("y", &protocol.ApproveAct{Act: pause.First}), protocol.CodeOK)
	// The members of today count: x and y approved, and are members no more.
	others := protocol.Multisig{Threshold: 1, Members: []protocol.Address{l.keys["z"].Address()}}
	change := l.must(l.one("x", &protocol.ProposeAct{Account: office, Expiry: 100, Body: &protocol.ChangeMultisig{Multisig: others}}), protocol.CodeOK)
	resume := l.must(l.one("y", &protocol.ProposeAct{Account: office, Expiry: 100, Body: &protocol.Control{Contract: address, Action: protocol.ActionResume}}), protocol.CodeOK)
	l.must(l.one("y", &protocol.ApproveAct{Act: change.First}), protocol.CodeOK)
	l.must(l.one("x", &protocol.ApproveAct{Act: resume.First}), protocol.CodeUnauthorized)
	l.must(l.one("z", &protocol.ApproveAct{Act: resume.First}), protocol.CodeOK)
	alone := l.must(l.one("z", &protocol.ProposeAct{Account: office, Expiry: 100, Body: &protocol.Control{Contract: address, Action: protocol.ActionPause}}), protocol.CodeOK)
	if act := l.accountAct(alone.First+1, protocol.NoCause); !act.Executed || l.acts(office) != 0 {
		t.Errorf("%+v, %d acts wait", act, l.acts(office))
	}
}

func TestActsExpireAndAreBounded(t *testing.T) {
	l := newLedger(t)
	office := l.group()
	body := &protocol.Control{Contract: protocol.Address{1}, Action: protocol.ActionPause}
	l.must(l.one("x", &protocol.ProposeAct{Account: office, Expiry: l.store.Head().Height, Body: body}), protocol.CodeActExpired)
	expiry := l.store.Head().Height + 3
	first := l.must(l.one("x", &protocol.ProposeAct{Account: office, Expiry: expiry, Body: body}), protocol.CodeOK)
	for range membership.MaxActs - 1 {
		raw := l.sign("y", &protocol.ProposeAct{Account: office, Expiry: expiry + 1_000, Body: body})
		l.must(l.block(raw).Outcomes[0], protocol.CodeOK)
		if l.store.Head().Height == expiry+1 {
			break
		}
	}
	size := l.store.Head().LogSize
	for index := first.First + 1; index < size; index++ { // the block after the last height says so
		if act := l.accountActAny(index); act.Op == protocol.AccountExpire {
			if l.accountAct(index, first.First); act.Act != first.First || l.entry(index).Height != expiry+1 {
				t.Fatalf("%+v at height %d", act, l.entry(index).Height)
			}
			l.must(l.one("z", &protocol.ApproveAct{Act: first.First}), protocol.CodeActUnknown)
			l.fill(office, body)
			return
		}
	}
	t.Fatal("the act did not expire")
}

func (l *ledger) accountActAny(index uint64) *protocol.AccountAct {
	l.t.Helper()
	return l.accountAct(index, l.entry(index).Cause)
}

// fill proposes acts until the account has as many as it can.
func (l *ledger) fill(office protocol.Address, body protocol.Body) {
	l.t.Helper()
	for l.acts(office) < membership.MaxActs {
		l.must(l.one("z", &protocol.ProposeAct{Account: office, Expiry: 900, Body: body}), protocol.CodeOK)
	}
	l.must(l.one("z", &protocol.ProposeAct{Account: office, Expiry: 900, Body: body}), protocol.CodeActLimit)
}

// A producer speaks for what it was granted, at the door and in consensus; what
// it sent before stays its own.
func TestSourcesMustBeGranted(t *testing.T) {
	l := newLedger(t)
	l.must(l.one("producer", events("s", 0, "/other/1", 2)), protocol.CodeOK)
	l.give(map[string]protocol.Account{"producer": {Roles: membership.Producer, Grants: protocol.Grants{Sources: []string{"/city/"}, Types: []string{"reading."}}}})
	foreign := l.sign("producer", events("s", 2, "/other/1", 1))
	l.wantDoor(foreign, protocol.CodeSource)
	out := l.must(l.block(foreign).Outcomes[0], protocol.CodeSource)
	if want := `SOURCE_NOT_GRANTED: producer ` + l.keys["producer"].Address().String() + ` was not granted source "/other/1" with type "reading.v1"; ask the council for it`; out.Text != want {
		t.Errorf("%s", out.Text)
	}
	l.must(l.one("producer", events("s", 0, "/other/1", 2)), protocol.CodeOK) // absorbed
	mixed := events("s", 0, "/other/1", 2)
	mixed.Records = append(mixed.Records, events("s", 2, "/city/7", 1).Records...)
	raw := l.sign("producer", mixed)
	l.wantDoor(raw, protocol.CodeOK)
	if out := l.must(l.block(raw).Outcomes[0], protocol.CodeOK); out.Absorbed != 2 || out.Entries != 1 {
		t.Errorf("%+v", out)
	}
}

// A quota is exact: what fits is taken, whatever was absorbed or refused
// before costs nothing, and a new window begins at its height.
func TestQuotaOfEvents(t *testing.T) {
	l := newLedger(t)
	l.give(map[string]protocol.Account{"producer": {Roles: membership.Producer, Quota: protocol.Quota{Blocks: 8, Events: 10}}})
	l.must(l.one("producer", events("s", 0, "/m", 6)), protocol.CodeOK)
	over := l.sign("producer", events("s", 6, "/m", 5))
	l.wantDoor(over, protocol.CodeOverQuota)
	l.must(l.block(over).Outcomes[0], protocol.CodeOverQuota)
	l.must(l.one("producer", events("s", 0, "/m", 6)), protocol.CodeOK) // absorbed
	l.must(l.one("producer", events("s", 7, "/m", 1)), protocol.CodeSequenceGap)
	l.must(l.one("producer", events("s", 0, "/m", 10)), protocol.CodeOK) // four of them new
	l.must(l.one("producer", events("s", 10, "/m", 1)), protocol.CodeOverQuota)
	if next := l.store.Head().Height + 1; next != 7 {
		t.Fatalf("height %d", next)
	}
	l.must(l.one("producer", events("s", 10, "/m", 1)), protocol.CodeOverQuota)
	l.wantDoor(over, protocol.CodeOK) // by now absorbed in part, and the next block is of the next window
	l.must(l.one("producer", events("s", 10, "/m", 10)), protocol.CodeOK)
}

// Gas is never used beyond the quota: the run that would ends with OVER_QUOTA.
func TestQuotaOfGas(t *testing.T) {
	l := newLedger(t)
	l.must(l.deploy("parking"), protocol.CodeOK)
	call := &protocol.Call{Contract: protocol.ContractAddress(l.keys["author"].Address(), "parking"), Method: "gate", Args: fmt.Appendf(nil, `{"address":%q,"open":true}`, base64.StdEncoding.EncodeToString(make([]byte, 20)))}
	l.must(l.one("producer", events("s", 0, "/m", 1)), protocol.CodeOK)
	free := l.one("author", call)
	limit := free.Gas*2 + free.Gas/2
	l.give(map[string]protocol.Account{"author": {Roles: membership.Author, Quota: protocol.Quota{Blocks: 1_000, Gas: limit}}})
	var used uint64
	var last protocol.Code
	for range 5 {
		out := l.one("author", call)
		used += out.Gas
		last = out.Code
	}
	if used != limit || last != protocol.CodeOverQuota {
		t.Errorf("%d of %d gas was used; the last call came to %s", used, limit, last)
	}
	l.wantDoor(l.sign("author", call), protocol.CodeOverQuota)
}

var _ State = (*store.View)(nil)
