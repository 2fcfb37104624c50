package vm

import (
	"context"
	"reflect"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// FuzzEngines feeds mutated modules to both engines: what one refuses the
// other refuses, and what both load comes to the same result, gas and state.
func FuzzEngines(f *testing.F) {
	for _, name := range []string{"hostile", "ewma", "kernels"} {
		f.Add(fixture(f, name), uint8(0))
		f.Add(fixture(f, name), uint8(38))
	}
	f.Fuzz(func(t *testing.T, code []byte, handler uint8) {
		ctx := context.Background()
		var outcomes [2]Result
		var hosts [2]*ledger
		for i, interpreter := range []bool{false, true} {
			e, err := New(ctx, Config{Interpreter: interpreter})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			checkErr := e.Check(code)
			p, err := e.Load(code)
			if checkErr != nil || err != nil {
				// Load may refuse more: a start that fails, segments out of bounds.
				if c, ok := protocol.CodeOf(err); err == nil || !ok || c != protocol.CodeContractInvalid {
					t.Fatalf("check: %v, load: %v", checkErr, err)
				}
				outcomes[i].Code = protocol.CodeContractInvalid
				continue
			}
			hosts[i] = newLedger()
			entry := Entrypoint{Kind: Event, Handler: uint32(handler)}
			if outcomes[i], err = p.Run(ctx, entry, testEnv, eventRecord("a", 200_000), 300_000, hosts[i]); err != nil {
				t.Fatal(err)
			}
			outcomes[i].Log = nil
		}
		if !reflect.DeepEqual(outcomes[0], outcomes[1]) || !reflect.DeepEqual(hosts[0], hosts[1]) {
			t.Fatalf("compiler %+v, interpreter %+v", outcomes[0], outcomes[1])
		}
	})
}
