package protocol

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of the registry of schemas.
const (
	// MaxSchemaBytes bounds the text of a schema.
	MaxSchemaBytes = 64 << 10
	// MaxSchemaType bounds the event type that a schema is registered for.
	MaxSchemaType = 256
	// MaxSchemaVersions bounds the versions of one type.
	MaxSchemaVersions = 10_000
)

// SchemaRule is which schemas may follow one another as versions of a type.
type SchemaRule uint8

// Rules. The numbers are part of the protocol.
const (
	SchemaNone     SchemaRule = 0 // any
	SchemaBackward SchemaRule = 1 // what conformed still does: readers of the new version read old events
	SchemaForward  SchemaRule = 2 // what conforms did before: readers of the old version read new events
	SchemaFull     SchemaRule = 3 // both
)

var schemaRuleNames = [...]string{"none", "backward", "forward", "full"}

// SchemaRules lists the published names.
func SchemaRules() []string { return schemaRuleNames[:] }

func (r SchemaRule) known() bool { return int(r) < len(schemaRuleNames) }

// String is the rule's published name.
func (r SchemaRule) String() string {
	if r.known() {
		return schemaRuleNames[r]
	}
	return fmt.Sprintf("rule-%d", uint8(r))
}

// MarshalText renders the published name.
func (r SchemaRule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a published name.
func (r *SchemaRule) UnmarshalText(text []byte) error {
	i := slices.Index(schemaRuleNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("compatibility %q is not one of %s", clip(text), strings.Join(schemaRuleNames[:], ", "))
	}
	*r = SchemaRule(i)
	return nil
}

// RegisterSchema adds a version to the schemas of an event type, or with no
// text changes only the rule for the versions that follow. Who registers the
// first version owns the type's entry.
type RegisterSchema struct {
	Type string
	Rule SchemaRule // from now on, this version included
	Text []byte     // a JSON Schema, or empty
}

// Kind is TxSchema.
func (*RegisterSchema) Kind() TxKind { return TxSchema }

func (s *RegisterSchema) check() error {
	switch {
	case !ValidSchemaType(s.Type):
		return Refuse(CodeMalformed, "schema: an event type has 1 to %d printable characters", MaxSchemaType)
	case !s.Rule.known():
		return Refuse(CodeMalformed, "schema: rule %d is not known", s.Rule)
	case len(s.Text) > MaxSchemaBytes:
		return Refuse(CodeMalformed, "schema: has %d bytes, the limit is %d", len(s.Text), MaxSchemaBytes)
	}
	return nil
}

// ValidSchemaType says whether schemas can be registered for an event type.
func ValidSchemaType(eventType string) bool {
	return len(eventType) <= MaxSchemaType && validName(eventType, MaxSchemaType) && checkString("type", []byte(eventType)) == nil
}

func (s *RegisterSchema) appendBody(dst []byte) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	dst = append(appendBytes(dst, s.Type), byte(s.Rule))
	return appendBytes(dst, s.Text), nil
}

func decodeSchema(r *reader) (*RegisterSchema, error) {
	s := &RegisterSchema{Type: r.string(MaxSchemaType, "type"), Rule: SchemaRule(r.u8("rule"))}
	s.Text = slices.Clone(r.bytes(MaxSchemaBytes, "text"))
	if err := r.malformed("schema"); err != nil {
		return nil, err
	}
	return s, s.check()
}

// SchemaAct is the payload of an EntrySchema.
type SchemaAct struct {
	Type    string     `json:"type"`
	Version uint64     `json:"version,omitempty"` // the new one; none where only the rule changed
	Rule    SchemaRule `json:"compatibility"`
	Hash    Hash       `json:"hash,omitzero"` // SHA-256 of the text
	TxID    Hash       `json:"txId"`
}

// AppendBinary appends the act's canonical bytes.
func (a *SchemaAct) AppendBinary(dst []byte) []byte {
	dst = appendBytes(append(dst, byte(EntrySchema)), a.Type)
	dst = append(binary.AppendUvarint(dst, a.Version), byte(a.Rule))
	return append(append(dst, a.Hash[:]...), a.TxID[:]...)
}

func decodeSchemaAct(r *reader) (*SchemaAct, error) {
	a := &SchemaAct{Type: r.string(MaxSchemaType, "type"), Version: r.uvarint(MaxSchemaVersions, "version"), Rule: SchemaRule(r.u8("rule"))}
	copy(a.Hash[:], r.take(32, "hash"))
	copy(a.TxID[:], r.take(32, "transaction id"))
	if !a.Rule.known() {
		r.fail("rule %d is not known", a.Rule)
	}
	return a, r.malformed("schema act")
}

// SchemaPrefix is the first byte of the registry's keys in the authenticated state.
//
//	v t || event type                          -> SchemaType
//	v v || u16 length || event type || u32 version -> SchemaVersion
//	v x || hash                                -> text of a schema
//
// Which version is the official one is governance's: SchemaKey.
const SchemaPrefix = 'v'

