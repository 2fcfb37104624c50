package machine

import (
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
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
		{timerIDKey(a, 3), nil, "timer", "due point of 3", true, "nothing"},
		{key(prefixTimers, a[:]), nil, "timers", "count and next", true, "nothing"},
		{erasedKey(11), u64(12), "erased entry", "11", false, "12"},
		{protocol.AccountKey(a), []byte{1}, "account", a.String(), false, "01"},
		{protocol.BalanceKey(a, "EURO"), u64(5), "balance", a.String() + " EURO", false, "5"},
		{protocol.AssetKey("EURO"), []byte{1}, "asset", "EURO", false, "01"},
		{protocol.AllowanceKey(a, a, "EURO"), nil, "allowance", a.String() + " to " + a.String() + " EURO", false, "nothing"},
		{protocol.HoldKey(8), nil, "hold", "8", false, "nothing"},
		{protocol.ScheduleKey(8), nil, "schedule", "8", false, "nothing"},
		{[]byte{protocol.BankPrefix, 'f'}, u64(1), "bank", "66", false, "0000000000000001"},
		{[]byte{protocol.BankPrefix}, nil, "bank", "", false, "nothing"},
		{protocol.CouncilKey(a), nil, "council", a.String(), false, "nothing"},
		{protocol.VoteKey(7, a), []byte{1}, "vote", "7 " + a.String(), false, "01"},
		{protocol.ValidatorSetKey(9), nil, "validators", "from height 9", false, "nothing"},
		{protocol.SchemaKey("reading.v1"), nil, "official schema", "reading.v1", false, "nothing"},
		{[]byte{protocol.GovPrefix, 'z'}, nil, "governance", "7a", false, "nothing"},
		{[]byte{0xff, 1}, []byte{2}, "other", "ff01", false, "02"},
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
	for _, whole := range [][]byte{StreamKey(a, "meters"), timerAt, protocol.AllowanceKey(a, a, "EURO"), key(prefixDead, a[:], u64(4)), contract} {
		for n := range whole {
			DescribeKey(whole[:n])
			DescribeValue(whole[:n], whole[n:])
		}
	}
}
