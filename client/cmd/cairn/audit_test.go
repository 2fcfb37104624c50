package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/sim"
)

func TestAuditExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{fmt.Errorf("%w: block 7", errDiffers), 1},
		{usageError{errors.New("needs an index")}, 2},
		{fmt.Errorf("%w: block 7", errInvalid), 3},
		{fmt.Errorf("client: no node took the request: %w", errors.New("refused")), 3},
		{&client.Refusal{Problem: rest.Problem{Code: protocol.CodePruned}}, 3},
	} {
		if got := exitCode(asUnsettled(c.err)); got != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.code)
		}
	}
}

// hostile is a report about an event whose every text attacks who reads it.
func hostile() *why {
	const attack = "</pre><script>alert(1)</script>\x1b[2J\u202e"
	no := false
	w := &why{
		ChainID: "cairn-test", Index: 7, Asked: time.Unix(0, 0), Verdict: "block 3, executed again, has another entry 7 than the ledger",
		Notes: []string{}, names: map[protocol.Address]string{},
	}
	e := &provenEntry{
		Entry:   sim.Entry{Index: 7, Event: &protocol.Event{Type: "t.v1", Subject: attack, Source: attack, ID: attack, Data: []byte(`"` + attack + `"`)}},
		receipt: &proof.Receipt{Entry: &proof.EntryProof{}}, statement: proof.Statement{Entry: &proof.EntryStatement{}},
	}
	e.Kind = protocol.EntryEmitted
	step := whyStep{Index: 7, Words: w.words(e), Reproduced: &no, Data: e.Event.Data, Proof: whyProof{Receipt: []byte(`{"a":"</script>"}`)}}
	step.Title, step.Facts, step.Happened = w.facts(e)
	w.Steps = []whyStep{step}
	w.Values = []whyValue{{Name: w.keyWords(sim.ValueKey(protocol.Address{}, attack)), Value: []byte(attack), Writers: []whyWriter{{whyStep: step, Short: w.short(e)}}}}
	return w
}

// What producers wrote neither runs in a browser nor commands a terminal, and
// an outcome that does not reproduce says so.
func TestReportOfAHostileEvent(t *testing.T) {
	w := hostile()
	page, err := w.html()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); strings.Contains(text, "<script") || !strings.Contains(text, "The outcome does not reproduce") || !strings.Contains(text, "not the same entry") {
		t.Errorf("the report: %s", text)
	}
	var out strings.Builder
	w.tree(&out)
	if text := out.String(); strings.ContainsAny(text, "\x1b\u202e") || !strings.Contains(text, "NOT THE SAME") {
		t.Errorf("the tree: %q", text)
	}
}

func TestChangesInWords(t *testing.T) {
	contract := protocol.Address{1, 2, 3}
	names := map[protocol.Address]string{contract: "parking"}
	value := func(b string) *rest.Value { return &rest.Value{Bytes: []byte(b), Size: len(b)} }
	for _, c := range []struct {
		change rest.Change
		want   string
	}{
		{rest.Change{Key: sim.ValueKey(contract, "\x01pNorthA"), After: value("open")}, "value parking p/NorthA: - -> open"},
		{rest.Change{Key: protocol.BalanceKey(contract, "EURO"), Before: value("\x00\x00\x00\x00\x00\x00\x04\xd2")}, "balance  " + contract.String() + " EURO: 1234 -> -"},
		{rest.Change{Key: sim.ModuleKey(protocol.Hash{7}), After: &rest.Value{Size: 30_000}}, "module  07" + strings.Repeat("00", 31) + ": - -> 30000 bytes, SHA-256 0000000000000000"},
	} {
		got, of := inWords(c.change, names)
		if text := fmt.Sprintf("%s %s %s: %s -> %s", got.Kind, got.Contract, got.Name, orDash(got.Before), orDash(got.After)); text != c.want {
			t.Errorf("%s, want %s", text, c.want)
		}
		if (of == contract) != (got.Contract != "") {
			t.Errorf("%s is of %s", c.want, of)
		}
	}
}

func orDash(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}
