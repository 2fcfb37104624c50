package genesis

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
)

const (
	maxValidators = 1_000
	maxAccounts   = 100_000
	maxPower      = 1_000_000_000_000 // a thousand of them are far below CometBFT's bound of 2^60

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
var roles = []string{"producer", "author", "council", "auditor", "operator"}

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
	if err := d.validateValidators(); err != nil {
		return err
	}
	return d.validateAccounts()
}

func (d *Document) validateValidators() error {
	if len(d.Validators) == 0 || len(d.Validators) > maxValidators {
		return fmt.Errorf("validators: must be 1 to %d, are %d", maxValidators, len(d.Validators))
	}
	names, keys := map[string]bool{}, map[Key]bool{}
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
		case v.LogKey != Key{} && (keys[v.LogKey] || v.LogKey == v.PubKey):
			return fmt.Errorf("%s.logKey: is there twice, or signs blocks; each validator's is its own", at)
		}
		names[v.Name], keys[v.PubKey], keys[v.LogKey] = true, true, true
	}
	return nil
}

func (d *Document) validateAccounts() error {
	if len(d.Accounts) > maxAccounts {
		return fmt.Errorf("accounts: must be at most %d, are %d", maxAccounts, len(d.Accounts))
	}
	seen := map[protocol.Address]bool{}
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
			if !slices.Contains(roles, role) || slices.Contains(a.Roles[:j], role) {
				return fmt.Errorf("%s.roles[%d]: %q must be one of %v, each at most once", at, j, role, roles)
			}
		}
	}
	return nil
}
