package membership

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// MaxActs bounds the acts that wait for the members of one account.
const MaxActs = 16

// MaxActBlocks bounds how long an act waits.
const MaxActBlocks = 1_000_000

// Act is something that members of an account were asked to do as the account.
type Act struct {
	Index     uint64 // log index of the entry that proposed it
	Account   protocol.Address
	Proposer  protocol.Address
	Expiry    uint64 // last height at which it can be approved
	Blind     protocol.Blind
	Approvals []protocol.Address // in the order they came
}

// ActKey is the state key of an act that waits.
func ActKey(index uint64) []byte { return own(keyAct, u64(index)) }

func (a *Act) record() []byte {
	out := append(append(make([]byte, 0, 128), a.Account[:]...), a.Proposer[:]...)
	out = binary.BigEndian.AppendUint64(out, a.Expiry)
	out = append(out, a.Blind[:]...)
	for _, member := range a.Approvals {
		out = append(out, member[:]...)
	}
	return out
}

func decodeAct(index uint64, value []byte) (*Act, error) {
	const fixed = 20 + 20 + 8 + 32
	if len(value) < fixed || (len(value)-fixed)%20 != 0 {
		return nil, fmt.Errorf("membership: act %d is damaged", index)
	}
	a := &Act{
		Index: index, Account: protocol.Address(value), Proposer: protocol.Address(value[20:]),
		Expiry: binary.BigEndian.Uint64(value[40:]), Blind: protocol.Blind(value[48:]),
	}
	for rest := value[fixed:]; len(rest) > 0; rest = rest[20:] {
		a.Approvals = append(a.Approvals, protocol.Address(rest))
	}
	return a, nil
}

// ReadAct finds an act that waits, and what was asked for.
func ReadAct(s Reader, index uint64) (*Act, protocol.Body, error) {
	value, ok, err := s.Get(ActKey(index))
	if err != nil {
		return nil, nil, err
	}
	encoded, there, err := s.Get(own(keyBody, u64(index)))
	if err != nil {
		return nil, nil, err
	}
	if !ok || !there {
		return nil, nil, protocol.Refuse(protocol.CodeActUnknown, "entry %d proposed nothing that waits for approval", index)
	}
	act, err := decodeAct(index, value)
	if err != nil {
		return nil, nil, err
	}
	body, err := protocol.DecodeBody(encoded)
	if err != nil {
		return nil, nil, fmt.Errorf("membership: what act %d asks for is damaged: %v", index, err)
	}
	return act, body, nil
}

// Acts lists what waits for the members of an account.
func Acts(s Lister, account protocol.Address) ([]*Act, error) {
	prefix := own(keyActOf, account[:])
	found, err := s.Scan(prefix, nil, MaxActs)
	if err != nil {
		return nil, err
	}
	acts := make([]*Act, len(found))
	for i, kv := range found {
		index := binary.BigEndian.Uint64(kv.Key[len(prefix):])
		value, ok, err := s.Get(ActKey(index))
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("membership: act %d of %s is missing", index, account)
		}
		if acts[i], err = decodeAct(index, value); err != nil {
			return nil, err
		}
	}
	return acts, nil
}

// CreateMultisig makes an account of several members.
func CreateMultisig(s Writer, creator protocol.Address, c *protocol.CreateMultisig) (protocol.Address, error) {
	address := protocol.MultisigAddress(creator, c.Name)
	account, err := Read(s, address)
	if err != nil {
		return address, err
	}
	if account.Multisig != nil {
		return address, protocol.Refuse(protocol.CodeAccountExists, "account %s made one named %q before", creator, c.Name)
	}
	if err := ownMembers(s, &c.Multisig); err != nil {
		return address, err
	}
	account.Multisig = &c.Multisig // the council may have given it roles before
	return address, Put(s, address, &account)
}

// ownMembers refuses members that are keys and no accounts: they could never act.
func ownMembers(s Reader, m *protocol.Multisig) error {
	for _, member := range m.Members {
		if _, err := Own(s, member); err != nil {
			return err
		}
	}
	return nil
}

