package sim

import "github.com/cairn-ledger/cairn/client/protocol"

// Upgrade gives a contract of Author's other code, in a block of its own. args
// are those of the migration. The error is a *Refused when the ledger refused it.
func (l *Ledger) Upgrade(contract string, wasm, manifest, args []byte) (Outcome, error) {
	c, err := l.Contract(contract)
	if err != nil {
		return Outcome{}, err
	}
	return l.act(Author, &protocol.Upgrade{
		Contract: c.Address, Deploy: protocol.Deploy{Code: wasm, Manifest: manifest, Args: args},
	})
}

// Control pauses or resumes a contract of Author's, or redelivers or skips an
// entry, in a block of its own; index is 0 for the first two. The error is a
// *Refused when the ledger refused it.
func (l *Ledger) Control(contract string, action protocol.Action, index uint64) (Outcome, error) {
	c, err := l.Contract(contract)
	if err != nil {
		return Outcome{}, err
	}
	return l.act(Author, &protocol.Control{Contract: c.Address, Action: action, Index: index})
}
