// Package governance holds how a ledger changes by vote: the council and its
// proposals, what their actions do, the validator set, the nodes that are let
// in, and disputes.
//
// Everything here is a pure function of the authenticated state it is given.
// A refusal carries a code; another error is a fault of this node. Changes that
// are refused half-way are thrown away by whoever owns the state's overlay.
package governance

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// Reader is the state as governance reads it at one key.
type Reader = membership.Reader

// Lister is the state as governance lists what it holds.
type Lister = membership.Lister

// State is the state as governance changes it.
type State = membership.Writer

// damaged makes a fault of what cannot be read; it must not be taken for a refusal.
func damaged(key []byte, err error) error {
	return fmt.Errorf("governance: what is under %x is damaged: %v", key, err)
}

// Seat answers an account's seat in the council; its weight is 0 where it has none.
func Seat(s Reader, account protocol.Address) (protocol.CouncilMember, error) {
	key := protocol.CouncilKey(account)
	value, ok, err := s.Get(key)
	if err != nil || !ok {
		return protocol.CouncilMember{Account: account}, err
	}
	m, err := protocol.DecodeCouncilMember(account, value)
	if err != nil {
		return m, damaged(key, err)
	}
	return m, nil
}

// Council lists the members by ascending address.
func Council(s Lister) ([]protocol.CouncilMember, error) {
	found, err := s.Scan(protocol.GovKey(protocol.GovKeyCouncil), nil, protocol.MaxCouncil)
	if err != nil {
		return nil, err
	}
	members := make([]protocol.CouncilMember, len(found))
	for i, kv := range found {
		if len(kv.Key) != 2+20 {
			return nil, damaged(kv.Key, fmt.Errorf("a key of %d bytes", len(kv.Key)))
		}
		if members[i], err = protocol.DecodeCouncilMember(protocol.Address(kv.Key[2:]), kv.Value); err != nil {
			return nil, damaged(kv.Key, err)
		}
	}
	return members, nil
}

// SetSeat gives an account a weight in the council, and the role; 0 takes both.
func SetSeat(s State, account protocol.Address, weight uint64) error {
	seat, err := Seat(s, account)
	if err != nil {
		return err
	}
	members, err := Council(s)
	if err != nil {
		return err
	}
	switch {
	case weight == 0 && seat.Weight == 0:
		return protocol.Refuse(protocol.CodeProposalTerms, "%s is not in the council", account)
	case weight == 0 && len(members) == 1:
		return protocol.Refuse(protocol.CodeLastMember, "%s is the last of the council", account)
	case seat.Weight == 0 && len(members) == protocol.MaxCouncil:
		return protocol.Refuse(protocol.CodeProposalTerms, "the council has %d members, and no more", protocol.MaxCouncil)
	}
	record, err := membership.Own(s, account)
	if err != nil {
		return err
	}
	key := protocol.CouncilKey(account)
	if weight == 0 {
		record.Roles &^= membership.Council
		err = s.Delete(key)
	} else {
		record.Roles |= membership.Council
		seat.Weight = weight
		err = s.Set(key, seat.AppendBinary(nil))
	}
	if err != nil {
		return err
	}
	return membership.Put(s, account, &record)
}

// count reads the votes on a proposal by the weights of the present council.
func count(s Lister, proposal uint64) (t protocol.Tally, err error) {
	members, err := Council(s)
	if err != nil {
		return t, err
	}
	for _, m := range members {
		t.Total += m.Weight
		vote, ok, err := s.Get(protocol.VoteKey(proposal, m.Account))
		switch {
		case err != nil:
			return t, err
		case !ok:
		case len(vote) == 1 && vote[0] == 1:
			t.Yes += m.Weight
		default:
			t.No += m.Weight
		}
	}
	return t, nil
}

// number reads an 8-byte number; 0 where there is none.
func number(s Reader, key []byte) (uint64, error) {
	value, ok, err := s.Get(key)
	if err != nil || !ok {
		return 0, err
	}
	if len(value) != 8 {
		return 0, damaged(key, fmt.Errorf("%d bytes, must be 8", len(value)))
	}
	return binary.BigEndian.Uint64(value), nil
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
