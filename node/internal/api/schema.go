package api

import (
	"fmt"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/registry"
)

// schemaRoutes lists the paths of the registry of schemas.
func (s *Server) schemaRoutes() []route {
	return []route{
		{pattern: "GET /v1/schemas", params: pageParams, handle: s.schemas},
		{pattern: "GET /v1/schemas/{type}", params: oneParams, handle: s.schemaType},
		{pattern: "GET /v1/schemas/{type}/versions", params: pageParams, handle: s.schemaVersions},
		{pattern: "GET /v1/schemas/{type}/versions/{version}", params: oneParams, handle: s.schemaVersion},
	}
}

// schemas lists the types with schemas; ?after= is a type.
func (s *Server) schemas(r *request) (any, error) {
	m, limit, err := s.page(r)
	if err != nil {
		return nil, err
	}
	var after []byte
	if text := r.params.Get("after"); text != "" {
		after = protocol.SchemaTypeKey(clip(text))
	}
	found, err := m.Scan([]byte{protocol.SchemaPrefix, protocol.SchemaKeyType}, after, limit)
	out := rest.Schemas{At: m.At, Schemas: []rest.SchemaType{}}
	for _, kv := range found {
		one, err := describeSchema(m, string(kv.Key[2:]))
		if err != nil {
			return nil, err
		}
		out.Schemas = append(out.Schemas, *one)
	}
	return out, err
}

// describeSchema answers a type's entry and which version is in force.
func describeSchema(m *money, eventType string) (*rest.SchemaType, error) {
	entry, ok, err := registry.Find(m, eventType)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, protocol.Refuse(protocol.CodeNotFound, "no schema is registered for %q; /v1/schemas lists those there are", clip(eventType))
	}
	out := &rest.SchemaType{SchemaType: entry, InForce: entry.Version}
	official, ok, err := registry.Official(m, eventType)
	if ok {
		out.Official, out.InForce = &official, official.Version
	}
	return out, err
}

// typeOf reads the event type in a path.
func typeOf(r *request) (string, error) {
	eventType := r.PathValue("type")
	if !protocol.ValidSchemaType(eventType) {
		return "", protocol.Refuse(protocol.CodeBadRequest, "type: an event type has 1 to %d printable characters", protocol.MaxSchemaType)
	}
	return eventType, nil
}

func (s *Server) schemaType(r *request) (any, error) {
	eventType, err := typeOf(r)
	if err != nil {
		return nil, err
	}
	return s.proven(r, protocol.SchemaTypeKey(eventType), func(m *money) (any, error) {
		one, err := describeSchema(m, eventType)
		if err != nil {
			return nil, err
		}
		return rest.OneSchema{At: m.At, SchemaType: *one}, nil
	})
}

// schemaVersions lists the versions of a type; ?after= is a version.
func (s *Server) schemaVersions(r *request) (any, error) {
	eventType, err := typeOf(r)
	if err != nil {
		return nil, err
	}
	limit, err := r.limit()
	if err != nil {
		return nil, err
	}
	after, err := r.uint("after", 0, 0, protocol.MaxSchemaVersions)
	if err != nil {
		return nil, err
	}
	m, err := s.money(r)
	if err != nil {
		return nil, err
	}
	entry, err := describeSchema(m, eventType)
	if err != nil {
		return nil, err
	}
	out := rest.SchemaVersions{At: m.At, Versions: []protocol.SchemaVersion{}}
	for version := after + 1; version <= entry.Version && len(out.Versions) < limit; version++ {
		v, ok, err := registry.Version(m, eventType, version)
		if err != nil || !ok {
			return nil, fmt.Errorf("version %d of %q at rest is missing: %v", version, eventType, err)
		}
		out.Versions = append(out.Versions, v)
	}
	return out, nil
}

// schemaVersion answers one version with its text: a number, or "latest".
func (s *Server) schemaVersion(r *request) (any, error) {
	eventType, err := typeOf(r)
	if err != nil {
		return nil, err
	}
	name := r.PathValue("version")
	version, err := strconv.ParseUint(name, 10, 32)
	if err != nil && name != "latest" {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "version %q: must be a number, or latest", clip(name))
	}
	if name == "latest" {
		m, err := s.money(r)
		if err != nil {
			return nil, err
		}
		entry, err := describeSchema(m, eventType)
		if err != nil {
			return nil, err
		}
		version = entry.Version
	}
	return s.proven(r, protocol.SchemaVersionKey(eventType, version), func(m *money) (any, error) {
		v, ok, err := registry.Version(m, eventType, version)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, protocol.Refuse(protocol.CodeNotFound, "%q has no version %d", clip(eventType), version)
		}
		text, err := registry.Text(m, v.Hash)
		return rest.SchemaText{At: m.At, Type: eventType, Schema: v, URI: protocol.SchemaURI(eventType, version), Text: string(text)}, err
	})
}
