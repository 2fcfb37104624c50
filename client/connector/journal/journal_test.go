package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/connector/record"
)

func some(from, count int) (records []*record.Record) {
	for n := from; n < from+count; n++ {
		records = append(records, &record.Record{Key: []byte("k"), Value: fmt.Appendf(nil, "value %d", n), Topic: "t", Headers: map[string]string{"h": fmt.Sprint(n)}})
	}
	return records
}

// wantRecords reads the journal from a position to its end.
func wantRecords(t *testing.T, j *Journal, from, to int) {
	t.Helper()
	r := reader{journal: j, at: uint64(from)}
	defer r.close()
	if durable, _ := j.State(); durable != uint64(to) {
		t.Fatalf("the journal ends at %d, want %d", durable, to)
	}
	for n := from; n < to; n++ {
		rec, _, err := r.read()
		if err != nil || rec.Position != uint64(n) || string(rec.Value) != fmt.Sprintf("value %d", n) || rec.Headers["h"] != fmt.Sprint(n) {
			t.Fatalf("record %d: %+v, %v", n, rec, err)
		}
	}
}

// A crash leaves any prefix of the last write: what was synced before is there,
// and the journal goes on after it.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	j, _, err := Open(dir, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(some(5, 3), "cursor 1"); err != nil {
		t.Fatal(err)
	}
	_, synced := j.State()
	if err := j.Append(some(8, 1), "cursor 2"); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(j.path(5))
	if err != nil {
		t.Fatal(err)
	}
	for cut := int(synced); cut < len(whole); cut++ {
		if err := os.WriteFile(j.path(5), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again, lost, err := Open(dir, 6)
		if err != nil || lost || again.Cursor() != "cursor 1" {
			t.Fatalf("cut at %d: %v, lost %t, cursor %q", cut, err, lost, again.Cursor())
		}
		if err := again.Append(some(8, 2), ""); err != nil {
			t.Fatal(err)
		}
		wantRecords(t, again, 6, 10)
		again.Close()
	}
}

// Files turn, and are removed once the ledger is past them; damage inside is
// refused, and so is a journal of another stream; one that was lost begins anew.
func TestSegments(t *testing.T) {
	dir := t.TempDir()
	j, _, err := Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		if err := j.Append(some(10*n, 10), fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
		j.segments[len(j.segments)-1].bytes += segmentBytes // as if they were long
	}
	wantRecords(t, j, 0, 40)
	wantRecords(t, j, 17, 40)
	if err := j.forget(20); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if len(files) == 0 || !strings.HasSuffix(files[0], fmt.Sprintf("%020d%s", j.segments[0].first, suffix)) || j.segments[0].first < 20 {
		t.Fatalf("%v are left", files)
	}
	first := j.segments[0].first
	j.Close()
	if _, _, err := Open(dir, first-1); err == nil || !strings.Contains(err.Error(), "another stream") {
		t.Errorf("of a stream that stands before it: %v", err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text[20] ^= 1
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(dir, first); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("damaged: %v", err)
	}
	text[20] ^= 1
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	again, lost, err := Open(dir, 100)
	if err != nil || !lost {
		t.Fatalf("behind the ledger: lost %t, %v", lost, err)
	}
	if err := again.Append(some(100, 3), ""); err != nil {
		t.Fatal(err)
	}
	wantRecords(t, again, 100, 103)
	again.Close()
}
