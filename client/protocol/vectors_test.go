package protocol

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

const vectorsDir = "../../docs/vectors"

// checkVectors holds computed values to the published file, or rewrites it.
func checkVectors(t *testing.T, file string, computed any) {
	t.Helper()
	path := filepath.Join(vectorsDir, file)
	text, err := json.MarshalIndent(computed, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *rewrite {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	published, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, text) {
		t.Fatalf("%s differs from what the code computes; a format change edits specification, vectors and code in one commit", path)
	}
}

func TestEventVectors(t *testing.T) {
	type vector struct {
		Name       string   `json:"name"`
		JSON       string   `json:"json"`
		Record     string   `json:"record"`
		TypeHash   TypeHash `json:"typeHash"`
		Blind      Blind    `json:"blind"`
		Commitment Hash     `json:"commitment"`
	}
	var vectors []vector
	for i, c := range accepted {
		e, err := ParseEventJSON([]byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		record, blind := e.AppendRecord(nil), EventBlind([32]byte{1}, uint64(i))
		vectors = append(vectors, vector{c.name, c.in, hex.EncodeToString(record), NewTypeHash(e.Type), blind, Commitment(blind, record)})
	}
	checkVectors(t, "event.json", vectors)
}

func TestTransactionVectors(t *testing.T) {
	type vector struct {
		ChainID   string  `json:"chainId"`
		Secret    string  `json:"secretKey"`
		Address   Address `json:"address"`
		ID        Hash    `json:"id"`
		Encoded   string  `json:"transaction"`
		Signature string  `json:"signature"`
	}
	key := testKey(t, 7)
	var vectors []vector
	for _, body := range testBodies() {
		if b, ok := body.(*Batch); ok {
			// The published frame: another zstd encoder may write another one.
			b.Compressed, b.RawBytes = rawZstdFrame(joinRecords(b.Records)), len(joinRecords(b.Records))
		}
		raw, err := SignTx(testChain, key, 99, 5, body)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := DecodeTx(testChain, raw)
		if err != nil {
			t.Fatal(err)
		}
		vectors = append(vectors, vector{
			ChainID: testChain, Secret: hex.EncodeToString(key.Bytes()), Address: key.Address(), ID: tx.ID,
			Encoded: hex.EncodeToString(raw), Signature: hex.EncodeToString(tx.Signature[:]),
		})
	}
	checkVectors(t, "transaction.json", vectors)
}

// rawZstdFrame writes RFC 8878 by hand: single segment, one raw block of at
// most 255 bytes. It keeps the vectors independent of any encoder's choices.
func rawZstdFrame(content []byte) []byte {
	size := len(content)
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, byte(size)}
	block := 1 | size<<3 // last block, raw
	frame = append(frame, byte(block), byte(block>>8), byte(block>>16))
	return append(frame, content...)
}

func TestEntryVectors(t *testing.T) {
	type vector struct {
		Kind       EntryKind `json:"kind"`
		Height     uint64    `json:"height"`
		TimeMs     uint64    `json:"timeMs"`
		Origin     Address   `json:"origin"`
		Stream     StreamID  `json:"stream"`
		Sequence   uint64    `json:"sequence"`
		Cause      uint64    `json:"cause,string"`
		Type       TypeHash  `json:"type"`
		Commitment Hash      `json:"commitment"`
		Encoded    string    `json:"entry"`
		Leaf       Hash      `json:"leafHash"`
	}
	var vectors []vector
	for kind := EntryEvent; kind <= EntryDispute; kind++ {
		n := byte(kind)
		e := Entry{Kind: kind, Height: 10 + uint64(n), TimeMs: 1_475_567_982_000, Origin: Address{n}, Stream: StreamID{n}, Sequence: uint64(n), Cause: NoCause, Type: TypeHash{n}, Commitment: Hash{n}}
		if kind > EntryEvent {
			e.Cause = 0
		}
		b := e.AppendBinary(nil)
		vectors = append(vectors, vector{e.Kind, e.Height, e.TimeMs, e.Origin, e.Stream, e.Sequence, e.Cause, e.Type, e.Commitment, hex.EncodeToString(b), LeafHash(b)})
	}
	checkVectors(t, "entry.json", vectors)
}
