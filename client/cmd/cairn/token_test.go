package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestAmountsAreExact(t *testing.T) {
	for _, c := range []struct {
		text   string
		places uint64
		want   uint64
		back   string
	}{
		{"0", 2, 0, "0.00"}, {"12.5", 2, 1_250, "12.50"}, {"12.50", 2, 1_250, "12.50"}, {"007", 0, 7, "7"}, {"0.000000000000000001", 18, 1, "0.000000000000000001"},
		{"92233720368547758.07", 2, math.MaxInt64, "92233720368547758.07"}, {"9223372036854775807", 0, math.MaxInt64, "9223372036854775807"},
	} {
		got, err := parseAmount(c.text, c.places)
		if err != nil || got != c.want || decimal(got, c.places) != c.back {
			t.Errorf("%s with %d places: %d, written %s, %v", c.text, c.places, got, decimal(got, c.places), err)
		}
	}
	for _, text := range []string{"", ".", "1.", ".5", "1.234", "-1", "+1", "1e3", "1,5", " 1", "92233720368547758.08", "99999999999999999999"} {
		if got, err := parseAmount(text, 2); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestSpansAndMoments(t *testing.T) {
	for text, want := range map[string]time.Duration{"30d": 720 * time.Hour, "36h": 36 * time.Hour, "1m": time.Minute, "0d": 0} {
		if got, err := span(text); err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"d", "-1d", "1.5d", "-1h", "99999d", "soon"} {
		if got, err := span(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if ms, err := moment("2026-12-31T12:00:00Z"); err != nil || showTime(ms) != "2026-12-31T12:00:00Z" {
		t.Error(ms, err)
	}
	if ms, err := moment(""); err != nil || ms != 0 || showTime(ms) != "-" {
		t.Error(ms, err)
	}
	if _, err := moment("1969-01-01T00:00:00Z"); err == nil {
		t.Error("a time before all times")
	}
}

func TestTokenMisuse(t *testing.T) {
	t.Setenv("CAIRN_NETWORK", "")
	for line, want := range map[string]string{
		"token":                          "needs a command",
		"token tranfser a 1 EUR":         `unknown command "tranfser"`,
		"token issue":                    "needs a symbol",
		"token transfer alice 5":         "TO AMOUNT ASSET",
		"token transfer a 1 EUR b":       "TO AMOUNT ASSET",
		"token balance":                  "needs an account",
		"token list":                     "needs what to list",
		"token allow alice 5 EUR":        "--network DIR",
		"token stream alice 5 EUR":       `"rate" not set`,
		"token release 1 a 5":            "needs a hold",
		"token mint a 1 EUR --bogus":     "unknown flag",
		"token transfer a 1 EUR --key k": "--network DIR",
	} {
		_, sentence, code := cairn(t, strings.Fields(line)...)
		if !strings.Contains(sentence, want) || code != exitUsage && line != "token stream alice 5 EUR" {
			t.Errorf("cairn %s: exit %d, %q; want %q", line, code, sentence, want)
		}
	}
}
