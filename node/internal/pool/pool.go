// Package pool holds the transactions that wait for a block and brings them to
// the other validators.
//
// A transaction from a client of this node is sent to every peer at once, many
// in a message. One from a peer is not passed on: where all validators are
// connected, each transaction then crosses each connection once, not on every
// path there is. What is still undecided after half a second is announced, by
// its id, to the peers that are not known to have it, and they ask for what
// they lack. So it also reaches those that are not connected to where it came
// in, that joined later, or that had no room when it was sent.
//
// The package knows no network and no consensus engine: a Link says what to
// send to a peer next, and takes what the peer sent.
package pool

import (
	"bytes"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Config is what a Pool is made of.
type Config struct {
	ChainID string
	// Check decides whether a transaction may wait. It is called by many
	// goroutines; its error is the refusal.
	Check func(raw []byte) error
	// Prepare is told of the transactions that Check is asked about next, where
	// they are several; it may be nil.
	Prepare func(raws [][]byte)
	// MaxTxs and MaxBytes bound what waits from clients of this node; peers may
	// bring a quarter more, so that a node whose clients fill it still takes
	// part.
	MaxTxs   int
	MaxBytes int64
	// Now is the clock; nil is the time of day.
	Now func() time.Time
}

// Pool is safe for concurrent use.
type Pool struct {
	Config
	available chan struct{} // has a value after the pool was empty and is not any more

	mu      sync.Mutex
	items   map[protocol.Hash]*item // guarded by mu
	queue   []*item                 // by seq, with some that are gone; guarded by mu
	gone    int                     // of queue; guarded by mu
	next    uint64                  // seq of the next item; guarded by mu
	bytes   int64                   // guarded by mu
	decided *recently               // committed, so that gossip does not bring them again; guarded by mu
	asked   *recently               // of some peer, one or two askAgain ago at most; guarded by mu
	turned  time.Time               // when asked forgot last; guarded by mu
	links   [maxLinks]*Link         // by slot; guarded by mu
}

// item is a transaction that waits.
type item struct {
	id    protocol.Hash
	raw   []byte
	seq   uint64
	own   bool   // from a client of this node
	gone  bool   // decided
	known uint64 // peers that have it or were sent it, a bit a slot
	since time.Time
}

// rememberDecided is how many committed transactions are remembered, by half.
const rememberDecided = 32_000

// New makes an empty pool.
func New(c Config) *Pool {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Pool{
		Config: c, available: make(chan struct{}, 1), items: map[protocol.Hash]*item{},
		decided: newRecently(rememberDecided), asked: newRecently(maxAsked),
	}
}

// Add takes a transaction from a client. The same one again, waiting or
// committed a while ago, is harmless. The error is a refusal: of Check, or BUSY
// where no more may wait.
func (p *Pool) Add(raw []byte) (protocol.Hash, error) {
	id, err := protocol.TxID(p.ChainID, raw)
	if err != nil {
		return id, err
	}
	return id, p.add(raw, id, nil)
}

// AddAll takes many from a client, in order. Once one finds no room, those after
// it are refused alike, so that what builds on it does not overtake it.
func (p *Pool) AddAll(raws [][]byte) []error { return p.addAll(raws, nil) }

// addAll takes transactions from a link's peer, or from a client.
func (p *Pool) addAll(raws [][]byte, from *Link) []error {
	errs, ids := make([]error, len(raws)), make([]protocol.Hash, len(raws))
	fresh := make([][]byte, 0, len(raws))
	for i, raw := range raws {
		if ids[i], errs[i] = protocol.TxID(p.ChainID, raw); errs[i] != nil {
			continue
		}
		if known, err := p.admit(ids[i], len(raw), from); !known && err == nil {
			fresh = append(fresh, raw)
		}
	}
	if p.Prepare != nil && len(fresh) > 1 {
		p.Prepare(fresh)
	}
	var full error
	for i, raw := range raws {
		if full != nil {
			errs[i] = full
		}
		if errs[i] != nil {
			continue
		}
		errs[i] = p.add(raw, ids[i], from)
		if code, _ := protocol.CodeOf(errs[i]); code == protocol.CodeBusy {
			full = errs[i]
		}
	}
	return errs
}

// add takes a transaction from a link's peer, or from a client.
func (p *Pool) add(raw []byte, id protocol.Hash, from *Link) error {
	if known, err := p.admit(id, len(raw), from); known || err != nil {
		return err
	}
	if err := p.Check(raw); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, err := p.admitLocked(id, len(raw), from); known || err != nil {
		return err
	}
	raw = bytes.Clone(raw) // it may lie in a message that would be kept whole
	it := &item{id: id, raw: raw, seq: p.next, own: from == nil, since: p.Now()}
	if from != nil {
		it.known = from.bit
	}
	p.next++
	p.items[id] = it
	p.queue = append(p.queue, it)
	p.bytes += int64(len(raw))
	if len(p.items) == 1 {
		signal(p.available)
	}
	if it.own {
		for _, link := range p.links {
			if link != nil {
				signal(link.wake)
			}
		}
	}
	return nil
}

func (p *Pool) admit(id protocol.Hash, size int, from *Link) (known bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.admitLocked(id, size, from)
}

// admitLocked says whether a transaction is known already, and refuses one
// there is no room for.
func (p *Pool) admitLocked(id protocol.Hash, size int, from *Link) (known bool, err error) {
	if it := p.items[id]; it != nil {
		if from != nil {
			it.known |= from.bit
		}
		return true, nil
	}
	if p.decided.has(id) {
		return true, nil
	}
	maxTxs, maxBytes := p.MaxTxs, p.MaxBytes
	if from != nil {
		maxTxs, maxBytes = maxTxs+maxTxs/4, maxBytes+maxBytes/4
	}
	if len(p.items) >= maxTxs || p.bytes+int64(size) > maxBytes {
		return false, protocol.Refuse(protocol.CodeBusy, "%d transactions wait for a block; send it again in a second", len(p.items))
	}
	return false, nil
}

// Available receives a value after the pool was empty and is not any more.
func (p *Pool) Available() <-chan struct{} { return p.available }

// Has says whether a transaction waits.
func (p *Pool) Has(id protocol.Hash) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.items[id] != nil
}

