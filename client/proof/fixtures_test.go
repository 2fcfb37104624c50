package proof

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

const (
	testChain  = "cairn-vectors"
	testHeight = 120
	testTimeNs = 1_760_000_000_123_456_789
)

// validatorSecret is the i-th validator's key in tests and vectors.
func validatorSecret(i int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "cairn test validator %d", i))
	return ed25519.NewKeyFromSeed(seed[:])
}

// testbed is a chain's validators, which sign what they are given.
type testbed struct {
	anchor  Anchor
	secrets map[ValidatorKey]ed25519.PrivateKey
}

// newTestbed makes validators of the given powers.
func newTestbed(t testing.TB, chainID string, powers ...uint64) *testbed {
	t.Helper()
	b := &testbed{secrets: map[ValidatorKey]ed25519.PrivateKey{}}
	var validators []Validator
	for i, power := range powers {
		secret := validatorSecret(i)
		key := ValidatorKey(secret.Public().(ed25519.PublicKey))
		b.secrets[key] = secret
		validators = append(validators, Validator{key, power})
	}
	var err error
	if b.anchor, err = NewAnchor(chainID, validators); err != nil {
		t.Fatal(err)
	}
	return b
}

// testHash is a hash of no particular thing.
func testHash(name string, i int) protocol.Hash {
	return sha256.Sum256(fmt.Appendf(nil, "cairn test %s %d", name, i))
}

// sign puts a header over the receipt's fact and has the first signers
// validators, in the anchor's order, sign it.
func (b *testbed) sign(t testing.TB, r *Receipt, signers int) *Receipt {
	t.Helper()
	r.ChainID = b.anchor.chainID
	r.Header = Header{TimeNs: testTimeNs, Version: testHash("version", 0), Blocks: testHash("blocks", 0),
		Next: testHash("next", 0), Results: testHash("results", 0), Tail: testHash("tail", 0)}
	r.Commit = Commit{Height: testHeight + 1, Parts: PartSet{Total: 1, Hash: testHash("parts", 0)}}
	b.resign(t, r, signers)
	return r
}

// resign renews the signatures after a change of anything below them.
func (b *testbed) resign(t testing.TB, r *Receipt, signers int) {
	t.Helper()
	var appHash protocol.Hash
	var err error
	if r.Entry != nil {
		_, appHash, err = r.Entry.climb()
	} else {
		_, appHash, err = r.State.climb(0)
	}
	if err != nil {
		t.Fatal(err)
	}
	block := r.Header.BlockHash(r.ChainID, r.Commit.Height, appHash)
	r.Commit.Signatures = nil
	for i, v := range b.anchor.validators[:signers] {
		timeNs := r.Header.TimeNs + int64(i)*17_000_003 + 40_000_000
		vote := VoteBytes(b.anchor.chainID, r.Commit.Height, r.Commit.Round, block, r.Commit.Parts, timeNs)
		r.Commit.Signatures = append(r.Commit.Signatures, Signature{uint32(i), timeNs,
			[ed25519.SignatureSize]byte(ed25519.Sign(b.secrets[v.PubKey], vote))})
	}
}

func testEvent() protocol.Event {
	return protocol.Event{
		ID: "BHMBCCMKT01@2016-10-04T07:59:42Z", Source: "/parking/birmingham", Type: "parking.occupancy.v1",
		Subject: "BHMBCCMKT01", TimeNs: 1_475_567_982_000_000_000, HasTime: true,
		DataForm: protocol.DataJSON, Data: []byte(`{"occupied":61,"capacity":577}`), DataContentType: "application/json",
	}
}

// entryFact is an entry with a payload in a log of size entries; the log's
// other entries are known by their hashes only.
func entryFact(kind protocol.EntryKind, payload []byte, index, size uint64) *Receipt {
	p := &EntryProof{
		Index: index, LogSize: size, Blind: protocol.EventBlind([32]byte{1, 2, 3}, 4242), Payload: payload,
		Entry: protocol.Entry{
			Kind: kind, Height: testHeight, TimeMs: testTimeNs / 1_000_000, Origin: testAddress("origin"),
			Cause: protocol.NoCause,
		},
		Params: testHash("params", 0), State: testHash("state", 0),
	}
	switch kind {
	case protocol.EntryEvent, protocol.EntryDuplicate, protocol.EntryGap:
		p.Entry.Stream = protocol.NewStreamID(p.Entry.Origin, "birmingham")
		p.Entry.Sequence = 4242
	}
	switch kind {
	case protocol.EntryDuplicate, protocol.EntryEmitted, protocol.EntryDeadLetter, protocol.EntryTimer:
		p.Entry.Cause = index / 2
	}
	switch kind {
	case protocol.EntryEvent, protocol.EntryDuplicate, protocol.EntryEmitted:
		p.Entry.Type = protocol.NewTypeHash(testEvent().Type)
	}
	p.Entry.Commitment = protocol.Commitment(p.Blind, payload)
	for i := range PathLength(index, size) {
		p.Path = append(p.Path, testHash("path", i))
	}
	return &Receipt{Entry: p}
}

