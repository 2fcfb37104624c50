package app

import (
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// maxPending bounds the transactions remembered as waiting, by half: the
// mempool holds fewer.
const maxPending = 40_000

// pending remembers which transactions passed the check and were not decided
// yet, wherever they came in: a status request at any node that gossip reached
// answers "pending". It forgets the oldest first, in two generations; what is
// forgotten reads as unknown, and its producer sends it again.
type pending struct {
	mu         sync.Mutex
	young, old map[protocol.Hash]struct{} // guarded by mu
}

func newPending() *pending { return &pending{young: map[protocol.Hash]struct{}{}} }

func (p *pending) add(id protocol.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.young) >= maxPending {
		p.young, p.old = map[protocol.Hash]struct{}{}, p.young
	}
	p.young[id] = struct{}{}
}

func (p *pending) remove(id protocol.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.young, id)
	delete(p.old, id)
}

func (p *pending) has(id protocol.Hash) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, young := p.young[id]
	_, old := p.old[id]
	return young || old
}
