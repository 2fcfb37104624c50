package vm

import (
	"math"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
)

// asset reads an asset's symbol from guest memory.
func (in *instance) asset(ptr, size uint64) string {
	if n := uint32(size); n == 0 || n > protocol.MaxAssetSymbol {
		in.misuse("an asset's symbol of %d bytes, 1 to %d are allowed", n, protocol.MaxAssetSymbol)
	}
	symbol := in.view(ptr, size)
	if !protocol.ValidAsset(symbol) {
		in.misuse("%q is no asset's symbol", symbol)
	}
	return string(symbol)
}

func (in *instance) address(ptr uint64) protocol.Address {
	return protocol.Address(in.view(ptr, abi.AddressBytes))
}

// token does an operation whose amount is the guest's. What is not above 0 is
// refused like any amount that cannot be paid.
func (in *instance) token(op *protocol.TokenOp) TokenResult {
	if op.Amount == 0 || op.Amount > math.MaxInt64 {
		return TokenResult{Code: protocol.CodeAmount}
	}
	result, err := in.run.host.Token(op)
	in.check(err)
	return result
}

func hostBalance(in *instance, s []uint64) {
	in.charge(gasStateGet)
	amount, err := in.run.host.Balance(in.asset(s[0], s[1]), in.address(s[2]))
	in.check(err)
	s[0] = amount
}

func hostTransfer(in *instance, s []uint64) {
	in.charge(gasTransfer)
	op := protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: in.asset(s[0], s[1]), Account: in.address(s[2]), Amount: s[3]}
	s[0] = uint64(in.token(&op).Code)
}

func hostHold(in *instance, s []uint64) {
	in.charge(gasHold)
	if s[4] > math.MaxInt64 {
		in.misuse("a hold until before the beginning of time, or after its end")
	}
	op := protocol.TokenOp{Kind: protocol.TokenHold, Asset: in.asset(s[0], s[1]), From: in.address(s[2]), Amount: s[3], UntilMs: s[4]}
	result := TokenResult{Code: protocol.CodeTokenTerms} // nobody's units
	if op.From != (protocol.Address{}) || op.Amount > math.MaxInt64 || op.Amount == 0 {
		result = in.token(&op)
	}
	if s[0] = result.ID; result.Code != protocol.CodeOK {
		s[0] = -uint64(result.Code)
	}
}

func hostRelease(in *instance, s []uint64) {
	in.charge(gasRelease)
	op := protocol.TokenOp{Kind: protocol.TokenRelease, ID: s[0], Account: in.address(s[1]), Amount: s[2]}
	if op.ID == 0 {
		s[0] = uint64(protocol.CodeTokenIDUnknown)
		return
	}
	if op.Amount > 0 {
		s[0] = uint64(in.token(&op).Code)
		return
	}
	result, err := in.run.host.Token(&protocol.TokenOp{Kind: protocol.TokenRefund, ID: op.ID})
	in.check(err)
	s[0] = uint64(result.Code)
}

func hostDebit(in *instance, s []uint64) {
	in.charge(gasDebit)
	op := protocol.TokenOp{
		Kind: protocol.TokenDebit, Asset: in.asset(s[0], s[1]), From: in.address(s[2]), Account: in.run.env.Self, Amount: s[3],
	}
	s[0] = uint64(in.token(&op).Code)
}

func hostMint(in *instance, s []uint64) {
	in.charge(gasTransfer)
	op := protocol.TokenOp{Kind: protocol.TokenMint, Asset: in.asset(s[0], s[1]), Account: in.address(s[2]), Amount: s[3]}
	s[0] = uint64(in.token(&op).Code)
}

func hostBurn(in *instance, s []uint64) {
	in.charge(gasTransfer)
	op := protocol.TokenOp{Kind: protocol.TokenBurn, Asset: in.asset(s[0], s[1]), Amount: s[2]}
	s[0] = uint64(in.token(&op).Code)
}
