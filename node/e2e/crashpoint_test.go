package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// crashPointVariable makes CometBFT end the process at its n-th crash point:
// around each write of its log, of the block, of the results, and around the
// application's Commit. A single validator passes eleven in a height.
const crashPointVariable = "FAIL_TEST_INDEX"

// A validator that goes down at any of the points between deciding a block and
// having it everywhere, and once more right after it is back, goes on by
// itself, with every acknowledged event in its log once.
func TestEveryCrashPoint(t *testing.T) {
	nw := startNetwork(t, 1)
	n := nw.nodes[0]
	nw.kill(n)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var events []protocol.Event
	crashes := 0
	for point := range 12 {
		for _, again := range [...]int{0, 4} { // 0-3 lie in the handshake where it applies a block
			for range 2 {
				events = append(events, protocol.Event{ID: fmt.Sprint(len(events)), Source: "/e2e/crash", Type: "reading.v1"})
			}
			sent := make(chan error, 1)
			go func() { sent <- stream(ctx, nw.connect(), nw.key("producer"), "crash", events, 0) }()
			if nw.crashAt(n, point, 3*time.Second) {
				crashes++
			}
			nw.crashAt(n, again, time.Second)
			nw.start(n)
			select {
			case err := <-sent:
				if err != nil {
					t.Fatalf("crash points %d, %d: %v", point, again, err)
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("crash points %d, %d: the node does not go on", point, again)
			}
			nw.waitReady()
			if h := nw.agreed(); h.LogSize != uint64(len(events)) {
				t.Fatalf("crash points %d, %d: %d events acknowledged, the log has %d", point, again, len(events), h.LogSize)
			}
			nw.kill(n)
		}
	}
	if crashes != 24 {
		t.Errorf("the node went down at %d of 24 points: the points have moved, and the test no longer tests what it says", crashes)
	}
}

// crashAt starts a node that goes down at a crash point, or is killed where it
// does not come to it in time. It answers which.
func (nw *network) crashAt(n *node, point int, within time.Duration) bool {
	nw.t.Helper()
	os.Setenv(crashPointVariable, strconv.Itoa(point))
	nw.start(n)
	os.Unsetenv(crashPointVariable)
	gone := make(chan struct{})
	go func() { n.cmd.Wait(); close(gone) }()
	crashed := false
	select {
	case <-gone:
		crashed = true
	case <-time.After(within):
		n.cmd.Process.Kill()
		<-gone
	}
	n.log.Close()
	n.cmd = nil
	return crashed
}
