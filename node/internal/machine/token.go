package machine

import (
	"cmp"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/membership"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// maxDue bounds what a block does because its time has come.
const maxDue = 256

// money is what a block knows of tokens beside the state.
type money struct {
	rewards  []*bank.Reward            // in force
	rewardOf map[protocol.TypeHash]int // index in rewards
	fees     *bank.Fees                // in force, or nil
	nets     []net                     // movements of this block that are netted, in the order of the first of each
	open     map[netKey]int            // index in nets
}

// openBank reads what is in force and does what the time has come for.
func (x *execution) openBank() error {
	if err := x.reloadBank(); err != nil || x.params.Halted {
		return err
	}
	b := bank.New(x.b.State(), uint64(x.block.TimeMs))
	if err := b.Due(maxDue); err != nil {
		return err
	}
	for i := range b.Moves {
		x.appendMove(&b.Moves[i].MovementAct, b.Moves[i].Index, b.Moves[i].Blind, 0)
	}
	return nil
}

// reloadBank reads rewards and fees again, after they changed.
func (x *execution) reloadBank() (err error) {
	if x.money.fees, err = bank.ReadFees(x.b.State()); err != nil {
		return err
	}
	if x.money.rewards, err = bank.Rewards(x.b.State()); err != nil {
		return err
	}
	x.money.rewardOf = make(map[protocol.TypeHash]int, len(x.money.rewards))
	for i, r := range x.money.rewards {
		x.money.rewardOf[protocol.NewTypeHash(r.Type)] = i
	}
	return nil
}

// closeBank appends what was netted.
func (x *execution) closeBank() error {
	for i := range x.money.nets {
		x.appendNet(&x.money.nets[i])
	}
	if !x.auditBank {
		return nil
	}
	return bank.Audit(x.b.State())
}

// requireKnown refuses an account that the ledger has nothing to do with: it
// has no role, no units and no part in a hold, stream or schedule.
func requireKnown(s State, account protocol.Address) error {
	roles, err := membership.Roles(s, account)
	if err != nil || roles != 0 {
		return err
	}
	known, err := bank.Known(s, account)
	if err == nil && !known {
		err = protocol.Refuse(protocol.CodeUnauthorized, "account %s has no role and no tokens", account)
	}
	return err
}

// token does the operations of a transaction, all of them or none. Whatever it
// comes to, it is not done again: a payment that was refused for lack of funds
// must not be made when somebody sends the transaction once more.
func (x *execution) token(c *checked, body *protocol.Token, out *Outcome) error {
	if err := x.b.State().Set(replayKey(c.Tx), []byte{1}); err != nil {
		return err
	}
	child := x.b.State().Child()
	b := bank.New(child, uint64(x.block.TimeMs))
	first := x.b.LogSize()
	for i := range body.Ops {
		op := &body.Ops[i]
		b.Origin = origin(first+uint64(len(b.Moves)), protocol.Blind(c.ID))
		var err error
		if op.Kind == protocol.TokenIssue {
			err = mayIssue(&x.party)
		}
		if err == nil {
			_, err = b.Apply(c.sender, op)
		}
		if err != nil {
			child.Discard()
			return err
		}
	}
	child.Commit()
	for i := range b.Moves {
		m := &b.Moves[i]
		m.TxID = c.ID
		x.appendMove(&m.MovementAct, c.cause, m.Blind, 0)
	}
	out.First, out.Entries = first, uint32(x.b.LogSize()-first)
	return nil
}

// mayIssue refuses a party that may not make an asset.
func mayIssue(p *membership.Party) error {
	if p.Roles&membership.Council != 0 {
		return nil
	}
	return p.Require(membership.Issuer)
}

// origin is what the bank remembers of an entry that led to something. The
// blind is one step away from the entry's: the state is readable, and does not
// give away what the entry hides.
func origin(index uint64, blind protocol.Blind) protocol.Origin {
	return protocol.Origin{Index: index, Blind: protocol.EmittedBlind(blind, protocol.NoCause)}
}

// appendMove makes an entry of a movement.
func (x *execution) appendMove(m *protocol.MovementAct, cause uint64, blind protocol.Blind, hop uint8) {
	x.appendOwn(protocol.Entry{Kind: protocol.EntryToken, Origin: m.By, Cause: cause}, blind, hop, m.AppendBinary(nil))
}

// netKey is what netted movements have in common.
type netKey struct {
	kind         protocol.TokenKind
	asset        string
	from, to, by protocol.Address
}

// net is the sum of like movements of one block, and what each part of it
// follows from.
type net struct {
	act   protocol.MovementAct
	blind protocol.Blind // of the first part's origin
}

// net adds a movement to the like ones of this block.
func (x *execution) net(m *protocol.MovementAct, blind protocol.Blind, parts ...protocol.MovementPart) {
	k := netKey{m.Kind, m.Asset, m.From, m.To, m.By}
	at, met := x.money.open[k]
	if met {
		n := &x.money.nets[at].act
		if len(n.Parts)+len(parts) <= protocol.MaxMovementParts && m.Amount <= protocol.MaxAmount-n.Amount {
			n.Amount += m.Amount
			n.Parts = append(n.Parts, parts...)
			return
		}
	}
	if x.money.open == nil {
		x.money.open = make(map[netKey]int)
	}
	x.money.open[k] = len(x.money.nets)
	n := net{act: *m, blind: blind}
	n.act.Parts = parts
	x.money.nets = append(x.money.nets, n)
}

// appendNet makes one entry of netted movements, whose parts stand by index.
func (x *execution) appendNet(n *net) {
	parts := n.act.Parts
	slices.SortStableFunc(parts, func(a, b protocol.MovementPart) int { return cmp.Compare(a.Index, b.Index) })
	merged := parts[:1]
	for _, p := range parts[1:] {
		last := &merged[len(merged)-1]
		if p.Each == last.Each && p.Index == last.Index+last.Count {
			last.Count += p.Count
			continue
		}
		merged = append(merged, p)
	}
	cause := merged[0].Index
	if n.act.Parts = merged; len(merged) == 1 && merged[0].Count == 1 {
		n.act.Parts = nil
	}
	x.appendMove(&n.act, cause, n.blind, 0)
}

// TryToken says what operations would move, and refuses as a block would.
func (m *Machine) TryToken(s State, head store.Head, signer protocol.Address, body *protocol.Token) ([]bank.Move, error) {
	party, err := membership.Resolve(s, signer, head.Height+1)
	if err == nil {
		err = mayAsk(s, &party, body)
	}
	for i := range body.Ops {
		if err == nil && body.Ops[i].Kind == protocol.TokenIssue {
			err = mayIssue(&party)
		}
	}
	if err != nil {
		return nil, err
	}
	return bank.Try(s, uint64(head.TimeMs), party.Address, body.Ops)
}
