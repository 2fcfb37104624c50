package vm

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// hostFunction is one function of the host module.
type hostFunction struct {
	name   string
	params string // one letter a parameter: i for i32, l for i64
	result string // "", "i" or "l" for i64
	writes bool   // refused in queries
	call   func(in *instance, stack []uint64)
}

// hostFunctions are the functions of contracts/abi. Parameters arrive in the
// stack's first cells, i32 in their low 32 bits; the result goes to the first.
var hostFunctions = []hostFunction{
	{abi.HostInput, "iii", "", false, hostInput},
	{abi.HostOutput, "ii", "", false, hostOutput},
	{abi.HostStateGet, "iiii", "i", false, hostStateGet},
	{abi.HostStateSet, "iiii", "", true, hostStateSet},
	{abi.HostStateDelete, "ii", "", true, hostStateDelete},
	{abi.HostStateScan, "iiiiiii", "i", false, hostStateScan},
	{abi.HostEmit, "iiiiii", "", true, hostEmit},
	{abi.HostBlockHeight, "", "l", false, func(in *instance, s []uint64) { s[0] = in.run.env.Height }},
	{abi.HostBlockTimeMs, "", "l", false, func(in *instance, s []uint64) { s[0] = in.run.env.TimeMs }},
	{abi.HostSelf, "i", "", false, func(in *instance, s []uint64) { copy(in.view(s[0], abi.AddressBytes), in.run.env.Self[:]) }},
	{abi.HostCall, "iiiiilii", "l", true, hostCallContract},
	{abi.HostSchedule, "iilii", "l", true, hostSchedule},
	{abi.HostCancel, "l", "i", true, hostCancel},
	{abi.HostBalance, "iii", "l", false, hostBalance},
	{abi.HostTransfer, "iiil", "i", true, hostTransfer},
	{abi.HostHold, "iiill", "l", true, hostHold},
	{abi.HostRelease, "lil", "i", true, hostRelease},
	{abi.HostDebit, "iiil", "i", true, hostDebit},
	{abi.HostMint, "iiil", "i", true, hostMint},
	{abi.HostBurn, "iil", "i", true, hostBurn},
	{abi.HostSHA256, "iii", "", false, hostSHA256},
	{abi.HostVerify, "iii", "i", false, hostVerify},
	{abi.HostLog, "ii", "", false, hostLog},
	{abi.HostAbort, "iii", "", false, hostAbort},
}

// hostTypes is the table as the admission rules read it.
var hostTypes = func() map[string]module.FuncType {
	types := make(map[string]module.FuncType, len(hostFunctions))
	for _, f := range hostFunctions {
		kinds := map[rune]byte{'i': module.I32, 'l': module.I64}
		params := make([]byte, 0, len(f.params))
		for _, c := range f.params {
			params = append(params, kinds[c])
		}
		var result byte
		for _, c := range f.result {
			result = kinds[c]
		}
		types[f.name] = module.NewFuncType(result, params...)
	}
	return types
}()

func instantiateHost(ctx context.Context, r wazero.Runtime) error {
	kinds := map[rune]api.ValueType{'i': api.ValueTypeI32, 'l': api.ValueTypeI64}
	builder := r.NewHostModuleBuilder(abi.HostModule)
	for _, f := range hostFunctions {
		var params, results []api.ValueType
		for _, c := range f.params {
			params = append(params, kinds[c])
		}
		for _, c := range f.result {
			results = append(results, kinds[c])
		}
		builder.NewFunctionBuilder().WithGoModuleFunction(f.guard(), params, results).Export(f.name)
	}
	_, err := builder.Instantiate(ctx)
	return err
}

// guard finds the instance, charges for the crossing and marks the time in
// which a panic would be this node's fault.
func (f hostFunction) guard() api.GoModuleFunc {
	return func(ctx context.Context, _ api.Module, stack []uint64) {
		in := ctx.Value(instanceKey{}).(*instance)
		r := in.run
		r.inHost = true
		in.charge(gasCross)
		if r.kind == entryKinds {
			in.misuse("%s is called while the module is initialised", f.name)
		}
		if f.writes && r.kind == Query {
			in.misuse("%s is called in a query, which cannot change anything", f.name)
		}
		f.call(in, stack)
		r.inHost = false
	}
}

func hostInput(in *instance, s []uint64) {
	offset, size := uint64(uint32(s[0])), uint64(uint32(s[2]))
	in.charge(size * gasPerByte)
	if offset+size > uint64(len(in.run.input)) {
		in.misuse("input %d..%d of %d bytes", offset, offset+size, len(in.run.input))
	}
	copy(in.view(s[1], size), in.run.input[offset:])
}

func hostOutput(in *instance, s []uint64) {
	size := uint64(uint32(s[1]))
	in.charge(size * gasPerByte)
	if uint64(len(in.run.output))+size > abi.MaxOutputBytes {
		in.misuse("output is over %d bytes", abi.MaxOutputBytes)
	}
	in.run.output = append(in.run.output, in.view(s[0], size)...)
}

