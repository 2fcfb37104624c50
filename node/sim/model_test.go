package sim

import (
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// model is the ledger's rules once more, in maps and slices, as a reader of
// docs/protocol.md and docs/contracts.md would write them down. It shares no
// code with the machine.
type model struct {
	params    genesis.Params
	roles     map[string]string // of accounts, one each
	next      map[streamKey]uint64
	places    map[streamKey]map[uint64]uint64 // log index by sequence
	accepted  map[identity]uint64             // log index of the event
	contracts map[string]uint64               // log index of the deployment, by name
	paused    map[string]bool
	idle      map[delivery]bool // blocks in which a contract got nothing
	executed  map[protocol.Hash]bool
	entries   map[uint64]expected // what transactions appended
	size      uint64              // of the log
	adds      uint64              // calls that tally counted
	erased    map[uint64]uint64   // height by log index
	late      map[delivery]bool   // by contract and log index: deliveries that came after the erasure
}

// delivery names a contract in a block, or with an entry.
type delivery struct {
	contract string
	height   uint64
}

// identity is what makes two events the same.
type identity struct{ source, id, account string }

// expected is an entry that the model foresees.
type expected struct {
	kind     protocol.EntryKind
	origin   string
	sequence uint64
	cause    uint64
	identity identity // of an event
	event    protocol.Event
}

// request is a transaction as the model sees it: exactly one of the pointers is set.
type request struct {
	account string
	expiry  uint64
	id      protocol.Hash
	batch   *batchRequest
	deploy  *deployRequest
	call    *callRequest
	control *controlRequest
	erase   *eraseRequest
}

type batchRequest struct {
	stream      string
	first, skip uint64
	events      []identity
	records     []protocol.Event
}

type deployRequest struct {
	name string
	code protocol.Code // why it is refused whatever the state is; CodeOK when it is not
}

type callRequest struct{ contract, method string }

type controlRequest struct {
	contract string
	pause    bool // or else resume
}

func newModel(params genesis.Params, roles map[string]string) *model {
	return &model{
		params: params, roles: roles, next: map[streamKey]uint64{}, places: map[streamKey]map[uint64]uint64{},
		accepted: map[identity]uint64{}, contracts: map[string]uint64{}, paused: map[string]bool{}, idle: map[delivery]bool{}, executed: map[protocol.Hash]bool{},
		entries: map[uint64]expected{}, erased: map[uint64]uint64{}, late: map[delivery]bool{},
	}
}

// endTransactions notes what deliveries of a block depend on; size is the
// log's after them.
func (m *model) endTransactions(height, size uint64) {
	for name, paused := range m.paused {
		if paused {
			m.idle[delivery{name, height}] = true
		}
	}
	m.size = size
}

// execute foresees what a transaction comes to at a height.
func (m *model) execute(r *request, height uint64) protocol.Outcome {
	role := "author"
	if r.batch != nil {
		role = "producer"
	}
	switch {
	case r.expiry < height:
		return protocol.Outcome{Code: protocol.CodeExpired}
	case r.expiry > height+m.params.MaxExpiryBlocks:
		return protocol.Outcome{Code: protocol.CodeExpiryTooFar}
	case m.roles[r.account] != role && !(r.erase != nil && m.mayEraseAny(r.account)):
		return protocol.Outcome{Code: protocol.CodeUnauthorized}
	case r.batch != nil:
		return m.batch(r.account, r.batch)
	case m.executed[r.id]:
		return protocol.Outcome{Code: protocol.CodeReplayed}
	case r.deploy != nil:
		return m.deploy(r)
	case r.control != nil:
		return m.control(r)
	case r.erase != nil:
		return m.erase(r, height)
	}
	return m.call(r)
}

func (m *model) append(e expected) uint64 {
	m.entries[m.size] = e
	m.size++
	return m.size - 1
}

func (m *model) batch(account string, b *batchRequest) protocol.Outcome {
	at := streamKey{account, b.stream}
	next, count := m.next[at], uint64(len(b.events))
	out := protocol.Outcome{Next: next}
	if b.first-b.skip > next {
		out.Code = protocol.CodeSequenceGap
		return out
	}
	if b.first+count <= next {
		out.First, out.Absorbed = m.places[at][b.first], uint32(count)
		return out
	}
	if m.places[at] == nil {
		m.places[at] = map[uint64]uint64{}
	}
	out.First = m.size
	if b.first > next {
		index := m.append(expected{kind: protocol.EntryGap, origin: account, sequence: next, cause: protocol.NoCause})
		for sequence := next; sequence < b.first; sequence++ {
			m.places[at][sequence] = index
		}
	}
	for i, who := range b.events {
		sequence := b.first + uint64(i)
		if sequence < next {
			out.Absorbed++
			continue
		}
		who.account = account
		e := expected{kind: protocol.EntryEvent, origin: account, sequence: sequence, cause: protocol.NoCause, identity: who, event: b.records[i]}
		if first, met := m.accepted[who]; met && m.size-first <= m.params.DedupeWindowEntries {
			e.kind, e.cause = protocol.EntryDuplicate, first
			out.Duplicates++
		} else {
			m.accepted[who] = m.size
		}
		m.places[at][sequence] = m.append(e)
	}
	out.Entries, out.Next = uint32(m.size-out.First), b.first+count
	m.next[at] = out.Next
	return out
}

func (m *model) deploy(r *request) protocol.Outcome {
	_, exists := m.contracts[r.deploy.name]
	switch {
	case r.deploy.code != protocol.CodeOK:
		return protocol.Outcome{Code: r.deploy.code}
	case exists:
		return protocol.Outcome{Code: protocol.CodeContractExists}
	}
	m.executed[r.id] = true
	index := m.append(expected{kind: protocol.EntryContract, origin: r.account, cause: protocol.NoCause})
	m.contracts[r.deploy.name] = index
	return protocol.Outcome{First: index, Entries: 1}
}

func (m *model) control(r *request) protocol.Outcome {
	if _, exists := m.contracts[r.control.contract]; !exists {
		return protocol.Outcome{Code: protocol.CodeContractUnknown}
	}
	m.executed[r.id] = true
	m.paused[r.control.contract] = r.control.pause
	return protocol.Outcome{First: m.append(expected{kind: protocol.EntryContract, origin: r.account, cause: protocol.NoCause}), Entries: 1}
}

func (m *model) call(r *request) protocol.Outcome {
	_, exists := m.contracts[r.call.contract]
	switch {
	case !exists:
		return protocol.Outcome{Code: protocol.CodeContractUnknown}
	case m.paused[r.call.contract]:
		return protocol.Outcome{Code: protocol.CodeContractPaused}
	case r.call.contract != "tally" || r.call.method != "add" && r.call.method != "fail":
		return protocol.Outcome{Code: protocol.CodeMethodUnknown}
	}
	m.executed[r.id] = true
	switch {
	case r.call.method == "fail":
		return protocol.Outcome{Code: protocol.CodeContractAborted, GuestCode: codeFail}
	case m.params.HopLimit == 0:
		return protocol.Outcome{Code: protocol.CodeHopLimit}
	}
	m.adds++
	index := m.append(expected{kind: protocol.EntryContract, origin: r.account, cause: protocol.NoCause})
	m.append(expected{kind: protocol.EntryEmitted, origin: "tally", cause: index})
	return protocol.Outcome{First: index, Entries: 2}
}

// verdict is what a contract makes of an entry: an event of its own where
// emits is set, nothing where code is OK, or else a dead letter.
type verdict struct {
	code  protocol.Code
	guest uint32
	emits string
}

// deliver foresees a delivery; ok is false where the contract does not subscribe.
func (m *model) deliver(contract string, e *Entry) (v verdict, ok bool) {
	far := e.Hop >= m.params.HopLimit
	reading := e.Event.Type == readingType
	switch contract {
	case "tally":
		if far {
			return verdict{code: protocol.CodeHopLimit}, reading
		}
		return verdict{emits: tallyType}, reading
	case "fussy", "caller":
		switch {
		case string(e.Event.Data) == oddData:
			return verdict{code: protocol.CodeContractAborted, guest: codeOdd}, reading
		case string(e.Event.Data) != evenData:
			return verdict{code: protocol.CodeProjection}, reading
		case contract == "caller" && !far: // what it called fails with HOP_LIMIT otherwise, which it ignores
			return verdict{emits: lentType}, reading
		}
		return verdict{}, reading
	case "broken":
		if far {
			return verdict{code: protocol.CodeHopLimit}, reading
		}
		return verdict{code: protocol.CodeContractTrap}, reading
	case "hog":
		return verdict{code: protocol.CodeOutOfGas}, reading
	case "relay":
		subscribed := e.Event.Type == tallyType || e.Event.Type == relayType
		if far {
			return verdict{code: protocol.CodeHopLimit}, subscribed
		}
		return verdict{emits: relayType}, subscribed
	}
	return verdict{}, false
}

// audit holds a settled ledger's whole log and its contracts' queues to the
// model: every entry is one that a transaction or one delivery appended, and
// none is missing.
func (m *model) audit(l *Ledger) error {
	entries, err := l.Entries(0, int(l.Size()))
	if err != nil {
		return err
	}
	if uint64(len(entries)) != l.Size() {
		return fmt.Errorf("the log of %d entries gives %d", l.Size(), len(entries))
	}
	for i := range entries {
		if err := m.recall(&entries[i]); err != nil {
			return err
		}
		if want, foreseen := m.entries[entries[i].Index]; foreseen {
			if err := want.check(&entries[i]); err != nil {
				return fmt.Errorf("entry %d: %w", i, err)
			}
		}
	}
	made := 0
	for name := range m.contracts {
		n, err := m.auditContract(l, entries, name)
		if err != nil {
			return fmt.Errorf("contract %s: %w", name, err)
		}
		made += n
	}
	if len(m.entries)+made != len(entries) {
		return fmt.Errorf("the log has %d entries, %d of transactions and %d of deliveries are due", len(entries), len(m.entries), made)
	}
	return nil
}

func (want *expected) check(e *Entry) error {
	origin := Address(want.origin)
	if want.kind == protocol.EntryEmitted {
		origin = protocol.ContractAddress(Address(Author), want.origin)
	}
	if e.Kind != want.kind || e.Origin != origin || e.Sequence != want.sequence || e.Cause != want.cause {
		return fmt.Errorf("is %+v, the model has %+v", e.Entry, *want)
	}
	if want.identity.id != "" && (e.Event.Source != want.identity.source || e.Event.ID != want.identity.id) {
		return fmt.Errorf("is event %s of %s, the model has %+v", e.Event.ID, e.Event.Source, want.identity)
	}
	return nil
}

// auditContract checks that a contract got every entry after its deployment
// once, in order, and made of each what it should. It answers how many entries
// its deliveries appended.
func (m *model) auditContract(l *Ledger, entries []Entry, name string) (made int, err error) {
	var answers []*Entry // what its deliveries appended, in the order of the log
	for i := range entries {
		if _, foreseen := m.entries[entries[i].Index]; !foreseen && madeBy(&entries[i], name) {
			answers = append(answers, &entries[i])
		}
	}
	letters, err := l.DeadLetters(name)
	if err != nil {
		return 0, err
	}
	for i := range entries {
		e := &entries[i]
		if e.Index <= m.contracts[name] || e.Kind != protocol.EntryEvent && e.Kind != protocol.EntryEmitted {
			continue
		}
		v, subscribed := m.deliver(name, e)
		if subscribed && len(answers) > made && m.missed(name, e, answers[made]) {
			v = verdict{code: protocol.CodeErased}
		}
		if !subscribed || v == (verdict{}) {
			continue
		}
		if len(answers) == made {
			return 0, fmt.Errorf("nothing came of entry %d, %+v is due", e.Index, v)
		}
		got := answers[made]
		made++
		if m.idle[delivery{name, got.Height}] {
			return 0, fmt.Errorf("entry %d is of height %d, when it was paused", got.Index, got.Height)
		}
		if got.Cause != e.Index || got.Hop < e.Hop || (v.emits != "") != (got.Kind == protocol.EntryEmitted) {
			return 0, fmt.Errorf("entry %d came of entry %d; %+v of entry %d is due", got.Index, got.Cause, v, e.Index)
		}
		if v.emits != "" {
			if got.Event.Type != v.emits || got.Hop != e.Hop+1 {
				return 0, fmt.Errorf("entry %d is %s at hop %d, of entry %d at hop %d", got.Index, got.Event.Type, got.Hop, e.Index, e.Hop)
			}
			continue
		}
		act := protocol.DeadLetterAct{Code: v.code, GuestCode: v.guest}
		if recorded, ok := got.Act.(*protocol.DeadLetterAct); !ok || *recorded != act {
			return 0, fmt.Errorf("entry %d records %+v, %+v is due", got.Index, got.Act, act)
		}
		if len(letters) == 0 || letters[0] != (DeadLetter{e.Index, v.code, v.guest}) {
			return 0, fmt.Errorf("the queue has %+v next, %+v of entry %d is due", letters[:min(1, len(letters))], act, e.Index)
		}
		letters = letters[1:]
	}
	if made != len(answers) || len(letters) != 0 {
		return 0, fmt.Errorf("%d entries and %d dead letters too many", len(answers)-made, len(letters))
	}
	return made, m.auditState(l, entries, name)
}

// madeBy says whether a contract's delivery appended the entry: what tally
// lent, caller's did.
func madeBy(e *Entry, name string) bool {
	if e.Kind == protocol.EntryEmitted && e.Event.Type == lentType {
		return name == "caller"
	}
	return e.Origin == protocol.ContractAddress(Address(Author), name)
}

// auditState compares the one number that the contracts which count keep.
func (m *model) auditState(l *Ledger, entries []Entry, name string) error {
	due := uint64(0)
	switch name {
	case "tally":
		due = m.adds
	case "relay":
	default:
		return nil
	}
	for i := range entries {
		e := &entries[i]
		if name == "tally" && e.Kind == protocol.EntryEmitted && e.Event.Type == lentType {
			due++
		}
		if e.Index > m.contracts[name] && (e.Kind == protocol.EntryEvent || e.Kind == protocol.EntryEmitted) {
			if v, ok := m.deliver(name, e); ok && v.code == protocol.CodeOK && !m.late[delivery{name, e.Index}] {
				due++
			}
		}
	}
	state, err := l.State(name)
	if err != nil {
		return err
	}
	want := make([]byte, 8)
	for i := range want {
		want[i] = byte(due >> (8 * i))
	}
	if due > 0 && !slices.Equal(state["n"], want) || due == 0 && len(state) > 0 {
		return fmt.Errorf("its state is %x, it counted %d", state, due)
	}
	return nil
}
