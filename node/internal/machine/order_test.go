package machine

import (
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// A block has two deployments at most, since each may keep every validator's
// compiler busy; a proposer leaves the others for later, and a validator
// refuses a proposer that does not.
func TestABlockHasLittleCode(t *testing.T) {
	l := newLedger(t)
	var txs [][]byte
	for i := range 5 {
		var body protocol.Body = &protocol.Deploy{Code: []byte{0}, Manifest: []byte(`{}`)}
		if i == 2 {
			body = &protocol.Upgrade{Deploy: protocol.Deploy{Code: []byte{0}, Manifest: []byte(`{}`)}}
		} else if i == 3 {
			body = &protocol.Call{Method: "x"}
		}
		raw, err := protocol.SignTx(testChain, l.keys["author"], 100, uint64(i), body)
		if err != nil {
			t.Fatal(err)
		}
		txs = append(txs, raw)
	}
	ordered := l.machine.Order(txs, 1<<20)
	if len(ordered) != maxCodeTxs+1 || string(ordered[maxCodeTxs]) != string(txs[3]) {
		t.Errorf("a proposal of %d transactions", len(ordered))
	}
	if err := l.machine.Valid(ordered); err != nil {
		t.Error(err)
	}
	if err := l.machine.Valid(txs[:3]); err == nil {
		t.Error("a block with three deployments is valid")
	}
}
