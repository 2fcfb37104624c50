package client_test

import (
	"testing"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Only what W3C Trace Context allows is a trace.
func TestTraceOf(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for _, c := range []struct {
		parent         string
		valid, sampled bool
	}{
		{"00-" + id + "-" + span + "-01", true, true},
		{"00-" + id + "-" + span + "-00", true, false},
		{"00-" + id + "-" + span + "-03", true, true}, // other flags are ignored
		{"cc-" + id + "-" + span + "-01-later", true, true},
		{"00-" + id + "-" + span + "-01-later", false, false},
		{"cc-" + id + "-" + span + "-01later", false, false},
		{"ff-" + id + "-" + span + "-01", false, false},
		{"00-" + id + "-0000000000000000-01", false, false},
		{"00-00000000000000000000000000000000-" + span + "-01", false, false},
		{"00-4BF92F3577B34DA6A3CE929D0E0E4736-" + span + "-01", false, false},
		{"00-" + id + "-" + span + "-0g", false, false},
		{"00_" + id + "_" + span + "_01", false, false},
		{"", false, false},
	} {
		e := protocol.Event{Extensions: []protocol.Extension{{Name: "traceparent", Kind: protocol.ExtensionString, Text: c.parent}, {Name: "tracestate", Kind: protocol.ExtensionString, Text: "a=1"}}}
		of := client.TraceOf(&e)
		if of.IsValid() != c.valid || of.IsSampled() != c.sampled || c.valid && (of.TraceID().String() != id || of.SpanID().String() != span || of.TraceState().Get("a") != "1") {
			t.Errorf("%q: %+v", c.parent, of)
		}
	}
}
