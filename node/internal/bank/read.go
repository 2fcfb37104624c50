package bank

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// ReadBalance answers what an account has of an asset; nothing of one that does
// not exist.
func ReadBalance(s Reader, account protocol.Address, asset string) (protocol.Balance, error) {
	return readBalance(s, protocol.BalanceKey(account, asset))
}

// Known says whether an account has units of any asset, frozen or not, or is a
// party of a hold, stream or schedule.
func Known(s Reader, account protocol.Address) (bool, error) {
	for _, kind := range [...]byte{protocol.BankBalance, protocol.BankParty} {
		found, err := s.Scan(own(kind, account[:]), nil, 1)
		if err != nil || len(found) > 0 {
			return len(found) > 0, err
		}
	}
	return false, nil
}

// Unused refuses to make a key an account's whose address has units, is a party
// of a hold, stream or schedule, or is paid the fees: the key would speak for
// the account and no longer for the address. A refusal carries CodeKeyTaken.
func Unused(s Reader, key protocol.Address) error {
	known, err := Known(s, key)
	if err != nil {
		return err
	}
	fees, err := ReadFees(s)
	if err != nil {
		return err
	}
	if known || fees != nil && fees.To == key {
		return protocol.Refuse(protocol.CodeKeyTaken, "address %s of the key has units, or is owed some; pay them out first, or take a new key", key)
	}
	return nil
}

// Owned is an account's balance of one asset.
type Owned struct {
	Asset string `json:"asset"`
	protocol.Balance
}

// Balances lists an account's balances after an asset, by symbol.
func Balances(s Reader, account protocol.Address, after string, limit int) ([]Owned, error) {
	prefix := own(protocol.BankBalance, account[:])
	found, err := s.Scan(prefix, from(prefix, after), limit)
	owned := make([]Owned, len(found))
	for i, kv := range found {
		if owned[i].Balance, err = protocol.DecodeBalance(kv.Value); err != nil {
			return nil, damaged(kv.Key, err)
		}
		owned[i].Asset = string(kv.Key[len(prefix):])
	}
	return owned, err
}

func from(prefix []byte, after string) []byte {
	if after == "" {
		return nil
	}
	return append(append(make([]byte, 0, len(prefix)+len(after)), prefix...), after...)
}

// Assets lists the assets after a symbol.
func Assets(s Reader, after string, limit int) ([]*protocol.Asset, error) {
	prefix := own(protocol.BankAsset)
	found, err := s.Scan(prefix, from(prefix, after), limit)
	assets := make([]*protocol.Asset, len(found))
	for i, kv := range found {
		if assets[i], err = protocol.DecodeAsset(string(kv.Key[len(prefix):]), kv.Value); err != nil {
			return nil, damaged(kv.Key, err)
		}
	}
	return assets, err
}

// Granted is an allowance with its parties.
type Granted struct {
	Payer   protocol.Address `json:"payer"`
	Spender protocol.Address `json:"spender"`
	Asset   string           `json:"asset"`
	protocol.Allowance
}

// Allowances lists what a payer allows, after a spender and asset.
func Allowances(s Reader, payer protocol.Address, afterSpender protocol.Address, afterAsset string, limit int) ([]Granted, error) {
	prefix := own(protocol.BankAllowance, payer[:])
	var after []byte
	if afterAsset != "" {
		after = append(append(append(after, prefix...), afterSpender[:]...), afterAsset...)
	}
	found, err := s.Scan(prefix, after, limit)
	granted := make([]Granted, len(found))
	for i, kv := range found {
		name := kv.Key[len(prefix):]
		if len(name) <= 20 {
			return nil, damaged(kv.Key, fmt.Errorf("a short key"))
		}
		g := &granted[i]
		g.Payer, g.Spender, g.Asset = payer, protocol.Address(name), string(name[20:])
		if g.Allowance, err = protocol.DecodeAllowance(kv.Value); err != nil {
			return nil, damaged(kv.Key, err)
		}
	}
	return granted, err
}

// Terms lists the holds, streams or schedules an account is a party of, after
// an id, ascending.
func Terms(s Reader, account protocol.Address, kind protocol.TokenKind, after uint64, limit int) ([]*protocol.TokenTerms, error) {
	prefix := own(protocol.BankParty, account[:], []byte{byte(kind)})
	found, err := s.Scan(prefix, from(prefix, string(u64(after))), limit)
	terms := make([]*protocol.TokenTerms, len(found))
	for i, kv := range found {
		if len(kv.Key) != len(prefix)+8 {
			return nil, damaged(kv.Key, fmt.Errorf("a short key"))
		}
		id := binary.BigEndian.Uint64(kv.Key[len(prefix):])
		if terms[i], err = ReadTerms(s, kind, id); err != nil {
			return nil, damaged(kv.Key, err)
		}
	}
	return terms, err
}

// page is how much Audit reads at once.
const page = 1_000

// Audit checks that every asset's supply is the sum of all balances, holds and
// streams of it, over the whole state. The error is a fault: units were made or lost.
func Audit(s Reader) error {
	sums := map[string]uint64{}
	supply := map[string]uint64{}
	var order []string
	sum := func(asset string, n uint64) error {
		if n > protocol.MaxAmount-min(sums[asset], protocol.MaxAmount) {
			return fmt.Errorf("bank: more %s are owned than there can be", asset)
		}
		sums[asset] += n
		return nil
	}
	err := each(s, own(protocol.BankAsset), func(kv state.KV, name []byte) error {
		a, err := protocol.DecodeAsset(string(name), kv.Value)
		if err == nil {
			supply[a.Symbol], order = a.Supply, append(order, a.Symbol)
			if a.Cap != 0 && a.Supply > a.Cap {
				err = fmt.Errorf("%d are out, the cap is %d", a.Supply, a.Cap)
			}
		}
		return err
	})
	if err == nil {
		err = each(s, own(protocol.BankBalance), func(kv state.KV, name []byte) error {
			b, err := protocol.DecodeBalance(kv.Value)
			if err != nil || len(name) <= 20 {
				return fmt.Errorf("balance: %v", err)
			}
			return sum(string(name[20:]), b.Amount)
		})
	}
	for _, kind := range [...]byte{protocol.BankHold, protocol.BankStream} {
		if err == nil {
			err = each(s, own(kind), func(kv state.KV, name []byte) error {
				t, err := protocol.DecodeTokenTerms(0, kv.Value)
				if err != nil {
					return err
				}
				return sum(t.Asset, t.Held())
			})
		}
	}
	for _, asset := range order {
		if err == nil && sums[asset] != supply[asset] {
			err = fmt.Errorf("bank: the supply of %s is %d, %d are owned", asset, supply[asset], sums[asset])
		}
		delete(sums, asset)
	}
	if err == nil && len(sums) > 0 {
		err = fmt.Errorf("bank: %d assets are owned that were never issued", len(sums))
	}
	return err
}

// each visits every pair under a prefix, with its key behind that.
func each(s Reader, prefix []byte, visit func(kv state.KV, name []byte) error) error {
	var after []byte
	for {
		found, err := s.Scan(prefix, after, page)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, kv := range found {
			if err := visit(kv, kv.Key[len(prefix):]); err != nil {
				return fmt.Errorf("bank: %x: %w", kv.Key, err)
			}
		}
		after = found[len(found)-1].Key
	}
}
