//go:build tinygo

package sdk

import (
	"unsafe"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

//go:wasmimport cairn balance
func importBalance(asset unsafe.Pointer, assetLen uint32, account unsafe.Pointer) int64

//go:wasmimport cairn transfer
func importTransfer(asset unsafe.Pointer, assetLen uint32, to unsafe.Pointer, amount int64) uint32

//go:wasmimport cairn hold
func importHold(asset unsafe.Pointer, assetLen uint32, from unsafe.Pointer, amount int64, until uint64) int64

//go:wasmimport cairn release
func importRelease(hold uint64, to unsafe.Pointer, amount int64) uint32

//go:wasmimport cairn debit
func importDebit(asset unsafe.Pointer, assetLen uint32, from unsafe.Pointer, amount int64) uint32

//go:wasmimport cairn mint
func importMint(asset unsafe.Pointer, assetLen uint32, to unsafe.Pointer, amount int64) uint32

//go:wasmimport cairn burn
func importBurn(asset unsafe.Pointer, assetLen uint32, amount int64) uint32

func hostBalance(asset string, account *[abi.AddressBytes]byte) int64 {
	return importBalance(of(asset), uint32(len(asset)), unsafe.Pointer(account))
}

func hostTransfer(asset string, to *[abi.AddressBytes]byte, amount int64) uint32 {
	return importTransfer(of(asset), uint32(len(asset)), unsafe.Pointer(to), amount)
}

func hostHold(asset string, from *[abi.AddressBytes]byte, amount int64, until uint64) int64 {
	return importHold(of(asset), uint32(len(asset)), unsafe.Pointer(from), amount, until)
}

func hostRelease(hold uint64, to *[abi.AddressBytes]byte, amount int64) uint32 {
	return importRelease(hold, unsafe.Pointer(to), amount)
}

func hostDebit(asset string, from *[abi.AddressBytes]byte, amount int64) uint32 {
	return importDebit(of(asset), uint32(len(asset)), unsafe.Pointer(from), amount)
}

func hostMint(asset string, to *[abi.AddressBytes]byte, amount int64) uint32 {
	return importMint(of(asset), uint32(len(asset)), unsafe.Pointer(to), amount)
}

func hostBurn(asset string, amount int64) uint32 {
	return importBurn(of(asset), uint32(len(asset)), amount)
}
