package proof

import (
	"encoding/binary"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Header opens a CometBFT block header (v0.40.0) at four of its fourteen
// fields: chain id, height, time and app hash. A header's hash is the RFC 6962
// root over its fields; what is not opened is carried as the hashes beside the
// way up, so the whole header stays unneeded:
//
//	        hash of the block
//	    /                    \
//	fields 0-7              fields 8-13
//	  /     \                /       \
//	0-3     4-7(Blocks)    8-11     12-13(Tail)
//	/ \                    /   \
//	0-1  2-3          8-9(Next)  10-11
//
// 0 version, 1 chain id, 2 height, 3 time, 10 app hash, 11 last results.
type Header struct {
	TimeNs  int64         // of the block, Unix nanoseconds
	Version protocol.Hash // leaf of field 0: protocol versions
	Blocks  protocol.Hash // fields 4-7: last block, its commit, data, validators
	Next    protocol.Hash // fields 8-9: next validators, consensus parameters
	Results protocol.Hash // leaf of field 11: results of the block before
	Tail    protocol.Hash // fields 12-13: evidence, proposer
}

// HeaderFields is the number of hashed fields of a header.
const HeaderFields = 14

// BlockHash is the hash of the header that has these values in its four opened
// fields.
func (h *Header) BlockHash(chainID string, height uint64, appHash protocol.Hash) protocol.Hash {
	var buf [64]byte
	appLeaf := LeafHash(appendBytes(append(buf[:0], 0x0a), appHash[:]))
	low := lowFields(h.Version, chainID, height, h.TimeNs)
	high := NodeHash(NodeHash(h.Next, NodeHash(appLeaf, h.Results)), h.Tail)
	return NodeHash(NodeHash(low, h.Blocks), high)
}

// lowFields is the node over the header's fields 0 to 3.
func lowFields(version protocol.Hash, chainID string, height uint64, timeNs int64) protocol.Hash {
	// Each field is wrapped in a message whose member 1 it is; one with the
	// zero value is encoded as nothing at all.
	var buf [128]byte
	field := buf[:0]
	if chainID != "" {
		field = appendBytes(append(field, 0x0a), chainID)
	}
	chainLeaf := LeafHash(field)
	field = buf[:0]
	if height != 0 {
		field = binary.AppendUvarint(append(field, 0x08), height)
	}
	heightLeaf := LeafHash(field)
	timeLeaf := LeafHash(appendTime(buf[:0], timeNs)) // a message of its own
	return NodeHash(NodeHash(version, chainLeaf), NodeHash(heightLeaf, timeLeaf))
}

// Time is the block's time, in UTC.
func (h *Header) Time() time.Time { return time.Unix(0, h.TimeNs).UTC() }

// appendTime appends a google.protobuf.Timestamp: 1: seconds since 1970,
// 2: nanoseconds in 0..999,999,999; zeros are left out.
func appendTime(dst []byte, timeNs int64) []byte {
	seconds, nanos := timeNs/1e9, timeNs%1e9
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+1e9
	}
	if seconds != 0 {
		dst = binary.AppendUvarint(append(dst, 0x08), uint64(seconds))
	}
	if nanos != 0 {
		dst = binary.AppendUvarint(append(dst, 0x10), uint64(nanos))
	}
	return dst
}
