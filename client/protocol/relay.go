package protocol

import (
	"crypto/sha256"
	"encoding/binary"
)

// MaxLedgerName bounds the name by which a ledger knows another.
const MaxLedgerName = 32

// MaxForeignRecord bounds the record of an event of another ledger: with what
// stands beside it, a receipt still carries it.
const MaxForeignRecord = MaxRecordBytes - 512

// CheckLedgerName refuses what is no name of a ledger.
func CheckLedgerName(name string) error {
	ok := name != "" && len(name) <= MaxLedgerName
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z'
		ok = ok && (letter || i > 0 && (c >= '0' && c <= '9' || c == '-'))
	}
	if !ok {
		return Refuse(CodeProposalTerms, "ledger %.40q: a name has 1 to %d of a-z, 0-9 and -, a letter first", name, MaxLedgerName)
	}
	return nil
}

// LedgerAddress stands for another ledger: the origin of what it is the source
// of. No key and no contract has such an address, so nobody else can be it.
func LedgerAddress(chainID string, genesis Hash) Address {
	b := appendBytes(append(make([]byte, 0, 128), tagLedger...), chainID)
	sum := sha256.Sum256(append(b, genesis[:]...))
	return Address(sum[:20])
}

// LedgerStream stands in entries for the name that the ledger has here.
func LedgerStream(name string) StreamID {
	sum := sha256.Sum256([]byte(tagLedgerName + name))
	return StreamID(sum[:16])
}

// Relay shows events of another ledger. Whoever sends it vouches for nothing:
// the testimony proves them.
type Relay struct {
	Ledger    string // its name here
	Testimony []byte // package proof reads it
}

// Kind is TxRelay.
func (*Relay) Kind() TxKind { return TxRelay }

func (b *Relay) check() error {
	if err := CheckLedgerName(b.Ledger); err != nil {
		return Refuse(CodeMalformed, "relay: %v", err)
	}
	if len(b.Testimony) == 0 {
		return Refuse(CodeMalformed, "relay: the testimony is empty")
	}
	return nil
}

func (b *Relay) appendBody(dst []byte) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	return appendBytes(appendBytes(dst, b.Ledger), b.Testimony), nil
}

func decodeRelay(r *reader) (*Relay, error) {
	b := &Relay{Ledger: r.string(MaxLedgerName, "ledger"), Testimony: append([]byte(nil), r.bytes(MaxTxBytes, "testimony")...)}
	if err := r.malformed("relay"); err != nil {
		return nil, err
	}
	return b, b.check()
}

// ForeignAct is the payload of an EntryForeign: an event of another ledger,
// and where it stands there.
type ForeignAct struct {
	Ledger  string    `json:"ledger"` // its name here
	ChainID string    `json:"chainId"`
	Index   uint64    `json:"index"`  // of the entry in that ledger's log
	Height  uint64    `json:"height"` // of the block there that appended it
	TimeMs  uint64    `json:"timeMs"` // that block's
	Kind    EntryKind `json:"kind"`   // event or emitted
	Origin  Address   `json:"origin"` // producer or contract there
	Leaf    Hash      `json:"leaf"`   // leaf hash of the entry there
	TxID    Hash      `json:"txId"`   // the transaction that showed it here
	Record  []byte    `json:"-"`      // the event's
}

// AppendBinary appends the act's canonical bytes.
func (a *ForeignAct) AppendBinary(dst []byte) []byte {
	dst = appendBytes(append(dst, byte(EntryForeign)), a.Ledger)
	dst = appendBytes(dst, a.ChainID)
	for _, n := range [...]uint64{a.Index, a.Height, a.TimeMs} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	dst = append(append(dst, byte(a.Kind)), a.Origin[:]...)
	dst = append(append(dst, a.Leaf[:]...), a.TxID[:]...)
	return appendBytes(dst, a.Record)
}

// Event is the event.
func (a *ForeignAct) Event() (Event, error) { return DecodeRecord(a.Record) }

func decodeForeignAct(r *reader) (*ForeignAct, error) {
	a := &ForeignAct{Ledger: r.string(MaxLedgerName, "ledger"), ChainID: r.string(MaxChainID, "chain id")}
	a.Index, a.Height, a.TimeMs = r.u64("index"), r.u64("height"), r.u64("time")
	a.Kind = EntryKind(r.u8("kind"))
	copy(a.Origin[:], r.take(20, "origin"))
	copy(a.Leaf[:], r.take(32, "leaf"))
	copy(a.TxID[:], r.take(32, "transaction id"))
	a.Record = append([]byte(nil), r.bytes(MaxForeignRecord, "record")...)
	if err := r.malformed("foreign act"); err != nil {
		return nil, err
	}
	if a.Kind != EntryEvent && a.Kind != EntryEmitted {
		return nil, Refuse(CodeMalformed, "foreign act: an entry of kind %s holds no event", a.Kind)
	}
	if err := CheckLedgerName(a.Ledger); err != nil {
		return nil, Refuse(CodeMalformed, "foreign act: %v", err)
	}
	_, err := DecodeRecord(a.Record)
	return a, err
}
