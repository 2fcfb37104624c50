package sdk

import "github.com/cairn-ledger/cairn/contracts/abi"

// Why an operation on tokens was refused: the ledger's codes (docs/protocol.md).
// A refused operation changed nothing, and the handler goes on.
const (
	TokensDone      = 0
	TokensFunds     = 230 // the payer or the hold has less
	TokensFrozen    = 231 // the issuer froze the payer's units
	TokensUnknown   = 232 // there is no such asset
	TokensNotIssuer = 234 // the contract does not issue the asset
	TokensCap       = 235 // the supply would go over the asset's cap
	TokensAmount    = 236 // not above 0
	TokensAllowance = 237 // no allowance, or this period's is used up
	TokensNoHold    = 238 // no hold has the id; it may have expired
	TokensNotYours  = 239 // the hold is not the contract's to release
	TokensTerms     = 240 // a payment to its payer, or a time in the past
)

// IsAsset says whether the ledger would take a text as the symbol of an asset: a
// letter, then up to 11 letters, digits, dots and dashes.
func IsAsset(symbol string) bool {
	for i := range len(symbol) {
		c := symbol[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '.' && c != '-') {
			return false
		}
	}
	return 0 < len(symbol) && len(symbol) <= 12
}

// Balance is what an account has of an asset in minor units, this delivery's
// own movements included; 0 where it has none.
func Balance(asset string, account [abi.AddressBytes]byte) int64 {
	return hostBalance(asset, &account)
}

// Transfer pays from the contract's own account.
func Transfer(asset string, to [abi.AddressBytes]byte, amount int64) (code uint32) {
	return hostTransfer(asset, &to, amount)
}

// Debit takes from somebody who gave the contract an allowance, to the
// contract's own account.
func Debit(asset string, from [abi.AddressBytes]byte, amount int64) (code uint32) {
	return hostDebit(asset, &from, amount)
}

// Hold sets units aside: of the contract's own, or of somebody who gave it an
// allowance. Only the contract can release them, until a time in Unix
// milliseconds at which they go back; 0 is never.
func Hold(asset string, from [abi.AddressBytes]byte, amount int64, untilMs uint64) (id uint64, code uint32) {
	answer := hostHold(asset, &from, amount, untilMs)
	if answer < 0 {
		return 0, uint32(-answer)
	}
	return uint64(answer), TokensDone
}

// Release pays from a hold, which ends: the rest goes back to where it came from.
func Release(hold uint64, to [abi.AddressBytes]byte, amount int64) (code uint32) {
	if amount <= 0 {
		return TokensAmount
	}
	return hostRelease(hold, &to, amount)
}

// Refund gives all of a hold back.
func Refund(hold uint64) (code uint32) {
	return hostRelease(hold, &[abi.AddressBytes]byte{}, 0)
}

// Mint makes units of an asset that the contract issues.
func Mint(asset string, to [abi.AddressBytes]byte, amount int64) (code uint32) {
	return hostMint(asset, &to, amount)
}

// Burn destroys units of the contract's own.
func Burn(asset string, amount int64) (code uint32) { return hostBurn(asset, amount) }
