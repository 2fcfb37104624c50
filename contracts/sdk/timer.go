package sdk

import "github.com/cairn-ledger/cairn/contracts/abi"

// Timer is the input of a timer's handler: the block in which it fires, its
// id, and the data it was set with.
type Timer struct{ abi.TimerHeader }

// TimerHandler sets timers that one handler gets.
type TimerHandler struct{ number uint32 }

// OnTimer adds the handler of a timer, in the order of the manifest's timers,
// and answers what sets such timers:
//
//	var expire sdk.TimerHandler
//
//	func init() { expire = sdk.OnTimer("expire", expired) }
func OnTimer(name string, handler func(*Timer)) TimerHandler {
	handlers.timers = append(handlers.timers, handler)
	remember(&names.timers, name)
	return TimerHandler{uint32(len(handlers.timers) - 1)}
}

// AtHeight sets a timer for the first later block at or above a height, and
// answers its id. data, up to abi.MaxTimerData bytes, comes back with it. A
// contract has up to abi.MaxTimers pending.
func (h TimerHandler) AtHeight(height uint64, data []byte) (id uint64) {
	return hostSchedule(h.number, abi.UnitHeight, height, data)
}

// AtTime sets a timer for the first later block whose time, in Unix
// milliseconds, is at or after ms. An idle network makes a block from time to
// time only, so that it may be that much late.
func (h TimerHandler) AtTime(ms uint64, data []byte) (id uint64) {
	return hostSchedule(h.number, abi.UnitTime, ms, data)
}

// CancelTimer takes a timer back and says whether it was still pending.
func CancelTimer(id uint64) bool { return hostCancel(id) }

// CallResult is what a call of another contract came to.
type CallResult struct {
	Code   uint32 // 0, or the ledger's code (docs/protocol.md) of why it failed
	Guest  uint32 // with CodeAborted: the callee's own code
	Answer []byte // of a call that succeeded
}

// CodeAborted is the ledger's code of a callee that refused with a code of its own.
const CodeAborted = 207

// maxAnswer is the longest answer of a callee that CallContract takes, in bytes.
const maxAnswer = 4 << 10

// CallContract calls a method of another contract with JSON arguments, such as
// JSON.Bytes answers, as a part of this delivery: what the callee does is kept
// or undone with it. A callee that fails is undone at once, and the caller
// goes on with the code it got. gas bounds what the callee may use; 0 is all
// that is left. A contract that waits for this call cannot be called.
func CallContract(contract [abi.AddressBytes]byte, method string, args []byte, gas uint64) CallResult {
	answer := make([]byte, maxAnswer)
	result := hostCall(&contract, method, args, gas, answer)
	code, low := uint32(result>>32), uint32(result)
	switch {
	case code == 0 && low > maxAnswer:
		Abort(CodeAnswer, "a callee's answer is too long")
	case code == 0:
		return CallResult{Answer: answer[:low]}
	}
	return CallResult{Code: code, Guest: low}
}
