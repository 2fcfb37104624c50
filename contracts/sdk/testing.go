//go:build !tinygo

package sdk

import (
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

// names are the registered handlers' names, in order, for CheckManifest.
var names struct{ events, calls, timers, queries []string }

func remember(list *[]string, name string) { *list = append(*list, name) }

// CheckManifest compares the registered handlers with a manifest's lists: a
// handler's number is its place in them.
func CheckManifest(m *abi.Manifest) error {
	var events, calls, timers, queries []string
	for i := range m.Events {
		events = append(events, m.Events[i].Type)
	}
	for i := range m.Calls {
		calls = append(calls, m.Calls[i].Name)
	}
	for i := range m.Timers {
		timers = append(timers, m.Timers[i].Name)
	}
	for i := range m.Queries {
		queries = append(queries, m.Queries[i].Name)
	}
	for _, list := range []struct {
		what             string
		manifest, source []string
	}{{"events", events, names.events}, {"calls", calls, names.calls}, {"timers", timers, names.timers}, {"queries", queries, names.queries}} {
		if !slices.Equal(list.manifest, list.source) {
			return fmt.Errorf("%s: the manifest has %q, the source registers %q", list.what, list.manifest, list.source)
		}
	}
	return nil
}

// Args builds the fields of an input record for a Host, in the manifest's
// order. The zero value and nil are an input without fields.
type Args struct{ record []byte }

// Uint adds a uint field.
func (a *Args) Uint(v uint64) *Args {
	a.record = abi.AppendU64(abi.AppendFlag(a.record, true), v)
	return a
}

// Int adds an int, decimal (scaled) or time (Unix nanoseconds) field.
func (a *Args) Int(v int64) *Args { return a.Uint(uint64(v)) }

// Bool adds a bool field.
func (a *Args) Bool(v bool) *Args {
	a.record = abi.AppendFlag(abi.AppendFlag(a.record, true), v)
	return a
}

// Text adds a string field.
func (a *Args) Text(s string) *Args { return a.Bytes([]byte(s)) }

// Bytes adds a bytes field.
func (a *Args) Bytes(b []byte) *Args {
	a.record = abi.AppendRun(abi.AppendFlag(a.record, true), b)
	return a
}

// Absent adds an optional field that is left out.
func (a *Args) Absent() *Args {
	a.record = abi.AppendFlag(a.record, false)
	return a
}

func (a *Args) bytes() []byte {
	if a == nil {
		return nil
	}
	return a.record
}
