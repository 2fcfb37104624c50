package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// tileHeight is C2SP tlog-tiles'.
const tileHeight = 8

// tilesOf fetches tiles for golang.org/x/mod/sumdb/tlog, which verifies them.
type tilesOf struct {
	ctx    context.Context
	ledger *ledger
}

func (tilesOf) Height() int                     { return tileHeight }
func (tilesOf) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tilesOf) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		body, err := t.ledger.Tile(t.ctx, strings.TrimPrefix(tile.Path(), "tile/8/"))
		if err != nil {
			return nil, err
		}
		data = append(data, body)
	}
	return data, nil
}

// storedHashes fetches the roots of subtrees of 2^level entries, which
// golang.org/x/mod/sumdb/tlog verifies against the tree.
func (l *ledger) storedHashes(ctx context.Context, tree tlog.Tree, level int, first, count int64) ([]tlog.Hash, error) {
	indexes := make([]int64, count)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(level, first+int64(i))
	}
	hashes, err := tlog.TileHashReader(tree, tilesOf{ctx, l}).ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInvalid, err)
	}
	return hashes, nil
}

// parseTile reads a path as C2SP tlog-tiles writes it after "tile/".
func parseTile(path string) (tile tlog.Tile, entries bool, err error) {
	hashes := path
	if rest, ok := strings.CutPrefix(path, "entries/"); ok {
		hashes, entries = "0/"+rest, true
	}
	if tile, err = tlog.ParseTilePath("tile/8/" + hashes); err != nil {
		err = usageError{fmt.Errorf("%q is not the path of a tile: LEVEL/INDEX[.p/WIDTH] or entries/INDEX[.p/WIDTH]", path)}
	}
	return tile, entries, err
}

func (s *session) showTile(ctx context.Context, path string) error {
	tile, entries, err := parseTile(path)
	if err != nil {
		return err
	}
	by, err := s.cosigners()
	if err != nil {
		return err
	}
	l, err := s.connect()
	if err != nil {
		return err
	}
	checkpoint, _, err := s.newestCheckpoint(ctx, l, &by)
	if err != nil {
		return err
	}
	tree := tlog.Tree{N: int64(checkpoint.Size), Hash: tlog.Hash(checkpoint.Root)}
	if end := (tile.N*256 + int64(tile.W)) << (tileHeight * tile.L); end > tree.N {
		return fmt.Errorf("the tile reaches to entry %d, the newest checkpoint has %d", end, tree.N)
	}
	hashes, err := l.storedHashes(ctx, tree, tileHeight*tile.L, tile.N*256, int64(tile.W))
	if err != nil {
		return err
	}
	if entries {
		return s.showBundle(ctx, l, path, hashes)
	}
	if s.json {
		out := make([]protocol.Hash, len(hashes))
		for i, h := range hashes {
			out[i] = protocol.Hash(h)
		}
		return s.printJSON(map[string]any{"level": tile.L, "index": tile.N, "hashes": out})
	}
	for i, h := range hashes {
		fmt.Fprintf(s.out, "%d\t%s\n", tile.N*256+int64(i), protocol.Hash(h))
	}
	return nil
}

// showBundle prints entries whose leaf hashes are verified.
func (s *session) showBundle(ctx context.Context, l *ledger, path string, hashes []tlog.Hash) error {
	body, err := l.Tile(ctx, path)
	if err != nil {
		return err
	}
	var out []protocol.Entry
	for i, want := range hashes {
		n := 0
		if len(body) >= 2 {
			n = int(binary.BigEndian.Uint16(body))
		}
		if len(body) < 2+n || tlog.RecordHash(body[2:2+n]) != want {
			return fmt.Errorf("%w: entry %d of the bundle is not what the tile commits to", errInvalid, i)
		}
		entry, err := protocol.DecodeEntry(body[2 : 2+n])
		if err != nil {
			return fmt.Errorf("%w: entry %d of the bundle: %w", errInvalid, i, err)
		}
		out, body = append(out, entry), body[2+n:]
	}
	if len(body) > 0 {
		return fmt.Errorf("%w: the bundle has %d bytes more", errInvalid, len(body))
	}
	for _, e := range out {
		if s.json {
			if err := s.printJSON(e); err != nil {
				return err
			}
			continue
		}
		cause := "-"
		if e.Cause != protocol.NoCause {
			cause = strconv.FormatUint(e.Cause, 10)
		}
		fmt.Fprintf(s.out, "%s\theight %d\t%s\tsequence %d\tcause %s\t%s\n", e.Kind, e.Height, e.Origin, e.Sequence, cause, e.Commitment)
	}
	return nil
}
