package contracttest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/sim/asm"
)

const readingType = "reading.v1"

// Where the fixtures keep things in memory: a key, an event type, JSON, a number.
const (
	keyAt, typeAt, dataAt, numberAt, bufferAt = 0, 16, 32, 64, 1024

	data = `{"a":1}`
)

var memory = "n" + strings.Repeat("\x00", typeAt-1) + "abuse.v1" + strings.Repeat("\x00", dataAt-typeAt-8) + data

const done = "\x41\x00" // i32.const 0

func call(host string, args ...int) asm.Code {
	var code asm.Code
	for _, a := range args {
		code += asm.I32(a)
	}
	return code + asm.Host(host)
}

var (
	emit     = call(abi.HostEmit, typeAt, 8, keyAt, 1, dataAt, len(data))
	get      = call(abi.HostStateGet, keyAt, 1, numberAt, 8) + asm.Drop
	set      = call(abi.HostStateSet, keyAt, 1, numberAt, 8)
	increase = asm.I32(numberAt) + asm.I32(numberAt) + asm.LoadI64(0) + asm.I64(1) + asm.I64Add + asm.StoreI64(0)
)

// good counts readings; its query answers the number, one digit.
func good() (module, manifest []byte) {
	digit := asm.I32(numberAt) + asm.I32(numberAt) + asm.LoadI64(0) + asm.I64('0') + asm.I64Add + asm.StoreI64(0)
	m := asm.Module{Data: memory, Functions: []asm.Function{
		asm.Entry(abi.ExportEvent, "", get+increase+set+emit+done),
		asm.Entry(abi.ExportQuery, "", get+digit+call(abi.HostOutput, numberAt, 1)+done),
	}}
	return m.Bytes(), fmt.Appendf(nil, `{"name":"good","version":"1.0.0","abi":1,
		"events":[{"type":%q,"fields":[]}],"queries":[{"name":"count","fields":[]}]}`, readingType)
}

// nan makes a NaN whose sign and payload differ from one processor to the next.
func nan(a, b uint64) asm.Code {
	return asm.I32(numberAt) + asm.F64(a) + asm.F64(b) + asm.F64Div + asm.I64FromF64 + asm.StoreI64(0) + set
}

const far = -16 // an address 16 bytes before the end of the address space

