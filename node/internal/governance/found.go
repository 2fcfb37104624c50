package governance

import (
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/membership"
	"github.com/cairn-ledger/cairn/node/internal/registry"
)

// Found writes accounts, council, validators and nodes of a founding document.
func Found(s State, doc *genesis.Document) error {
	for i := range doc.Accounts {
		a := &doc.Accounts[i]
		record, err := a.Record()
		if err != nil {
			return err
		}
		if err := membership.Put(s, a.Address, &record); err != nil {
			return err
		}
		if record.Roles&membership.Council == 0 {
			continue
		}
		if err := SetSeat(s, a.Address, max(a.Weight, 1)); err != nil {
			return err
		}
	}
	set := &protocol.ValidatorSet{Since: FirstSet}
	for _, v := range doc.Validators {
		set.Validators = append(set.Validators, protocol.SetMember{Key: protocol.ValidatorKey(v.PubKey), Power: v.Power, Name: v.Name, LogKey: protocol.LogKey(v.LogKey)})
		if v.NodeID == (protocol.NodeID{}) {
			continue
		}
		if err := s.Set(protocol.NodeKey(v.NodeID), []byte(v.Name)); err != nil {
			return err
		}
	}
	slices.SortFunc(set.Validators, func(a, b protocol.SetMember) int { return slices.Compare(a.Key[:], b.Key[:]) })
	if err := PutSet(s, set); err != nil {
		return err
	}
	return registry.Found(s, doc)
}
