package cometdb

import (
	"bytes"
	"math/rand/v2"
	"testing"

	cmtdb "github.com/cometbft/cometbft-db"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The same random operations on this database and on CometBFT's in-memory one
// give the same answers.
func TestAgreesWithTheReference(t *testing.T) {
	fs := vfs.NewMem()
	db, err := Open("db", fs)
	if err != nil {
		t.Fatal(err)
	}
	reference := cmtdb.NewMemDB()
	random := rand.New(rand.NewPCG(1, 2))
	word := func() []byte {
		return []byte{byte('a' + random.IntN(6)), byte('a' + random.IntN(6))}[:1+random.IntN(2)]
	}
	for range 3_000 {
		key, value := word(), word()
		for _, d := range []cmtdb.DB{db, reference} {
			var err error
			switch len(key) + len(value) {
			case 2:
				err = d.SetSync(key, value)
			case 3:
				b := d.NewBatch()
				err = b.Set(key, value)
				if err == nil {
					err = b.Delete(value)
				}
				if err == nil {
					err = b.WriteSync()
				}
				if b.Set(key, value) == nil {
					t.Fatal("a written batch took another write")
				}
			default:
				err = d.Delete(key)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		got, _ := db.Get(key)
		want, _ := reference.Get(key)
		if !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Fatalf("%q: %q, want %q", key, got, want)
		}
	}
	compareRange(t, db, reference, nil, nil)
	compareRange(t, db, reference, []byte("b"), []byte("d"))
	if err := db.Compact(nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open("db", fs); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	compareRange(t, db, reference, nil, nil)
}

func compareRange(t *testing.T, a, b cmtdb.DB, start, end []byte) {
	t.Helper()
	for _, reverse := range []bool{false, true} {
		open := func(d cmtdb.DB) (cmtdb.Iterator, error) {
			if reverse {
				return d.ReverseIterator(start, end)
			}
			return d.Iterator(start, end)
		}
		x, err1 := open(a)
		y, err2 := open(b)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for ; y.Valid(); y.Next() {
			if !x.Valid() || !bytes.Equal(x.Key(), y.Key()) || !bytes.Equal(x.Value(), y.Value()) {
				t.Fatalf("iterators differ at %q", y.Key())
			}
			x.Next()
		}
		if x.Valid() || x.Error() != nil {
			t.Fatalf("iterator goes on after the end: %v", x.Error())
		}
		x.Close()
		y.Close()
	}
}

func TestBadArgumentsAreRefused(t *testing.T) {
	db, err := Open("db", vfs.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Get(nil); err == nil {
		t.Error("an empty key was read")
	}
	if err := db.Set([]byte("k"), nil); err == nil {
		t.Error("a nil value was written")
	}
	if _, err := db.Iterator([]byte{}, nil); err == nil {
		t.Error("an empty bound was taken")
	}
}
