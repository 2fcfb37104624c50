// Package asm assembles small contract modules, for tests that need one that
// no compiler would make. It checks nothing: a module may be as broken as the
// test wants it.
package asm

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

// Code is encoded instructions.
type Code = string

// Value and block types.
const (
	TypeI32 = "\x7f"
	TypeI64 = "\x7e"
	TypeF64 = "\x7c"
	NoType  = "\x40"
)

// Instructions without operands.
const (
	Unreachable = "\x00"
	Else        = "\x05"
	End         = "\x0b"
	Return      = "\x0f"
	Drop        = "\x1a"
	I32Eqz      = "\x45"
	I32Eq       = "\x46"
	I64Eqz      = "\x50"
	I32Add      = "\x6a"
	I32Sub      = "\x6b"
	I32DivS     = "\x6d"
	I64Add      = "\x7c"
	I64And      = "\x83"
	F64Div      = "\xa3"
	I64FromF64  = "\xbd" // i64.reinterpret_f64
	MemoryGrow  = "\x40\x00"
	MemoryFill  = "\xfc\x0b\x00"
)

// Host functions by index: every module imports all of them, in this order.
// Types are one letter a value: i for i32, l for i64.
var hostFunctions = []struct{ name, params, result string }{
	{abi.HostInput, "iii", ""}, {abi.HostOutput, "ii", ""},
	{abi.HostStateGet, "iiii", "i"}, {abi.HostStateSet, "iiii", ""}, {abi.HostStateDelete, "ii", ""}, {abi.HostStateScan, "iiiiiii", "i"},
	{abi.HostEmit, "iiiiii", ""}, {abi.HostBlockHeight, "", "l"}, {abi.HostBlockTimeMs, "", "l"}, {abi.HostSelf, "i", ""},
	{abi.HostCall, "iiiiilii", "l"}, {abi.HostSchedule, "iilii", "l"}, {abi.HostCancel, "l", "i"},
	{abi.HostSHA256, "iii", ""}, {abi.HostVerify, "iii", "i"}, {abi.HostLog, "ii", ""}, {abi.HostAbort, "iii", ""},
	{abi.HostBalance, "iii", "l"}, {abi.HostTransfer, "iiil", "i"}, {abi.HostDebit, "iiil", "i"}, {abi.HostHold, "iiill", "l"}, {abi.HostRelease, "lil", "i"},
}

// Host calls a host function with what is on the stack.
func Host(name string) Code {
	for i, f := range hostFunctions {
		if f.name == name {
			return "\x10" + u(i)
		}
	}
	panic("asm: no host function is named " + name)
}

// Call calls function i of the module's own.
func Call(i int) Code { return "\x10" + u(len(hostFunctions)+i) }

// I32 pushes a constant.
func I32(v int) Code { return "\x41" + s(int64(int32(v))) }

// I64 pushes a constant.
func I64(v int64) Code { return "\x42" + s(v) }

// F64 pushes the float with these bits.
func F64(bits uint64) Code { return "\x44" + string(binary.LittleEndian.AppendUint64(nil, bits)) }

// Get pushes a local, parameters first.
func Get(i int) Code { return "\x20" + u(i) }

// Set pops into a local.
func Set(i int) Code { return "\x21" + u(i) }

// LoadI32 reads memory at the popped address plus an offset.
func LoadI32(offset int) Code { return "\x28\x02" + u(offset) }

// LoadI64 reads memory at the popped address plus an offset, aligned or not.
func LoadI64(offset int) Code { return "\x29\x00" + u(offset) }

// StoreI32 writes memory.
func StoreI32(offset int) Code { return "\x36\x02" + u(offset) }

// StoreI64 writes memory, aligned or not.
func StoreI64(offset int) Code { return "\x37\x00" + u(offset) }

// If runs code when the popped i32 is not zero.
func If(code Code) Code { return "\x04" + NoType + code + End }

// Forever repeats code until something ends the run.
func Forever(code Code) Code { return "\x03" + NoType + code + "\x0c\x00" + End }

