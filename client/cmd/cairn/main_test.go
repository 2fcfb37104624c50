package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/connector"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// cairn runs a command line as main does and answers what it wrote, the
// sentence of its error and its exit code.
func cairn(t *testing.T, args ...string) (out, sentence string, code int) {
	t.Helper()
	var written bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&written)
	err := cmd.ExecuteContext(context.Background())
	if err != nil {
		sentence = err.Error()
	}
	return written.String(), sentence, exitCode(err)
}

// A mistake on the command line is exit 2 and says what is missing; above all,
// a misspelt command is never a success.
func TestMisuseIsRefused(t *testing.T) {
	t.Setenv("CAIRN_NETWORK", "")
	for _, c := range []struct {
		line string
		want string
	}{
		{"nonsense", "unknown command"},
		{"receipt", "needs a command"},
		{"receipt verfiy x", `unknown command "verfiy" for "cairn receipt"`},
		{"contract nonsense", "unknown command"},
		{"keys nonsense", "unknown command"},
		{"demo nonsense", "unknown command"},
		{"receipt verify", "needs a receipt file"},
		{"receipt verify a b", "needs a receipt file"},
		{"receipt verify a", "--trust"},
		{"receipt get x --network d", "whole number"},
		{"receipt get -- -1", "whole number"},
		{"status a b", "no more"},
		{"gov propose log-key", "needs a validator's key"},
		{"status", "--network DIR"},
		{"status --node http://127.0.0.1:1", "--genesis FILE"},
		{"status --network d --node http://127.0.0.1:1", "stands alone"},
		{"status --bogus", "unknown flag"},
		{"event", "--network DIR"},
		{"contract query parking", "needs a contract and a query"},
		{"contract query parking price lot --network d", "not name=value"},
		{"contract deploy", "--manifest"},
		{"contract deploy parking --wasm x", "--manifest"},
		{"contract list x", "unknown command"},
		{"contract dead-letters", "needs a contract"},
		{"event erase", "--reason"},
		{"event erase 1 --reason spite", "--reason"},
		{"event erase --reason request", "--stream"},
		{"event erase 1 --reason request --stream s", "--stream"},
		{"event erase 1 --reason request", "--network DIR"},
		{"seal", "needs a command"},
		{"seal send x.jsonl", "--keys DIR"},
		{"seal open 1", "--identity FILE"},
		{"seal open 1 --identity a --keys b", "--identity FILE"},
		{"seal disclose 1 --identity a", "--field NAME"},
		{"seal forget", "needs a subject"},
		{"seal verify-disclosure x", "--trust"},
		{"submit", "needs a file"},
		{"submit readings.csv", "--mapping FILE"},
		{"keys list", "--network DIR"},
		{"log", "needs a command"},
		{"log key", "--genesis FILE"},
		{"log consistency 1", "two sizes"},
		{"log tile ../x --genesis g", "not the path of a tile"},
		{"log hold --network d", "-o FILE"},
		{"audit stream producer", "--proof FILE"},
		{"demo parking", "--data FILE.csv"},
		{"demo parking --data x.csv --generate", "exclude"},
		{"demo parking --generate --receipts some", "number or all"},
		{"demo parking --generate --receipts -1", "number or all"},
	} {
		_, sentence, code := cairn(t, strings.Fields(c.line)...)
		if code != exitUsage || !strings.Contains(sentence, c.want) {
			t.Errorf("cairn %s: exit %d, %q; want exit %d, %q", c.line, code, sentence, exitUsage, c.want)
		}
	}
}

// What was typed outranks the environment.
func TestNodeOutranksTheEnvironment(t *testing.T) {
	t.Setenv("CAIRN_NETWORK", "no-such-folder")
	missing := filepath.Join(t.TempDir(), "genesis.json")
	if _, sentence, _ := cairn(t, "status", "--node", "http://127.0.0.1:1", "--genesis", missing); !strings.Contains(sentence, missing) {
		t.Errorf("with --node and --genesis it said %q", sentence)
	}
	if _, sentence, _ := cairn(t, "status"); !strings.Contains(sentence, "no-such-folder") {
		t.Errorf("with the environment alone it said %q", sentence)
	}
}

