package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/p2p"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/governance"
)

// trusts lets in the peers of this node's own configuration while it catches
// up: what it knows of the registry is old, and may lack those that were
// admitted since.
func (n *Node) trusts(id protocol.NodeID) bool {
	if n.comet == nil || !n.behind() {
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
		if !n.behind() {
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

// Pauses between two dials of one peer. CometBFT's own redialling of persistent
// peers is not used: it begins anew at once where a peer closes the connection
// after the handshake, as peers do until the council admits this node. That
// was a thousand handshakes a second, and after some minutes none any more.
const (
	redialMin = time.Second
	redialMax = 4 * time.Second
)

// refusedTimes is how often in a row a peer has to close the connection right
// after the handshake to be said to refuse this node: two nodes that dial each
// other at one moment do that once.
const refusedTimes = 2

// refusalEvery is how often it is said.
const refusalEvery = time.Minute

// keepDialling holds the connection to a peer of the configuration. told is
// when it was last said that peers refuse this node, in Unix nanoseconds.
func (n *Node) keepDialling(ctx context.Context, peer string, told *atomic.Int64) {
	id, _, _ := strings.Cut(peer, "@")
	connected := func() bool { return n.comet.Switch().Peers().Has(p2p.ID(id)) }
	wait := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d/2 + rand.N(d)): // two nodes that dial each other must not keep step
		}
	}
	pause, closed := redialMin, 0
	for ctx.Err() == nil {
		if connected() {
			pause, closed = redialMin, 0
			wait(redialMin)
			continue
		}
		err := n.dial(ctx, peer)
		wait(redialMin)
		switch {
		case connected():
			continue
		case err != nil:
			n.log.Debug("peer cannot be reached", "peer", peer, "err", err)
		default:
			if closed++; closed >= refusedTimes {
				n.sayRefused(peer, told)
			}
		}
		wait(pause)
		pause = min(2*pause, redialMax)
	}
}

// dial looks the peer's address up anew each time. CometBFT cannot be told to
// give up on a peer that answers slowly: the goroutine ends by its time-outs.
func (n *Node) dial(ctx context.Context, peer string) error {
	address, err := p2p.NewNetAddressString(peer)
	if err != nil {
		return err
	}
	over, comet := make(chan error, 1), n.comet
	go func() { over <- comet.Switch().DialPeerWithAddress(address) }()
	select {
	case err := <-over:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sayRefused tells whoever runs this node what to do, once a minute whatever
// the number of peers. A peer does not say why it closes a connection.
func (n *Node) sayRefused(peer string, told *atomic.Int64) {
	now, last := time.Now().UnixNano(), told.Load()
	if now-last < int64(refusalEvery) || !told.CompareAndSwap(last, now) {
		return
	}
	id := string(n.comet.NodeInfo().ID())
	n.log.Error("peers refuse this node: they close the connection after the handshake. Its node id is not registered, it seems; "+
		"ask a member of the council to admit it: cairn gov propose node "+id+" --name "+n.config.Name, "id", id, "peer", peer)
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
