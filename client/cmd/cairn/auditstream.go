package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/netdir"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

func auditCommand(s *session) *cobra.Command {
	return group("audit", "Ask the ledger to account for itself", auditStreamCommand(s), whyCommand(s), exportCommand(s), replayBlocksCommand(s))
}

// streamAudit is what `cairn audit stream` is asked.
type streamAudit struct {
	from, to             uint64
	trust, saved, output string
	payloads             bool
}

func auditStreamCommand(s *session) *cobra.Command {
	var a streamAudit
	cmd := &cobra.Command{
		Use:   "stream PRODUCER NAME [--from N] [--to N]",
		Short: "Prove that no sequence of a producer's stream is missing",
		Long: `Prove that no sequence of a producer's stream is missing, and say which of them are
declared gaps and which are repeats. PRODUCER is an address, or a key's name in the
network's keys folder. The node's proof is verified against the founding document or
a trust file; with -o it is kept, and with --proof FILE a kept one is verified again
and nothing is asked of any node.
Exit code 0: the stream is complete. 3: the proof does not hold, or the ledger has nothing
of the stream; the reason is printed.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 2 || len(args) == 0 && a.saved != "" {
				return nil
			}
			return usageError{errors.New("needs a producer and the name of its stream, or --proof FILE")}
		},
		RunE: func(cmd *cobra.Command, args []string) error { return s.auditStream(cmd.Context(), a, args) },
	}
	flags := cmd.Flags()
	flags.Uint64Var(&a.from, "from", 0, "first sequence")
	flags.Uint64Var(&a.to, "to", 0, "sequence after the last one; 0 is the newest")
	flags.StringVar(&a.trust, "trust", "", "founding document or trust file; without it that of the network")
	flags.StringVar(&a.saved, "proof", "", "a proof's file, instead of asking a node")
	flags.StringVarP(&a.output, "output", "o", "", "file to write the proof to")
	flags.BoolVar(&a.payloads, "payloads", false, "let the proof carry the events themselves, not only what commits to them")
	return cmd
}

func (s *session) auditStream(ctx context.Context, a streamAudit, args []string) error {
	if a.trust == "" {
		var err error
		if a.trust, err = s.genesisPath(); err != nil {
			return err
		}
	}
	trusted, err := loadTrust(a.trust)
	if err != nil {
		return err
	}
	p, err := s.streamProof(ctx, a, args)
	if err != nil {
		return err
	}
	statement, err := p.Verify(trusted)
	if err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	if a.output != "" {
		text, err := p.MarshalBinary()
		if err != nil {
			return err
		}
		if err := os.WriteFile(a.output, text, 0o644); err != nil {
			return err
		}
	}
	if s.json {
		return s.printJSON(statement)
	}
	if statement.Next == 0 {
		return unsettled{fmt.Errorf("the ledger has nothing of stream %q of %s, as the state after block %d proves: is that its name?", statement.Name, statement.Producer, statement.Height)}
	}
	fmt.Fprintln(s.out, statement)
	for _, g := range statement.Gaps {
		fmt.Fprintf(s.out, "declared gap: sequences %d to %d\n", g.From, g.From+g.Count-1)
	}
	for _, d := range statement.Duplicates {
		fmt.Fprintf(s.out, "repeat: sequence %d, of entry %d\n", d.Sequence, d.First)
	}
	return nil
}

// streamProof reads a kept proof, or fetches one.
func (s *session) streamProof(ctx context.Context, a streamAudit, args []string) (*proof.StreamProof, error) {
	var producer protocol.Address
	if len(args) == 2 {
		var err error
		if producer, err = s.address(args[0]); err != nil {
			return nil, err
		}
		if err := protocol.CheckStreamName(args[1]); err != nil {
			return nil, usageError{err}
		}
	}
	if a.saved == "" {
		l, err := s.connect()
		if err != nil {
			return nil, err
		}
		return l.StreamProof(ctx, producer, args[1], a.from, a.to, !a.payloads)
	}
	info, err := os.Stat(a.saved)
	if err != nil {
		return nil, err
	}
	if info.Size() > proof.MaxStreamProofBytes {
		return nil, fmt.Errorf("%w: %s has %d bytes, no proof has more than %d", errInvalid, a.saved, info.Size(), proof.MaxStreamProofBytes)
	}
	text, err := os.ReadFile(a.saved)
	if err != nil {
		return nil, err
	}
	p, err := proof.ParseStreamProof(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInvalid, err)
	}
	switch {
	case len(args) == 2 && (p.Producer != producer || p.Name != args[1]):
		return nil, fmt.Errorf("%w: it is of stream %s of %s", errInvalid, p.Name, p.Producer)
	case a.from > 0 && a.from < p.From || a.to > p.To || a.from > p.To:
		return nil, fmt.Errorf("%w: it is of the sequences %d to %d", errInvalid, p.From, int64(p.To)-1)
	}
	return p, nil
}

// address is an account's, as text or by its key's name.
func (s *session) address(text string) (protocol.Address, error) {
	if a, err := protocol.ParseAddress(text); err == nil {
		return a, nil
	}
	path := text
	if s.network != "" {
		if inNetwork := filepath.Join(s.network, "keys", text+".json"); exists(inNetwork) {
			path = inNetwork
		}
	}
	file, err := netdir.ReadKeyFile(path)
	if err != nil {
		return protocol.Address{}, fmt.Errorf("%q is no address, and %w", text, err)
	}
	return file.Address, nil
}
