package seal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

const testData = `{"kwh":12.50,"meter":"m-7","name":"A. \u00e9 <b>","at":[1, 2],"note":null}`

func testEvent() protocol.Event {
	return protocol.Event{
		ID: "m-7@2024-05-01", Source: "/meters/north", Type: "meter.reading.v1", Subject: "m-7", TimeNs: 1_714_521_600_000_000_000, HasTime: true,
		DataContentType: "application/json", DataForm: protocol.DataJSON, Data: []byte(testData),
	}
}

func testKey(n byte) Key { return sha256.Sum256([]byte{n}) }

func testHash(name string) protocol.Hash { return sha256.Sum256([]byte("seal test " + name)) }

// receiptOf is the receipt of an event that is alone in a log, and what it is
// verified with: one validator's signature.
func receiptOf(t testing.TB, e protocol.Event) (*proof.Receipt, *proof.Trust) {
	t.Helper()
	const chain = "cairn-vectors"
	secret := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	anchor, err := proof.NewAnchor(chain, []proof.Validator{{PubKey: proof.ValidatorKey(secret.Public().(ed25519.PublicKey)), Power: 10}})
	if err != nil {
		t.Fatal(err)
	}
	p := &proof.EntryProof{LogSize: 1, Blind: protocol.EventBlind([32]byte{1}, 0), Payload: e.AppendRecord(nil)}
	p.Entry = protocol.Entry{
		Kind: protocol.EntryEvent, Height: 1, TimeMs: 1_714_521_601_000, Origin: protocol.Address{7}, Stream: protocol.NewStreamID(protocol.Address{7}, "meters"),
		Cause: protocol.NoCause, Type: protocol.NewTypeHash(e.Type), Commitment: protocol.Commitment(p.Blind, p.Payload),
	}
	root := proof.LeafHash(p.Entry.AppendBinary(nil))
	params, state := []byte("{}"), testHash("state")
	leaves := proof.MapLeaves(proof.AppEntries(1, root, params, state)...)
	p.Params, p.State = leaves[1], leaves[2]
	r := &proof.Receipt{ChainID: chain, Entry: p, Header: proof.Header{
		TimeNs: 1_714_521_602_000_000_000, Version: testHash("version"), Blocks: testHash("blocks"), Next: testHash("next"), Results: testHash("results"), Tail: testHash("tail"),
	}}
	r.Commit = proof.Commit{Height: 2, Parts: proof.PartSet{Total: 1, Hash: testHash("parts")}}
	block := r.Header.BlockHash(chain, 2, proof.AppHash(1, root, params, state))
	vote := proof.VoteBytes(chain, 2, 0, block, r.Commit.Parts, r.Header.TimeNs)
	r.Commit.Signatures = []proof.Signature{{TimeNs: r.Header.TimeNs, Bytes: [64]byte(ed25519.Sign(secret, vote))}}
	trust := proof.NewTrust(anchor, 0, time.Time{})
	if _, err := r.VerifyWith(trust); err != nil {
		t.Fatal(err)
	}
	return r, trust
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func equal(a, b protocol.Event) bool {
	return fmt.Sprintf("%x", a.AppendRecord(nil)) == fmt.Sprintf("%x", b.AppendRecord(nil))
}
