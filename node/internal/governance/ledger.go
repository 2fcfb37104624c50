package governance

import (
	"errors"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

var errBits = errors.New("it has another size than it must")

// maxLedgers bounds how many other ledgers are registered.
const maxLedgers = 100

// ReadLedger finds a registered ledger by its name; a refusal says there is none.
func ReadLedger(s Reader, name string) (*protocol.LedgerRecord, error) {
	key := protocol.LedgerKey(name)
	value, ok, err := s.Get(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, protocol.Refuse(protocol.CodeLedgerUnknown, "no ledger is registered as %q; the council can do it", name)
	}
	l, err := protocol.DecodeLedger(name, value)
	if err != nil {
		return nil, damaged(key, err)
	}
	return l, nil
}

// PutLedger writes a ledger's record.
func PutLedger(s State, l *protocol.LedgerRecord) error {
	return s.Set(protocol.LedgerKey(l.Name), l.AppendBinary(nil))
}

// Ledgers lists the registered ledgers by name, after one.
func Ledgers(s Lister, after string, limit int) ([]*protocol.LedgerRecord, error) {
	var from []byte
	if after != "" {
		from = protocol.LedgerKey(after)
	}
	found, err := s.Scan(protocol.LedgerKey(""), from, limit)
	if err != nil {
		return nil, err
	}
	list := make([]*protocol.LedgerRecord, len(found))
	for i, kv := range found {
		if list[i], err = protocol.DecodeLedger(string(kv.Key[2:]), kv.Value); err != nil {
			return nil, damaged(kv.Key, err)
		}
	}
	return list, nil
}

// ledger registers another ledger, or sets anew what is taken of a registered
// one. Name and ledger belong together for good: contracts that subscribed to
// the name have that ledger in mind, and what was relayed is known by it.
func (c *Change) ledger(a *protocol.GovAction) error {
	if a.Ledger.ChainID == c.ChainID {
		return protocol.Refuse(protocol.CodeProposalTerms, "ledger %s: %q is this ledger itself", a.Name, c.ChainID)
	}
	address := a.Ledger.Address()
	name, known, err := c.State.Get(protocol.LedgerAddressKey(address))
	if err != nil {
		return err
	}
	if known && string(name) != a.Name {
		return protocol.Refuse(protocol.CodeProposalTerms, "ledger %s: chain %q is registered as %s", a.Name, a.Ledger.ChainID, name)
	}
	record := &protocol.LedgerRecord{Name: a.Name}
	if known {
		if record, err = ReadLedger(c.State, a.Name); err != nil {
			return err
		}
	} else if err := c.newLedger(a, address); err != nil {
		return err
	}
	was := record.LedgerTerms
	record.LedgerTerms, record.Accept, record.Quota, record.Proposal = a.Ledger, a.Grants, a.Quota, c.Proposal
	if a.Ledger.Set.IsZero() {
		record.Set, record.Since, record.AtMs = was.Set, was.Since, was.AtMs
	} else {
		record.Seen = a.Ledger.Since
	}
	return PutLedger(c.State, record)
}

// newLedger claims a name that is free.
func (c *Change) newLedger(a *protocol.GovAction, address protocol.Address) error {
	if a.Ledger.Set.IsZero() {
		return protocol.Refuse(protocol.CodeProposalTerms, "ledger %s: no validator set to begin with", a.Name)
	}
	_, taken, err := c.State.Get(protocol.LedgerKey(a.Name))
	if err != nil {
		return err
	}
	if taken {
		return protocol.Refuse(protocol.CodeProposalTerms, "ledger %s: the name is another ledger's, and stays that", a.Name)
	}
	all, err := c.State.Scan(protocol.LedgerKey(""), nil, maxLedgers)
	if err != nil {
		return err
	}
	if len(all) == maxLedgers {
		return protocol.Refuse(protocol.CodeProposalTerms, "ledger %s: %d ledgers are registered, and no more", a.Name, maxLedgers)
	}
	return c.State.Set(protocol.LedgerAddressKey(address), []byte(a.Name))
}

func (c *Change) suspendLedger(a *protocol.GovAction) error {
	record, err := ReadLedger(c.State, a.Name)
	if err != nil {
		return err
	}
	record.Suspended, record.Proposal = a.On, c.Proposal
	return PutLedger(c.State, record)
}

// Trusted is the validator set by which a ledger is believed.
func Trusted(l *protocol.LedgerRecord) proof.Followed {
	return proof.Followed{Set: l.Set, Since: l.Since, Seen: l.Seen, At: time.UnixMilli(int64(l.AtMs)).UTC()}
}

// Trust notes the set that is trusted now.
func Trust(l *protocol.LedgerRecord, f proof.Followed) {
	l.Set, l.Since, l.Seen, l.AtMs = f.Set, f.Since, f.Seen, uint64(max(f.At.UnixMilli(), 1))
}

// IsRelayed says whether an entry of a ledger was relayed.
func IsRelayed(s Reader, ledger protocol.Address, index uint64) (bool, error) {
	bits, err := relayed(s, ledger, index)
	at, bit := protocol.RelayedBit(index)
	return err == nil && bits != nil && bits[at]&bit != 0, err
}

func relayed(s Reader, ledger protocol.Address, index uint64) ([]byte, error) {
	key := protocol.RelayedKey(ledger, index)
	bits, ok, err := s.Get(key)
	if err != nil || !ok {
		return nil, err
	}
	if len(bits) != protocol.RelayedEntries/8 {
		return nil, damaged(key, errBits)
	}
	return bits, nil
}

// MarkRelayed notes that entries, in ascending order, were relayed.
func MarkRelayed(s State, ledger protocol.Address, indices []uint64) error {
	for len(indices) > 0 {
		run := indices[0] / protocol.RelayedEntries
		was, err := relayed(s, ledger, indices[0])
		if err != nil {
			return err
		}
		bits := make([]byte, protocol.RelayedEntries/8)
		copy(bits, was)
		key := protocol.RelayedKey(ledger, indices[0])
		for len(indices) > 0 && indices[0]/protocol.RelayedEntries == run {
			at, bit := protocol.RelayedBit(indices[0])
			bits[at] |= bit
			indices = indices[1:]
		}
		if err := s.Set(key, bits); err != nil {
			return err
		}
	}
	return nil
}
