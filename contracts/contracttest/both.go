package contracttest

import (
	"bytes"
	"fmt"
	"maps"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/sdk"
	"github.com/cairn-ledger/cairn/node/sim"
)

// sdkEntries are the SDK's names of what a sim.Run is.
var sdkEntries = map[string]sdk.Entry{"init": sdk.EntryInit, "event": sdk.EntryEvent, "call": sdk.EntryCall}

// Both gives all that the contract got on the ledger to the handlers that this
// test binary registers with the SDK, and expects the same of them: every
// code, every emitted event, and in the end the same state. A module that was
// built from other sources, or that the compiler got wrong, fails here.
// Call it last. Deliveries that ran out of gas or trapped have no native twin.
func (c *Contract) Both() {
	c.t.Helper()
	c.complain()
	native := sdk.NewHost()
	native.Address = c.address
	for height := c.since; height <= c.sim.Height(); height++ {
		runs, err := c.sim.Runs(c.Name, height)
		if err != nil {
			c.t.Fatal(err)
		}
		native.Height, native.TimeMs = height, uint64(c.sim.BlockAt(height).Time.UnixMilli())
		for _, run := range runs {
			if run.Input == nil { // the ledger refused its fields: no handler saw it
				continue
			}
			if difference := mirror(native, &run); difference != "" {
				c.t.Errorf("%s of entry %d, height %d: natively %s", run.Kind, run.Index, height, difference)
				return
			}
		}
	}
	state, err := c.sim.State(c.Name)
	if err != nil {
		c.t.Fatal(err)
	}
	if !maps.EqualFunc(state, native.State, bytes.Equal) {
		c.t.Errorf("the contract's state has %d keys on the ledger and %d natively, and differs", len(state), len(native.State))
	}
}

// mirror runs natively what ran on the ledger, and says what differs.
func mirror(native *sdk.Host, run *sim.Run) string {
	switch run.Code {
	case protocol.CodeOK, protocol.CodeContractAborted, protocol.CodeHostMisuse:
	default:
		return ""
	}
	native.Emitted = nil
	output, err := native.Deliver(sdkEntries[run.Kind], int(run.Handler), run.Input)
	if (err == nil) != (run.Code == protocol.CodeOK) || sdk.CodeOf(err) != run.GuestCode {
		return fmt.Sprintf("%v, on the ledger %s", err, codeText(run.Code, run.GuestCode))
	}
	if !bytes.Equal(output, run.Output) || len(native.Emitted) != len(run.Emitted) {
		return fmt.Sprintf("it answers %q and emits %d events, on the ledger %q and %d", output, len(native.Emitted), run.Output, len(run.Emitted))
	}
	for i, e := range native.Emitted {
		if l := run.Emitted[i]; e.Type != l.Type || e.Subject != l.Subject || !bytes.Equal(e.Data, l.Data) {
			return fmt.Sprintf("it emits %s %q %s, on the ledger %s %q %s", e.Type, e.Subject, e.Data, l.Type, l.Subject, l.Data)
		}
	}
	return ""
}
