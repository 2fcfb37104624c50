package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// One sentinel a check; errors wrap them with the values at hand.
var (
	// ErrNotSealed: an event whose content type is another.
	ErrNotSealed = errors.New("seal: the event is not sealed")
	// ErrForm: bytes or text in no form of this package.
	ErrForm = errors.New("seal: malformed")
	// ErrKey: the event was sealed with another key.
	ErrKey = errors.New("seal: the event was sealed with another key")
	// ErrBox: the box does not open: it, or what it is bound to, was changed.
	ErrBox = errors.New("seal: the sealed data do not open: they were changed, or are of another event")
	// ErrWithheld: the event carries no data to open.
	ErrWithheld = errors.New("seal: the event withholds its data")
	// ErrField: the data have no such member, or what is shown is not it.
	ErrField = errors.New("seal: the member is not proven to be in the data")
)

// Options of sealing.
type Options struct {
	// Clear are the members of the data, a JSON object, that stay readable
	// for everybody, contracts included. The sealed data have them too.
	Clear []string
	// Fields lets single members be disclosed later (see Disclosure). The
	// data must be a JSON object.
	Fields bool
	// Withhold leaves the data out, encrypted or not: the event commits to
	// its members and no more, and who disclosed them has to keep the data. Needs Fields.
	Withhold bool
}

// Seal encrypts an event's data with a key. The same event sealed again with
// the same key is the same sealed event, so it can be sent again. Attributes
// stay as they are, but for datacontenttype.
func Seal(e protocol.Event, key Key, o Options) (protocol.Event, error) {
	switch {
	case e.DataContentType == ContentType:
		return e, errors.New("seal: the event is sealed")
	case o.Withhold && !o.Fields:
		return e, errors.New("seal: an event that withholds its data must commit to fields")
	}
	if err := e.Validate(); err != nil {
		return e, err
	}
	v, eventKey := envelope{Key: key.ID()}, key.ForEvent(&e)
	if o.Fields || len(o.Clear) > 0 {
		members, err := dataMembers(&e)
		if err != nil {
			return e, err
		}
		if v.Clear, err = pick(members, o.Clear); err != nil {
			return e, err
		}
		if o.Fields {
			tree, err := newTree(eventKey, members)
			if err != nil {
				return e, err
			}
			v.Fields, v.Root = len(tree.leaves), tree.root()
		}
	}
	if !o.Withhold {
		var err error
		if v.Box, err = eventKey.box(plain(&e), v.context(&e)); err != nil {
			return e, err
		}
	}
	e.DataContentType, e.DataForm, e.Data = ContentType, protocol.DataJSON, v.append(nil)
	return e, e.Validate()
}

// KeyOf names the key that an event was sealed with.
func KeyOf(e *protocol.Event) (KeyID, error) {
	v, err := parseEnvelope(e)
	if err != nil {
		return KeyID{}, err
	}
	return v.Key, nil
}

// Open answers an event as it was before it was sealed.
func Open(e protocol.Event, key Key) (protocol.Event, error) {
	v, err := parseEnvelope(&e)
	if err != nil {
		return e, err
	}
	if id := key.ID(); id != v.Key {
		return e, fmt.Errorf("%w: %s, not %s", ErrKey, v.Key, id)
	}
	return OpenOne(e, key.ForEvent(&e))
}

// OpenOne is Open with the key of the one event.
func OpenOne(e protocol.Event, key EventKey) (protocol.Event, error) {
	v, err := parseEnvelope(&e)
	if err != nil {
		return e, err
	}
	if v.Box == nil {
		return e, ErrWithheld
	}
	text, err := key.open(v.Box, v.context(&e))
	if err != nil {
		return e, err
	}
	opened := e
	if err := unplain(&opened, text); err != nil {
		return e, err
	}
	if err := opened.Validate(); err != nil {
		return e, fmt.Errorf("%w: %w", ErrBox, err)
	}
	return opened, v.agree(&opened, key)
}

// agree holds what stands in the clear to the data.
func (v *envelope) agree(opened *protocol.Event, key EventKey) error {
	if v.Fields == 0 && len(v.Clear) == 0 {
		return nil
	}
	members, err := dataMembers(opened)
	if err != nil {
		return err
	}
	for _, c := range v.Clear {
		i := slices.IndexFunc(members, func(m member) bool { return m.name == c.name })
		if i < 0 || !bytes.Equal(members[i].value, c.value) {
			return fmt.Errorf("%w: member %q in the clear is not that of the data", ErrBox, c.name)
		}
	}
	if v.Fields > 0 {
		tree, err := newTree(key, members)
		if err != nil {
			return err
		}
		if len(tree.leaves) != v.Fields || tree.root() != v.Root {
			return fmt.Errorf("%w: the root is not that of the data", ErrBox)
		}
	}
	return nil
}

func dataMembers(e *protocol.Event) ([]member, error) {
	if e.DataForm != protocol.DataJSON {
		return nil, fmt.Errorf("%w: the data are no JSON object", ErrForm)
	}
	return object(e.Data)
}

// pick takes members by name, sorted.
func pick(members []member, names []string) (picked []member, err error) {
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		i := slices.IndexFunc(members, func(m member) bool { return m.name == name })
		if i < 0 || name == sealedMember {
			return nil, fmt.Errorf("%w: %q cannot stay in the clear", ErrField, name)
		}
		picked = append(picked, members[i])
	}
	return picked, nil
}

// blockBytes is what sealed data are filled up to a multiple of, so that their
// length tells little.
const blockBytes = 64

// plain is what is encrypted: u8 form || text datacontenttype || bytes data,
// filled up with zeros.
func plain(e *protocol.Event) []byte {
	out := appendBytes([]byte{byte(e.DataForm)}, e.DataContentType)
	out = appendBytes(out, e.Data)
	return append(out, make([]byte, (blockBytes-len(out)%blockBytes)%blockBytes)...)
}

func unplain(e *protocol.Event, text []byte) error {
	bad := fmt.Errorf("%w: what it holds is malformed", ErrBox)
	if len(text) == 0 || len(text)%blockBytes != 0 {
		return bad
	}
	form, rest := protocol.DataForm(text[0]), text[1:]
	var parts [2][]byte
	for i := range parts {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return bad
		}
		parts[i], rest = rest[n:n+int(size)], rest[n+int(size):]
	}
	e.DataForm, e.DataContentType, e.Data = form, string(parts[0]), bytes.Clone(parts[1])
	if form == protocol.DataNone {
		e.Data = nil
	}
	if !bytes.Equal(plain(e), text) {
		return bad
	}
	return nil
}

const nonceBytes = 12

// box encrypts with AES-256-GCM. The nonce is a function of all that is
// encrypted and bound, under a key of its own: it repeats only with the whole
// message, and sealing twice makes no second event.
func (k EventKey) box(text, context []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	nonce := k.nonce(text, context)
	return aead.Seal(nonce, nonce, text, context), nil
}

func (k EventKey) nonce(text, context []byte) []byte {
	return mac(k.derive(tagNonce), append(appendBytes(nil, context), text...))[:nonceBytes]
}

func (k EventKey) open(box, context []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	if len(box) < nonceBytes {
		return nil, fmt.Errorf("%w: it is too short", ErrBox)
	}
	text, err := aead.Open(nil, box[:nonceBytes], box[nonceBytes:], context)
	if err != nil || !bytes.Equal(k.nonce(text, context), box[:nonceBytes]) {
		return nil, ErrBox
	}
	return text, nil
}

func (k EventKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.derive(tagCipher))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return cipher.NewGCM(block)
}
