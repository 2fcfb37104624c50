// Package remote is another ledger, for tests of what ledgers show each other:
// validators, a log and signed blocks, and nothing that executes anything. What
// it shows is what a real one would.
package remote

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Ledger is the other ledger. Its fields may be changed between blocks.
type Ledger struct {
	ChainID string
	Genesis protocol.Hash
	Height  uint64
	Time    time.Time // of the block at Height
	Set     proof.Anchor
	since   uint64
	began   time.Time // of Set
	secrets map[proof.ValidatorKey]ed25519.PrivateKey
	log     []proof.BatchEntry
}

// New founds a ledger whose validators have these powers.
func New(chainID string, at time.Time, powers ...uint64) *Ledger {
	l := &Ledger{
		ChainID: chainID, Genesis: sha256.Sum256([]byte("founding of " + chainID)), Height: 1, Time: at.UTC(),
		since: 1, began: at.UTC(), secrets: map[proof.ValidatorKey]ed25519.PrivateKey{},
	}
	l.Set = l.Validators(0, powers...)
	return l
}

// Validators are a set of the ledger's: the first-th and those that follow.
func (l *Ledger) Validators(first int, powers ...uint64) proof.Anchor {
	var set []proof.Validator
	for i, power := range powers {
		seed := sha256.Sum256(fmt.Appendf(nil, "validator %d of %s", first+i, l.ChainID))
		secret := ed25519.NewKeyFromSeed(seed[:])
		key := proof.ValidatorKey(secret.Public().(ed25519.PublicKey))
		l.secrets[key] = secret
		set = append(set, proof.Validator{PubKey: key, Power: power})
	}
	anchor, err := proof.NewAnchor(l.ChainID, set)
	if err != nil {
		panic(err)
	}
	return anchor
}

// Terms are those of registering the ledger by the set it has now.
func (l *Ledger) Terms(period time.Duration) protocol.LedgerTerms {
	return protocol.LedgerTerms{
		ChainID: l.ChainID, Genesis: l.Genesis, Set: l.Set.SetHash(), Since: l.since, AtMs: uint64(l.began.UnixMilli()),
		PeriodMs: uint64(period.Milliseconds()),
	}
}

// Next makes a block, so long after the one before.
func (l *Ledger) Next(after time.Duration) { l.Height, l.Time = l.Height+1, l.Time.Add(after) }

// Append appends an entry with its payload in the block at Height, and answers
// its index.
func (l *Ledger) Append(kind protocol.EntryKind, payload []byte, eventType string) uint64 {
	index := uint64(len(l.log))
	blind := protocol.Blind(sha256.Sum256(fmt.Appendf(nil, "blind %d of %s", index, l.ChainID)))
	l.log = append(l.log, proof.BatchEntry{Index: index, Blind: blind, Payload: payload, Entry: protocol.Entry{
		Kind: kind, Height: l.Height, TimeMs: uint64(l.Time.UnixMilli()), Origin: protocol.LedgerAddress(l.ChainID, l.Genesis), Cause: protocol.NoCause,
		Type: protocol.NewTypeHash(eventType), Commitment: protocol.Commitment(blind, payload),
	}})
	return index
}

// Event appends an event.
func (l *Ledger) Event(source, eventType, data string) uint64 {
	e := protocol.Event{ID: fmt.Sprint(len(l.log)), Source: source, Type: eventType, DataForm: protocol.DataJSON, Data: []byte(data)}
	return l.Append(protocol.EntryEvent, e.AppendRecord(nil), eventType)
}

// header is one of which everything is open.
type header struct {
	proof.Header
	leaves [proof.HeaderFields]protocol.Hash
	block  protocol.Hash
}

// header makes that of the block at Height, which commits to the whole log
// and names the set that signs and the one that follows.
func (l *Ledger) header(next proof.Anchor, root, params, state protocol.Hash) *header {
	h := &header{}
	for i := range h.leaves {
		h.leaves[i] = sha256.Sum256(fmt.Appendf(nil, "field %d of header %d", i, l.Height))
	}
	for i, set := range map[int]proof.Anchor{7: l.Set, 8: next} { // two places: order does not matter
		hash := set.SetHash()
		h.leaves[i] = proof.LeafHash(append([]byte{0x0a, byte(len(hash))}, hash[:]...))
	}
	value := proof.LogValue(uint64(len(l.log)), root)
	appHash := proof.NodeHash(proof.NodeHash(proof.MapLeaf("log", value), params), state)
	h.leaves[10] = proof.LeafHash(append([]byte{0x0a, byte(len(appHash))}, appHash[:]...))
	f := &h.leaves
	h.Header = proof.Header{
		TimeNs: l.Time.UnixNano(), Version: f[0], Blocks: node4(f[4:8]), Next: proof.NodeHash(f[8], f[9]),
		Results: f[11], Tail: proof.NodeHash(f[12], f[13]),
	}
	h.block = h.BlockHash(l.ChainID, l.Height, appHash)
	return h
}

