// Package log is the RFC 6962 Merkle log of entries, kept in pebble as tiles
// of 256 hashes (the layout of C2SP tlog-tiles), so that a proof for any index
// and any size, past or present, reads a handful of records.
//
// Appending goes to an Appender, which writes nothing until its batch is
// committed; reading sees what was committed.
package log

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Families of pebble keys. The parent package uses other first bytes.
//
//	0x20 first index             -> entries of a chunk, one after the other
//	0x21 level || tile index     -> up to 256 hashes
const (
	familyEntries = 0x20
	familyTile    = 0x21
)

const (
	tileHeight = 8               // binary levels of a tile
	tileWidth  = 1 << tileHeight // hashes of a full tile
	tileLevels = 8               // enough for 2^64 entries
)

// ErrCorrupt marks data at rest that contradict themselves.
var ErrCorrupt = errors.New("log: data at rest are corrupt")

// ErrNotFound marks an index or a size beyond the log.
var ErrNotFound = errors.New("log: beyond the end of the log")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// edge is the right side of the tree: the roots of the complete subtrees that
// make up a size, and the last, incomplete tile of each level.
type edge struct {
	size     uint64
	subtrees [64]protocol.Hash // at level i where bit i of size is set
	tiles    [tileLevels][]protocol.Hash
}

// Log is the committed log. Readers may use it beside one appender.
type Log struct {
	db     pebble.Reader
	reader func(index uint64) ([]byte, error) // of Elsewhere, instead of db
	edge   edge                               // owned by the goroutine that appends
	spare  buffers                            // likewise
	size   atomic.Uint64
	trees  trees
}

// Open reads the right edge of a log of a size.
func Open(db pebble.Reader, size uint64) (*Log, error) {
	l := &Log{db: db}
	l.size.Store(size)
	l.edge.size = size
	for level := range tileLevels {
		hashes := size >> (tileHeight * level)
		if width := int(hashes % tileWidth); width > 0 {
			tile, err := l.Tile(level, hashes/tileWidth, width)
			if err != nil {
				return nil, err
			}
			l.edge.tiles[level] = tile
		}
	}
	for level := range 64 {
		if size>>level&1 == 1 {
			h, err := l.subtree(level, size>>level-1)
			if err != nil {
				return nil, err
			}
			l.edge.subtrees[level] = h
		}
	}
	return l, nil
}

// Size is the number of committed entries.
func (l *Log) Size() uint64 { return l.size.Load() }

// root folds the complete subtrees, the smallest first.
func (e *edge) root() protocol.Hash {
	if e.size == 0 {
		return sha256.Sum256(nil)
	}
	level := bits.TrailingZeros64(e.size)
	root := e.subtrees[level]
	for level++; level < 64; level++ {
		if e.size>>level&1 == 1 {
			root = proof.NodeHash(e.subtrees[level], root)
		}
	}
	return root
}

// Appender adds entries after the committed ones. One goroutine uses it.
type Appender struct {
	log  *Log
	edge edge // tiles are not used here
	buffers
}

// buffers are what grows with every entry. One set is kept for the next
// appender: memory the kernel has to find anew for each block costs more than
// the hashing that fills it.
type buffers struct {
	fresh   [tileLevels][]protocol.Hash // hashes added at each level
	entries []byte                      // appended, one after the other
}

// keepEntries bounds the bytes of entries whose buffers are kept.
const keepEntries = 16 << 20

// Append starts adding after the newest entry.
func (l *Log) Append() *Appender {
	a := &Appender{log: l, edge: edge{size: l.edge.size, subtrees: l.edge.subtrees}, buffers: l.spare}
	l.spare = buffers{}
	return a
}

// Release ends the use of an appender, adopted or not, and of what its Entry answered.
func (a *Appender) Release() {
	if cap(a.entries) > keepEntries {
		return
	}
	a.entries = a.entries[:0]
	for level := range a.fresh {
		a.fresh[level] = a.fresh[level][:0]
	}
	a.log.spare, a.buffers = a.buffers, buffers{}
}

