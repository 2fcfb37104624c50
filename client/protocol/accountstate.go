package protocol

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// AccountPrefix is the first byte of the keys of accounts in the authenticated
// state: m || address. Under an address there is either the account's record,
// or the link from a later key's address to the account it speaks for. An
// account nobody gave anything to has no record.
const AccountPrefix = 'm'

// AccountKey is the state key of an account, or of a key's link.
func AccountKey(a Address) []byte {
	return append(append(make([]byte, 0, 21), AccountPrefix), a[:]...)
}

// Forms of what is under an AccountKey.
const (
	formAccount = 1
	formLink    = 2
)

// Limits of accounts.
const (
	// MaxGrants bounds the source prefixes, and the type prefixes, of a producer.
	MaxGrants = 64
	// MaxGrantBytes bounds one prefix.
	MaxGrantBytes = 256
	// MaxMembers bounds the members of a multi-signature account.
	MaxMembers = 64
	// MaxQuotaBlocks bounds the window of a quota.
	MaxQuotaBlocks = 1_000_000
	// MaxAccountName bounds the name of a multi-signature account.
	MaxAccountName = 64
)

// Account is what the ledger keeps of an account. The zero value is an account
// without a record: it has no role, and its first key speaks for it.
type Account struct {
	Roles    Roles     `json:"roles"`
	Revoked  bool      `json:"revoked,omitempty"`  // no key speaks for it
	Keys     *KeyTurns `json:"keys,omitempty"`     // nil: the key whose address it has
	Multisig *Multisig `json:"multisig,omitempty"` // nil: an account of one key
	Grants   Grants    `json:"grants,omitzero"`    // of a producer
	Quota    Quota     `json:"quota,omitzero"`     // zero: none
}

// KeyTurns says which key speaks for an account that changed it.
type KeyTurns struct {
	Key  PublicKey `json:"key"`
	Next PublicKey `json:"next"`
	From uint64    `json:"from"` // first height at which Next speaks instead of Key
}

// At is the key that speaks at a height.
func (k *KeyTurns) At(height uint64) PublicKey {
	if height >= k.From {
		return k.Next
	}
	return k.Key
}

// Multisig makes an account of several members: Threshold of them act as it.
type Multisig struct {
	Threshold uint8     `json:"threshold"`
	Members   []Address `json:"members"` // in ascending order
}

// Check holds the terms to their form.
func (m *Multisig) Check() error {
	if len(m.Members) == 0 || len(m.Members) > MaxMembers {
		return Refuse(CodeMultisigTerms, "%d members, must be 1 to %d", len(m.Members), MaxMembers)
	}
	if m.Threshold == 0 || int(m.Threshold) > len(m.Members) {
		return Refuse(CodeMultisigTerms, "%d of %d members cannot act", m.Threshold, len(m.Members))
	}
	for i, member := range m.Members {
		if member.IsZero() || i > 0 && string(member[:]) <= string(m.Members[i-1][:]) {
			return Refuse(CodeMultisigTerms, "members must be in ascending order, each once")
		}
	}
	return nil
}

func (m *Multisig) appendBinary(dst []byte) []byte {
	dst = append(dst, m.Threshold, byte(len(m.Members)))
	for _, member := range m.Members {
		dst = append(dst, member[:]...)
	}
	return dst
}

func decodeMultisig(r *reader) *Multisig {
	m := &Multisig{Threshold: r.u8("threshold")}
	for range r.u8("members") {
		var member Address
		copy(member[:], r.take(20, "member"))
		if m.Members = append(m.Members, member); r.err != nil {
			return m
		}
	}
	return m
}

// Grants are the prefixes of source and type that a producer may speak for. No
// prefix at all is all of them. A prefix is octets: end one with '/' or '.' to
// keep it to a path or a family of types.
type Grants struct {
	Sources []string `json:"sources,omitempty"`
	Types   []string `json:"types,omitempty"`
}

// IsZero says whether a producer may speak for everything.
func (g Grants) IsZero() bool { return len(g.Sources) == 0 && len(g.Types) == 0 }

// Check holds the prefixes to their form.
func (g *Grants) Check() error {
	for _, list := range [...][]string{g.Sources, g.Types} {
		if len(list) > MaxGrants {
			return Refuse(CodeProposalTerms, "%d prefixes, at most %d are possible", len(list), MaxGrants)
		}
		for i, prefix := range list {
			if prefix == "" || len(prefix) > MaxGrantBytes || !utf8.ValidString(prefix) {
				return Refuse(CodeProposalTerms, "prefix %q must be UTF-8 of 1 to %d bytes", prefix, MaxGrantBytes)
			}
			if i > 0 && prefix <= list[i-1] {
				return Refuse(CodeProposalTerms, "prefix %q: prefixes must be in ascending order, each once", prefix)
			}
		}
	}
	return nil
}

// Cover says whether an event of a source and type is covered.
func (g *Grants) Cover(source, eventType []byte) bool {
	return covers(g.Sources, source) && covers(g.Types, eventType)
}

func covers(prefixes []string, text []byte) bool {
	for _, prefix := range prefixes {
		if len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix {
			return true
		}
	}
	return len(prefixes) == 0
}

func (g *Grants) appendBinary(dst []byte) []byte {
	return appendTexts(appendTexts(dst, g.Sources), g.Types)
}

func decodeGrants(r *reader) (g Grants) {
	g.Sources, g.Types = r.texts(MaxGrants, MaxGrantBytes, "source"), r.texts(MaxGrants, MaxGrantBytes, "type")
	return g
}

func appendTexts(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, text := range list {
		dst = appendBytes(dst, text)
	}
	return dst
}

func (r *reader) texts(count, limit int, what string) []string {
	var list []string
	for range r.uvarint(uint64(count), what) {
		if list = append(list, r.string(limit, what)); r.err != nil {
			return nil
		}
	}
	return list
}

