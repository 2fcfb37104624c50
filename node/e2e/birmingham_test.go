package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// demoResult is the last line of cairn demo parking.
type demoResult struct {
	Events           int     `json:"events"`
	Committed        int     `json:"committed"`
	Duplicates       int     `json:"duplicates"`
	DeadLettered     int     `json:"deadLettered"`
	ReceiptsVerified int     `json:"receiptsVerified"`
	Seconds          float64 `json:"seconds"`
}

func runDemo(t testing.TB, nw *network, file, receipts string) demoResult {
	t.Helper()
	out := run(t, binary(t, "cairn"), "demo", "parking", "--data", file, "--network", nw.dir, "--receipts", receipts)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var result demoResult
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil {
		t.Fatalf("the last line is not JSON: %v\n%s", err, out)
	}
	return result
}

// A year of car parks through four validators: every price equals the rule
// recomputed apart from the ledger, every receipt verifies offline, and the
// same file again changes nothing.
func TestBirmingham(t *testing.T) {
	file := needBirmingham(t)
	want, err := recompute(file)
	if err != nil {
		t.Fatal(err)
	}
	nw := startNetwork(t, 4)
	got := runDemo(t, nw, file, "all")
	if got.Events != 35_717 || got.Committed != 35_501 || got.Duplicates != 216 || got.DeadLettered != 0 || got.ReceiptsVerified != 35_501 {
		t.Fatalf("%+v", got)
	}
	t.Logf("%+v", got)
	comparePrices(t, nw, want)

	before := nw.agreed()
	again := runDemo(t, nw, file, "10")
	if again.Events != 35_717 || again.Committed != 35_501 || again.Duplicates != 216 {
		t.Fatalf("second run: %+v", again)
	}
	if after := nw.agreed(); after.AppHash != before.AppHash || after.LogSize != before.LogSize {
		t.Fatalf("the same file again changed the ledger: %+v, then %+v", before, after)
	}
}

// comparePrices holds every lot and band of every node to the recomputation.
func comparePrices(t testing.TB, nw *network, want recomputed) {
	t.Helper()
	for _, n := range nw.nodes {
		var count struct {
			Evaluations int `json:"evaluations"`
		}
		getJSON(t, n.API+"/v1/contracts/parking/query/evaluations", &count)
		if count.Evaluations != want.evaluations {
			t.Errorf("%s: %d evaluations, want %d", n.Name, count.Evaluations, want.evaluations)
		}
	}
	for key, cents := range want.prices {
		var price struct {
			PriceCents int `json:"priceCents"`
		}
		getJSON(t, fmt.Sprintf("%s/v1/contracts/parking/query/price?lot=%s&band=%s", nw.nodes[0].API, url.QueryEscape(key.lot), key.band), &price)
		if price.PriceCents != cents {
			t.Errorf("%s %s: the ledger says %d cents, the rule %d", key.lot, key.band, price.PriceCents, cents)
		}
	}
}
