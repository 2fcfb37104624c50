package main

import (
	"context"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
)

// exportReceipt fetches a receipt in a format of others and verifies it.
func (s *session) exportReceipt(ctx context.Context, l *ledger, index uint64, output, format string) error {
	by, err := s.cosigners()
	if err != nil {
		return err
	}
	text, err := l.ExportReceipt(ctx, index, format)
	if err != nil {
		return err
	}
	statement, err := openExport(text, by)
	err = s.following(ctx, l, &by, err, func() error {
		statement, err = openExport(text, by)
		return err
	})
	if err != nil {
		return err
	}
	if statement.Entry.Index != index {
		return fmt.Errorf("%w: the node sent the receipt of entry %d", errInvalid, statement.Entry.Index)
	}
	return s.writeReceipt(text, output)
}

// openExport reads and verifies a tlog-proof or a COSE receipt.
func openExport(text []byte, by proof.Cosigners) (statement proof.LogStatement, err error) {
	if proof.IsCose(text) {
		var r *proof.CoseReceipt
		if r, err = proof.ParseCose(text); err == nil {
			statement, err = r.Verify(by)
		}
	} else {
		var r *proof.LogReceipt
		if r, err = proof.ParseTlogProof(text); err == nil {
			statement, err = r.Verify(by)
		}
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errInvalid, err)
	}
	return statement, err
}

// verifyExport needs the log keys: those of the founding document, or a file of
// `cairn log key --today`.
func (s *session) verifyExport(text []byte, trust string) error {
	by, err := cosignersIn(trust)
	if err != nil {
		return err
	}
	statement, err := openExport(text, by)
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(statement)
	}
	_, err = fmt.Fprintln(s.out, statement)
	return err
}

// getBatch fetches a batch receipt, verifies and writes it.
func (s *session) getBatch(ctx context.Context, l *ledger, first uint64, count int, output, format string) error {
	if count < 1 || count > proof.MaxBatchEntries || format != "json" && format != "binary" {
		return usageError{fmt.Errorf("--count: a receipt of 2 to %d entries is json or binary", proof.MaxBatchEntries)}
	}
	path, err := s.genesisPath()
	if err != nil {
		return err
	}
	trusted, err := loadTrust(path)
	if err != nil {
		return err
	}
	receipt, err := l.BatchReceipt(ctx, first, count, false)
	if err != nil {
		return err
	}
	if _, err := receipt.VerifyWith(trusted); err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	text, err := receipt.MarshalBinary()
	if format == "json" {
		text, err = receipt.MarshalJSON()
	}
	if err != nil {
		return err
	}
	return s.writeReceipt(text, output)
}

func (s *session) verifyBatch(text []byte, trusted *proof.Trust) error {
	receipt, err := proof.ParseBatch(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	statement, err := receipt.VerifyWith(trusted)
	if err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	if s.json {
		return s.printJSON(statement)
	}
	fmt.Fprintln(s.out, statement)
	for i := range statement.Entries {
		fmt.Fprintf(s.out, "%s.\n", statement.Entries[i].String())
	}
	return nil
}
