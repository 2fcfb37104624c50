package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store/cometdb"
)

// scrubber makes vanish from this node's disk what was erased, and what went
// with the blocks that keep_blocks lets go. It runs beside consensus: what it
// takes away nobody reads any more. Where it fails the node goes on, says so,
// and tries again at the next block.
type scrubber struct {
	node   *Node
	blocks *cometdb.DB // CometBFT's block store
	walDir string
	base   int64 // the first block kept when the block store was compacted last
}

// run works after each commit until ctx ends.
func (s *scrubber) run(ctx context.Context) {
	for ctx.Err() == nil {
		committed := s.node.app.Committed()
		if err := errors.Join(s.scrub(ctx), s.prune()); err != nil && ctx.Err() == nil {
			s.node.log.Error("what was erased is still on this disk; it is tried again at the next block", "err", err)
		}
		select {
		case <-committed:
		case <-ctx.Done():
		}
	}
}

func (s *scrubber) scrub(ctx context.Context) error {
	waits, err := machine.Unscrubbed(s.node.store)
	if err != nil || !waits {
		return err
	}
	start := time.Now()
	scrubbed, err := machine.Scrub(ctx, s.node.store)
	if scrubbed > 0 {
		s.node.log.Info("erased payloads are gone from the ledger's files", "entries", scrubbed, "took", time.Since(start).Round(time.Millisecond))
	}
	return err
}

// compactEvery is how many blocks are pruned between two compactions of the
// block store. Each writes anew the blocks that stay: ten times a turnover.
func compactEvery(keep uint64) int64 { return int64(max(keep/10, minKeepBlocks)) }

// prune makes the blocks that CometBFT deleted, and older rounds of its log of
// votes, vanish from their files.
func (s *scrubber) prune() error {
	if s.node.config.KeepBlocks == 0 {
		return nil
	}
	base := s.node.comet.BlockStore().Base()
	if base < s.base+compactEvery(s.node.config.KeepBlocks) {
		return nil
	}
	if err := s.blocks.Compact(nil, nil); err != nil {
		return fmt.Errorf("compact the block store: %w", err)
	}
	s.base = base
	meta := s.node.comet.BlockStore().LoadBlockMeta(base)
	if meta == nil {
		return nil
	}
	return pruneWAL(s.walDir, meta.Header.Time)
}

// keepWALs is how many full files of the log of votes are kept in any case:
// the last block's messages fit one.
const keepWALs = 2

// pruneWAL removes full files of CometBFT's log of votes that were written
// before a time. It replays from the end of the last block on; older files are
// read by nobody, and hold the transactions of their blocks.
func pruneWAL(dir string, before time.Time) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var full []string // wal.000, wal.001, ... the current one is wal
	for _, f := range files {
		if suffix, ok := strings.CutPrefix(f.Name(), "wal."); ok && strings.Trim(suffix, "0123456789") == "" {
			full = append(full, f.Name())
		}
	}
	slices.SortFunc(full, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	for _, name := range full[:max(0, len(full)-keepWALs)] {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !info.ModTime().Before(before) {
			return nil
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
