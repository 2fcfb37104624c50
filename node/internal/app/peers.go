package app

import (
	"strings"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/governance"
)

// peerFilter begins the paths by which CometBFT asks about a peer: its address
// first, then, once the connection is authenticated, its node id.
const peerFilter = "/p2p/filter/"

// Admits says whether a node may be a peer.
func (a *App) Admits(id protocol.NodeID) (bool, error) {
	view, err := a.Store.View(a.Store.Head().Height)
	if err != nil {
		return false, err
	}
	admitted, err := governance.Admits(view, id)
	if err != nil || admitted {
		return admitted, err
	}
	return a.TrustPeer != nil && a.TrustPeer(id), nil
}

// filterPeer refuses a peer whose node id is not registered.
func (a *App) filterPeer(about string) *abci.ResponseQuery {
	text, byID := strings.CutPrefix(about, "id/")
	if !byID {
		return &abci.ResponseQuery{} // addresses say nothing
	}
	var id protocol.NodeID
	err := id.UnmarshalText([]byte(text))
	var admitted bool
	if err == nil {
		admitted, err = a.Admits(id)
	}
	if err != nil {
		a.Log.Error("a peer could not be looked up", "id", text, "err", err)
		return &abci.ResponseQuery{Code: uint32(protocol.CodeInternal), Log: "the node failed to look the peer up"}
	}
	if !admitted {
		if a.refused.first(id) {
			a.Log.Warn("peer refused: its node id is not registered", "id", text)
		}
		return &abci.ResponseQuery{Code: uint32(protocol.CodeUnauthorized), Log: "this node id is not registered; ask the council"}
	}
	return &abci.ResponseQuery{}
}

// refusedEvery is how often the refusal of one peer is logged: it may dial
// hundreds of times a second.
const refusedEvery = time.Minute

// maxRefused bounds the peers remembered.
const maxRefused = 1_000

// refusals remember when a peer's refusal was logged.
type refusals struct {
	mu   sync.Mutex
	last map[protocol.NodeID]time.Time // guarded by mu
}

// first says whether this refusal is to be logged.
func (r *refusals) first(id protocol.NodeID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, known := r.last[id]; known && time.Since(at) < refusedEvery {
		return false
	}
	if r.last == nil || len(r.last) >= maxRefused {
		r.last = make(map[protocol.NodeID]time.Time)
	}
	r.last[id] = time.Now()
	return true
}