// Repeat runs code n times, counting down in a local.
func Repeat(local, n int, code Code) Code {
	return I32(n) + Set(local) + "\x03" + NoType + code + Get(local) + I32(1) + I32Sub + "\x22" + u(local) + "\x0d\x00" + End
}

// Function is one function. Parameters are i32; so is the result, if any.
type Function struct {
	Export string // empty for none
	Params int
	Result bool
	Locals string // value types beside the parameters
	Body   Code   // without the closing end
}

// Module is a module with one memory.
type Module struct {
	Functions []Function
	Data      string // memory from address 0 on
	Pages     int    // of the memory at the start; 1 when 0
	Starts    bool   // function 0 is the start function
}

// Entry makes a contract's entry point; Init has one parameter, the others
// two: handler and size. The body leaves the entry point's answer.
func Entry(export, locals string, body Code) Function {
	params := 2
	if export == abi.ExportInit {
		params = 1
	}
	return Function{Export: export, Params: params, Result: true, Locals: locals, Body: body}
}

// Bytes is the module's binary.
func (m *Module) Bytes() []byte {
	var types, imports, functions, exports, bodies []string
	for i, f := range hostFunctions {
		types = append(types, funcType(valueTypes.Replace(f.params), valueTypes.Replace(f.result)))
		imports = append(imports, name(abi.HostModule)+name(f.name)+"\x00"+u(i))
	}
	exports = append(exports, name(abi.ExportMemory)+"\x02\x00")
	for i, f := range m.Functions {
		result := ""
		if f.Result {
			result = TypeI32
		}
		types = append(types, funcType(strings.Repeat(TypeI32, f.Params), result))
		functions = append(functions, u(len(hostFunctions)+i))
		if f.Export != "" {
			exports = append(exports, name(f.Export)+"\x00"+u(len(hostFunctions)+i))
		}
		body := u(len(f.Locals))
		for _, local := range []byte(f.Locals) {
			body += u(1) + string([]byte{local})
		}
		body += f.Body + End
		bodies = append(bodies, u(len(body))+body)
	}
	out := "\x00asm\x01\x00\x00\x00" + section(1, types...) + section(2, imports...) + section(3, functions...) +
		section(5, "\x00"+u(max(m.Pages, 1))) + section(7, exports...)
	if m.Starts {
		out += "\x08" + name(u(len(hostFunctions)))
	}
	out += section(10, bodies...)
	if m.Data != "" {
		out += section(11, "\x00"+I32(0)+End+u(len(m.Data))+m.Data)
	}
	return []byte(out)
}

// Contract is a module with one entry point for events.
func Contract(data, locals string, body Code) []byte {
	m := Module{Data: data, Functions: []Function{Entry(abi.ExportEvent, locals, body)}}
	return m.Bytes()
}

// Manifest is the text of a manifest that subscribes to event types without
// reading a field of theirs.
func Manifest(contract string, eventTypes ...string) []byte {
	text := fmt.Appendf(nil, `{"name":%q,"version":"1.0.0","abi":%d,"events":[`, contract, abi.Version)
	for i, t := range eventTypes {
		if i > 0 {
			text = append(text, ',')
		}
		text = fmt.Appendf(text, `{"type":%q,"fields":[]}`, t)
	}
	return append(text, "]}"...)
}

var valueTypes = strings.NewReplacer("i", TypeI32, "l", TypeI64)

func funcType(params, result string) string {
	return "\x60" + u(len(params)) + params + u(len(result)) + result
}

// section is a section that is a list.
func section(id byte, items ...string) string {
	contents := u(len(items))
	for _, item := range items {
		contents += item
	}
	return string([]byte{id}) + u(len(contents)) + contents
}

func name(text string) string { return u(len(text)) + text }

func u(v int) string { return string(binary.AppendUvarint(nil, uint64(v))) }

// s is signed LEB128.
func s(v int64) string {
	var out []byte
	for {
		b := byte(v & 0x7f)
		if v >>= 7; v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return string(append(out, b))
		}
		out = append(out, b|0x80)
	}
}
