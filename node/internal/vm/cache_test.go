package vm

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestDamagedCache flips bits all over a file of compiled code and cuts it at
// many places: what runs then is what was compiled. The engine's own check
// covers the machine code, but neither the table of functions before it nor
// the sizes, which it trusts.
func TestDamagedCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	handlers := []uint32{19, 20, 25, 36}
	run := func() (all []Result) {
		p := load(t, newEngine(t, Config{CacheDir: dir}), "hostile")
		for _, h := range handlers {
			r := deliver(t, p, h, nil, newLedger())
			r.Log = nil
			all = append(all, r)
		}
		return all
	}
	want := run()
	files := compiledFiles(t, dir)
	if len(files) != 1 {
		t.Fatalf("%d files of compiled code", len(files))
	}
	sound, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	damage := func(what string, at int, b []byte) {
		if err := os.WriteFile(files[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := run(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s at %d: %+v, want %+v", what, at, got, want)
		}
		if now, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(now, sound) {
			t.Fatalf("%s at %d: the file was not made anew: %v", what, at, err)
		}
	}
	for at := 0; at < len(sound); at += 1 + at*at/4_000 { // closest where the tables are
		spoiled := bytes.Clone(sound)
		spoiled[at] ^= 1 << (at % 8)
		damage("a flipped bit", at, spoiled)
	}
	for at := 0; at < len(sound); at += 1 + len(sound)/10 {
		damage("a cut", at, sound[:at])
	}
	damage("more bytes", 0, append(bytes.Clone(sound), 0))
	if err := os.WriteFile(files[0]+sumSuffix, []byte("not a sum"), 0o600); err != nil {
		t.Fatal(err)
	}
	damage("a damaged sum", 0, sound)
}
