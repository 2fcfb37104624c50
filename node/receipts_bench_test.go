package node

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

var (
	receiptEntries = flag.Int("receipt-entries", 1_000_000, "entries of the log in BenchmarkProduceReceipt")
	receiptBatch   = flag.Int("receipt-batch", 100, "events of a batch in BenchmarkProduceReceipt: the payload is inflated with them")
)

// What a receipt costs a node, anywhere in a long log on disk: the entry, its
// payload, the proof, and the receipt's octets. What receipts of a block share
// is there, and nobody asks over a network. Of the payloads each batch has the
// same, which is nothing to the store. By hand:
//
//	go test ./node -run NONE -bench ProduceReceipt -args -receipt-entries 10000000
func BenchmarkProduceReceipt(b *testing.B) {
	s, err := store.Open(b.TempDir(), store.Options{ChainID: "bench", KeepVersions: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	p := fillForReceipts(b, s, *receiptEntries, *receiptBatch)
	backend := &backend{store: s, genesis: &genesis.Document{ChainID: "bench"}}
	random := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		index := random.Uint64N(p.head.LogSize)
		entry, err := backend.entryAt(index)
		if err != nil {
			b.Fatal(err)
		}
		receipt, err := backend.receipt(p, index, entry)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := receipt.MarshalBinary(); err != nil {
			b.Fatal(err)
		}
	}
}

// fillForReceipts makes blocks of 50,000 events in batches, without executing
// them, and what receipts of the last one share.
func fillForReceipts(b *testing.B, s *store.Store, entries, batch int) *proven {
	var records [][]byte
	for i := range batch {
		e := protocol.Event{ID: fmt.Sprint(i), Source: "/parking/bench", Type: "parking.occupancy.v1", Subject: fmt.Sprintf("lot-%d", i%50),
			DataForm: protocol.DataJSON, Data: fmt.Appendf(nil, `{"occupied":%d,"capacity":500,"batteryMv":3111,"signalDbm":-71}`, i*7919%501)}
		records = append(records, e.AppendRecord(nil))
	}
	frame, raw, err := protocol.DeflateRecords(records)
	if err != nil {
		b.Fatal(err)
	}
	entry := protocol.Entry{Kind: protocol.EntryEvent, Cause: protocol.NoCause}
	for s.Head().LogSize < uint64(entries) {
		block := s.Begin(s.Head().Height+1, 0)
		block.SetParams([]byte("params"))
		entry.Height = s.Head().Height + 1
		for range max(1, min(50_000, entries)/batch) {
			first := block.LogSize()
			bundle := append([]byte{1}, make([]byte, 32)...) // of a batch, its seed
			for _, n := range [...]uint64{first, 0, 0, uint64(batch), uint64(raw)} {
				bundle = binary.AppendUvarint(bundle, n)
			}
			for i := range batch {
				entry.Sequence = first + uint64(i)
				entry.Commitment = protocol.Commitment(protocol.EventBlind([32]byte{}, entry.Sequence), records[i])
				block.Append(entry.AppendBinary(nil))
			}
			block.PutBundle(first, uint32(batch), append(bundle, frame...))
		}
		if _, err := block.Seal(); err != nil {
			b.Fatal(err)
		}
		if err := block.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	head := s.Head()
	p := &proven{head: head, leaves: proof.MapLeaves(proof.AppEntries(head.LogSize, head.LogRoot, head.Params, head.StateRoot)...)}
	p.commit = proof.Commit{Height: head.Height + 1, Parts: proof.PartSet{Total: 1}, Signatures: []proof.Signature{{Validator: 0}, {Validator: 1}, {Validator: 2}}}
	return p
}
