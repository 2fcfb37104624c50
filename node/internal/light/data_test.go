package light

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// decided is a block of CometBFT's types as an auditor gets it.
func decided(t *testing.T, s source, n network, txs types.Txs) (proof.Decided, proof.Anchor, *types.Header) {
	t.Helper()
	header := s.header("cairn-diff", s.bytes(32))
	header.DataHash = txs.Hash()
	anchor, err := Anchor(header.ChainID, n.set)
	if err != nil {
		t.Fatal(err)
	}
	d := proof.Decided{ChainID: header.ChainID, AppHash: protocol.Hash(header.AppHash)}
	if d.Header, d.Commit, err = Evidence(anchor, header, n.commit(t, s, header)); err != nil {
		t.Fatal(err)
	}
	d.Header.Blocks = protocol.Hash{}
	if d.Last, d.Validators, err = BesideData(header); err != nil {
		t.Fatal(err)
	}
	for _, tx := range txs {
		d.Txs = append(d.Txs, tx)
	}
	return d, anchor, header
}

// Blocks of CometBFT's types verify, also after a way through JSON, and lead to
// CometBFT's own hashes; one changed octet anywhere is refused.
func TestDecidedBlocks(t *testing.T) {
	for seed := range uint64(60) {
		s := newSource(seed)
		var txs types.Txs
		for range s.IntN(9) {
			txs = append(txs, s.bytes(1+s.IntN(300)))
		}
		d, anchor, header := decided(t, s, s.network(1+s.IntN(6)), txs)
		if want := header.DataHash; proof.TxsHash(d.Txs) != protocol.Hash(want) {
			t.Fatalf("seed %d: hash of %d transactions", seed, len(txs))
		}
		statement, err := d.Verify(anchor)
		if err != nil || statement.BlockHash != protocol.Hash(header.Hash()) || !statement.Time.Equal(header.Time) {
			t.Fatalf("seed %d: %+v, %v", seed, statement, err)
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var back proof.Decided
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if again, err := back.Verify(anchor); err != nil || !reflect.DeepEqual(again, statement) {
			t.Fatalf("seed %d: after decoding: %v", seed, err)
		}
		seal := d.Seal()
		if text, err = json.Marshal(seal); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &seal); err != nil {
			t.Fatal(err)
		}
		if again, err := seal.Verify(anchor); err != nil || again.AppHash != d.AppHash {
			t.Fatalf("seed %d: seal after decoding: %v", seed, err)
		}
		for name, change := range map[string]func(*proof.Decided){
			"a transaction more": func(d *proof.Decided) { d.Txs = append(d.Txs, []byte{1}) },
			"app hash":           func(d *proof.Decided) { d.AppHash[s.IntN(32)] ^= 1 },
			"last":               func(d *proof.Decided) { d.Last[s.IntN(32)] ^= 1 },
			"validators":         func(d *proof.Decided) { d.Validators[s.IntN(32)] ^= 1 },
			"time":               func(d *proof.Decided) { d.Header.TimeNs++ },
			"height":             func(d *proof.Decided) { d.Commit.Height++ },
			"chain":              func(d *proof.Decided) { d.ChainID += "x" },
			"transaction": func(d *proof.Decided) {
				if len(d.Txs) == 0 {
					d.Txs = [][]byte{nil}
				} else {
					d.Txs[0] = append([]byte{d.Txs[0][0] ^ 1}, d.Txs[0][1:]...)
				}
			},
		} {
			bad := d
			bad.Txs = append([][]byte(nil), d.Txs...)
			if change(&bad); bad.ChainID == "" {
				continue
			}
			if _, err := bad.Verify(anchor); err == nil {
				t.Fatalf("seed %d: changed %s and it verifies", seed, name)
			}
		}
	}
	if _, err := (&proof.Decided{}).Verify(proof.Anchor{}); err == nil {
		t.Error("an empty anchor verifies")
	}
}
