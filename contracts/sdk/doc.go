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
// Reading order: handler.go, fields.go, state.go, ledger.go, json.go; then what
// a contract needs of
//
//	table.go, record.go     typed values under typed keys, and counters
//	index.go, codec.go      finding by another key, in its order, page by page
//	decimal.go, wide.go     exact decimals; products and quotients of int64 rounded by name
//	windows.go              counts, sums and extremes in windows of event time
//	signal.go               moving averages, rates, thresholds with hysteresis
//	geo.go, presence.go     distances, areas, who entered and who left
//	calendar.go             days, weeks and bands of the day
//
// and testing.go and native.go for its tests. What a contract does not use is
// not in its module: two decimal operations add 1 KB to it, a window kind
// 4 KB, a distance 2 KB. Nothing here uses floats, fmt, reflection or Go's maps.
//
// Slices that the SDK hands out are the handler's to keep and change, except
// the attributes and fields of its input, which share the input's memory.
package sdk
