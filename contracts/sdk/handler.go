package sdk

import "github.com/cairn-ledger/cairn/contracts/abi"

// Codes of aborts that the SDK itself makes. A contract's own codes are 1 to
// CodeReserved-1.
const (
	CodeReserved = 1 << 30 // codes from here on are the SDK's
	// CodeRecord: the input is not what the handler read: the code was built for another manifest.
	CodeRecord = CodeReserved + 1
	// CodeHandler: no handler is registered under this number: the same cause.
	CodeHandler = CodeReserved + 2
	// CodeState: a stored value has another form than the reader of it expects.
	CodeState = CodeReserved + 3
	// CodeAnswer: a called contract answered with more than fits.
	CodeAnswer = CodeReserved + 4
)

// handlers are filled by the contract's init functions and read-only after.
var handlers struct {
	init    func(*Request)
	migrate func(*Request)
	events  []func(*Event)
	calls   []func(*Request)
	timers  []func(*Timer)
	queries []func(*Request)
}

// OnInit sets what runs once, when the contract is deployed. Its fields are
// the manifest's init fields.
func OnInit(handler func(*Request)) { handlers.init = handler }

// OnMigrate sets what runs once, when this code replaces other code of the
// contract. Its fields are the manifest's migrate fields.
func OnMigrate(handler func(*Request)) { handlers.migrate = handler }

// OnEvent adds the handler of an event type. The order of the calls is that of
// the manifest's events; CheckManifest tests it.
func OnEvent(eventType string, handler func(*Event)) {
	handlers.events = append(handlers.events, handler)
	remember(&names.events, eventType)
}

// OnCall adds the handler of a transaction's method, in the manifest's order.
func OnCall(name string, handler func(*Request)) {
	handlers.calls = append(handlers.calls, handler)
	remember(&names.calls, name)
}

// OnQuery adds the handler of a read-only question, in the manifest's order.
// A query that writes or emits ends with HOST_MISUSE.
func OnQuery(name string, handler func(*Request)) {
	handlers.queries = append(handlers.queries, handler)
	remember(&names.queries, name)
}

// Event is the input of an event handler: the header, and the manifest's
// fields to read in order.
type Event struct {
	abi.EventHeader
	Fields
}

// TimeNs is when the event happened, in Unix nanoseconds: what the producer
// said, or the block's time where the event has none.
func (e *Event) TimeNs() int64 {
	if e.HasTime {
		return e.EventTimeNs
	}
	return int64(e.TimeMs) * 1e6
}

// Request is the input of an init, call or query handler.
type Request struct {
	abi.CallHeader
	Fields
}

// Reply appends to the answer that the caller or asker gets. It need not be
// JSON, but the ledger's interfaces expect that.
func (r *Request) Reply(answer []byte) { hostOutput(answer) }

// Abort undoes the delivery: its writes and events never were. The code (1 to
// CodeReserved-1) is what the ledger records; the message goes to the node's
// log. It does not return.
func Abort(code uint32, message string) {
	hostAbort(code, message)
	panic(message) // not reached: the host ended the delivery
}

// The functions below are the entry points behind the exports, shared by the
// guest and the native host.

func runInit(size uint32) {
	if handlers.init == nil {
		return
	}
	runRequest(handlers.init, size)
}

func runMigrate(size uint32) {
	if handlers.migrate == nil {
		return
	}
	runRequest(handlers.migrate, size)
}

func runTimer(handler, size uint32) {
	if handler >= uint32(len(handlers.timers)) {
		Abort(CodeHandler, "no handler for this timer")
	}
	r := abi.NewReader(hostInput(size))
	t := Timer{r.TimerHeader()}
	if !r.Done() {
		Abort(CodeRecord, "the timer's record is malformed")
	}
	handlers.timers[handler](&t)
}

func runEvent(handler, size uint32) {
	if handler >= uint32(len(handlers.events)) {
		Abort(CodeHandler, "no handler for this event")
	}
	ev := Event{Fields: Fields{abi.NewReader(hostInput(size))}}
	ev.EventHeader = ev.r.EventHeader()
	ev.check()
	handlers.events[handler](&ev)
}

func runCall(handler, size uint32) {
	if handler >= uint32(len(handlers.calls)) {
		Abort(CodeHandler, "no handler for this call")
	}
	runRequest(handlers.calls[handler], size)
}

func runQuery(handler, size uint32) {
	if handler >= uint32(len(handlers.queries)) {
		Abort(CodeHandler, "no handler for this query")
	}
	runRequest(handlers.queries[handler], size)
}

func runRequest(handler func(*Request), size uint32) {
	req := Request{Fields: Fields{abi.NewReader(hostInput(size))}}
	req.CallHeader = req.r.CallHeader()
	req.check()
	handler(&req)
}
