package protocol

import "encoding/binary"

// LedgerPrefix is the first byte of the state's keys of other ledgers.
//
//	y l || name                   -> LedgerRecord
//	y i || ledger's address       -> name
//	y r || ledger's address || u64 index / 256 -> 32 bytes: which of those 256
//	                                 entries were relayed, the first one the most
//	                                 significant bit of the first byte
const LedgerPrefix = 'y'

// Second bytes of those keys.
const (
	LedgerKeyRecord  = 'l'
	LedgerKeyAddress = 'i'
	LedgerKeyRelayed = 'r'
)

// LedgerKey is the state key of a registered ledger's record.
func LedgerKey(name string) []byte { return append([]byte{LedgerPrefix, LedgerKeyRecord}, name...) }

// LedgerAddressKey is the state key of the name that a ledger has.
func LedgerAddressKey(a Address) []byte {
	return append([]byte{LedgerPrefix, LedgerKeyAddress}, a[:]...)
}

// RelayedEntries is how many entries one RelayedKey tells of.
const RelayedEntries = 256

// RelayedKey is the state key that tells which entries were relayed, for the
// run of RelayedEntries that has this index.
func RelayedKey(a Address, index uint64) []byte {
	key := append([]byte{LedgerPrefix, LedgerKeyRelayed}, a[:]...)
	return binary.BigEndian.AppendUint64(key, index/RelayedEntries)
}

// RelayedBit says where under its RelayedKey an entry stands.
func RelayedBit(index uint64) (at int, bit byte) {
	return int(index % RelayedEntries / 8), 0x80 >> (index % 8)
}

// Bounds of a ledger's terms.
const (
	MinTrustPeriodMs = 60_000
	MaxTrustPeriodMs = 10 * 366 * 86_400_000
	maxLedgerTimeMs  = 1<<47 - 1
)

// LedgerTerms say whom the council trusts to speak for another ledger.
type LedgerTerms struct {
	ChainID string `json:"chainId"`
	Genesis Hash   `json:"genesisHash"` // of its founding document
	// Set is the CometBFT hash of a validator set that signs from the height
	// Since on, and AtMs when that was. Zeros in a change leave what is trusted
	// as it is.
	Set   Hash   `json:"set,omitzero"`
	Since uint64 `json:"since,omitempty"`
	AtMs  uint64 `json:"atMs,omitempty"`
	// PeriodMs is the trusting period: a set that was seen to sign longer ago
	// is not believed any more.
	PeriodMs uint64 `json:"periodMs"`
	MaxAgeMs uint64 `json:"maxAgeMs,omitempty"` // of an entry when it is relayed; 0 sets no bound
}

// IsZero says whether there are none.
func (t LedgerTerms) IsZero() bool { return t == LedgerTerms{} }

// Address stands for the ledger.
func (t *LedgerTerms) Address() Address { return LedgerAddress(t.ChainID, t.Genesis) }

func (t *LedgerTerms) check() error {
	switch {
	case t.ChainID == "" || len(t.ChainID) > MaxChainID:
		return Refuse(CodeProposalTerms, "ledger: a chain id has 1 to %d characters", MaxChainID)
	case t.Genesis.IsZero():
		return Refuse(CodeProposalTerms, "ledger: the hash of the founding document is missing")
	case t.Set.IsZero() != (t.Since == 0) || t.Set.IsZero() != (t.AtMs == 0):
		return Refuse(CodeProposalTerms, "ledger: a validator set goes with the height and time it signs from")
	case t.AtMs > maxLedgerTimeMs || t.Since >= 1<<53:
		return Refuse(CodeProposalTerms, "ledger: height or time are over their limit")
	case t.PeriodMs < MinTrustPeriodMs || t.PeriodMs > MaxTrustPeriodMs || t.MaxAgeMs > MaxTrustPeriodMs:
		return Refuse(CodeProposalTerms, "ledger: the trusting period is %d to %d ms, the greatest age at most that", MinTrustPeriodMs, uint64(MaxTrustPeriodMs))
	}
	return nil
}

func (t *LedgerTerms) appendBinary(dst []byte) []byte {
	dst = appendBytes(dst, t.ChainID)
	dst = append(append(dst, t.Genesis[:]...), t.Set[:]...)
	for _, n := range [...]uint64{t.Since, t.AtMs, t.PeriodMs, t.MaxAgeMs} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func decodeLedgerTerms(r *reader) (t LedgerTerms) {
	t.ChainID = r.string(MaxChainID, "chain id")
	copy(t.Genesis[:], r.take(32, "genesis hash"))
	copy(t.Set[:], r.take(32, "set"))
	for _, n := range [...]*uint64{&t.Since, &t.AtMs, &t.PeriodMs, &t.MaxAgeMs} {
		*n = r.uvarint(^uint64(0), "ledger")
	}
	return t
}

// LedgerRecord is what the ledger keeps of another one: its terms, where Set,
// Since and AtMs are those of the newest validator set that is trusted, and how
// far it has come.
type LedgerRecord struct {
	Name string `json:"name"` // of the key, not the record
	LedgerTerms
	Seen      uint64 `json:"seen"` // last height at which the set is known to have signed
	Accept    Grants `json:"accept"`
	Quota     Quota  `json:"quota,omitzero"`
	Suspended bool   `json:"suspended"`
	Relayed   uint64 `json:"relayed"`  // entries
	Next      uint64 `json:"next"`     // the index after the greatest of theirs
	Proposal  uint64 `json:"proposal"` // that last set the terms
}

// AppendBinary appends the record under a LedgerKey.
func (l *LedgerRecord) AppendBinary(dst []byte) []byte {
	dst = l.LedgerTerms.appendBinary(dst)
	dst = binary.AppendUvarint(dst, l.Seen)
	dst = l.Quota.appendBinary(l.Accept.appendBinary(dst))
	dst = append(dst, flagByte(l.Suspended))
	for _, n := range [...]uint64{l.Relayed, l.Next, l.Proposal} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

// DecodeLedger reads what is under a LedgerKey.
func DecodeLedger(name string, value []byte) (*LedgerRecord, error) {
	r := reader{buf: value}
	l := &LedgerRecord{Name: name, LedgerTerms: decodeLedgerTerms(&r)}
	l.Seen = r.uvarint(^uint64(0), "seen")
	l.Accept, l.Quota = decodeGrants(&r), decodeQuota(&r)
	l.Suspended = r.flag("suspended")
	for _, n := range [...]*uint64{&l.Relayed, &l.Next, &l.Proposal} {
		*n = r.uvarint(^uint64(0), "count")
	}
	return l, r.malformed("ledger")
}
