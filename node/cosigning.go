package node

import (
	"fmt"
	"time"

	"github.com/cometbft/cometbft/p2p"

	"github.com/cairn-ledger/cairn/node/internal/cosign"
)

// cosigning carries validators' signatures of the log's checkpoints between
// peers. Nothing that a peer says here ends its connection: consensus needs it.
// It works in the keeper's memory alone, so it may end after the stores do.
type cosigning struct {
	p2p.BaseReactor
	node *Node // its keeper is there before a peer is
}

const (
	cosignChannel = byte(0x71) // CometBFT's own end at 0x61
	// cosignPause is how long a peer that keeps asking waits for an answer.
	cosignPause = 10 * time.Millisecond
	// cosignInbox is how many messages of a peer may wait to be checked: in order
	// come a question and an answer a round. What comes beyond is dropped.
	cosignInbox = 4
	cosignKey   = "cairn.cosign" // finds a peer's inbox among its data
)

func newCosigning(n *Node) *cosigning {
	c := &cosigning{node: n}
	c.BaseReactor = *p2p.NewBaseReactor("Cosigning", c)
	return c
}

// GetChannels says what is received. Anything else on the connection goes first.
func (c *cosigning) GetChannels() []*p2p.ChannelDescriptor {
	return []*p2p.ChannelDescriptor{{
		ID: cosignChannel, Priority: 1, SendQueueCapacity: 2, RecvMessageCapacity: cosign.MaxMessage, MessageType: &frame{},
	}}
}

// InitPeer prepares for what the peer sends before AddPeer.
func (c *cosigning) InitPeer(peer p2p.Peer) p2p.Peer {
	peer.Set(cosignKey, make(chan []byte, cosignInbox))
	return peer
}

// AddPeer begins to talk to a peer, until it stops.
func (c *cosigning) AddPeer(peer p2p.Peer) {
	link := c.node.keeper.Join()
	go func() {
		defer link.Leave()
		c.send(peer, link)
	}()
	go c.check(peer, link)
}

func (c *cosigning) send(peer p2p.Peer, link *cosign.Link) {
	for {
		select {
		case <-peer.Quit():
			return
		case <-link.Wake():
		}
		for octets := link.Next(); octets != nil && peer.IsRunning(); octets = link.Next() {
			peer.Send(p2p.Envelope{ChannelID: cosignChannel, Message: &frame{octets}}) // not sent is asked again
			time.Sleep(cosignPause)
		}
	}
}

// check verifies off the goroutine that reads the connection, which votes wait for.
func (c *cosigning) check(peer p2p.Peer, link *cosign.Link) {
	inbox := peer.Get(cosignKey).(chan []byte)
	for {
		select {
		case <-peer.Quit():
			return
		case octets := <-inbox:
			if err := link.Receive(octets); err != nil {
				c.node.log.Debug("what a peer says of the log is not taken", "in", "cosign", "peer", peer.ID(), "err", err)
			}
		}
	}
}

// Receive puts a message into the peer's inbox.
func (c *cosigning) Receive(e p2p.Envelope) {
	inbox, _ := e.Src.Get(cosignKey).(chan []byte)
	message, ok := e.Message.(*frame)
	if inbox == nil || !ok {
		c.Switch.StopPeerForError(e.Src, fmt.Errorf("cosign: a message of type %T", e.Message))
		return
	}
	select {
	case inbox <- message.octets:
	default:
	}
}
