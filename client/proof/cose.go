package proof

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// A COSE Receipt (RFC 9942) is a COSE_Sign1 message over the log's root, with
// the inclusion proof in its unprotected header:
//
//	18([ << {1: -8, 15: {1: origin, 2: size as text}, 395: 1} >>,
//	     {4: kid, 396: {-1: [ << [size, index, [+ hash]] >> ]},
//	      "cairn-entry": opening, "cairn-signatures": [* [kid, signature]]},
//	     nil, signature ])
//
// The format has one signer. Since the protected header is the same for every
// validator, the others' signatures over the same octets stand in a label of
// our own, which other readers pass over: they take one validator's word,
// this package asks for more than two thirds.
const (
	coseEntry      = "cairn-entry"
	coseSignatures = "cairn-signatures"
)

// Octets of the receipt that never differ.
var (
	cosePrefix = []byte{0xd2, 0x84}                         // tag 18, array of 4
	coseKid    = []byte{0x04}                               // label 4
	coseProofs = []byte{0x19, 0x01, 0x8c, 0xa1, 0x20, 0x81} // 396: {-1: [
)

// CoseReceipt is a receipt that others verify as a COSE Receipt.
type CoseReceipt struct {
	Origin     string
	Entry      EntryProof      // without the map's leaves
	Signatures []CoseSignature // the first one is the message's own
}

// CoseSignature is one validator's signature of the log's root.
type CoseSignature struct {
	Name  string // of the cosigner
	Bytes [ed25519.SignatureSize]byte
}

func coseProtected(origin string, size uint64) []byte {
	out := []byte{0xa3, 0x01, 0x27, 0x0f, 0xa2, 0x01} // {1: -8, 15: {1:
	out = appendString(out, cborText, origin)
	out = appendString(append(out, 0x02), cborText, strconv.FormatUint(size, 10))
	return append(out, 0x19, 0x01, 0x8b, 0x01) // 395: 1}
}

// CoseBytes are what a cosigner signs for COSE receipts of a checkpoint: the
// Sig_structure of RFC 9052, section 4.4.
func CoseBytes(c Checkpoint) []byte {
	out := appendString([]byte{0x84}, cborText, "Signature1")
	out = appendString(out, cborBytes, coseProtected(c.Origin, c.Size))
	return appendString(append(out, 0x40), cborBytes, c.Root[:])
}

// Verify checks the entry, its path, and that validators with more than two
// thirds of the power signed the root it leads to. Every signature must hold,
// be needed and stand in the cosigners' order.
func (r *CoseReceipt) Verify(by Cosigners) (LogStatement, error) {
	if r.Origin != by.origin {
		return LogStatement{}, fmt.Errorf("%w: it is of the log %q, trusted is %q", ErrChain, r.Origin, by.origin)
	}
	if err := r.Entry.check(); err != nil {
		return LogStatement{}, err
	}
	entry, err := r.Entry.inLog()
	if err != nil {
		return LogStatement{}, err
	}
	message := CoseBytes(Checkpoint{r.Origin, r.Entry.LogSize, entry.LogRoot})
	cosigned := Cosigned{TotalPower: by.total}
	seen := map[string]bool{}
	for _, s := range r.Signatures {
		i, known := by.named(s.Name)
		switch {
		case !known:
			return LogStatement{}, fmt.Errorf("%w: %q", ErrValidator, s.Name)
		case seen[s.Name]:
			return LogStatement{}, fmt.Errorf("%w: %s signs twice", ErrForm, s.Name)
		case !ed25519.Verify(by.cosigners[i].Key[:], message, s.Bytes[:]):
			return LogStatement{}, fmt.Errorf("%w: %s", ErrSignature, s.Name)
		}
		seen[s.Name] = true
		cosigned.Names = append(cosigned.Names, s.Name)
		cosigned.Power += by.cosigners[i].Power
	}
	if !by.Quorum(cosigned.Power) {
		return LogStatement{}, fmt.Errorf("%w: %d of %d", ErrUncosigned, cosigned.Power, by.total)
	}
	if !slices.Equal(by.TrimCose(r.Signatures), r.Signatures) {
		return LogStatement{}, fmt.Errorf("%w: it has signatures that are not needed, or in another order", ErrCanonical)
	}
	return LogStatement{ChainID: r.Origin, Cosigned: cosigned, Entry: entry}, nil
}

// named finds a cosigner that has a key.
func (c Cosigners) named(name string) (place int, ok bool) {
	for i, s := range c.cosigners {
		if s.Name == name && s.Key != (LogKey{}) {
			return i, true
		}
	}
	return 0, false
}

// MarshalCose is the receipt's one encoding.
func (r *CoseReceipt) MarshalCose() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	out := appendString(append([]byte(nil), cosePrefix...), cborBytes, coseProtected(r.Origin, r.Entry.LogSize))
	out = append(appendHead(out, cborMap, 4), coseKid...)
	out = appendString(out, cborBytes, r.Signatures[0].Name)
	proof := appendHead(appendHead(appendHead(nil, cborArray, 3), cborUint, r.Entry.LogSize), cborUint, r.Entry.Index)
	proof = appendHead(proof, cborArray, uint64(len(r.Entry.Path)))
	for _, h := range r.Entry.Path {
		proof = appendString(proof, cborBytes, h[:])
	}
	out = appendString(append(out, coseProofs...), cborBytes, proof)
	out = appendString(appendString(out, cborText, coseEntry), cborBytes, r.Entry.opening())
	out = appendHead(appendString(out, cborText, coseSignatures), cborArray, uint64(len(r.Signatures)-1))
	for _, s := range r.Signatures[1:] {
		out = appendString(appendString(appendHead(out, cborArray, 2), cborBytes, s.Name), cborBytes, s.Bytes[:])
	}
	return appendString(append(out, cborNull), cborBytes, r.Signatures[0].Bytes[:]), nil
}

