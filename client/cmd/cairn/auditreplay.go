package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/sim"
)

func replayBlocksCommand(s *session) *cobra.Command {
	var from, to uint64
	var trust string
	cmd := &cobra.Command{
		Use:   "replay FILE... --genesis genesis.json",
		Short: "Execute exported blocks again from the founding, and compare app hashes",
		Long: `Execute exported blocks again, offline and in memory, beginning with the founding
document: on the machine that validators run, as a new node would. Every block's
commit is verified, and the app hash in its header has to be what the blocks before
it came to here. The first difference is named, and ends the replay.

Files are given in the order of their blocks; the first one begins with block 1.
--from and --to bound the heights that are compared: what lies before is executed
without a word, what lies behind is left out. The ledger is kept in memory, so the
state has to fit into it.

A block that is missing in the file, because payloads it carried were erased, ends
the execution: what it did to the ledger nobody can compute any more. Of the blocks
behind it the commits are verified.

Exit 0: all heights agree. 1: one differs. 2: wrong usage. 3: a file is damaged, a
block is not one that the validators signed, or a block is missing.`,
		Example: "  cairn audit replay blocks.jsonl --genesis genesis.json",
		Args:    atLeast(1, "the file of an export"),
		RunE: func(cmd *cobra.Command, files []string) error {
			r := &blockReplay{from: from, to: to, say: everySoOften(cmd.ErrOrStderr())}
			if err := s.openReplay(r, trust); err != nil {
				return err
			}
			defer r.ledger.Close()
			err := r.run(files)
			if err == nil || errors.Is(err, errDiffers) {
				if shown := s.showReplayed(r); shown != nil {
					return shown
				}
			}
			if err == nil {
				err = r.incomplete()
			}
			return asUnsettled(err)
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 1, "first height to compare")
	cmd.Flags().Uint64Var(&to, "to", 0, "last height to compare; all without it")
	cmd.Flags().StringVar(&trust, "trust", "", "trust file, where validators changed; the founding document without it")
	return cmd
}

// blockReplay executes an export.
type blockReplay struct {
	ledger   *sim.Follower
	trust    *proof.Trust
	chainID  string
	from, to uint64
	say      func(format string, args ...any)

	at      uint64          // height of the last block met
	missing []exportMissing // blocks that are not in the files
	decided uint64          // blocks behind the first of them, verified and not executed

	began     time.Time
	blocks    uint64 // executed
	txs       int
	compared  uint64 // heights whose app hash was held to a signed one
	last      uint64 // the last of them
	different *replayDifference
}

// replayDifference is the first height at which the replay came to something
// else.
type replayDifference struct {
	Height uint64        `json:"height"`
	Signed protocol.Hash `json:"signed"`
	Here   protocol.Hash `json:"here"`
	In     string        `json:"in"` // what differs, where it is known
}

// openReplay founds the ledger and finds out whom to trust.
func (s *session) openReplay(r *blockReplay, trust string) error {
	path := s.genesis
	if path == "" && s.network != "" {
		path = filepath.Join(s.network, "genesis.json")
	}
	if path == "" {
		return usageError{errors.New("say how the ledger was founded: --genesis genesis.json")}
	}
	doc, err := genesis.Load(path)
	if err != nil {
		return err
	}
	if r.trust, err = doc.Trust(); err != nil {
		return err
	}
	if trust != "" {
		if r.trust, err = loadTrust(trust); err != nil {
			return err
		}
	}
	r.chainID, r.began = doc.ChainID, time.Now()
	r.ledger, err = sim.Follow(doc)
	return err
}

// run reads the files one after the other.
func (r *blockReplay) run(files []string) error {
	for _, name := range files {
		if err := r.file(name); err != nil {
			return err
		}
		if r.done() {
			break
		}
	}
	return nil
}

// done says that what lies behind is not asked for.
func (r *blockReplay) done() bool {
	return r.to > 0 && (r.last >= r.to || len(r.missing) > 0 && r.at >= r.to)
}

func (r *blockReplay) file(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	decoder := json.NewDecoder(bufio.NewReaderSize(file, 1<<20))
	var head exportHead
	if err := decoder.Decode(&head); err != nil || head.Version != exportVersion {
		return fmt.Errorf("%w: %s is not an export of blocks", errInvalid, name)
	}
	if head.ChainID != r.chainID {
		return fmt.Errorf("%s is of chain %q, the founding document of %q", name, head.ChainID, r.chainID)
	}
	if next := r.at + 1; head.From != next {
		return fmt.Errorf("%s begins with block %d, and block %d is next: blocks are executed from the founding on", name, head.From, next)
	}
	for !r.done() {
		var line exportLine
		if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w: %s, after block %d: %w", errInvalid, name, r.at, err)
		}
		if err := r.line(&line); err != nil {
			return err
		}
	}
	return nil
}

