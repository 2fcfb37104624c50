package machine

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/governance"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// model is governance as docs/governance.md tells it, in maps: it shares no
// code with the ledger but the names of codes and kinds.
type model struct {
	height, size uint64          // of the last block; of the log
	ground                       // what actions change
	next         ground2         // from the next block on
	found        map[byte]uint64 // validators when the block began
	barred       map[byte]bool
	proposals    map[uint64]*motion
}

// ground is what actions change at once.
type ground struct {
	seats      map[string]uint64
	open       map[string]int
	validators map[byte]uint64
	roles      map[string]protocol.Roles
	revoked    map[string]bool
	nodes      map[byte]bool
	params     ground2
}

// ground2 is what a block begins with and another takes over.
type ground2 struct {
	halted bool
	hops   uint64
}

type motion struct {
	by      string
	expiry  uint64
	actions []modelAction
	votes   map[string]bool
	status  protocol.GovStep
	code    protocol.Code
}

// modelAction is an action and how it is said to the ledger.
type modelAction struct {
	kind  protocol.GovKind
	who   string
	n     uint64 // weight, power, value
	key   byte   // of a validator or node
	roles protocol.Roles
	on    bool
	force bool
}

var people = []string{"producer", "author", "x", "y", "z", "w", "v"}

func newModel(weight uint64) *model {
	m := &model{
		ground: ground{
			seats: map[string]uint64{"x": 1, "y": 1, "z": weight}, open: map[string]int{},
			validators: map[byte]uint64{0: 10, 1: 10, 2: 10, 3: 10}, revoked: map[string]bool{}, nodes: map[byte]bool{},
			roles:  map[string]protocol.Roles{"producer": protocol.RoleProducer, "author": protocol.RoleAuthor | protocol.RoleIssuer, "y": protocol.RoleOperator},
			params: ground2{hops: uint64(genesis.DefaultParams().HopLimit)},
		},
		barred: map[byte]bool{}, proposals: map[uint64]*motion{},
	}
	m.next = m.params
	return m
}

func (g *ground) clone() ground {
	out := *g
	out.seats, out.open, out.validators = maps.Clone(g.seats), maps.Clone(g.open), maps.Clone(g.validators)
	out.roles, out.revoked, out.nodes = maps.Clone(g.roles), maps.Clone(g.revoked), maps.Clone(g.nodes)
	return out
}

// do applies actions to a copy of the ground; the code says why not.
func (m *model) do(actions []modelAction) (ground, protocol.Code) {
	g := m.ground.clone()
	g.params = m.next
	for _, a := range actions {
		if code := m.act(&g, a); code != protocol.CodeOK {
			return g, code
		}
	}
	if g.params.hops > 64 {
		return g, protocol.CodeProposalTerms
	}
	return g, protocol.CodeOK
}

func (m *model) act(g *ground, a modelAction) protocol.Code {
	switch a.kind {
	case protocol.GovCouncil:
		_, seated := g.seats[a.who]
		switch {
		case a.n == 0 && !seated:
			return protocol.CodeProposalTerms
		case a.n == 0 && len(g.seats) == 1:
			return protocol.CodeLastMember
		case a.n == 0:
			delete(g.seats, a.who)
			delete(g.open, a.who) // a seat's open proposals are counted with it
		default:
			g.seats[a.who] = a.n
		}
	case protocol.GovValidator:
		return m.power(g, a)
	case protocol.GovRoles:
		g.roles[a.who] = a.roles
	case protocol.GovParam:
		g.params.hops = a.n
	case protocol.GovHalt:
		g.params.halted = a.on
	case protocol.GovRevoke:
		g.revoked[a.who] = a.on
	case protocol.GovNode:
		delete(g.nodes, a.key)
		if a.on {
			g.nodes[a.key] = true
		}
	}
	return protocol.CodeOK
}

func (m *model) power(g *ground, a modelAction) protocol.Code {
	_, there := g.validators[a.key]
	switch {
	case a.n > 0 && m.barred[a.key]:
		return protocol.CodeBarred
	case a.n == 0 && !there:
		return protocol.CodeProposalTerms
	case a.n == 0 && len(g.validators) == 1:
		return protocol.CodeLastMember
	case a.n == 0:
		delete(g.validators, a.key)
	default:
		g.validators[a.key] = a.n
	}
	var moved, all uint64
	for key := range 256 {
		was, is := m.found[byte(key)], g.validators[byte(key)]
		moved += max(was, is) - min(was, is)
		all += was
	}
	if !a.force && 3*moved > all {
		return protocol.CodePowerChange
	}
	return protocol.CodeOK
}