// abuses are bodies of an event handler and what a delivery comes to.
var abuses = []struct {
	name string
	body asm.Code
	code protocol.Code
}{
	{"endless loop", asm.Forever(""), protocol.CodeOutOfGas},
	{"endless host calls", asm.Forever(call(abi.HostBlockHeight) + asm.Drop), protocol.CodeOutOfGas},
	{"endless fill", asm.Forever(asm.I32(0) + asm.I32(0) + asm.I32(65_536) + asm.MemoryFill), protocol.CodeOutOfGas},
	{"memory bomb", asm.Forever(asm.I32(1) + asm.MemoryGrow + asm.Drop), protocol.CodeOutOfGas},
	{"memory bomb at once", asm.I32(65_535) + asm.MemoryGrow + asm.Drop, protocol.CodeOutOfGas},
	{"memory beyond its maximum", asm.I32(64) + asm.MemoryGrow + asm.LoadI32(0) + asm.Drop, protocol.CodeContractTrap}, // it answers -1
	{"recursion", asm.Call(0) + asm.Drop, protocol.CodeCallDepth},
	{"unreachable", set + emit + asm.Unreachable, protocol.CodeContractTrap},
	{"division by zero", asm.I32(1) + asm.I32(0) + asm.I32DivS + asm.Drop, protocol.CodeContractTrap},
	{"load out of bounds", asm.I32(far) + asm.LoadI64(0) + asm.Drop, protocol.CodeContractTrap},
	{"negative answer", asm.I32(-1) + asm.Return, protocol.CodeContractTrap},

	{"key out of bounds", call(abi.HostStateGet, far, 8, numberAt, 8) + asm.Drop, protocol.CodeHostMisuse},
	{"key around the end", call(abi.HostStateGet, far, 32, numberAt, 8) + asm.Drop, protocol.CodeHostMisuse},
	{"empty key", call(abi.HostStateSet, keyAt, 0, numberAt, 8), protocol.CodeHostMisuse},
	{"long key", call(abi.HostStateSet, keyAt, abi.MaxKeyBytes+1, numberAt, 8), protocol.CodeHostMisuse},
	{"long value", call(abi.HostStateSet, keyAt, 1, 0, abi.MaxValueBytes+1), protocol.CodeHostMisuse},
	{"value out of bounds", call(abi.HostStateSet, keyAt, 1, bufferAt, abi.MaxValueBytes), protocol.CodeHostMisuse},
	{"huge value", call(abi.HostStateSet, keyAt, 1, 0, -1), protocol.CodeOutOfGas},
	{"huge output", call(abi.HostOutput, 0, -1), protocol.CodeOutOfGas},
	{"huge hash", call(abi.HostSHA256, 0, -1, 0), protocol.CodeOutOfGas},
	{"huge log line", call(abi.HostLog, 0, -1), protocol.CodeOutOfGas},
	{"huge input", call(abi.HostInput, 0, 0, -1), protocol.CodeOutOfGas},
	{"input past its end", call(abi.HostInput, 0, bufferAt, 4_096), protocol.CodeHostMisuse},
	{"input at no offset", call(abi.HostInput, -1, bufferAt, 2), protocol.CodeHostMisuse},
	{"scan of nothing", call(abi.HostStateScan, 0, 0, 0, 0, 0, bufferAt, 64) + asm.Drop, protocol.CodeHostMisuse},
	{"scan of too much", call(abi.HostStateScan, 0, 0, 0, 0, abi.MaxScanPairs+1, bufferAt, 64) + asm.Drop, protocol.CodeHostMisuse},
	{"scan to nowhere", call(abi.HostStateScan, 0, 0, 0, 0, 1, far, 64) + asm.Drop, protocol.CodeHostMisuse},
	{"address to nowhere", call(abi.HostSelf, far), protocol.CodeHostMisuse},
	{"signature nowhere", call(abi.HostVerify, far, 0, 0) + asm.Drop, protocol.CodeHostMisuse},
	{"abort without a code", call(abi.HostAbort, 0, 0, 0), protocol.CodeHostMisuse},
	{"call of an address nowhere", asm.I32(far) + asm.I32(0) + asm.I32(1) + asm.I32(0) + asm.I32(0) + asm.I64(0) + asm.I32(0) + asm.I32(0) + asm.Host(abi.HostCall) + asm.Drop, protocol.CodeHostMisuse},
	{"timers for ever", asm.Forever(asm.I32(0) + asm.I32(0) + asm.I64(1) + asm.I32(0) + asm.I32(0) + asm.Host(abi.HostSchedule) + asm.Drop), protocol.CodeHostMisuse},

	{"thousands of events", asm.Repeat(2, 5_000, emit), protocol.CodeHostMisuse},
	{"event of no type", call(abi.HostEmit, typeAt, 0, keyAt, 0, dataAt, len(data)), protocol.CodeHostMisuse},
	{"event of control characters", call(abi.HostEmit, numberAt, 8, keyAt, 0, dataAt, len(data)), protocol.CodeHostMisuse},
	{"event that is not JSON", call(abi.HostEmit, typeAt, 8, keyAt, 0, dataAt, len(data)-1), protocol.CodeHostMisuse},
	{"large event", call(abi.HostEmit, typeAt, 8, keyAt, 0, 0, abi.MaxEmitData+1), protocol.CodeHostMisuse},
	{"state flood", asm.Forever(increase + call(abi.HostStateSet, numberAt, 8, 0, 8)), protocol.CodeOutOfGas},
	{"state flood of large values", asm.Forever(increase + call(abi.HostStateSet, numberAt, 8, 0, 65_536)), protocol.CodeOutOfGas},

	{"log flood", asm.Repeat(2, 4_000, call(abi.HostLog, 0, 256)), protocol.CodeOK},
	{"NaN", nan(0, 0), protocol.CodeOK},
	{"negative NaN", nan(0xfff8000000000000, 0x7ff4000000000001), protocol.CodeOK},
}

// abuse builds a module from a handler's body. Function 1 is the handler,
// function 0 the helper that recursion needs.
func abuse(body asm.Code) []byte {
	m := asm.Module{Data: memory, Functions: []asm.Function{
		{Result: true, Body: asm.Call(0) + asm.I32(1) + asm.I32Add},
		asm.Entry(abi.ExportEvent, asm.TypeI32, body+done),
	}}
	return m.Bytes()
}

// Whatever a contract does to the ledger, the code is exact, nothing of it is
// kept, the one beside it loses nothing, the chain goes on, and the replayed
// and the interpreted ledger come to the same hash.
func TestAbuseIsContained(t *testing.T) {
	goodModule, goodManifest := good()
	for _, c := range abuses {
		t.Run(c.name, func(t *testing.T) {
			var hashes []protocol.Hash
			for _, interpreter := range []bool{false, true} {
				l := contracttest.Found(t, contracttest.Options{Interpreter: interpreter, Params: func(p *genesis.Params) { p.DeliveryGas = 4_000_000 }})
				bad := l.DeployModule(abuse(c.body), asm.Manifest("bad", readingType), nil)
				beside := l.DeployModule(goodModule, goodManifest, nil)
				for i := range 3 {
					r := l.Event(readingType, "x", `{}`)
					if c.code != protocol.CodeOK {
						r.By(bad).Dead(c.code)
					}
					beside.Want("count", nil, fmt.Sprint(i+1))
					if n := len(r.By(beside).Emitted("abuse.v1")); n != 1 || len(r.By(bad).Emitted("")) != 0 {
						t.Fatalf("%d events of the good contract, %d of the other", n, len(bad.Emitted("")))
					}
				}
				state, err := l.Sim().State("bad")
				if err != nil || c.code != protocol.CodeOK && len(state) != 0 {
					t.Errorf("it left %d keys: %v", len(state), err)
				}
				if value, ok := state["n"]; ok && string(value) != "\x00\x00\x00\x00\x00\x00\xf8\x7f" {
					t.Errorf("a NaN of its own: %x", value)
				}
				hashes = append(hashes, l.Sim().AppHash())
			}
			if hashes[0] != hashes[1] {
				t.Errorf("app hash %s compiled, %s interpreted", hashes[0], hashes[1])
			}
		})
	}
}

