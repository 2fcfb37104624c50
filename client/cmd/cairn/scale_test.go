package main

import (
	"os"
	"strings"
	"testing"
)

// The page shows what the command prints.
func TestScaleAsDocumented(t *testing.T) {
	out, sentence, code := cairn(t, "scale")
	if code != 0 {
		t.Fatal(sentence)
	}
	page, err := os.ReadFile("../../../docs/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```\n"+out+"```\n") {
		t.Errorf("docs/scale.md does not show what `cairn scale` prints:\n%s", out)
	}
}
