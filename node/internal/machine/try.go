package machine

import (
	"context"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/membership"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// Tried is what a transaction would come to.
type Tried struct {
	Head    store.Head // it was tried on
	Outcome Outcome
	Entries []TriedEntry // it would append
}

// TriedEntry is an entry with its payload.
type TriedEntry = freshEntry

// frozen is a store at one height: what a transaction is tried on.
type frozen struct {
	*store.Store
	view *state.View
}

func (f frozen) Get(key []byte) ([]byte, bool, error) { return f.view.Get(key) }

func (f frozen) Scan(prefix, after []byte, limit int) ([]state.KV, error) {
	return f.view.Scan(prefix, after, limit)
}

// Try executes a transaction that is no batch on what the newest block left,
// beside the blocks that go on, and keeps nothing of it. Neither its expiry nor
// whether it was executed before counts: one that expired long ago can be
// tried, and cannot be executed by whoever sees it.
func (m *Machine) Try(s *store.Store, raw []byte) (Tried, error) {
	tried := Tried{Head: s.Head()}
	tx, err := protocol.DecodeTx(m.chainID, raw)
	if err == nil {
		err = tx.VerifySignature()
	}
	if err == nil && tx.Body.Kind() == protocol.TxBatch {
		err = protocol.Refuse(protocol.CodeBadRequest, "batches cannot be tried")
	}
	if err != nil {
		return tried, err
	}
	peaks, err := s.LogPeaks(tried.Head.LogSize)
	if err != nil {
		return tried, err
	}
	view, err := s.View(tried.Head.Height)
	if err != nil {
		return tried, err
	}
	aside, err := store.Elsewhere(tried.Head, peaks, frozen{s, view})
	if err != nil {
		return tried, err
	}
	return tried, m.try(aside, tx, len(raw), &tried)
}

func (m *Machine) try(aside *store.Store, tx *protocol.Tx, size int, tried *Tried) error {
	head := tried.Head
	params, err := m.params(head.Params)
	if err != nil {
		return err
	}
	b := aside.Begin(head.Height+1, head.TimeMs)
	x := &execution{
		Machine: m, ctx: context.Background(), b: b, store: aside, block: Block{Height: head.Height + 1, TimeMs: head.TimeMs}, params: params,
		base: b.LogSize(), runs: make(map[protocol.StreamID][]run),
	}
	if err := x.reloadBank(); err != nil {
		return err
	}
	for _, find := range [...]func() error{x.findErased, x.findSchemas} {
		if err := find(); err != nil {
			return err
		}
	}
	c := &checked{Tx: tx, sender: tx.Sender(), size: size, bytes: size, cause: protocol.NoCause}
	if x.party, err = mayExecute(b.State(), &params, c, x.block.Height); err == nil {
		err = x.tryRun(c.as(x.party.Address), &tried.Outcome)
	}
	code, whole := protocol.CodeOf(err)
	if !whole {
		return fmt.Errorf("machine: a transaction that is tried: %w", err)
	}
	tried.Outcome.TxID = tx.ID
	if tried.Outcome.Code = code; err != nil {
		tried.Outcome.Text = err.Error()
		return nil
	}
	tried.Entries = x.fresh
	return nil
}

// tryRun is run, but that members are asked for is done: what it would come to
// were they to agree now.
func (x *execution) tryRun(c *checked, out *Outcome) error {
	p, asks := c.Body.(*protocol.ProposeAct)
	if !asks {
		return x.run(c, out)
	}
	group, err := membership.Members(x.b.State(), p.Account, c.sender)
	if err != nil {
		return err
	}
	act := &membership.Act{Index: x.b.LogSize(), Account: p.Account, Proposer: c.sender, Expiry: p.Expiry}
	if err := act.CheckExpiry(x.block.Height); err != nil {
		return err
	}
	step := protocol.AccountAct{Op: protocol.AccountPropose, Account: p.Account, By: c.sender, TxID: c.ID, Kind: p.Body.Kind(), Expiry: p.Expiry}
	return x.actAs(c, &group, p.Body, act, step, out)
}
