package abi

// Version is the ABI version a manifest states and this package describes.
// A change that an existing contract could notice takes a new number.
const Version = 1

// HostModule is the import module of every host function.
const HostModule = "cairn"

// Host functions. Pointers and lengths are u32 (wasm i32). A pointer, length
// or value out of bounds ends the delivery with the code HOST_MISUSE: a guest
// cannot go wrong quietly. Functions marked [write] end a query that way too.
const (
	// HostInput is input(offset, ptr, len): copies input[offset:offset+len) to ptr.
	HostInput = "input"
	// HostOutput is output(ptr, len): appends to the result of a call or query.
	HostOutput = "output"
	// HostStateGet is state_get(kptr, klen, dst, cap) i32: the size of the
	// value, of which the first min(size, cap) bytes are copied; NotFound when
	// the key is absent. Reads see the delivery's own writes.
	HostStateGet = "state_get"
	// HostStateSet is state_set(kptr, klen, vptr, vlen) [write].
	HostStateSet = "state_set"
	// HostStateDelete is state_delete(kptr, klen) [write]; an absent key is no error.
	HostStateDelete = "state_delete"
	// HostStateScan is state_scan(pptr, plen, aptr, alen, limit, dst, cap) i32:
	// writes the pairs whose key starts with the prefix and is greater than
	// after, in ascending byte order, each as u32 key length, key, u32 value
	// length, value; at most limit pairs (1 to MaxScanPairs), as many as fit.
	// The result is the bytes written: 0 when no pair is left, or minus the
	// size of the first pair when it alone does not fit. An empty after starts
	// at the first key; the next page continues after the last key of this one.
	HostStateScan = "state_scan"
	// HostEmit is emit(tptr, tlen, sptr, slen, dptr, dlen) [write]: an event
	// of this type, subject (may be empty) and JSON data, whose source is the contract.
	HostEmit = "emit"
	// HostBlockHeight is block_height() i64.
	HostBlockHeight = "block_height"
	// HostBlockTimeMs is block_time_ms() i64, Unix milliseconds.
	HostBlockTimeMs = "block_time_ms"
	// HostSelf is self(dst): the contract's own address, AddressBytes long.
	HostSelf = "self"
	// HostSHA256 is sha256(ptr, len, dst): 32 bytes at dst.
	HostSHA256 = "sha256"
	// HostVerify is secp256k1_verify(hash, sig, pub) i32: 1 when the 64-byte
	// r||s low-S signature over the 32-byte hash is that of the 33-byte
	// compressed public key, else 0.
	HostVerify = "secp256k1_verify"
	// HostCall is call(addr, mptr, mlen, aptr, alen, gas i64, dst, cap) i64
	// [write]: calls a method of another contract with JSON arguments, with at
	// most that much of the caller's gas (0: all that is left). It is part of the delivery: what the
	// callee did is kept with it or undone with it, and undone at once where
	// the callee fails. The result's upper 32 bits are the ledger's code: 0, and
	// the lower ones are the answer's size, of which the first min(size, cap)
	// bytes are copied; CONTRACT_ABORTED, and they are the callee's own code;
	// or another code.
	HostCall = "call"
	// HostSchedule is schedule(handler, unit, at i64, dptr, dlen) i64 [write]:
	// sets a timer of the manifest and answers its id, above 0. It fires once,
	// at the first block of a later height whose height (UnitHeight) or time in
	// Unix milliseconds (UnitTime) is at least at, and brings the data back.
	HostSchedule = "schedule"
	// HostCancel is cancel(id i64) i32 [write]: 1 when that timer was pending,
	// and no longer is, else 0.
	HostCancel = "cancel"
	// Functions of tokens. Assets are named by ptr and length, accounts by a
	// pointer to an address, amounts are i64 minor units. What cannot be done
	// changes nothing and answers the ledger's code, such as 230
	// (INSUFFICIENT_FUNDS): the contract decides what follows. A ledger without
	// tokens ends the delivery with TOKENS_UNAVAILABLE.
	//
	//	balance(asset, alen, account) i64                      0 of what does not exist
	//	transfer(asset, alen, to, amount) i32 [write]          of the contract's own
	//	hold(asset, alen, from, amount, until i64) i64 [write] under an allowance, or of the contract's own;
	//	                                                       until a time in Unix milliseconds, or 0; the
	//	                                                       hold's id, or minus the code
	//	release(hold i64, to, amount) i32 [write]              pays from a hold; the rest goes back; amount 0
	//	                                                       gives all back
	//	debit(asset, alen, from, amount) i32 [write]           under an allowance, to the contract itself
	//	mint(asset, alen, to, amount) i32 [write]              of an asset that the contract issues
	//	burn(asset, alen, amount) i32 [write]                  of the contract's own
	HostBalance  = "balance"
	HostTransfer = "transfer"
	HostHold     = "hold"
	HostRelease  = "release"
	HostDebit    = "debit"
	HostMint     = "mint"
	HostBurn     = "burn"
	// HostLog is log(ptr, len): a line for the node's operator, outside
	// consensus, cut to MaxLogBytes and dropped after MaxLogLines.
	HostLog = "log"
	// HostAbort is abort(code, ptr, len): undoes the delivery with the
	// contract's own code (above 0) and a message that only the log sees. It does not return.
	HostAbort = "abort"
)

