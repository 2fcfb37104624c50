package proof

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var everyBit = flag.Bool("every-bit", false, "have the verifier in TypeScript refuse every flipped bit, and not one in some")

// spoilLine is a founding document, or a sound receipt to spoil.
type spoilLine struct {
	Name    string `json:"name"`
	Genesis string `json:"genesis,omitempty"`
	Form    []byte `json:"form"`
	Held    string `json:"held,omitempty"`
	Digest  bool   `json:"digest,omitempty"` // it ends with one that a forger renews
	Stride  int    `json:"stride"`
}

// sound are receipts of every kind in every format, under one founding document.
func sound(t *testing.T) []spoilLine {
	t.Helper()
	blocks, logs := newTestbed(t, testChain, 10, 10, 10, 5), newLogbed(t, 10, 10, 10, 5)
	founding := `{"chainId":"` + testChain + `","validators":[`
	for i, v := range logs.List() {
		founding += fmt.Sprintf(`{"name":%q,"publicKey":%q,"power":%d,"logKey":%q},`, strings.TrimPrefix(v.Name, testChain+"/"),
			base64.StdEncoding.EncodeToString(blocks.anchor.validators[i].PubKey[:]), v.Power, base64.StdEncoding.EncodeToString(v.Key[:]))
	}
	lines := []spoilLine{{Name: "founding", Genesis: strings.TrimSuffix(founding, ",") + "]}"}}
	add := func(name string, form []byte, digest bool, stride int) {
		lines = append(lines, spoilLine{Name: name, Form: form, Digest: digest, Stride: stride})
	}
	all := oneOfEach(t, blocks)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		binary, text := mustEncode(t, all[name])
		add(name, binary, true, 7)
		add(name+", JSON", text, false, 23)
	}
	exports := exportsOf(t, logs)
	for _, name := range slices.Sorted(maps.Keys(exports)) {
		add(name, exports[name], false, 13)
	}
	binary, text := batchForms(t, batchOf(t, blocks, 70_000, run(1234, 3), false))
	add("batch", binary, true, 7)
	add("batch, JSON", text, false, 23)
	add("erasure", mustJSON(t, testErasure(t, blocks)), false, 43)
	stream, err := streamOf(t, blocks, 112).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	add("stream", stream, true, 29)
	log := newHeldLog(150)
	h := log.hold(logs, 150, 4)
	small, err := log.receipt(37, 150).Shrink(h)
	if err != nil {
		t.Fatal(err)
	}
	if binary, err = small.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	add("held", binary, true, 7)
	lines[len(lines)-1].Held = string(mustJSON(t, h))
	return lines
}

// TestTypeScriptRefusesWhatIsSpoilt has the verifier in TypeScript judge every
// sound receipt with bits flipped, octets missing or added, cut at each length.
// This package's own tests do that with every bit; there, -every-bit does.
func TestTypeScriptRefusesWhatIsSpoilt(t *testing.T) {
	builtTypeScript(t)
	lines := sound(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "sound.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	encoder := json.NewEncoder(file)
	for _, line := range lines {
		if *everyBit {
			line.Stride = 1
		}
		if err := encoder.Encode(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := inTypeScript("node", filepath.Join("scripts", "spoil.mjs"), file.Name())
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
