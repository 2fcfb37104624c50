// Package sdk is what a contract in Go is written with. The same handlers
// compile to WebAssembly with TinyGo, where they run on the ledger, and
// natively, where go test runs them on a Host in memory.
//
// A contract is a package main that registers its handlers in init, in the
// order of its manifest:
//
//	func init() {
//		sdk.OnInit(setUp)
//		sdk.OnEvent("parking.occupancy.v1", reading)
//		sdk.OnQuery("price", price)
//	}
//
//	func main() {}
//
// A handler reads the manifest's fields in their order, changes state, emits
// events and returns; or it calls Abort, which undoes all it did. It sees
// nothing but its input and its own state: there is no clock, no randomness,
// no network. Floats, fmt, encoding/json and reflection compile but do not
// belong in a contract: they cost a hundred kilobytes and most of the gas.
//
// Every delivery starts from the memory that the package's init functions
// left: a global variable that a handler sets is gone in the next delivery,
// and only state stays. That is why freed memory need not be collected.
//
// Slices that the SDK hands out are the handler's to keep and change, except
// the attributes and fields of its input, which share the input's memory.
package sdk
