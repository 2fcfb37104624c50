package seal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// ContentType is the datacontenttype of a sealed event.
const ContentType = protocol.SealedContentType

// sealedMember is the member of the data that holds the envelope; those beside
// it are in the clear.
const sealedMember = "sealed"

// MaxFields bounds the members of an object that can be disclosed one by one.
const MaxFields = 1_000

// envelope is a sealed event's data:
//
//	{"sealed":{"v":1,"key":KEY ID,"box":NONCE || CIPHERTEXT || TAG,"fields":N,"root":ROOT},CLEAR MEMBERS}
//
// box is absent where the data are withheld; fields and root where they cannot be
// disclosed one by one. Octets are base64url without padding, the clear members
// stand by ascending name with the very text of their values, and there is no
// space between: that is the one way to write it.
type envelope struct {
	Key    KeyID
	Box    []byte
	Fields int
	Root   protocol.Hash
	Clear  []member
}

// member is a member of a JSON object, its value as it was written.
type member struct {
	name  string
	value []byte
}

type sealedJSON struct {
	Version int     `json:"v"`
	Key     string  `json:"key"`
	Box     *string `json:"box"`
	Fields  int     `json:"fields"`
	Root    *string `json:"root"`
}

func (v *envelope) append(dst []byte) []byte {
	dst = fmt.Appendf(dst, `{"sealed":{"v":1,"key":"%s"`, v.Key)
	if v.Box != nil {
		dst = fmt.Appendf(dst, `,"box":"%s"`, encode(v.Box))
	}
	if v.Fields > 0 {
		dst = fmt.Appendf(dst, `,"fields":%d,"root":"%s"`, v.Fields, encode(v.Root[:]))
	}
	dst = append(dst, '}')
	for _, m := range v.Clear {
		dst = m.append(append(dst, ','))
	}
	return append(dst, '}')
}

func (m *member) append(dst []byte) []byte {
	return append(append(append(dst, quote(m.name)...), ':'), m.value...)
}

// parseEnvelope accepts exactly what append writes.
func parseEnvelope(e *protocol.Event) (*envelope, error) {
	if e.DataContentType != ContentType || e.DataForm != protocol.DataJSON {
		return nil, ErrNotSealed
	}
	members, err := object(e.Data)
	if err != nil {
		return nil, err
	}
	if len(members) == 0 || members[0].name != sealedMember {
		return nil, fmt.Errorf("%w: the data do not begin with the member %q", ErrForm, sealedMember)
	}
	decoder := json.NewDecoder(bytes.NewReader(members[0].value))
	decoder.DisallowUnknownFields()
	var text sealedJSON
	if err := decoder.Decode(&text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	v := &envelope{Clear: members[1:], Fields: text.Fields}
	if err := v.fill(&text); err != nil {
		return nil, err
	}
	if !bytes.Equal(v.append(nil), e.Data) {
		return nil, fmt.Errorf("%w: it is not written in the one way", ErrForm)
	}
	return v, nil
}

func (v *envelope) fill(text *sealedJSON) error {
	if text.Version != 1 {
		return fmt.Errorf("%w: version %d", ErrForm, text.Version)
	}
	id, err := decode(text.Key, "key", len(v.Key))
	if err != nil {
		return err
	}
	v.Key = KeyID(id)
	if text.Box != nil {
		if v.Box, err = decode(*text.Box, "box", -1); err != nil {
			return err
		}
	}
	if (text.Root == nil) != (text.Fields == 0) || text.Fields < 0 || text.Fields > MaxFields || text.Root == nil && text.Box == nil {
		return fmt.Errorf("%w: box, fields and root do not fit together", ErrForm)
	}
	if text.Root != nil {
		root, err := decode(*text.Root, "root", len(v.Root))
		if err != nil {
			return err
		}
		v.Root = protocol.Hash(root)
	}
	if !slices.IsSortedFunc(v.Clear, byName) || slices.ContainsFunc(v.Clear, func(m member) bool { return m.name == sealedMember }) {
		return fmt.Errorf("%w: the clear members are not sorted, or one is called %q", ErrForm, sealedMember)
	}
	return nil
}

func byName(a, b member) int { return strings.Compare(a.name, b.name) }

// context is what the box is bound to: the event's identity, and what stands
// beside the box. Under another event the box does not open.
func (v *envelope) context(e *protocol.Event) []byte {
	out := append([]byte(tagContext), identity(e)...)
	bare := *v
	bare.Box = nil
	return appendBytes(out, bare.append(nil))
}

// object lists the members of a JSON object in the order they stand. A name
// that stands twice is refused.
func object(text []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, fmt.Errorf("%w: the data are no JSON object", ErrForm)
	}
	var members []member
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrForm, err)
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrForm, err)
		}
		if seen[name] {
			return nil, fmt.Errorf("%w: member %q stands twice", ErrForm, name)
		}
		seen[name] = true
		members = append(members, member{name, value})
	}
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if decoder.More() || decoder.InputOffset() != int64(len(text)) {
		return nil, fmt.Errorf("%w: more follows the object", ErrForm)
	}
	return members, nil
}

// quote writes a string as JSON does, < > and & as they are.
func quote(s string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
