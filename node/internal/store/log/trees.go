package log

import (
	"errors"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// How many tiles are kept with their inner hashes, 16 KiB each: of leaves, for
// receipts of neighbours; and of the levels above, which every proof goes
// through. Hashing a tile anew costs more than all else a proof needs.
const (
	keptLeafTiles  = 64
	keptUpperTiles = 256
)

type tileAt struct {
	level int
	index uint64
}

// tree is a tile with the hashes over it: those of its complete subtrees, which
// never change. A tile that grew since lacks what was not there.
type tree struct {
	width int
	nodes [tileHeight][]protocol.Hash // by level in the tile; 0 are the tile's own
}

func newTree(stored []byte) *tree {
	t := &tree{width: len(stored) / 32}
	below := make([]protocol.Hash, t.width)
	for i := range below {
		below[i] = protocol.Hash(stored[32*i:])
	}
	t.nodes[0] = below
	for level := 1; level < tileHeight; level++ {
		nodes := make([]protocol.Hash, len(below)/2)
		for i := range nodes {
			nodes[i] = proof.NodeHash(below[2*i], below[2*i+1])
		}
		t.nodes[level], below = nodes, nodes
	}
	return t
}

// trees keeps the ones read last. It is safe for concurrent use.
type trees struct {
	mu          sync.Mutex
	leaf, upper keptTrees // guarded by mu
}

// keptTrees forgets the one that came first.
type keptTrees struct {
	at    map[tileAt]*tree
	order []tileAt // a ring
	next  int
}

func (k *keptTrees) keep(at tileAt, t *tree, limit int) {
	if k.at == nil {
		k.at = make(map[tileAt]*tree, limit)
	}
	if _, known := k.at[at]; !known {
		if len(k.order) < limit {
			k.order = append(k.order, at)
		} else {
			delete(k.at, k.order[k.next])
			k.order[k.next] = at
			k.next = (k.next + 1) % limit
		}
	}
	k.at[at] = t
}

func (t *trees) find(at tileAt) *tree {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.level == 0 {
		return t.leaf.at[at]
	}
	return t.upper.at[at]
}

func (t *trees) keep(at tileAt, found *tree) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.level == 0 {
		t.leaf.keep(at, found, keptLeafTiles)
	} else {
		t.upper.keep(at, found, keptUpperTiles)
	}
}

// subtree is the root of the complete subtree at a binary level.
func (l *Log) subtree(level int, index uint64) (protocol.Hash, error) {
	inTile := level % tileHeight
	first := index << inTile
	at, width := tileAt{level / tileHeight, first / tileWidth}, int(first%tileWidth)+1<<inTile
	t := l.trees.find(at)
	if t == nil || t.width < width {
		var err error
		if t, err = l.readTree(at, width); err != nil {
			return protocol.Hash{}, err
		}
		l.trees.keep(at, t)
	}
	return t.nodes[inTile][index%(tileWidth>>inTile)], nil
}

// readTree reads a tile that has at least so many hashes.
func (l *Log) readTree(at tileAt, width int) (t *tree, err error) {
	stored, closer, err := l.db.Get(tileKey(at.level, at.index))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, corrupt("tile %d of level %d is missing", at.index, at.level)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	if len(stored)%32 != 0 || len(stored) < width*32 || len(stored) > tileWidth*32 {
		return nil, corrupt("tile %d of level %d has %d bytes, needs %d", at.index, at.level, len(stored), width*32)
	}
	return newTree(stored), nil
}
