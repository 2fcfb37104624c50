package proof

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Testimony is what one ledger shows another: entries of its log, and how the
// validators that signed for them follow from a set that is trusted. It brings
// the sets along, so that whoever trusts a set has to keep its hash alone.
type Testimony struct {
	ChainID    string
	Validators []Validator   // the trusted set, in any order
	Steps      []TrustStep   // from it to the set that signed the receipt
	Receipt    *BatchReceipt // nil: only the steps
}

// Limits of a testimony. They bound what it costs to verify one.
const (
	MaxTestimonySteps      = 64
	MaxTestimonySet        = protocol.MaxValidators
	MaxTestimonySignatures = 1_000
)

// Work is what verifying a testimony takes, known before it is begun.
type Work struct {
	Signatures uint64
	Validators uint64 // of all its sets, each to be hashed and sorted
	Entries    uint64
}

// Work counts what is to be verified.
func (t *Testimony) Work() Work {
	w := Work{Validators: uint64(len(t.Validators))}
	for i := range t.Steps {
		w.Signatures += uint64(len(t.Steps[i].Commit.Signatures))
		w.Validators += uint64(len(t.Steps[i].Next))
	}
	if t.Receipt != nil {
		w.Signatures += uint64(len(t.Receipt.Commit.Signatures))
		w.Entries = uint64(len(t.Receipt.Entries))
	}
	return w
}

// VerifiedTestimony is one whose every signature and hash holds, given that
// its first set is to be trusted. Whether it is, Follow says.
type VerifiedTestimony struct {
	*Testimony
	sets   []Anchor        // the first, and that after each step
	hashes []protocol.Hash // of the sets
}

// Verify checks every signature and every hash. It is a pure function: which
// set is trusted, and what time it is, are left to Follow.
func (t *Testimony) Verify() (*VerifiedTestimony, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	set, err := NewAnchor(t.ChainID, t.Validators)
	if err != nil {
		return nil, err
	}
	v := &VerifiedTestimony{Testimony: t, sets: []Anchor{set}, hashes: []protocol.Hash{set.SetHash()}}
	for i := range t.Steps {
		if set, err = t.Steps[i].Verify(set); err != nil {
			return nil, fmt.Errorf("step %d, at height %d: %w", i, t.Steps[i].Commit.Height, err)
		}
		v.sets, v.hashes = append(v.sets, set), append(v.hashes, set.SetHash())
	}
	if t.Receipt != nil {
		if _, err := t.Receipt.Verify(set); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// SetHash names the set that has to be trusted.
func (t *Testimony) SetHash() (protocol.Hash, error) {
	set, err := NewAnchor(t.ChainID, t.Validators)
	return set.SetHash(), err
}

// Followed is a trusted set without its members.
type Followed struct {
	Set   protocol.Hash
	Since uint64    // first height it signs
	Seen  uint64    // last height at which it is known to have signed, or Since
	At    time.Time // of the block at Seen
}

// Follow answers the set that is trusted after the testimony, from the one
// trusted before it, by the rules of Trust.Extend. Beyond those, also what has
// no steps is refused where the trusted set is older than period: its members
// may have left, and have nothing to lose.
func (v *VerifiedTestimony) Follow(from Followed, now time.Time, period time.Duration) (Followed, error) {
	if from.Set != v.hashes[0] {
		return from, fmt.Errorf("%w: it begins with the set %s, trusted is %s", ErrAnchor, v.hashes[0], from.Set)
	}
	point := TrustPoint{v.sets[0], from.Since, from.Seen, from.At}
	if err := point.fresh(now, period); err != nil {
		return from, err
	}
	for i := range v.Steps {
		var err error
		if point, _, err = point.after(&v.Steps[i], v.sets[i+1], v.hashes[i] == v.hashes[i+1]); err != nil {
			return from, fmt.Errorf("step %d: %w", i, err)
		}
	}
	if r := v.Receipt; r != nil && r.Commit.Height < point.Since {
		return from, fmt.Errorf("%w: height %d, trusted from %d on", ErrEarly, r.Commit.Height, point.Since)
	}
	return Followed{v.hashes[len(v.hashes)-1], point.Since, point.Seen, point.At}, nil
}

// check bounds what it takes to verify the testimony, and refuses what could
// be written in two ways.
func (t *Testimony) check() error {
	if err := checkChainID(t.ChainID); err != nil {
		return err
	}
	if len(t.Steps) > MaxTestimonySteps || len(t.Steps) == 0 && t.Receipt == nil {
		return fmt.Errorf("%w: %d steps, at most %d are allowed, and none only with a receipt", ErrForm, len(t.Steps), MaxTestimonySteps)
	}
	if len(t.Validators) > MaxTestimonySet {
		return fmt.Errorf("%w: %d validators, over the limit %d", ErrForm, len(t.Validators), MaxTestimonySet)
	}
	signatures := 0
	for i := range t.Steps {
		s := &t.Steps[i]
		if len(s.Next) > MaxTestimonySet || len(s.Beside) != s.beside() {
			return fmt.Errorf("%w: step %d has %d validators, at most %d are allowed, and %d hashes, must be %d", ErrForm, i, len(s.Next), MaxTestimonySet, len(s.Beside), s.beside())
		}
		if err := s.Commit.check(); err != nil {
			return err
		}
		signatures += len(s.Commit.Signatures)
	}
	if t.Receipt != nil {
		if err := t.Receipt.check(); err != nil {
			return err
		}
		signatures += len(t.Receipt.Commit.Signatures)
	}
	if signatures > MaxTestimonySignatures {
		return fmt.Errorf("%w: %d signatures, over the limit %d", ErrForm, signatures, MaxTestimonySignatures)
	}
	return nil
}

// Binary form of a testimony. Numbers are minimal LEB128 unless said otherwise.
//
//	"cairn/tm" | version 1 | chain id | set | number of steps | steps |
//	u8 1 and the receipt's binary form behind its length, or u8 0
//	set:  number | for each: key | power; 0: the set before it stays
//	step: u8 1 where it skips, else 0 | time (8 bytes) | hashes beside (4 or 5) |
//	      commit, as in a receipt | set
const (
	testimonyMagic   = "cairn/tm"
	testimonyVersion = 1
)

// MarshalBinary is the testimony's binary form. It does not verify.
func (t *Testimony) MarshalBinary() ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	return t.appendBinary(nil), nil
}

func (t *Testimony) appendBinary(dst []byte) []byte {
	dst = appendBytes(append(append(dst, testimonyMagic...), testimonyVersion), t.ChainID)
	dst = appendSet(dst, nil, t.Validators)
	dst = binary.AppendUvarint(dst, uint64(len(t.Steps)))
	before := t.Validators
	for i := range t.Steps {
		s := &t.Steps[i]
		skip := byte(0)
		if s.Skip {
			skip = 1
		}
		dst = binary.BigEndian.AppendUint64(append(dst, skip), uint64(s.TimeNs))
		dst = s.Commit.appendBinary(appendHashes(dst, s.Beside), s.TimeNs)
		dst = appendSet(dst, before, s.Next)
		before = s.Next
	}
	if t.Receipt == nil {
		return append(dst, 0)
	}
	body := t.Receipt.appendBody(nil)
	digest := digestOf(body)
	return appendBytes(append(dst, 1), append(body, digest[:]...))
}

// appendSet appends a set, or that it is the one before.
func appendSet(dst []byte, before, set []Validator) []byte {
	if sameSet(before, set) {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(set)))
	for _, v := range set {
		dst = binary.AppendUvarint(append(dst, v.PubKey[:]...), v.Power)
	}
	return dst
}

