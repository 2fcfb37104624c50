package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A short bench from end to end: its last line has what it promises, and
// neither processes nor data remain.
func TestBench(t *testing.T) {
	binary(t, "cairnd")
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	plot := filepath.Join(t.TempDir(), "bench.svg")
	out := run(t, binary(t, "cairn"), "bench", "parking", "--validators", "1", "--seconds", "3", "--warmup", "1s", "--plot", plot, "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	decoder := json.NewDecoder(strings.NewReader(lines[len(lines)-1]))
	decoder.DisallowUnknownFields()
	var r struct {
		Scenario                string
		Validators, EventBytes  int
		EventsPerSecond         float64
		ExecutedPerSecond       float64
		BaselineEventsPerSecond float64
		Ratio                   float64
		LatencyMs               struct{ P50, P95, P99 float64 }
		Lost, Duplicated        *uint64
		ReceiptsVerified        int
	}
	if err := decoder.Decode(&r); err != nil || len(lines) != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	if r.Scenario != "parking" || r.Validators != 1 || r.EventBytes != 313 || r.EventsPerSecond <= 0 || r.ExecutedPerSecond <= 0 ||
		r.BaselineEventsPerSecond <= 0 || r.Ratio <= 0 || r.LatencyMs.P50 <= 0 || r.LatencyMs.P99 < r.LatencyMs.P95 ||
		r.Lost == nil || *r.Lost != 0 || r.Duplicated == nil || *r.Duplicated != 0 || r.ReceiptsVerified == 0 {
		t.Fatalf("%s", out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if drawn, err := os.ReadFile(plot); err != nil || !strings.HasPrefix(string(drawn), "<svg") {
		t.Errorf("the plot: %v", err)
	}
}
