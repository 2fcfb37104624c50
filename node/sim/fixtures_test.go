package sim

import (
	"fmt"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/sim/asm"
)

// The contracts of the simulation.
//
//	tally   counts readings, and emits one tally.v1 for each; its call "add"
//	        counts one more, "fail" writes and then refuses with 9, and "lend"
//	        counts one more and emits lent.v1
//	fussy   wants a field v, refuses odd ones with 7, keeps the last even one
//	broken  writes, emits and then traps, always
//	relay   answers tally.v1 and its own relay.v1 with a relay.v1, as far as hops go
//	hog     never ends
//	caller  calls tally's "lend", and refuses odd readings with 7 after that
const (
	readingType = "reading.v1"
	otherType   = "other.v1" // nobody subscribes to it
	tallyType   = "tally.v1"
	relayType   = "relay.v1"
	lentType    = "lent.v1"

	codeFail = 9
	codeOdd  = 7
)

// Where data lie in the fixtures' memory: the key, the types, the JSON, a
// value, the method and the address to call, the input.
const keyAt, typeAt, dataAt, lentAt, valueAt, methodAt, addressAt, inputAt = 0, 16, 32, 48, 64, 80, 96, 1024

func fixtureMemory(eventType string) string {
	m := []byte(strings.Repeat("\x00", inputAt))
	copy(m[keyAt:], "n")
	copy(m[typeAt:], eventType)
	copy(m[dataAt:], `{"seen":true}`)
	copy(m[lentAt:], lentType)
	copy(m[methodAt:], "lend")
	tally := protocol.ContractAddress(Address(Author), "tally")
	copy(m[addressAt:], tally[:])
	return string(m)
}

func emit(eventType string) asm.Code { return emitAt(typeAt, len(eventType)) }

func emitAt(at, size int) asm.Code {
	return asm.I32(at) + asm.I32(size) + asm.I32(keyAt) + asm.I32(1) +
		asm.I32(dataAt) + asm.I32(len(`{"seen":true}`)) + asm.Host(abi.HostEmit)
}

var (
	getValue = asm.I32(keyAt) + asm.I32(1) + asm.I32(valueAt) + asm.I32(8) + asm.Host(abi.HostStateGet) + asm.Drop
	setValue = asm.I32(keyAt) + asm.I32(1) + asm.I32(valueAt) + asm.I32(8) + asm.Host(abi.HostStateSet)
	addOne   = getValue + asm.I32(valueAt) + asm.I32(valueAt) + asm.LoadI64(0) + asm.I64(1) + asm.I64Add + asm.StoreI64(0) + setValue
	fill     = asm.I32(inputAt) + asm.I32(0) + asm.I32(32<<10) + asm.MemoryFill // much gas for little time
	done     = asm.I32(0)
	output   = getValue + asm.I32(valueAt) + asm.I32(8) + asm.Host(abi.HostOutput) + done
)

// is says whether the handler is this one.
func is(handler int) asm.Code { return asm.Get(0) + asm.I32(handler) + asm.I32Eq }

// takeField puts the field v, the last eight bytes of the record, into the value.
var takeField = asm.I32(0) + asm.I32(inputAt) + asm.Get(1) + asm.Host(abi.HostInput) +
	asm.I32(valueAt) + asm.I32(inputAt-8) + asm.Get(1) + asm.I32Add + asm.LoadI64(0) + asm.StoreI64(0)

// refuseOdd refuses an odd value.
var refuseOdd = asm.I32(valueAt) + asm.LoadI64(0) + asm.I64(1) + asm.I64And + asm.I64Eqz + asm.I32Eqz + asm.If(refuse(codeOdd))

func refuse(code int) asm.Code {
	return asm.I32(code) + asm.I32(dataAt) + asm.I32(13) + asm.Host(abi.HostAbort)
}

// fixture is a contract of the simulation.
type fixture struct {
	name           string
	code, manifest []byte
}

func fixtures() []fixture {
	tally := asm.Module{Data: fixtureMemory(tallyType), Functions: []asm.Function{
		asm.Entry(abi.ExportEvent, "", addOne+emit(tallyType)+done),
		asm.Entry(abi.ExportCall, "", addOne+is(1)+asm.If(refuse(codeFail))+
			is(2)+asm.If(emitAt(lentAt, len(lentType))+done+asm.Return)+emit(tallyType)+done),
		asm.Entry(abi.ExportQuery, "", output),
	}}
	lend := asm.I32(addressAt) + asm.I32(methodAt) + asm.I32(4) + asm.I32(0) + asm.I32(0) + asm.I64(0) + asm.I32(0) + asm.I32(0) +
		asm.Host(abi.HostCall) + asm.Drop
	field := `{"name":%q,"version":"1.0.0","abi":1,"events":[{"type":%q,"fields":[{"name":"v","kind":"uint"}]}]}`
	return []fixture{
		{"tally", tally.Bytes(), fmt.Appendf(nil, `{"name":"tally","version":"1.0.0","abi":1,
			"events":[{"type":%q,"fields":[]}],"calls":[{"name":"add","fields":[]},{"name":"fail","fields":[]},{"name":"lend","fields":[]}],
			"queries":[{"name":"count","fields":[]}]}`, readingType)},
		{"fussy", asm.Contract(fixtureMemory(""), "", takeField+refuseOdd+setValue+done), fmt.Appendf(nil, field, "fussy", readingType)},
		{"broken", asm.Contract(fixtureMemory(tallyType), "", addOne+emit(tallyType)+asm.Unreachable), asm.Manifest("broken", readingType)},
		{"relay", asm.Contract(fixtureMemory(relayType), "", addOne+emit(relayType)+done), asm.Manifest("relay", tallyType, relayType)},
		{"hog", asm.Contract(fixtureMemory(""), "", addOne+asm.Forever(fill)+done), asm.Manifest("hog", readingType)},
		{"caller", asm.Contract(fixtureMemory(""), "", takeField+lend+refuseOdd+done), fmt.Appendf(nil, field, "caller", readingType)},
	}
}
