// Package membership holds who may do what: accounts and the keys that speak
// for them, roles and what a producer may speak for, quotas, and accounts of
// several members.
//
// Everything here is a pure function of the authenticated state it is given.
// An operation checks everything before it writes anything: one that is
// refused has written nothing.
package membership

import (
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// Role is what an account may do.
type Role = protocol.Roles

// Roles.
const (
	Producer = protocol.RoleProducer
	Author   = protocol.RoleAuthor
	Council  = protocol.RoleCouncil
	Auditor  = protocol.RoleAuditor
	Operator = protocol.RoleOperator
	Issuer   = protocol.RoleIssuer
	Arbiter  = protocol.RoleArbiter
)

// ParseRoles reads role names, each at most once.
func ParseRoles(names []string) (Role, error) { return protocol.ParseRoles(names) }

// Reader is the state as membership reads it.
type Reader interface {
	Get(key []byte) (value []byte, ok bool, err error)
}

// Lister is the state as membership lists what it holds: a block's overlay or
// a past view.
type Lister interface {
	Reader
	Scan(prefix, after []byte, limit int) ([]state.KV, error)
}

// Writer is the state as membership changes it.
type Writer interface {
	Lister
	Set(key, value []byte) error
	Delete(key []byte) error
}

// Read answers an account. One that nobody gave anything to is the zero
// Account; so is the address of a later key, which is no account.
func Read(s Reader, address protocol.Address) (protocol.Account, error) {
	account, _, err := read(s, address)
	return account, err
}

func read(s Reader, address protocol.Address) (account protocol.Account, link *protocol.Address, err error) {
	value, ok, err := s.Get(protocol.AccountKey(address))
	if err != nil || !ok {
		return account, nil, err
	}
	if account, link, err = protocol.DecodeAccount(value); err != nil {
		err = fmt.Errorf("membership: what is under %s is damaged: %v", address, err)
	}
	return account, link, err
}

// Own is Read, but refuses the address of a later key: a record there would take
// the key away from its account. A refusal carries CodeKeyAddress.
func Own(s Reader, address protocol.Address) (protocol.Account, error) {
	account, link, err := read(s, address)
	if err == nil && link != nil {
		err = protocol.RefuseKeyAddress(address, *link)
	}
	return account, err
}

// Put writes an account.
func Put(s Writer, address protocol.Address, account *protocol.Account) error {
	return s.Set(protocol.AccountKey(address), account.AppendBinary(nil))
}

// Party is an account that a key speaks for.
type Party struct {
	Address protocol.Address
	protocol.Account
}

// Resolve answers the account that a key speaks for at a height, by the key's
// address. It reads one record; two where the account has changed its key. A
// refusal says why the key speaks for nobody.
func Resolve(s Reader, key protocol.Address, height uint64) (Party, error) {
	account, link, err := read(s, key)
	if err != nil {
		return Party{}, err
	}
	p := Party{key, account}
	if link != nil {
		p.Address = *link
		if p.Account, err = Read(s, *link); err != nil {
			return Party{}, err
		}
	}
	switch {
	case p.Revoked:
		return p, protocol.Refuse(protocol.CodeAccountRevoked, "account %s was revoked", p.Address)
	case p.Keys == nil:
		return p, nil
	case p.Keys.At(height).Address() == key:
		return p, nil
	case p.Keys.Next.Address() == key:
		return p, protocol.Refuse(protocol.CodeKeyEarly, "this key speaks for %s from height %d on, the next block is %d", p.Address, p.Keys.From, height)
	}
	return p, protocol.Refuse(protocol.CodeKeyRetired, "another key speaks for %s at height %d", p.Address, height)
}

// Require refuses a party that lacks every one of some roles. A refusal carries
// CodeUnauthorized.
func (p *Party) Require(role Role) error {
	if p.Roles&role != role {
		return protocol.Refuse(protocol.CodeUnauthorized, "account %s does not have the role %s; ask the council for it", p.Address, role)
	}
	return nil
}

// Roles answers an account's roles; an unknown account has none.
func Roles(s Reader, address protocol.Address) (Role, error) {
	account, err := Read(s, address)
	return account.Roles, err
}

// SetRoles writes an account's roles and leaves the rest of it.
func SetRoles(s Writer, address protocol.Address, roles Role) error {
	account, err := Own(s, address)
	if err != nil {
		return err
	}
	account.Roles = roles
	return Put(s, address, &account)
}

// Require refuses an account that has none of some roles.
func Require(s Reader, address protocol.Address, roles Role) error {
	has, err := Roles(s, address)
	if err == nil && has&roles == 0 {
		err = protocol.Refuse(protocol.CodeUnauthorized, "account %s does not have the role %s; ask the council for it", address, roles)
	}
	return err
}
