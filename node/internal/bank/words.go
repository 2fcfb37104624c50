package bank

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// DescribeKey puts a key of the bank alone into words, for people: what keys
// of its form are, and which of them it is. k is behind protocol.BankPrefix. ok
// is false for what the bank does not write.
func DescribeKey(k []byte) (kind, name string, ok bool) {
	if len(k) == 0 {
		return "", "", false
	}
	rest := k[1:]
	switch {
	case k[0] == keyLastID && len(rest) == 0:
		return "token terms", "last id", true
	case k[0] == keyTerms && len(rest) == 20:
		return "token terms", "count of " + protocol.Address(rest).String(), true
	case k[0] == protocol.BankParty && len(rest) == 29:
		return "token terms", fmt.Sprintf("%s %d of %s", protocol.TokenKind(rest[20]), binary.BigEndian.Uint64(rest[21:]), protocol.Address(rest)), true
	case k[0] == keyDue && len(rest) == 16:
		return "due", fmt.Sprintf("%d at %s", binary.BigEndian.Uint64(rest[8:]), timeWords(rest)), true
	case k[0] == keyFirst && len(rest) == 0:
		return "due", "earliest", true
	case k[0] == keyReward && len(rest) == len(protocol.TypeHash{}):
		return "reward", "of the type with hash " + hex.EncodeToString(rest), true
	case k[0] == keyFees && len(rest) == 0:
		return "fees", "of the ledger", true
	}
	return "", "", false
}

// DescribeValue puts the value of such a key into words: text, a record that
// has a JSON form, or nil for what is neither.
func DescribeValue(k, value []byte) any {
	if _, _, ok := DescribeKey(k); !ok {
		return nil
	}
	switch {
	case k[0] == keyReward:
		if r, err := decodeReward(value); err == nil {
			return r
		}
	case k[0] == keyFees:
		if f, err := decodeFees(value); err == nil {
			return f
		}
	case k[0] == protocol.BankParty:
		return "listed"
	case k[0] == keyDue && len(value) == 1:
		return protocol.TokenKind(value[0]).String()
	case k[0] == keyFirst && len(value) == 8:
		return timeWords(value)
	case len(value) == 8:
		return fmt.Sprint(binary.BigEndian.Uint64(value))
	}
	return nil
}

// timeWords is a block time in milliseconds.
func timeWords(b []byte) string {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC().Format(time.RFC3339)
}
