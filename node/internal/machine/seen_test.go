package machine

import (
	"bytes"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// What is remembered of a transaction answers for its very bytes, and until it
// is executed.
func TestACheckIsRememberedForTheSameBytesUntilExecution(t *testing.T) {
	l := newLedger(t)
	one, other := l.sign("producer", readings(0, 1)), l.sign("producer", readings(1, 1))
	first, err := l.machine.check(one)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := l.machine.check(bytes.Clone(one)); err != nil || again != first {
		t.Fatalf("checked twice: %v", err)
	}
	moved := bytes.Clone(other) // another request under a signature that is known to be good
	copy(moved[len(moved)-protocol.SignatureBytes:], one[len(one)-protocol.SignatureBytes:])
	unsigned := bytes.Clone(one) // a known request under another signature
	copy(unsigned[len(unsigned)-protocol.SignatureBytes:], other[len(other)-protocol.SignatureBytes:])
	for _, raw := range [][]byte{moved, unsigned, one[1:], one[len(one)-protocol.SignatureBytes:], one[:10], nil} {
		if c, err := l.machine.check(raw); err == nil {
			t.Fatalf("%d bytes passed as transaction %s", len(raw), c.ID)
		}
	}
	kept := bytes.Clone(one)
	one[20] ^= 1 // the caller's own: what is remembered must not change with it
	if c, err := l.machine.check(one); err == nil {
		t.Fatalf("changed bytes passed as transaction %s", c.ID)
	}
	if out := l.block(kept, other).Outcomes; out[0].Code != protocol.CodeOK || out[1].Code != protocol.CodeOK {
		t.Fatal(out)
	}
	if seen := l.machine.seen; len(seen.young)+len(seen.old)+seen.bytes != 0 {
		t.Fatalf("%d and %d transactions of %d bytes are remembered after they were executed", len(seen.young), len(seen.old), seen.bytes)
	}
}

// The memory of what waits is bounded: the newest half is always there.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	l := newLedger(t)
	l.machine.seen = newCache(20 * (checkedOverhead + 1_000))
	var raws [][]byte
	for i := range uint64(60) {
		raws = append(raws, l.sign("producer", readings(i, 1)))
		if _, err := l.machine.check(raws[i]); err != nil {
			t.Fatal(err)
		}
	}
	seen := l.machine.seen
	if n := len(seen.young) + len(seen.old); n < 10 || n > 40 || seen.bytes > seen.limit/2 {
		t.Fatalf("%d transactions are remembered, %d bytes of them in the young half of %d", n, seen.bytes, seen.limit)
	}
	for _, raw := range raws[50:] {
		if seen.get(raw) == nil {
			t.Fatal("one of the newest was forgotten")
		}
	}
}

// What many were checked together comes to what each comes to alone.
func TestPrepareChangesNoAnswer(t *testing.T) {
	together, alone := newLedger(t), newLedger(t)
	var raws [][]byte
	for i := range uint64(3 * checkedTogether) {
		raw := together.sign("producer", readings(i, 1+int(i%3)))
		switch i % 7 {
		case 1: // another signature, in form
			raw[len(raw)-10] ^= 1
		case 2: // no signature
			raw = append(raw[:len(raw)-protocol.SignatureBytes], make([]byte, protocol.SignatureBytes)...)
		case 3: // another body
			raw[len(raw)-protocol.SignatureBytes-1] ^= 1
		case 4:
			raw = raw[:i]
		}
		raws = append(raws, raw, bytes.Clone(raw))
	}
	together.machine.Prepare(raws)
	if len(together.machine.seen.young) == 0 || len(alone.machine.seen.young) != 0 {
		t.Fatal("nothing was prepared")
	}
	_, blockErrs := alone.machine.checkAll(raws) // a validator that sees them first in a block
	alone = newLedger(t)
	for i, raw := range raws {
		prepared, err := together.machine.check(raw)
		single, want := alone.machine.check(raw)
		got, _ := protocol.CodeOf(err)
		if code, _ := protocol.CodeOf(want); code != got || (prepared == nil) != (single == nil) {
			t.Fatalf("transaction %d: %v together, %v alone", i, err, want)
		} else if inBlock, _ := protocol.CodeOf(blockErrs[i]); inBlock != code {
			t.Fatalf("transaction %d: %v in a block, %v alone", i, blockErrs[i], want)
		}
		if prepared != nil && prepared.ID != single.ID {
			t.Fatalf("transaction %d is %s together, %s alone", i, prepared.ID, single.ID)
		}
	}
}
