package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func eraseCommand(s *session) *cobra.Command {
	var key, reason, stream string
	var from, count uint64
	cmd := &cobra.Command{
		Use:   "erase [INDEX] --reason REASON",
		Short: "Have every node erase the payload of an entry",
		Long: `Have every node erase the payload of an entry, or of events of the key's own stream
(--stream, --from, --count). That the entry existed stays, with who erased it, when and
why; receipts issued before still verify. docs/privacy.md says what else stays.

An event is erased by its producer, what a contract made by the contract's author, and
either by an auditor. Reasons: ` + strings.Join(protocol.EraseReasons(), ", ") + `.`,
		Args: atMost(1, "the index of an entry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var why protocol.EraseReason
			if err := why.UnmarshalText([]byte(reason)); err != nil {
				return usageError{fmt.Errorf("--reason: must be one of %s", strings.Join(protocol.EraseReasons(), ", "))}
			}
			if (len(args) == 1) == (stream != "") {
				return usageError{errors.New("needs an index, or --stream")}
			}
			l, err := s.connect()
			if err != nil {
				return err
			}
			secret, err := s.key(key)
			if err != nil {
				return err
			}
			if stream != "" {
				erased, err := l.EraseStream(cmd.Context(), secret, stream, from, count, why)
				if err != nil {
					return fmt.Errorf("%d events were erased, and then: %w", erased, err)
				}
				return s.tell(map[string]any{"stream": stream, "erased": erased, "reason": why}, "erased      %d events of %s\n", erased, stream)
			}
			index, err := indexArg(args[0])
			if err != nil {
				return err
			}
			status, err := l.Erase(cmd.Context(), secret, index, why)
			if err != nil {
				return err
			}
			return s.tell(map[string]any{"index": index, "erasedBy": status.FirstIndex, "height": status.Height, "reason": why},
				"erased      entry %d, at height %d; entry %d says so\n", index, status.Height, status.FirstIndex)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "key", "producer", "key of who erases: a file, or a name in the network's keys folder")
	flags.StringVar(&reason, "reason", "", "why: "+strings.Join(protocol.EraseReasons(), ", "))
	flags.StringVar(&stream, "stream", "", "erase events of this stream of the key's own, instead of an entry")
	flags.Uint64Var(&from, "from", 0, "with --stream: the first sequence")
	flags.Uint64Var(&count, "count", 1, "with --stream: how many sequences")
	return cmd
}

func (s *session) tell(v any, format string, args ...any) error {
	if s.json {
		return s.printJSON(v)
	}
	_, err := fmt.Fprintf(s.out, format, args...)
	return err
}

func (s *session) showErasure(e *rest.Erasure) error {
	_, err := fmt.Fprintf(s.out, "erased     at height %d, %s, by %s\nreason     %s\n           entry %d says so; `cairn receipt get` proves it\n",
		e.Height, time.UnixMilli(int64(e.TimeMs)).UTC().Format(time.RFC3339Nano), e.By, e.Reason, e.Index)
	return err
}

// saveErasure writes the proof that an entry existed and was erased.
func (s *session) saveErasure(erasure *proof.Erasure, output string) error {
	text, err := erasure.MarshalJSON()
	if err != nil {
		return err
	}
	if output == "" {
		_, err = s.out.Write(text)
		return err
	}
	if err := os.WriteFile(output, text, 0o644); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(map[string]any{"file": output, "bytes": len(text), "erased": true})
	}
	_, err = fmt.Fprintf(s.out, "wrote %s, %d bytes: the entry existed, and its payload was erased; it verifies against the ledger's genesis file\n", output, len(text))
	return err
}

// verifyProof verifies a receipt, or the proof of an erasure, and answers what
// it says.
func verifyProof(text []byte, trust *proof.Trust) (fmt.Stringer, error) {
	if proof.IsErasure(text) {
		erasure, err := proof.DecodeErasure(text)
		if err != nil {
			return nil, err
		}
		return erasure.VerifyWith(trust)
	}
	receipt, err := proof.Parse(text)
	if err != nil {
		return nil, err
	}
	return receipt.VerifyWith(trust)
}