// Size counts the entries, the added ones included.
func (a *Appender) Size() uint64 { return a.edge.size }

// Root commits to all entries, the added ones included.
func (a *Appender) Root() protocol.Hash { return a.edge.root() }

// Add appends an entry of protocol.EntryBytes and answers its index.
func (a *Appender) Add(entry []byte) uint64 {
	if len(entry) != protocol.EntryBytes {
		panic(fmt.Sprintf("log: entry of %d bytes", len(entry)))
	}
	index := a.edge.size
	a.entries = append(a.entries, entry...)
	at, level := protocol.LeafHash(entry), 0
	for {
		if level%tileHeight == 0 {
			a.fresh[level/tileHeight] = append(a.fresh[level/tileHeight], at)
		}
		if a.edge.size>>level&1 == 0 {
			break
		}
		at = proof.NodeHash(a.edge.subtrees[level], at)
		level++
	}
	a.edge.subtrees[level] = at
	a.edge.size++
	return index
}

// Entry reads an added or a committed entry.
func (a *Appender) Entry(index uint64) ([]byte, error) {
	if base := a.log.edge.size; index >= base {
		if index >= a.edge.size {
			return nil, ErrNotFound
		}
		at := (index - base) * protocol.EntryBytes
		return a.entries[at : at+protocol.EntryBytes], nil
	}
	committed, err := a.Committed(index, 1)
	if err != nil {
		return nil, err
	}
	return committed[0], nil
}

// Committed reads up to count committed entries from index on, at least one.
func (a *Appender) Committed(index uint64, count int) ([][]byte, error) {
	if a.log.reader == nil {
		return a.log.Entries(index, count)
	}
	entry, err := a.log.reader(index)
	return [][]byte{entry}, err
}

// Write puts the added entries and the tiles they touch into a batch.
func (a *Appender) Write(batch *pebble.Batch) error {
	for index, rest := a.log.edge.size, a.entries; len(rest) > 0; {
		n := min(len(rest)/protocol.EntryBytes, int(tileWidth-index%tileWidth))
		if err := batch.Set(entriesKey(index), rest[:n*protocol.EntryBytes], nil); err != nil {
			return err
		}
		index, rest = index+uint64(n), rest[n*protocol.EntryBytes:]
	}
	for level, fresh := range a.fresh {
		tile := joinHashes(make([]byte, 0, tileWidth*32), a.log.edge.tiles[level])
		first := a.log.edge.size >> (tileHeight * level) / tileWidth
		for ; len(fresh) > 0; first++ {
			n := min(len(fresh), tileWidth-len(tile)/32)
			tile = joinHashes(tile, fresh[:n])
			if err := batch.Set(tileKey(level, first), tile, nil); err != nil {
				return err
			}
			tile, fresh = tile[:0], fresh[n:]
		}
	}
	return nil
}

// Adopt makes the added entries the committed ones, once their batch is durable.
func (l *Log) Adopt(a *Appender) {
	if a.edge.size < l.edge.size || a.log != l {
		panic("log: entries were added to another version")
	}
	for level, fresh := range a.fresh {
		tile := l.edge.tiles[level]
		if keep := (len(tile) + len(fresh)) % tileWidth; keep < len(fresh) { // a tile was filled: what is in the next one is fresh
			tile, fresh = tile[:0], fresh[len(fresh)-keep:]
		}
		l.edge.tiles[level] = append(tile, fresh...)
	}
	l.edge.size, l.edge.subtrees = a.edge.size, a.edge.subtrees
	l.size.Store(a.edge.size)
}

func entriesKey(index uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{familyEntries}, index)
}

func tileKey(level int, index uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{familyTile, byte(level)}, index)
}

func joinHashes(out []byte, hashes []protocol.Hash) []byte {
	for i := range hashes {
		out = append(out, hashes[i][:]...)
	}
	return out
}
