// Package registry holds the schemas of event types: their versions, who owns
// a type's, and which version events are held to.
//
// Everything here is a pure function of the authenticated state it is given. A
// refusal carries a code and has written nothing; another error is a fault of
// this node.
package registry

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/schema"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// Reader is the state as the registry reads it.
type Reader = membership.Reader

// Lister is the state as the registry lists what it holds.
type Lister = membership.Lister

// State is the state as the registry changes it.
type State = membership.Writer

// damaged makes a fault of what cannot be read; it must not be taken for a refusal.
func damaged(key []byte, err error) error {
	return fmt.Errorf("registry: what is under %x is damaged: %v", key, err)
}

// Find answers a type's entry; ok is false where it has none.
func Find(s Reader, eventType string) (entry protocol.SchemaType, ok bool, err error) {
	key := protocol.SchemaTypeKey(eventType)
	value, ok, err := s.Get(key)
	if err != nil || !ok {
		return entry, false, err
	}
	if entry, err = protocol.DecodeSchemaType(eventType, value); err != nil {
		return entry, false, damaged(key, err)
	}
	return entry, true, nil
}

// Version answers one version of a type's schema.
func Version(s Reader, eventType string, version uint64) (v protocol.SchemaVersion, ok bool, err error) {
	if version == 0 || version > protocol.MaxSchemaVersions {
		return v, false, nil
	}
	key := protocol.SchemaVersionKey(eventType, version)
	value, ok, err := s.Get(key)
	if err != nil || !ok {
		return v, false, err
	}
	if v, err = protocol.DecodeSchemaVersion(version, value); err != nil {
		return v, false, damaged(key, err)
	}
	return v, true, nil
}

// Text answers the text of a registered schema.
func Text(s Reader, hash protocol.Hash) ([]byte, error) {
	key := protocol.SchemaTextKey(hash)
	text, ok, err := s.Get(key)
	if err == nil && (!ok || sha256.Sum256(text) != hash) {
		err = damaged(key, fmt.Errorf("no text of this hash"))
	}
	return text, err
}

// Official answers the council's choice for a type; ok is false where it made none.
func Official(s Reader, eventType string) (official protocol.Schema, ok bool, err error) {
	key := protocol.SchemaKey(eventType)
	value, ok, err := s.Get(key)
	if err != nil || !ok {
		return official, false, err
	}
	if official, err = protocol.DecodeSchema(eventType, value); err != nil {
		return official, false, damaged(key, err)
	}
	return official, true, nil
}

// Judge refuses what may not be registered, and answers what is to be written.
func Judge(s Reader, party *membership.Party, body *protocol.RegisterSchema, cache *Cache) (entry protocol.SchemaType, added bool, err error) {
	if party.Roles&(membership.Author|membership.Council) == 0 {
		return entry, false, party.Require(membership.Author)
	}
	if !(&protocol.Grants{Types: party.Grants.Types}).Cover(nil, []byte(body.Type)) {
		return entry, false, protocol.Refuse(protocol.CodeSource, "account %s was not granted the type %q; ask the council for it", party.Address, body.Type)
	}
	entry, known, err := Find(s, body.Type)
	switch {
	case err != nil:
		return entry, false, err
	case !known && len(body.Text) == 0:
		return entry, false, protocol.Refuse(protocol.CodeSchemaUnknown, "no schema is registered for %q", body.Type)
	case known && entry.Owner != party.Address:
		return entry, false, protocol.Refuse(protocol.CodeSchemaOwner, "the schemas of %q are %s's", body.Type, entry.Owner)
	case !known:
		entry = protocol.SchemaType{Type: body.Type, Owner: party.Address}
	}
	entry.Rule = body.Rule
	if len(body.Text) == 0 {
		return entry, false, nil
	}
	return entry, true, judgeText(s, &entry, body.Text, cache)
}

