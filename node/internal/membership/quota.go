package membership

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Keys of membership beside protocol.AccountPrefix: u, then
//
//	q || account             -> what of its quota it has used: window, events, bytes, gas
//	p || index               -> act that waits for approvals, by the log index of its proposal
//	b || index               -> what was asked for, as protocol.EncodeBody writes it
//	x || account || index    -> the account's acts that wait
//	d || height || what || index -> what is over when that height begins
const (
	// Prefix is the first byte of these keys.
	Prefix = 'u'

	keyUsage    = 'q'
	keyAct      = 'p'
	keyBody     = 'b'
	keyActOf    = 'x'
	keyDeadline = 'd'
)

func own(kind byte, parts ...[]byte) []byte {
	key := append(make([]byte, 0, 48), Prefix, kind)
	for _, part := range parts {
		key = append(key, part...)
	}
	return key
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Amount is what a transaction uses of a quota.
type Amount struct{ Events, Bytes, Gas uint64 }

// Usage is what an account has used of its quota in a window.
type Usage struct {
	Window uint64 // its number
	Amount
}

// UsageKey is the state key of an account's usage.
func UsageKey(account protocol.Address) []byte { return own(keyUsage, account[:]) }

// ReadUsage answers what an account has used in the window that a height lies
// in. An account without a quota has no record.
func ReadUsage(s Reader, p *Party, height uint64) (Usage, error) {
	now := Usage{Window: p.Quota.Window(height)}
	value, ok, err := s.Get(UsageKey(p.Address))
	if err != nil || !ok {
		return now, err
	}
	if len(value) != 32 {
		return now, fmt.Errorf("membership: usage of %s is damaged", p.Address)
	}
	n := func(i int) uint64 { return binary.BigEndian.Uint64(value[8*i:]) }
	if was := (Usage{n(0), Amount{n(1), n(2), n(3)}}); was.Window == now.Window {
		now = was
	}
	return now, nil
}

// OverQuota is a refusal that says when the window ends.
type OverQuota struct {
	refusal error
	Until   uint64 // first height of the next window
}

// Error is the refusal's text.
func (e *OverQuota) Error() string { return e.refusal.Error() }

// Unwrap gives the refusal its code.
func (e *OverQuota) Unwrap() error { return e.refusal }

// Admit refuses what would go over a party's quota at a height. Of a run whose
// gas is not known yet, 1 is enough to ask for: GasLeft bounds the rest.
func Admit(s Reader, p *Party, height uint64, more Amount) error {
	if p.Quota.IsZero() {
		return nil
	}
	used, err := ReadUsage(s, p, height)
	if err != nil {
		return err
	}
	for _, b := range [...]struct {
		what              string
		limit, used, more uint64
	}{
		{"events", p.Quota.Events, used.Events, more.Events},
		{"bytes", p.Quota.Bytes, used.Bytes, more.Bytes},
		{"gas", p.Quota.Gas, used.Gas, more.Gas},
	} {
		if b.limit > 0 && b.more > b.limit-min(b.used, b.limit) {
			until := (used.Window + 1) * p.Quota.Blocks
			return &OverQuota{protocol.Refuse(protocol.CodeOverQuota, "account %s has used %d of %d %s, this takes %d; the next window begins at height %d",
				p.Address, b.used, b.limit, b.what, b.more, until), until}
		}
	}
	return nil
}

// GasLeft bounds the gas of a run: at most limit, and what the quota leaves.
func GasLeft(s Reader, p *Party, height, limit uint64) (uint64, error) {
	if p.Quota.Gas == 0 {
		return limit, nil
	}
	used, err := ReadUsage(s, p, height)
	return min(limit, p.Quota.Gas-min(used.Gas, p.Quota.Gas)), err
}

// Use counts what a party used. Without a quota nothing is kept.
func Use(s Writer, p *Party, height uint64, more Amount) error {
	if p.Quota.IsZero() {
		return nil
	}
	used, err := ReadUsage(s, p, height)
	if err != nil {
		return err
	}
	out := make([]byte, 0, 32)
	for _, n := range [...]uint64{used.Window, used.Events + more.Events, used.Bytes + more.Bytes, used.Gas + more.Gas} {
		out = binary.BigEndian.AppendUint64(out, n)
	}
	return s.Set(UsageKey(p.Address), out)
}

// SetQuota gives an account a quota, or none. Another window begins anew.
func SetQuota(s Writer, address protocol.Address, quota protocol.Quota) error {
	account, err := Own(s, address)
	if err != nil {
		return err
	}
	if quota.Blocks != account.Quota.Blocks {
		if err := s.Delete(UsageKey(address)); err != nil {
			return err
		}
	}
	account.Quota = quota
	return Put(s, address, &account)
}
