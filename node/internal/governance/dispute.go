package governance

import (
	"encoding/binary"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Raise keeps a dispute, which will be known by the log index of its own entry.
func Raise(s State, d *protocol.DisputeRecord, logSize uint64) error {
	if d.Entry >= logSize {
		return protocol.Refuse(protocol.CodeDisputeUnknown, "the log has %d entries, none at %d", logSize, d.Entry)
	}
	return s.Set(protocol.DisputeKey(d.Index), d.AppendBinary(nil))
}

// Dispute finds a dispute; a refusal says there is none.
func Dispute(s Reader, index uint64) (*protocol.DisputeRecord, error) {
	key := protocol.DisputeKey(index)
	value, ok, err := s.Get(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, protocol.Refuse(protocol.CodeDisputeUnknown, "entry %d raised no dispute", index)
	}
	d, err := protocol.DecodeDispute(index, value)
	if err != nil {
		return nil, damaged(key, err)
	}
	return d, nil
}

// Disputes lists them after an index, ascending; a nil after begins at the first.
func Disputes(s Lister, after *uint64, limit int) ([]*protocol.DisputeRecord, error) {
	var from []byte
	if after != nil {
		from = protocol.DisputeKey(*after)
	}
	found, err := s.Scan(protocol.GovKey(protocol.GovKeyDispute), from, limit)
	if err != nil {
		return nil, err
	}
	list := make([]*protocol.DisputeRecord, len(found))
	for i, kv := range found {
		if list[i], err = protocol.DecodeDispute(binary.BigEndian.Uint64(kv.Key[2:]), kv.Value); err != nil {
			return nil, damaged(kv.Key, err)
		}
	}
	return list, nil
}

// Resolve ends a dispute. maker is whose the disputed entry is, and entry the
// log index that the resolution will have.
func Resolve(s State, d *protocol.DisputeRecord, arbiter, maker protocol.Address, ruling protocol.Ruling, entry uint64) error {
	switch {
	case d.Ruling != 0:
		return protocol.Refuse(protocol.CodeDisputeClosed, "dispute %d was resolved: %s, entry %d", d.Index, d.Ruling, d.Resolution)
	case arbiter == d.By || arbiter == maker:
		return protocol.Refuse(protocol.CodeArbiterParty, "%s is a party to dispute %d", arbiter, d.Index)
	}
	d.Ruling, d.Arbiter, d.Resolution = ruling, arbiter, entry
	return s.Set(protocol.DisputeKey(d.Index), d.AppendBinary(nil))
}
