package protocol

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/klauspost/compress/zstd"
)

const testChain = "cairn-test"

func testKey(t testing.TB, n byte) PrivateKey {
	t.Helper()
	return testSecret(n)
}

func testRecords(n int) [][]byte {
	records := make([][]byte, n)
	for i := range records {
		e := Event{ID: fmt.Sprint(i), Source: "/test", Type: "test.reading.v1", DataForm: DataJSON, Data: fmt.Appendf(nil, `{"n":%d}`, i)}
		records[i] = e.AppendRecord(nil)
	}
	return records
}

func testBodies() []Body {
	return []Body{
		&Batch{Stream: "meter-7", First: 40, Skip: 3, Seed: [32]byte{1, 2, 3}, Records: testRecords(5)},
		&Deploy{Code: []byte("\x00asm"), Manifest: []byte(`{"name":"x"}`), Args: []byte(`{}`)},
		&Call{Contract: Address{9}, Method: "close", Args: []byte(`{"week":"2016-W40"}`)},
		&Upgrade{Contract: Address{9}, Deploy: Deploy{Code: []byte("\x00asm"), Manifest: []byte(`{"name":"x"}`), Args: []byte{}}},
		&Control{Contract: Address{9}, Action: ActionRedeliver, Index: 7},
		NewRotate(testChain, Address{7}, testSecret(8), 120),
		&Revoke{},
		&CreateMultisig{Name: "treasury", Multisig: testMembers()},
		&ChangeMultisig{testMembers()},
		&ProposeAct{Account: Address{5}, Expiry: 300, Body: &Control{Contract: Address{9}, Action: ActionPause}},
		&ApproveAct{Act: 12},
		&Propose{Title: "a fifth validator", Expiry: 400, Actions: []GovAction{{Kind: GovValidator, Validator: ValidatorKey{5}, Power: 10, Name: "harbour"}, {Kind: GovHalt}}},
		&Vote{Proposal: 12, Yes: true},
		&Withdraw{Proposal: 12},
		&Raise{Entry: 4, Text: "the meter was replaced the day before"},
		&Resolve{Dispute: 13, Ruling: RulingUpheld, Text: "the replacement is entry 3"},
		&Erase{Reason: ReasonRequest, Stream: "meter-7", First: 40, Count: 3},
		&Erase{Reason: ReasonOrder, First: 1 << 40, Count: 1},
	}
}

func testSecret(n byte) PrivateKey {
	key, err := PrivateKeyFromBytes(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		panic(err)
	}
	return key
}

func testMembers() Multisig {
	return Multisig{Threshold: 2, Members: []Address{{1}, {2}, {3}}}
}

func TestTransactionsRoundTrip(t *testing.T) {
	key := testKey(t, 7)
	for _, body := range testBodies() {
		raw, err := SignTx(testChain, key, 99, 5, body)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := DecodeTx(testChain, raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.VerifySignature(); err != nil {
			t.Fatal(err)
		}
		if tx.Sender() != key.Address() || tx.Expiry != 99 || tx.Nonce != 5 {
			t.Fatalf("%+v", tx)
		}
		if id, err := TxID(testChain, raw); err != nil || id != tx.ID {
			t.Fatalf("%v %v", id, err)
		}
		again, err := SignTx(testChain, key, tx.Expiry, tx.Nonce, tx.Body)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("second encoding differs: %v", err)
		}
		if _, err := DecodeTx("another-chain", raw); !hasCode(err, CodeWrongChain) {
			t.Fatalf("another chain accepted it: %v", err)
		}
	}
}

func hasCode(err error, want Code) bool {
	code, ok := CodeOf(err)
	return ok && code == want
}

// Every bit of a transaction is either refused or breaks the signature.
func TestEveryFlippedBitOfATransactionIsRefused(t *testing.T) {
	for _, body := range testBodies() {
		raw, err := SignTx(testChain, testKey(t, 7), 99, 5, body)
		if err != nil {
			t.Fatal(err)
		}
		for bit := range len(raw) * 8 {
			flipped := bytes.Clone(raw)
			flipped[bit/8] ^= 1 << (bit % 8)
			tx, err := DecodeTx(testChain, flipped)
			if err == nil {
				err = tx.VerifySignature()
			}
			if code, ok := CodeOf(err); err == nil || !ok {
				t.Fatalf("bit %d: %v (code %s)", bit, err, code)
			}
		}
	}
}

