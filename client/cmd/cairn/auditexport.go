package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// exportVersion stands in the first member of an export's first line.
const exportVersion = 1

// exportHead is the first line of an export.
type exportHead struct {
	Version int    `json:"cairnExport"`
	ChainID string `json:"chainId"`
	From    uint64 `json:"from"`
	To      uint64 `json:"to"`
}

// exportLine is one of those that follow: a decided block each, or the seal of
// one that is missing; and at the end the seal of the last one, the next block's
// header.
type exportLine struct {
	Block   *proof.Decided `json:"block,omitempty"`
	Before  *exportBefore  `json:"before,omitempty"`
	Missing *exportMissing `json:"missing,omitempty"`
	Seal    *proof.Seal    `json:"seal,omitempty"`
}

// exportMissing stands in the place of a block that carried what was erased
// since: nodes show its header and not its transactions.
type exportMissing struct {
	Height uint64 `json:"height"`
	Code   string `json:"code"`  // why: ERASED
	First  uint64 `json:"first"` // the entries it appended, by the node's word
	Next   uint64 `json:"next"`
}

func (m exportMissing) String() string {
	switch m.Next - m.First {
	case 0:
		return fmt.Sprintf("block %d (no entries)", m.Height)
	case 1:
		return fmt.Sprintf("block %d (entry %d)", m.Height, m.First)
	}
	return fmt.Sprintf("block %d (entries %d to %d)", m.Height, m.First, m.Next-1)
}

// exportBefore says what the block's app hash is made of. Nothing proves it:
// it tells, where app hashes differ, in what they do.
type exportBefore struct {
	LogSize   uint64        `json:"logSize"`
	StateRoot protocol.Hash `json:"stateRoot"`
}

func exportCommand(s *session) *cobra.Command {
	var from, to uint64
	var output string
	cmd := &cobra.Command{
		Use:   "export --from H1 --to H2 -o FILE",
		Short: "Write decided blocks to a file, each with what proves it",
		Long: `Write decided blocks to a file: the transactions as decided, in order, with time,
header and the commit that the validators signed, one block a line of JSON. After
the last block stands the header of the next one, which has the last app hash.
Every block is verified before it is written.

A block that carried a payload which was erased since is shown by no node. In its
place the file has its header, with what was signed of the blocks before it, and
says which entries it appended.`,
		Example: "  cairn audit export --to 5000 -o blocks.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output == "" || from == 0 || to != 0 && to < from {
				return usageError{errors.New("needs -o FILE, and --from of at least 1 and not above --to")}
			}
			return asUnsettled(s.export(cmd, from, to, output))
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 1, "first block")
	cmd.Flags().Uint64Var(&to, "to", 0, "last block; the one before the newest without it")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write")
	return cmd
}

func (s *session) export(cmd *cobra.Command, from, to uint64, output string) error {
	l, err := s.connect()
	if err != nil {
		return err
	}
	head, err := l.Head(cmd.Context())
	if err != nil {
		return err
	}
	if to == 0 {
		to = head.Height - 1
	}
	if to < from {
		return fmt.Errorf("the ledger is at height %d: there is nothing to export yet", head.Height)
	}
	file, err := os.Create(output)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	encoder := json.NewEncoder(w)
	if err := encoder.Encode(exportHead{exportVersion, l.ChainID(), from, to}); err != nil {
		return err
	}
	e := &exporter{ledger: l, encoder: encoder, say: everySoOften(cmd.ErrOrStderr())}
	for height := from; height <= to; height++ {
		if err := e.block(cmd.Context(), height); err != nil {
			return err
		}
		e.say("wrote block %d of %d", height, to)
	}
	sealed, err := e.seal(cmd.Context(), to+1)
	if err != nil {
		return err
	}
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(map[string]any{"file": output, "from": from, "to": to, "transactions": e.txs, "sealed": sealed, "missing": e.missing})
	}
	fmt.Fprintf(s.out, "wrote %s: blocks %d to %d with %d transactions, each block verified\n", output, from, to, e.txs)
	for _, m := range e.missing {
		fmt.Fprintf(s.out, "Missing is %s: payloads it carried were erased, so its transactions are shown by no node.\n", m)
	}
	if len(e.missing) > 0 {
		fmt.Fprintf(s.out, "A replay executes the blocks before block %d; of those behind it shows that the validators decided them.\n", e.missing[0].Height)
	}
	if !sealed {
		fmt.Fprintf(s.out, "Block %d is not there yet, so nothing signed says what block %d came to.\n", to+1, to)
	}
	return nil
}

