//go:build !tinygo

package sdk

import (
	"fmt"
	"maps"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

// Bank is tokens in memory, for a Host: balances, one allowance of the
// contract's for every payer, and holds. What the ledger knows beside them -
// caps, freezes, periods, streams - a native test leaves to contracttest.
type Bank struct {
	host     *Host
	balances map[owner]int64
	allowed  map[owner]int64 // what the contract may still debit
	issuers  map[string][abi.AddressBytes]byte
	holds    map[uint64]heldUnits
	lastHold uint64
}

type owner struct {
	account [abi.AddressBytes]byte
	asset   string
}

type heldUnits struct {
	owner
	amount  int64
	untilMs uint64
}

// OpenBank gives the ledger tokens. The contract needs an address.
func (h *Host) OpenBank() *Bank {
	if h.Address == ([abi.AddressBytes]byte{}) {
		panic("sdk: a contract with tokens has an address")
	}
	h.bank = &Bank{
		host: h, balances: map[owner]int64{}, allowed: map[owner]int64{}, issuers: map[string][abi.AddressBytes]byte{}, holds: map[uint64]heldUnits{},
	}
	h.bank.transcribe("self %x", h.Address)
	return h.bank
}

func (b *Bank) transcribe(format string, args ...any) {
	if b.host.Transcript != nil {
		fmt.Fprintf(b.host.Transcript, format+"\nok\n\n", args...)
	}
}

// Issue makes an asset that an account or the contract issues.
func (b *Bank) Issue(asset string, issuer [abi.AddressBytes]byte) {
	b.issuers[asset] = issuer
	b.transcribe("issue %s %x", asset, issuer)
}

// Endow gives an account units, which the issuer mints.
func (b *Bank) Endow(asset string, account [abi.AddressBytes]byte, amount int64) {
	if _, issued := b.issuers[asset]; !issued {
		panic("sdk: units of an asset that was not issued")
	}
	b.balances[owner{account, asset}] += amount
	b.transcribe("endow %s %x %d", asset, account, amount)
}

// Allow lets the contract debit a payer up to an amount, in the place of what it might before.
func (b *Bank) Allow(asset string, payer [abi.AddressBytes]byte, amount int64) {
	b.allowed[owner{payer, asset}] = amount
	b.transcribe("allow %s %x %d", asset, payer, amount)
}

// Balance is what an account has.
func (b *Bank) Balance(asset string, account [abi.AddressBytes]byte) int64 {
	return b.balances[owner{account, asset}]
}

// Held is how much of an asset is held.
func (b *Bank) Held(asset string) (sum int64) {
	for _, h := range b.holds {
		if h.asset == asset {
			sum += h.amount
		}
	}
	return sum
}

// copy is what a delivery that fails goes back to.
func (b *Bank) copy() *Bank {
	if b == nil {
		return nil
	}
	c := *b
	c.balances, c.allowed, c.holds = maps.Clone(b.balances), maps.Clone(b.allowed), maps.Clone(b.holds)
	return &c
}

// restore undoes what was done since the copy. The bank that the test has stays the one.
func (b *Bank) restore(c *Bank) {
	if b != nil {
		*b = *c
	}
}

// expire gives back what was held until now.
func (b *Bank) expire() {
	if b == nil {
		return
	}
	for id, h := range b.holds {
		if h.untilMs != 0 && h.untilMs <= b.host.TimeMs {
			b.balances[h.owner] += h.amount
			delete(b.holds, id)
		}
	}
}

// tokens is the bank of the delivery under way.
func tokens() *Bank {
	if current.host.bank == nil {
		misuse("the test's Host has no tokens: see OpenBank")
	}
	return current.host.bank
}

// pay moves units, or says why not.
func (b *Bank) pay(asset string, from, to [abi.AddressBytes]byte, amount int64) uint32 {
	_, issued := b.issuers[asset]
	switch {
	case amount <= 0:
		return TokensAmount
	case to == from || to == [abi.AddressBytes]byte{}:
		return TokensTerms
	case b.balances[owner{from, asset}] < amount && !issued:
		return TokensUnknown
	case b.balances[owner{from, asset}] < amount:
		return TokensFunds
	}
	b.balances[owner{from, asset}] -= amount
	b.balances[owner{to, asset}] += amount
	return TokensDone
}

func symbol(asset string) { limit("an asset's symbol", len(asset), 1, 12) }

func hostBalance(asset string, account *[abi.AddressBytes]byte) int64 {
	symbol(asset)
	return tokens().balances[owner{*account, asset}]
}

func hostTransfer(asset string, to *[abi.AddressBytes]byte, amount int64) uint32 {
	writable("transfer")
	symbol(asset)
	return tokens().pay(asset, current.host.Address, *to, amount)
}

func hostDebit(asset string, from *[abi.AddressBytes]byte, amount int64) uint32 {
	writable("debit")
	symbol(asset)
	b, payer := tokens(), owner{*from, asset}
	switch {
	case amount <= 0:
		return TokensAmount
	case *from == current.host.Address || *from == [abi.AddressBytes]byte{}:
		return TokensTerms
	case b.allowed[payer] < amount:
		return TokensAllowance
	}
	code := b.pay(asset, *from, current.host.Address, amount)
	if code == TokensDone {
		b.allowed[payer] -= amount
	}
	return code
}

func hostHold(asset string, from *[abi.AddressBytes]byte, amount int64, until uint64) int64 {
	writable("hold")
	symbol(asset)
	b, payer := tokens(), owner{*from, asset}
	own := *from == current.host.Address
	_, issued := b.issuers[asset]
	switch {
	case amount <= 0:
		return -TokensAmount
	case *from == [abi.AddressBytes]byte{}, until != 0 && until <= current.host.TimeMs:
		return -TokensTerms
	case !own && b.allowed[payer] < amount:
		return -TokensAllowance
	case b.balances[payer] < amount && !issued:
		return -TokensUnknown
	case b.balances[payer] < amount:
		return -TokensFunds
	}
	if !own {
		b.allowed[payer] -= amount
	}
	b.balances[payer] -= amount
	b.lastHold++
	b.holds[b.lastHold] = heldUnits{payer, amount, until}
	return int64(b.lastHold)
}

func hostRelease(hold uint64, to *[abi.AddressBytes]byte, amount int64) uint32 {
	writable("release")
	b := tokens()
	h, there := b.holds[hold]
	switch {
	case hold == 0:
		return TokensNoHold
	case amount < 0:
		return TokensAmount
	case amount > 0 && *to == [abi.AddressBytes]byte{}:
		return TokensTerms
	case !there:
		return TokensNoHold
	case amount > h.amount:
		return TokensFunds
	}
	delete(b.holds, hold)
	b.balances[h.owner] += h.amount - amount
	if amount > 0 {
		b.balances[owner{*to, h.asset}] += amount
	}
	return TokensDone
}

func hostMint(asset string, to *[abi.AddressBytes]byte, amount int64) uint32 {
	writable("mint")
	symbol(asset)
	b := tokens()
	issuer, issued := b.issuers[asset]
	switch {
	case amount <= 0:
		return TokensAmount
	case *to == [abi.AddressBytes]byte{}:
		return TokensTerms
	case !issued:
		return TokensUnknown
	case issuer != current.host.Address:
		return TokensNotIssuer
	}
	b.balances[owner{*to, asset}] += amount
	return TokensDone
}

func hostBurn(asset string, amount int64) uint32 {
	writable("burn")
	symbol(asset)
	b, own := tokens(), owner{current.host.Address, asset}
	switch {
	case amount <= 0:
		return TokensAmount
	case b.balances[own] < amount && b.issuers[asset] == [abi.AddressBytes]byte{}:
		return TokensUnknown
	case b.balances[own] < amount:
		return TokensFunds
	}
	b.balances[own] -= amount
	return TokensDone
}