func sameSet(a, b []Validator) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// set reads a set, or answers the one before.
func (c *cursor) set(before []Validator) []Validator {
	n := c.uvarint(MaxTestimonySet, "number of validators")
	if n == 0 {
		return before
	}
	if left := uint64(len(c.buf) - c.off); n > left/33 { // a key and at least one byte of power each
		c.fail("%d validators need %d bytes, %d are left", n, 33*n, left)
		return nil
	}
	set := make([]Validator, n)
	for i := range set {
		copy(set[i].PubKey[:], c.take(32, "validator"))
		set[i].Power = c.uvarint(MaxTotalPower, "power")
	}
	return set
}

func (c *cursor) step(before []Validator) (s TrustStep) {
	switch skip := c.u8("step"); skip {
	case 0, 1:
		s.Skip = skip == 1
	default:
		c.fail("step %d is not known", skip)
	}
	if b := c.take(8, "time"); b != nil {
		s.TimeNs = int64(binary.BigEndian.Uint64(b))
	}
	s.Beside = c.hashes(uint64(s.beside()), "hashes beside")
	s.Commit = c.commit(s.TimeNs)
	s.Next = c.set(before)
	return s
}

// ParseTestimony reads the binary form. The answer shares no memory with b and
// encodes to exactly b again. It does not verify.
func ParseTestimony(b []byte) (*Testimony, error) {
	if len(b) > MaxReceiptBytes {
		return nil, fmt.Errorf("%w: %d bytes, over the limit %d", ErrForm, len(b), MaxReceiptBytes)
	}
	if !bytes.HasPrefix(b, []byte(testimonyMagic)) {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrForm, testimonyMagic)
	}
	c := cursor{buf: b, off: len(testimonyMagic)}
	if v := c.u8("version"); v != testimonyVersion {
		c.fail("version %d is not known", v)
	}
	t := &Testimony{ChainID: string(c.bytes(protocol.MaxChainID, "chain id")), Validators: c.set(nil)}
	before := t.Validators
	for range c.uvarint(MaxTestimonySteps, "number of steps") {
		t.Steps = append(t.Steps, c.step(before))
		if c.err != nil {
			return nil, c.err
		}
		before = t.Steps[len(t.Steps)-1].Next
	}
	switch form := c.u8("receipt"); form {
	case 0:
	case 1:
		body := c.take(c.uvarint(MaxReceiptBytes, "length of the receipt"), "receipt")
		if c.err != nil {
			return nil, c.err
		}
		var err error
		if t.Receipt, err = parseBatchBinary(body); err != nil {
			return nil, err
		}
	default:
		c.fail("form %d of a receipt is not known", form)
	}
	if err := c.end(); err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	if again := t.appendBinary(nil); !bytes.Equal(again, b) { // a set was written out that stays
		return nil, fmt.Errorf("%w: from byte %d on", ErrCanonical, firstDifference(again, b))
	}
	return t, nil
}
