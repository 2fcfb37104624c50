package bank

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// Reader is the state as the bank reads it: a block's overlay or a past view.
type Reader interface {
	Get(key []byte) (value []byte, ok bool, err error)
	Scan(prefix, after []byte, limit int) ([]state.KV, error)
}

// State is the state as the bank changes it.
type State interface {
	Reader
	Set(key, value []byte) error
	Delete(key []byte) error
}

// Keys of the bank alone, beside those of protocol.BankPrefix.
//
//	b n                     -> the last id that was given out
//	b y || account          -> how many holds, streams and schedules are of the account's units
//	b d || due || id        -> kind of what happens then
//	b f                     -> the earliest due time
//	b r || type hash        -> reward (rewards.go)
//	b c                     -> fees (fees.go)
const (
	keyLastID = 'n'
	keyTerms  = 'y'
	keyDue    = 'd'
	keyFirst  = 'f'
	keyReward = 'r'
	keyFees   = 'c'
)

// maxTerms bounds the holds, streams and schedules of one account's units.
const maxTerms = 65_536

// Move is a movement and the entry that led to it.
type Move struct {
	protocol.MovementAct
	protocol.Origin
}

// Bank acts on one state in one block, for one cause. It is not kept: whoever
// throws the state's changes away throws the Bank away.
type Bank struct {
	state  State
	timeMs uint64

	// Origin is what the operations to come follow from. Its owner sets it.
	protocol.Origin
	// Moves is what happened so far, in order.
	Moves []Move

	tally []tally
	key   []byte // scratch
	value []byte // scratch
}

// tally is by how much more units of an asset are owned than were before and
// were minted since; 0, modulo 2^64, when an operation ends.
type tally struct {
	asset string
	sum   uint64
}

// New answers the bank of a state at a block's time, in Unix milliseconds.
func New(s State, timeMs uint64) *Bank { return &Bank{state: s, timeMs: timeMs} }

// Apply does an operation on behalf of an account or a contract and answers
// the id of the hold, stream or schedule it made. A refusal carries a code and
// has changed nothing; another error is a fault of this node.
func (b *Bank) Apply(by protocol.Address, op *protocol.TokenOp) (id uint64, err error) {
	if err := op.Check(); err != nil {
		return 0, err
	}
	switch op.Kind {
	case protocol.TokenIssue:
		err = b.issue(by, op)
	case protocol.TokenMint:
		err = b.mint(by, op)
	case protocol.TokenBurn:
		err = b.burn(by, op)
	case protocol.TokenTransfer:
		err = b.transfer(by, op)
	case protocol.TokenHold:
		id, err = b.hold(by, op)
	case protocol.TokenRelease:
		err = b.release(by, op)
	case protocol.TokenRefund:
		err = b.refund(by, op)
	case protocol.TokenAllow:
		err = b.allow(by, op)
	case protocol.TokenRevoke:
		err = b.revoke(by, op)
	case protocol.TokenDebit:
		err = b.debit(by, op)
	case protocol.TokenStream:
		id, err = b.stream(by, op)
	case protocol.TokenSettle:
		err = b.settle(by, op)
	case protocol.TokenStop:
		err = b.stop(by, op)
	case protocol.TokenSchedule:
		id, err = b.schedule(by, op)
	case protocol.TokenUnschedule:
		err = b.unschedule(by, op)
	case protocol.TokenFreeze, protocol.TokenUnfreeze:
		err = b.freeze(by, op)
	}
	return id, b.assert(op.Kind, err)
}

// count notes that units of an asset came to be owned or, as a two's
// complement, ceased to be.
func (b *Bank) count(asset string, units uint64) {
	for i := range b.tally {
		if b.tally[i].asset == asset {
			b.tally[i].sum += units
			return
		}
	}
	b.tally = append(b.tally, tally{asset, units})
}

// assert panics where an operation made units or lost some. It answers the
// operation's error; one that a fault interrupted is never kept.
func (b *Bank) assert(kind protocol.TokenKind, err error) error {
	for _, t := range b.tally {
		if _, whole := protocol.CodeOf(err); t.sum != 0 && whole {
			panic(fmt.Sprintf("bank: %s at %d ms makes %d units of %s", kind, b.timeMs, int64(t.sum), t.asset))
		}
	}
	b.tally = b.tally[:0]
	return err
}

// note adds a movement that follows from the bank's origin.
func (b *Bank) note(m protocol.MovementAct) { b.Moves = append(b.Moves, Move{m, b.Origin}) }

// balance reads what an account has.
func (b *Bank) balance(account protocol.Address, asset string) (protocol.Balance, error) {
	return readBalance(b.state, b.balanceKey(account, asset))
}

// balanceKey is protocol.BalanceKey in the bank's own buffer.
func (b *Bank) balanceKey(account protocol.Address, asset string) []byte {
	b.key = append(append(append(b.key[:0], protocol.BankPrefix, protocol.BankBalance), account[:]...), asset...)
	return b.key
}

