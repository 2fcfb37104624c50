package node

import (
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// newMachine makes the machine, which audits tokens where that is configured.
func (n *Node) newMachine() *machine.Machine {
	m := machine.New(n.genesis.ChainID, n.engine)
	if n.config.AuditTokens {
		m.AuditTokens()
	}
	return m
}

// State reads the state after a height; 0 is the newest.
func (b *backend) State(height uint64) (bank.Reader, rest.At, error) {
	view, head, err := b.viewAt(height)
	if err != nil {
		return nil, rest.At{}, err
	}
	return view, rest.At{Height: head.Height, TimeMs: uint64(head.TimeMs)}, nil
}

// DryRun says what a transaction would come to. Neither its expiry
// nor whether it was executed before counts: one that expired long ago can be
// tried, and only that.
func (b *backend) DryRun(raw []byte) (rest.DryRun, error) {
	tx, err := protocol.DecodeTx(b.genesis.ChainID, raw)
	if err != nil {
		return rest.DryRun{}, err
	}
	if err := tx.VerifySignature(); err != nil {
		return rest.DryRun{}, err
	}
	body, ok := tx.Body.(*protocol.Token)
	if !ok {
		return b.tryBody(raw)
	}
	view, head, err := b.viewAt(0)
	if err != nil {
		return rest.DryRun{}, err
	}
	at := rest.At{Height: head.Height, TimeMs: uint64(head.TimeMs)}
	moves, err := b.machine.TryToken(view, head, tx.Sender(), body)
	code, refused := protocol.CodeOf(err)
	if err != nil && !refused {
		return rest.DryRun{}, err
	}
	out := rest.DryRun{At: at, Code: code, Name: code.Name(), Movements: []protocol.MovementAct{}}
	if err != nil {
		out.Message = err.Error()
	}
	for i := range moves {
		out.Movements = append(out.Movements, moves[i].MovementAct)
	}
	return out, nil
}
