package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// The rewards' ledger, in minor units: what is due to each producer, until a
// bank on the ledger pays it. accrued = settled + the sum of what is due,
// always; each is below 2^63.
var (
	due     = sdk.NewMap("r") // address to u64
	accrued = sdk.NewCounter("accrued")
	settled = sdk.NewCounter("settled")
)

func dueTo(who address) uint64 {
	var b [8]byte
	if size, found := due.GetInto(who[:], b[:]); !found {
		return 0
	} else if size != len(b) {
		sdk.Abort(codeBadState, "BAD_STATE: a stored reward has not 8 bytes")
	}
	return sdk.U64(b[:])
}

func setDue(who address, amount uint64) {
	if amount == 0 {
		due.Delete(who[:])
		return
	}
	var b [8]byte
	sdk.PutU64(b[:], amount)
	due.Set(who[:], b[:])
}

// credit makes an amount, at most maxReward, due to a producer.
func credit(who address, amount uint64) {
	if accrued.Add(amount) >= 1<<63 {
		sdk.Abort(codeRewardLimit, "REWARD_LIMIT: all rewards together reach 2^63")
	}
	setDue(who, dueTo(who)+amount)
}

// settle records that the owner paid a producer.
func settle(r *sdk.Request) {
	checkOwner(r.Caller)
	who, amount := readAddress(r.Bytes()), r.Uint()
	owed := dueTo(who)
	if amount > owed {
		sdk.Abort(codeRewardLimit, "REWARD_LIMIT: less is due to this producer")
	}
	setDue(who, owed-amount)
	settled.Add(amount)
}
