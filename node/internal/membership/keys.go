package membership

import (
	"github.com/cairn-ledger/cairn/client/protocol"
)

// MaxCutOver is how far ahead the height may lie at which a key is followed
// by another.
const MaxCutOver = 10_000_000

// Rotate gives an account another key from a height on. present is the key
// that asks, which speaks for it at this height.
func Rotate(s Writer, chainID string, p *Party, present protocol.PublicKey, height uint64, r *protocol.Rotate) error {
	if r.From <= height || r.From-height > MaxCutOver {
		return protocol.Refuse(protocol.CodeCutOver, "the cut-over height %d must be %d to %d", r.From, height+1, height+MaxCutOver)
	}
	var replaced *protocol.PublicKey
	if k := p.Keys; k != nil && k.From > height {
		replaced = &k.Next // it never spoke
	}
	if err := claim(s, chainID, p.Address, r.Key, r.From, r.Proof, replaced); err != nil {
		return err
	}
	account := p.Account
	account.Keys = &protocol.KeyTurns{Key: present, Next: r.Key, From: r.From}
	return Put(s, p.Address, &account)
}

// claim links a key to an account. A key serves one account, once: a retired
// one never speaks again, and nobody can take over an account by its address.
func claim(s Writer, chainID string, account protocol.Address, key protocol.PublicKey, from uint64, proof protocol.Signature, replaced *protocol.PublicKey) error {
	if err := key.Verify(protocol.RotationDigest(chainID, account, key, from), proof); err != nil {
		return err
	}
	address := key.Address()
	if replaced == nil || *replaced != key {
		if _, taken, err := s.Get(protocol.AccountKey(address)); err != nil {
			return err
		} else if taken || address == account {
			return protocol.Refuse(protocol.CodeKeyTaken, "the key of address %s is in use, or was", address)
		}
	}
	if replaced != nil && *replaced != key {
		if err := s.Delete(protocol.AccountKey(replaced.Address())); err != nil {
			return err
		}
	}
	return s.Set(protocol.AccountKey(address), protocol.AppendKeyLink(nil, account))
}

// Revoke ends an account: no key speaks for it any more.
func Revoke(s Writer, address protocol.Address) error {
	account, err := Read(s, address)
	if err != nil {
		return err
	}
	account.Revoked = true
	return Put(s, address, &account)
}

// Recover gives an account a new key at once, whatever became of the last one,
// and takes a revocation back.
func Recover(s Writer, chainID string, address protocol.Address, key protocol.PublicKey, proof protocol.Signature) error {
	account, link, err := read(s, address)
	if err != nil {
		return err
	}
	if link != nil || account.Multisig != nil {
		return protocol.Refuse(protocol.CodeProposalTerms, "%s is no account of one key", address)
	}
	if err := claim(s, chainID, address, key, 0, proof, nil); err != nil {
		return err
	}
	account.Keys, account.Revoked = &protocol.KeyTurns{Key: key, Next: key}, false
	return Put(s, address, &account)
}
