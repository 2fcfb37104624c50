package machine

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/governance"
	"github.com/cairn-ledger/cairn/node/sim/asm"
	"github.com/cairn-ledger/cairn/node/sim/remote"
)

const priceType = "price.set.v1"

// payer is a contract that pays one EUR to the producer for each price that the
// ledger "far" sets, and would for one of this ledger's own pay to nobody.
func payer(to protocol.Address) (code, manifest []byte) {
	data := "EUR" + string(to[:])
	pay := asm.I32(0) + asm.I32(3) + asm.I32(3) + asm.I64(100) + asm.Host(abi.HostTransfer) + asm.Drop
	body := asm.Get(0) + asm.If(asm.Unreachable) + pay + asm.I32(0)
	return asm.Contract(data, "", body), []byte(`{"name":"payer","version":"1","abi":1,"events":[
		{"type":"price.set.v1","ledger":"far","fields":[]},{"type":"price.set.v1","fields":[]}]}`)
}

// crossing is a ledger that knows another one as "far", and a contract on it
// that pays for the other's prices.
type crossing struct {
	*ledger
	far *remote.Ledger
}

func newCrossing(t testing.TB, change func(*protocol.GovAction)) *crossing {
	t.Helper()
	c := &crossing{governed(t), remote.New("cairn-far", time.UnixMilli(1_700_000_000_000), 10, 10, 10, 10)}
	c.want(protocol.CodeOK, c.token("author",
		protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR", Decimals: 2},
		protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: protocol.ContractAddress(c.address("author"), "payer"), Amount: 10_000}))
	code, manifest := payer(c.address("producer"))
	c.must(c.one("author", &protocol.Deploy{Code: code, Manifest: manifest}), protocol.CodeOK)
	action := protocol.GovAction{Kind: protocol.GovLedger, Name: "far", Ledger: c.far.Terms(time.Hour), Grants: protocol.Grants{Sources: []string{"/prices/"}, Types: []string{"price."}}}
	action.Ledger.MaxAgeMs = 60_000
	change(&action)
	c.pass(action)
	return c
}

func open(t testing.TB) *crossing { return newCrossing(t, func(*protocol.GovAction) {}) }

// price sets prices on the other ledger and makes the block that signs them.
func (c *crossing) prices(n int) (indices []uint64) {
	for range n {
		indices = append(indices, c.far.Event("/prices/eu", priceType, `{"price":7}`))
	}
	c.far.Next(time.Second)
	return indices
}

func (c *crossing) record() *protocol.LedgerRecord {
	c.t.Helper()
	record, err := governance.ReadLedger(c.view(), "far")
	if err != nil {
		c.t.Fatal(err)
	}
	return record
}

