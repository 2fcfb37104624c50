package machine

import (
	"github.com/cairn-ledger/cairn/client/protocol"
)

// What an auditor needs who executes a block of a ledger kept elsewhere.

// begins tells whoever watches that a run begins; what it calls is part of it.
func (x *execution) begins(c *Contract, cause uint64) {
	if x.block.Watch != nil {
		x.block.Watch(c.Address, cause)
	}
}

// SourceSide is the key of the side table that finds an event by its producer
// and its CloudEvents identity; the value is its log index.
func SourceSide(producer protocol.Address, source, id string) []byte {
	sourceKey := protocol.NewSourceKey(source, id)
	return key(sideSource, sourceKey[:], producer[:])
}

// AnyRun stands for the run of a stream's entries that a look-up in the side
// tables asks for. Where the entries lie goes into outcomes only, and neither
// into the log nor into the state. ok is false for a look-up of something else.
func AnyRun(asked []byte) (k, v []byte, ok bool) {
	if len(asked) != 1+16+8 || asked[0] != sideRun {
		return nil, nil, false
	}
	return asked, run{count: 1}.append(nil), true
}

// Bundle is the bundle of one entry's payload.
func Bundle(p Payload) []byte { return appendLedgerPayload(nil, p) }

// Value answers whose key of the state it is and its name, of a key under
// which a contract keeps a value.
func Value(k []byte) (contract protocol.Address, name []byte, ok bool) {
	if len(k) < 1+20 || k[0] != prefixValue {
		return contract, nil, false
	}
	return protocol.Address(k[1:]), k[21:], true
}
