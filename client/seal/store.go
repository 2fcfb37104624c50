package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Keys is a producer's store of keys: a folder with one file a subject, readable
// by its owner alone. The files' names are hashes, so that with a file the
// subject is gone too. One process uses a store at a time.
type Keys struct {
	dir string
	mu  sync.Mutex // held while a file is read and written
}

// ErrUnknownSubject: the store has no key of the subject, or has it no more.
var ErrUnknownSubject = errors.New("seal: there is no key of this subject")

// Record is what the store knows of a subject, its newest key last.
type Record struct {
	Subject string       `json:"subject"`
	Keys    []StoredKeys `json:"keys"`
}

// StoredKeys is a key and where it was published.
type StoredKeys struct {
	ID        string   `json:"id"`
	Secret    string   `json:"secret"`
	Wrappings int      `json:"wrappings"`         // key events that were made
	Entries   []uint64 `json:"entries,omitempty"` // log indexes of those known to be final
}

// Key decodes the secret.
func (s *StoredKeys) Key() (Key, error) {
	secret, err := decode(s.Secret, "secret", len(Key{}))
	if err != nil {
		return Key{}, err
	}
	key := Key(secret)
	if key.ID().String() != s.ID {
		return Key{}, fmt.Errorf("%w: the stored key is not %s", ErrForm, s.ID)
	}
	return key, nil
}

// OpenKeys opens a store, and makes it where there is none.
func OpenKeys(dir string) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("seal: the keys in %s can be read by others; chmod 0700 %s", dir, dir)
	}
	return &Keys{dir: dir}, nil
}

func (k *Keys) path(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return filepath.Join(k.dir, hex.EncodeToString(sum[:16])+".json")
}

// Subject reads what the store knows of a subject.
func (k *Keys) Subject(subject string) (*Record, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.read(subject)
}

func (k *Keys) read(subject string) (*Record, error) {
	text, err := os.ReadFile(k.path(subject))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %q", ErrUnknownSubject, subject)
	}
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	var r Record
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil || r.Subject != subject || len(r.Keys) == 0 {
		return nil, fmt.Errorf("%w: %s is not the keys of %q (%v)", ErrForm, k.path(subject), subject, err)
	}
	return &r, nil
}

// Current is the key a subject's events are sealed with now; one is made where
// there is none.
func (k *Keys) Current(subject string) (Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, err := k.read(subject)
	if errors.Is(err, ErrUnknownSubject) {
		return k.add(&Record{Subject: subject})
	}
	if err != nil {
		return Key{}, err
	}
	return r.Keys[len(r.Keys)-1].Key()
}

// Rotate gives a subject a new key. What was sealed before stays sealed with
// the old one, which is kept. An event sent before a rotation is another when
// it is sealed again: resume a stream at Producer.Held, not at its beginning.
func (k *Keys) Rotate(subject string) (Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, err := k.read(subject)
	if errors.Is(err, ErrUnknownSubject) {
		r, err = &Record{Subject: subject}, nil
	}
	if err != nil {
		return Key{}, err
	}
	return k.add(r)
}

func (k *Keys) add(r *Record) (Key, error) {
	key, err := NewKey()
	if err != nil {
		return Key{}, err
	}
	r.Keys = append(r.Keys, StoredKeys{ID: key.ID().String(), Secret: encode(key[:])})
	return key, k.write(r)
}

// Find is the subject's key of an id.
func (k *Keys) Find(subject string, id KeyID) (Key, error) {
	r, err := k.Subject(subject)
	if err != nil {
		return Key{}, err
	}
	for i := range r.Keys {
		if r.Keys[i].ID == id.String() {
			return r.Keys[i].Key()
		}
	}
	return Key{}, fmt.Errorf("%w: none of %q is %s", ErrKey, subject, id)
}

// change applies a change to one key's record and keeps it.
func (k *Keys) change(subject string, id KeyID, apply func(*StoredKeys)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, err := k.read(subject)
	if err != nil {
		return err
	}
	for i := range r.Keys {
		if r.Keys[i].ID == id.String() {
			apply(&r.Keys[i])
			return k.write(r)
		}
	}
	return fmt.Errorf("%w: none of %q is %s", ErrKey, subject, id)
}

// write replaces a subject's file, durably.
func (k *Keys) write(r *Record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	path := k.path(r.Subject)
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return k.sync()
}

func (k *Keys) sync() error {
	dir, err := os.Open(k.dir)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Forget deletes a subject's keys and answers what was known of them, secrets
// left out: the entries that published them are to be erased on the ledger,
// where readers would still find the keys. The file is written over first,
// which on many disks overwrites no more than the newest copy.
func (k *Keys) Forget(subject string) (*Record, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, err := k.read(subject)
	if err != nil {
		return nil, err
	}
	path := k.path(subject)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	_, err = file.Write(make([]byte, info.Size()))
	if err := errors.Join(err, file.Sync(), file.Close(), os.Remove(path)); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	for i := range r.Keys {
		r.Keys[i].Secret = ""
	}
	return r, k.sync()
}
