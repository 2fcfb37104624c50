package seal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Disclosure shows some members of an event's data, and proves them against the
// event's receipt: what RFC 9901 (SD-JWT) does for tokens. Whoever holds it
// learns nothing of the other members, how many they are apart.
//
//	{"cairnDisclosure":1,"fields":[{"at":PLACE,"name":NAME,"value":VALUE,"salt":SALT},...],"beside":[HASH,...],"receipt":RECEIPT}
//
// Fields stand by ascending place, values with their very text; octets are
// base64url without padding; there is no space between and no other way to
// write it.
type Disclosure struct {
	Fields  []Field
	Beside  []protocol.Hash // roots of the subtrees without a field shown, from left to right
	Receipt *proof.Receipt
}

// Field is a member that is shown.
type Field struct {
	At    int // place among the leaves
	Name  string
	Value json.RawMessage
	Salt  [16]byte
}

// Disclosed is what a Disclosure proved.
type Disclosed struct {
	Statement proof.Statement            `json:"statement"` // of the event's receipt
	Fields    map[string]json.RawMessage `json:"fields"`
	Of        int                        `json:"of"` // members the data have
}

// MaxDisclosureBytes bounds an encoded disclosure.
const MaxDisclosureBytes = 2 * proof.MaxReceiptBytes

// Disclose shows members of a sealed event by its receipt and its subject's
// key. original is the event before it was sealed, needed only where the
// sealed event withholds its data.
func Disclose(receipt *proof.Receipt, key Key, original *protocol.Event, names ...string) (*Disclosure, error) {
	sealed, v, err := sealedIn(receipt)
	if err != nil {
		return nil, err
	}
	if id := key.ID(); id != v.Key {
		return nil, fmt.Errorf("%w: %s, not %s", ErrKey, v.Key, id)
	}
	opened := original
	if opened == nil {
		e, err := Open(*sealed, key)
		if err != nil {
			return nil, err
		}
		opened = &e
	}
	members, err := dataMembers(opened)
	if err != nil {
		return nil, err
	}
	t, err := newTree(key.ForEvent(sealed), members)
	if err != nil {
		return nil, err
	}
	if v.Fields != len(t.leaves) || v.Root != t.root() {
		return nil, fmt.Errorf("%w: the event was not sealed so that members can be disclosed, or from other data", ErrField)
	}
	return t.disclose(receipt, names)
}

func (t *tree) disclose(receipt *proof.Receipt, names []string) (*Disclosure, error) {
	d, shown := &Disclosure{Receipt: receipt}, make([]bool, len(t.leaves))
	for _, name := range names {
		at := slices.IndexFunc(t.leaves, func(l fieldLeaf) bool { return l.name == name })
		if at < 0 {
			return nil, fmt.Errorf("%w: there is no %q", ErrField, name)
		}
		if !shown[at] {
			l := t.leaves[at]
			d.Fields = append(d.Fields, Field{at, l.name, l.value, l.salt})
		}
		shown[at] = true
	}
	if len(d.Fields) == 0 {
		return nil, fmt.Errorf("%w: none is named", ErrField)
	}
	slices.SortFunc(d.Fields, func(a, b Field) int { return a.At - b.At })
	d.Beside = t.beside(shown, 0, len(t.leaves))
	return d, nil
}

// sealedIn is the sealed event that a receipt shows.
func sealedIn(receipt *proof.Receipt) (*protocol.Event, *envelope, error) {
	if receipt == nil || receipt.Entry == nil || receipt.Entry.Withheld {
		return nil, nil, fmt.Errorf("%w: the receipt shows no event", ErrForm)
	}
	e, err := protocol.DecodeRecord(receipt.Entry.Payload)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	v, err := parseEnvelope(&e)
	return &e, v, err
}

