//go:build tinygo

package sdk

import (
	"unsafe"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

// The host functions, as package abi describes them.

//go:wasmimport cairn input
func importInput(offset uint32, dst unsafe.Pointer, n uint32)

//go:wasmimport cairn output
func importOutput(src unsafe.Pointer, n uint32)

//go:wasmimport cairn state_get
func importStateGet(key unsafe.Pointer, keyLen uint32, dst unsafe.Pointer, capacity uint32) int32

//go:wasmimport cairn state_set
func importStateSet(key unsafe.Pointer, keyLen uint32, value unsafe.Pointer, valueLen uint32)

//go:wasmimport cairn state_delete
func importStateDelete(key unsafe.Pointer, keyLen uint32)

//go:wasmimport cairn state_scan
func importStateScan(prefix unsafe.Pointer, prefixLen uint32, after unsafe.Pointer, afterLen uint32, limit uint32, dst unsafe.Pointer, capacity uint32) int32

//go:wasmimport cairn emit
func importEmit(eventType unsafe.Pointer, typeLen uint32, subject unsafe.Pointer, subjectLen uint32, data unsafe.Pointer, dataLen uint32)

//go:wasmimport cairn block_height
func importBlockHeight() int64

//go:wasmimport cairn block_time_ms
func importBlockTimeMs() int64

//go:wasmimport cairn self
func importSelf(dst unsafe.Pointer)

//go:wasmimport cairn sha256
func importSHA256(src unsafe.Pointer, n uint32, dst unsafe.Pointer)

//go:wasmimport cairn secp256k1_verify
func importVerify(hash, signature, key unsafe.Pointer) int32

//go:wasmimport cairn call
func importCall(contract, method unsafe.Pointer, methodLen uint32, args unsafe.Pointer, argsLen uint32, gas uint64, dst unsafe.Pointer, capacity uint32) uint64

//go:wasmimport cairn schedule
func importSchedule(handler, unit uint32, at uint64, data unsafe.Pointer, dataLen uint32) uint64

//go:wasmimport cairn cancel
func importCancel(id uint64) uint32

//go:wasmimport cairn log
func importLog(src unsafe.Pointer, n uint32)

//go:wasmimport cairn abort
func importAbort(code uint32, src unsafe.Pointer, n uint32)

// The exports. A handler that returns succeeded; one that failed did not return.

//go:wasmexport cairn_init
func exportInit(size uint32) int32 {
	runInit(size)
	return abi.Done
}

//go:wasmexport cairn_event
func exportEvent(handler, size uint32) int32 {
	runEvent(handler, size)
	return abi.Done
}

//go:wasmexport cairn_call
func exportCall(handler, size uint32) int32 {
	runCall(handler, size)
	return abi.Done
}

//go:wasmexport cairn_timer
func exportTimer(handler, size uint32) int32 {
	runTimer(handler, size)
	return abi.Done
}

//go:wasmexport cairn_migrate
func exportMigrate(size uint32) int32 {
	runMigrate(size)
	return abi.Done
}

//go:wasmexport cairn_query
func exportQuery(handler, size uint32) int32 {
	runQuery(handler, size)
	return abi.Done
}

func at(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }
func of(s string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(s)) }

func hostInput(size uint32) []byte {
	buf := make([]byte, size)
	importInput(0, at(buf), size)
	return buf
}

func hostOutput(b []byte) { importOutput(at(b), uint32(len(b))) }

func hostStateGet(key, dst []byte) int32 {
	return importStateGet(at(key), uint32(len(key)), at(dst), uint32(len(dst)))
}

func hostStateSet(key, value []byte) {
	importStateSet(at(key), uint32(len(key)), at(value), uint32(len(value)))
}

func hostStateDelete(key []byte) { importStateDelete(at(key), uint32(len(key))) }

func hostStateScan(prefix, after []byte, limit uint32, dst []byte) int32 {
	return importStateScan(at(prefix), uint32(len(prefix)), at(after), uint32(len(after)),
		limit, at(dst), uint32(len(dst)))
}

func hostEmit(eventType string, subject, data []byte) {
	importEmit(of(eventType), uint32(len(eventType)), at(subject), uint32(len(subject)),
		at(data), uint32(len(data)))
}

func hostBlockHeight() uint64 { return uint64(importBlockHeight()) }
func hostBlockTimeMs() uint64 { return uint64(importBlockTimeMs()) }

func hostSelf() (a [abi.AddressBytes]byte) {
	importSelf(unsafe.Pointer(&a))
	return a
}

func hostSHA256(data []byte) (h [abi.HashBytes]byte) {
	importSHA256(at(data), uint32(len(data)), unsafe.Pointer(&h))
	return h
}

func hostVerify(hash *[abi.HashBytes]byte, signature *[abi.SignatureBytes]byte, key *[abi.PublicKeyBytes]byte) bool {
	return importVerify(unsafe.Pointer(hash), unsafe.Pointer(signature), unsafe.Pointer(key)) == 1
}

func hostCall(contract *[abi.AddressBytes]byte, method string, args []byte, gas uint64, dst []byte) uint64 {
	return importCall(unsafe.Pointer(contract), of(method), uint32(len(method)), at(args), uint32(len(args)), gas, at(dst), uint32(len(dst)))
}

func hostSchedule(handler, unit uint32, due uint64, data []byte) uint64 {
	return importSchedule(handler, unit, due, at(data), uint32(len(data)))
}

func hostCancel(id uint64) bool { return importCancel(id) == 1 }

func hostLog(line string) { importLog(of(line), uint32(len(line))) }

func hostAbort(code uint32, message string) { importAbort(code, of(message), uint32(len(message))) }

// The guest needs no names: handlers are numbered.
var names struct{ events, calls, timers, queries struct{} }

func remember(*struct{}, string) {}
