package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func logCommand(s *session) *cobra.Command {
	var output string
	checkpoint := &cobra.Command{
		Use: "checkpoint [FILE]", Short: "Fetch the log's newest checkpoint, or read a file's, and verify who signed it",
		Args: atMost(1, "a checkpoint's file"),
		RunE: func(cmd *cobra.Command, args []string) error { return s.showCheckpoint(cmd.Context(), args, output) },
	}
	checkpoint.Flags().StringVarP(&output, "output", "o", "", "file to write the checkpoint to")
	var saved, save string
	consistency := &cobra.Command{
		Use:   "consistency FROM TO",
		Short: "Verify that the log of TO begins with exactly that of FROM",
		Long: `Verify that the log of TO begins with exactly that of FROM: nothing was changed or
dropped in between. FROM and TO are sizes, or files of checkpoints that were kept. With
two files and --proof nothing is asked of any node. A size is verified against the
newest checkpoint, which validators with more than two thirds of the power signed.
Exit code 0: it holds. 3: it does not, and the reason is printed.`,
		Args: exactly(2, "two sizes, or files of checkpoints"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.checkConsistency(cmd.Context(), args[0], args[1], saved, save)
		},
	}
	consistency.Flags().StringVar(&saved, "proof", "", "a proof's file, instead of asking a node")
	consistency.Flags().StringVarP(&save, "output", "o", "", "file to write the proof to")
	tile := &cobra.Command{
		Use: "tile PATH", Short: "Fetch a tile (0/000, 1/000.p/5) or an entry bundle (entries/000), verified against the newest checkpoint",
		Args: exactly(1, "the path of a tile"),
		RunE: func(cmd *cobra.Command, args []string) error { return s.showTile(cmd.Context(), args[0]) },
	}
	cmd := group("log", "Read the log as a transparency log", logKeyCommand(s), checkpoint, consistency, tile, logHoldCommand(s), anchorCommand(s), anchoredCommand(s))
	cmd.PersistentFlags().StringVar(&s.keys, "keys", "", "whose checkpoints are taken: a file of `cairn log key --today`; left out, the founding document's")
	return cmd
}

// readCheckpoint verifies a checkpoint's file.
func readCheckpoint(path string, by proof.Cosigners) (*proof.SignedCheckpoint, proof.Cosigned, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, proof.Cosigned{}, err
	}
	c, err := proof.ParseCheckpoint(text)
	if err != nil {
		return nil, proof.Cosigned{}, fmt.Errorf("%w: %s: %w", errInvalid, path, err)
	}
	cosigned, err := by.Verify(c)
	if err != nil {
		return nil, proof.Cosigned{}, fmt.Errorf("%w: %s: %w", errInvalid, path, err)
	}
	return c, cosigned, nil
}

// readBounded reads a file of proofs, of at most maxReceiptBytes.
func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxReceiptBytes+1))
	if err == nil && len(text) > maxReceiptBytes {
		err = fmt.Errorf("%w: %s has more than %d bytes, no proof has", errInvalid, path, maxReceiptBytes)
	}
	return text, err
}

// newestCheckpoint fetches and verifies one. Where the validators changed, by
// becomes those of today.
func (s *session) newestCheckpoint(ctx context.Context, l *ledger, by *proof.Cosigners) (*proof.SignedCheckpoint, proof.Cosigned, error) {
	c, cosigned, err := l.Checkpoint(ctx, *by)
	if c == nil {
		return nil, cosigned, err
	}
	err = s.following(ctx, l, by, err, func() (err error) {
		cosigned, err = by.Verify(c)
		return err
	})
	if err != nil {
		err = fmt.Errorf("%w: the checkpoint that the node serves: %w", errInvalid, err)
	}
	return c, cosigned, err
}

