package node

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWALMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wal", "wal")
	check := func(when string, height int64, want bool) {
		t.Helper()
		got, err := walMarks(path, height)
		if err != nil || got != want {
			t.Errorf("%s: height %d is marked %t, %v; must be %t", when, height, got, err, want)
		}
	}
	check("no log", 7, false)
	if err := beginWAL(path, 7); err != nil {
		t.Fatal(err)
	}
	check("begun", 7, true)
	check("begun", 8, false)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(text) { // a power cut in the middle of a write
		if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		check("torn", 7, false)
	}
	if err := os.WriteFile(path, append(text, 1, 2, 3), 0o600); err != nil {
		t.Fatal(err)
	}
	check("torn after the mark", 7, true)
	if err := beginWAL(path, 9); err != nil {
		t.Fatal(err)
	}
	check("begun anew", 9, true)
}
