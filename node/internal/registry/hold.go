package registry

import (
	"errors"
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/schema"
)

// Holder holds events to the schemas of a state that does not change meanwhile;
// after a change, make another. It is for one goroutine.
type Holder struct {
	state   Reader
	cache   *Cache
	none    bool // nothing is registered
	types   map[protocol.TypeHash]*force
	checker schema.Checker
	view    protocol.RecordView
}

// force is what holds for a type.
type force struct {
	eventType string
	version   uint64 // in force: the official one, or else the newest
	schema    *schema.Schema
	older     map[uint64]*schema.Schema // those that events name
}

// keepTypes bounds the types that a Holder remembers: producers choose them.
const keepTypes = 4_096

// NewHolder makes a Holder.
func NewHolder(s Lister, cache *Cache) (*Holder, error) {
	any, err := s.Scan([]byte{protocol.SchemaPrefix, protocol.SchemaKeyType}, nil, 1)
	return &Holder{state: s, cache: cache, none: len(any) == 0, types: map[protocol.TypeHash]*force{}}, err
}

// Holders keeps Holders of the state that was last asked for, so that many
// transactions judged by one state find its schemas, and the memory to check
// with, again. It is safe for concurrent use.
type Holders struct {
	cache *Cache

	mu    sync.Mutex
	state Lister    // guarded by mu
	free  []*Holder // of state; guarded by mu
}

// keepHolders bounds those that wait to be taken: as many as check at once.
const keepHolders = 16

// NewHolders makes Holders that share a cache.
func NewHolders(cache *Cache) *Holders { return &Holders{cache: cache} }

// Take answers a Holder of a state, a pointer to what never changes; Give it
// back after.
func (h *Holders) Take(s Lister) (*Holder, error) {
	h.mu.Lock()
	if h.state != s {
		h.state, h.free = s, nil
	}
	if last := len(h.free) - 1; last >= 0 {
		taken := h.free[last]
		h.free = h.free[:last]
		h.mu.Unlock()
		return taken, nil
	}
	h.mu.Unlock()
	return NewHolder(s, h.cache)
}

// Give ends the use of a Holder.
func (h *Holders) Give(used *Holder) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if used.state == h.state && len(h.free) < keepHolders {
		h.free = append(h.free, used)
	}
}

// Idle says that no type has a schema: nothing is held to any.
func (h *Holder) Idle() bool { return h.none }

// Find answers the schema that an event is held to, by its type's hash, its
// record and the version that it names; nil is none. A refusal says that it
// names one that it may not. It is a map lookup for types that were met before.
func (h *Holder) Find(hash protocol.TypeHash, record []byte, named uint32) (*schema.Schema, error) {
	f, met := h.types[hash]
	if !met {
		if err := h.view.Parse(record); err != nil {
			return nil, err
		}
		var err error
		if f, err = h.meet(string(h.view.Type)); err != nil {
			return nil, err
		}
		if len(h.types) == keepTypes {
			clear(h.types)
		}
		h.types[hash] = f
	}
	switch {
	case f == nil:
		return nil, nil
	case named == 0 || uint64(named) == f.version:
		return f.schema, nil
	}
	return h.other(f, uint64(named))
}

// meet finds out what holds for a type; nil where it has no schema.
func (h *Holder) meet(eventType string) (*force, error) {
	entry, ok, err := Find(h.state, eventType)
	if err != nil || !ok {
		return nil, err
	}
	f := &force{eventType: eventType, version: entry.Version}
	hash := entry.Hash
	official, ok, err := Official(h.state, eventType)
	if err != nil {
		return nil, err
	}
	if ok {
		f.version, hash = official.Version, official.Hash
	}
	f.schema, err = h.cache.load(h.state, hash)
	return f, err
}

// other finds an older version than the one in force.
func (h *Holder) other(f *force, version uint64) (*schema.Schema, error) {
	if found := f.older[version]; found != nil {
		return found, nil
	}
	if version > f.version {
		if version == uint64(protocol.NoSchemaVersion) {
			return nil, protocol.Refuse(protocol.CodeSchemaUnknown, "an event of type %q names in its dataschema no version of its type's schema; version %d is %s",
				f.eventType, f.version, protocol.SchemaURI(f.eventType, f.version))
		}
		return nil, protocol.Refuse(protocol.CodeSchemaUnknown, "an event names version %d of the schema of %q; version %d is in force", version, f.eventType, f.version)
	}
	v, ok, err := Version(h.state, f.eventType, version)
	if err == nil && !ok {
		err = damaged(protocol.SchemaVersionKey(f.eventType, version), errors.New("nothing is there"))
	}
	if err != nil {
		return nil, err
	}
	found, err := h.cache.load(h.state, v.Hash)
	if err != nil {
		return nil, err
	}
	if f.older == nil {
		f.older = map[uint64]*schema.Schema{}
	}
	f.older[version] = found
	return found, nil
}

// Check holds an event to a schema. steps is what it cost, refused or not.
func (h *Holder) Check(s *schema.Schema, record []byte) (steps int, err error) {
	if err := h.view.Parse(record); err != nil {
		return 1, err
	}
	return h.check(s)
}

// CheckParsed is Check of a record that was parsed before, as those of a
// decoded batch were.
func (h *Holder) CheckParsed(s *schema.Schema, record []byte) (steps int, err error) {
	if err := h.view.Reread(record); err != nil {
		return 1, err
	}
	return h.check(s)
}

// check holds the event in view to a schema.
func (h *Holder) check(s *schema.Schema) (steps int, err error) {
	v := &h.view
	switch {
	case v.DataForm == protocol.DataNone:
		return 1, mismatch(v, "it has no data, and its type has a schema")
	case v.DataForm != protocol.DataJSON:
		return 1, mismatch(v, "its data are no JSON, and its type has a schema")
	case string(v.DataContentType) == protocol.SealedContentType:
		if !s.Sealed {
			return 1, mismatch(v, "its data are sealed, and the schema of its type does not say x-sealed")
		}
		return 1, nil
	}
	if steps, err = h.checker.CheckValid(s, v.Data); err != nil {
		err = mismatch(v, err.Error())
	}
	return steps, err
}

func mismatch(v *protocol.RecordView, why string) error {
	return protocol.Refuse(protocol.CodeSchemaMismatch, "event %q of %q, type %q: %s", clip(v.ID), clip(v.Source), clip(v.Type), why)
}

// clip keeps a quoted value short in an error.
func clip(b []byte) []byte { return b[:min(len(b), 80)] }