// judgeText holds a new version to the rule and puts it into the entry.
func judgeText(s Reader, entry *protocol.SchemaType, text []byte, cache *Cache) error {
	hash := protocol.Hash(sha256.Sum256(text))
	next, err := cache.compile(hash, text)
	switch {
	case err != nil:
		return protocol.Refuse(protocol.CodeSchemaInvalid, "%v", err)
	case entry.Version > 0 && entry.Hash == hash:
		return protocol.Refuse(protocol.CodeSchemaExists, "version %d of %q has this text", entry.Version, entry.Type)
	case entry.Version == protocol.MaxSchemaVersions:
		return protocol.Refuse(protocol.CodeSchemaInvalid, "%q has %d versions, there can be no more", entry.Type, entry.Version)
	}
	if entry.Version > 0 {
		previous, err := cache.load(s, entry.Hash)
		if err != nil {
			return err
		}
		if err := schema.Follow(entry.Rule, previous, next); err != nil {
			return protocol.Refuse(protocol.CodeSchemaBreaks, "version %d of %q: %v", entry.Version+1, entry.Type, err)
		}
	}
	entry.Version++
	entry.Hash = hash
	return nil
}

// Register does what a transaction asks for at a height, recorded by the entry
// of an index.
func Register(s State, party *membership.Party, body *protocol.RegisterSchema, height, index uint64, cache *Cache) (protocol.SchemaAct, error) {
	entry, added, err := Judge(s, party, body, cache)
	if err != nil {
		return protocol.SchemaAct{}, err
	}
	act := protocol.SchemaAct{Type: entry.Type, Rule: entry.Rule}
	if !added {
		return act, s.Set(protocol.SchemaTypeKey(entry.Type), entry.AppendBinary(nil))
	}
	act.Version, act.Hash = entry.Version, entry.Hash
	return act, write(s, &entry, body.Text, height, index)
}

// write keeps an entry and its newest version.
func write(s State, entry *protocol.SchemaType, text []byte, height, index uint64) error {
	version := protocol.SchemaVersion{Hash: entry.Hash, Rule: entry.Rule, Height: height, Index: index}
	if err := s.Set(protocol.SchemaTypeKey(entry.Type), entry.AppendBinary(nil)); err != nil {
		return err
	}
	if err := s.Set(protocol.SchemaVersionKey(entry.Type, entry.Version), version.AppendBinary(nil)); err != nil {
		return err
	}
	return s.Set(protocol.SchemaTextKey(entry.Hash), text)
}

// Found writes the schemas of a founding document.
func Found(s State, doc *genesis.Document) error {
	for i := range doc.Schemas {
		d := &doc.Schemas[i]
		text, err := json.Marshal(d.Schema) // as the document's hash has it, whatever its layout
		if err != nil {
			return err
		}
		entry := protocol.SchemaType{Type: d.Type, Owner: d.Owner, Rule: d.Rule, Version: 1, Hash: sha256.Sum256(text)}
		if err := write(s, &entry, text, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// Decide does what the council decided of a type: another owner, or which
// version is the official one, by its hash; neither ends that there is one.
func Decide(s State, a *protocol.GovAction, proposal uint64) error {
	key := protocol.SchemaKey(a.Name)
	if a.Account.IsZero() && a.Hash.IsZero() {
		return s.Delete(key)
	}
	entry, known, err := Find(s, a.Name)
	if err != nil {
		return err
	}
	if !known {
		return protocol.Refuse(protocol.CodeSchemaUnknown, "no schema is registered for %q; its author does that with `cairn schema add`", a.Name)
	}
	if !a.Account.IsZero() {
		entry.Owner = a.Account
		if err := s.Set(protocol.SchemaTypeKey(a.Name), entry.AppendBinary(nil)); err != nil || a.Hash.IsZero() {
			return err
		}
	}
	version, err := versionOf(s, &entry, a.Hash)
	if err != nil {
		return err
	}
	official := protocol.Schema{Hash: a.Hash, URI: a.URI, Proposal: proposal, Version: version}
	return s.Set(key, official.AppendBinary(nil))
}

// versionOf finds the newest version with a hash.
func versionOf(s Reader, entry *protocol.SchemaType, hash protocol.Hash) (uint64, error) {
	for version := entry.Version; version > 0; version-- {
		v, ok, err := Version(s, entry.Type, version)
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, damaged(protocol.SchemaVersionKey(entry.Type, version), fmt.Errorf("nothing is there"))
		}
		if v.Hash == hash {
			return version, nil
		}
	}
	return 0, protocol.Refuse(protocol.CodeSchemaUnknown, "no version of %q has the hash %s; `cairn schema list` shows those there are", entry.Type, hash)
}
