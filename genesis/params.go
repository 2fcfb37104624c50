package genesis

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Params are the rules every validator applies. They are part of the app hash
// and change only by a vote.
type Params struct {
	// Version of the rules; behaviour changes with it, at a height.
	Version uint64 `json:"version"`
	// MaxExpiryBlocks is how far ahead of the head a transaction may expire,
	// and so how long its replay is remembered.
	MaxExpiryBlocks uint64 `json:"maxExpiryBlocks"`
	// DedupeWindowEntries is how many log entries ago an event with the same
	// (source, id) may lie to be recognised as a duplicate.
	DedupeWindowEntries uint64 `json:"dedupeWindowEntries"`
	// BlockGas is what all contracts together may use in one block.
	BlockGas uint64 `json:"blockGas"`
	// ContractGas is what one contract may use in one block.
	ContractGas uint64 `json:"contractGas"`
	// DeliveryGas is the limit of one delivery, call or query.
	DeliveryGas uint64 `json:"deliveryGas"`
	// HopLimit is how many contract deliveries in a row one event may lead to.
	HopLimit uint8 `json:"hopLimit"`
}

// DefaultParams are what a generated network starts with.
func DefaultParams() Params {
	return Params{
		Version:             1,
		MaxExpiryBlocks:     10_000,
		DedupeWindowEntries: 1_000_000,
		BlockGas:            2_000_000_000,
		ContractGas:         1_000_000_000,
		DeliveryGas:         20_000_000,
		HopLimit:            8,
	}
}

// Canonical is the one encoding of the parameters: JSON in field order,
// without space. It is hashed into the app hash.
func (p Params) Canonical() []byte {
	text, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("genesis: parameters do not encode: %v", err))
	}
	return text
}

// DecodeParams reads what Canonical writes, and nothing else.
func DecodeParams(text []byte) (Params, error) {
	var p Params
	if err := strictJSON(text, &p); err != nil {
		return p, err
	}
	if !bytes.Equal(p.Canonical(), text) {
		return p, fmt.Errorf("parameters are not in canonical form")
	}
	return p, p.validate("params")
}

func (p Params) validate(at string) error {
	for _, bound := range [...]struct {
		field           string
		value, min, max uint64
	}{
		{"version", p.Version, 1, 1},
		{"maxExpiryBlocks", p.MaxExpiryBlocks, 1, 10_000_000},
		{"dedupeWindowEntries", p.DedupeWindowEntries, 0, 1 << 40},
		{"blockGas", p.BlockGas, 10_000_000, 1 << 50},
		{"contractGas", p.ContractGas, 10_000_000, 1 << 50},
		{"deliveryGas", p.DeliveryGas, 100_000, min(p.BlockGas, p.ContractGas) / 2},
		{"hopLimit", uint64(p.HopLimit), 0, 64},
	} {
		if bound.value < bound.min || bound.value > bound.max {
			return fmt.Errorf("%s.%s: must be %d to %d, is %d", at, bound.field, bound.min, bound.max, bound.value)
		}
	}
	return nil
}
