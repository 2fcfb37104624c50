package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"filippo.io/age"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// A producer tells its readers a key by an event of its own on the ledger: the
// key, wrapped for them with age (age-encryption.org/v1). Its id names the key
// and counts the wrappings: readers that are added later get another one.
const (
	KeyEventType   = "seal.key.v1"
	KeyEventSource = "/seal/keys"
)

// ErrNotForUs: the key was wrapped, and not for this reader.
var ErrNotForUs = errors.New("seal: the key is not wrapped for this reader")

// maxWrapped bounds a wrapped key: about 200 bytes a reader.
const maxWrapped = 40 << 10

// keyData is the data of a key event: {"key":KEY ID,"wrapped":AGE FILE}.
type keyData struct {
	Key     string `json:"key"`
	Wrapped string `json:"wrapped"`
}

// KeyEventID is the id of the n-th event that wraps a key.
func KeyEventID(id KeyID, n int) string { return id.String() + "." + strconv.Itoa(n) }

// KeyEvent wraps a key for its readers, for the n-th time.
func KeyEvent(key Key, n int, readers ...age.Recipient) (protocol.Event, error) {
	if len(readers) == 0 {
		return protocol.Event{}, errors.New("seal: a key that is wrapped for no reader")
	}
	var wrapped bytes.Buffer
	w, err := age.Encrypt(&wrapped, readers...)
	if err == nil {
		_, err = w.Write(append([]byte(tagWrapped), key[:]...))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return protocol.Event{}, fmt.Errorf("seal: wrap a key: %w", err)
	}
	if wrapped.Len() > maxWrapped {
		return protocol.Event{}, fmt.Errorf("seal: a key wrapped for %d readers is too large; wrap it in parts", len(readers))
	}
	data, err := json.Marshal(keyData{key.ID().String(), encode(wrapped.Bytes())})
	if err != nil {
		return protocol.Event{}, err
	}
	e := protocol.Event{
		ID: KeyEventID(key.ID(), n), Source: KeyEventSource, Type: KeyEventType,
		DataContentType: "application/json", DataForm: protocol.DataJSON, Data: data,
	}
	return e, e.Validate()
}

// Unwrap takes the key out of a key event.
func Unwrap(e *protocol.Event, identity age.Identity) (Key, error) {
	var data keyData
	if e.Type != KeyEventType || e.DataForm != protocol.DataJSON {
		return Key{}, fmt.Errorf("%w: an event of type %q holds no key", ErrForm, e.Type)
	}
	decoder := json.NewDecoder(bytes.NewReader(e.Data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&data); err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrForm, err)
	}
	wrapped, err := decode(data.Wrapped, "wrapped key", -1)
	if err != nil {
		return Key{}, err
	}
	r, err := age.Decrypt(bytes.NewReader(wrapped), identity)
	var others *age.NoIdentityMatchError
	if errors.As(err, &others) {
		return Key{}, fmt.Errorf("%w: key %s", ErrNotForUs, data.Key)
	}
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrForm, err)
	}
	text, err := io.ReadAll(io.LimitReader(r, 64))
	if err != nil || len(text) != len(tagWrapped)+len(Key{}) || string(text[:len(tagWrapped)]) != tagWrapped {
		return Key{}, fmt.Errorf("%w: what is wrapped is no key", ErrForm)
	}
	key := Key(text[len(tagWrapped):])
	if key.ID().String() != data.Key {
		return Key{}, fmt.Errorf("%w: another key is wrapped than %q", ErrForm, data.Key)
	}
	return key, nil
}
