package main

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

func logHoldCommand(s *session) *cobra.Command {
	var output string
	var level uint8
	cmd := &cobra.Command{
		Use:   "hold -o FILE",
		Short: "Keep the newest checkpoint, so that receipts can be small",
		Long: `Keep the newest checkpoint with the subtrees that make it up, so that receipts can
be small: cairn receipt shrink cuts them off where they reach a subtree of 2^level
entries. Such a receipt also verifies against checkpoints held later with the same
level. A lower level makes smaller receipts and a larger file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.hold(cmd.Context(), output, level) },
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write")
	cmd.Flags().Uint8Var(&level, "level", 20, "subtrees of 2^level entries, at most 40")
	return cmd
}

func (s *session) hold(ctx context.Context, output string, level uint8) error {
	if output == "" || level > proof.MaxHeldLevel {
		return usageError{fmt.Errorf("say where to write: -o FILE, and --level of at most %d", proof.MaxHeldLevel)}
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
	h := &proof.Held{Checkpoint: *by.Trim(checkpoint), Level: level}
	tree := tlog.Tree{N: int64(checkpoint.Size), Hash: tlog.Hash(checkpoint.Root)}
	add := func(to *[]protocol.Hash, level int, first, count int64) error {
		hashes, err := l.storedHashes(ctx, tree, level, first, count)
		for _, hash := range hashes {
			*to = append(*to, protocol.Hash(hash))
		}
		return err
	}
	if err := add(&h.Row, int(level), 0, tree.N>>level); err != nil {
		return err
	}
	for rest := bits.Len64(checkpoint.Size&(1<<level-1)) - 1; rest >= 0; rest-- {
		if checkpoint.Size>>rest&1 == 1 {
			if err := add(&h.Rest, rest, tree.N>>rest-1, 1); err != nil {
				return err
			}
		}
	}
	if _, err := h.Verify(by); err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	text, err := h.MarshalJSON()
	if err != nil {
		return err
	}
	if err := os.WriteFile(output, append(text, '\n'), 0o644); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(map[string]any{"file": output, "size": checkpoint.Size, "level": level, "bytes": len(text) + 1})
	}
	_, err = fmt.Fprintf(s.out, "wrote %s: the checkpoint of %d entries, in %d subtrees\n", output, checkpoint.Size, len(h.Row)+len(h.Rest))
	return err
}

func readHeld(path string) (*proof.Held, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > proof.MaxHeldBytes {
		return nil, fmt.Errorf("%s has %d bytes, no held checkpoint has more than %d", path, info.Size(), proof.MaxHeldBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	h, err := proof.ParseHeld(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

func shrinkCommand(s *session) *cobra.Command {
	var trust, held, output string
	cmd := &cobra.Command{
		Use:   "shrink FILE --held CHECKPOINT -o FILE",
		Short: "Make a receipt small, for whoever holds the checkpoint",
		Args:  exactly(1, "a receipt file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if trust == "" {
				trust = s.genesis
			}
			if trust == "" || held == "" || output == "" {
				return usageError{errors.New("needs --trust genesis.json, --held CHECKPOINT and -o FILE")}
			}
			return s.shrink(args[0], trust, held, output)
		},
	}
	cmd.Flags().StringVar(&trust, "trust", "", "founding document of the ledger")
	cmd.Flags().StringVar(&held, "held", "", "checkpoint that is held (cairn log hold)")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write")
	return cmd
}

func (s *session) shrink(path, trust, held, output string) error {
	by, err := cosignersIn(trust)
	if err != nil {
		return err
	}
	h, err := readHeld(held)
	if err != nil {
		return err
	}
	text, err := readBounded(path)
	if err != nil {
		return err
	}
	receipt, err := proof.Parse(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	small, err := receipt.Shrink(h)
	if err != nil {
		return err
	}
	if _, err := small.Verify(h, by); err != nil { // the checkpoint vouches for what is written
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	if text, err = small.MarshalBinary(); err != nil {
		return err
	}
	if err := os.WriteFile(output, text, 0o644); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(map[string]any{"file": output, "bytes": len(text)})
	}
	_, err = fmt.Fprintf(s.out, "wrote %s, %d bytes; it verifies with the held checkpoint\n", output, len(text))
	return err
}

// getHeld fetches a receipt that ends at what a held checkpoint has.
func (s *session) getHeld(ctx context.Context, l *ledger, index uint64, held, output string) error {
	by, err := s.cosigners()
	if err != nil {
		return err
	}
	h, err := readHeld(held)
	if err != nil {
		return err
	}
	level, err := h.LevelOf(index)
	if err != nil {
		return err
	}
	receipt, err := l.HeldReceipt(ctx, index, level)
	if err != nil {
		return err
	}
	if receipt.Entry.Index != index {
		return fmt.Errorf("%w: the node sent the receipt of entry %d", errInvalid, receipt.Entry.Index)
	}
	if _, err := receipt.Verify(h, by); err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	text, err := receipt.MarshalBinary()
	if err != nil {
		return err
	}
	return s.writeReceipt(text, output)
}

func (s *session) verifyHeld(text []byte, trust, held string) error {
	if held == "" {
		return usageError{errors.New("the receipt was shrunk: say which checkpoint is held, --held FILE")}
	}
	by, err := cosignersIn(trust)
	if err != nil {
		return err
	}
	h, err := readHeld(held)
	if err != nil {
		return err
	}
	receipt, err := proof.ParseHeldReceipt(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	statement, err := receipt.Verify(h, by)
	if err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	if s.json {
		return s.printJSON(statement)
	}
	_, err = fmt.Fprintln(s.out, statement)
	return err
}
