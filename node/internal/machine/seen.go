package machine

import (
	"bytes"
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// cache remembers checked transactions until they are executed, at most limit
// bytes of them, in two generations: when the young one is full it becomes the
// old one. It finds them by their signatures, which are its keys because they
// are at hand and random; and an entry answers for its own bytes alone, so what
// is signed alike, or the same request signed anew, is checked on its own.
type cache struct {
	mu         sync.Mutex
	young, old map[protocol.Signature]*checked // guarded by mu
	bytes      int                             // of young; guarded by mu
	limit      int
}

func newCache(limit int) *cache {
	return &cache{young: map[protocol.Signature]*checked{}, limit: limit}
}

// signatureOf is what stands at a transaction's end; ok is false where there is
// no room for one.
func signatureOf(raw []byte) (s protocol.Signature, ok bool) {
	if len(raw) < protocol.SignatureBytes {
		return s, false
	}
	return protocol.Signature(raw[len(raw)-protocol.SignatureBytes:]), true
}

func (c *cache) get(raw []byte) *checked {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(raw)
}

// getAll looks for several at once.
func (c *cache) getAll(raws [][]byte, out []*checked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, raw := range raws {
		out[i] = c.find(raw)
	}
}

// find is called with mu held.
func (c *cache) find(raw []byte) *checked {
	signature, ok := signatureOf(raw)
	if !ok {
		return nil
	}
	found := c.young[signature]
	if found == nil {
		found = c.old[signature]
	}
	if found == nil || !bytes.Equal(found.raw, raw) {
		return nil
	}
	return found
}

func (c *cache) put(tx *checked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if was := c.young[tx.Signature]; was != nil {
		c.bytes -= was.bytes
	}
	if c.bytes+tx.bytes > c.limit/2 {
		c.young, c.old, c.bytes = map[protocol.Signature]*checked{}, c.young, 0
	}
	c.young[tx.Signature] = tx
	c.bytes += tx.bytes
}

// drop forgets transactions that were executed; nil is none.
func (c *cache) drop(done []*checked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tx := range done {
		if tx == nil {
			continue
		}
		if was := c.young[tx.Signature]; was != nil && bytes.Equal(was.raw, tx.raw) {
			delete(c.young, tx.Signature)
			c.bytes -= was.bytes
		}
		if was := c.old[tx.Signature]; was != nil && bytes.Equal(was.raw, tx.raw) {
			delete(c.old, tx.Signature)
		}
	}
}
