package contracts

import (
	"encoding/json"
	"fmt"
)

// Schema is the schema of an event type that a shipped contract hears.
type Schema struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}

// shipped lists the contracts with schemas, by their folder.
var shipped = [...]string{"escrow", "maintenance", "metering", "parking", "rules", "saga"}

// Schemas lists the schemas of the types that producers speak to the shipped
// contracts in, by contract and then as they stand in the manifests.
func Schemas() (all []Schema, err error) {
	for _, name := range shipped {
		text, err := files.ReadFile(name + "/schemas.json")
		if err != nil {
			return nil, fmt.Errorf("contracts: %s has no schemas: %w", name, err)
		}
		var own []Schema
		if err := json.Unmarshal(text, &own); err != nil {
			return nil, fmt.Errorf("contracts: %s/schemas.json: %w", name, err)
		}
		all = append(all, own...)
	}
	return all, nil
}
