package node

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/consensus"
)

// mendWAL makes sure that CometBFT's log of votes begins a height where the
// last block ended. It runs after the handshake and before consensus.
//
// A node that goes down between storing a block and marking the end of its
// height in the log applies the block in the next handshake, but nothing ever
// writes the mark, and without it the log is not replayed. Should the node go
// down once more in the next height, it has forgotten votes that its signing
// record still knows: it cannot vote in that round again. A single validator,
// or as many of several as it takes to stop the others, would be stuck there
// for good. What the log holds without the mark is of use to nobody, so it is
// begun anew.
func (n *Node) mendWAL(path string, height int64) error {
	if height == 0 {
		return nil // CometBFT marks height 0 itself
	}
	marked, err := walMarks(path, height)
	if err != nil {
		return fmt.Errorf("consensus log %s: %w", path, err)
	}
	if marked {
		return nil
	}
	n.log.Info("the consensus log lacks the end of the last block and is begun anew", "height", height)
	if err := beginWAL(path, height); err != nil {
		return fmt.Errorf("consensus log %s: %w", path, err)
	}
	return nil
}

// walMarks says whether the log marks the end of a height.
func walMarks(path string, height int64) (bool, error) {
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return false, nil
	}
	wal, err := consensus.NewWAL(path)
	if err != nil {
		return false, err
	}
	defer wal.Group().Close()
	after, found, err := wal.SearchForEndHeight(height, &consensus.WALSearchOptions{IgnoreDataCorruptionErrors: true})
	if err != nil || !found {
		return false, err
	}
	return true, after.Close()
}

// beginWAL replaces the log by one that holds the mark of a height alone.
func beginWAL(path string, height int64) error {
	if err := os.RemoveAll(filepath.Dir(path)); err != nil { // holds the log and nothing else
		return err
	}
	wal, err := consensus.NewWAL(path)
	if err != nil {
		return err
	}
	if err := wal.Start(); err != nil {
		return err
	}
	err = wal.WriteSync(consensus.EndHeightMessage{Height: height})
	if stopped := wal.Stop(); err == nil {
		err = stopped
	}
	wal.Wait()
	return err
}
