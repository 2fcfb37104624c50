package machine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// Every form of key has words; what is damaged has some too.
func TestKeysInWords(t *testing.T) {
	a := protocol.Address{9}
	timerAt := timerKey(a, 1, 1_700_000_000_000, 3)
	contract := (&Contract{Author: a, CodeHash: protocol.Hash{1}, ManifestHash: protocol.Hash{2}, paused: pausedByAuthor}).record()
	for _, c := range []struct {
		key, value []byte
		kind, name string
		of         bool
		says       string
	}{
		{StreamKey(a, "meters"), u64(12), "stream", a.String() + " meters", false, "12"},
		{key(prefixReplay, u64(5), make([]byte, 32)), []byte{1}, "executed transaction", "0000000000000000000000000000000000000000000000000000000000000000", false, "executed"},
		{key(prefixName, []byte("parking")), a[:], "contract name", "parking", false, a.String()},
		{key(prefixContract, a[:]), contract, "contract", a.String(), true, "code 0100000000000000, manifest 0200000000000000, paused"},
		{key(prefixCode, make([]byte, 32)), make([]byte, 9), "module", "0000000000000000000000000000000000000000000000000000000000000000", false, "9 bytes"},
		{key(prefixCursor, a[:]), (&cursor{index: 7, attempts: 2, after: 9}).record(), "backlog", "next entry to look at", true, "entry 7"},
		{key(prefixDead, a[:], u64(4)), (&protocol.DeadLetterAct{Code: protocol.CodeContractAborted, GuestCode: 2}).AppendBinary(nil), "dead letter", "entry 4", true, "CONTRACT_ABORTED 2"},
		{ValueKey(a, []byte("\x03numsum")), []byte("\x05\x00"), "value", "num/sum", true, "0500"},
		{ValueKey(a, []byte("\x03num")), nil, "value", "num", true, "nothing"},
		{ValueKey(a, []byte("\x00ladder")), []byte("text"), "value", `\x00ladder`, true, "text"},
		{timerAt, nil, "timer", "3 at 2023-11-14T22:13:20Z", true, "nothing"},
		{timerIDKey(a, 3), append([]byte{0}, u64(40)...), "timer", "due point of 3", true, "height 40"},
		{timerAt, (&timer{set: 7, cause: 8, data: []byte("ab")}).record(), "timer", "3 at 2023-11-14T22:13:20Z", true, "set at height 7, caused by entry 8, 2 bytes"},
		{key(prefixTimers, a[:]), (&timers{3, 1, [2]uint64{never, 1_700_000_000_000}}).record(), "timers", "count and next", true, "1 pending, last id 3, first at 2023-11-14T22:13:20Z"},
		{erasedKey(11), u64(12), "erased entry", "11", false, "12"},
		{protocol.AccountKey(a), []byte{1}, "account", a.String(), false, "01"},
		{protocol.BalanceKey(a, "EURO"), u64(5), "balance", a.String() + " EURO", false, "5"},
		{protocol.AssetKey("EURO"), []byte{1}, "asset", "EURO", false, "01"},
		{protocol.AllowanceKey(a, a, "EURO"), nil, "allowance", a.String() + " to " + a.String() + " EURO", false, "nothing"},
		{protocol.HoldKey(8), nil, "hold", "8", false, "nothing"},
		{protocol.ScheduleKey(8), nil, "schedule", "8", false, "nothing"},
		{[]byte{protocol.BankPrefix, 'z'}, u64(1), "unknown", "627a", false, "0000000000000001"},
		{[]byte{protocol.BankPrefix}, nil, "unknown", "62", false, "nothing"},
		{protocol.CouncilKey(a), nil, "council", a.String(), false, "nothing"},
		{protocol.VoteKey(7, a), []byte{1}, "vote", "7 " + a.String(), false, "yes"},
		{protocol.ValidatorSetKey(9), nil, "validators", "from height 9", false, "nothing"},
		{protocol.SchemaKey("reading.v1"), nil, "official schema", "reading.v1", false, "nothing"},
		{[]byte{protocol.GovPrefix, 'z'}, nil, "unknown", "677a", false, "nothing"},
		{[]byte{0xff, 1}, []byte{2}, "unknown", "ff01", false, "02"},
		{nil, []byte("x"), "unknown", "", false, "x"},
	} {
		got := DescribeKey(c.key)
		if got.Kind != c.kind || got.Name != c.name || got.Contract.IsZero() == c.of {
			t.Errorf("key %x: %+v, want %s %s", c.key, got, c.kind, c.name)
		}
		if says := DescribeValue(c.key, c.value); says != c.says {
			t.Errorf("key %x: value %q, want %q", c.key, says, c.says)
		}
	}
	for _, whole := range [][]byte{
		[]byte("bx" + string(a[:]) + "\x0512345678"), []byte("bd1234567812345678"), []byte("ux" + string(a[:]) + "12345678"), []byte("ud12345678p12345678"), protocol.VoteKey(7, a), StreamKey(a, "meters"), timerAt, protocol.AllowanceKey(a, a, "EURO"), key(prefixDead, a[:], u64(4)), contract,
	} {
		for n := range whole {
			DescribeKey(whole[:n])
			DescribeValue(whole[:n], whole[n:])
		}
	}
}

