package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// The tree knows keys by their hashes. So that a difference of two versions
// can be told in keys, every height notes the keys it set, in lists ordered by
// hash, and each key it removed. A leaf says which height wrote it, and so
// where its name stands.

// namesInList bounds the keys of one list.
const namesInList = 256

func setKey(height uint64, keyHash protocol.Hash) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{familySet}, height), keyHash[:]...)
}

func goneKey(keyHash protocol.Hash, height uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{familyGone}, keyHash[:]...), height)
}

// names lists the records that name what the version changed. Versions from
// its height on do not need them.
func (p *Pending) names(stale *staleKeys) []written {
	var out []written
	var list []byte
	var first protocol.Hash
	listed := 0
	flush := func() {
		if listed > 0 {
			out = append(out, written{setKey(p.height, first), list})
			list, listed = nil, 0
		}
	}
	for _, c := range p.changes {
		switch {
		case !c.effective:
		case c.value == nil:
			out = append(out, written{goneKey(c.keyHash, p.height), bytes.Clone(c.key)})
		default:
			if listed == 0 {
				first = c.keyHash
			}
			list = append(binary.AppendUvarint(list, uint64(len(c.key))), c.key...)
			if listed++; listed == namesInList {
				flush()
			}
		}
	}
	flush()
	for i := range out {
		stale.older = append(stale.older, out[i].key)
	}
	return out
}

// nameSet finds the key of a leaf that a height wrote.
func nameSet(db pebble.Reader, keyHash protocol.Hash, height uint64) (key []byte, err error) {
	lower := binary.BigEndian.AppendUint64([]byte{familySet}, height)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: append(setKey(height, keyHash), 0)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return nil, errors.Join(it.Error(), errUnnamed)
	}
	for list := it.Value(); len(list) > 0; {
		size, n := binary.Uvarint(list)
		if n <= 0 || size > uint64(len(list)-n) {
			return nil, corrupt("list of keys set at height %d", height)
		}
		key = list[n : n+int(size)]
		if sha256.Sum256(key) == keyHash {
			return bytes.Clone(key), nil
		}
		list = list[n+int(size):]
	}
	return nil, errUnnamed
}

// nameGone finds the key of a leaf that some height removed.
func nameGone(db pebble.Reader, keyHash protocol.Hash) (key []byte, err error) {
	prefix := append([]byte{familyGone}, keyHash[:]...)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upper(prefix)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.First() {
		return nil, errors.Join(it.Error(), errUnnamed)
	}
	return bytes.Clone(it.Value()), nil
}

// errUnnamed: the names went with the heights that needed them, or the data
// are older than the noting of names.
var errUnnamed error = &protocol.Error{Code: protocol.CodePruned, Text: "this node does not keep the names of what that height changed"}
