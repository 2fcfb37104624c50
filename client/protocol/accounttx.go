package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// AccountOp is what a transaction of kind TxAccount does.
type AccountOp uint8

// Operations on accounts. The numbers are part of the protocol.
const (
	AccountRotate  AccountOp = 1 // another key speaks for the sender from a height on
	AccountRevoke  AccountOp = 2 // no key speaks for the sender any more
	AccountCreate  AccountOp = 3 // make an account of several members
	AccountChange  AccountOp = 4 // such an account changes its members and threshold
	AccountPropose AccountOp = 5 // a member asks the others to act as the account
	AccountApprove AccountOp = 6 // a member agrees; enough of them make it happen

	// Only the ledger itself makes this.
	AccountExpire AccountOp = 16 // what a member asked for was not agreed to in time
)

var accountOpNames = map[AccountOp]string{
	AccountRotate: "rotate", AccountRevoke: "revoke", AccountCreate: "create", AccountChange: "change",
	AccountPropose: "propose", AccountApprove: "approve", AccountExpire: "expire",
}

// String is the operation's published name.
func (o AccountOp) String() string {
	if name, ok := accountOpNames[o]; ok {
		return name
	}
	return fmt.Sprintf("operation-%d", uint8(o))
}

// MarshalText renders the published name.
func (o AccountOp) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads a published name.
func (o *AccountOp) UnmarshalText(text []byte) error {
	for op, name := range accountOpNames { // names differ: order does not matter
		if name == string(text) {
			*o = op
			return nil
		}
	}
	return fmt.Errorf("operation %q on accounts is not known", text)
}

// Rotate gives the sender another key. Until the block before From its present
// key speaks for it, from From on the new one; the address stays. A rotation
// that is still ahead is replaced.
type Rotate struct {
	Key  PublicKey
	From uint64 // height, after the block that executes this
	// Proof is the new key's signature of RotationDigest: nobody can bind
	// another's key to an account of his.
	Proof Signature
}

// RotationDigest is what a new key signs to speak for an account. A recovery
// by the council has from 0.
func RotationDigest(chainID string, account Address, key PublicKey, from uint64) Hash {
	b := appendBytes(append(make([]byte, 0, 128), tagRotate...), chainID)
	b = append(append(b, account[:]...), key[:]...)
	return sha256.Sum256(binary.BigEndian.AppendUint64(b, from))
}

// NewRotate makes the body by which an account's key is followed by another.
func NewRotate(chainID string, account Address, next PrivateKey, from uint64) *Rotate {
	key := next.Public()
	return &Rotate{Key: key, From: from, Proof: next.Sign(RotationDigest(chainID, account, key, from))}
}

// Revoke ends the sender: no key speaks for it any more, until the council
// gives it one.
type Revoke struct{}

// CreateMultisig makes the account MultisigAddress(sender, Name), as which
// Threshold of Members act together.
type CreateMultisig struct {
	Name string
	Multisig
}

// ChangeMultisig gives the sender, which is such an account, other members.
// What waits for approval is counted by the new ones.
type ChangeMultisig struct{ Multisig }

// ProposeAct asks the members of an account to act as it. It counts as the
// sender's approval.
type ProposeAct struct {
	Account Address
	Expiry  uint64 // last height at which it may be agreed to
	Body    Body   // no batch, and no act of another such account
}

// ApproveAct agrees to an act that was proposed. The one that makes the
// threshold full executes it; where that is refused, so is the approval.
type ApproveAct struct {
	Act uint64 // log index of the proposing entry
}

// Kind is TxAccount.
func (*Rotate) Kind() TxKind { return TxAccount }

// Kind is TxAccount.
func (*Revoke) Kind() TxKind { return TxAccount }

// Kind is TxAccount.
func (*CreateMultisig) Kind() TxKind { return TxAccount }

// Kind is TxAccount.
func (*ChangeMultisig) Kind() TxKind { return TxAccount }

// Kind is TxAccount.
func (*ProposeAct) Kind() TxKind { return TxAccount }

// Kind is TxAccount.
func (*ApproveAct) Kind() TxKind { return TxAccount }

func (b *Rotate) appendBody(dst []byte) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	dst = append(append(dst, byte(AccountRotate)), b.Key[:]...)
	return append(binary.BigEndian.AppendUint64(dst, b.From), b.Proof[:]...), nil
}

