package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

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

// exportLine is one of those that follow: a decided block each, and at the end
// the seal of the last one, the next block's header.
type exportLine struct {
	Block  *proof.Decided `json:"block,omitempty"`
	Before *exportBefore  `json:"before,omitempty"`
	Seal   *proof.Seal    `json:"seal,omitempty"`
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
Every block is verified before it is written.`,
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
	say, txs := everySoOften(cmd.ErrOrStderr()), 0
	for height := from; height <= to; height++ {
		block, err := l.Block(cmd.Context(), height)
		if err != nil {
			return err
		}
		txs += len(block.Decided.Txs)
		if err := encoder.Encode(exportOf(&block)); err != nil {
			return err
		}
		say("wrote block %d of %d", height, to)
	}
	sealed := false
	if next, err := l.Block(cmd.Context(), to+1); err == nil {
		seal := next.Decided.Seal()
		if err := encoder.Encode(exportLine{Seal: &seal}); err != nil {
			return err
		}
		sealed = true
	} else if code, _ := protocol.CodeOf(err); code != protocol.CodeNotFound {
		return err
	}
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(map[string]any{"file": output, "from": from, "to": to, "transactions": txs, "sealed": sealed})
	}
	fmt.Fprintf(s.out, "wrote %s: blocks %d to %d with %d transactions, each block verified\n", output, from, to, txs)
	if !sealed {
		fmt.Fprintf(s.out, "Block %d is not there yet, so nothing signed says what block %d came to.\n", to+1, to)
	}
	return nil
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
