package api

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// The SDK and the server agree on every path, over a real connection.
func TestClientReadsEveryAnswer(t *testing.T) {
	b := newStub(t)
	_, address := serve(t, b, Config{})
	c, err := client.New(client.Config{Nodes: []string{"http://" + address}, ChainID: "cairn-stub"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	check := func(what string, ok bool, err error) {
		t.Helper()
		if err != nil || !ok {
			t.Errorf("%s: ok %v, %v", what, ok, err)
		}
	}
	head, err := c.Head(ctx)
	check("head", head.Height == stubHeight && head.LogSize == stubSize, err)
	genesis, err := c.Genesis(ctx)
	check("genesis", bytes.Equal(genesis, b.Genesis()), err)
	id, err := c.Submit(ctx, tx)
	want, _ := protocol.TxID("cairn-stub", tx)
	check("submit", id == want, err)
	status, err := c.Status(ctx, protocol.Hash{}, 1)
	check("status", status.State == rest.StateCommitted && status.Height == 3, err)
	entry, err := c.Entry(ctx, 0)
	check("entry", entry.Event != nil && string(entry.Event.Data) == `{"a": "<1>"}`, err)
	entry, err = c.Entry(ctx, 4)
	check("entry of a gap", entry.Kind == protocol.EntryGap && entry.Act != nil, err)
	entry, err = c.FindEvent(ctx, stubProducer, "/s", "1")
	check("event by identity", entry.Index == 0 && entry.Event.ID == "1", err)
	stream, err := c.Stream(ctx, stubProducer, "meters")
	check("stream", stream.Next == stubSize && stream.Producer == stubProducer, err)
	entries, err := c.StreamEntries(ctx, stubProducer, "meters", 2, 2)
	check("stream entries", len(entries) == 2 && entries[0].Sequence == 2, err)
	contracts, err := c.Contracts(ctx)
	check("contracts", len(contracts) == 0, err)
	contract, ok, err := c.Contract(ctx, "parking")
	check("contract", ok && contract.Name == "parking", err)
	_, ok, err = c.Contract(ctx, "none of/them")
	check("no contract", !ok, err)
	answer, err := c.QueryAt(ctx, "parking", "price", 3, map[string]string{"lot": "A & B", "band": "1"})
	check("query", string(answer) == `{"height":3,"json":"","text":{"band":"1","lot":"A \u0026 B"}}`, err)
	letters, err := c.DeadLetters(ctx, "parking", 0, 10)
	check("dead letters", len(letters) == 0, err)

	index := b.receipt.Entry.Index
	if index >= stubSize {
		t.Fatalf("the stub has no entry %d", index)
	}
	receipt, err := c.Receipt(ctx, index)
	check("receipt", err == nil && receipt.ChainID == b.receipt.ChainID, err)
	if _, err := c.Receipt(ctx, index+1); err == nil {
		t.Error("the receipt of another entry was taken")
	}
	if _, err := c.StateReceipt(ctx, []byte{1}, 0); err == nil {
		t.Error("the receipt of an entry was taken as one of state")
	}
	_, err = c.Entry(ctx, stubSize)
	var refusal *client.Refusal
	if !errors.As(err, &refusal) || refusal.Status != 404 || refusal.Code != protocol.CodeNotFound || refusal.Message == "" {
		t.Errorf("a refusal: %v", err)
	}
}