func (b *Rotate) check() error {
	if err := checkPublicKey(b.Key); err != nil {
		return Refuse(CodeMalformed, "rotate: %v", err)
	}
	return nil
}

func (b *Revoke) appendBody(dst []byte) ([]byte, error) {
	return append(dst, byte(AccountRevoke)), nil
}

func (b *CreateMultisig) check() error {
	if !validName(b.Name, MaxAccountName) {
		return Refuse(CodeMultisigTerms, "name %q: must be 1 to %d printable characters", b.Name, MaxAccountName)
	}
	return b.Multisig.Check()
}

func (b *CreateMultisig) appendBody(dst []byte) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	return b.Multisig.appendBinary(appendBytes(append(dst, byte(AccountCreate)), b.Name)), nil
}

func (b *ChangeMultisig) appendBody(dst []byte) ([]byte, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	return b.Multisig.appendBinary(append(dst, byte(AccountChange))), nil
}

// check refuses what an account of several members cannot do: batches, whose
// streams want one writer, relays, which anybody can send, and acts inside acts.
func (b *ProposeAct) check() error {
	switch b.Body.(type) {
	case nil, *Batch, *Relay, *Rotate, *Revoke, *CreateMultisig, *ProposeAct, *ApproveAct:
		return Refuse(CodeMultisigTerms, "an account of several members cannot do %T", b.Body)
	}
	return nil
}

func (b *ProposeAct) appendBody(dst []byte) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	dst = append(append(dst, byte(AccountPropose)), b.Account[:]...)
	dst = binary.BigEndian.AppendUint64(dst, b.Expiry)
	return b.Body.appendBody(append(dst, byte(b.Body.Kind())))
}

func (b *ApproveAct) appendBody(dst []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint64(append(dst, byte(AccountApprove)), b.Act), nil
}

// decodeAccountTx reads the body of a TxAccount.
func decodeAccountTx(r *reader) (Body, error) {
	switch op := AccountOp(r.u8("operation")); op {
	case AccountRotate:
		b := &Rotate{}
		copy(b.Key[:], r.take(33, "key"))
		b.From = r.u64("height")
		copy(b.Proof[:], r.take(SignatureBytes, "proof"))
		if err := r.malformed("rotate"); err != nil {
			return nil, err
		}
		return b, b.check()
	case AccountRevoke:
		return &Revoke{}, r.malformed("revoke")
	case AccountCreate:
		b := &CreateMultisig{Name: r.string(MaxAccountName, "name"), Multisig: *decodeMultisig(r)}
		if err := r.malformed("create"); err != nil {
			return nil, err
		}
		return b, b.check()
	case AccountChange:
		b := &ChangeMultisig{*decodeMultisig(r)}
		if err := r.malformed("change"); err != nil {
			return nil, err
		}
		return b, b.Check()
	case AccountPropose:
		b := &ProposeAct{}
		copy(b.Account[:], r.take(20, "account"))
		b.Expiry = r.u64("expiry")
		kind := TxKind(r.u8("kind"))
		if r.err != nil {
			return nil, r.malformed("propose")
		}
		if kind == TxAccount && r.off < len(r.buf) && AccountOp(r.buf[r.off]) != AccountChange {
			return nil, Refuse(CodeMultisigTerms, "an account of several members cannot %s", AccountOp(r.buf[r.off])) // and nothing nests
		}
		var err error
		if b.Body, err = decodeBody(kind, r); err != nil {
			return nil, err
		}
		return b, b.check()
	case AccountApprove:
		return &ApproveAct{Act: r.u64("act")}, r.malformed("approve")
	default:
		return nil, Refuse(CodeMalformed, "account: operation %d is not known", op)
	}
}

// EncodeBody is a body's bytes without the transaction around it, preceded by
// its kind; DecodeBody reads them.
func EncodeBody(body Body) ([]byte, error) { return body.appendBody([]byte{byte(body.Kind())}) }

// DecodeBody reads what EncodeBody writes.
func DecodeBody(encoded []byte) (Body, error) {
	r := reader{buf: encoded}
	return decodeBody(TxKind(r.u8("kind")), &r)
}