// Size is how many transactions wait, and their bytes.
func (p *Pool) Size() (txs int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.items), p.bytes
}

// Oldest lists transactions in the order they came, as many as have maxBytes
// or less, each with framing bytes more. They stay until Decide.
func (p *Pool) Oldest(maxBytes, framing int64) [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out [][]byte
	for _, it := range p.queue {
		if it.gone {
			continue
		}
		if maxBytes -= int64(len(it.raw)) + framing; maxBytes < 0 {
			break
		}
		out = append(out, it.raw)
	}
	return out
}

// Decide takes out what a block decided. What it committed is not taken again
// for a while; what it refused may come again.
func (p *Pool) Decide(id protocol.Hash, committed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if committed {
		p.decided.add(id)
	}
	it := p.items[id]
	if it == nil {
		return
	}
	delete(p.items, id)
	p.bytes -= int64(len(it.raw))
	it.gone, it.raw = true, nil
	if p.gone++; p.gone > len(p.queue)/2 {
		p.compact()
	}
}

// compact drops what is gone from the queue.
func (p *Pool) compact() {
	kept := p.queue[:0]
	for _, it := range p.queue {
		if !it.gone {
			kept = append(kept, it)
		}
	}
	clear(p.queue[len(kept):])
	p.queue, p.gone = kept, 0
}

// signal leaves a value in a channel of capacity 1.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// recently is a set that forgets its oldest members, in two generations.
type recently struct {
	young, old map[protocol.Hash]struct{}
	half       int
}

func newRecently(limit int) *recently {
	return &recently{young: map[protocol.Hash]struct{}{}, half: limit / 2}
}

func (r *recently) add(id protocol.Hash) {
	if len(r.young) >= r.half {
		r.turn()
	}
	r.young[id] = struct{}{}
}

// turn makes the young the old.
func (r *recently) turn() { r.young, r.old = map[protocol.Hash]struct{}{}, r.young }

func (r *recently) has(id protocol.Hash) bool {
	_, young := r.young[id]
	_, old := r.old[id]
	return young || old
}