// key answers a state key in guest memory.
func (in *instance) key(ptr, size uint64) []byte {
	if n := uint32(size); n == 0 || n > abi.MaxKeyBytes {
		in.misuse("a state key of %d bytes, 1 to %d are allowed", n, abi.MaxKeyBytes)
	}
	return in.view(ptr, size)
}

func hostStateGet(in *instance, s []uint64) {
	in.charge(gasStateGet)
	value, ok, err := in.run.host.Get(in.key(s[0], s[1]))
	in.check(err)
	if !ok {
		s[0] = answer(abi.NotFound)
		return
	}
	n := min(uint32(len(value)), uint32(s[3]))
	in.charge(uint64(n) * gasPerByte)
	copy(in.view(s[2], uint64(n)), value)
	s[0] = uint64(len(value))
}

func hostStateSet(in *instance, s []uint64) {
	size := uint64(uint32(s[3]))
	in.charge(gasStateSet + (uint64(uint32(s[1]))+size)*gasPerStateByte)
	key := in.key(s[0], s[1])
	if size > abi.MaxValueBytes {
		in.misuse("a state value of %d bytes, the limit is %d", size, abi.MaxValueBytes)
	}
	value := in.view(s[2], size)
	// One allocation for both: the host keeps them.
	kept := make([]byte, len(key)+len(value))
	n := copy(kept, key)
	copy(kept[n:], value)
	in.check(in.run.host.Set(kept[:n:n], kept[n:]))
}

func hostStateDelete(in *instance, s []uint64) {
	in.charge(gasStateDelete)
	in.check(in.run.host.Delete(in.key(s[0], s[1])))
}

// answer is a signed result in a stack cell.
func answer(v int32) uint64 { return uint64(uint32(v)) }

func hostEmit(in *instance, s []uint64) {
	typeSize, subjectSize, dataSize := uint64(uint32(s[1])), uint64(uint32(s[3])), uint64(uint32(s[5]))
	total := typeSize + subjectSize + dataSize
	in.charge(gasEmit + total*gasPerEmitByte)
	switch {
	case typeSize == 0 || typeSize > abi.MaxEmitAttribute || subjectSize > abi.MaxEmitAttribute:
		in.misuse("an emitted event's type has %d bytes and its subject %d, the limit is %d", typeSize, subjectSize, abi.MaxEmitAttribute)
	case dataSize == 0 || dataSize > abi.MaxEmitData:
		in.misuse("an emitted event's data has %d bytes, 1 to %d are allowed", dataSize, abi.MaxEmitData)
	case in.run.emissions >= abi.MaxEmissions:
		in.misuse("more than %d events are emitted", abi.MaxEmissions)
	}
	in.run.emissions++
	kept := make([]byte, 0, total)
	part := func(ptr, size uint64) []byte {
		start := len(kept)
		kept = append(kept, in.view(ptr, size)...)
		return kept[start:len(kept):len(kept)]
	}
	e := Emission{Type: part(s[0], typeSize), Subject: part(s[2], subjectSize), Data: part(s[4], dataSize)}
	in.check(in.run.host.Emit(e))
}

func hostSHA256(in *instance, s []uint64) {
	size := uint64(uint32(s[1]))
	in.charge(gasHash + size*gasPerHashByte)
	if size > abi.MaxHashInput {
		in.misuse("hashing %d bytes, the limit is %d", size, abi.MaxHashInput)
	}
	sum := sha256.Sum256(in.view(s[0], size))
	copy(in.view(s[2], abi.HashBytes), sum[:])
}

func hostVerify(in *instance, s []uint64) {
	in.charge(gasVerify)
	digest := protocol.Hash(in.view(s[0], abi.HashBytes))
	signature := protocol.Signature(in.view(s[1], abi.SignatureBytes))
	key := protocol.PublicKey(in.view(s[2], abi.PublicKeyBytes))
	s[0] = 0
	if key.Verify(digest, signature) == nil {
		s[0] = 1
	}
}

// hostLog keeps a line for the operator. Gas does not depend on whether it is kept.
func hostLog(in *instance, s []uint64) {
	in.charge(gasLog + uint64(uint32(s[1]))*gasPerByte)
	line := in.view(s[0], s[1])
	if len(in.run.log) < abi.MaxLogLines {
		in.run.log = append(in.run.log, logText(line))
	}
}

// logText makes guest bytes safe to print: bounded, UTF-8, one line.
func logText(line []byte) string {
	text := strings.ToValidUTF8(string(line[:min(len(line), abi.MaxLogBytes)]), "?")
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r <= 0x9f {
			return ' '
		}
		return r
	}, text)
}

func hostAbort(in *instance, s []uint64) {
	in.charge(uint64(uint32(s[2])) * gasPerByte)
	code := int32(uint32(s[0]))
	message := in.view(s[1], s[2])
	if code <= 0 {
		in.misuse("abort with the code %d; a contract's codes are above 0", code)
	}
	in.run.guestCode = uint32(code)
	in.stop(protocol.CodeContractAborted, "%s", logText(message))
}