func (r *CoseReceipt) check() error {
	if err := checkChainID(r.Origin); err != nil {
		return err
	}
	switch {
	case len(r.Entry.Path) == 0:
		return fmt.Errorf("%w: a COSE receipt cannot express a log of one entry", ErrForm)
	case len(r.Signatures) == 0 || len(r.Signatures) > MaxValidators:
		return fmt.Errorf("%w: %d signatures", ErrForm, len(r.Signatures))
	}
	for _, s := range r.Signatures {
		if !validKeyName(s.Name) {
			return fmt.Errorf("%w: key name %q", ErrForm, s.Name)
		}
	}
	return r.Entry.check()
}

// IsCose says whether a file claims to be a COSE_Sign1 message.
func IsCose(b []byte) bool { return len(b) > 2 && b[0] == cosePrefix[0] && b[1] == cosePrefix[1] }

// ParseCose reads a COSE receipt as MarshalCose writes it. It verifies nothing.
func ParseCose(b []byte) (*CoseReceipt, error) {
	if len(b) > MaxReceiptBytes {
		return nil, fmt.Errorf("%w: %d bytes, over the limit %d", ErrForm, len(b), MaxReceiptBytes)
	}
	c := cursor{buf: b}
	c.expect(cosePrefix, "the tag")
	r := &CoseReceipt{}
	protected := c.cborString(cborBytes, 256, "protected header")
	if c.head(cborMap, 4, "unprotected header") != 4 {
		c.fail("the unprotected header must have 4 members")
	}
	c.expect(coseKid, "label of the key's name")
	signatures := []CoseSignature{{Name: string(c.cborString(cborBytes, maxKeyName, "key name"))}}
	c.expect(coseProofs, "label of the proof")
	inclusion := cursor{buf: c.cborString(cborBytes, 64*MaxPath, "inclusion proof")}
	r.Entry.LogSize, r.Entry.Index, r.Entry.Path = inclusion.cosePath()
	if err := inclusion.end(); err != nil && c.err == nil {
		c.err = err
	}
	c.expect(appendString(nil, cborText, coseEntry), "label of the entry")
	opening := c.cborString(cborBytes, protocol.MaxRecordBytes+256, "entry")
	c.expect(appendString(nil, cborText, coseSignatures), "label of the signatures")
	for range c.head(cborArray, MaxValidators, "signatures") {
		if c.head(cborArray, 2, "signature") != 2 {
			c.fail("a signature is not a pair")
		}
		signatures = append(signatures, CoseSignature{Name: string(c.cborString(cborBytes, maxKeyName, "key name"))})
		c.coseSignature(&signatures[len(signatures)-1])
		if c.err != nil {
			return nil, c.err
		}
	}
	c.expect([]byte{cborNull}, "payload")
	c.coseSignature(&signatures[0])
	if err := c.end(); err != nil {
		return nil, err
	}
	r.Signatures = signatures
	header := cursor{buf: protected, off: min(6, len(protected))}
	r.Origin = string(header.cborString(cborText, protocol.MaxChainID, "issuer"))
	if header.err != nil || string(coseProtected(r.Origin, r.Entry.LogSize)) != string(protected) {
		return nil, fmt.Errorf("%w: the protected header is not that of a log of %d entries", ErrForm, r.Entry.LogSize)
	}
	if err := r.Entry.setOpening(opening); err != nil {
		return nil, err
	}
	return r, r.check()
}

func (c *cursor) cosePath() (size, index uint64, path []protocol.Hash) {
	if c.head(cborArray, 3, "proof") != 3 {
		c.fail("an inclusion proof must have 3 members")
	}
	size, index = c.head(cborUint, MaxInteger, "size"), c.head(cborUint, MaxInteger, "index")
	for range c.head(cborArray, MaxPath, "path") {
		path = append(path, protocol.Hash{})
		c.coseFixed(path[len(path)-1][:], "hash")
	}
	return size, index, path
}

func (c *cursor) coseSignature(s *CoseSignature) { c.coseFixed(s.Bytes[:], "signature") }

// coseFixed reads a string of octets of a known length.
func (c *cursor) coseFixed(into []byte, what string) {
	if n := c.head(cborBytes, uint64(len(into)), what); n != uint64(len(into)) {
		c.fail("%s has %d bytes, must have %d", what, n, len(into))
	}
	copy(into, c.take(uint64(len(into)), what))
}

// TrimCose keeps, in order, as many signatures as make more than two thirds of
// the power.
func (c Cosigners) TrimCose(all []CoseSignature) (out []CoseSignature) {
	var power uint64
	for _, known := range c.cosigners {
		for _, s := range all {
			if s.Name == known.Name && !c.Quorum(power) {
				out = append(out, s)
				power += known.Power
				break
			}
		}
	}
	return out
}
