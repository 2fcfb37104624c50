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
