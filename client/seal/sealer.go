package seal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Sealer seals a producer's events, each with its subject's newest key, and
// tells the readers every new key once.
type Sealer struct {
	Keys    *Keys
	Options Options
	Readers []age.Recipient
	// Publish puts a key event on the ledger and answers its index once it is
	// final. It must not seal. Nil publishes nothing: the readers get keys in
	// another way, and deleting a key then leaves no other copy on the ledger.
	Publish func(ctx context.Context, e protocol.Event) (index uint64, err error)
}

// Seal seals an event; it fits client.ProducerConfig.Seal. The event must have
// a subject.
func (s *Sealer) Seal(ctx context.Context, e protocol.Event) (protocol.Event, error) {
	if e.Subject == "" {
		return e, fmt.Errorf("seal: event %q has no subject, whose key it would be sealed with", e.ID)
	}
	key, err := s.Keys.Current(e.Subject)
	if err != nil {
		return e, err
	}
	if err := s.published(ctx, e.Subject, key); err != nil {
		return e, err
	}
	return Seal(e, key, s.Options)
}

// published makes sure that the readers can learn a key before anything is
// sealed with it.
func (s *Sealer) published(ctx context.Context, subject string, key Key) error {
	if s.Publish == nil || len(s.Readers) == 0 {
		return nil
	}
	r, err := s.Keys.Subject(subject)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(r.Keys, func(k StoredKeys) bool { return k.ID == key.ID().String() })
	if at < 0 {
		return fmt.Errorf("%w: none of %q is %s", ErrKey, subject, key.ID())
	}
	if len(r.Keys[at].Entries) > 0 {
		return nil
	}
	return s.Share(ctx, subject, key, s.Readers...)
}

// Share wraps a key for readers and publishes that: for readers that are added
// later, call it with the keys of what they may read of the past.
func (s *Sealer) Share(ctx context.Context, subject string, key Key, readers ...age.Recipient) error {
	if s.Publish == nil {
		return errors.New("seal: there is nowhere to publish a key")
	}
	n := 0
	err := s.Keys.change(subject, key.ID(), func(k *StoredKeys) { n, k.Wrappings = k.Wrappings, k.Wrappings+1 })
	if err != nil {
		return err
	}
	e, err := KeyEvent(key, n, readers...)
	if err != nil {
		return err
	}
	index, err := s.Publish(ctx, e)
	if err != nil {
		return fmt.Errorf("seal: publish the key of %q: %w", subject, err)
	}
	return s.Keys.change(subject, key.ID(), func(k *StoredKeys) { k.Entries = append(k.Entries, index) })
}

// Finder finds events on a ledger; client.Client is one.
type Finder interface {
	FindEvent(ctx context.Context, producer protocol.Address, source, id string) (rest.Entry, error)
}

// Reader opens sealed events with the keys that were wrapped for it.
type Reader struct {
	identity age.Identity
	ledger   Finder
	keys     map[KeyID]Key
}

// NewReader makes a reader. Where ledger is nil it knows what it was told.
func NewReader(identity age.Identity, ledger Finder) *Reader {
	return &Reader{identity, ledger, map[KeyID]Key{}}
}

// ErrErased: the key was published, and erased since.
var ErrErased = errors.New("seal: the events that published the key were erased")

// maxMissing is how many wrappings in a row may be missing: those of a producer
// that went down before they were final.
const maxMissing = 4

// Learn takes the key out of a key event.
func (r *Reader) Learn(e *protocol.Event) error {
	key, err := Unwrap(e, r.identity)
	if err == nil {
		r.keys[key.ID()] = key
	}
	return err
}

// Open opens an event that a producer submitted, with a key that the same
// producer published.
func (r *Reader) Open(ctx context.Context, producer protocol.Address, e protocol.Event) (protocol.Event, error) {
	key, err := r.Key(ctx, producer, &e)
	if err != nil {
		return e, err
	}
	return Open(e, key)
}

// Key finds the key of a sealed event.
func (r *Reader) Key(ctx context.Context, producer protocol.Address, e *protocol.Event) (Key, error) {
	v, err := parseEnvelope(e)
	if err != nil {
		return Key{}, err
	}
	if key, known := r.keys[v.Key]; known {
		return key, nil
	}
	if r.ledger == nil {
		return Key{}, fmt.Errorf("%w: key %s", ErrNotForUs, v.Key)
	}
	erased, missing := false, 0
	for n := 0; ; n++ {
		entry, err := r.ledger.FindEvent(ctx, producer, KeyEventSource, KeyEventID(v.Key, n))
		code, _ := protocol.CodeOf(err)
		switch {
		case code == protocol.CodeNotFound && missing < maxMissing:
			missing++
			continue
		case code == protocol.CodeNotFound && erased:
			return Key{}, fmt.Errorf("%w: key %s", ErrErased, v.Key)
		case code == protocol.CodeNotFound:
			return Key{}, fmt.Errorf("%w: key %s", ErrNotForUs, v.Key)
		case err != nil:
			return Key{}, err
		case entry.Erased != nil:
			erased, missing = true, 0
		case entry.Event != nil:
			missing = 0
			if err := r.Learn(entry.Event); err != nil && !errors.Is(err, ErrNotForUs) {
				return Key{}, err
			}
			if key, known := r.keys[v.Key]; known {
				return key, nil
			}
		}
	}
}