func TestHighSSignatureIsRefused(t *testing.T) {
	raw, err := SignTx(testChain, testKey(t, 7), 9, 0, testBodies()[2])
	if err != nil {
		t.Fatal(err)
	}
	tx, err := DecodeTx(testChain, raw)
	if err != nil {
		t.Fatal(err)
	}
	// n - s is the other S of the same signature.
	order := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
		0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41}
	borrow := 0
	for i := 31; i >= 0; i-- {
		d := int(order[i]) - int(tx.Signature[32+i]) - borrow
		borrow = 0
		if d < 0 {
			d, borrow = d+256, 1
		}
		tx.Signature[32+i] = byte(d)
	}
	if err := tx.VerifySignature(); !hasCode(err, CodeBadSignature) {
		t.Fatalf("high S accepted: %v", err)
	}
}

func TestBatchRefusals(t *testing.T) {
	good := func() *Batch { return &Batch{Stream: "s", Records: testRecords(2)} }
	bomb := good()
	bomb.Compressed, bomb.RawBytes = zstdEncoder().EncodeAll(make([]byte, MaxBatchRawBytes*4), nil), 100
	long, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	wrongSize := good()
	wrongSize.Compressed, wrongSize.RawBytes = long.EncodeAll(joinRecords(wrongSize.Records), nil), 10
	bad := good()
	bad.Records[1] = []byte("not a record")
	short := good()
	short.Stream = ""
	cases := []struct {
		name  string
		batch *Batch
		code  Code
	}{
		{"inflates without end", bomb, CodeInflation},
		{"inflates to another size", wrongSize, CodeInflation},
		{"holds a bad record", bad, CodeEventMalformed},
		{"has no stream", short, CodeMalformed},
		{"has a bad stream name", &Batch{Stream: "A b", Records: testRecords(1)}, CodeMalformed},
		{"is empty", &Batch{Stream: "s"}, CodeBatchEmpty},
		{"skips more than there is", &Batch{Stream: "s", First: 2, Skip: 3, Records: testRecords(1)}, CodeMalformed},
		{"is too long", &Batch{Stream: "s", Records: testRecords(MaxBatchEvents + 1)}, CodeTooLarge},
		{"has a sequence over the limit", &Batch{Stream: "s", First: MaxSequence + 1, Records: testRecords(1)}, CodeMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			raw, err := SignTx(testChain, testKey(t, 7), 9, 0, c.batch)
			if err == nil {
				_, err = DecodeTx(testChain, raw)
			}
			if !hasCode(err, c.code) {
				t.Fatalf("got %v, want %s", err, c.code)
			}
		})
	}
}

func FuzzTx(f *testing.F) {
	for _, body := range testBodies() {
		raw, err := SignTx(testChain, testKey(f, 7), 99, 5, body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := DecodeTx(testChain, raw)
		if err != nil {
			if _, coded := CodeOf(err); !coded {
				t.Fatalf("refusal without a code: %v", err)
			}
			return
		}
		out := append([]byte(nil), raw[:txHeadBytes]...)
		out, err = tx.Body.appendBody(out)
		if err != nil || !bytes.Equal(append(out, tx.Signature[:]...), raw) {
			t.Fatalf("accepted a second encoding: %v", err)
		}
	})
}

func BenchmarkDecodeBatch(b *testing.B) {
	e, err := ParseEventJSON([]byte(reading))
	if err != nil {
		b.Fatal(err)
	}
	batch := &Batch{Stream: "s"}
	for i := range 1000 {
		e.ID = fmt.Sprintf("BHMBCCMKT01@%d", i)
		batch.Records = append(batch.Records, e.AppendRecord(nil))
	}
	raw, err := SignTx(testChain, testKey(b, 7), 9, 0, batch)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(raw))/1000, "B/event")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeTx(testChain, raw); err != nil {
			b.Fatal(err)
		}
	}
}
