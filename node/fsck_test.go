package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// A node's data are changed in one place at a time; fsck names the place, and
// after a repair the node starts and is where it was.
func TestFsckNamesWhatIsDamaged(t *testing.T) {
	s := found(t)
	s.start()
	for i := range 3 {
		s.submit(s.batch(uint64(100*i), 100))
	}
	want := s.head()
	s.halt()
	report := s.fsck(false)
	if len(report.Damage) > 0 || report.Entries != 300 || report.Keys == 0 || report.Blocks < 3 || report.Height < want.Height {
		t.Fatalf("a sound node: %+v", report)
	}
	sound := copyDir(t, filepath.Join(s.home, "data"))
	for _, c := range []struct {
		part, words string
		spoil       func(db *pebble.DB)
	}{
		{"log", "entry 7", func(db *pebble.DB) { flip(t, db, []byte{0x20}, 7*118+60) }},
		{"log", "tile 0 at level 0", func(db *pebble.DB) { flip(t, db, []byte{0x21, 0}, 32*9) }},
		{"payloads", "entry 100", func(db *pebble.DB) { flip(t, db, indexed(0x30, 100), 20) }},
		{"state", "key ", func(db *pebble.DB) { flip(t, db, []byte{0x10}, 1) }},
		{"state", "node", func(db *pebble.DB) { flipAll(t, db, 0x11, 40) }},
		{"heads", "height 2", func(db *pebble.DB) { flip(t, db, indexed(0x50, 2), 20) }},
	} {
		restore(t, sound, filepath.Join(s.home, "data"))
		db, err := pebble.Open(filepath.Join(s.home, ledgerDir), &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
		if err != nil {
			t.Fatal(err)
		}
		c.spoil(db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		report := s.fsck(false)
		if len(report.Damage) == 0 || report.Damage[0].Part != c.part || !strings.Contains(report.Damage[0].Text, c.words) {
			t.Errorf("%s, %q: %+v", c.part, c.words, report.Damage)
		}
	}
	// The ledger is made again from the node's own blocks.
	if report := s.fsck(true); report.Repaired == "" || !strings.Contains(report.Then, "blocks again") {
		t.Fatalf("repair: %+v", report)
	}
	s.start()
	if got := s.head(); got.AppHash != want.AppHash || got.LogSize != want.LogSize {
		t.Errorf("after the repair the head is %+v, it was %+v", got, want)
	}
	s.halt()
	if report := s.fsck(false); len(report.Damage) > 0 {
		t.Errorf("after the repair: %+v", report.Damage)
	}
}

// A table of a store that the disk damaged is found, whichever it is. (The end of
// a write-ahead log is another matter: it reads as a crash, which heals.)
func TestFsckNamesDamagedFiles(t *testing.T) {
	s := found(t)
	s.start()
	s.submit(s.batch(0, 100))
	s.halt()
	s.fsck(false) // opening the stores turns their logs into tables
	sound := copyDir(t, filepath.Join(s.home, "data"))
	for _, folder := range []string{ledgerDir, cometDir + "/blockstore"} {
		restore(t, sound, filepath.Join(s.home, "data"))
		files, err := filepath.Glob(filepath.Join(s.home, folder, "*.sst"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v %v", folder, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > 200 {
				copy(text[len(text)/2:], bytes.Repeat([]byte{0xa5}, 64))
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if report := s.fsck(false); len(report.Damage) == 0 {
			t.Errorf("%s: damage in %v is not found", folder, files)
		}
	}
}

// quiet is a pebble logger.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (s *solo) fsck(repair bool) *FsckReport {
	s.t.Helper()
	report, err := Fsck(s.home, s.config, repair, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

func indexed(family byte, n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{family}, n) }

// flip changes a bit of the first value at or after a key.
func flip(t *testing.T, db *pebble.DB, from []byte, place int) {
	t.Helper()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !it.SeekGE(from) || it.Key()[0] != from[0] {
		t.Fatalf("nothing at %x", from)
	}
	key, value := bytes.Clone(it.Key()), bytes.Clone(it.Value())
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	value[min(place, len(value)-1)] ^= 1
	if err := db.Set(key, value, pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

// flipAll changes a bit of every value of a family: of the nodes some belong to
// past versions alone.
func flipAll(t *testing.T, db *pebble.DB, family byte, place int) {
	t.Helper()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{family}, UpperBound: []byte{family + 1}})
	if err != nil {
		t.Fatal(err)
	}
	var keys [][]byte
	for ok := it.First(); ok; ok = it.Next() {
		keys = append(keys, bytes.Clone(it.Key()))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		flip(t, db, key, place)
	}
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func restore(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// A home whose node has not run is not damaged, and a look leaves it as it was.
func TestFsckOfAHomeThatNeverRan(t *testing.T) {
	s := found(t)
	for range 2 {
		if report := s.fsck(true); len(report.Damage) > 0 || report.Keys > 0 || report.Repaired != "" {
			t.Fatalf("%+v", report)
		}
	}
}