// exporter writes the lines of an export.
type exporter struct {
	ledger  *ledger
	encoder *json.Encoder
	say     func(format string, args ...any)
	txs     int
	missing []exportMissing
}

// block writes a block, or what is left of it.
func (e *exporter) block(ctx context.Context, height uint64) error {
	block, err := e.ledger.Block(ctx, height)
	if code, _ := protocol.CodeOf(err); code == protocol.CodeErased {
		return e.rest(ctx, height)
	}
	if err != nil {
		return err
	}
	e.txs += len(block.Decided.Txs)
	return e.encoder.Encode(exportOf(&block))
}

// rest writes what is left of a block whose payloads were erased.
func (e *exporter) rest(ctx context.Context, height uint64) error {
	m := exportMissing{Height: height, Code: protocol.CodeErased.Name()}
	for at, size := range map[uint64]*uint64{height - 1: &m.First, height: &m.Next} { // in any order
		if at == 0 {
			continue // nothing was there before the first block
		}
		head, err := e.ledger.HeadAt(ctx, client.At{Height: at})
		if err != nil {
			return err
		}
		*size = head.LogSize
	}
	seal, err := e.header(ctx, height)
	if err != nil {
		return err
	}
	e.missing = append(e.missing, m)
	return e.encoder.Encode(exportLine{Missing: &m, Seal: seal})
}

// seal writes the header of the block behind the last one, if it is there.
func (e *exporter) seal(ctx context.Context, height uint64) (bool, error) {
	next, err := e.ledger.Block(ctx, height)
	seal := &proof.Seal{}
	switch code, _ := protocol.CodeOf(err); {
	case err == nil:
		*seal = next.Decided.Seal()
	case code == protocol.CodeNotFound:
		return false, nil
	case code == protocol.CodeErased:
		if seal, err = e.header(ctx, height); err != nil || seal == nil {
			return false, err
		}
	default:
		return false, err
	}
	return true, e.encoder.Encode(exportLine{Seal: seal})
}

// header is a block's header with its commit, taken from a receipt of the state
// that it proves: nodes give those whatever was erased. It is nil where another
// block proves the same.
func (e *exporter) header(ctx context.Context, height uint64) (*proof.Seal, error) {
	if height < 2 {
		return nil, nil // no receipt is of what was before the first block
	}
	receipt, err := e.ledger.StateReceipt(ctx, []byte("x"), height-1)
	if err != nil || receipt.Commit.Height != height {
		return nil, err
	}
	statement, err := e.ledger.Verify(ctx, receipt)
	return &proof.Seal{ChainID: receipt.ChainID, Header: receipt.Header, AppHash: statement.AppHash, Commit: receipt.Commit}, err
}

func exportOf(b *rest.Block) exportLine {
	return exportLine{Block: &b.Decided, Before: &exportBefore{b.Before.LogSize, b.Before.StateRoot}}
}

// everySoOften says something every few seconds.
func everySoOften(w io.Writer) func(format string, args ...any) {
	said := time.Now()
	return func(format string, args ...any) {
		if time.Since(said) > 3*time.Second {
			said = time.Now()
			fmt.Fprintf(w, format+"\n", args...)
		}
	}
}
