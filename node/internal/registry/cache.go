package registry

import (
	"fmt"
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/schema"
)

// cachedBytes bounds the texts whose compiled schemas are kept; compiled they
// take some ten times that.
const cachedBytes = 8 << 20

// Cache keeps compiled schemas by the hash of their text: a pure function of
// it, so what is kept changes no result. It is safe for concurrent use.
type Cache struct {
	mu      sync.Mutex
	schemas map[protocol.Hash]*schema.Schema // guarded by mu
	bytes   int                              // of their texts; guarded by mu
}

// NewCache makes an empty cache.
func NewCache() *Cache { return &Cache{schemas: map[protocol.Hash]*schema.Schema{}} }

func (c *Cache) get(hash protocol.Hash) *schema.Schema {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.schemas[hash]
}

// compile answers the schema of a text.
func (c *Cache) compile(hash protocol.Hash, text []byte) (*schema.Schema, error) {
	if found := c.get(hash); found != nil {
		return found, nil
	}
	compiled, err := schema.Compile(text)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes+len(text) > cachedBytes {
		clear(c.schemas)
		c.bytes = 0
	}
	if c.schemas[hash] == nil {
		c.bytes += len(text)
	}
	c.schemas[hash] = compiled
	return compiled, nil
}

// load answers a registered schema.
func (c *Cache) load(s Reader, hash protocol.Hash) (*schema.Schema, error) {
	if found := c.get(hash); found != nil {
		return found, nil
	}
	text, err := Text(s, hash)
	if err != nil {
		return nil, err
	}
	compiled, err := c.compile(hash, text)
	if err != nil {
		return nil, damaged(protocol.SchemaTextKey(hash), fmt.Errorf("it was a schema when it was registered: %v", err))
	}
	return compiled, nil
}
