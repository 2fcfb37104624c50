package vm

import (
	"bytes"
	"math"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
)

// hostCallContract runs another contract inside this run. Its gas is the caller's.
func hostCallContract(in *instance, s []uint64) {
	methodSize, argsSize, room := uint64(uint32(s[2])), uint64(uint32(s[4])), uint64(uint32(s[7]))
	in.charge(gasCall + (methodSize+argsSize)*gasPerCallByte)
	switch {
	case methodSize == 0 || methodSize > protocol.MaxMethodName:
		in.misuse("a call of a method whose name has %d bytes, 1 to %d are allowed", methodSize, protocol.MaxMethodName)
	case argsSize > abi.MaxCallArgs:
		in.misuse("a call with arguments of %d bytes, the limit is %d", argsSize, abi.MaxCallArgs)
	}
	answer := in.view(s[6], room)
	gas := in.gas.Get()
	if s[5] != 0 {
		gas = min(gas, s[5])
	}
	result, err := in.run.host.Call(CallRequest{
		Contract: protocol.Address(in.view(s[0], abi.AddressBytes)),
		Method:   bytes.Clone(in.view(s[1], methodSize)),
		Args:     bytes.Clone(in.view(s[3], argsSize)),
		Gas:      gas,
	})
	in.check(err)
	in.charge(result.GasUsed)
	low := uint32(0)
	switch result.Code {
	case protocol.CodeOK:
		low = uint32(len(result.Output))
		n := min(uint64(len(result.Output)), room)
		in.charge(n * gasPerByte)
		copy(answer, result.Output)
	case protocol.CodeContractAborted:
		low = result.GuestCode
	}
	s[0] = uint64(result.Code)<<32 | uint64(low)
}

func hostSchedule(in *instance, s []uint64) {
	handler, unit, at, size := uint32(s[0]), uint32(s[1]), s[2], uint64(uint32(s[4]))
	in.charge(gasSchedule + size*gasPerStateByte)
	switch {
	case unit != abi.UnitHeight && unit != abi.UnitTime:
		in.misuse("a timer in the unit %d, which is neither heights nor time", unit)
	case at > math.MaxInt64:
		in.misuse("a timer before the beginning of time, or after its end")
	case size > abi.MaxTimerData:
		in.misuse("a timer with %d bytes of data, the limit is %d", size, abi.MaxTimerData)
	}
	id, err := in.run.host.Schedule(TimerRequest{
		Handler: handler, ByTime: unit == abi.UnitTime, At: at, Data: bytes.Clone(in.view(s[3], size)),
	})
	in.check(err)
	s[0] = id
}

func hostCancel(in *instance, s []uint64) {
	in.charge(gasSchedule)
	pending, err := in.run.host.Cancel(s[0])
	in.check(err)
	s[0] = 0
	if pending {
		s[0] = 1
	}
}