// line verifies and executes one block, or holds the last one to its seal.
func (r *blockReplay) line(line *exportLine) error {
	seal := line.Seal
	if line.Block != nil {
		of := line.Block.Seal()
		seal = &of
	}
	if seal == nil && line.Missing != nil && line.Missing.Height == r.at+1 {
		return r.skip(line.Missing) // nothing signed is left of it
	}
	if seal == nil {
		return fmt.Errorf("%w: a line without a block after block %d", errInvalid, r.at)
	}
	statement, err := seal.VerifyWith(r.trust)
	if err != nil {
		return fmt.Errorf("%w: block %d: %w", errInvalid, seal.Commit.Height, err)
	}
	if statement.Height != r.at+1 || line.Missing != nil && line.Missing.Height != statement.Height {
		return fmt.Errorf("%w: block %d follows block %d", errInvalid, statement.Height, r.at)
	}
	stand := r.ledger.Stand()
	if len(r.missing) == 0 && (stand.Height == 0 || stand.Height >= r.from) {
		if err := r.compare(stand, statement.AppHash, line.Before); err != nil {
			return err
		}
	}
	switch {
	case line.Missing != nil:
		return r.skip(line.Missing)
	case line.Block == nil || r.to > 0 && r.at >= r.to:
		return nil
	case len(r.missing) > 0:
		r.at, r.decided = statement.Height, r.decided+1
		return nil
	}
	if err := r.ledger.Execute(statement.Height, statement.Time, line.Block.Txs); err != nil {
		return fmt.Errorf("block %d: %w", statement.Height, err)
	}
	r.at, r.blocks, r.txs = statement.Height, r.blocks+1, r.txs+len(line.Block.Txs)
	r.say("executed block %d, app hash %s", statement.Height, r.ledger.Stand().AppHash)
	return nil
}

// skip takes note of a block that is not there.
func (r *blockReplay) skip(m *exportMissing) error {
	if r.to == 0 || r.at < r.to {
		r.at, r.missing = m.Height, append(r.missing, *m)
	}
	return nil
}

// incomplete says what could not be executed again.
func (r *blockReplay) incomplete() error {
	if len(r.missing) == 0 {
		return nil
	}
	return fmt.Errorf("%d blocks are missing, the first is %s: payloads they carried were erased, so the ledger from there on cannot be executed again", len(r.missing), r.missing[0])
}

// compare holds what the blocks so far came to, to what is signed of them.
func (r *blockReplay) compare(stand sim.Stand, signed protocol.Hash, before *exportBefore) error {
	r.compared, r.last = r.compared+1, stand.Height
	if signed == stand.AppHash {
		return nil
	}
	r.different = &replayDifference{Height: stand.Height, Signed: signed, Here: stand.AppHash, In: "log, parameters or state"}
	if before != nil {
		switch {
		case before.LogSize != stand.LogSize:
			r.different.In = fmt.Sprintf("the log: %d entries here, %d there", stand.LogSize, before.LogSize)
		case before.StateRoot != stand.StateRoot:
			r.different.In = fmt.Sprintf("the state: root %s here, %s there; the log has %d entries in both", stand.StateRoot, before.StateRoot, stand.LogSize)
		default:
			r.different.In = "the log's entries, or the parameters: the state and the number of entries are equal"
		}
	}
	what := fmt.Sprintf("block %d", stand.Height)
	if stand.Height == 0 {
		what = "the founding"
	}
	return fmt.Errorf("%w: after %s the app hash is %s here, and the validators signed %s. The difference is in %s",
		errDiffers, what, stand.AppHash, signed, r.different.In)
}

// showReplayed says what a replay came to.
func (s *session) showReplayed(r *blockReplay) error {
	stand, took := r.ledger.Stand(), time.Since(r.began)
	if s.json {
		return s.printJSON(map[string]any{
			"chainId": r.chainID, "blocks": r.blocks, "transactions": r.txs, "compared": r.compared, "height": r.last,
			"logSize": stand.LogSize, "appHash": stand.AppHash, "seconds": took.Seconds(), "same": r.different == nil, "difference": r.different,
			"missing": r.missing, "decided": r.decided,
		})
	}
	if r.different != nil {
		return nil // the error says it
	}
	fmt.Fprintf(s.out, "executed %d blocks with %d transactions in %s; %d app hashes compared, all equal to those signed\n",
		r.blocks, r.txs, took.Round(time.Millisecond), r.compared)
	fmt.Fprintf(s.out, "after block %d: %d entries, app hash %s\n", r.last, stand.LogSize, stand.AppHash)
	for _, m := range r.missing {
		fmt.Fprintf(s.out, "Missing is %s: payloads it carried were erased.\n", m)
	}
	if len(r.missing) > 0 {
		fmt.Fprintf(s.out, "behind block %d: %d blocks are such as the validators decided them, and were not executed\n", r.missing[0].Height, r.decided)
	}
	if r.last < stand.Height {
		fmt.Fprintf(s.out, "Nothing signed in the file says what block %d came to.\n", stand.Height)
	}
	return nil
}