// ChangeMultisig gives an account other members.
func ChangeMultisig(s Writer, p *Party, m *protocol.Multisig) error {
	if p.Multisig == nil {
		return protocol.Refuse(protocol.CodeMultisigTerms, "%s has no members", p.Address)
	}
	if err := ownMembers(s, m); err != nil {
		return err
	}
	account := p.Account
	account.Multisig = m
	return Put(s, p.Address, &account)
}

// Members answers an account of several members that one of them may act for.
func Members(s Reader, address, member protocol.Address) (Party, error) {
	account, err := Read(s, address)
	p := Party{address, account}
	switch {
	case err != nil:
		return p, err
	case p.Multisig == nil:
		return p, protocol.Refuse(protocol.CodeMultisigTerms, "%s has no members", address)
	case !slices.Contains(p.Multisig.Members, member):
		return p, protocol.Refuse(protocol.CodeUnauthorized, "%s is not a member of %s", member, address)
	case p.Revoked:
		return p, protocol.Refuse(protocol.CodeAccountRevoked, "account %s was revoked", address)
	}
	return p, nil
}

// CheckExpiry refuses an act that could never be approved, or for too long.
func (a *Act) CheckExpiry(height uint64) error {
	if a.Expiry < height || a.Expiry-height > MaxActBlocks {
		return protocol.Refuse(protocol.CodeActExpired, "the act's last height %d must be %d to %d", a.Expiry, height, height+MaxActBlocks)
	}
	return nil
}

// Propose keeps an act, and the body that is asked for as EncodeBody writes
// it, until it is approved or expires.
func Propose(s Writer, a *Act, encoded []byte) error {
	waiting, err := s.Scan(own(keyActOf, a.Account[:]), nil, MaxActs)
	if err != nil {
		return err
	}
	if len(waiting) == MaxActs {
		return protocol.Refuse(protocol.CodeActLimit, "%d acts wait for the members of %s", MaxActs, a.Account)
	}
	for _, kv := range [...]struct{ key, value []byte }{
		{ActKey(a.Index), a.record()}, {own(keyBody, u64(a.Index)), encoded}, {own(keyActOf, a.Account[:], u64(a.Index)), []byte{1}},
	} {
		if err := s.Set(kv.key, kv.value); err != nil {
			return err
		}
	}
	return SetDeadline(s, a.deadline())
}

func (a *Act) deadline() Deadline { return Deadline{a.Expiry + 1, DeadlineAct, a.Index} }

// Approve adds a member's approval, which is not kept yet, and says whether the
// members are now enough.
func (a *Act) Approve(p *Party, member protocol.Address, height uint64) (enough bool, err error) {
	switch {
	case height > a.Expiry:
		return false, protocol.Refuse(protocol.CodeActExpired, "act %d expired at height %d", a.Index, a.Expiry)
	case slices.Contains(a.Approvals, member):
		return false, protocol.Refuse(protocol.CodeApproved, "%s approved act %d before", member, a.Index)
	}
	a.Approvals = append(a.Approvals, member)
	return a.Enough(p), nil
}

// Enough says whether the account's present members that approved are enough.
func (a *Act) Enough(p *Party) bool {
	count := 0
	for _, member := range p.Multisig.Members {
		if slices.Contains(a.Approvals, member) {
			count++
		}
	}
	return count >= int(p.Multisig.Threshold)
}

// Keep writes an act's approvals.
func (a *Act) Keep(s Writer) error { return s.Set(ActKey(a.Index), a.record()) }

// Drop forgets an act: it was executed or has expired.
func (a *Act) Drop(s Writer) error {
	for _, key := range [...][]byte{ActKey(a.Index), own(keyBody, u64(a.Index)), own(keyActOf, a.Account[:], u64(a.Index))} {
		if err := s.Delete(key); err != nil {
			return err
		}
	}
	return DropDeadline(s, a.deadline())
}
