package protocol

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Roles are what an account may do: bits of one byte, part of the state's encoding.
type Roles uint8

// Roles.
const (
	RoleProducer Roles = 1 << iota // submits events
	RoleAuthor                     // deploys and calls contracts
	RoleCouncil                    // proposes and votes
	RoleAuditor                    // reads what is not public
	RoleOperator                   // runs a validator
	RoleIssuer                     // issues assets
	RoleArbiter                    // resolves disputes

	allRoles = RoleProducer | RoleAuthor | RoleCouncil | RoleAuditor | RoleOperator | RoleIssuer | RoleArbiter
)

var roleNames = [...]string{"producer", "author", "council", "auditor", "operator", "issuer", "arbiter"}

// RoleNames lists the published names, in the order of the bits.
func RoleNames() []string { return append([]string(nil), roleNames[:]...) }

// ParseRoles reads role names, each at most once.
func ParseRoles(names []string) (Roles, error) {
	var roles Roles
	for _, name := range names {
		role := Roles(0)
		for i, known := range roleNames {
			if known == name {
				role = 1 << i
			}
		}
		if role == 0 {
			return 0, fmt.Errorf("role %q is not known; there are %s", name, strings.Join(roleNames[:], ", "))
		}
		if roles&role != 0 {
			return 0, fmt.Errorf("role %q is there twice", name)
		}
		roles |= role
	}
	return roles, nil
}

// Names lists the roles by name, in the order of the bits.
func (r Roles) Names() []string {
	names := []string{}
	for i, name := range roleNames {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String joins the names.
func (r Roles) String() string { return strings.Join(r.Names(), "+") }

// MarshalJSON renders the list of names.
func (r Roles) MarshalJSON() ([]byte, error) { return json.Marshal(r.Names()) }

// UnmarshalJSON reads a list of names.
func (r *Roles) UnmarshalJSON(text []byte) error {
	var names []string
	if err := json.Unmarshal(text, &names); err != nil {
		return err
	}
	parsed, err := ParseRoles(names)
	*r = parsed
	return err
}