// Exports a module may have, and no others. Memory is required, and at least
// one entry point.
const (
	ExportMemory     = "memory"
	ExportInitialize = "_initialize"
	ExportInit       = "cairn_init"
	ExportEvent      = "cairn_event"
	ExportCall       = "cairn_call"
	ExportQuery      = "cairn_query"
	ExportTimer      = "cairn_timer"
	ExportMigrate    = "cairn_migrate"
)

// Units of a timer's due point.
const (
	UnitHeight = 0
	UnitTime   = 1
)

// NotFound is what state_get answers for an absent key.
const NotFound int32 = -1

// Done is the result of an entry point that succeeded.
const Done int32 = 0

// Sizes of addresses, hashes, signatures and public keys, in bytes.
const (
	AddressBytes   = 20
	HashBytes      = 32
	SignatureBytes = 64
	PublicKeyBytes = 33
)

// Limits of one delivery. Going over one ends it with HOST_MISUSE.
const (
	// MaxInputBytes bounds an input record: a 64 KiB event and its header fit.
	MaxInputBytes = 128 << 10
	// MaxKeyBytes bounds a state key, which has at least one byte.
	MaxKeyBytes = 256
	// MaxValueBytes bounds a state value, which may be empty.
	MaxValueBytes = 64 << 10
	// MaxOutputBytes bounds the result of a call or query.
	MaxOutputBytes = 256 << 10
	// MaxScanPairs bounds one page of a scan.
	MaxScanPairs = 256
	// MaxEmissions bounds the events one delivery emits.
	MaxEmissions = 256
	// MaxEmitAttribute bounds an emitted event's type and subject, in bytes.
	MaxEmitAttribute = 256
	// MaxEmitData bounds an emitted event's data, in bytes.
	MaxEmitData = 16 << 10
	// MaxHashInput bounds what one sha256 call digests, in bytes.
	MaxHashInput = 1 << 20
	// MaxCallDepth bounds how many contracts a delivery runs nested, its own included.
	MaxCallDepth = 8
	// MaxCallArgs bounds the arguments of a call to another contract, in bytes.
	MaxCallArgs = 16 << 10
	// MaxTimers bounds the timers a contract has pending, MaxTimerData what one
	// brings back, in bytes.
	MaxTimers    = 10_000
	MaxTimerData = 1 << 10
	// MaxLogBytes bounds one log line, MaxLogLines the lines of a delivery.
	MaxLogBytes = 256
	MaxLogLines = 16
)

// Kind is the type of a manifest field, and of its value in a record.
type Kind uint8

// Kinds of fields; doc.go has their layout.
const (
	KindUint    Kind = 1 // 0 to 2^64-1
	KindInt     Kind = 2 // -2^63 to 2^63-1
	KindDecimal Kind = 3 // i64 times ten to the minus scale
	KindBool    Kind = 4
	KindString  Kind = 5 // UTF-8
	KindBytes   Kind = 6 // base64 in JSON
	KindTime    Kind = 7 // RFC 3339 in JSON
)