// publishedReceipts are docs/vectors/receipt.json and a founding document that
// anchors them.
func publishedReceipts(t *testing.T) (v receiptVectors, trust string) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/vectors/receipt.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	doc := genesis.Document{ChainID: v.ChainID, Time: time.Unix(1_700_000_000, 0).UTC(), Params: genesis.DefaultParams(), Accounts: []genesis.Account{}}
	for i, validator := range v.Validators {
		key, err := hex.DecodeString(validator.PubKey)
		if err != nil || len(key) != 32 {
			t.Fatalf("validator %d: %q", i, validator.PubKey)
		}
		doc.Validators = append(doc.Validators, genesis.Validator{Name: string(rune('a' + i)), PubKey: genesis.Key(key), Power: validator.Power})
	}
	return v, writeFile(t, "genesis.json", doc.Bytes())
}

type receiptVectors struct {
	ChainID    string `json:"chainId"`
	Validators []struct {
		PubKey string `json:"pubKey"`
		Power  uint64 `json:"power"`
	} `json:"validators"`
	Receipts []struct {
		Name      string          `json:"name"`
		Binary    string          `json:"binary"`
		JSON      json.RawMessage `json:"json"`
		Statement json.RawMessage `json:"statement"`
		Sentence  string          `json:"sentence"`
	} `json:"receipts"`
}

func writeFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every kind of receipt, in both forms, verifies with the founding document
// and no network, and is told in words.
func TestReceiptVerifySaysWhatIsProved(t *testing.T) {
	t.Setenv("CAIRN_NETWORK", "no-such-folder")
	published, trust := publishedReceipts(t)
	for _, r := range published.Receipts {
		binary, err := hex.DecodeString(r.Binary)
		if err != nil {
			t.Fatal(err)
		}
		out, sentence, code := cairn(t, "receipt", "verify", writeFile(t, "r.bin", binary), "--trust", trust)
		if code != 0 || strings.TrimSpace(out) != r.Sentence {
			t.Errorf("%s: exit %d %s: said %q, want %q", r.Name, code, sentence, out, r.Sentence)
		}
		out, sentence, code = cairn(t, "receipt", "verify", writeFile(t, "r.bin", binary), "--genesis", trust, "--json")
		var said, want bytes.Buffer
		if code != 0 || json.Compact(&said, []byte(out)) != nil || json.Compact(&want, r.Statement) != nil || said.String() != want.String() {
			t.Errorf("%s: exit %d %s: said %s, want %s", r.Name, code, sentence, out, r.Statement)
		}
	}
}

