package log

import (
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Known is a root of the log that is known from elsewhere.
type Known struct {
	Height uint64 // that committed to it
	Size   uint64
	Root   protocol.Hash
}

// Check derives every hash of the log again from its entries and holds it to
// the tiles, and to the roots that are known (ascending by size). each gets every
// entry. It stops at the first fault, which names the entry.
func (l *Log) Check(known []Known, each func(index uint64, entry []byte) error) error {
	c := checker{log: l}
	for i := range c.at {
		c.at[i] = ^uint64(0)
	}
	next := 0
	agree := func() error {
		for ; next < len(known) && known[next].Size == c.size; next++ {
			if got := c.root(); got != known[next].Root {
				return corrupt("the first %d entries have the root %s, height %d committed to %s", c.size, got, known[next].Height, known[next].Root)
			}
		}
		return nil
	}
	if err := agree(); err != nil {
		return err
	}
	for c.size < l.Size() {
		entries, err := l.Entries(c.size, tileWidth)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if err := each(c.size, entry); err != nil {
				return err
			}
			if err := c.add(entry); err != nil {
				return err
			}
			if err := agree(); err != nil {
				return err
			}
		}
	}
	if next < len(known) {
		return corrupt("height %d committed to %d entries, the log has %d", known[next].Height, known[next].Size, l.Size())
	}
	return nil
}

// checker walks the log with its right edge, as an Appender does.
type checker struct {
	edge
	log  *Log
	tile [tileLevels][]protocol.Hash // the tile last met at each level
	at   [tileLevels]uint64          // its index
}

func (c *checker) add(entry []byte) error {
	hash, level := protocol.LeafHash(entry), 0
	for {
		if level%tileHeight == 0 {
			if err := c.compare(level/tileHeight, c.size>>level, hash); err != nil {
				return err
			}
		}
		if c.size>>level&1 == 0 {
			break
		}
		hash = proof.NodeHash(c.subtrees[level], hash)
		level++
	}
	c.subtrees[level] = hash
	c.size++
	return nil
}

// compare holds one hash to its tile.
func (c *checker) compare(level int, place uint64, hash protocol.Hash) error {
	if index := place / tileWidth; c.at[level] != index {
		width := min((c.log.Size()>>(tileHeight*level))-index*tileWidth, tileWidth)
		tile, err := c.log.Tile(level, index, int(width))
		if err != nil {
			return err
		}
		c.tile[level], c.at[level] = tile, index
	}
	if got := c.tile[level][place%tileWidth]; got != hash {
		return corrupt("up to entry %d the hash is %s, place %d of tile %d at level %d has %s: the entry or the tile changed",
			c.size, hash, place%tileWidth, place/tileWidth, level, got)
	}
	return nil
}
