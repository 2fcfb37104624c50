package machine

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// Words say what a key of the state is and what its value means, for people.
type Words struct {
	Kind     string           `json:"kind"`              // what keys of this form are
	Name     string           `json:"name"`              // which of them it is
	Contract protocol.Address `json:"contract,omitzero"` // whose it is
}

// unknown is what a key is of that no part of the ledger writes.
const unknown = "unknown"

// DescribeKey puts a key into words. One of no form that the ledger writes is
// unknown, and in hex.
func DescribeKey(k []byte) Words {
	words := describe(k)
	if words.Kind == "" {
		return Words{Kind: unknown, Name: hex.EncodeToString(k)}
	}
	return words
}

// describe answers no kind for a key of no known form.
func describe(k []byte) Words {
	if len(k) == 0 {
		return Words{}
	}
	rest := k[1:]
	if len(rest) >= 20 {
		owner := protocol.Address(rest)
		own := rest[20:]
		switch k[0] {
		case prefixStream:
			return Words{Kind: "stream", Name: owner.String() + " " + Readable(own)}
		case prefixContract:
			return Words{Kind: "contract", Name: owner.String(), Contract: owner}
		case prefixCursor:
			return Words{Kind: "backlog", Name: "next entry to look at", Contract: owner}
		case prefixDead:
			return Words{Kind: "dead letter", Name: "entry " + number(own), Contract: owner}
		case prefixValue:
			return Words{Kind: "value", Name: ownKey(own), Contract: owner}
		case prefixTimers:
			return Words{Kind: "timers", Name: "count and next", Contract: owner}
		case prefixTimer:
			return Words{Kind: "timer", Name: timerName(own), Contract: owner}
		case prefixTimerID:
			return Words{Kind: "timer", Name: "due point of " + number(own), Contract: owner}
		case protocol.AccountPrefix:
			return Words{Kind: "account", Name: owner.String()}
		}
	}
	switch k[0] {
	case prefixReplay:
		return Words{Kind: "executed transaction", Name: hex.EncodeToString(rest[min(8, len(rest)):])}
	case prefixName:
		return Words{Kind: "contract name", Name: Readable(rest)}
	case prefixCode:
		return Words{Kind: "module", Name: hex.EncodeToString(rest)}
	case prefixManifest:
		return Words{Kind: "manifest", Name: hex.EncodeToString(rest)}
	case prefixErased:
		return Words{Kind: "erased entry", Name: number(rest)}
	case protocol.BankPrefix:
		return bankKey(rest)
	case protocol.GovPrefix:
		return govWords(rest)
	case protocol.SchemaPrefix:
		return schemaWords(rest)
	case protocol.LedgerPrefix:
		return ledgerWords(rest)
	case membership.Prefix:
		kind, name, _ := membership.DescribeKey(rest)
		return Words{Kind: kind, Name: name}
	}
	return Words{}
}

func bankKey(k []byte) Words {
	if len(k) == 0 {
		return Words{}
	}
	rest := k[1:]
	switch {
	case k[0] == protocol.BankBalance && len(rest) > 20:
		return Words{Kind: "balance", Name: protocol.Address(rest).String() + " " + Readable(rest[20:])}
	case k[0] == protocol.BankAsset:
		return Words{Kind: "asset", Name: Readable(rest)}
	case k[0] == protocol.BankAllowance && len(rest) > 40:
		return Words{Kind: "allowance", Name: fmt.Sprintf("%s to %s %s", protocol.Address(rest), protocol.Address(rest[20:]), Readable(rest[40:]))}
	case k[0] == protocol.BankHold && len(rest) == 8:
		return Words{Kind: "hold", Name: number(rest)}
	case k[0] == protocol.BankStream && len(rest) == 8:
		return Words{Kind: "payment stream", Name: number(rest)}
	case k[0] == protocol.BankSchedule && len(rest) == 8:
		return Words{Kind: "schedule", Name: number(rest)}
	}
	kind, name, _ := bank.DescribeKey(k)
	return Words{Kind: kind, Name: name}
}

// ledgerWords puts a key of another ledger into words; k is behind its first byte.
func ledgerWords(k []byte) Words {
	switch {
	case len(k) > 1 && k[0] == protocol.LedgerKeyRecord:
		return Words{Kind: "ledger", Name: Readable(k[1:])}
	case len(k) == 21 && k[0] == protocol.LedgerKeyAddress:
		return Words{Kind: "ledger", Name: "name of " + protocol.Address(k[1:]).String()}
	case len(k) == 29 && k[0] == protocol.LedgerKeyRelayed:
		run := binary.BigEndian.Uint64(k[21:])
		return Words{Kind: "relayed", Name: fmt.Sprintf("of entries %d to %d of %s", run*protocol.RelayedEntries, run*protocol.RelayedEntries+protocol.RelayedEntries-1, protocol.Address(k[1:]))}
	}
	return Words{}
}

func number(b []byte) string {
	if len(b) != 8 {
		return hex.EncodeToString(b)
	}
	return strconv.FormatUint(binary.BigEndian.Uint64(b), 10)
}

func timerName(b []byte) string {
	if len(b) != 17 {
		return hex.EncodeToString(b)
	}
	return number(b[9:]) + " at " + dueWords(b[0], binary.BigEndian.Uint64(b[1:]))
}

// maxReadable bounds the octets that Readable shows.
const maxReadable = 64

// ownKey is a contract's key as the SDK writes it: the length of a name, the
// name, and a key of its own.
func ownKey(k []byte) string {
	if len(k) < 2 || k[0] == 0 || k[0] > 64 || int(k[0]) >= len(k) || !printable(k[1:1+k[0]]) {
		return Readable(k)
	}
	name, rest := string(k[1:1+k[0]]), k[1+k[0]:]
	if len(rest) == 0 {
		return name
	}
	return name + "/" + Readable(rest)
}

// Readable is text as it is, or with escapes where it is mostly text; and
// anything else in hex. What is long is cut.
func Readable(b []byte) string {
	if len(b) > 0 && printable(b) {
		return string(b)
	}
	shown, more := b, ""
	if len(b) > maxReadable {
		shown, more = b[:maxReadable], fmt.Sprintf("... (%d bytes)", len(b))
	}
	letters := 0
	for _, c := range shown {
		if c > ' ' && c <= '~' {
			letters++
		}
	}
	if 2*letters > len(shown) {
		quoted := strconv.QuoteToASCII(string(shown))
		return quoted[1:len(quoted)-1] + more
	}
	return hex.EncodeToString(shown) + more
}

func printable(b []byte) bool {
	if !utf8.Valid(b) || len(b) > 4*maxReadable {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
