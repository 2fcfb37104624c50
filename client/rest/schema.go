package rest

import "github.com/cairn-ledger/cairn/client/protocol"

// SchemaType is what the registry has for an event type.
type SchemaType struct {
	protocol.SchemaType
	// InForce is the version that events are held to which name none: the
	// official one, or else the newest.
	InForce  uint64           `json:"inForce"`
	Official *protocol.Schema `json:"official,omitempty"`
}

// Schemas is a page of the types with schemas, in ascending order.
type Schemas struct {
	At
	Schemas []SchemaType `json:"schemas"`
}

// OneSchema is one type's entry.
type OneSchema struct {
	At
	SchemaType
}

// SchemaVersions is a page of a type's versions, the oldest first.
type SchemaVersions struct {
	At
	Versions []protocol.SchemaVersion `json:"versions"`
}

// SchemaText is a version with its text.
type SchemaText struct {
	At
	Type   string                 `json:"type"`
	Schema protocol.SchemaVersion `json:"schema"`
	URI    string                 `json:"uri"`  // for the dataschema of events that name it
	Text   string                 `json:"text"` // as it was registered: its SHA-256 is the hash
}
