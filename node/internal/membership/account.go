// Package membership holds who may do what: accounts and their roles.
//
// Everything here is a pure function of the authenticated state it is given.
package membership

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Prefix is the first byte of membership's keys in the authenticated state:
// prefix || address -> one byte of roles.
const Prefix = 'm'

// Role is what an account may do. Roles are bits of one byte.
type Role uint8

// Roles. The bits are part of the state's encoding.
const (
	Producer Role = 1 << iota // submits events
	Author                    // deploys and calls contracts
	Council                   // votes on members and parameters
	Auditor                   // reads what is not public
	Operator                  // runs a validator
)

var roleNames = []struct {
	role Role
	name string
}{{Producer, "producer"}, {Author, "author"}, {Council, "council"}, {Auditor, "auditor"}, {Operator, "operator"}}

// ParseRoles reads role names, each at most once.
func ParseRoles(names []string) (Role, error) {
	var roles Role
	for _, name := range names {
		i := slices.IndexFunc(roleNames, func(r struct {
			role Role
			name string
		}) bool {
			return r.name == name
		})
		if i < 0 {
			return 0, fmt.Errorf("role %q is not known", name)
		}
		if roles&roleNames[i].role != 0 {
			return 0, fmt.Errorf("role %q is there twice", name)
		}
		roles |= roleNames[i].role
	}
	return roles, nil
}

// String lists the roles by name.
func (r Role) String() string {
	var names []string
	for _, n := range roleNames {
		if r&n.role != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, "+")
}

// Reader is the state as membership reads it.
type Reader interface {
	Get(key []byte) (value []byte, ok bool, err error)
}

// Writer is the state as membership changes it.
type Writer interface {
	Set(key, value []byte) error
}

func accountKey(a protocol.Address) []byte { return append([]byte{Prefix}, a[:]...) }

// Roles answers an account's roles; an unknown account has none. The error is
// a fault of this node.
func Roles(state Reader, account protocol.Address) (Role, error) {
	value, ok, err := state.Get(accountKey(account))
	if err != nil || !ok {
		return 0, err
	}
	if len(value) != 1 {
		return 0, fmt.Errorf("membership: roles of %s have %d bytes, must have 1", account, len(value))
	}
	return Role(value[0]), nil
}

// SetRoles writes an account's roles.
func SetRoles(state Writer, account protocol.Address, roles Role) error {
	return state.Set(accountKey(account), []byte{byte(roles)})
}

// Require refuses an account that lacks a role. A refusal carries
// CodeUnauthorized; any other error is a fault of this node.
func Require(state Reader, account protocol.Address, role Role) error {
	roles, err := Roles(state, account)
	if err != nil {
		return err
	}
	if roles&role == 0 {
		return protocol.Refuse(protocol.CodeUnauthorized, "account %s is not a %s; ask the council for the role", account, role)
	}
	return nil
}
