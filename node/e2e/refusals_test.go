package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// post submits raw bytes and answers the code the node refused them with.
func post(t testing.TB, api string, raw []byte) (status int, code protocol.Code, message string) {
	t.Helper()
	response, err := httpClient.Post(api+"/v1/transactions?wait=10s", "application/octet-stream", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Code    protocol.Code `json:"code"`
		Message string        `json:"message"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%d: %s", response.StatusCode, body)
	}
	return response.StatusCode, answer.Code, answer.Message
}

// Each kind of bad input gets its own code and a sentence, and changes nothing.
func TestBadInputIsRefusedWithItsReason(t *testing.T) {
	nw := startNetwork(t, 1)
	api, c := nw.nodes[0].API, nw.connect()
	nw.deployParking(c)
	chain, producer, author := c.ChainID(), nw.key("producer"), nw.key("author")
	event := protocol.Event{ID: "1", Source: "/s", Type: "t"}
	good := func() *protocol.Batch {
		return &protocol.Batch{Stream: "s", Records: [][]byte{event.AppendRecord(nil)}}
	}
	sign := func(chainID string, key protocol.PrivateKey, expiry uint64, body protocol.Body) []byte {
		raw, err := protocol.SignTx(chainID, key, expiry, 1, body)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	before := nw.agreed()
	soon := before.Height + 1_000
	stranger, err := protocol.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	forged := sign(chain, producer, soon, good())
	forged[len(forged)-1] ^= 1
	missing, gap, bomb := good(), good(), good()
	missing.Records = [][]byte{(&protocol.Event{ID: "1", Type: "t"}).AppendRecord(nil)}
	gap.First = 7
	bomb.Compressed, bomb.RawBytes = inflating(t), 100
	module := []byte("\x00asm\x01\x00\x00\x00")
	manifest := []byte(`{"name":"x","version":"1","abi":1}`)
	cases := []struct {
		name string
		raw  []byte
		code protocol.Code
	}{
		{"not a transaction", []byte("hello"), protocol.CodeMalformed},
		{"too large", make([]byte, protocol.MaxTxBytes+1), protocol.CodeTooLarge},
		{"wrong signature", forged, protocol.CodeBadSignature},
		{"wrong chain", sign("another", producer, soon, good()), protocol.CodeWrongChain},
		{"no role", sign(chain, stranger, soon, good()), protocol.CodeUnauthorized},
		{"expired", sign(chain, producer, before.Height, good()), protocol.CodeExpired},
		{"expires too late", sign(chain, producer, before.Height+1_000_000, good()), protocol.CodeExpiryTooFar},
		{"missing attribute", sign(chain, producer, soon, missing), protocol.CodeEventMissing},
		{"decompression bomb", sign(chain, producer, soon, bomb), protocol.CodeInflation},
		{"sequence gap", sign(chain, producer, soon, gap), protocol.CodeSequenceGap},
		{"unknown contract", sign(chain, author, soon, &protocol.Call{Method: "m"}), protocol.CodeContractUnknown},
		{"bad manifest", sign(chain, author, soon, &protocol.Deploy{Code: module, Manifest: []byte("{}")}), protocol.CodeManifestInvalid},
		{"bad module", sign(chain, author, soon, &protocol.Deploy{Code: module, Manifest: manifest}), protocol.CodeContractInvalid},
	}
	for _, c := range cases {
		status, code, message := post(t, api, c.raw)
		if code != c.code || message == "" || status == http.StatusInternalServerError {
			t.Errorf("%s: %d %s %q, want %s", c.name, status, code, message, c.code)
		}
	}
	if after := nw.agreed(); after.LogSize != before.LogSize || after.AppHash != before.AppHash {
		t.Errorf("bad input changed the ledger: %+v, then %+v", before, after)
	}
	if err := stream(context.Background(), c, producer, "s", []protocol.Event{event}, 0); err != nil {
		t.Errorf("after all that, good input is refused: %v", err)
	}
}

// inflating is a zstd frame that states no size and inflates to 64 MiB.
func inflating(t testing.TB) []byte {
	t.Helper()
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70} // no content size, window of 16 MiB
	for i := range 512 {
		block := 1<<1 | (128<<10)<<3 // RLE block of 128 KiB
		if i == 511 {
			block |= 1 // the last
		}
		frame = append(frame, byte(block), byte(block>>8), byte(block>>16), 'x')
	}
	return frame
}

// The command line says what is wrong, in one sentence, and exits as documented.
func TestCommandLineErrors(t *testing.T) {
	cairn, cairnd := binary(t, "cairn"), binary(t, "cairnd")
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.jsonl")
	if err := os.WriteFile(bad, []byte(`{"specversion":"1.0","id":"1","type":"t"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	nw := startNetwork(t, 1)
	c := nw.connect()
	nw.deployParking(c)
	genesisFile, receipt := filepath.Join(nw.dir, "genesis.json"), filepath.Join(dir, "receipt.json")
	run(t, cairn, "receipt", "get", "0", "--network", nw.dir, "-o", receipt)
	if said := run(t, cairn, "receipt", "verify", receipt, "--trust", genesisFile); !strings.Contains(said, "entry 0") {
		t.Errorf("verify said %q", said)
	}
	text, err := os.ReadFile(receipt)
	if err != nil {
		t.Fatal(err)
	}
	forged := filepath.Join(dir, "forged.json")
	if err := os.WriteFile(forged, bytes.Replace(text, []byte(`"index":0`), []byte(`"index":1`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	run(t, cairnd, "init", "--home", other, "--chain-id", "cairn-devnet")
	cases := []struct {
		args []string
		code int
		want string
	}{
		{[]string{cairn, "status"}, 2, "--network DIR"},
		{[]string{cairn, "status", "--network", dir}, 1, "cairnd devnet"},
		{[]string{cairn, "nonsense"}, 2, "unknown command"},
		{[]string{cairn, "submit", bad, "--network", nw.dir}, 1, `line 1: EVENT_ATTRIBUTE_MISSING: event: attribute "source"`},
		{[]string{cairn, "event", "999", "--network", nw.dir}, 1, "no entry 999"},
		{[]string{cairn, "contract", "query", "nobody", "q", "--network", nw.dir}, 1, `no contract is named "nobody"`},
		{[]string{cairn, "contract", "query", "parking", "price", "lot=x", "--network", nw.dir}, 1, `field "band" is missing`},
		{[]string{cairn, "receipt", "verify", forged, "--trust", genesisFile}, 3, "the receipt"},
		{[]string{cairn, "receipt", "verify", receipt, "--trust", filepath.Join(other, "genesis.json")}, 3, "did not sign"},
		{[]string{cairn, "receipt", "verify", bad, "--trust", genesisFile}, 3, "the receipt"},
		{[]string{cairn, "demo", "parking", "--network", nw.dir}, 2, "--data"},
		{[]string{cairnd, "start", "--home", nw.nodes[0].Home}, 1, "in use"},
		{[]string{cairnd, "start", "--home", dir}, 1, "cairnd init"},
		{[]string{cairnd, "devnet", "--home", other, "--validators", "9"}, 2, "--validators"},
	}
	for _, c := range cases {
		out, code := runCode(t, c.args[0], c.args[1:]...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%v: exit %d, want %d: %s (want %q)", c.args[1:], code, c.code, out, c.want)
		}
	}
}
