package derive

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Whatever ascends is written and read back; every other text is refused.
func TestInputs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var indexes []uint64
		next := uint64(0)
		for range 1 + r.IntN(MaxInputs) {
			next += 1 + uint64(r.IntN(3)*r.IntN(50))
			indexes = append(indexes, next)
		}
		text := FormatInputs(indexes)
		got, err := ParseInputs(text)
		if err != nil || !slices.Equal(got, indexes) {
			t.Fatalf("%s: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", ",", "1,", "-", "1-", "-1", "2,1", "1,1", "2-1", "1-1", "01", "+1", " 1", "1 ", "1,2", "1-2,3", "0-256",
		"1-4611686018427387903", "4611686018427387904", "1.0", "0x1", strings.Repeat("9", 40)} {
		if got, err := ParseInputs(bad); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func FuzzParseInputs(f *testing.F) {
	for _, seed := range []string{"0", "1,3-5,9", "0-255", "2-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := ParseInputs(text); err == nil && (FormatInputs(got) != text || len(got) > MaxInputs) {
			t.Errorf("%q is read as %v", text, got)
		}
	})
}
