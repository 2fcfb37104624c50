package node

import (
	"testing"

	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/p2p/mock"
)

// A peer that sends more than is checked neither holds up the connection, which
// votes come by, nor fills the memory; and nothing it sends ends it.
func TestCosigningDropsWhatIsTooMuch(t *testing.T) {
	c := newCosigning(&Node{})
	peer := c.InitPeer(mock.NewPeer(nil)) // of which nothing is checked yet
	for i := range 10_000 {
		c.Receive(p2p.Envelope{Src: peer, ChannelID: cosignChannel, Message: &frame{[]byte{byte(i)}}})
	}
	inbox := peer.Get(cosignKey).(chan []byte)
	if len(inbox) != cosignInbox || (<-inbox)[0] != 0 || !peer.IsRunning() {
		t.Fatalf("%d messages wait", len(inbox))
	}
	if err := peer.Stop(); err != nil {
		t.Fatal(err)
	}
}
