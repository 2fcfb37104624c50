package sim

import (
	"fmt"
	"strings"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/sim/asm"
)

// The contracts of the simulation.
//
//	tally   counts readings, and emits one tally.v1 for each; its call "add"
//	        counts one more, its call "fail" writes and then refuses with 9
//	fussy   wants a field v, refuses odd ones with 7, keeps the last even one
//	broken  writes, emits and then traps, always
//	relay   answers tally.v1 and its own relay.v1 with a relay.v1, as far as hops go
//	hog     never ends
const (
	readingType = "reading.v1"
	otherType   = "other.v1" // nobody subscribes to it
	tallyType   = "tally.v1"
	relayType   = "relay.v1"

	codeFail = 9
	codeOdd  = 7
)

// Where data lie in the fixtures' memory: the key, the type, the JSON, a value.
const (
	keyAt, typeAt, dataAt, valueAt, inputAt = 0, 16, 32, 64, 1024
)

func memory(eventType string) string {
	m := []byte(strings.Repeat("\x00", valueAt))
	copy(m[keyAt:], "n")
	copy(m[typeAt:], eventType)
	copy(m[dataAt:], `{"seen":true}`)
	return string(m)
}

func emit(eventType string) asm.Code {
	return asm.I32(typeAt) + asm.I32(len(eventType)) + asm.I32(keyAt) + asm.I32(1) +
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

func refuse(code int) asm.Code {
	return asm.I32(code) + asm.I32(dataAt) + asm.I32(13) + asm.Host(abi.HostAbort)
}

// fixture is a contract of the simulation.
type fixture struct {
	name           string
	code, manifest []byte
}

func fixtures() []fixture {
	tally := asm.Module{Data: memory(tallyType), Functions: []asm.Function{
		asm.Entry(abi.ExportEvent, "", addOne+emit(tallyType)+done),
		asm.Entry(abi.ExportCall, "", addOne+asm.Get(0)+asm.If(refuse(codeFail))+emit(tallyType)+done),
		asm.Entry(abi.ExportQuery, "", output),
	}}
	// The field v is the last eight bytes of the record.
	size := asm.Get(1)
	fussy := asm.I32(0) + asm.I32(inputAt) + size + asm.Host(abi.HostInput) +
		asm.I32(valueAt) + asm.I32(inputAt-8) + size + asm.I32Add + asm.LoadI64(0) + asm.StoreI64(0) +
		asm.I32(valueAt) + asm.LoadI64(0) + asm.I64(1) + asm.I64And + asm.I64Eqz + asm.I32Eqz + asm.If(refuse(codeOdd)) + setValue + done
	return []fixture{
		{"tally", tally.Bytes(), fmt.Appendf(nil, `{"name":"tally","version":"1.0.0","abi":1,
			"events":[{"type":%q,"fields":[]}],"calls":[{"name":"add","fields":[]},{"name":"fail","fields":[]}],
			"queries":[{"name":"count","fields":[]}]}`, readingType)},
		{"fussy", asm.Contract(memory(""), "", fussy), fmt.Appendf(nil, `{"name":"fussy","version":"1.0.0","abi":1,
			"events":[{"type":%q,"fields":[{"name":"v","kind":"uint"}]}]}`, readingType)},
		{"broken", asm.Contract(memory(tallyType), "", addOne+emit(tallyType)+asm.Unreachable), asm.Manifest("broken", readingType)},
		{"relay", asm.Contract(memory(relayType), "", addOne+emit(relayType)+done), asm.Manifest("relay", tallyType, relayType)},
		{"hog", asm.Contract(memory(""), "", addOne+asm.Forever(fill)+done), asm.Manifest("hog", readingType)},
	}
}