// Second bytes of the registry's keys.
const (
	SchemaKeyType    = 't'
	SchemaKeyVersion = 'v'
	SchemaKeyText    = 'x'
)

// SchemaTypeKey is the state key of a type's entry in the registry.
func SchemaTypeKey(eventType string) []byte {
	return append([]byte{SchemaPrefix, SchemaKeyType}, eventType...)
}

// SchemaVersionKey is the state key of one version.
func SchemaVersionKey(eventType string, version uint64) []byte {
	return binary.BigEndian.AppendUint32(schemaVersions(eventType), uint32(version))
}

func schemaVersions(eventType string) []byte {
	key := binary.BigEndian.AppendUint16([]byte{SchemaPrefix, SchemaKeyVersion}, uint16(len(eventType)))
	return append(key, eventType...)
}

// SchemaTextKey is the state key of a schema's text.
func SchemaTextKey(hash Hash) []byte {
	return append([]byte{SchemaPrefix, SchemaKeyText}, hash[:]...)
}

// SchemaType is what the registry keeps of an event type.
type SchemaType struct {
	Type    string     `json:"type"` // of the key, not the record
	Owner   Address    `json:"owner"`
	Rule    SchemaRule `json:"compatibility"`
	Version uint64     `json:"version"` // the newest
	Hash    Hash       `json:"hash"`    // of its text
}

// AppendBinary appends the record under a SchemaTypeKey.
func (s *SchemaType) AppendBinary(dst []byte) []byte {
	dst = append(append(dst, s.Owner[:]...), byte(s.Rule))
	return append(binary.AppendUvarint(dst, s.Version), s.Hash[:]...)
}

// DecodeSchemaType reads what is under a SchemaTypeKey.
func DecodeSchemaType(eventType string, value []byte) (SchemaType, error) {
	r := reader{buf: value}
	s := SchemaType{Type: eventType}
	copy(s.Owner[:], r.take(20, "owner"))
	s.Rule = SchemaRule(r.u8("rule"))
	s.Version = r.uvarint(MaxSchemaVersions, "version")
	copy(s.Hash[:], r.take(32, "hash"))
	return s, r.malformed("schema type")
}

// SchemaVersion is one version of a type's schema.
type SchemaVersion struct {
	Version uint64     `json:"version"` // of the key, not the record
	Hash    Hash       `json:"hash"`    // SHA-256 of the text
	Rule    SchemaRule `json:"compatibility"`
	Height  uint64     `json:"height"` // 0: with the founding document
	Index   uint64     `json:"index"`  // of its entry in the log; means nothing with the founding document
}

// AppendBinary appends the record under a SchemaVersionKey.
func (s *SchemaVersion) AppendBinary(dst []byte) []byte {
	dst = append(append(dst, s.Hash[:]...), byte(s.Rule))
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, s.Height), s.Index)
}

// DecodeSchemaVersion reads what is under a SchemaVersionKey.
func DecodeSchemaVersion(version uint64, value []byte) (SchemaVersion, error) {
	r := reader{buf: value}
	s := SchemaVersion{Version: version}
	copy(s.Hash[:], r.take(32, "hash"))
	s.Rule, s.Height, s.Index = SchemaRule(r.u8("rule")), r.u64("height"), r.u64("index")
	return s, r.malformed("schema version")
}

// SealedContentType is the datacontenttype of an event whose data its producer
// sealed (docs/privacy.md).
const SealedContentType = "application/vnd.cairn.sealed+json"

// schemaScheme begins the dataschema of an event that names a version of its
// type's schema in this ledger's registry.
const schemaScheme = "cairn:schema/"

// SchemaURI names a version of a type's schema, for an event's dataschema.
// Octets of the type that RFC 3986 does not call unreserved are escaped.
func SchemaURI(eventType string, version uint64) string {
	const hexDigits = "0123456789ABCDEF"
	uri := []byte(schemaScheme)
	for _, c := range []byte(eventType) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0:
			uri = append(uri, c)
		default:
			uri = append(uri, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(strconv.AppendUint(append(uri, '/'), version, 10))
}

// NoSchemaVersion is what NamedSchema answers of a URI that begins as those of
// SchemaURI and is none of the type's.
const NoSchemaVersion = ^uint32(0)

// NamedSchema answers the version that an event's dataschema names; 0 where it
// names none, by being absent or of another scheme.
func NamedSchema(dataSchema, eventType []byte) uint32 {
	if len(dataSchema) < len(schemaScheme) || string(dataSchema[:len(schemaScheme)]) != schemaScheme {
		return 0
	}
	slash := strings.LastIndexByte(string(dataSchema), '/')
	version, err := strconv.ParseUint(string(dataSchema[slash+1:]), 10, 32)
	if err != nil || version == 0 || version > MaxSchemaVersions || SchemaURI(string(eventType), version) != string(dataSchema) {
		return NoSchemaVersion
	}
	return uint32(version)
}
