package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func statusCommand(s *session) *cobra.Command {
	var wait time.Duration
	var past pastFlags
	cmd := &cobra.Command{
		Use: "status [TRANSACTION]", Short: "Say where a transaction is, or where the ledger stands",
		Args: atMost(1, "the id of a transaction"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := s.connect()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return s.showHead(cmd, l, &past)
			}
			id, err := protocol.ParseHash(args[0])
			if err != nil {
				return usageError{fmt.Errorf("transaction id: %w", err)}
			}
			status, err := l.Status(cmd.Context(), id, wait)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(status)
			}
			fmt.Fprintf(s.out, "transaction  %s\nstate        %s\n", status.TxID, status.State)
			switch status.State {
			case rest.StateCommitted:
				fmt.Fprintf(s.out, "height       %d\nentries      %d from index %d (%d absorbed, %d duplicates)\n", status.Height, status.Entries, status.FirstIndex, status.Absorbed, status.Duplicates)
			case rest.StateRefused:
				fmt.Fprintf(s.out, "height       %d\nreason       %s: %s\n", status.Height, status.Name, status.Message)
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait this long for a decision, at most 30s")
	past.add(cmd)
	return cmd
}

func (s *session) showHead(cmd *cobra.Command, l *ledger, past *pastFlags) error {
	at, err := past.at()
	if err != nil {
		return err
	}
	head, err := l.HeadAt(cmd.Context(), at)
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(head)
	}
	fmt.Fprintf(s.out, "chain     %s\nheight    %d\ntime      %s\nentries   %d\napp hash  %s\n",
		head.ChainID, head.Height, time.UnixMilli(head.TimeMs).UTC().Format(time.RFC3339), head.LogSize, head.AppHash)
	if at == (client.At{}) {
		fmt.Fprintf(s.out, "lag       %d entries behind, the slowest contract\n", head.Lag)
	}
	return nil
}

func eventCommand(s *session) *cobra.Command {
	var source, id string
	cmd := &cobra.Command{
		Use: "event [INDEX]", Short: "Show an entry of the log, by its index or by an event's source and id",
		Args: atMost(1, "the index of an entry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := s.connect()
			if err != nil {
				return err
			}
			var entry rest.Entry
			switch {
			case len(args) == 1 && source == "" && id == "":
				index, err := indexArg(args[0])
				if err != nil {
					return err
				}
				if entry, err = l.Entry(cmd.Context(), index); err != nil {
					return err
				}
			case len(args) == 0 && source != "" && id != "":
				if entry, err = l.FindEvent(cmd.Context(), protocol.Address{}, source, id); err != nil {
					return err
				}
			default:
				return usageError{errors.New("needs an index, or both --source and --id")}
			}
			if s.json {
				return s.printJSON(entry)
			}
			return s.showEntry(entry)
		},
	}
	cmd.Flags().StringVar(&source, "source", "", "the event's source attribute")
	cmd.Flags().StringVar(&id, "id", "", "the event's id attribute")
	cmd.AddCommand(eraseCommand(s))
	return cmd
}

func indexArg(text string) (uint64, error) {
	index, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, usageError{fmt.Errorf("index %q is not a whole number of 0 or more", text)}
	}
	return index, nil
}

