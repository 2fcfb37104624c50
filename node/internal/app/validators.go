package app

import (
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/governance"
)

// misbehaviour is what the block proves of validators. CometBFT has checked
// the signatures; an attack on light clients is two blocks at one height too.
func misbehaviour(proven []abci.Misbehavior) []governance.Misbehaviour {
	var out []governance.Misbehaviour
	for _, m := range proven {
		if len(m.Validator.Address) == 20 && m.Height > 0 {
			out = append(out, governance.Misbehaviour{Address: [20]byte(m.Validator.Address), Height: uint64(m.Height)})
		}
	}
	return out
}

// validatorUpdates tells CometBFT whose power changes.
func validatorUpdates(changes []protocol.SetMember) []abci.ValidatorUpdate {
	var out []abci.ValidatorUpdate
	for _, v := range changes {
		out = append(out, abci.UpdateValidator(v.Key[:], int64(v.Power), ed25519.KeyType))
	}
	return out
}