// A module that breaks a rule is never deployed; the refusal names the rule.
func TestAbuseIsRefused(t *testing.T) {
	repeat := strings.Repeat
	nested := func(open string, n int) asm.Code { return repeat(open, n) + repeat(asm.End, n) }
	event := func(body asm.Code) asm.Module {
		return asm.Module{Functions: []asm.Function{asm.Entry(abi.ExportEvent, "", body+done)}}
	}
	for _, c := range []struct {
		rule   string
		module asm.Module
	}{
		{"start", asm.Module{Starts: true, Functions: []asm.Function{{}, asm.Entry(abi.ExportEvent, "", done)}}},
		{"memory-pages", asm.Module{Pages: 65, Functions: event("").Functions}},
		{"locals", asm.Module{Functions: []asm.Function{asm.Entry(abi.ExportEvent, repeat(asm.TypeI64, 255), done)}}},
		{"nesting", event(nested("\x02\x40", 129))},
		{"loop-nesting", event(nested("\x03\x40", 17))},
		{"blocks", event(repeat(nested("\x02\x40", 1), 2_001))},
		{"branch-table", event(asm.Get(0) + "\x0e\x81\x08" + repeat("\x00", 1_026))},
		{"body-bytes", event(repeat("\x01", 33_000))},
		{"opcode", event("\xfd\x0c" + repeat("\x00", 16) + asm.Drop)},
		{"opcode", event("\xfe\x10\x02\x00" + asm.Drop)},
		{"export", asm.Module{Functions: []asm.Function{asm.Entry("", "", done)}}},
		{"export", asm.Module{Functions: []asm.Function{asm.Entry("main", "", done)}}},
		{"export", asm.Module{Functions: []asm.Function{{Export: abi.ExportEvent, Params: 1, Result: true, Body: done}}}},
		{"memory-grows", event(repeat(asm.I32(1)+asm.MemoryGrow+asm.Drop, 65))},
		{"validation", event(asm.I64Add)},
		{"validation", asm.Module{Functions: append(event("").Functions, asm.Function{Export: abi.ExportInitialize, Body: asm.Forever("")})}},
		{"validation", asm.Module{Functions: append(event("").Functions, asm.Function{Export: abi.ExportInitialize, Body: set})}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			why := contracttest.RefuseModule(t, c.module.Bytes(), asm.Manifest("bad", readingType), nil, protocol.CodeContractInvalid, 0)
			if !strings.Contains(why, fmt.Sprintf("rule %q", c.rule)) {
				t.Errorf("refused because of %s", why)
			}
		})
	}
	ok := event("")
	contracttest.RefuseModule(t, ok.Bytes(), []byte(`{"name":"bad"}`), nil, protocol.CodeManifestInvalid, 0)
	contracttest.RefuseModule(t, ok.Bytes(), []byte(`{"name":"bad","version":"1","abi":1,"calls":[{"name":"c","fields":[]}]}`), nil, protocol.CodeContractInvalid, 0)
}

// Initialisations and queries are contained like deliveries.
func TestAbuseOutsideOfDeliveries(t *testing.T) {
	for body, code := range map[asm.Code]protocol.Code{
		asm.Forever(""): protocol.CodeOutOfGas, asm.Unreachable: protocol.CodeContractTrap,
		call(abi.HostStateGet, far, 8, 0, 0) + asm.Drop: protocol.CodeHostMisuse,
	} {
		init := asm.Module{Functions: []asm.Function{asm.Entry(abi.ExportInit, "", body+done)}}
		contracttest.RefuseModule(t, init.Bytes(), asm.Manifest("bad"), nil, code, 0)

		m := asm.Module{Functions: []asm.Function{asm.Entry(abi.ExportQuery, "", body+done)}}
		manifest := []byte(`{"name":"bad","version":"1","abi":1,"queries":[{"name":"q","fields":[]}]}`)
		l := contracttest.Found(t, contracttest.Options{}).DeployModule(m.Bytes(), manifest, nil)
		if _, err := l.Sim().Query("bad", "q", nil); !isCode(err, code) {
			t.Errorf("query: %v, want %v", err, code)
		}
	}
	writes := asm.Module{Data: memory, Functions: []asm.Function{asm.Entry(abi.ExportQuery, "", set+done)}}
	l := contracttest.Found(t, contracttest.Options{}).DeployModule(writes.Bytes(), []byte(`{"name":"bad","version":"1","abi":1,"queries":[{"name":"q","fields":[]}]}`), nil)
	if _, err := l.Sim().Query("bad", "q", nil); !isCode(err, protocol.CodeHostMisuse) {
		t.Errorf("a query writes: %v", err)
	}
}

func isCode(err error, code protocol.Code) bool {
	got, ok := protocol.CodeOf(err)
	return ok && got == code
}