// An event of another ledger is an entry that names its cause there; the
// contract that subscribed to it pays, once, however often it is relayed.
func TestAForeignEventPaysOnce(t *testing.T) {
	c := open(t)
	first := c.prices(3)
	out := c.must(c.one("author", c.far.Relay("far", first[0], first[2])), protocol.CodeOK)
	if out.Entries != 2 || c.has("producer", "EUR") != 200 {
		t.Fatalf("%+v, the producer has %d", out, c.has("producer", "EUR"))
	}
	e := c.entry(out.First + 1)
	payload, err := ReadPayload(c.store, c.view(), out.First+1)
	if err != nil || protocol.Commitment(payload.Blind, payload.Bytes) != e.Commitment {
		t.Fatal(err)
	}
	act, err := protocol.DecodeAct(payload.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	foreign := act.(*protocol.ForeignAct)
	if foreign.Ledger != "far" || foreign.ChainID != "cairn-far" || foreign.Index != first[2] || foreign.Kind != protocol.EntryEvent ||
		e.Origin != protocol.LedgerAddress("cairn-far", c.far.Genesis) || e.Sequence != first[2] || e.Cause != protocol.NoCause || e.Type != protocol.NewTypeHash(priceType) {
		t.Fatalf("%+v %+v", e, foreign)
	}
	c.must(c.one("producer", c.far.Relay("far", first[0], first[2])), protocol.CodeRelayed)
	if out := c.must(c.one("producer", c.far.Relay("far", first...)), protocol.CodeOK); out.Entries != 1 || out.Absorbed != 2 {
		t.Fatalf("%+v", out)
	}
	if record := c.record(); c.has("producer", "EUR") != 300 || record.Relayed != 3 || record.Next != first[2]+1 {
		t.Fatalf("%d, %+v", c.has("producer", "EUR"), record)
	}
	again := newLedgerOf(t, councilOf(map[string]protocol.PrivateKey{}, 2))
	again.replay(c.ledger)
}

// A producer of this ledger may copy an event to the last octet: it is not
// delivered as the other ledger's.
func TestNobodyCounterfeitsALedger(t *testing.T) {
	c := open(t)
	index := c.prices(1)[0]
	record := c.far.Receipt(index).Entries[0].Payload
	result := c.block(c.sign("producer", &protocol.Batch{Stream: "s", Records: [][]byte{record}}))
	if c.must(result.Outcomes[0], protocol.CodeOK); result.Dead != 1 || c.has("producer", "EUR") != 0 {
		t.Fatalf("%d dead, %d paid", result.Dead, c.has("producer", "EUR"))
	}
	result = c.block(c.sign("author", c.far.Relay("far", index)))
	if c.must(result.Outcomes[0], protocol.CodeOK); result.Delivered != 1 || c.has("producer", "EUR") != 100 {
		t.Fatalf("%d delivered, %d paid", result.Delivered, c.has("producer", "EUR"))
	}
}

// refusedRelays are relays of each kind that is refused, and how.
var refusedRelays = map[string]struct {
	code protocol.Code
	body func(c *crossing) *protocol.Relay
}{
	"unregistered": {protocol.CodeLedgerUnknown, func(c *crossing) *protocol.Relay { return c.far.Relay("near", c.prices(1)...) }},
	"suspended": {protocol.CodeLedgerSuspended, func(c *crossing) *protocol.Relay {
		c.pass(protocol.GovAction{Kind: protocol.GovSuspend, Name: "far", On: true})
		return c.far.Relay("far", c.prices(1)...)
	}},
	"another chain": {protocol.CodeRelayChain, func(c *crossing) *protocol.Relay {
		other := remote.New("cairn-other", c.far.Time, 10, 10, 10, 10)
		index := other.Event("/prices/eu", priceType, `{}`)
		other.Next(time.Second)
		return other.Relay("far", index)
	}},
	"another chain's receipt": {protocol.CodeRelayChain, func(c *crossing) *protocol.Relay {
		other := remote.New("cairn-other", c.far.Time, 10, 10, 10, 10)
		index := other.Event("/prices/eu", priceType, `{}`)
		other.Next(time.Second)
		testimony := c.far.Testimony(c.far.Set, nil)
		testimony.Receipt = other.Receipt(index)
		return remote.Body("far", testimony)
	}},
	"other validators of the same chain id": {protocol.CodeRelayAnchor, func(c *crossing) *protocol.Relay {
		c.far.Set = c.far.Validators(50, 10, 10, 10, 10)
		return c.far.Relay("far", c.prices(1)...)
	}},
	"forged signature": {protocol.CodeRelayProof, func(c *crossing) *protocol.Relay {
		testimony := c.far.Testimony(c.far.Set, nil, c.prices(1)...)
		testimony.Receipt.Commit.Signatures[1].Bytes[9] ^= 1
		return remote.Body("far", testimony)
	}},
	"forged event": {protocol.CodeRelayProof, func(c *crossing) *protocol.Relay {
		testimony := c.far.Testimony(c.far.Set, nil, c.prices(1)...)
		e := &testimony.Receipt.Entries[0]
		e.Payload = bytes.Replace(e.Payload, []byte(`{"price":7}`), []byte(`{"price":9}`), 1)
		e.Entry.Commitment = protocol.Commitment(e.Blind, e.Payload)
		return remote.Body("far", testimony)
	}},
	"too few signatures": {protocol.CodeRelayProof, func(c *crossing) *protocol.Relay {
		testimony := c.far.Testimony(c.far.Set, nil, c.prices(1)...)
		testimony.Receipt.Commit.Signatures = testimony.Receipt.Commit.Signatures[:2]
		return remote.Body("far", testimony)
	}},
	"a type that is not accepted": {protocol.CodeRelayNotAccepted, func(c *crossing) *protocol.Relay {
		index := c.far.Event("/prices/eu", "cost.set.v1", `{}`)
		c.far.Next(time.Second)
		return c.far.Relay("far", index)
	}},
	"a source that is not accepted": {protocol.CodeRelayNotAccepted, func(c *crossing) *protocol.Relay {
		index := c.far.Event("/other/eu", priceType, `{}`)
		c.far.Next(time.Second)
		return c.far.Relay("far", index)
	}},
	"no event": {protocol.CodeRelayNotAccepted, func(c *crossing) *protocol.Relay {
		index := c.far.Append(protocol.EntryGap, (&protocol.GapAct{Count: 1}).AppendBinary(nil), priceType)
		c.far.Next(time.Second)
		return c.far.Relay("far", index)
	}},
	"withheld": {protocol.CodeRelayNotAccepted, func(c *crossing) *protocol.Relay {
		testimony := c.far.Testimony(c.far.Set, nil, c.prices(1)...)
		e := &testimony.Receipt.Entries[0]
		e.Withheld, e.Blind, e.Payload = true, protocol.Blind{}, nil
		return remote.Body("far", testimony)
	}},
	"stale": {protocol.CodeRelayStale, func(c *crossing) *protocol.Relay {
		c.far.Time = c.far.Time.Add(-time.Minute)
		index := c.prices(1)[0]
		c.far.Next(time.Minute)
		return c.far.Relay("far", index)
	}},
	"ahead": {protocol.CodeRelayAhead, func(c *crossing) *protocol.Relay {
		c.far.Next(6 * time.Minute)
		return c.far.Relay("far", c.prices(1)...)
	}},
}

// What is refused changes nothing but what the sender is charged for.
func TestRelaysThatAreRefused(t *testing.T) {
	for name, test := range refusedRelays {
		t.Run(name, func(t *testing.T) {
			c := open(t)
			body := test.body(c)
			before := c.record()
			raw := c.sign("author", body)
			if err := c.machine.CheckTx(c.view(), c.store.Head(), raw); codeOf(err) != test.code {
				t.Fatalf("at the door: %v", err)
			}
			c.must(c.block(raw).Outcomes[0], test.code)
			if after := c.record(); string(after.AppendBinary(nil)) != string(before.AppendBinary(nil)) || c.has("producer", "EUR") != 0 {
				t.Fatalf("%+v became %+v", before, after)
			}
		})
	}
}

// Trust follows the validators by steps, expires, and never goes back.
func TestTrustInALedgerMoves(t *testing.T) {
	c := open(t)
	old, index := c.far.Set, c.prices(1)[0]
	early := c.far.Relay("far", index)
	step := c.far.Replace(c.far.Validators(2, 10, 10, 10, 20))
	c.far.Next(time.Second)
	c.must(c.one("author", c.far.Relay("far", index)), protocol.CodeRelayAnchor) // whose signers nobody vouched for
	c.must(c.one("author", remote.Body("far", c.far.Testimony(old, []proof.TrustStep{step}, index))), protocol.CodeOK)
	if record := c.record(); record.Set != c.far.Set.SetHash() || record.Since != 3 || c.has("producer", "EUR") != 100 {
		t.Fatalf("%+v", record)
	}
	c.must(c.one("author", early), protocol.CodeRelayAnchor) // the old set is not believed any more
	c.must(c.one("author", remote.Body("far", c.far.Testimony(old, []proof.TrustStep{step}, index))), protocol.CodeRelayAnchor)

	c.far.Next(50 * time.Minute)
	still := c.far.Still()
	late := c.far.Time.UnixMilli() + 1_000
	at := func(body *protocol.Relay, code protocol.Code) {
		t.Helper()
		c.must(c.execute(Block{Height: c.store.Head().Height + 1, TimeMs: late, Txs: [][]byte{c.sign("author", body)}}).Outcomes[0], code)
	}
	at(remote.Body("far", c.far.Testimony(c.far.Set, []proof.TrustStep{still})), protocol.CodeOK)
	at(remote.Body("far", c.far.Testimony(c.far.Set, []proof.TrustStep{still})), protocol.CodeRelayed) // it tells nothing new
	late += 55 * 60_000
	c.far.Next(55 * time.Minute)
	at(c.far.Relay("far", c.prices(1)...), protocol.CodeOK) // 55 minutes after it was seen
	late += 6 * 60_000
	c.far.Next(6 * time.Minute)
	at(c.far.Relay("far", c.prices(1)...), protocol.CodeRelayExpired)
	at(remote.Body("far", c.far.Testimony(c.far.Set, []proof.TrustStep{c.far.Still()})), protocol.CodeRelayExpired)

	again := c.far.Terms(time.Hour) // the council says whom to trust from now on
	again.Since, again.AtMs = c.far.Height, uint64(c.far.Time.UnixMilli())
	c.passAt(late, protocol.GovAction{Kind: protocol.GovLedger, Name: "far", Ledger: again})
	at(c.far.Relay("far", c.prices(1)...), protocol.CodeOK)
}

func codeOf(err error) protocol.Code {
	code, _ := protocol.CodeOf(err)
	return code
}

// passAt is pass in blocks of a later time.
func (c *crossing) passAt(timeMs int64, action protocol.GovAction) {
	c.t.Helper()
	do := func(who string, body protocol.Body) Outcome {
		c.t.Helper()
		return c.must(c.execute(Block{Height: c.store.Head().Height + 1, TimeMs: timeMs, Txs: [][]byte{c.sign(who, body)}}).Outcomes[0], protocol.CodeOK)
	}
	p := do("x", &protocol.Propose{Title: "t", Expiry: c.store.Head().Height + 50, Actions: []protocol.GovAction{action}}).First
	do("x", &protocol.Vote{Proposal: p, Yes: true})
	do("z", &protocol.Vote{Proposal: p, Yes: true})
}

// Whatever octet of a relay is changed, and signed again by its sender, it has
// no effect: it is not a testimony, or none that holds, or it says the same.
func TestEveryFlippedBitOfARelayHasNoEffect(t *testing.T) {
	c := open(t)
	old, indices := c.far.Set, c.prices(2)
	step := c.far.Replace(c.far.Validators(1, 10, 10, 10, 10))
	c.far.Next(time.Second)
	whole := remote.Body("far", c.far.Testimony(old, []proof.TrustStep{step}, indices...)).Testimony
	random := rand.New(rand.NewPCG(1, 2))
	changed := 0
	for i := range whole {
		spoilt := bytes.Clone(whole)
		spoilt[i] ^= 1 << random.UintN(8)
		r, err := newRelay(&protocol.Relay{Ledger: "far", Testimony: spoilt})
		if err == nil {
			_, err = judge(c.view(), c.store.Head().Height+1, c.far.Time.UnixMilli(), "far", r)
		}
		if codeOf(err) == protocol.CodeOK {
			t.Errorf("octet %d of %d can be changed: %v", i, len(whole), err)
		}
		changed++
	}
	c.must(c.one("author", &protocol.Relay{Ledger: "far", Testimony: whole}), protocol.CodeOK)
	t.Logf("%d octets, none can be changed", changed)
}

// Quotas bound what is taken of a ledger, and what a sender may have verified.
func TestRelaysAreWithinQuotas(t *testing.T) {
	c := newCrossing(t, func(a *protocol.GovAction) { a.Quota = protocol.Quota{Blocks: 1_000, Events: 3} })
	indices := c.prices(4)
	c.must(c.one("author", c.far.Relay("far", indices...)), protocol.CodeOverQuota)
	c.must(c.one("author", c.far.Relay("far", indices[:3]...)), protocol.CodeOK)
	c.must(c.one("author", c.far.Relay("far", indices[3:]...)), protocol.CodeOverQuota)

	c.pass(protocol.GovAction{Kind: protocol.GovQuota, Account: c.address("author"), Quota: protocol.Quota{Blocks: 1_000, Gas: 800_000}})
	forged := c.far.Testimony(c.far.Set, nil, indices[3])
	forged.Receipt.Commit.Signatures[0].Bytes[0] ^= 1
	c.pass(protocol.GovAction{Kind: protocol.GovLedger, Name: "far", Ledger: c.record().LedgerTerms})
	out := c.must(c.one("author", remote.Body("far", forged)), protocol.CodeRelayProof)
	if out.Gas < 3*gasPerRelaySignature { // also for what does not hold
		t.Fatalf("%d gas", out.Gas)
	}
	c.must(c.one("author", c.far.Relay("far", indices[3])), protocol.CodeOverQuota)
	c.must(c.one("producer", c.far.Relay("far", indices[3])), protocol.CodeOK)
}

// A name stands for one ledger for good, and a ledger has one name.
func TestLedgersKeepTheirNames(t *testing.T) {
	c := open(t)
	other := remote.New("cairn-other", c.far.Time, 1)
	c.propose(protocol.CodeProposalTerms, protocol.GovAction{Kind: protocol.GovLedger, Name: "far", Ledger: other.Terms(time.Hour)})
	c.propose(protocol.CodeProposalTerms, protocol.GovAction{Kind: protocol.GovLedger, Name: "away", Ledger: c.far.Terms(time.Hour)})
	self := c.far.Terms(time.Hour)
	self.ChainID = testChain
	c.propose(protocol.CodeProposalTerms, protocol.GovAction{Kind: protocol.GovLedger, Name: "self", Ledger: self})
	blind := other.Terms(time.Hour)
	blind.Set, blind.Since, blind.AtMs = protocol.Hash{}, 0, 0
	c.propose(protocol.CodeProposalTerms, protocol.GovAction{Kind: protocol.GovLedger, Name: "other", Ledger: blind})
	c.propose(protocol.CodeLedgerUnknown, protocol.GovAction{Kind: protocol.GovSuspend, Name: "other", On: true})
	before := c.record()
	keep := before.LedgerTerms
	keep.Set, keep.Since, keep.AtMs = protocol.Hash{}, 0, 0
	c.pass(protocol.GovAction{Kind: protocol.GovLedger, Name: "far", Ledger: keep})
	if after := c.record(); after.LedgerTerms != before.LedgerTerms || !after.Accept.IsZero() {
		t.Fatalf("%+v became %+v", before, after)
	}
}