func (s *session) showCheckpoint(ctx context.Context, args []string, output string) error {
	by, err := s.cosigners()
	if err != nil {
		return err
	}
	var c *proof.SignedCheckpoint
	var cosigned proof.Cosigned
	if len(args) == 1 {
		c, cosigned, err = readCheckpoint(args[0], by)
	} else {
		var l *ledger
		if l, err = s.connect(); err == nil {
			c, cosigned, err = s.newestCheckpoint(ctx, l, &by)
		}
	}
	if err != nil {
		return err
	}
	if output != "" {
		// Only the lines that are needed: so every octet of the file counts.
		if err := os.WriteFile(output, by.Trim(c).Marshal(), 0o644); err != nil {
			return err
		}
	}
	if s.json {
		return s.printJSON(map[string]any{"origin": c.Origin, "size": c.Size, "root": c.Root, "cosigned": cosigned, "note": string(c.Marshal())})
	}
	_, err = fmt.Fprintf(s.out, "log       %s\nentries   %d\nroot      %s\nsigned    by %d validators with %d of %d of the voting power, the first at %s\n",
		c.Origin, c.Size, c.Root, len(cosigned.Names), cosigned.Power, cosigned.TotalPower, cosigned.Oldest.Format(time.RFC3339))
	return err
}

// logHead is one end of a consistency proof; its root is known where a
// checkpoint was given.
type logHead struct {
	size  uint64
	root  protocol.Hash
	known bool
}

func (s *session) logHead(arg string, by proof.Cosigners) (logHead, error) {
	if size, err := strconv.ParseUint(arg, 10, 53); err == nil {
		return logHead{size: size}, nil
	}
	c, _, err := readCheckpoint(arg, by)
	if err != nil {
		return logHead{}, err
	}
	return logHead{c.Size, c.Root, true}, nil
}

func (s *session) checkConsistency(ctx context.Context, fromArg, toArg, saved, save string) error {
	by, err := s.cosigners()
	if err != nil {
		return err
	}
	from, err := s.logHead(fromArg, by)
	if err != nil {
		return err
	}
	to, err := s.logHead(toArg, by)
	if err != nil {
		return err
	}
	var c rest.Consistency
	if saved != "" {
		text, err := readBounded(saved)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &c); err != nil {
			return fmt.Errorf("%w: %s: %w", errInvalid, saved, err)
		}
		if !from.known || !to.known {
			return usageError{errors.New("--proof needs two files of checkpoints: without a node nobody vouches for a size")}
		}
	} else if c, err = s.fetchConsistency(ctx, &from, &to, by); err != nil {
		return err
	}
	if c.From != from.size || c.To != to.size {
		return fmt.Errorf("%w: the proof is from %d to %d entries, asked was %d to %d", errInvalid, c.From, c.To, from.size, to.size)
	}
	if err := proof.VerifyConsistency(from.size, to.size, from.root, to.root, c.Path); err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	if save != "" {
		text, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if err := os.WriteFile(save, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if s.json {
		return s.printJSON(rest.Consistency{From: from.size, To: to.size, FromRoot: from.root, ToRoot: to.root, Path: c.Path})
	}
	_, err = fmt.Fprintf(s.out, "the log of %d entries begins with exactly the %d entries of root %s\n", to.size, from.size, from.root)
	return err
}

// fetchConsistency asks a node, and ties sizes without a checkpoint to the
// newest one.
func (s *session) fetchConsistency(ctx context.Context, from, to *logHead, by proof.Cosigners) (c rest.Consistency, err error) {
	if from.size > to.size {
		return c, usageError{fmt.Errorf("FROM has %d entries and TO %d", from.size, to.size)}
	}
	l, err := s.connect()
	if err != nil {
		return c, err
	}
	if !to.known {
		newest, _, err := s.newestCheckpoint(ctx, l, &by)
		if err != nil {
			return c, err
		}
		if to.size > newest.Size {
			return c, fmt.Errorf("the newest checkpoint has %d entries, asked was for %d", newest.Size, to.size)
		}
		up, err := l.Consistency(ctx, to.size, newest.Size)
		if err != nil {
			return c, err
		}
		if err := proof.VerifyConsistency(to.size, newest.Size, up.FromRoot, newest.Root, up.Path); err != nil {
			return c, fmt.Errorf("%w: %w", errInvalid, err)
		}
		to.root = up.FromRoot
	}
	c, err = l.Consistency(ctx, from.size, to.size)
	if !from.known {
		from.root = c.FromRoot
	}
	return c, err
}