func (s *session) showEntry(e rest.Entry) error {
	fmt.Fprintf(s.out, "entry      %d, %s\nblock      %d at %s\norigin     %s\n", e.Index, e.Kind, e.Height, time.UnixMilli(int64(e.TimeMs)).UTC().Format(time.RFC3339Nano), e.Origin)
	if e.Stream != "" {
		fmt.Fprintf(s.out, "stream     %s, sequence %d\n", e.Stream, e.Sequence)
	}
	if e.Cause != nil {
		fmt.Fprintf(s.out, "cause      entry %d\n", *e.Cause)
	}
	if e.Erased != nil {
		return s.showErasure(e.Erased)
	}
	what, content := "act", e.Act
	if e.Event != nil {
		what, content = "event", e.Event
	}
	text, err := json.MarshalIndent(content, "           ", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%-9s  %s\n", what, text)
	return err
}

func receiptCommand(s *session) *cobra.Command {
	var output, format, heldBy string
	var count int
	fetch := &cobra.Command{
		Use: "get INDEX", Short: "Fetch the receipt of an entry and verify it", Args: exactly(1, "the index of an entry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := indexArg(args[0])
			if err != nil {
				return err
			}
			l, err := s.connect()
			if err != nil {
				return err
			}
			if heldBy != "" {
				return s.getHeld(cmd.Context(), l, index, heldBy, output)
			}
			if count != 1 {
				return s.getBatch(cmd.Context(), l, index, count, output, format)
			}
			if format == "tlog-proof" || format == "cose" {
				return s.exportReceipt(cmd.Context(), l, index, output, format)
			}
			receipt, err := l.Receipt(cmd.Context(), index)
			if err != nil {
				return err
			}
			if receipt.Entry.Withheld && format == "json" { // it was erased
				erasure, err := l.Erasure(cmd.Context(), index)
				if err != nil {
					return err
				}
				return s.saveErasure(erasure, output)
			}
			return s.saveReceipt(receipt, output, format)
		},
	}
	fetch.Flags().StringVarP(&output, "output", "o", "", "file to write; without it the receipt goes to standard output")
	fetch.Flags().StringVar(&heldBy, "held", "", "a checkpoint that is held (cairn log hold): the receipt is small and verifies with it")
	fetch.Flags().IntVar(&count, "count", 1, "prove so many consecutive entries at once")
	fetch.Flags().StringVar(&format, "format", "json", "json, binary, tlog-proof or cose")
	var trust, held string
	verify := &cobra.Command{
		Use:   "verify FILE --trust FILE",
		Short: "Verify a receipt offline and say what it proves",
		Long: `Verify a receipt offline and say what it proves. Nothing is asked of any node: all
that is trusted is the founding document, or a trust file that began with it
(cairn trust update) where validators changed; so get that from someone you trust.
Exit code 0: it holds. 3: it does not, and the reason is printed.`,
		Args: exactly(1, "a receipt file"),
		RunE: func(_ *cobra.Command, args []string) error { return s.verifyReceipt(args[0], trust, held) },
	}
	verify.Flags().StringVar(&trust, "trust", "", "founding document of the ledger the receipt is of, or a trust file")
	verify.Flags().StringVar(&held, "held", "", "checkpoint that is held (cairn log hold), for a receipt that was shrunk to it")
	return group("receipt", "Fetch receipts and verify them offline", fetch, verify, shrinkCommand(s))
}

func (s *session) saveReceipt(receipt *proof.Receipt, output, format string) error {
	var text []byte
	var err error
	switch format {
	case "json":
		text, err = receipt.MarshalJSON()
	case "binary":
		text, err = receipt.MarshalBinary()
	default:
		return usageError{fmt.Errorf("--format: %q must be json, binary, tlog-proof or cose", format)}
	}
	if err != nil {
		return err
	}
	return s.writeReceipt(text, output)
}

func (s *session) writeReceipt(text []byte, output string) error {
	if output == "" {
		_, err := s.out.Write(text)
		return err
	}
	if err := os.WriteFile(output, text, 0o644); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(map[string]any{"file": output, "bytes": len(text)})
	}
	fmt.Fprintf(s.out, "wrote %s, %d bytes; it verifies against the ledger's genesis file\n", output, len(text))
	return nil
}

// maxReceiptBytes bounds a receipt file: a 64 KiB record in JSON, and proofs.
const maxReceiptBytes = 4 << 20

func (s *session) verifyReceipt(path, trust, held string) error {
	if trust == "" {
		trust = s.genesis
	}
	if trust == "" {
		return usageError{errors.New("say what to trust: --trust genesis.json")}
	}
	text, err := readBounded(path)
	if err != nil {
		return err
	}
	if proof.IsHeldReceipt(text) {
		return s.verifyHeld(text, trust, held)
	}
	if proof.IsTlogProof(text) || proof.IsCose(text) {
		return s.verifyExport(text, trust)
	}
	trusted, err := loadTrust(trust)
	if err != nil {
		return err
	}
	if proof.IsBatch(text) {
		return s.verifyBatch(text, trusted)
	}
	statement, err := verifyProof(text, trusted)
	if err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	if s.json {
		return s.printJSON(statement)
	}
	_, err = fmt.Fprintln(s.out, statement)
	return err
}

func versionCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if s.json {
				return s.printJSON(map[string]string{"version": version()})
			}
			_, err := fmt.Fprintf(s.out, "cairn %s\n", version())
			return err
		},
	}
}

// version is the module's, where the program was built as one.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development build"
}
