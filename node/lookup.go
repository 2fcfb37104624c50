package node

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/api"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// entryAt reads an entry. One at rest that does not decode is a fault of this
// node, not a refusal.
func (b *backend) entryAt(index uint64) (protocol.Entry, error) {
	encoded, err := b.store.Entry(index)
	if err != nil {
		return protocol.Entry{}, asRefusal(err, "the log has no entry %d; its size is %d", index, b.store.Head().LogSize)
	}
	e, err := protocol.DecodeEntry(encoded)
	if err != nil {
		return e, fmt.Errorf("entry %d at rest: %v", index, err)
	}
	return e, nil
}

// entryReader reads entries that lie near one another: as many as the store
// keeps together are read at once.
type entryReader struct {
	backend *backend
	first   uint64
	chunk   [][]byte
}

func (r *entryReader) at(index uint64) (protocol.Entry, error) {
	if index < r.first || index-r.first >= uint64(len(r.chunk)) {
		chunk, err := r.backend.store.Entries(index, tileWidth)
		if err != nil {
			return protocol.Entry{}, asRefusal(err, "the log has no entry %d; its size is %d", index, r.backend.store.Head().LogSize)
		}
		r.first, r.chunk = index, chunk
	}
	e, err := protocol.DecodeEntry(r.chunk[index-r.first])
	if err != nil {
		return e, fmt.Errorf("entry %d at rest: %v", index, err)
	}
	return e, nil
}

// Entry reads an entry with what it commits to.
func (b *backend) Entry(index uint64) (rest.Entry, error) {
	if size := b.store.Head().LogSize; index >= size {
		return rest.Entry{}, protocol.Refuse(protocol.CodeNotFound, "the log has no entry %d; its size is %d", index, size)
	}
	entries, err := b.Entries(index, 1)
	if err != nil {
		return rest.Entry{}, err
	}
	return entries[0], nil
}

// Entries reads entries with what they commit to, from one on.
func (b *backend) Entries(from uint64, count int) (out []rest.Entry, err error) {
	view, head, err := b.viewAt(0)
	if err != nil {
		return nil, err
	}
	entries := entryReader{backend: b}
	names := map[protocol.StreamID]string{}
	var payloads []machine.Payload // of the bundle that begins at first
	var first uint64
	for index, bytes := from, 0; index < head.LogSize && len(out) < count; index++ {
		e, err := entries.at(index)
		if err != nil {
			return nil, err
		}
		if index-first >= uint64(len(payloads)) {
			if first, payloads, err = machine.ReadBundle(b.store, view, index); err != nil {
				return nil, asRefusal(err, "entry %d has no payload", index)
			}
		}
		payload := payloads[index-first]
		if bytes += len(payload.Bytes); bytes > rest.MaxEntriesBytes && len(out) > 0 {
			break
		}
		described, err := b.describeEntry(index, &e, payload, names)
		if err != nil {
			return nil, err
		}
		out = append(out, described)
	}
	return out, nil
}

// describeEntry renders an entry. names are those of streams met before.
func (b *backend) describeEntry(index uint64, e *protocol.Entry, payload machine.Payload, names map[protocol.StreamID]string) (rest.Entry, error) {
	out := rest.Entry{
		Index: index, Kind: e.Kind, Height: e.Height, TimeMs: e.TimeMs, Origin: e.Origin, Sequence: e.Sequence,
		Cause: causeOf(e), Commitment: e.Commitment,
	}
	name, met := names[e.Stream]
	var err error
	if !met {
		if _, name, _, err = machine.StreamName(b.store, e.Stream); err != nil {
			return out, err
		}
		names[e.Stream] = name
	}
	out.Stream = name
	if payload.Erased {
		out.Erased, err = b.erasure(index)
		return out, err
	}
	switch e.Kind {
	case protocol.EntryEvent, protocol.EntryDuplicate, protocol.EntryEmitted:
		event, err := protocol.DecodeRecord(payload.Bytes)
		if err != nil {
			return out, fmt.Errorf("payload of entry %d at rest: %v", index, err)
		}
		out.Event = &event
	default:
		if out.Act, err = protocol.DecodeAct(payload.Bytes); err != nil {
			return out, err
		}
		if foreign, ok := out.Act.(*protocol.ForeignAct); ok {
			event, err := foreign.Event()
			if err != nil {
				return out, err
			}
			out.Event = &event
		}
	}
	return out, nil
}

