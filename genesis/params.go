package genesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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

	// What follows is left out where it is zero.

	// ApproveUpgrades: a contract is only upgraded to code that the council approved.
	ApproveUpgrades bool `json:"approveUpgrades,omitempty"`
	// Halted: governance alone is accepted, and no contract runs. A vote sets it.
	Halted bool `json:"halted,omitempty"`
	// UpgradeHeight is the height from which UpgradeVersion of the rules holds; 0
	// for none. A vote sets them.
	UpgradeHeight  uint64 `json:"upgradeHeight,omitempty"`
	UpgradeVersion uint64 `json:"upgradeVersion,omitempty"`
}

// rules is the newest version of the rules that this program knows. To rehearse
// an upgrade, build one that knows more:
//
//	go build -ldflags "-X github.com/cairn-ledger/cairn/genesis.rules=2" ./node/cmd/cairnd
var rules = "1"

// Rules is the newest version of the rules that this program knows.
func Rules() uint64 {
	n, err := strconv.ParseUint(rules, 10, 32)
	if err != nil || n == 0 {
		panic(fmt.Sprintf("genesis: this program was built to know version %q of the rules", rules))
	}
	return n
}

// ErrParam marks a parameter that a vote cannot set.
var ErrParam = errors.New("no parameter of this name can be set")

// Set changes a parameter by its name in the document. What comes of it is
// for Check to say: parameters bound one another.
func (p *Params) Set(name string, value uint64) error {
	switch name {
	case "maxExpiryBlocks":
		p.MaxExpiryBlocks = value
	case "dedupeWindowEntries":
		p.DedupeWindowEntries = value
	case "blockGas":
		p.BlockGas = value
	case "contractGas":
		p.ContractGas = value
	case "deliveryGas":
		p.DeliveryGas = value
	case "hopLimit":
		p.HopLimit = uint8(min(value, 255))
	case "approveUpgrades":
		if p.ApproveUpgrades = value == 1; value > 1 {
			return fmt.Errorf("%s: must be 0 or 1, is %d", name, value)
		}
	default:
		return fmt.Errorf("%q: %w", name, ErrParam)
	}
	return nil
}

// Check holds the parameters to their bounds.
func (p Params) Check() error { return p.validate("params") }

// DefaultParams are what a generated network starts with.
func DefaultParams() Params {
	return Params{
		Version:             1,
		MaxExpiryBlocks:     10_000,
		DedupeWindowEntries: 1_000_000,
		BlockGas:            4_000_000_000,
		ContractGas:         2_000_000_000,
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
		{"version", p.Version, 1, maxVersion},
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
	if (p.UpgradeHeight == 0) != (p.UpgradeVersion == 0) || p.UpgradeVersion > maxVersion {
		return fmt.Errorf("%s.upgradeHeight: %d does not go with version %d", at, p.UpgradeHeight, p.UpgradeVersion)
	}
	return nil
}

// maxVersion bounds the versions of the rules there can ever be.
const maxVersion = 1 << 32
