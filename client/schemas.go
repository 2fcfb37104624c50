package client

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// AddSchema registers a schema as the next version for events of a type, and
// sets the rule from it on. The key's account is an author or of the council.
func (c *Client) AddSchema(ctx context.Context, key protocol.PrivateKey, eventType string, rule protocol.SchemaRule, text []byte) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.RegisterSchema{Type: eventType, Rule: rule, Text: text})
}

// SetSchemaRule changes the rule for the versions of a type that follow.
func (c *Client) SetSchemaRule(ctx context.Context, key protocol.PrivateKey, eventType string, rule protocol.SchemaRule) (rest.Status, error) {
	return c.Execute(ctx, key, &protocol.RegisterSchema{Type: eventType, Rule: rule})
}

// Schemas lists the event types with schemas.
func (c *Client) Schemas(ctx context.Context) (all []rest.SchemaType, err error) {
	for after := ""; ; {
		answer, err := read[rest.Schemas](ctx, c, "/v1/schemas?limit=%d&after=%s", page, url.QueryEscape(after))
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Schemas...)
		if len(answer.Schemas) < page {
			return all, nil
		}
		after = answer.Schemas[page-1].Type
	}
}

// SchemaType is what the registry has for an event type; CodeNotFound where it
// has nothing.
func (c *Client) SchemaType(ctx context.Context, eventType string) (rest.SchemaType, error) {
	answer, err := read[rest.OneSchema](ctx, c, "/v1/schemas/%s", url.PathEscape(eventType))
	return answer.SchemaType, err
}

// SchemaVersions lists the versions of a type's schema, the oldest first.
func (c *Client) SchemaVersions(ctx context.Context, eventType string) (all []protocol.SchemaVersion, err error) {
	for after := uint64(0); ; {
		answer, err := read[rest.SchemaVersions](ctx, c, "/v1/schemas/%s/versions?limit=%d&after=%d", url.PathEscape(eventType), page, after)
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Versions...)
		if len(answer.Versions) < page {
			return all, nil
		}
		after = answer.Versions[page-1].Version
	}
}

// Schema is a version of a type's schema with its text; 0 is the newest. The
// text is held to its hash, and where the client trusts somebody the hash to a
// receipt of the state.
func (c *Client) Schema(ctx context.Context, eventType string, version uint64) (rest.SchemaText, error) {
	name := "latest"
	if version > 0 {
		name = fmt.Sprint(version)
	}
	answer, err := read[rest.SchemaText](ctx, c, "/v1/schemas/%s/versions/%s", url.PathEscape(eventType), name)
	if err != nil {
		return answer, err
	}
	if sha256.Sum256([]byte(answer.Text)) != answer.Schema.Hash || answer.Type != eventType || version > 0 && answer.Schema.Version != version {
		return answer, fmt.Errorf("client: the node sent another schema than version %s of %q", name, eventType)
	}
	if c.config.Trust == nil {
		return answer, nil
	}
	receipt, err := c.StateReceipt(ctx, protocol.SchemaVersionKey(eventType, answer.Schema.Version), 0)
	if err != nil {
		return answer, err
	}
	proved, err := protocol.DecodeSchemaVersion(answer.Schema.Version, receipt.State.State.Value)
	if err != nil || proved != answer.Schema {
		return answer, fmt.Errorf("client: the state says otherwise than the node about version %d of %q", answer.Schema.Version, eventType)
	}
	return answer, nil
}
