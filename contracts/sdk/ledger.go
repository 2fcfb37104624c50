package sdk

import "github.com/cairn-ledger/cairn/contracts/abi"

// Emit records an event of the contract's own: an entry of the log whose
// source is the contract and whose cause is the event or call being handled.
// data is JSON, such as JSON.Bytes answers; subject may be empty. At most
// abi.MaxEmissions in one delivery.
func Emit(eventType string, subject, data []byte) { hostEmit(eventType, subject, data) }

// BlockHeight is the height of the block that delivers.
func BlockHeight() uint64 { return hostBlockHeight() }

// BlockTimeMs is the time of that block, in Unix milliseconds.
func BlockTimeMs() uint64 { return hostBlockTimeMs() }

// Self is the contract's own address.
func Self() [abi.AddressBytes]byte { return hostSelf() }

// SHA256 is the digest of data (up to abi.MaxHashInput bytes), by the host:
// cheaper than code of the guest's own.
func SHA256(data []byte) [abi.HashBytes]byte { return hostSHA256(data) }

// Verify says whether a 64-byte r||s low-S secp256k1 signature over a 32-byte
// hash is that of a 33-byte compressed public key.
func Verify(hash [abi.HashBytes]byte, signature [abi.SignatureBytes]byte, key [abi.PublicKeyBytes]byte) bool {
	return hostVerify(&hash, &signature, &key)
}

// Log writes a line (up to abi.MaxLogBytes) for the node's operator. It is
// outside consensus: nothing that matters may depend on it.
func Log(line string) { hostLog(line) }