// erasure says who erased an entry's payload, when and why.
func (b *backend) erasure(index uint64) (*rest.Erasure, error) {
	s, _, err := b.viewAt(0) // it may have been erased since the caller looked
	if err != nil {
		return nil, err
	}
	by, ok, err := machine.ErasedBy(s, index)
	if err != nil || !ok {
		return nil, orFault(err, "payload of entry %d is gone, and nothing says why", index)
	}
	e, err := b.entryAt(by)
	if err != nil {
		return nil, err
	}
	payload, err := machine.ReadPayload(b.store, s, by)
	if err != nil {
		return nil, err
	}
	decoded, err := protocol.DecodeAct(payload.Bytes)
	act, isErase := decoded.(*protocol.EraseAct)
	if err != nil || !isErase {
		return nil, fmt.Errorf("entry %d at rest is no erasure", by)
	}
	return &rest.Erasure{Index: by, Height: e.Height, TimeMs: e.TimeMs, By: e.Origin, Reason: act.Reason}, nil
}

// orFault answers err, or a fault of this node where there is none.
func orFault(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fmt.Errorf(format, args...)
}

func causeOf(e *protocol.Entry) *uint64 {
	if e.Cause == protocol.NoCause {
		return nil
	}
	return &e.Cause
}

// FindEvent finds an event by its CloudEvents identity.
func (b *backend) FindEvent(producer protocol.Address, source, id string) (uint64, error) {
	var index uint64
	var ok bool
	var err error
	if producer.IsZero() {
		index, ok, err = machine.FindEventOfAny(b.store, source, id)
	} else {
		index, ok, err = machine.FindEvent(b.store, producer, source, id)
	}
	if err == nil && !ok {
		err = protocol.Refuse(protocol.CodeNotFound, "no event has the source %q and the id %q", source, id)
	}
	return index, err
}

// Stream says where a stream stands; one that does not exist stands at 0.
func (b *backend) Stream(producer protocol.Address, name string) (rest.Stream, error) {
	view, _, err := b.viewAt(0)
	if err != nil {
		return rest.Stream{}, err
	}
	next, err := machine.StreamNext(view, producer, name)
	return rest.Stream{Producer: producer, Name: name, Next: next}, err
}

// StreamEntries lists what became of a stream's sequences from one on.
func (b *backend) StreamEntries(producer protocol.Address, name string, from uint64, count int) ([]rest.StreamEntry, error) {
	id := protocol.NewStreamID(producer, name)
	view, _, err := b.viewAt(0)
	if err != nil {
		return nil, err
	}
	var out []rest.StreamEntry
	entries := entryReader{backend: b}
	for len(out) < count {
		index, ok, err := machine.StreamEntry(b.store, id, from)
		if err != nil || !ok {
			return out, err
		}
		first, payloads, err := machine.ReadBundle(b.store, view, index)
		if err != nil {
			return out, asRefusal(err, "entry %d has no payload", index)
		}
		for ; index-first < uint64(len(payloads)) && len(out) < count; index++ {
			entry, next, err := entries.streamEntry(index, payloads[index-first])
			if err != nil {
				return out, err
			}
			out, from = append(out, entry), next
		}
	}
	return out, nil
}

// streamEntry describes one entry of a stream, and says which sequence follows it.
func (r *entryReader) streamEntry(index uint64, payload machine.Payload) (entry rest.StreamEntry, next uint64, err error) {
	e, err := r.at(index)
	if err != nil {
		return entry, 0, err
	}
	entry = rest.StreamEntry{
		Sequence: e.Sequence, Index: index, Height: e.Height, Kind: e.Kind, Cause: causeOf(&e), Erased: payload.Erased,
	}
	if !payload.Erased {
		entry.Record = sha256.Sum256(payload.Bytes)
	}
	if e.Kind != protocol.EntryGap {
		return entry, e.Sequence + 1, nil
	}
	act, err := protocol.DecodeAct(payload.Bytes)
	if err != nil {
		return entry, 0, err
	}
	entry.Skipped = act.(*protocol.GapAct).Count // an entry's payload is of its kind
	return entry, e.Sequence + entry.Skipped, nil
}

// Contracts lists the deployed contracts.
func (b *backend) Contracts() ([]rest.Contract, error) {
	view, head, err := b.viewAt(0)
	if err != nil {
		return nil, err
	}
	contracts, err := b.machine.Contracts(view)
	if err != nil {
		return nil, err
	}
	out := make([]rest.Contract, 0, len(contracts))
	for _, c := range contracts {
		described, err := describe(view, head.LogSize, c)
		if err != nil {
			return nil, err
		}
		out = append(out, described)
	}
	return out, nil
}

