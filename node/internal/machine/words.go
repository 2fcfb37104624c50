package machine

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// Words say what a key of the state is and what its value means, for people.
type Words struct {
	Kind     string           `json:"kind"`              // what keys of this form are
	Name     string           `json:"name"`              // which of them it is
	Contract protocol.Address `json:"contract,omitzero"` // whose it is
}

// DescribeKey puts a key into words. What is not of a known form is in hex.
func DescribeKey(k []byte) Words {
	if len(k) == 0 {
		return Words{Kind: "unknown"}
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
		return Words{Kind: "use of an account", Name: hex.EncodeToString(rest)}
	}
	return Words{Kind: "other", Name: hex.EncodeToString(k)}
}

func bankKey(k []byte) Words {
	if len(k) == 0 {
		return Words{Kind: "bank"}
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
	return Words{Kind: "bank", Name: hex.EncodeToString(k)}
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
	return Words{Kind: "ledger", Name: hex.EncodeToString(k)}
}

// ledgerValue puts a record of another ledger into words.
func ledgerValue(k, value []byte) string {
	if len(k) > 1 && k[0] == protocol.LedgerKeyRecord {
		if record, err := protocol.DecodeLedger(string(k[1:]), value); err == nil {
			if text, err := json.Marshal(record); err == nil {
				return string(text)
			}
		}
	}
	return Readable(value)
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
	due := binary.BigEndian.Uint64(b[1:])
	at := "height " + strconv.FormatUint(due, 10)
	if b[0] == 1 {
		at = time.UnixMilli(int64(due)).UTC().Format(time.RFC3339)
	}
	return number(b[9:]) + " at " + at
}

// DescribeValue puts the value of a key into words; nil is no value.
func DescribeValue(k, value []byte) string {
	switch {
	case value == nil:
		return "nothing"
	case len(k) == 0:
		return Readable(value)
	}
	switch k[0] {
	case prefixStream, prefixErased:
		return number(value)
	case prefixReplay:
		return "executed"
	case prefixName:
		if len(value) == 20 {
			return protocol.Address(value).String()
		}
	case prefixCode, prefixManifest:
		return fmt.Sprintf("%d bytes", len(value))
	case prefixContract:
		if len(value) == contractRecordBytes {
			paused := ""
			if value[92] != 0 {
				paused = ", paused"
			}
			return fmt.Sprintf("code %s, manifest %s%s", hex.EncodeToString(value[20:28]), hex.EncodeToString(value[52:60]), paused)
		}
	case prefixCursor:
		if len(value) >= 8 {
			return "entry " + number(value[:8])
		}
	case prefixDead:
		if act, err := protocol.DecodeAct(value); err == nil {
			if dead, ok := act.(*protocol.DeadLetterAct); ok {
				return fmt.Sprintf("%s %d", dead.Code.Name(), dead.GuestCode)
			}
		}
	case protocol.BankPrefix:
		return bankValue(k[1:], value)
	case protocol.LedgerPrefix:
		return ledgerValue(k[1:], value)
	}
	return Readable(value)
}

// bankValue puts a record of the bank into words.
func bankValue(k, value []byte) string {
	var record any
	err := errDescribe
	switch {
	case len(k) == 0:
	case k[0] == protocol.BankBalance:
		b, failed := protocol.DecodeBalance(value)
		if failed == nil && !b.Frozen {
			return strconv.FormatUint(b.Amount, 10)
		}
		record, err = b, failed
	case k[0] == protocol.BankAsset:
		record, err = protocol.DecodeAsset(string(k[1:]), value)
	case k[0] == protocol.BankAllowance:
		record, err = protocol.DecodeAllowance(value)
	case len(k) == 9 && (k[0] == protocol.BankHold || k[0] == protocol.BankStream || k[0] == protocol.BankSchedule):
		record, err = protocol.DecodeTokenTerms(binary.BigEndian.Uint64(k[1:]), value)
	}
	if err == nil {
		if text, err := json.Marshal(record); err == nil {
			return string(text)
		}
	}
	return Readable(value)
}

var errDescribe = fmt.Errorf("no record of a known form")

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
