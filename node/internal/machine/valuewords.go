package machine

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

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
	case prefixTimers:
		if t, err := decodeTimers(value); err == nil {
			return t.words()
		}
	case prefixTimer:
		if len(value) >= timerRecordBytes {
			return fmt.Sprintf("set at height %s, caused by entry %s, %d bytes", number(value[4:12]), number(value[12:20]), len(value)-timerRecordBytes)
		}
	case prefixTimerID:
		if len(value) == 9 {
			return dueWords(value[0], binary.BigEndian.Uint64(value[1:]))
		}
	case membership.Prefix:
		if text := membership.DescribeValue(k[1:], value); text != "" {
			return text
		}
	default:
		if text := recordWords(k, value); text != "" {
			return text
		}
	}
	return Readable(value)
}

func (t *timers) words() string {
	text := fmt.Sprintf("%d pending, last id %d", t.pending, t.last)
	for unit, due := range t.first {
		if due != never {
			text += ", first at " + dueWords(byte(unit), due)
		}
	}
	return text
}

// dueWords say when a timer fires.
func dueWords(unit byte, due uint64) string {
	if unit == abi.UnitTime {
		return time.UnixMilli(int64(due)).UTC().Format(time.RFC3339)
	}
	return "height " + strconv.FormatUint(due, 10)
}

// recordWords puts a record that other parts of the ledger keep into words:
// text, or JSON; empty where it is of no known form. Key and value are not empty.
func recordWords(k, value []byte) string {
	var record any
	err := errDescribe
	switch k[0] {
	case protocol.AccountPrefix:
		record, err = accountRecord(value)
	case protocol.BankPrefix:
		record, err = bankRecord(k[1:], value)
	case protocol.GovPrefix:
		record, err = govRecord(k[1:], value)
	case protocol.SchemaPrefix:
		record, err = schemaRecord(k[1:], value)
	case protocol.LedgerPrefix:
		record, err = ledgerRecord(k[1:], value)
	}
	if err != nil {
		return ""
	}
	if text, ok := record.(string); ok {
		return text
	}
	text, err := json.Marshal(record)
	if err != nil {
		return ""
	}
	return string(text)
}

// errDescribe is of what has no words.
var errDescribe = errors.New("no record of a known form")

func accountRecord(value []byte) (any, error) {
	account, link, err := protocol.DecodeAccount(value)
	if link != nil {
		return "the address of a later key of " + link.String(), err
	}
	return account, err
}

func bankRecord(k, value []byte) (any, error) {
	switch {
	case len(k) == 0:
		return nil, errDescribe
	case k[0] == protocol.BankBalance:
		b, err := protocol.DecodeBalance(value)
		if err == nil && !b.Frozen {
			return strconv.FormatUint(b.Amount, 10), nil
		}
		return b, err
	case k[0] == protocol.BankAsset:
		return protocol.DecodeAsset(string(k[1:]), value)
	case k[0] == protocol.BankAllowance:
		return protocol.DecodeAllowance(value)
	case len(k) == 9 && (k[0] == protocol.BankHold || k[0] == protocol.BankStream || k[0] == protocol.BankSchedule):
		return protocol.DecodeTokenTerms(binary.BigEndian.Uint64(k[1:]), value)
	}
	if record := bank.DescribeValue(k, value); record != nil {
		return record, nil
	}
	return nil, errDescribe
}

func govRecord(k, value []byte) (any, error) {
	if len(k) == 0 {
		return nil, errDescribe
	}
	rest, at := k[1:], uint64(0)
	if len(rest) == 8 {
		at = binary.BigEndian.Uint64(rest)
	}
	switch k[0] {
	case protocol.GovKeyCouncil:
		if len(rest) == 20 {
			return protocol.DecodeCouncilMember(protocol.Address(rest), value)
		}
	case protocol.GovKeyProposal:
		return protocol.DecodeProposal(at, value)
	case protocol.GovKeyVote:
		return map[bool]string{true: "yes", false: "no"}[bytes.Equal(value, []byte{1})], nil
	case protocol.GovKeySet:
		return protocol.DecodeValidatorSet(at, value)
	case protocol.GovKeyLatest, protocol.GovKeyCode:
		return number(value), nil
	case protocol.GovKeyBarred:
		if len(value) == 8 { // one more than the entry's index
			return "by entry " + strconv.FormatUint(binary.BigEndian.Uint64(value)-1, 10), nil
		}
	case protocol.GovKeySchema:
		return protocol.DecodeSchema(string(rest), value)
	case protocol.GovKeyDispute:
		return protocol.DecodeDispute(at, value)
	}
	return nil, errDescribe
}

func schemaRecord(k, value []byte) (any, error) {
	switch {
	case len(k) > 1 && k[0] == protocol.SchemaKeyType:
		return protocol.DecodeSchemaType(string(k[1:]), value)
	case len(k) > 7 && k[0] == protocol.SchemaKeyVersion:
		return protocol.DecodeSchemaVersion(uint64(binary.BigEndian.Uint32(k[len(k)-4:])), value)
	case len(k) > 1 && k[0] == protocol.SchemaKeyText:
		return fmt.Sprintf("%d bytes", len(value)), nil
	}
	return nil, errDescribe
}

func ledgerRecord(k, value []byte) (any, error) {
	switch {
	case len(k) > 1 && k[0] == protocol.LedgerKeyRecord:
		return protocol.DecodeLedger(string(k[1:]), value)
	case len(k) == 29 && k[0] == protocol.LedgerKeyRelayed:
		relayed := 0
		for _, b := range value {
			relayed += bits.OnesCount8(b)
		}
		return fmt.Sprintf("%d entries", relayed), nil
	}
	return nil, errDescribe
}
