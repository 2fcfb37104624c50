package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Keys of the map whose root is the app hash, in the map's order.
const (
	mapLog    = "log"
	mapParams = "params"
	mapState  = "state"
)

// MapEntry is one key and value of a simple Merkle map.
type MapEntry struct {
	Key   string
	Value []byte
}

// MapLeaf is the leaf hash of a key and value in a CometBFT simple Merkle map:
// the RFC 6962 leaf hash of uvarint(len key) || key || uvarint(32) ||
// SHA-256(value). ICS23's TendermintSpec describes the same.
func MapLeaf(key string, value []byte) protocol.Hash {
	sum := sha256.Sum256(value)
	var buf [128]byte
	leaf := binary.AppendUvarint(buf[:0], uint64(len(key)))
	leaf = append(leaf, key...)
	leaf = append(leaf, byte(len(sum)))
	leaf = append(leaf, sum[:]...)
	return LeafHash(leaf)
}

// MapLeaves are the leaf hashes of a map in the order of its keys' bytes. The
// keys must differ; a repeated one is a defect of the caller and panics.
func MapLeaves(entries ...MapEntry) []protocol.Hash {
	sorted := slices.SortedFunc(slices.Values(entries), func(a, b MapEntry) int { return strings.Compare(a.Key, b.Key) })
	leaves := make([]protocol.Hash, len(sorted))
	for i, e := range sorted {
		if i > 0 && sorted[i-1].Key == e.Key {
			panic(fmt.Sprintf("proof: key %q is in the map twice", e.Key))
		}
		leaves[i] = MapLeaf(e.Key, e.Value)
	}
	return leaves
}

// SimpleMapRoot is the root of a CometBFT simple Merkle map.
func SimpleMapRoot(entries ...MapEntry) protocol.Hash { return TreeRoot(MapLeaves(entries...)) }

// VerifyMap checks that a map of size keys and that root holds the entry, as
// the index-th key in order; path is nearest sibling first.
func VerifyMap(e MapEntry, index, size uint64, path []protocol.Hash, root protocol.Hash) error {
	got, err := InclusionRoot(MapLeaf(e.Key, e.Value), index, size, path)
	if err != nil {
		return fmt.Errorf("%w: key %q: %w", ErrMap, e.Key, err)
	}
	if got != root {
		return fmt.Errorf("%w: key %q leads to root %s, not to %s", ErrMap, e.Key, got, root)
	}
	return nil
}

// LogValue is what the app hash's map holds under "log": the log's size, 8
// bytes big-endian, and its RFC 6962 root.
func LogValue(size uint64, root protocol.Hash) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 40), size), root[:]...)
}

// AppEntries is the whole map of the app hash, in order: log, params, state.
func AppEntries(logSize uint64, logRoot protocol.Hash, params []byte, stateRoot protocol.Hash) []MapEntry {
	return []MapEntry{
		{mapLog, LogValue(logSize, logRoot)},
		{mapParams, params},
		{mapState, stateRoot[:]},
	}
}

// AppHash is the app hash of a block: the root of the map of AppEntries. It
// holds neither time nor height, so an empty block leaves it unchanged.
func AppHash(logSize uint64, logRoot protocol.Hash, params []byte, stateRoot protocol.Hash) protocol.Hash {
	return SimpleMapRoot(AppEntries(logSize, logRoot, params, stateRoot)...)
}
