package e2e

import (
	"maps"
	"os"
	"slices"
	"testing"
)

// birmingham is real data that is read in place when it is there.
const birmingham = "../../../shared/data/parking-birmingham/parking_birmingham.csv"

func needBirmingham(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(birmingham); err != nil {
		t.Skipf("the Birmingham car park data are not at %s", birmingham)
	}
	return birmingham
}

func sortedKeys[V any](m map[int]V) []int { return slices.Sorted(maps.Keys(m)) }

// The recomputation itself gives the counts the data's description states.
func TestRecomputationAgreesWithThePublishedCounts(t *testing.T) {
	r, err := recompute(needBirmingham(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.rows != 35_717 || r.repeats != 216 || r.evaluations != 1_023 || len(r.prices) != 90 {
		t.Fatalf("rows %d, repeats %d, evaluations %d, lot-bands %d", r.rows, r.repeats, r.evaluations, len(r.prices))
	}
}