// Quota bounds what an account may use in a window of Blocks blocks: windows
// begin at the multiples of Blocks. A bound of 0 is none.
type Quota struct {
	Blocks uint64 `json:"blocks"`           // 1 to MaxQuotaBlocks; 0 with all else is no quota
	Events uint64 `json:"events,omitempty"` // accepted events of its batches
	Bytes  uint64 `json:"bytes,omitempty"`  // their records, and other transactions as signed
	Gas    uint64 `json:"gas,omitempty"`    // of what it deploys, upgrades and calls
}

// IsZero says whether there is no quota.
func (q Quota) IsZero() bool { return q == Quota{} }

// Check holds a quota to its form.
func (q Quota) Check() error {
	if q.IsZero() {
		return nil
	}
	if q.Blocks == 0 || q.Blocks > MaxQuotaBlocks {
		return Refuse(CodeProposalTerms, "a quota's window has 1 to %d blocks, not %d", MaxQuotaBlocks, q.Blocks)
	}
	if q.Events == 0 && q.Bytes == 0 && q.Gas == 0 {
		return Refuse(CodeProposalTerms, "a quota bounds events, bytes or gas")
	}
	return nil
}

// Window is the number of the window a height lies in.
func (q Quota) Window(height uint64) uint64 { return height / max(q.Blocks, 1) }

func (q Quota) appendBinary(dst []byte) []byte {
	for _, n := range [...]uint64{q.Blocks, q.Events, q.Bytes, q.Gas} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func decodeQuota(r *reader) (q Quota) {
	for _, n := range [...]*uint64{&q.Blocks, &q.Events, &q.Bytes, &q.Gas} {
		*n = r.uvarint(^uint64(0), "quota")
	}
	return q
}

// What else an account's record has, as bits.
const (
	accountRevoked = 1 << iota
	accountKeys
	accountMultisig
	accountGrants
	accountQuota
)

// AppendBinary appends the record under an AccountKey.
func (a *Account) AppendBinary(dst []byte) []byte {
	dst = append(dst, formAccount, byte(a.Roles), 0)
	flags := &dst[len(dst)-1]
	for _, part := range [...]struct {
		bit byte
		set bool
	}{
		{accountRevoked, a.Revoked}, {accountKeys, a.Keys != nil}, {accountMultisig, a.Multisig != nil},
		{accountGrants, !a.Grants.IsZero()}, {accountQuota, !a.Quota.IsZero()},
	} {
		if part.set {
			*flags |= part.bit
		}
	}
	if a.Keys != nil {
		dst = append(append(dst, a.Keys.Key[:]...), a.Keys.Next[:]...)
		dst = binary.BigEndian.AppendUint64(dst, a.Keys.From)
	}
	if a.Multisig != nil {
		dst = a.Multisig.appendBinary(dst)
	}
	if !a.Grants.IsZero() {
		dst = a.Grants.appendBinary(dst)
	}
	if !a.Quota.IsZero() {
		dst = a.Quota.appendBinary(dst)
	}
	return dst
}

// RefuseKeyAddress is the refusal of an address that is a later key's: nobody
// speaks for it, so what was given to it would be lost.
func RefuseKeyAddress(address, account Address) error {
	return Refuse(CodeKeyAddress, "%s is the address of a key that speaks for account %s; name that account", address, account)
}

// AppendKeyLink appends what is under the address of a later key: the account
// it speaks for, or spoke for.
func AppendKeyLink(dst []byte, account Address) []byte {
	return append(append(dst, formLink), account[:]...)
}

// DecodeAccount reads what is under an AccountKey; nil is the zero Account. For
// the link of a later key it answers the account linked to, and no Account.
func DecodeAccount(value []byte) (account Account, link *Address, err error) {
	if value == nil {
		return account, nil, nil
	}
	r := reader{buf: value}
	switch form := r.u8("form"); {
	case form == formLink:
		link = new(Address)
		copy(link[:], r.take(20, "account"))
		return account, link, r.malformed("key link")
	case form != formAccount:
		r.fail("form %d is not known", form)
	}
	account.Roles = Roles(r.u8("roles"))
	flags := r.u8("flags")
	if account.Roles&^allRoles != 0 || flags >= accountQuota<<1 {
		r.fail("unknown roles or flags")
	}
	account.Revoked = flags&accountRevoked != 0
	if flags&accountKeys != 0 {
		account.Keys = &KeyTurns{}
		copy(account.Keys.Key[:], r.take(33, "key"))
		copy(account.Keys.Next[:], r.take(33, "next key"))
		account.Keys.From = r.u64("height")
	}
	if flags&accountMultisig != 0 {
		account.Multisig = decodeMultisig(&r)
	}
	if flags&accountGrants != 0 {
		if account.Grants = decodeGrants(&r); account.Grants.IsZero() {
			r.fail("grants of nothing")
		}
	}
	if flags&accountQuota != 0 {
		if account.Quota = decodeQuota(&r); account.Quota.IsZero() {
			r.fail("a quota of nothing")
		}
	}
	return account, nil, r.malformed("account")
}

// ValidName says whether a text can name a thing of governance: 1 to limit
// printable characters.
func validName(text string, limit int) bool {
	return text != "" && len(text) <= limit && utf8.ValidString(text) &&
		!strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// MultisigAddress is where the account of that name lives that somebody made
// of several members.
func MultisigAddress(creator Address, name string) Address {
	return deriveAddress(tagMultisig, creator, name)
}

// checkPublicKey refuses what is no point of the curve.
func checkPublicKey(key PublicKey) error {
	var point PublicKey
	if err := point.UnmarshalText([]byte(key.String())); err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	return nil
}