// What does not hold is exit 3, apart from files that cannot be read.
func TestReceiptVerifyRefuses(t *testing.T) {
	published, trust := publishedReceipts(t)
	receipt, err := hex.DecodeString(published.Receipts[0].Binary)
	if err != nil {
		t.Fatal(err)
	}
	network, err := genesis.Generate(published.ChainID, 4, time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	others := writeFile(t, "others.json", network.Document.Bytes())
	network.Document.ChainID = "another"
	elsewhere := writeFile(t, "elsewhere.json", network.Document.Bytes())
	changed := func(at int) []byte {
		b := bytes.Clone(receipt)
		b[at] ^= 1
		return b
	}
	for _, c := range []struct {
		name    string
		receipt []byte
		trust   string
		code    int
	}{
		{"the first byte", changed(0), trust, exitInvalid},
		{"the middle", changed(len(receipt) / 2), trust, exitInvalid},
		{"the last byte", changed(len(receipt) - 1), trust, exitInvalid},
		{"cut", receipt[:len(receipt)-1], trust, exitInvalid},
		{"longer", append(bytes.Clone(receipt), 0), trust, exitInvalid},
		{"nothing", nil, trust, exitInvalid},
		{"text", []byte("{}"), trust, exitInvalid},
		{"huge", make([]byte, maxReceiptBytes+1), trust, exitInvalid},
		{"other validators", receipt, others, exitInvalid},
		{"another chain", receipt, elsewhere, exitInvalid},
		{"no founding document", receipt, "missing.json", exitFailed},
		{"not a founding document", receipt, writeFile(t, "g.json", []byte("{}")), exitFailed},
	} {
		out, sentence, code := cairn(t, "receipt", "verify", writeFile(t, "r", c.receipt), "--trust", c.trust)
		if code != c.code || sentence == "" || out != "" {
			t.Errorf("%s: exit %d, want %d; wrote %q; %s", c.name, code, c.code, out, sentence)
		}
	}
	if _, _, code := cairn(t, "receipt", "verify", "missing.bin", "--trust", trust); code != exitFailed {
		t.Errorf("a missing receipt: exit %d", code)
	}
}

// A key is made once, kept from others, and never replaced.
func TestKeys(t *testing.T) {
	t.Setenv("CAIRN_NETWORK", "")
	dir := t.TempDir()
	path := filepath.Join(dir, "meter.json")
	out, sentence, code := cairn(t, "keys", "new", path, "--json")
	if code != 0 {
		t.Fatal(sentence)
	}
	var made struct {
		Address   protocol.Address   `json:"address"`
		PublicKey protocol.PublicKey `json:"publicKey"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, sentence, code := cairn(t, "keys", "new", path); code != exitFailed || !strings.Contains(sentence, "never overwritten") {
		t.Errorf("a second key into one file: exit %d, %s", code, sentence)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Error("the refused command changed the file")
	}
	out, _, code = cairn(t, "keys", "show", path)
	if code != 0 || !strings.Contains(out, made.Address.String()) || strings.Contains(string(before), "\n"+out) {
		t.Errorf("show: exit %d, %s", code, out)
	}
	key, err := (&session{}).key(path)
	if err != nil || key.Public() != made.PublicKey || key.Address() != made.Address {
		t.Fatalf("%v %v", key.Public(), err)
	}
	if secret := hex.EncodeToString(key.Bytes()); strings.Contains(out, secret) {
		t.Error("show prints the secret")
	}
	other, err := protocol.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	mixed := bytes.Replace(before, []byte(hex.EncodeToString(key.Bytes())), []byte(hex.EncodeToString(other.Bytes())), 1)
	if _, err := (&session{}).key(writeFile(t, "mixed.json", mixed)); err == nil || !strings.Contains(err.Error(), "belongs to") {
		t.Errorf("a file with another's secret: %v", err)
	}
}

// A stream's name is made of the file's, whatever that is called.
func TestStreamName(t *testing.T) {
	for name, want := range map[string]string{
		"parking_birmingham":     "parking_birmingham",
		"Car Parks (2016)":       "car-parks--2016-",
		"größe":                  "gr--e",
		strings.Repeat("x", 200): strings.Repeat("x", protocol.MaxStreamName-len(closeSuffix)),
	} {
		got := streamName(name)
		if got != want {
			t.Errorf("%q gives %q, want %q", name, got, want)
		}
		if err := protocol.CheckStreamName(got + closeSuffix); err != nil {
			t.Errorf("%q gives %q: %v", name, got, err)
		}
	}
}

// The mapping that the help shows maps.
func TestMappingOfTheHelp(t *testing.T) {
	out, _, code := cairn(t, "submit", "--help")
	if code != 0 || !strings.Contains(out, mappingExample) {
		t.Fatalf("exit %d: %s", code, out)
	}
	source, err := connector.OpenCSV(writeFile(t, "m.csv", []byte("meter,read,kWh\nm-17,31/03/2018 23:45,3.170\n")), writeFile(t, "m.json", []byte(mappingExample)))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	record, err := source.Next()
	if err != nil || record.Event.ID != "m-17@2018-03-31T14:45:00Z" || string(record.Event.Data) != `{"kWh":3.170}` {
		t.Errorf("%+v %v", record, err)
	}
}
