package node

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cometbft/cometbft/p2p/mock"

	"github.com/cairn-ledger/cairn/node/internal/pool"
)

// A node closes its stores once CometBFT has stopped: nothing may be working
// for a peer then.
func TestGossipStopsWithTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var working atomic.Bool
		behind := func() bool {
			working.Store(true)
			time.Sleep(time.Hour)
			working.Store(false)
			return true
		}
		g := newGossip(pool.New(pool.Config{}), behind, slog.New(slog.DiscardHandler))
		if err := g.Start(); err != nil {
			t.Fatal(err)
		}
		peer := mock.NewPeer(nil)
		g.AddPeer(g.InitPeer(peer))
		time.Sleep(pool.AskEvery + time.Minute)
		if !working.Load() {
			t.Fatal("nothing was said to the peer")
		}
		if err := peer.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := g.Stop(); err != nil {
			t.Fatal(err)
		}
		if working.Load() {
			t.Error("the reactor has stopped, and a peer's goroutine works on")
		}
		late := mock.NewPeer(nil)
		g.AddPeer(g.InitPeer(late)) // a peer that was let in meanwhile
		if err := late.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}
