package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Families of pebble keys. The parent package uses other first bytes.
//
//	0x10 escaped key || ^height  -> 1 || value, or 0 for a deletion
//	0x11 height || path length || path  -> node
//	0x12 height                  -> pebble keys that no version from height on needs
//	0x13 height                  -> root
//	0x14                         -> oldest height that can still be read
//	0x15 escaped key             -> nothing: the newest version has the key
//	0x16                         -> height of that version
//	0x17 height || key hash      -> keys that the height set, from that hash on
//	0x18 key hash || height      -> key that the height removed
const (
	familyValue  = 0x10
	familyNode   = 0x11
	familyStale  = 0x12
	familyRoot   = 0x13
	familyOldest = 0x14
	familyLive   = 0x15
	familyLiveAt = 0x16
	familySet    = 0x17
	familyGone   = 0x18
)

// Bounds of keys and values, those of the proof format.
const (
	maxKeyBytes   = proof.MaxStateKey
	maxValueBytes = proof.MaxStateValue
)

// ErrPruned marks a height that is no longer, or not yet, there to read. It is
// a refusal: whoever asked for that height is told so, wherever it came up.
var ErrPruned error = &protocol.Error{Code: protocol.CodePruned, Text: "this node does not keep that height"}

// ErrCorrupt marks data at rest that contradict themselves.
var ErrCorrupt = errors.New("state: data at rest are corrupt")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// appendEscaped appends a key so that pebble's byte order is the order of keys
// and no escaped key is a prefix of another: 0x00 becomes 0x00 0xff, and 0x00
// 0x01 ends it.
func appendEscaped(dst, key []byte) []byte {
	for _, c := range key {
		if dst = append(dst, c); c == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 1)
}

// appendEscapedPrefix is appendEscaped without the end: every key that starts
// with prefix starts with this.
func appendEscapedPrefix(dst, prefix []byte) []byte {
	dst = appendEscaped(dst, prefix)
	return dst[:len(dst)-2]
}

// cutEscaped undoes appendEscaped at the front of b.
func cutEscaped(b []byte) (key, rest []byte, ok bool) {
	for i := 0; i+1 < len(b); i++ {
		if b[i] != 0 {
			key = append(key, b[i])
			continue
		}
		switch b[i+1] {
		case 1:
			return key, b[i+2:], true
		case 0xff:
			key = append(key, 0)
			i++
		default:
			return nil, nil, false
		}
	}
	return nil, nil, false
}

func valuePrefix(key []byte) []byte {
	return appendEscaped(append(make([]byte, 0, len(key)+12), familyValue), key)
}

func valueKey(key []byte, height uint64) []byte {
	return binary.BigEndian.AppendUint64(valuePrefix(key), ^height)
}

func appendValueKey(dst, key []byte, height uint64) []byte {
	return binary.BigEndian.AppendUint64(appendEscaped(append(dst, familyValue), key), ^height)
}

// nodeKey names a node by the height that wrote it and its path of nibbles.
func nodeKey(height uint64, path []byte) []byte {
	return appendNodeKey(make([]byte, 0, 10+len(path)), height, path)
}

func appendNodeKey(k []byte, height uint64, path []byte) []byte {
	k = binary.BigEndian.AppendUint64(append(k, familyNode), height)
	return append(append(k, byte(len(path))), path...)
}

func staleKey(height uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{familyStale}, height)
}

func rootKey(height uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{familyRoot}, height)
}

// upper is the smallest key above every key with this prefix; nil if none.
func upper(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}
