package node

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Old full files of the log of votes go; the current one, the last full ones
// and what is not of the log stay.
func TestPruneWAL(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for name, age := range map[string]time.Duration{
		"wal.000": 9 * time.Hour, "wal.001": 8 * time.Hour, "wal.002": 3 * time.Hour, "wal.999": 8 * time.Hour,
		"wal.1000": 8 * time.Hour, "wal.1001": 8 * time.Hour, "wal": 9 * time.Hour, "wal.bak": 9 * time.Hour,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		before time.Time
		left   []string
	}{
		{now.Add(-5 * time.Hour), []string{"wal", "wal.002", "wal.1000", "wal.1001", "wal.999", "wal.bak"}},
		{now, []string{"wal", "wal.1000", "wal.1001", "wal.bak"}},
	} {
		if err := pruneWAL(dir, step.before); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i] = filepath.Base(files[i])
		}
		if !slices.Equal(files, step.left) {
			t.Fatalf("left: %v", files)
		}
	}
}
