package seal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// board is a ledger that keeps events and finds them.
type board struct {
	events []*protocol.Event // nil where erased
	ids    map[string]int
	lose   int // how many events are lost on their way
}

func (b *board) publish(_ context.Context, e protocol.Event) (uint64, error) {
	if b.lose > 0 {
		b.lose--
		return 0, errors.New("lost")
	}
	if b.ids == nil {
		b.ids = map[string]int{}
	}
	b.ids[e.Source+" "+e.ID] = len(b.events)
	b.events = append(b.events, &e)
	return uint64(len(b.events) - 1), nil
}

func (b *board) FindEvent(_ context.Context, _ protocol.Address, source, id string) (rest.Entry, error) {
	at, ok := b.ids[source+" "+id]
	if !ok {
		return rest.Entry{}, protocol.Refuse(protocol.CodeNotFound, "no event %s", id)
	}
	if b.events[at] == nil {
		return rest.Entry{Index: uint64(at), Erased: &rest.Erasure{}}, nil
	}
	return rest.Entry{Index: uint64(at), Event: b.events[at]}, nil
}

type person struct {
	*age.X25519Identity
	reader *Reader
}

func newPerson(t testing.TB, b *board) person {
	t.Helper()
	identity := must(age.GenerateX25519Identity())(t)
	return person{identity, NewReader(identity, b)}
}

func (p person) reads(e protocol.Event) error {
	_, err := p.reader.Open(context.Background(), protocol.Address{7}, e)
	return err
}

func TestReadersReadWhatWasWrappedForThem(t *testing.T) {
	ctx, b := context.Background(), &board{}
	ann, bob, eve := newPerson(t, b), newPerson(t, b), newPerson(t, b)
	keys := must(OpenKeys(filepath.Join(t.TempDir(), "keys")))(t)
	s := &Sealer{Keys: keys, Readers: []age.Recipient{ann.Recipient()}, Publish: b.publish}
	first := must(s.Seal(ctx, testEvent()))(t)
	if again := must(s.Seal(ctx, testEvent()))(t); !equal(first, again) || len(b.events) != 1 {
		t.Fatalf("%d key events", len(b.events))
	}
	if err := ann.reads(first); err != nil {
		t.Fatal(err)
	}
	if err := bob.reads(first); !errors.Is(err, ErrNotForUs) {
		t.Fatal(err)
	}
	// Bob is told the old key too; a wrapping that was lost on the way is no hindrance.
	old := must(keys.Current("m-7"))(t)
	b.lose = 1
	if s.Share(ctx, "m-7", old, bob.Recipient()) == nil {
		t.Fatal("the loss was not noticed")
	}
	if err := s.Share(ctx, "m-7", old, bob.Recipient()); err != nil {
		t.Fatal(err)
	}
	if err := bob.reads(first); err != nil {
		t.Fatal(err)
	}
	// From now on for bob alone.
	if fresh := must(keys.Rotate("m-7"))(t); fresh == old {
		t.Fatal("the key is the old one")
	}
	s.Readers = []age.Recipient{bob.Recipient()}
	second := must(s.Seal(ctx, testEvent()))(t)
	if err := bob.reads(second); err != nil || equal(first, second) {
		t.Fatal(err)
	}
	if err := newPersonLike(ann, b).reads(second); !errors.Is(err, ErrNotForUs) {
		t.Fatal(err)
	}
	if err := eve.reads(first); !errors.Is(err, ErrNotForUs) {
		t.Fatal(err)
	}
	if opened := must(Open(first, must(keys.Find("m-7", old.ID()))(t)))(t); !equal(opened, testEvent()) {
		t.Fatal("the producer cannot read its old events")
	}
	forgetEverywhere(t, keys, b, first, second, ann, bob)
}

// newPersonLike is a person who comes back with nothing but the identity.
func newPersonLike(p person, b *board) person {
	return person{p.X25519Identity, NewReader(p.X25519Identity, b)}
}

// forgetEverywhere deletes the keys and erases what published them: nobody who
// did not keep a key reads on.
func forgetEverywhere(t *testing.T, keys *Keys, b *board, first, second protocol.Event, ann, bob person) {
	t.Helper()
	record := must(keys.Forget("m-7"))(t)
	if len(record.Keys) != 2 || record.Keys[0].Secret != "" || len(record.Keys[0].Entries) != 2 || len(record.Keys[1].Entries) != 1 {
		t.Fatalf("%+v", record)
	}
	if _, err := keys.Subject("m-7"); !errors.Is(err, ErrUnknownSubject) {
		t.Fatal(err)
	}
	if _, err := keys.Forget("m-7"); !errors.Is(err, ErrUnknownSubject) {
		t.Fatal(err)
	}
	if files := must(filepath.Glob(filepath.Join(keys.dir, "*")))(t); len(files) != 0 {
		t.Fatalf("left: %v", files)
	}
	if err := newPersonLike(ann, b).reads(first); err != nil {
		t.Fatal("the wrapped key is still there, and does not open:", err)
	}
	for _, k := range record.Keys {
		for _, index := range k.Entries {
			b.events[index] = nil
		}
	}
	for _, p := range []person{ann, bob} {
		for _, e := range []protocol.Event{first, second} {
			if err := newPersonLike(p, b).reads(e); !errors.Is(err, ErrErased) {
				t.Fatal(err)
			}
		}
	}
	if err := bob.reads(second); err != nil { // he kept the key: no deletion reaches that
		t.Fatal(err)
	}
}

func TestKeyEventRefusals(t *testing.T) {
	identity := must(age.GenerateX25519Identity())(t)
	e := must(KeyEvent(testKey(1), 0, identity.Recipient()))(t)
	if key := must(Unwrap(&e, identity))(t); key != testKey(1) {
		t.Fatal("another key")
	}
	other := must(KeyEvent(testKey(2), 0, identity.Recipient()))(t)
	swapped := other
	swapped.Data = bytes.Replace(other.Data, []byte(testKey(2).ID().String()), []byte(testKey(1).ID().String()), 1)
	for name, change := range map[string]func(e *protocol.Event){
		"another key's name": func(e *protocol.Event) { *e = swapped },
		"another type":       func(e *protocol.Event) { e.Type = "seal.key.v2" },
		"a flipped bit":      func(e *protocol.Event) { e.Data = bytes.Clone(e.Data); e.Data[len(e.Data)-20] ^= 1 },
		"another member":     func(e *protocol.Event) { e.Data = bytes.Replace(e.Data, []byte("{"), []byte(`{"a":1,`), 1) },
		"no data":            func(e *protocol.Event) { e.Data = []byte("{}") },
	} {
		changed := e
		change(&changed)
		if _, err := Unwrap(&changed, identity); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := KeyEvent(testKey(1), 0); err == nil {
		t.Error("wrapped for nobody")
	}
}

func TestKeysAreForTheirOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	keys := must(OpenKeys(dir))(t)
	key := must(keys.Current("alice"))(t)
	if again := must(must(OpenKeys(dir))(t).Current("alice"))(t); again != key {
		t.Fatal("another key after a restart")
	}
	if info := must(os.Stat(keys.path("alice")))(t); info.Mode().Perm() != 0o600 || bytes.Contains([]byte(info.Name()), []byte("alice")) {
		t.Fatalf("%v %s", info.Mode(), info.Name())
	}
	if err := os.WriteFile(keys.path("bob"), must(os.ReadFile(keys.path("alice")))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Current("bob"); !errors.Is(err, ErrForm) {
		t.Fatalf("another subject's file: %v", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeys(dir); err == nil {
		t.Fatal("a store that others can read was opened")
	}
}