// governs says whether an account gets a governance transaction in at all.
func (m *model) governs(who string) protocol.Code {
	switch {
	case m.revoked[who]:
		return protocol.CodeAccountRevoked
	case m.seats[who] == 0:
		return protocol.CodeUnauthorized
	}
	return protocol.CodeOK
}

// begin starts a block: what its time has come for, and what CometBFT proved.
func (m *model) begin(accused []byte) {
	m.height++
	m.params, m.found = m.next, maps.Clone(m.validators)
	for _, key := range accused {
		m.barred[key] = true
		if _, there := m.validators[key]; there && len(m.validators) > 1 {
			delete(m.validators, key)
		}
		m.size++
	}
	for _, index := range slices.Sorted(maps.Keys(m.proposals)) {
		if p := m.proposals[index]; p.status == protocol.GovProposed && p.expiry < m.height {
			m.close(p, protocol.GovExpired)
			m.size++
		}
	}
}

func (m *model) close(p *motion, how protocol.GovStep) {
	if p.status = how; m.seats[p.by] > 0 && m.open[p.by] > 0 {
		m.open[p.by]--
	}
}

func (m *model) propose(who string, expiry uint64, actions []modelAction) protocol.Code {
	if code := m.governs(who); code != protocol.CodeOK {
		return code
	}
	if _, code := m.do(actions); code != protocol.CodeOK {
		return code
	}
	switch {
	case expiry < m.height:
		return protocol.CodeProposalTerms
	case m.open[who] == governance.MaxOpen:
		return protocol.CodeProposalLimit
	}
	m.open[who]++
	m.proposals[m.size] = &motion{by: who, expiry: expiry, actions: actions, votes: map[string]bool{}, status: protocol.GovProposed}
	m.size++
	return protocol.CodeOK
}

// at finds a proposal that is open.
func (m *model) at(who string, index uint64) (*motion, protocol.Code) {
	p := m.proposals[index]
	switch code := m.governs(who); {
	case code != protocol.CodeOK:
		return nil, code
	case p == nil:
		return nil, protocol.CodeProposalUnknown
	case p.status == protocol.GovExpired:
		return nil, protocol.CodeProposalExpired
	case p.status != protocol.GovProposed:
		return nil, protocol.CodeProposalClosed
	}
	return p, protocol.CodeOK
}

func (m *model) vote(who string, index uint64, yes bool) protocol.Code {
	p, code := m.at(who, index)
	if code != protocol.CodeOK {
		return code
	}
	if last, voted := p.votes[who]; voted && last == yes {
		return protocol.CodeDoubleVote
	}
	p.votes[who] = yes
	m.size++
	var agree, all uint64
	for name, weight := range m.seats {
		if all += weight; p.votes[name] {
			agree += weight
		}
	}
	if 3*agree <= 2*all {
		return protocol.CodeOK
	}
	m.size++
	after, code := m.do(p.actions)
	if p.code = code; code != protocol.CodeOK {
		m.close(p, protocol.GovFailed)
		return protocol.CodeOK
	}
	m.next, after.params = after.params, m.params // parameters are the next block's
	m.ground = after
	m.close(p, protocol.GovPassed)
	return protocol.CodeOK
}

func (m *model) withdraw(who string, index uint64) protocol.Code {
	p, code := m.at(who, index)
	if code == protocol.CodeOK && p.by != who {
		code = protocol.CodeUnauthorized
	}
	if code == protocol.CodeOK {
		m.close(p, protocol.GovWithdrawn)
		m.size++
	}
	return code
}

// other is a transaction that is no governance: the creation of an account.
func (m *model) other(who string) protocol.Code {
	switch {
	case m.params.halted:
		return protocol.CodeHalted
	case m.revoked[who]:
		return protocol.CodeAccountRevoked
	}
	m.size++
	return protocol.CodeOK
}

