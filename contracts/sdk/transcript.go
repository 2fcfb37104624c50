//go:build !tinygo

package sdk

import (
	"errors"
	"fmt"
	"io"
)

// transcribe writes a delivery and what came of it, for Host.Transcript:
//
//	event 0 5f3a...                             entry point, handler, input record in hex
//	emit parking.price.set.v1 "North" {...}     what it emitted, in order
//	output {...}                                what it replied, if anything
//	ok                                          or: abort 1, misuse
//
// and an empty line. The built contract, given the same records, must answer
// the same: a test of the ledger replays the transcripts of all contracts.
func transcribe(w io.Writer, entry Entry, handler int, record []byte, emitted []Emission, output []byte, err error) {
	fmt.Fprintf(w, "%s %d %x\n", entryNames[entry], handler, record)
	var failure *Failure
	switch {
	case !errors.As(err, &failure):
		for _, e := range emitted {
			fmt.Fprintf(w, "emit %s %q %s\n", e.Type, e.Subject, e.Data)
		}
		if len(output) > 0 {
			fmt.Fprintf(w, "output %s\n", output)
		}
		fmt.Fprintf(w, "ok\n\n")
	case failure.Code == 0:
		fmt.Fprintf(w, "misuse\n\n")
	default:
		fmt.Fprintf(w, "abort %d\n\n", failure.Code)
	}
}

var entryNames = [...]string{EntryInit: "init", EntryEvent: "event", EntryCall: "call", EntryQuery: "query", EntryTimer: "timer", EntryMigrate: "migrate"}
