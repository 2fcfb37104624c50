package machine

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/governance"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// Gas of a relay, known from its bytes alone, so that it is charged before any
// of the work.
const (
	gasPerRelaySignature = 200_000 // one ed25519 verification: 40-50 us
	gasPerRelayValidator = 12_000  // two hashes, and some more while the set is sorted
	gasPerRelayEntry     = 60_000  // leaf, path, two commitments, a log entry and its mark
	gasPerRelayByte      = 24      // hashed and kept by every node
)

const (
	// maxRelaySignatures bounds those of the relays of one block: about 0.1 s of
	// a core, where no node has checked them before.
	maxRelaySignatures = 2_000
	// maxAheadMs is how far the other ledger's clock may be ahead: a ledger at
	// rest tells the time of its last block, up to a minute ago.
	maxAheadMs = 5 * 60_000
)

// relay is a testimony on its way. Its proof is a pure function of its bytes:
// it is checked once, on any goroutine, and remembered with the transaction.
type relay struct {
	testimony *proof.Testimony
	gas       uint64

	once     sync.Once
	verified *proof.VerifiedTestimony // set by once
	err      error                    // set by once
}

func newRelay(body *protocol.Relay) (*relay, error) {
	t, err := proof.ParseTestimony(body.Testimony)
	if err != nil {
		return nil, protocol.Refuse(protocol.CodeMalformed, "relay: %v", err)
	}
	w := t.Work()
	return &relay{testimony: t, gas: gasPerRelaySignature*w.Signatures + gasPerRelayValidator*w.Validators +
		gasPerRelayEntry*w.Entries + gasPerRelayByte*uint64(len(body.Testimony))}, nil
}

// verify checks the proof, or answers what came of it before.
func (r *relay) verify() (*proof.VerifiedTestimony, error) {
	r.once.Do(func() {
		if r.verified, r.err = r.testimony.Verify(); r.err != nil {
			r.err = protocol.Refuse(protocol.CodeRelayProof, "the testimony does not hold: %v", r.err)
		}
	})
	return r.verified, r.err
}

// relayGas is what a relay costs; 0 of anything else.
func relayGas(c *checked) uint64 {
	if c.relay == nil {
		return 0
	}
	return c.relay.gas
}

// verdict is what a ledger makes of a relay.
type verdict struct {
	ledger  *protocol.LedgerRecord
	address protocol.Address
	party   membership.Party // the ledger, for its quota
	trusted proof.Followed   // from now on
	fresh   []*proof.BatchEntry
	used    membership.Amount
}

// judge decides about a relay by a state and the time of its block: first all
// that is cheap, at last the proof.
func judge(s State, height uint64, nowMs int64, name string, r *relay) (*verdict, error) {
	v := &verdict{}
	var err error
	if v.ledger, err = governance.ReadLedger(s, name); err != nil {
		return nil, err
	}
	if v.ledger.Suspended {
		return nil, protocol.Refuse(protocol.CodeLedgerSuspended, "the council suspended the ledger %s", name)
	}
	t := r.testimony
	if t.ChainID != v.ledger.ChainID || t.Receipt != nil && t.Receipt.ChainID != v.ledger.ChainID {
		return nil, protocol.Refuse(protocol.CodeRelayChain, "the ledger %s is the chain %q, the testimony is of %q", name, v.ledger.ChainID, t.ChainID)
	}
	set, err := t.SetHash()
	if err != nil {
		return nil, protocol.Refuse(protocol.CodeRelayProof, "%v", err)
	}
	if set != v.ledger.Set {
		return nil, protocol.Refuse(protocol.CodeRelayAnchor, "the testimony begins with the validator set %s, trusted is %s, which signs from height %d", set, v.ledger.Set, v.ledger.Since)
	}
	v.address = v.ledger.Address()
	if err := v.choose(s, nowMs, t.Receipt); err != nil {
		return nil, err
	}
	v.party = membership.Party{Address: v.address, Account: protocol.Account{Quota: v.ledger.Quota}}
	v.used.Gas = r.gas
	if err := membership.Admit(s, &v.party, height, v.used); err != nil {
		return nil, err
	}
	return v, v.believe(r, nowMs)
}

// choose picks the entries that were not relayed before, and refuses those
// that the terms do not accept.
func (v *verdict) choose(s State, nowMs int64, receipt *proof.BatchReceipt) error {
	if receipt == nil {
		return nil
	}
	for i := range receipt.Entries {
		e := &receipt.Entries[i]
		before, err := governance.IsRelayed(s, v.address, e.Index)
		if err != nil {
			return err
		}
		if before {
			continue
		}
		if err := v.accepts(e, nowMs); err != nil {
			return err
		}
		v.fresh = append(v.fresh, e)
		v.used.Events++
		v.used.Bytes += uint64(len(e.Payload))
	}
	if len(v.fresh) == 0 {
		return protocol.Refuse(protocol.CodeRelayed, "all %d entries were relayed before", len(receipt.Entries))
	}
	return nil
}

