package main

import (
	"context"
	"fmt"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/genesis"
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

// verifyExport needs the founding document: it names the log keys.
func (s *session) verifyExport(text []byte, trust string) error {
	doc, err := genesis.Load(trust)
	if err != nil {
		return err
	}
	by, err := doc.Cosigners()
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
