package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Rewards are paid from the contract's own account in the ledger's bank, which
// whoever sponsors them fills. What that account lacks is due, and paid later.
// accrued = paid + the sum of what is due, always; each is below 2^63.
var (
	due     = sdk.NewMap("r") // address to u64
	accrued = sdk.NewCounter("accrued")
	paid    = sdk.NewCounter("paid")
)

// rewardAssetKey holds the symbol of what rewards are paid in, if there are any.
var rewardAssetKey = []byte("\x00asset")

// setRewardAsset stores the deployment's; empty is none.
func setRewardAsset(symbol []byte) {
	if len(symbol) == 0 {
		return
	}
	if !sdk.IsAsset(string(symbol)) {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: an asset is a letter, then up to 11 letters, digits, dots or dashes")
	}
	sdk.Set(rewardAssetKey, symbol)
}

func rewardAsset() string {
	symbol, _ := sdk.Get(rewardAssetKey)
	return string(symbol)
}

// checkReward aborts where parameters promise what cannot be paid.
func (p *parameters) checkReward() {
	if p.reward > 0 && rewardAsset() == "" {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: a reward asks for the deployment's rewardAsset")
	}
}

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

// reward pays a producer an amount, at most maxReward, or makes it due where
// the bank refuses. It answers whether it paid.
func reward(who address, amount uint64) bool {
	if accrued.Add(amount) >= 1<<63 {
		sdk.Abort(codeRewardLimit, "REWARD_LIMIT: all rewards together reach 2^63")
	}
	if sdk.Transfer(rewardAsset(), who, int64(amount)) != sdk.TokensDone {
		setDue(who, dueTo(who)+amount)
		return false
	}
	paid.Add(amount)
	return true
}

// settle pays a producer all that is due. Anybody may ask for it.
func settle(r *sdk.Request) {
	who := readAddress(r.Bytes())
	owed := dueTo(who)
	if owed == 0 {
		sdk.Abort(codeNotFound, "NOT_FOUND: nothing is due to this producer")
	}
	if sdk.Transfer(rewardAsset(), who, int64(owed)) != sdk.TokensDone {
		unfunded()
	}
	setDue(who, 0)
	paid.Add(owed)
	var w sdk.JSON
	w.Object().Key("producer")
	who.write(&w)
	w.Key("amount").Uint(owed).EndObject()
	sdk.Emit("maintenance.reward.settled.v1", nil, w.Bytes())
}

// withdraw pays the owner's choice of what is not due to anybody.
func withdraw(r *sdk.Request) {
	checkOwner(r.Caller)
	to, amount, asset := readAddress(r.Bytes()), r.Uint(), rewardAsset()
	if asset == "" {
		unfunded()
	}
	has, owed := uint64(sdk.Balance(asset, sdk.Self())), accrued.Value()-paid.Value()
	if has < owed || amount > has-owed || sdk.Transfer(asset, to, int64(amount)) != sdk.TokensDone {
		unfunded()
	}
}

func unfunded() {
	sdk.Abort(codeUnfunded, "UNFUNDED: the contract has not so much that is not due to producers, or the bank refuses")
}
