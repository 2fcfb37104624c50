package genesis

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/schema"
)

const (
	maxValidators = protocol.MaxValidators
	maxAccounts   = 100_000
	maxSchemas    = 1_000
	maxPower      = protocol.MaxPower

	// Block times count milliseconds since 1970; events count nanoseconds in
	// 64 bits, which end in 2262.
	minYear = 1970
	maxYear = 2261
)

var (
	chainIDPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)
	namePattern    = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9 ._-]{0,63}$`)
)

// roles are the roles an account can be given.
var roleNames = protocol.RoleNames()

// Validate holds every bound of the document. The error names the field.
func (d *Document) Validate() error {
	if len(d.ChainID) > protocol.MaxChainID || !chainIDPattern.MatchString(d.ChainID) {
		return fmt.Errorf("chainId: %q must have 1 to %d of a-z 0-9 . -", d.ChainID, protocol.MaxChainID)
	}
	if year := d.Time.Year(); year < minYear || year > maxYear {
		return fmt.Errorf("genesisTime: must lie in the years %d to %d, is %s", minYear, maxYear, d.Time)
	}
	if err := d.Params.validate("params"); err != nil {
		return err
	}
	switch p := d.Params; {
	case p.Version > Rules():
		return fmt.Errorf("params.version: must be 1 to %d, is %d", Rules(), p.Version)
	case p.Halted || p.UpgradeHeight != 0:
		return errors.New("params.halted, params.upgradeHeight: only a vote sets these")
	}
	if err := d.validateValidators(); err != nil {
		return err
	}
	if err := d.validateAccounts(); err != nil {
		return err
	}
	return d.validateSchemas()
}

func (d *Document) validateSchemas() error {
	if len(d.Schemas) > maxSchemas {
		return fmt.Errorf("schemas: must be at most %d, are %d", maxSchemas, len(d.Schemas))
	}
	for i, s := range d.Schemas {
		at := fmt.Sprintf("schemas[%d]", i)
		switch {
		case !protocol.ValidSchemaType(s.Type):
			return fmt.Errorf("%s.type: %q must have 1 to %d printable characters", at, s.Type, protocol.MaxSchemaType)
		case i > 0 && s.Type <= d.Schemas[i-1].Type:
			return fmt.Errorf("%s.type: types must stand in ascending order, each once", at)
		case !slices.ContainsFunc(d.Accounts, func(a Account) bool { return a.Address == s.Owner }):
			return fmt.Errorf("%s.owner: %s is none of the accounts", at, s.Owner)
		}
		text, err := json.Marshal(s.Schema)
		if err == nil {
			_, err = schema.Compile(text)
		}
		if err != nil {
			return fmt.Errorf("%s.schema: %w", at, err)
		}
	}
	return nil
}

func (d *Document) validateValidators() error {
	if len(d.Validators) == 0 || len(d.Validators) > maxValidators {
		return fmt.Errorf("validators: must be 1 to %d, are %d", maxValidators, len(d.Validators))
	}
	names, keys, nodes := map[string]bool{}, map[Key]bool{}, map[protocol.NodeID]bool{}
	for i, v := range d.Validators {
		at := fmt.Sprintf("validators[%d]", i)
		switch {
		case !namePattern.MatchString(v.Name):
			return fmt.Errorf("%s.name: %q must have 1 to 64 letters, digits or . _ -", at, v.Name)
		case names[v.Name]:
			return fmt.Errorf("%s.name: %q is there twice", at, v.Name)
		case v.PubKey == Key{}:
			return fmt.Errorf("%s.publicKey: must be set", at)
		case keys[v.PubKey]:
			return fmt.Errorf("%s.publicKey: is there twice", at)
		case v.Power < 1 || v.Power > maxPower:
			return fmt.Errorf("%s.power: must be 1 to %d, is %d", at, maxPower, v.Power)
		case v.NodeID != protocol.NodeID{} && nodes[v.NodeID]:
			return fmt.Errorf("%s.nodeId: is there twice", at)
		case v.LogKey != Key{} && (keys[v.LogKey] || v.LogKey == v.PubKey):
			return fmt.Errorf("%s.logKey: is there twice, or signs blocks; each validator's is its own", at)
		}
		names[v.Name], keys[v.PubKey], keys[v.LogKey], nodes[v.NodeID] = true, true, true, true
	}
	return nil
}

func (d *Document) validateAccounts() error {
	if len(d.Accounts) > maxAccounts {
		return fmt.Errorf("accounts: must be at most %d, are %d", maxAccounts, len(d.Accounts))
	}
	seen, council := map[protocol.Address]bool{}, 0
	for i, a := range d.Accounts {
		at := fmt.Sprintf("accounts[%d]", i)
		switch {
		case !namePattern.MatchString(a.Name):
			return fmt.Errorf("%s.name: %q must have 1 to 64 letters, digits or . _ -", at, a.Name)
		case a.PubKey.Address() != a.Address:
			return fmt.Errorf("%s.address: is %s, the public key's is %s", at, a.Address, a.PubKey.Address())
		case seen[a.Address]:
			return fmt.Errorf("%s.address: %s is there twice", at, a.Address)
		}
		seen[a.Address] = true
		for j, role := range a.Roles {
			if !slices.Contains(roleNames, role) || slices.Contains(a.Roles[:j], role) {
				return fmt.Errorf("%s.roles[%d]: %q must be one of %v, each at most once", at, j, role, roleNames)
			}
		}
		if err := a.validateGrants(at); err != nil {
			return err
		}
		if slices.Contains(a.Roles, "council") {
			council++
		}
	}
	if council > protocol.MaxCouncil {
		return fmt.Errorf("accounts: %d are of the council, at most %d can be", council, protocol.MaxCouncil)
	}
	return nil
}

// validateGrants holds what an account may use and speak for, and its weight.
func (a *Account) validateGrants(at string) error {
	record, err := a.Record()
	if err != nil {
		return fmt.Errorf("%s.roles: %w", at, err)
	}
	if err := record.Grants.Check(); err != nil {
		return fmt.Errorf("%s.sources, types: %w", at, err)
	}
	if a.Quota != nil {
		if err := a.Quota.Check(); err != nil || a.Quota.IsZero() {
			return fmt.Errorf("%s.quota: must bound something in 1 to %d blocks (%v)", at, protocol.MaxQuotaBlocks, err)
		}
	}
	if council := record.Roles&protocol.RoleCouncil != 0; a.Weight > protocol.MaxWeight || a.Weight > 0 && !council {
		return fmt.Errorf("%s.weight: must be at most %d, and of a member of the council", at, protocol.MaxWeight)
	}
	return nil
}