func readBalance(s Reader, key []byte) (protocol.Balance, error) {
	value, ok, err := s.Get(key)
	if err != nil || !ok {
		return protocol.Balance{}, err
	}
	balance, err := protocol.DecodeBalance(value)
	if err != nil {
		return balance, damaged(key, err)
	}
	return balance, nil
}

// damaged makes a fault of what cannot be read; it must not be taken for a refusal.
func damaged(key []byte, err error) error {
	return fmt.Errorf("bank: what is under %x is damaged: %v", key, err)
}

// payable reads a balance from which an amount is to be paid.
func (b *Bank) payable(account protocol.Address, asset string, amount uint64) (protocol.Balance, error) {
	balance, err := b.balance(account, asset)
	switch {
	case err != nil:
		return balance, err
	case balance.Frozen:
		return balance, protocol.Refuse(protocol.CodeFrozen, "the %s of %s are frozen", asset, account)
	case balance.Amount < amount:
		if balance.Amount == 0 {
			if _, err := b.asset(asset); err != nil {
				return balance, err // there is no such asset
			}
		}
		return balance, protocol.Refuse(protocol.CodeFunds, "%s has %d minor units of %s, this takes %d", account, balance.Amount, asset, amount)
	}
	return balance, nil
}

// receivable reads a balance that is to be paid into.
// The address of an account's later key is refused, since nobody speaks for it.
// It never has units: Unused keeps keys that do from becoming one.
func (b *Bank) receivable(account protocol.Address, asset string) (protocol.Balance, error) {
	was, err := b.balance(account, asset)
	if err == nil && was.Amount == 0 {
		err = noKey(b.state, account)
	}
	return was, err
}

// noKey refuses the address of an account's later key.
func noKey(s Reader, address protocol.Address) error {
	key := protocol.AccountKey(address)
	value, ok, err := s.Get(key)
	if err != nil || !ok {
		return err
	}
	_, account, err := protocol.DecodeAccount(value)
	if err != nil {
		return damaged(key, err)
	}
	if account != nil {
		return protocol.RefuseKeyAddress(address, *account)
	}
	return nil
}

// setAmount changes a balance, which is what was read of it.
func (b *Bank) setAmount(account protocol.Address, asset string, was protocol.Balance, amount uint64) error {
	b.count(asset, amount-was.Amount)
	was.Amount = amount
	return b.putBalance(account, asset, was)
}

func (b *Bank) putBalance(account protocol.Address, asset string, balance protocol.Balance) error {
	key := b.balanceKey(account, asset)
	if balance == (protocol.Balance{}) {
		return b.state.Delete(key)
	}
	b.value = balance.AppendBinary(b.value[:0])
	return b.state.Set(key, b.value)
}

// credit adds to a balance. It cannot go over what a balance holds: all units
// of an asset are at most its supply.
func (b *Bank) credit(account protocol.Address, asset string, amount uint64) error {
	if amount == 0 {
		return nil
	}
	was, err := b.balance(account, asset)
	if err != nil {
		return err
	}
	return b.add(account, asset, was, amount)
}

// add is credit to a balance that was read.
func (b *Bank) add(account protocol.Address, asset string, was protocol.Balance, amount uint64) error {
	if amount > protocol.MaxAmount-was.Amount {
		panic(fmt.Sprintf("bank: %s has %d %s and gets %d: more than there can be", account, was.Amount, asset, amount))
	}
	return b.setAmount(account, asset, was, was.Amount+amount)
}

// pay moves units of a balance that payable answered.
func (b *Bank) pay(from protocol.Address, was protocol.Balance, to protocol.Address, asset string, amount uint64) error {
	if err := b.setAmount(from, asset, was, was.Amount-amount); err != nil {
		return err
	}
	return b.credit(to, asset, amount)
}

func (b *Bank) transfer(by protocol.Address, op *protocol.TokenOp) error {
	if op.Account == by {
		return protocol.Refuse(protocol.CodeTokenTerms, "a transfer to the sender")
	}
	was, err := b.payable(by, op.Asset, op.Amount)
	if err != nil {
		return err
	}
	to, err := b.receivable(op.Account, op.Asset)
	if err != nil {
		return err
	}
	b.note(protocol.MovementAct{Kind: op.Kind, Asset: op.Asset, From: by, To: op.Account, By: by, Amount: op.Amount, Memo: op.Memo})
	if err := b.setAmount(by, op.Asset, was, was.Amount-op.Amount); err != nil {
		return err
	}
	return b.add(op.Account, op.Asset, to, op.Amount)
}

// number reads an 8-byte number; 0 where there is none.
func number(s Reader, key []byte) (uint64, error) {
	value, ok, err := s.Get(key)
	if err != nil || !ok {
		return 0, err
	}
	if len(value) != 8 {
		return 0, damaged(key, fmt.Errorf("%d bytes, must be 8", len(value)))
	}
	return binary.BigEndian.Uint64(value), nil
}

func own(kind byte, parts ...[]byte) []byte {
	key := append(make([]byte, 0, 48), protocol.BankPrefix, kind)
	for _, part := range parts {
		key = append(key, part...)
	}
	return key
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
