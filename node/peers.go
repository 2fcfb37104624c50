package node

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cometbft/cometbft/p2p"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/governance"
)

// trusts lets in the peers of this node's own configuration while it catches
// up: what it knows of the registry is old, and may lack those that were
// admitted since.
func (n *Node) trusts(id protocol.NodeID) bool {
	if n.comet == nil || !n.comet.ConsensusReactor().WaitSync() {
		return false
	}
	for _, peer := range n.config.Peers {
		if name, _, _ := strings.Cut(peer, "@"); name == id.String() {
			return true
		}
	}
	return false
}

// sweepEvery bounds how often connected peers are held to the registry.
const sweepEvery = time.Second

var errNotAdmitted = errors.New("its node id is not registered any more")

// keepOutPeers drops peers that the council stopped admitting.
func (n *Node) keepOutPeers(ctx context.Context) {
	for {
		committed := n.app.Committed()
		if !n.comet.ConsensusReactor().WaitSync() {
			for _, peer := range n.comet.Switch().Peers().Copy() {
				n.dropUnlessAdmitted(peer)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepEvery):
		}
		select {
		case <-ctx.Done():
			return
		case <-committed:
		}
	}
}

func (n *Node) dropUnlessAdmitted(peer p2p.Peer) {
	var id protocol.NodeID
	if err := id.UnmarshalText([]byte(peer.ID())); err != nil {
		return
	}
	if admitted, err := n.app.Admits(id); err == nil && !admitted {
		n.log.Warn("peer dropped", "id", id, "why", errNotAdmitted)
		n.comet.Switch().StopPeerForError(peer, errNotAdmitted)
	}
}

// validators counts those of the newest set.
func (b *backend) validators() (int, error) {
	view, err := b.store.View(b.store.Head().Height)
	if err != nil {
		return 0, err
	}
	set, err := governance.Latest(view)
	if err != nil {
		return 0, err
	}
	return len(set.Validators), nil
}
