package machine

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// Erasing has two halves. Execution, here, is agreed on: it marks an entry as
// erased in the state and appends an entry that says so, and from then on never
// looks at the payload. Scrubbing (scrub.go) is each node's own: it rewrites
// what holds the payload, some time after the commit.

// maxErasedInBlock bounds the entries that the erasures of one block look at;
// those beyond are refused and can be sent again.
const maxErasedInBlock = 10 * protocol.MaxEraseEntries

func erasedKey(index uint64) []byte { return key(prefixErased, u64(index)) }

// ErasedKey is the state key under which an erased entry has the index of the
// entry that says who erased it and why.
func ErasedKey(index uint64) []byte { return erasedKey(index) }

// ErasedBy finds the erase entry of an entry; ok is false where its payload
// was not erased.
func ErasedBy(s State, index uint64) (erase uint64, ok bool, err error) {
	value, ok, err := s.Get(erasedKey(index))
	if err != nil || !ok {
		return 0, false, err
	}
	if len(value) != 8 {
		return 0, false, fmt.Errorf("erasure of entry %d is damaged", index)
	}
	return binary.BigEndian.Uint64(value), true, nil
}

// NextErased finds the first erased entry from an index on.
func NextErased(s State, from uint64) (index uint64, ok bool, err error) {
	var after []byte
	if from > 0 {
		after = erasedKey(from - 1)
	}
	found, err := s.Scan([]byte{prefixErased}, after, 1)
	if err != nil || len(found) == 0 {
		return 0, false, err
	}
	if len(found[0].Key) != 1+8 {
		return 0, false, fmt.Errorf("erasure %x is damaged", found[0].Key)
	}
	return binary.BigEndian.Uint64(found[0].Key[1:]), true, nil
}

// erase marks entries as erased and records each in the log.
func (x *execution) erase(c *checked, e *protocol.Erase, out *Outcome) error {
	if x.erasing += e.Count; x.erasing > maxErasedInBlock {
		return protocol.Refuse(protocol.CodeEraseBusy, "the erasures of this block name more than %d entries", maxErasedInBlock)
	}
	targets, err := x.eraseTargets(c, e)
	if err != nil {
		return err
	}
	var erasable []uint64
	for _, index := range targets {
		_, gone, err := ErasedBy(x.b.State(), index)
		if err != nil {
			return err
		}
		if gone {
			out.Absorbed++
			continue
		}
		can, err := x.mayErase(c, index, x.party.Roles&membership.Auditor != 0)
		if err != nil {
			return err
		}
		if can {
			erasable = append(erasable, index)
		}
	}
	if len(erasable) == 0 {
		return protocol.Refuse(protocol.CodeNotErasable, "none of %d entries holds what can be erased; %d were erased before", len(targets), out.Absorbed)
	}
	out.First = x.b.LogSize()
	for _, index := range erasable {
		if err := x.eraseEntry(c, index, e.Reason); err != nil {
			return err
		}
	}
	out.Entries = uint32(x.b.LogSize() - out.First)
	return x.b.State().Set(replayKey(c.Tx), []byte{1})
}

// eraseTargets lists the log indexes an erasure names. A gap stands for several
// sequences and is listed once.
func (x *execution) eraseTargets(c *checked, e *protocol.Erase) ([]uint64, error) {
	next := x.b.LogSize()
	if e.Stream != "" {
		var err error
		if next, err = x.nextSequence(StreamKey(c.sender, e.Stream)); err != nil {
			return nil, err
		}
	}
	if e.First+e.Count > next {
		return nil, protocol.Refuse(protocol.CodeEntryUnknown, "entries %d to %d are asked for, there are %d", e.First, e.First+e.Count-1, next)
	}
	targets := make([]uint64, 0, e.Count)
	stream := protocol.NewStreamID(c.sender, e.Stream)
	for n := e.First; n < e.First+e.Count; n++ {
		index := n
		if e.Stream != "" {
			var err error
			if index, err = x.absorbedIndex(stream, n); err != nil {
				return nil, err
			}
		}
		if last := len(targets) - 1; last < 0 || targets[last] != index {
			targets = append(targets, index)
		}
	}
	return targets, nil
}

// mayErase says whether an entry holds what can be erased, and refuses a
// sender who may not.
func (x *execution) mayErase(c *checked, index uint64, auditor bool) (bool, error) {
	entry, err := x.entryAt(index)
	if err != nil {
		return false, err
	}
	owner := entry.Origin
	switch entry.Kind {
	case protocol.EntryEvent, protocol.EntryDuplicate:
	case protocol.EntryEmitted, protocol.EntryTimer:
		contract, err := x.Contract(x.b.State(), entry.Origin)
		if err != nil {
			return false, err
		}
		owner = contract.Author
	case protocol.EntryForeign: // whose it is, this ledger cannot know: only an auditor erases it
	case protocol.EntryContract: // what a call was given may be about a person; a deployment is not
		payload, err := x.payloadAt(index, entry)
		if err != nil {
			return false, err
		}
		decoded, err := protocol.DecodeAct(payload.Bytes)
		act, ok := decoded.(*protocol.ContractAct)
		if err != nil || !ok {
			return false, fmt.Errorf("payload of entry %d at rest is damaged", index)
		}
		if act.Kind != protocol.TxCall {
			return false, nil
		}
	default:
		return false, nil
	}
	if owner != c.sender && !auditor {
		return false, protocol.Refuse(protocol.CodeEraseDenied, "entry %d is of %s", index, owner)
	}
	return true, nil
}

func (x *execution) eraseEntry(c *checked, index uint64, reason protocol.EraseReason) error {
	act := protocol.EraseAct{Reason: reason, Index: index, TxID: c.ID}
	at := x.appendOwn(protocol.Entry{Kind: protocol.EntryErase, Origin: c.sender, Cause: index}, protocol.Blind(c.ID), 0, act.AppendBinary(nil))
	x.b.SetSide(key(sideScrub, u64(index)), u64(at))
	x.anyErased = true
	return x.b.State().Set(erasedKey(index), u64(at))
}

// findErased notes whether anything was ever erased: where nothing was, no
// delivery has to ask.
func (x *execution) findErased() error {
	found, err := x.b.State().Scan([]byte{prefixErased}, nil, 1)
	x.anyErased = len(found) > 0
	return err
}

// erasedPayload stands for a payload that was erased, at every node, whether
// its octets are gone or not yet: what the entry still causes derives its
// blind from the commitment.
func erasedPayload(entry *protocol.Entry) Payload {
	return Payload{Blind: protocol.Blind(entry.Commitment), Erased: true}
}