func (a *modelAction) action(keys map[string]protocol.PrivateKey) protocol.GovAction {
	out := protocol.GovAction{Kind: a.kind, On: a.on, Force: a.force, Roles: a.roles}
	switch a.kind {
	case protocol.GovCouncil:
		out.Account, out.Weight = keys[a.who].Address(), a.n
	case protocol.GovValidator:
		out.Validator, out.Power, out.Name = validatorKey(a.key), a.n, fmt.Sprint("v", a.key)
	case protocol.GovParam:
		out.Name, out.Value = "hopLimit", a.n
	case protocol.GovNode:
		out.Node, out.Name = protocol.NodeID{a.key, 1}, "node"
	case protocol.GovRoles, protocol.GovRevoke:
		out.Account = keys[a.who].Address()
	}
	return out
}

func drawModelAction(t *rapid.T) modelAction {
	a := modelAction{kind: rapid.SampledFrom([]protocol.GovKind{
		protocol.GovCouncil, protocol.GovValidator, protocol.GovValidator, protocol.GovRoles, protocol.GovParam, protocol.GovHalt, protocol.GovRevoke, protocol.GovNode,
	}).Draw(t, "kind")}
	switch a.kind {
	case protocol.GovCouncil:
		a.who, a.n = rapid.SampledFrom(people).Draw(t, "who"), rapid.Uint64Range(0, 3).Draw(t, "weight")
	case protocol.GovValidator:
		a.key, a.n = byte(rapid.IntRange(0, 5).Draw(t, "validator")), rapid.SampledFrom([]uint64{0, 0, 5, 9, 10, 11, 25}).Draw(t, "power")
		a.force = rapid.IntRange(0, 3).Draw(t, "force") == 0
	case protocol.GovRoles:
		a.who, a.roles = rapid.SampledFrom(people).Draw(t, "who"), protocol.Roles(rapid.ByteRange(0, 127).Draw(t, "roles"))&^protocol.RoleCouncil
	case protocol.GovParam:
		a.n = rapid.Uint64Range(0, 70).Draw(t, "hops")
	case protocol.GovHalt:
		a.on = rapid.Bool().Draw(t, "on")
	case protocol.GovRevoke:
		a.who, a.on = rapid.SampledFrom([]string{"v", "w", "producer"}).Draw(t, "who"), rapid.Bool().Draw(t, "on")
	case protocol.GovNode:
		a.key, a.on = byte(rapid.IntRange(0, 3).Draw(t, "node")), rapid.Bool().Draw(t, "on")
	}
	return a
}

// step draws a transaction and answers it with the code the model gives it.
// Transactions of one block are drawn before any is executed: the model goes
// first.
func (m *model) step(t *rapid.T, l *ledger) ([]byte, protocol.Code) {
	who := rapid.SampledFrom([]string{"x", "y", "z", "z", "w", "v", "producer"}).Draw(t, "who")
	index := uint64(rapid.IntRange(0, int(m.size)).Draw(t, "index"))
	if known := slices.Sorted(maps.Keys(m.proposals)); len(known) > 0 && rapid.IntRange(0, 9).Draw(t, "known") > 0 {
		index = known[max(0, len(known)-1-rapid.IntRange(0, 3).Draw(t, "back"))]
	}
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0, 1, 2:
		drawn := rapid.SliceOfN(rapid.Custom(drawModelAction), 1, 3).Draw(t, "actions")
		expiry := m.height + uint64(rapid.IntRange(0, 6).Draw(t, "for")) - 1
		body := &protocol.Propose{Title: "t", Expiry: expiry}
		for i := range drawn {
			body.Actions = append(body.Actions, drawn[i].action(l.keys))
		}
		return l.sign(who, body), m.propose(who, expiry, drawn)
	case 3:
		return l.sign(who, &protocol.Withdraw{Proposal: index}), m.withdraw(who, index)
	case 4:
		one := protocol.Multisig{Threshold: 1, Members: []protocol.Address{l.keys[who].Address()}}
		return l.sign(who, &protocol.CreateMultisig{Name: fmt.Sprint(l.nonce), Multisig: one}), m.other(who)
	default:
		yes := rapid.IntRange(0, 3).Draw(t, "yes") > 0
		return l.sign(who, &protocol.Vote{Proposal: index, Yes: yes}), m.vote(who, index, yes)
	}
}

