package pool

import (
	"slices"
	"sort"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

const (
	// maxLinks bounds the peers of which it is known what they have.
	maxLinks = 64
	// announceAfter is how long a transaction waits before its id is announced:
	// where all validators are connected, most are decided by then.
	announceAfter = 500 * time.Millisecond
	// repeatAfter is how long it waits until it is announced to everybody again,
	// also to those that were sent it: they may have had no room.
	repeatAfter = 5 * time.Second
	// askAgain is how long a peer is given to send what it was asked for.
	askAgain = time.Second
	// maxAsked bounds the ids that peers are asked for and did not send.
	maxAsked = 32_000
)

// Link is what the pool and one peer say to each other. Its methods may be
// called by several goroutines.
type Link struct {
	pool *Pool
	bit  uint64 // of this peer in item.known; 0 where there are too many
	slot int
	wake chan struct{}

	// Guarded by pool.mu:
	push     uint64          // seq from which on a client's transactions were not looked at
	announce uint64          // seq from which on items were not announced
	repeated time.Time       // when announcing began anew
	wanted   []protocol.Hash // the peer asked for
	lacking  []protocol.Hash // to ask the peer for
}

// Join makes the link of a peer that was connected. The peer is told of what
// waits already; what comes from now on is sent to it. Leave it in the end.
func (p *Pool) Join() *Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &Link{pool: p, slot: -1, wake: make(chan struct{}, 1), push: p.next, repeated: p.Now()}
	if slot := slices.Index(p.links[:], nil); slot >= 0 {
		l.slot, l.bit = slot, 1<<slot
		p.links[slot] = l
	}
	return l
}

// Leave ends a link.
func (l *Link) Leave() {
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.slot < 0 {
		return
	}
	p.links[l.slot], l.slot = nil, -1
	for _, it := range p.queue {
		it.known &^= l.bit
	}
}

// Wake receives a value when there is something to send at once. Ask Next then,
// and every AskEvery: what is announced waits for its time.
func (l *Link) Wake() <-chan struct{} { return l.wake }

// AskEvery is how often Next is asked without being woken.
const AskEvery = announceAfter / 2

// Next is the message to send now, or nil.
func (l *Link) Next() []byte {
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if raws := l.answer(); raws != nil {
		return writeTransactions(raws)
	}
	if raws := l.news(); raws != nil {
		return writeTransactions(raws)
	}
	if n := min(len(l.lacking), maxIDs); n > 0 {
		ids := l.lacking[:n]
		l.lacking = l.lacking[n:]
		return writeIDs(kindWant, ids)
	}
	if ids := l.due(); ids != nil {
		return writeIDs(kindHave, ids)
	}
	return nil
}

// bundle collects transactions for one message.
type bundle struct {
	raws  [][]byte
	bytes int
}

func (b *bundle) full() bool {
	return b.bytes >= bundleBytes || len(b.raws) == protocol.MaxTransactions
}

func (b *bundle) add(l *Link, it *item) {
	b.raws = append(b.raws, it.raw)
	b.bytes += len(it.raw) + 4
	it.known |= l.bit
}

// answer is what the peer asked for.
func (l *Link) answer() [][]byte {
	var b bundle
	for len(l.wanted) > 0 && !b.full() {
		if it := l.pool.items[l.wanted[0]]; it != nil {
			b.add(l, it)
		}
		l.wanted = l.wanted[1:]
	}
	return b.raws
}

// news is what clients sent since.
func (l *Link) news() [][]byte {
	var b bundle
	for _, it := range l.pool.from(l.push) {
		if b.full() {
			break
		}
		if it.own && !it.gone && it.known&l.bit == 0 {
			b.add(l, it)
		}
		l.push = it.seq + 1
	}
	return b.raws
}

// due is what has waited long enough to be announced.
func (l *Link) due() []protocol.Hash {
	now := l.pool.Now()
	if now.Sub(l.repeated) >= repeatAfter {
		l.announce, l.repeated = 0, now
	}
	var ids []protocol.Hash
	for _, it := range l.pool.from(l.announce) {
		age := now.Sub(it.since)
		if age < announceAfter || len(ids) == maxIDs {
			break
		}
		if !it.gone && (it.known&l.bit == 0 || age >= repeatAfter) {
			ids = append(ids, it.id)
		}
		l.announce = it.seq + 1
	}
	return ids
}

// from is the queue's part with seq and those after it.
func (p *Pool) from(seq uint64) []*item {
	return p.queue[sort.Search(len(p.queue), func(i int) bool { return p.queue[i].seq >= seq }):]
}

// Receive takes a message of the peer. An error says that it was none: such a
// peer is not worth the connection. refused are transactions that this pool
// did not take, for want of room or for what Check said.
func (l *Link) Receive(octets []byte) (refused int, err error) {
	m, err := readMessage(octets)
	if err != nil {
		return 0, err
	}
	for _, err := range l.pool.addAll(m.txs, l) {
		if err != nil {
			refused++
		}
	}
	if m.kind == kindHave {
		l.offered(m.ids)
	}
	if m.kind == kindWant {
		l.asked(m.ids)
	}
	return refused, nil
}

// offered asks for those of a peer's transactions that are not known.
func (l *Link) offered(ids []protocol.Hash) {
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.Now(); now.Sub(p.turned) >= askAgain {
		p.asked.turn()
		p.turned = now
	}
	for _, id := range ids {
		if it := p.items[id]; it != nil {
			it.known |= l.bit
			continue
		}
		if p.decided.has(id) || p.asked.has(id) || len(l.lacking) >= maxAsked {
			continue
		}
		p.asked.add(id)
		l.lacking = append(l.lacking, id)
	}
	if len(l.lacking) > 0 {
		signal(l.wake)
	}
}

// asked notes what the peer wants. One that asks for more before it had the
// answer is not given more than the newest.
func (l *Link) asked(ids []protocol.Hash) {
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	l.wanted = append(l.wanted, ids...)
	if more := len(l.wanted) - maxAsked; more > 0 {
		l.wanted = l.wanted[more:]
	}
	signal(l.wake)
}