// What only the bank and membership write is in words like the rest.
func TestOwnKeysInWords(t *testing.T) {
	a := protocol.Address{9}
	at := a.String()
	for _, c := range []struct{ key, value, kind, name, says string }{
		{"bn", string(u64(7)), "token terms", "last id", "7"},
		{"by" + string(a[:]), string(u64(2)), "token terms", "count of " + at, "2"},
		{"bx" + string(a[:]) + "\x05" + string(u64(7)), "\x01", "token terms", "hold 7 of " + at, "listed"},
		{"bd" + string(u64(1_700_000_000_000)) + string(u64(7)), "\x0e", "due", "7 at 2023-11-14T22:13:20Z", "schedule"},
		{"bf", string(u64(1_700_000_000_000)), "due", "earliest", "2023-11-14T22:13:20Z"},
		{"br" + strings.Repeat("\xab", 16), "?", "reward", "of the type with hash " + strings.Repeat("ab", 16), "?"},
		{"bc", string(a[:]) + string(u64(3)) + string(u64(4)) + "EURO", "fees", "of the ledger", `{"asset":"EURO","to":"` + at + `","perEvent":"3","perMillionGas":"4"}`},
		{"uq" + string(a[:]), string(u64(1)) + string(u64(2)) + string(u64(3)) + string(u64(4)), "use of a quota", at, "window 1: 2 events, 3 bytes, 4 gas"},
		{"up" + string(u64(5)), string(a[:]) + string(a[:]) + string(u64(99)) + strings.Repeat("b", 32) + string(a[:]), "act", "of entry 5", at + " for account " + at + ", 1 approvals, until height 99"},
		{"ub" + string(u64(5)), "?", "act", "what entry 5 asks for", "?"},
		{"ux" + string(a[:]) + string(u64(5)), "\x01", "act", "of entry 5 waits for " + at, "listed"},
		{"ud" + string(u64(99)) + "p" + string(u64(5)), "\x01", "deadline", "proposal of entry 5 at height 99", "listed"},
	} {
		if got := DescribeKey([]byte(c.key)); got.Kind != c.kind || got.Name != c.name {
			t.Errorf("key %q: %+v, want %s %s", c.key, got, c.kind, c.name)
		}
		if says := DescribeValue([]byte(c.key), []byte(c.value)); says != c.says {
			t.Errorf("key %q: value %q, want %q", c.key, says, c.says)
		}
	}
}

// knownKeys fails where a ledger of a test holds a key that has no words.
func knownKeys(t testing.TB, l *ledger) {
	t.Helper()
	view, err := l.store.View(l.store.Head().Height)
	if err != nil {
		t.Fatal(err)
	}
	found, err := view.Scan(nil, nil, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range found {
		if words := DescribeKey(kv.Key); words.Kind == unknown {
			t.Errorf("key %q of the state has no words: words.go", kv.Key)
		}
		DescribeValue(kv.Key, kv.Value)
	}
}

// Every prefix that stands in a table of keys is known to words: a new one is
// read in the source, and wants its form here and its words there.
func TestNoPrefixInHex(t *testing.T) {
	ids, account := string(u64(1)), strings.Repeat("a", 20)
	tails := []string{ // that some form of key has behind its prefix
		"", ids, ids + ids, account, account + "EURO", account + account + "EURO", account + ids, account + "\x05" + ids, account + "\x01" + ids + ids,
		ids + account, ids + "a" + ids, strings.Repeat("h", 16), strings.Repeat("h", 32), ids + strings.Repeat("h", 32), "\x00\x01t\x00\x00\x00\x01",
	}
	for file, tables := range map[string]map[string]string{ // first byte of the keys, by how their constants are called
		"keys.go":                                  {"prefix": ""},
		"../bank/bank.go":                          {"key": string(rune(protocol.BankPrefix))},
		"../membership/quota.go":                   {"key": string(rune(membership.Prefix))},
		"../../../client/protocol/tokenstate.go":   {"Bank": string(rune(protocol.BankPrefix))},
		"../../../client/protocol/govstate.go":     {"GovKey": string(rune(protocol.GovPrefix))},
		"../../../client/protocol/schema.go":       {"SchemaKey": string(rune(protocol.SchemaPrefix))},
		"../../../client/protocol/ledger.go":       {"LedgerKey": string(rune(protocol.LedgerPrefix))},
		"../../../client/protocol/accountstate.go": {"AccountPrefix": ""},
	} {
		for prefix, first := range tables {
			letters := constants(t, file, prefix)
			if len(letters) == 0 {
				t.Errorf("%s has no constants %s...", file, prefix)
			}
			for name, letter := range letters {
				known := false
				for _, tail := range tails {
					known = known || DescribeKey([]byte(first+letter+tail)).Kind != unknown
				}
				if !known && name != "BankPrefix" {
					t.Errorf("%s: no key of %s (%q) has words", file, name, first+letter)
				}
			}
		}
	}
}

// constants finds a file's constants of one letter, by how they are called.
func constants(t *testing.T, path, prefix string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	letters := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.CHAR {
			if letters[spec.Names[0].Name], err = strconv.Unquote(value.Value); err != nil {
				t.Fatal(err)
			}
		}
		return true
	})
	return letters
}