// Random proposals, votes, evidence and time: every code, the council, the
// validators, roles, parameters and proposals are what the model says, the
// updates that CometBFT is told lead from one set to the next, and a ledger
// that replays the blocks comes to the same hashes.
func TestGovernanceAgainstAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		weight := rapid.Uint64Range(1, 3).Draw(rt, "weight of z") // 1: two of three are exactly two thirds
		l, m := governedBy(t, weight), newModel(weight)
		for _, name := range people {
			if _, known := l.keys[name]; !known {
				l.keys[name] = testKey(name[0])
			}
		}
		told := maps.Clone(m.validators)
		for range rapid.IntRange(1, 25).Draw(rt, "blocks") {
			var accused []byte
			block := Block{Height: l.store.Head().Height + 1}
			block.TimeMs = 1_700_000_000_000 + int64(block.Height)*1000
			if rapid.IntRange(0, 15).Draw(rt, "evidence") == 0 {
				key := rapid.SampledFrom(slices.Sorted(maps.Keys(m.validators))).Draw(rt, "accused")
				id, sum := validatorKey(key), [32]byte{}
				sum = sha256.Sum256(id[:])
				if set, err := governance.At(l.view(), block.Height); err != nil {
					rt.Fatal(err)
				} else if slices.ContainsFunc(set.Validators, func(v protocol.SetMember) bool { return v.Key == id }) {
					accused = append(accused, key)
					block.Misbehaviour = []governance.Misbehaviour{{Address: [20]byte(sum[:20]), Height: block.Height}}
				}
			}
			m.begin(accused)
			var want []protocol.Code
			for range rapid.IntRange(0, 6).Draw(rt, "transactions") {
				raw, code := m.step(rt, l)
				block.Txs, want = append(block.Txs, raw), append(want, code)
			}
			result := l.execute(block)
			for i, out := range result.Outcomes {
				if out.Code != want[i] {
					rt.Fatalf("height %d, transaction %d: %s (%s), the model says %s", block.Height, i, out.Code, out.Text, want[i])
				}
			}
			m.compare(rt, l)
			m.updates(rt, told, result.Validators)
		}
		newLedgerOf(t, councilOf(map[string]protocol.PrivateKey{}, weight)).replay(l)
	})
}

// updates holds what CometBFT is told to the model's set.
func (m *model) updates(t *rapid.T, told map[byte]uint64, changes []protocol.SetMember) {
	for _, v := range changes {
		if v.Power == 0 {
			if _, there := told[v.Key[0]]; !there {
				t.Fatalf("validator %d is removed and was not there", v.Key[0])
			}
			delete(told, v.Key[0])
			continue
		}
		told[v.Key[0]] = v.Power
	}
	if !maps.Equal(told, m.validators) || len(told) == 0 {
		t.Fatalf("CometBFT has %v, the model %v", told, m.validators)
	}
}

// compare holds the state to the model.
func (m *model) compare(t *rapid.T, l *ledger) {
	view := l.view()
	if size := l.store.Head().LogSize; size != m.size {
		t.Fatalf("the log has %d entries, the model %d", size, m.size)
	}
	members, err := governance.Council(view)
	if err != nil || len(members) != len(m.seats) {
		t.Fatalf("%d members, the model has %d (%v)", len(members), len(m.seats), err)
	}
	for _, name := range people {
		seat, err1 := governance.Seat(view, l.keys[name].Address())
		account, err2 := membership.Read(view, l.keys[name].Address())
		roles := m.roles[name]
		if m.seats[name] > 0 {
			roles |= protocol.RoleCouncil
		}
		if err1 != nil || err2 != nil || seat.Weight != m.seats[name] || account.Roles != roles || account.Revoked != m.revoked[name] {
			t.Fatalf("%s: %+v %+v, the model has %d %s %v (%v %v)", name, seat, account, m.seats[name], roles, m.revoked[name], err1, err2)
		}
		if seat.Weight > 0 && int(seat.Open) != m.open[name] {
			t.Fatalf("%s has %d proposals open, the model says %d", name, seat.Open, m.open[name])
		}
	}
	p := l.params()
	if p.Halted != m.next.halted || uint64(p.HopLimit) != m.next.hops {
		t.Fatalf("%+v, the model has %+v", p, m.next)
	}
	for index, want := range m.proposals {
		got, err := governance.Find(view, index)
		if err != nil || got.Status != want.status || got.Code != want.code {
			t.Fatalf("proposal %d: %+v %v, the model has %s %s", index, got, err, want.status, want.code)
		}
	}
	for key := range byte(4) {
		_, there, err := view.Get(protocol.NodeKey(protocol.NodeID{key, 1}))
		if err != nil || there != m.nodes[key] {
			t.Fatalf("node %d is admitted: %v, the model says %v (%v)", key, there, m.nodes[key], err)
		}
	}
}
