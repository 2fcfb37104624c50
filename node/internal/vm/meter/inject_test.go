package meter

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// TestOutputIsPinned notices any change of what the metering writes, even one
// that no handler of the tests runs into. Such a change takes a new Version.
func TestOutputIsPinned(t *testing.T) {
	want := map[string]string{
		"ewma":    "4dfbc06316d7b3b9",
		"hostile": "6d5f1a8d02a58eae",
		"kernels": "ad5801c0174f7d78",
	}
	l := module.Contract()
	for name, digest := range want {
		code, err := os.ReadFile(filepath.Join("..", "testdata", name+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := module.Parse(code, &l)
		if err != nil {
			t.Fatal(err)
		}
		out, err := Inject(m, &l, Options{MemoryPages: 64})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(out)
		if got := hex.EncodeToString(sum[:8]); got != digest {
			t.Errorf("%s: metered to %s, pinned %s (version %d)", name, got, digest, Version)
		}
		again, err := module.Parse(out, &l)
		if err != nil || len(again.Globals) != len(m.Globals)+2 {
			t.Errorf("%s: the output does not parse: %v", name, err)
		}
	}
}

// costsOf runs segments over one body of type () -> ().
func costsOf(t *testing.T, code string) map[int]int64 {
	t.Helper()
	l := module.Contract()
	all, err := segments(&module.Body{Code: []byte(code)}, &l)
	if err != nil {
		t.Fatal(err)
	}
	costs := map[int]int64{}
	for _, s := range all {
		if s.cost > 0 {
			costs[s.at] += s.cost
		}
	}
	return costs
}

func TestSegments(t *testing.T) {
	const cheap = "\x41\x01\x1a"            // 1 gas, 3 bytes
	const dear = "\x41\x01\x41\x01\x6d\x1a" // 14 gas, 6 bytes
	cases := []struct {
		name, code string
		want       map[int]int64
	}{
		{"empty", "\x0b", map[int]int64{}},
		{"straight", cheap + cheap + "\x0b", map[int]int64{0: 2}},
		{"small branch is paid in advance", "\x41\x01\x04\x40" + cheap + "\x0b" + cheap + "\x0b", map[int]int64{0: 4}},
		{"large branch pays for itself", "\x41\x01\x04\x40" + dear + dear + "\x0b" + cheap + "\x0b", map[int]int64{0: 3, 4: 28}},
		{"both arms", "\x41\x01\x04\x40" + dear + dear + "\x05" + dear + dear + "\x0b\x0b", map[int]int64{0: 2, 4: 28, 17: 28}},
		{"loop pays on every pass", cheap + "\x03\x40" + cheap + "\x41\x01\x0d\x00\x0b" + cheap + "\x0b", map[int]int64{0: 2, 5: 3}},
		{"what follows a loop is not the loop's", "\x03\x40\x41\x01\x0d\x00\x0b" + dear + dear + "\x0b", map[int]int64{2: 2, 7: 28}},
		{"after an early exit", "\x02\x40\x41\x01\x0d\x00" + dear + dear + "\x0b\x0b", map[int]int64{0: 2, 6: 28}},
		{"inner loop", "\x03\x40" + cheap + "\x03\x40\x41\x01\x0d\x00\x0b\x41\x01\x0d\x00\x0b\x0b", map[int]int64{2: 3, 7: 2}},
		{"loop that only jumps", "\x03\x40\x0c\x00\x0b\x0b", map[int]int64{2: 1}},
		{"branch inside a loop", "\x03\x40\x41\x01\x04\x40" + cheap + "\x0c\x01\x0b\x0b\x0b", map[int]int64{2: 4}},
	}
	for _, c := range cases {
		got := costsOf(t, c.code)
		same := len(got) == len(c.want)
		for at, cost := range c.want {
			same = same && got[at] == cost
		}
		if !same {
			t.Errorf("%s: charges %v, want %v", c.name, got, c.want)
		}
	}
}

// TestNothingIsFree checks the cost table against the loops that matter: any
// way back to a loop's head costs at least one gas.
func TestNothingIsFree(t *testing.T) {
	for _, op := range []uint16{module.OpBr, module.OpBrIf, module.OpBrTable, module.OpCall, module.OpCallIndirect} {
		if opCost(op) < 1 {
			t.Errorf("instruction 0x%02x is free", op)
		}
	}
	for op := uint16(0x45); op <= module.OpI64Extend32S; op++ {
		if opCost(op) < 1 {
			t.Errorf("instruction 0x%02x is free", op)
		}
	}
}
