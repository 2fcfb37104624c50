package proof

import (
	"bytes"
	"testing"
)

// FuzzTrust reads trust files and paths from anybody: what is read is written
// again to the same values, and following a path never panics.
func FuzzTrust(f *testing.F) {
	f.Add([]byte(`{"cairnTrust":1,"chainId":"c","points":[{"since":1,"seen":4,"at":"2026-01-01T00:00:00.000000000Z","validators":[{"pubKey":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","power":1}]}]}`))
	f.Add([]byte(`{"cairnTrustPath":1,"chainId":"c","steps":[{"skip":true,"time":"2026-01-01T00:00:00.000000000Z","beside":[],"commit":{"height":1,"round":0,"partsTotal":1,"partsHash":"0000000000000000000000000000000000000000000000000000000000000000","signatures":[]},"next":[]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if trust, err := ParseTrust(text); err == nil {
			again, err := trust.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if back, err := ParseTrust(again); err != nil || !bytes.Equal(mustJSON(t, back), again) {
				t.Fatalf("%s reads as another one: %v", again, err)
			}
		}
		var path TrustPath
		if path.UnmarshalJSON(text) == nil {
			for i := range path.Steps {
				_, _ = path.Steps[i].Verify(Anchor{chainID: path.ChainID})
			}
		}
	})
}

func mustJSON(t testing.TB, v interface{ MarshalJSON() ([]byte, error) }) []byte {
	t.Helper()
	text, err := v.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