func node4(leaves []protocol.Hash) protocol.Hash {
	return proof.NodeHash(proof.NodeHash(leaves[0], leaves[1]), proof.NodeHash(leaves[2], leaves[3]))
}

// sign has the first validators of the set sign the block, as many as a quorum needs.
func (l *Ledger) sign(h *header) proof.Commit {
	c := proof.Commit{Height: l.Height, Parts: proof.PartSet{Total: 1, Hash: h.leaves[0]}}
	var power uint64
	for i, v := range l.Set.Validators() {
		message := proof.VoteBytes(l.ChainID, c.Height, c.Round, h.block, c.Parts, h.TimeNs+int64(i))
		s := proof.Signature{Validator: uint32(i), TimeNs: h.TimeNs + int64(i)}
		copy(s.Bytes[:], ed25519.Sign(l.secrets[v.PubKey], message))
		c.Signatures = append(c.Signatures, s)
		if power += v.Power; l.Set.IsQuorum(power) {
			break
		}
	}
	return c
}

// Receipt proves entries by the block at Height, which has to be after theirs.
func (l *Ledger) Receipt(indices ...uint64) *proof.BatchReceipt {
	params, state := protocol.Hash(sha256.Sum256([]byte("params"))), protocol.Hash(sha256.Sum256(binary.BigEndian.AppendUint64(nil, l.Height)))
	leaves := make([]protocol.Hash, len(l.log))
	for i := range l.log {
		leaves[i] = protocol.LeafHash(l.log[i].Entry.AppendBinary(nil))
	}
	h := l.header(l.Set, proof.TreeRoot(leaves), params, state)
	r := &proof.BatchReceipt{ChainID: l.ChainID, LogSize: uint64(len(l.log)), Params: params, State: state, Header: h.Header, Commit: l.sign(h)}
	for _, i := range indices {
		r.Entries = append(r.Entries, l.log[i])
	}
	for _, beside := range proof.BesideRanges(slices.Clone(indices), r.LogSize) {
		r.Beside = append(r.Beside, proof.TreeRoot(leaves[beside[0]:beside[1]]))
	}
	return r
}

// Still is a step that says that the set still signs the block at Height.
func (l *Ledger) Still() proof.TrustStep {
	h := l.header(l.Set, protocol.Hash{}, protocol.Hash{}, protocol.Hash{})
	f := &h.leaves
	high := proof.NodeHash(node4(f[8:12]), proof.NodeHash(f[12], f[13]))
	return proof.TrustStep{
		Skip: true, TimeNs: h.TimeNs, Next: l.Set.Validators(), Commit: l.sign(h),
		Beside: []protocol.Hash{f[0], proof.NodeHash(f[4], f[5]), f[6], high},
	}
}

// Replace has another set sign from the block after Height on, and is the step
// to it.
func (l *Ledger) Replace(next proof.Anchor) proof.TrustStep {
	h := l.header(next, protocol.Hash{}, protocol.Hash{}, protocol.Hash{})
	f := &h.leaves
	step := proof.TrustStep{
		TimeNs: h.TimeNs, Next: next.Validators(), Commit: l.sign(h),
		Beside: []protocol.Hash{f[0], node4(f[4:8]), f[9], proof.NodeHash(f[10], f[11]), proof.NodeHash(f[12], f[13])},
	}
	l.Set, l.since, l.began = next, l.Height+1, l.Time
	return step
}

// Testimony shows entries, after steps from the set that has these members.
func (l *Ledger) Testimony(from proof.Anchor, steps []proof.TrustStep, indices ...uint64) *proof.Testimony {
	t := &proof.Testimony{ChainID: l.ChainID, Validators: from.Validators(), Steps: steps}
	if len(indices) > 0 {
		t.Receipt = l.Receipt(indices...)
	}
	return t
}

// Relay is the body of a transaction that shows entries to a ledger that knows
// this one by a name, and trusts the set it has now.
func (l *Ledger) Relay(name string, indices ...uint64) *protocol.Relay {
	return Body(name, l.Testimony(l.Set, nil, indices...))
}

// Body is the body of a transaction that shows a testimony.
func Body(name string, t *proof.Testimony) *protocol.Relay {
	b, err := t.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return &protocol.Relay{Ledger: name, Testimony: b}
}