// stateFact is a key of a state of 300 keys or one more; value is nil for an absent one.
func stateFact(key string, value []byte) *Receipt {
	pairs := somePairs(300)
	if value != nil {
		pairs[key] = string(value)
	}
	return &Receipt{State: &StateProof{State: newSmallState(pairs).prove([]byte(key), value), LogParams: testHash("log and params", 0)}}
}

// oneOfEach is a receipt of every kind, signed by three of four validators.
func oneOfEach(t testing.TB, b *testbed) map[string]*Receipt {
	t.Helper()
	event := testEvent()
	record := event.AppendRecord(nil)
	author := testAddress("author")
	deploy := protocol.ContractAct{Kind: protocol.TxDeploy, Contract: protocol.ContractAddress(author, "parking"), Name: "parking",
		CodeHash: testHash("code", 0), ManifestHash: testHash("manifest", 0), Args: []byte(`{"step":25}`), TxID: testHash("tx", 0)}
	call := protocol.ContractAct{Kind: protocol.TxCall, Contract: deploy.Contract, Name: "close", Args: []byte(`{}`), TxID: testHash("tx", 1)}
	letter := protocol.DeadLetterAct{Code: protocol.CodeContractAborted, GuestCode: 7}
	gap := protocol.GapAct{Count: 12}
	upgrade, control := deploy, protocol.ContractAct{Kind: protocol.TxControl, Contract: deploy.Contract, Name: "redeliver", Args: []byte(`{"index":3}`), TxID: testHash("tx", 2)}
	upgrade.Kind = protocol.TxUpgrade
	timer := protocol.TimerAct{ID: 5, Handler: 1, Data: []byte("due")}

	withheld := entryFact(protocol.EntryEvent, record, 1234, 70_000)
	withheld.Entry.Withheld, withheld.Entry.Blind, withheld.Entry.Payload = true, protocol.Blind{}, nil
	movement := protocol.MovementAct{Kind: protocol.TokenTransfer, Asset: "EURc", From: testAddress("payer"), To: testAddress("payee"), Amount: 90,
		Memo: "parking", TxID: testHash("tx", 3)}
	vote := protocol.GovernanceAct{Step: protocol.GovVoted, By: testAddress("member"), TxID: testHash("tx", 4), Proposal: 12, Yes: true,
		Tally: protocol.Tally{Yes: 3, No: 1, Total: 4}}
	code := testHash("code", 0)
	emptyState := &Receipt{State: &StateProof{State: State{Key: []byte("any")}, LogParams: testHash("log and params", 0)}}
	all := map[string]*Receipt{
		"event":           entryFact(protocol.EntryEvent, record, 1234, 70_000),
		"first of one":    entryFact(protocol.EntryEvent, record, 0, 1),
		"duplicate":       entryFact(protocol.EntryDuplicate, record, 69_999, 70_000),
		"gap":             entryFact(protocol.EntryGap, gap.AppendBinary(nil), 8, 9),
		"emitted":         entryFact(protocol.EntryEmitted, record, 77, 1000),
		"dead letter":     entryFact(protocol.EntryDeadLetter, letter.AppendBinary(nil), 78, 1000),
		"deployment":      entryFact(protocol.EntryContract, deploy.AppendBinary(nil), 0, 1000),
		"call":            entryFact(protocol.EntryContract, call.AppendBinary(nil), 3, 1000),
		"upgrade":         entryFact(protocol.EntryContract, upgrade.AppendBinary(nil), 4, 1000),
		"control":         entryFact(protocol.EntryContract, control.AppendBinary(nil), 5, 1000),
		"movement":        entryFact(protocol.EntryToken, movement.AppendBinary(nil), 7, 1000),
		"governance":      entryFact(protocol.EntryGovernance, vote.AppendBinary(nil), 9, 1000),
		"erasure":         eraseFact(3, 10, 1000),
		"contract code":   stateFact("c"+string(deploy.Contract[:]), code[:]),
		"timer":           entryFact(protocol.EntryTimer, timer.AppendBinary(nil), 6, 1000),
		"withheld":        withheld,
		"state value":     stateFact("key/12", []byte("value 12")),
		"state absence":   stateFact(absentKey(t, true), nil),
		"state emptiness": stateFact(absentKey(t, false), nil),
		"empty state":     emptyState,
	}
	for _, r := range all {
		b.sign(t, r, 3)
	}
	return all
}

// absentKey finds a key whose path ends at another's leaf, or at nothing.
func absentKey(t testing.TB, atLeaf bool) string {
	t.Helper()
	tree := newSmallState(somePairs(300))
	for i := range 1000 {
		key := fmt.Sprintf("absent/%d", i)
		if p := tree.prove([]byte(key), nil); (p.Leaf != nil) == atLeaf {
			return key
		}
	}
	t.Fatal("no such key")
	return ""
}

func testAddress(name string) protocol.Address {
	h := testHash(name, 0)
	return protocol.Address(h[:20])
}
