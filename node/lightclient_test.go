package node

import (
	"testing"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	rpc "github.com/cometbft/cometbft/light/provider/http"
	lightdb "github.com/cometbft/cometbft/light/store/db"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// CometBFT's light client follows the ledger by the engine's RPC, from the
// first header on, to the block and app hash that a receipt leads to; and its
// proof runtime verifies the receipt's key against that.
func TestCometBFTsLightClient(t *testing.T) {
	s := found(t)
	s.config.RPCAddress = freeAddress(t)
	s.start()
	for first := uint64(0); first < 30; first += 10 {
		s.submit(s.batch(first, 10))
	}
	c := s.client(nil)
	receipt, err := c.StateReceipt(background, proof.StreamKey(s.network.Accounts["producer"].Address(), "meters"), 0)
	if err != nil {
		t.Fatal(err)
	}
	remote, err := rpc.New("cairn-test", "http://"+s.config.RPCAddress)
	if err != nil {
		t.Fatal(err)
	}
	first, err := remote.LightBlock(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	client, err := light.NewClient(t.Context(), "cairn-test", light.TrustOptions{Period: time.Hour, Height: 1, Hash: first.Hash()},
		remote, []provider.Provider{remote}, lightdb.New(dbm.NewMemDB(), "cairn-test"), light.Logger(log.NewNopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	block, err := client.VerifyLightBlockAtHeight(t.Context(), int64(receipt.Commit.Height), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := s.network.Document.Anchor()
	if err != nil {
		t.Fatal(err)
	}
	statement, err := receipt.Verify(anchor)
	if err != nil || protocol.Hash(block.Hash()) != statement.BlockHash || protocol.Hash(block.AppHash) != statement.AppHash {
		t.Errorf("the light client has block %s with app hash %s, the receipt %s and %s: %v", block.Hash(), block.AppHash, statement.BlockHash, statement.AppHash, err)
	}
	s.others(c, receipt, nil)
}
