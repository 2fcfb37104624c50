package sim

import (
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
)

// subscription finds a contract's handler of the event that an entry holds: of
// this ledger, or of the one that its act names.
func subscription(m *abi.Manifest, kind protocol.EntryKind, event *protocol.Event, act any) (handler uint32, ok bool) {
	if event == nil {
		return 0, false
	}
	switch kind {
	case protocol.EntryEvent, protocol.EntryEmitted:
		return m.Handler("", event.Type)
	case protocol.EntryForeign:
		if foreign, is := act.(*protocol.ForeignAct); is {
			return m.Handler(foreign.Ledger, event.Type)
		}
	}
	return 0, false
}

// decodePayload reads what an entry of a kind commits to: an event, an act, or
// of an event of another ledger both.
func decodePayload(kind protocol.EntryKind, payload []byte) (*protocol.Event, any, error) {
	switch kind {
	case protocol.EntryEvent, protocol.EntryDuplicate, protocol.EntryEmitted:
		event, err := protocol.DecodeRecord(payload)
		return &event, nil, err
	}
	act, err := protocol.DecodeAct(payload)
	if foreign, is := act.(*protocol.ForeignAct); err == nil && is {
		event, err := foreign.Event()
		return &event, act, err
	}
	return nil, act, err
}