// VerifyWith checks the receipt, and each field against the event it is of.
func (d *Disclosure) VerifyWith(trust *proof.Trust) (Disclosed, error) {
	if d.Receipt == nil {
		return Disclosed{}, fmt.Errorf("%w: it has no receipt", ErrForm)
	}
	statement, err := d.Receipt.VerifyWith(trust)
	if err != nil {
		return Disclosed{}, err
	}
	_, v, err := sealedIn(d.Receipt)
	if err != nil {
		return Disclosed{}, err
	}
	out := Disclosed{Statement: statement, Fields: make(map[string]json.RawMessage, len(d.Fields)), Of: v.Fields}
	leaves := make([]proof.Leaf, len(d.Fields))
	for i, f := range d.Fields {
		if _, twice := out.Fields[f.Name]; twice || f.At < 0 || f.At >= v.Fields {
			return Disclosed{}, fmt.Errorf("%w: %q at %d of %d", ErrField, f.Name, f.At, v.Fields)
		}
		leaves[i] = proof.Leaf{Index: uint64(f.At), Hash: salt(f.Salt).leaf(&member{f.Name, f.Value})}
		out.Fields[f.Name] = f.Value
	}
	root, err := proof.MultiRoot(leaves, uint64(v.Fields), d.Beside)
	if err != nil || root != v.Root {
		return Disclosed{}, fmt.Errorf("%w: the fields do not lead to the event's root", ErrField)
	}
	return out, nil
}

// MarshalJSON is the one form of a disclosure. It does not verify.
func (d *Disclosure) MarshalJSON() ([]byte, error) {
	if d.Receipt == nil || len(d.Fields) == 0 {
		return nil, fmt.Errorf("%w: a disclosure has fields and a receipt", ErrForm)
	}
	out := []byte(`{"cairnDisclosure":1,"fields":[`)
	for i := range d.Fields {
		f := &d.Fields[i]
		if i > 0 {
			out = append(out, ',')
		}
		out = fmt.Appendf(out, `{"at":%d,"name":%s,"value":`, f.At, quote(f.Name))
		out = fmt.Appendf(append(out, f.Value...), `,"salt":"%s"}`, encode(f.Salt[:]))
	}
	out = append(out, `],"beside":[`...)
	for i := range d.Beside {
		if i > 0 {
			out = append(out, ',')
		}
		out = fmt.Appendf(out, `"%s"`, encode(d.Beside[i][:]))
	}
	receipt, err := d.Receipt.MarshalJSON()
	if err != nil {
		return nil, err
	}
	out = append(append(out, `],"receipt":`...), receipt...)
	return append(out, '}'), nil
}

type disclosureJSON struct {
	Version int             `json:"cairnDisclosure"`
	Fields  []fieldJSON     `json:"fields"`
	Beside  []string        `json:"beside"`
	Receipt json.RawMessage `json:"receipt"`
}

type fieldJSON struct {
	At    int             `json:"at"`
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
	Salt  string          `json:"salt"`
}

// DecodeDisclosure accepts exactly what MarshalJSON writes. It does not verify.
func DecodeDisclosure(b []byte) (*Disclosure, error) {
	if len(b) > MaxDisclosureBytes {
		return nil, fmt.Errorf("%w: %d bytes, over the limit %d", ErrForm, len(b), MaxDisclosureBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var text disclosureJSON
	if err := decoder.Decode(&text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if text.Version != 1 || len(text.Fields) > MaxFields || len(text.Beside) > MaxFields {
		return nil, fmt.Errorf("%w: version %d, %d fields, %d hashes", ErrForm, text.Version, len(text.Fields), len(text.Beside))
	}
	d := &Disclosure{}
	for _, f := range text.Fields {
		s, err := decode(f.Salt, "salt", len(salt{}))
		if err != nil {
			return nil, err
		}
		d.Fields = append(d.Fields, Field{f.At, f.Name, f.Value, [16]byte(s)})
	}
	for _, h := range text.Beside {
		hash, err := decode(h, "hash", len(protocol.Hash{}))
		if err != nil {
			return nil, err
		}
		d.Beside = append(d.Beside, protocol.Hash(hash))
	}
	var err error
	if d.Receipt, err = proof.DecodeJSON(text.Receipt); err != nil {
		return nil, fmt.Errorf("%w: receipt: %w", ErrForm, err)
	}
	again, err := d.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: it is not written in the one way", ErrForm)
	}
	return d, nil
}

// String says in words what was proven.
func (d Disclosed) String() string {
	out := []byte(d.Statement.String())
	names := make([]string, 0, len(d.Fields))
	for name := range d.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	out = fmt.Appendf(out, "\nShown of the members of its data, %d of %d:", len(names), d.Of)
	for _, name := range names {
		out = fmt.Appendf(out, "\n  %s = %s", quote(name), d.Fields[name])
	}
	return string(out)
}
