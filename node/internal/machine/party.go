package machine

import (
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/membership"
	"github.com/cairn-ledger/cairn/node/internal/registry"
)

// admissible answers whom a transaction speaks for at a height, or why it may
// not be executed then.
func admissible(s State, params *genesis.Params, c *checked, height uint64) (membership.Party, error) {
	if err := checkExpiry(c.Tx, height, params.MaxExpiryBlocks); err != nil {
		return membership.Party{}, err
	}
	return mayExecute(s, params, c, height)
}

// mayExecute is admissible but for the expiry.
func mayExecute(s State, params *genesis.Params, c *checked, height uint64) (membership.Party, error) {
	if params.Halted && !governs(c.Body) {
		return membership.Party{}, errHalted
	}
	party, err := membership.Resolve(s, c.sender, height)
	if err == nil {
		err = mayAsk(s, &party, c.Body)
	}
	return party, err
}

var errHalted = protocol.Refuse(protocol.CodeHalted, "the council halted the ledger: only governance is accepted until it resumes")

// mayAsk refuses a party that may not ask for this.
func mayAsk(s State, party *membership.Party, body protocol.Body) error {
	if body.Kind() == protocol.TxToken && party.Roles == 0 {
		return requireKnown(s, party.Address)
	}
	if body.Kind() == protocol.TxErase && party.Roles&(membership.Author|membership.Auditor) != 0 {
		return nil // which entries it may erase depends on the entries
	}
	if body.Kind() == protocol.TxSchema {
		return nil // that depends on the type, too: registry.Judge
	}
	if body.Kind() == protocol.TxDispute {
		return mayDispute(party, body)
	}
	if body.Kind() == protocol.TxRelay && party.Roles == 0 {
		return protocol.Refuse(protocol.CodeUnauthorized, "account %s has no role: whoever has one may relay", party.Address)
	}
	return party.Require(roleFor(body))
}

// roleFor is the role a body wants; 0 is none.
func roleFor(body protocol.Body) membership.Role {
	switch body.Kind() {
	case protocol.TxBatch:
		return membership.Producer
	case protocol.TxDeploy, protocol.TxCall, protocol.TxUpgrade, protocol.TxControl:
		return membership.Author
	case protocol.TxGovernance:
		return membership.Council
	case protocol.TxErase: // or author or auditor, as mayAsk says
		return membership.Producer
	}
	return 0
}

// as is the transaction as one of an account. For one whose key never changed
// it is the transaction itself.
func (c *checked) as(account protocol.Address) *checked {
	if account == c.sender {
		return c
	}
	own := *c
	own.sender = account
	if batch, ok := c.Body.(*protocol.Batch); ok {
		own.stream = protocol.NewStreamID(account, batch.Stream)
	}
	return &own
}

// door refuses, by the committed state, what execution would most likely
// refuse too: sources that were not granted, and what is over the quota.
func (m *Machine) door(s State, params *genesis.Params, party *membership.Party, c *checked, height uint64) error {
	batch, ok := c.Body.(*protocol.Batch)
	if !ok {
		return m.bodyDoor(s, party, c, height)
	}
	schemas, err := m.holders.Take(s)
	if err != nil {
		return err
	}
	defer m.holders.Give(schemas)
	if schemas.Idle() && party.Grants.IsZero() && party.Quota.IsZero() {
		return nil
	}
	next, err := StreamNext(s, party.Address, batch.Stream)
	if err != nil || batch.Last() < next {
		return err
	}
	absorbed := int(next - min(next, batch.First))
	if err := speaks(party, batch, absorbed); err != nil {
		return err
	}
	if _, err := holdEvents(schemas, c, batch, absorbed, params.ContractGas); err != nil || party.Quota.IsZero() {
		return err
	}
	return membership.Admit(s, party, height, amount(batch, absorbed))
}

// bodyDoor is door for what is no batch.
func (m *Machine) bodyDoor(s State, party *membership.Party, c *checked, height uint64) error {
	if body, ok := c.Body.(*protocol.RegisterSchema); ok {
		if _, _, err := registry.Judge(s, party, body, m.compiled); err != nil {
			return err
		}
	}
	return membership.Admit(s, party, height, membership.Amount{Bytes: uint64(c.size), Gas: runs(c.Body)})
}

// speaks refuses a batch with an event that its producer may not speak for.
// What the stream holds already was granted when it came.
func speaks(party *membership.Party, batch *protocol.Batch, absorbed int) error {
	if party.Grants.IsZero() {
		return nil
	}
	var view protocol.RecordView
	for _, record := range batch.Records[absorbed:] { // decoding has checked them
		if err := view.Reread(record); err != nil {
			return err
		}
		if !party.Grants.Cover(view.Source, view.Type) {
			return protocol.Refuse(protocol.CodeSource, "producer %s was not granted source %q with type %q; ask the council for it",
				party.Address, view.Source, view.Type)
		}
	}
	return nil
}

// amount is what a batch uses of a quota: the events the stream lacks.
func amount(batch *protocol.Batch, absorbed int) membership.Amount {
	a := membership.Amount{Events: uint64(len(batch.Records) - absorbed)}
	for _, record := range batch.Records[absorbed:] {
		a.Bytes += uint64(len(record))
	}
	return a
}

// runs is 1 for a body that uses gas: then some must be left.
func runs(body protocol.Body) uint64 {
	switch body.Kind() {
	case protocol.TxDeploy, protocol.TxCall, protocol.TxUpgrade, protocol.TxControl, protocol.TxRelay:
		return 1
	}
	return 0
}

// meter refuses what is over the party's quota and bounds the gas of a run.
// Of a batch, batch itself knows how much of it is new.
func (x *execution) meter(c *checked) (err error) {
	x.gasMax = x.params.DeliveryGas
	if c.Body.Kind() == protocol.TxBatch || x.party.Quota.IsZero() {
		return nil
	}
	more := membership.Amount{Bytes: uint64(c.size), Gas: runs(c.Body)}
	if err := membership.Admit(x.b.State(), &x.party, x.block.Height, more); err != nil {
		return err
	}
	x.gasMax, err = membership.GasLeft(x.b.State(), &x.party, x.block.Height, x.gasMax)
	return err
}

// tally notes what a transaction used. One that was refused used its gas alone.
func (x *execution) tally(c *checked, out *Outcome, done bool) error {
	if c.Body.Kind() == protocol.TxBatch {
		return nil
	}
	var used membership.Amount
	if done {
		used.Bytes = uint64(c.size)
	}
	if runs(c.Body) > 0 {
		used.Gas = out.Gas
	}
	if used == (membership.Amount{}) {
		return nil
	}
	return membership.Use(x.b.State(), &x.party, x.block.Height, used)
}

// meterBatch refuses a batch that its producer may not speak for, with events
// that their schemas refuse, or that is over its quota. What it would use is
// counted once nothing can refuse it.
func (x *execution) meterBatch(c *checked, batch *protocol.Batch, absorbed int, out *Outcome) (membership.Amount, error) {
	err := speaks(&x.party, batch, absorbed)
	if err == nil {
		out.Gas, err = x.hold(c, batch, absorbed)
	}
	if err != nil || x.party.Quota.IsZero() {
		return membership.Amount{}, err
	}
	more := amount(batch, absorbed)
	more.Gas = out.Gas
	return more, membership.Admit(x.b.State(), &x.party, x.block.Height, more)
}
