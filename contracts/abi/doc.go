// Package abi is the agreement between a contract and the ledger that runs it:
// names of what crosses the border, record layouts, limits and codes. Guests
// (contracts/sdk, compiled by TinyGo) and the host (node/internal/vm) import
// the same package, so that the two ends cannot drift apart.
//
// # Shape of a delivery
//
// A contract is a WebAssembly module and a manifest. The module exports its
// memory and up to six entry points:
//
//	cairn_init(size u32) i32                  once, when the contract is deployed
//	cairn_migrate(size u32) i32               once, when other code of it is replaced by this
//	cairn_event(handler u32, size u32) i32    one event the contract subscribed to
//	cairn_call(handler u32, size u32) i32     a transaction's method call
//	cairn_timer(handler u32, size u32) i32    a timer the contract set
//	cairn_query(handler u32, size u32) i32    a read-only question, off consensus
//
// handler is the index of the subscription, call, timer or query in the manifest's
// list; size is the length of the input record in bytes, which the guest
// copies into its memory with the host function input. The result 0 means
// done; a result above 0 is the contract's own error code, and undoes the
// delivery; a negative result is a trap.
//
// A module may also export _initialize(), which runs once before the memory
// image is taken that every delivery starts from. It may call no host
// function.
//
// # Input records
//
// The host reads JSON, guests do not. Every input is a flat little-endian
// record without padding: a header, then the manifest's fields in order.
//
//	event header                         call header (init, migrate, call, query)
//	 0  height      u64                   0  height   u64
//	 8  timeMs      u64, block time       8  timeMs   u64, block time
//	16  index       u64, log entry       16  caller   20 bytes
//	24  eventTimeNs i64, Unix            36  fields
//	32  hasTime     u8, 0 or 1           timer: height, timeMs, index, id: each
//	33  origin      20 bytes             u64; data: u32 length, then bytes
//	53  id, source, type, subject: each u32 length, then bytes
//	    fields
//
// A field is a presence byte (0 or 1) and, when present, its value:
//
//	uint             u64
//	int              i64
//	decimal(scale)   i64, the number times ten to the scale
//	time             i64, Unix nanoseconds
//	bool             u8, 0 or 1
//	string, bytes    u32 length, then bytes
//
// eventTimeNs is 0 when hasTime is 0. A field that the manifest does not mark
// optional is always present.
//
// Everything but manifest.go and manifestjson.go avoids fmt, reflection and
// allocation, and is what a guest compiles.
package abi
