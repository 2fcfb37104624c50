package machine

import (
	"fmt"
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/schema"
	"github.com/cairn-ledger/cairn/node/internal/registry"
)

// gasPerStep is the gas of one step of checking an event against its schema:
// about 40 ns (docs/decisions/0010-schema-registry.md).
const gasPerStep = 120

// maxSchemasInBlock bounds the schemas that the transactions of one block
// register: comparing two may take milliseconds.
const maxSchemasInBlock = 16

// held remembers which schemas a batch's events conformed to, and at what
// cost. Whether an event conforms to a schema follows from the two alone, so
// what a check before the mempool found out holds in execution, too.
type held struct {
	mu     sync.Mutex
	events []heldEvent // by place in the batch; guarded by mu
}

type heldEvent struct {
	schema *schema.Schema
	steps  int
}

// findSchemas begins to hold events to the schemas of the state as it is now.
func (x *execution) findSchemas() (err error) {
	x.schemas, err = registry.NewHolder(x.b.State(), x.compiled)
	return err
}

// hold refuses a batch with an event that does not conform to the schema of its
// type, and answers the gas that finding out took.
func (x *execution) hold(c *checked, batch *protocol.Batch, absorbed int) (uint64, error) {
	gas, err := holdEvents(x.schemas, c, batch, absorbed, x.params.ContractGas)
	x.schemaGas += gas
	if x.schemaGas > x.params.BlockGas && err == nil {
		err = protocol.Refuse(protocol.CodeSchemaBusy, "checking the events of this block took %d gas, it has %d", x.schemaGas, x.params.BlockGas)
	}
	return gas, err
}

// holdEvents holds the events that a stream lacks to their schemas, with at
// most so much gas.
func holdEvents(h *registry.Holder, c *checked, batch *protocol.Batch, absorbed int, gasMax uint64) (gas uint64, err error) {
	if h.Idle() {
		return 0, nil
	}
	for i := absorbed; i < len(batch.Records); i++ {
		ready := &c.events[i]
		s, err := h.Find(ready.typeHash, batch.Records[i], ready.schema)
		if err != nil {
			return gas, ofEvent(i, err)
		}
		if s == nil {
			continue
		}
		steps, err := c.held.check(h, s, batch.Records, i)
		gas += uint64(steps) * gasPerStep
		if err != nil {
			return gas, ofEvent(i, err)
		}
		if gas > gasMax {
			return gas, protocol.Refuse(protocol.CodeSchemaCost, "checking the first %d events of the batch took %d gas, there is %d; send fewer in a batch", i+1, gas, gasMax)
		}
	}
	return gas, nil
}

// ofEvent names the event that a refusal is about.
func ofEvent(i int, err error) error {
	if code, refused := protocol.CodeOf(err); refused {
		return &protocol.Error{Code: code, Text: fmt.Sprintf("event %d of the batch: %s", i, err.(*protocol.Error).Text)}
	}
	return err
}

// check holds event i to a schema, unless it is known to conform.
func (k *held) check(h *registry.Holder, s *schema.Schema, records [][]byte, i int) (steps int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.events == nil {
		k.events = make([]heldEvent, len(records))
	}
	if e := k.events[i]; e.schema == s {
		return e.steps, nil
	}
	if steps, err = h.CheckParsed(s, records[i]); err == nil {
		k.events[i] = heldEvent{s, steps}
	}
	return steps, err
}

// Conforms refuses an event that would be refused by the schema of its type.
func (m *Machine) Conforms(s State, events []protocol.Event) error {
	h, err := registry.NewHolder(s, m.compiled)
	if err != nil || h.Idle() {
		return err
	}
	for i := range events {
		e := &events[i]
		record := e.AppendRecord(nil)
		found, err := h.Find(protocol.NewTypeHash(e.Type), record, protocol.NamedSchema([]byte(e.DataSchema), []byte(e.Type)))
		if err == nil && found != nil {
			_, err = h.Check(found, record)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// conforms refuses what a contract emits against the schema of its type. What
// finding out takes counts for the block.
func (x *execution) conforms(e *protocol.Event) error {
	if x.schemas.Idle() {
		return nil
	}
	record := e.AppendRecord(nil)
	s, err := x.schemas.Find(protocol.NewTypeHash(e.Type), record, 0)
	if err != nil || s == nil {
		return err
	}
	steps, err := x.schemas.Check(s, record)
	if x.schemaGas += uint64(steps) * gasPerStep; x.schemaGas > x.params.BlockGas && err == nil {
		err = protocol.Refuse(protocol.CodeSchemaBusy, "checking the events of this block took %d gas, it has %d", x.schemaGas, x.params.BlockGas)
	}
	return err
}

// registerSchema adds a version to a type's schemas, or changes their rule.
func (x *execution) registerSchema(c *checked, body *protocol.RegisterSchema, out *Outcome) error {
	if x.registering++; x.registering > maxSchemasInBlock {
		return protocol.Refuse(protocol.CodeSchemaBusy, "%d schemas are registered in this block", maxSchemasInBlock)
	}
	index := x.b.LogSize()
	act, err := registry.Register(x.b.State(), &x.party, body, x.block.Height, index, x.compiled)
	if err != nil {
		return err
	}
	act.TxID = c.ID
	x.appendOwn(protocol.Entry{Kind: protocol.EntrySchema, Origin: c.sender, Cause: c.cause}, protocol.Blind(c.ID), 0, act.AppendBinary(nil))
	out.First, out.Entries = index, 1
	if err := x.findSchemas(); err != nil {
		return err
	}
	return x.b.State().Set(replayKey(c.Tx), []byte{1})
}
