package membership

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// DescribeKey puts a key of membership into words, for people: what keys of its
// form are, and which of them it is. k is behind Prefix. ok is false for what
// membership does not write.
func DescribeKey(k []byte) (kind, name string, ok bool) {
	if len(k) == 0 {
		return "", "", false
	}
	rest := k[1:]
	switch {
	case k[0] == keyUsage && len(rest) == 20:
		return "use of a quota", protocol.Address(rest).String(), true
	case k[0] == keyAct && len(rest) == 8:
		return "act", fmt.Sprintf("of entry %d", binary.BigEndian.Uint64(rest)), true
	case k[0] == keyBody && len(rest) == 8:
		return "act", fmt.Sprintf("what entry %d asks for", binary.BigEndian.Uint64(rest)), true
	case k[0] == keyActOf && len(rest) == 28:
		return "act", fmt.Sprintf("of entry %d waits for %s", binary.BigEndian.Uint64(rest[20:]), protocol.Address(rest)), true
	case k[0] == keyDeadline && len(rest) == 17:
		what, known := map[byte]string{DeadlineAct: "act", DeadlineProposal: "proposal"}[rest[8]]
		return "deadline", fmt.Sprintf("%s of entry %d at height %d", what, binary.BigEndian.Uint64(rest[9:]), binary.BigEndian.Uint64(rest)), known
	}
	return "", "", false
}

// DescribeValue puts the value of such a key into words; empty is for what has none.
func DescribeValue(k, value []byte) string {
	if _, _, ok := DescribeKey(k); !ok {
		return ""
	}
	switch k[0] {
	case keyUsage:
		if len(value) == 32 {
			n := func(i int) uint64 { return binary.BigEndian.Uint64(value[8*i:]) }
			return fmt.Sprintf("window %d: %d events, %d bytes, %d gas", n(0), n(1), n(2), n(3))
		}
	case keyAct:
		if a, err := decodeAct(binary.BigEndian.Uint64(k[1:]), value); err == nil {
			return fmt.Sprintf("%s for account %s, %d approvals, until height %d", a.Proposer, a.Account, len(a.Approvals), a.Expiry)
		}
	case keyBody:
		if body, err := protocol.DecodeBody(value); err == nil {
			return fmt.Sprintf("%s, %d bytes", body.Kind(), len(value))
		}
	case keyActOf, keyDeadline:
		return "listed"
	}
	return ""
}