// accepts refuses an entry that is none of the ledger's terms.
func (v *verdict) accepts(e *proof.BatchEntry, nowMs int64) error {
	if e.Entry.Kind != protocol.EntryEvent && e.Entry.Kind != protocol.EntryEmitted {
		return protocol.Refuse(protocol.CodeRelayNotAccepted, "entry %d is of kind %s: only events are relayed", e.Index, e.Entry.Kind)
	}
	var view protocol.RecordView
	if e.Withheld || len(e.Payload) > protocol.MaxForeignRecord || view.Parse(e.Payload) != nil {
		return protocol.Refuse(protocol.CodeRelayNotAccepted, "entry %d shows no event of at most %d bytes", e.Index, protocol.MaxForeignRecord)
	}
	if !v.ledger.Accept.Cover(view.Source, view.Type) {
		return protocol.Refuse(protocol.CodeRelayNotAccepted, "entry %d: source %q with type %q is not accepted of the ledger %s",
			e.Index, view.Source, view.Type, v.ledger.Name)
	}
	if age := v.ledger.MaxAgeMs; age > 0 && int64(e.Entry.TimeMs) < nowMs-int64(age) {
		return protocol.Refuse(protocol.CodeRelayStale, "entry %d is of %s, more than %d ms ago",
			e.Index, time.UnixMilli(int64(e.Entry.TimeMs)).UTC().Format(time.RFC3339), age)
	}
	return nil
}

// believe checks the proof, and that the set it begins with is to be trusted at
// that time.
func (v *verdict) believe(r *relay, nowMs int64) error {
	verified, err := r.verify()
	if err != nil {
		return err
	}
	before := governance.Trusted(v.ledger)
	v.trusted, err = verified.Follow(before, time.UnixMilli(nowMs).UTC(), time.Duration(v.ledger.PeriodMs)*time.Millisecond)
	switch {
	case errors.Is(err, proof.ErrExpired):
		return protocol.Refuse(protocol.CodeRelayExpired, "ledger %s: %v", v.ledger.Name, err)
	case err != nil:
		return protocol.Refuse(protocol.CodeRelayAnchor, "ledger %s: %v", v.ledger.Name, err)
	}
	latest := v.trusted.At.UnixMilli()
	if receipt := r.testimony.Receipt; receipt != nil {
		latest = max(latest, receipt.Header.Time().UnixMilli())
	} else if v.trusted.Seen == before.Seen {
		return protocol.Refuse(protocol.CodeRelayed, "the set %s is trusted at height %d already", before.Set, before.Seen)
	}
	if latest > nowMs+maxAheadMs {
		return protocol.Refuse(protocol.CodeRelayAhead, "the ledger %s shows a block of %s, this block is of %s", v.ledger.Name,
			time.UnixMilli(latest).UTC().Format(time.RFC3339), time.UnixMilli(nowMs).UTC().Format(time.RFC3339))
	}
	return nil
}

// relay appends the events of another ledger that are new here, and moves on
// to the validator set that the testimony leads to.
func (x *execution) relay(c *checked, body *protocol.Relay, out *Outcome) error {
	r := c.relay
	if r == nil { // it is tried
		var err error
		if r, err = newRelay(body); err != nil {
			return err
		}
	}
	if err := membership.Admit(x.b.State(), &x.party, x.block.Height, membership.Amount{Gas: r.gas}); err != nil {
		return err
	}
	out.Gas = r.gas
	v, err := judge(x.b.State(), x.block.Height, x.block.TimeMs, body.Ledger, r)
	if err != nil {
		return err
	}
	out.First = x.b.LogSize()
	indices := make([]uint64, len(v.fresh))
	for i, e := range v.fresh {
		x.foreign(c, v, e)
		indices[i] = e.Index
	}
	if out.Entries = uint32(len(indices)); r.testimony.Receipt != nil {
		out.Absorbed = uint32(len(r.testimony.Receipt.Entries) - len(indices))
		v.ledger.Relayed += uint64(len(indices))
		v.ledger.Next = max(v.ledger.Next, indices[len(indices)-1]+1)
	}
	governance.Trust(v.ledger, v.trusted)
	state := x.b.State()
	if err := governance.MarkRelayed(state, v.address, indices); err != nil {
		return err
	}
	if err := membership.Use(state, &v.party, x.block.Height, v.used); err != nil {
		return err
	}
	if err := governance.PutLedger(state, v.ledger); err != nil {
		return err
	}
	return state.Set(replayKey(c.Tx), []byte{1})
}

// foreign appends an event of another ledger.
func (x *execution) foreign(c *checked, v *verdict, e *proof.BatchEntry) {
	act := protocol.ForeignAct{
		Ledger: v.ledger.Name, ChainID: v.ledger.ChainID, Index: e.Index, Height: e.Entry.Height, TimeMs: e.Entry.TimeMs,
		Kind: e.Entry.Kind, Origin: e.Entry.Origin, Leaf: protocol.LeafHash(e.Entry.AppendBinary(nil)), TxID: c.ID, Record: e.Payload,
	}
	x.appendOwn(protocol.Entry{
		Kind: protocol.EntryForeign, Origin: v.address, Stream: protocol.LedgerStream(v.ledger.Name), Sequence: e.Index,
		Cause: protocol.NoCause, Type: e.Entry.Type,
	}, e.Blind, 0, act.AppendBinary(nil))
}

// EventRecord is the record of the event that happened with an entry: one that
// was accepted, emitted, or of another ledger. It is nil of any other entry.
func EventRecord(kind protocol.EntryKind, payload []byte) ([]byte, error) {
	switch kind {
	case protocol.EntryEvent, protocol.EntryEmitted:
		return payload, nil
	case protocol.EntryForeign:
		decoded, err := protocol.DecodeAct(payload)
		if act, ok := decoded.(*protocol.ForeignAct); ok && err == nil {
			return act.Record, nil
		}
		return nil, fmt.Errorf("the payload of an entry of kind %s is damaged: %v", kind, err)
	}
	return nil, nil
}
