package bank

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// termsKey is the state key of a hold, stream or schedule.
func termsKey(kind protocol.TokenKind, id uint64) []byte {
	switch kind {
	case protocol.TokenHold:
		return protocol.HoldKey(id)
	case protocol.TokenStream:
		return protocol.TokenStreamKey(id)
	default:
		return protocol.ScheduleKey(id)
	}
}

// ReadTerms finds a hold, stream or schedule; a refusal says there is none.
func ReadTerms(s Reader, kind protocol.TokenKind, id uint64) (*protocol.TokenTerms, error) {
	key := termsKey(kind, id)
	value, ok, err := s.Get(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, protocol.Refuse(protocol.CodeTokenIDUnknown, "no %s has the id %d", kind, id)
	}
	t, err := protocol.DecodeTokenTerms(id, value)
	if err != nil {
		return nil, damaged(key, err)
	}
	return t, nil
}

// open gives new terms their id and keeps them, from its payer's units.
func (b *Bank) open(t *protocol.TokenTerms, was protocol.Balance, due uint64) error {
	last, err := number(b.state, own(keyLastID))
	if err != nil {
		return err
	}
	t.ID, t.Origin = last+1, b.Origin
	if err := b.state.Set(own(keyLastID), u64(t.ID)); err != nil {
		return err
	}
	if held := t.Held(); held > 0 {
		b.count(t.Asset, held)
		if err := b.setAmount(t.From, t.Asset, was, was.Amount-held); err != nil {
			return err
		}
	}
	if err := b.parties(t, +1); err != nil {
		return err
	}
	if due != 0 {
		if err := b.setDue(due, t); err != nil {
			return err
		}
	}
	return b.putTerms(t)
}

func (b *Bank) putTerms(t *protocol.TokenTerms) error {
	return b.state.Set(termsKey(t.Kind, t.ID), t.AppendBinary(nil))
}

// close forgets terms. Whoever closes them has paid out what they held.
func (b *Bank) close(t *protocol.TokenTerms, due uint64) error {
	if due != 0 {
		if err := b.clearDue(due, t.ID); err != nil {
			return err
		}
	}
	if err := b.parties(t, -1); err != nil {
		return err
	}
	return b.state.Delete(termsKey(t.Kind, t.ID))
}

// room refuses an account that has as many terms as it can.
func (b *Bank) room(account protocol.Address) error {
	n, err := number(b.state, own(keyTerms, account[:]))
	if err == nil && n >= maxTerms {
		err = protocol.Refuse(protocol.CodeTokenLimit, "%s has %d holds, streams and schedules", account, n)
	}
	return err
}

// parties adds the terms to what its accounts can list, or takes them off.
func (b *Bank) parties(t *protocol.TokenTerms, change int) error {
	id := u64(t.ID)
	for i, party := range [...]protocol.Address{t.From, t.To, t.Controller} {
		if party == (protocol.Address{}) || i > 0 && party == t.From || i > 1 && party == t.To {
			continue
		}
		key := own(protocol.BankParty, party[:], []byte{byte(t.Kind)}, id)
		err := b.state.Delete(key)
		if change > 0 {
			err = b.state.Set(key, []byte{1})
		}
		if err != nil {
			return err
		}
	}
	key := own(keyTerms, t.From[:])
	n, err := number(b.state, key)
	if err != nil {
		return err
	}
	if n += uint64(change); n == 0 {
		return b.state.Delete(key)
	}
	return b.state.Set(key, u64(n))
}

// setDue has terms looked at in the first block of a time or later.
func (b *Bank) setDue(due uint64, t *protocol.TokenTerms) error {
	first, err := number(b.state, own(keyFirst))
	if err != nil {
		return err
	}
	if first == 0 || due < first {
		if err := b.state.Set(own(keyFirst), u64(due)); err != nil {
			return err
		}
	}
	return b.state.Set(own(keyDue, u64(due), u64(t.ID)), []byte{byte(t.Kind)})
}

func (b *Bank) clearDue(due, id uint64) error {
	if err := b.state.Delete(own(keyDue, u64(due), u64(id))); err != nil {
		return err
	}
	if first, err := number(b.state, own(keyFirst)); err != nil || first < due {
		return err
	}
	rest, err := b.state.Scan(own(keyDue), nil, 1)
	switch {
	case err != nil:
		return err
	case len(rest) == 0:
		return b.state.Delete(own(keyFirst))
	}
	return b.state.Set(own(keyFirst), rest[0].Key[2:10])
}

// Due does what the time has come for: holds expire, streams end, scheduled
// payments are made; at most limit of them, the earliest first. What is left
// is done by the next block.
func (b *Bank) Due(limit int) error {
	first, err := number(b.state, own(keyFirst))
	if err != nil || first == 0 || first > b.timeMs {
		return err
	}
	page, err := b.state.Scan(own(keyDue), nil, limit)
	if err != nil {
		return err
	}
	for _, kv := range page {
		if len(kv.Key) != 18 || len(kv.Value) != 1 {
			return damaged(kv.Key, fmt.Errorf("%d bytes", len(kv.Value)))
		}
		due, id := binary.BigEndian.Uint64(kv.Key[2:]), binary.BigEndian.Uint64(kv.Key[10:])
		if due > b.timeMs {
			return nil
		}
		if err := b.fall(protocol.TokenKind(kv.Value[0]), due, id); err != nil {
			return err
		}
	}
	return nil
}

// fall does what one time has come for.
func (b *Bank) fall(kind protocol.TokenKind, due, id uint64) error {
	t, err := ReadTerms(b.state, kind, id)
	if err != nil {
		return damaged(termsKey(kind, id), err)
	}
	outer := b.Origin
	b.Origin = t.Origin
	switch kind {
	case protocol.TokenHold:
		err = b.giveBack(protocol.Address{}, t)
	case protocol.TokenStream:
		err = b.payStream(protocol.Address{}, t, t.Amount)
	default:
		err = b.payScheduled(t, due)
	}
	b.Origin = outer
	return b.assert(kind, err)
}
