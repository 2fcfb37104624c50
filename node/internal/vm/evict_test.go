package vm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// variant is a module with a custom section of its own, which changes nothing.
func variant(code []byte, n int) []byte {
	section := append([]byte{0, 6, 1, 'v'}, binary.BigEndian.AppendUint32(nil, uint32(n))...)
	return append(append([]byte{}, code...), section...)
}

// However many modules were loaded, few are kept; one that somebody has still
// runs, and one that is loaded again comes to the same.
func TestProgramsAreForgotten(t *testing.T) {
	e, err := New(context.Background(), Config{Interpreter: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	code := parkingFile(t, "parking.wasm")
	load := func(n int) *Program {
		t.Helper()
		p, err := e.Load(variant(code, n))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	gas := func(p *Program) uint64 {
		t.Helper()
		r, err := p.Run(context.Background(), Entrypoint{Kind: Query, Handler: 2}, testEnv, make([]byte, 36), testGas, newLedger())
		if err != nil || r.Code != protocol.CodeOK {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.GasUsed
	}
	first := load(0)
	want := gas(first)
	for n := range maxPrograms + 20 {
		load(n + 1)
		if n%64 == 0 {
			runtime.GC()
		}
	}
	if len(e.programs) != maxPrograms || e.Cached(sha256.Sum256(variant(code, 0))) != nil {
		t.Errorf("%d programs are kept, the first one among them: %v", len(e.programs), e.Cached(sha256.Sum256(variant(code, 0))) != nil)
	}
	if got := gas(first); got != want {
		t.Errorf("a forgotten program that somebody has takes %d gas, it took %d", got, want)
	}
	if again := load(0); again == first || gas(again) != want {
		t.Error("loaded again, it is the same or another one")
	}
	runtime.KeepAlive(first)
}
