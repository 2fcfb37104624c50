package node

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cosmos/gogoproto/proto"

	"github.com/cairn-ledger/cairn/node/internal/pool"
)

// gossip carries the pool's messages between peers, in the place of CometBFT's
// mempool reactor, under its name and on its channel. That reactor sends one
// transaction in a message, to each peer that did not send it first, and checks
// what it receives before the connection's next message, votes among them.
type gossip struct {
	p2p.BaseReactor
	pool   *pool.Pool
	log    *slog.Logger
	behind func() bool // this node catches up with the chain: it could not judge what it is sent

	mu      sync.Mutex
	stopped bool           // no peer is talked to any more; guarded by mu
	work    sync.WaitGroup // what talks to peers; added to under mu
}

const (
	// gossipLinger gathers what comes at nearly the same time into a message.
	gossipLinger = 2 * time.Millisecond
	// gossipInbox and gossipInboxBytes are how many messages of a peer may wait to
	// be checked. What comes when they do is dropped, and announced again by
	// whoever has it.
	gossipInbox      = 1024
	gossipInboxBytes = 8 << 20
	// peerLinkKey finds a peer's link among its data.
	peerLinkKey = "cairn.gossip"
)

func newGossip(p *pool.Pool, behind func() bool, log *slog.Logger) *gossip {
	g := &gossip{pool: p, behind: behind, log: log}
	g.BaseReactor = *p2p.NewBaseReactor("Gossip", g)
	return g
}

// GetChannels says what is received.
func (g *gossip) GetChannels() []*p2p.ChannelDescriptor {
	return []*p2p.ChannelDescriptor{{
		ID: mempool.MempoolChannel, Priority: 5, RecvMessageCapacity: pool.MaxMessage, MessageType: &frame{},
	}}
}

// peerLink is a peer's inbox, filled from when the peer starts.
type peerLink struct {
	inbox chan []byte
	bytes atomic.Int64 // in inbox
}

// InitPeer prepares for what the peer sends before AddPeer.
func (g *gossip) InitPeer(peer p2p.Peer) p2p.Peer {
	peer.Set(peerLinkKey, &peerLink{inbox: make(chan []byte, gossipInbox)})
	return peer
}

// AddPeer begins to talk to a peer, until it stops.
func (g *gossip) AddPeer(peer p2p.Peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return
	}
	link := g.pool.Join()
	g.work.Go(func() {
		defer link.Leave()
		g.send(peer, link)
	})
	g.work.Go(func() { g.check(peer, link) })
}

// OnStop waits until nothing is checked for a peer any more: the stores that
// checks read are closed next. The peers have been stopped before.
func (g *gossip) OnStop() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.work.Wait()
}

// send sends a peer what its link says.
func (g *gossip) send(peer p2p.Peer, link *pool.Link) {
	tick := time.NewTicker(pool.AskEvery)
	defer tick.Stop()
	for {
		select {
		case <-peer.Quit():
			return
		case <-link.Wake():
			time.Sleep(gossipLinger)
		case <-tick.C:
		}
		for !g.behind() && peer.IsRunning() {
			octets := link.Next()
			if octets == nil {
				break
			}
			peer.Send(p2p.Envelope{ChannelID: mempool.MempoolChannel, Message: &frame{octets}}) // not sent is announced again later
		}
	}
}

// check works through a peer's inbox.
func (g *gossip) check(peer p2p.Peer, link *pool.Link) {
	from := peer.Get(peerLinkKey).(*peerLink)
	for {
		select {
		case <-peer.Quit():
			return
		case octets := <-from.inbox:
			from.bytes.Add(-int64(len(octets)))
			refused, err := link.Receive(octets)
			if err != nil {
				g.Switch.StopPeerForError(peer, err)
				return
			}
			if refused > 0 {
				g.log.Debug("transactions of a peer not taken", "peer", peer.ID(), "count", refused)
			}
		}
	}
}

// Receive puts a message into the peer's inbox.
func (g *gossip) Receive(e p2p.Envelope) {
	if g.behind() {
		return
	}
	link, _ := e.Src.Get(peerLinkKey).(*peerLink)
	message, ok := e.Message.(*frame)
	if link == nil || !ok {
		g.Switch.StopPeerForError(e.Src, fmt.Errorf("gossip: a message of type %T", e.Message))
		return
	}
	if link.bytes.Add(int64(len(message.octets))) <= gossipInboxBytes {
		select {
		case link.inbox <- message.octets:
			return
		default:
		}
	}
	link.bytes.Add(-int64(len(message.octets)))
	g.log.Debug("message of a peer dropped: too many wait to be checked", "peer", e.Src.ID())
}

// frame is a message as CometBFT carries it, for gossip and cosigning. Its octets
// are theirs: the protocol buffers of CometBFT are met by it in name only.
type frame struct{ octets []byte }

func (f *frame) Reset()         { f.octets = nil }
func (f *frame) String() string { return fmt.Sprintf("%d bytes", len(f.octets)) }
func (*frame) ProtoMessage()    {}

// Marshal is called to send it.
func (f *frame) Marshal() ([]byte, error) { return f.octets, nil }

// Unmarshal is called on receipt; CometBFT uses what it passes again.
func (f *frame) Unmarshal(octets []byte) error {
	f.octets = append([]byte(nil), octets...)
	return nil
}

// Merge is called to copy the empty one that stands for the channel's type.
func (f *frame) Merge(from proto.Message) { f.octets = from.(*frame).octets }