func describe(s machine.State, logSize uint64, c *machine.Contract) (rest.Contract, error) {
	m := c.Manifest
	lag, err := machine.Lag(s, c.Address, logSize)
	if err != nil {
		return rest.Contract{}, err
	}
	out := rest.Contract{
		Name: m.Name, Address: c.Address, Author: c.Author, Version: m.Version, Description: m.Description,
		CodeHash: c.CodeHash, ManifestHash: c.ManifestHash, Since: c.Since, Lag: lag, Paused: c.Paused,
		Events: []string{}, Calls: []string{}, Queries: []string{},
	}
	for _, e := range m.Events {
		out.Events = append(out.Events, e.Type)
	}
	for _, call := range m.Calls {
		out.Calls = append(out.Calls, call.Name)
	}
	for _, q := range m.Queries {
		out.Queries = append(out.Queries, q.Name)
	}
	if out.Timers, err = machine.PendingTimers(s, c.Address); err != nil {
		return out, err
	}
	index, attempts, retrying, err := machine.Retrying(s, c.Address)
	if retrying {
		out.Retrying = &rest.Retry{Index: index, Attempts: attempts}
	}
	return out, err
}

func (b *backend) findContract(s machine.State, nameOrAddress string) (*machine.Contract, error) {
	if strings.HasPrefix(nameOrAddress, protocol.AddressPrefix+"1") {
		if address, err := protocol.ParseAddress(nameOrAddress); err == nil {
			return b.machine.Contract(s, address)
		}
	}
	return b.machine.ContractNamed(s, nameOrAddress)
}

// Contract finds one contract by name or address.
func (b *backend) Contract(nameOrAddress string) (rest.Contract, error) {
	view, head, err := b.viewAt(0)
	if err != nil {
		return rest.Contract{}, err
	}
	c, err := b.findContract(view, nameOrAddress)
	if err != nil {
		return rest.Contract{}, err
	}
	return describe(view, head.LogSize, c)
}

// ContractLogs lists what a contract said on this node.
func (b *backend) ContractLogs(contract string, after uint64) ([]rest.ContractLog, error) {
	view, _, err := b.viewAt(0)
	if err != nil {
		return nil, err
	}
	c, err := b.findContract(view, contract)
	if err != nil {
		return nil, err
	}
	var out []rest.ContractLog
	for _, l := range b.app.Logs(c.Address, after) {
		out = append(out, rest.ContractLog{
			Number: l.Number, Height: l.Height, Index: l.Index, TxID: l.TxID, Code: l.Code, Name: l.Code.Name(),
			GuestCode: l.GuestCode, Lines: append([]string{}, l.Lines...),
		})
		if _, erased, err := machine.ErasedBy(view, l.Index); err != nil {
			return nil, err
		} else if erased { // a contract may have said what it was given
			out[len(out)-1].Lines = []string{}
		}
	}
	return out, nil
}

// DeadLetters lists a contract's dead letters from an index on.
func (b *backend) DeadLetters(contract string, from uint64, limit int) ([]rest.DeadLetter, error) {
	view, _, err := b.viewAt(0)
	if err != nil {
		return nil, err
	}
	c, err := b.findContract(view, contract)
	if err != nil {
		return nil, err
	}
	var after *uint64
	if from > 0 {
		before := from - 1
		after = &before
	}
	letters, err := machine.DeadLetters(view, c.Address, after, limit)
	out := make([]rest.DeadLetter, len(letters))
	for i, l := range letters {
		out[i] = rest.DeadLetter{Index: l.Index, Code: l.Code, Name: l.Code.Name(), GuestCode: l.GuestCode}
	}
	return out, err
}

// queryArgs renders arguments given as texts as the JSON the manifest asks for.
func queryArgs(m *abi.Manifest, method string, args api.Args) ([]byte, error) {
	if len(args.JSON) > 0 || len(args.Text) == 0 {
		return args.JSON, nil
	}
	handler, ok := m.Query(method)
	if !ok {
		return nil, protocol.Refuse(protocol.CodeMethodUnknown, "contract %s has no query %q", m.Name, method)
	}
	quoted := map[string]bool{}
	for _, f := range m.Queries[handler].Fields {
		quoted[f.Name] = f.Kind == abi.KindString || f.Kind == abi.KindBytes || f.Kind == abi.KindTime
	}
	object := make(map[string]json.RawMessage, len(args.Text))
	for name, text := range args.Text {
		if isText, known := quoted[name]; isText || !known || !json.Valid([]byte(text)) {
			encoded, err := json.Marshal(text)
			if err != nil {
				return nil, err
			}
			text = string(encoded)
		}
		object[name] = json.RawMessage(text)
	}
	return json.Marshal(object)
}
