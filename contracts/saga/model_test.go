package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// model is the saga told plainly: maps, a list of orders in the order of
// placing, and an if for every rule. It shares no code with the contract.
type model struct {
	balance, held, captured, credits map[string]uint64
	free, set, gone, lost, got       map[string]uint64
	list                             []*mOrder
	now                              int64
}

type mOrder struct {
	id, account, status string
	items               []item
	total               uint64
	patient             bool
	due                 int64
	waits               string
	seen                []string
}

func newModel() *model {
	m := &model{}
	for _, f := range []*map[string]uint64{&m.balance, &m.held, &m.captured, &m.credits, &m.free, &m.set, &m.gone, &m.lost, &m.got} {
		*f = map[string]uint64{}
	}
	return m
}

func (m *model) find(id string) *mOrder {
	for _, o := range m.list {
		if o.id == id {
			return o
		}
	}
	return nil
}

func (o *mOrder) over() bool {
	return slices.Contains([]string{"delivered", "cancelled", "expired", "rejected", "failed"}, o.status)
}

// giveUp puts everything back and ends the order.
func (m *model) giveUp(o *mOrder, status string, goodsBack bool) {
	switch o.status {
	case "shipped":
		m.captured[o.account] -= o.total
		m.balance[o.account] += o.total
		for _, it := range o.items {
			m.gone[it.article] -= it.quantity
			if goodsBack {
				m.free[it.article] += it.quantity
			} else {
				m.lost[it.article] += it.quantity
			}
		}
	case "reserved", "held":
		m.held[o.account] -= o.total
		m.balance[o.account] += o.total
		if o.status == "reserved" {
			for _, it := range o.items {
				m.set[it.article] -= it.quantity
				m.free[it.article] += it.quantity
			}
		}
	}
	o.status, o.waits, o.due = status, "", 0
}

// wait puts an order into a queue of at most 16.
func (m *model) wait(o *mOrder, queue string) bool {
	if !o.patient {
		return false
	}
	in := 0
	for _, other := range m.list {
		if other != o && other.waits == queue {
			in++
		}
	}
	if o.waits != queue && in >= 16 {
		return false
	}
	o.waits = queue
	return true
}

func (m *model) push(o *mOrder) {
	if o.status == "placed" {
		if m.balance[o.account] < o.total {
			if !m.wait(o, "funds "+o.account) {
				m.giveUp(o, "rejected", true)
			}
			return
		}
		m.balance[o.account] -= o.total
		m.held[o.account] += o.total
		o.status, o.waits = "held", ""
	}
	if o.status != "held" {
		return
	}
	for _, it := range o.items {
		if m.free[it.article] < it.quantity {
			if !m.wait(o, "stock "+it.article) {
				m.giveUp(o, "rejected", true)
			}
			return
		}
	}
	for _, it := range o.items {
		m.free[it.article] -= it.quantity
		m.set[it.article] += it.quantity
	}
	o.status, o.waits = "reserved", ""
}

func (m *model) resume(o *mOrder) {
	if o.waits == "" {
		return
	}
	if m.now >= o.due {
		m.giveUp(o, "expired", true)
		return
	}
	m.push(o)
}

func (m *model) arrive(queue string) {
	for _, o := range slices.Clone(m.list) {
		if o.waits == queue {
			m.resume(o)
		}
	}
}

// happen is an event about an order that exists; it answers the refusal's code.
func (m *model) happen(o *mOrder, what string) uint32 {
	if slices.Contains(o.seen, what) {
		return 0
	}
	if o.over() {
		return codeEnded
	}
	early := o.status != "shipped"
	switch {
	case what == "cancel" && early:
		m.giveUp(o, "cancelled", true)
	case (what == "back" || what == "lost") && (o.status == "shipped" || o.status == "reserved"):
		m.giveUp(o, "failed", what == "back")
	case what == "dispatch" && o.status == "reserved":
		m.held[o.account] -= o.total
		m.captured[o.account] += o.total
		for _, it := range o.items {
			m.set[it.article] -= it.quantity
			m.gone[it.article] += it.quantity
		}
		o.status, o.due = "shipped", m.now+7200
	case what == "deliver" && o.status == "shipped":
		o.status, o.due = "delivered", 0
	default:
		return codeOutOfOrder
	}
	o.seen = append(o.seen, what)
	return 0
}

// tick ends what is due: the earliest first, equal ones by name, 16 at most.
func (m *model) tick() (ended int) {
	var due []*mOrder
	for _, o := range m.list {
		if o.due != 0 && o.due <= m.now {
			due = append(due, o)
		}
	}
	slices.SortFunc(due, func(a, b *mOrder) int {
		if a.due != b.due {
			return int(a.due - b.due)
		}
		return strings.Compare(a.id, b.id)
	})
	due = due[:min(len(due), 16)]
	for _, o := range due {
		m.giveUp(o, "expired", false)
	}
	return len(due)
}

// run is a contract and a model that get the same events.
type run struct {
	*world
	m       *model
	r       *rand.Rand
	refused map[uint32]int
	paidOut uint64
}

var (
	runAccounts = []string{"ann", "bob", "cy"}
	runArticles = []string{"bolt", "nut", "pin", "pinion"}
)

// one delivers a random event to both and compares the answer.
func (r *run) one() {
	id := fmt.Sprintf("o%d", r.r.IntN(len(r.m.list)+2))
	o := r.m.find(id)
	var want uint32
	var err error
	kind := r.r.IntN(100)
	switch {
	case kind < 30:
		want, err = r.place(id, o)
	case kind < 42:
		account, amount := runAccounts[r.r.IntN(3)], uint64(1+r.r.IntN(900))
		err = r.topUp(account, amount)
		r.m.balance[account] += amount
		r.m.credits[account] += amount
		r.m.arrive("funds " + account)
	case kind < 58:
		article, quantity := runArticles[r.r.IntN(4)], uint64(1+r.r.IntN(6))
		err = r.receive(article, quantity)
		r.m.free[article] += quantity
		r.m.got[article] += quantity
		r.m.arrive("stock " + article)
	case kind < 92:
		want, err = r.stepOf(id, o)
	default:
		err = r.send(onClock, "", nil)
		r.m.tick()
	}
	if sdk.CodeOf(err) != want || err != nil && want == 0 {
		r.t.Fatalf("event %d about %s: the contract says %v, the model code %d", r.index, id, err, want)
	}
	r.refused[want]++
}

// place sends an order, or, where the name is taken, the same or another one.
func (r *run) place(id string, o *mOrder) (uint32, error) {
	if o != nil {
		if r.r.IntN(2) == 0 {
			return 0, r.send(onPlaced, id, placing(o.account, o.patient, o.items...))
		}
		return codeOrderExists, r.send(onPlaced, id, placing(o.account, !o.patient, o.items...))
	}
	var items []item
	for _, i := range r.r.Perm(len(runArticles))[:1+r.r.IntN(3)] {
		items = append(items, item{runArticles[i], uint64(1 + r.r.IntN(4)), uint64(r.r.IntN(120))})
	}
	o = &mOrder{id: id, account: runAccounts[r.r.IntN(3)], status: "placed", items: items, patient: r.r.IntN(3) > 0, due: r.sec + 3600}
	for _, it := range items {
		o.total += it.quantity * it.price
	}
	r.m.list = append(r.m.list, o)
	r.m.push(o)
	return 0, r.send(onPlaced, id, placing(o.account, o.patient, items...))
}

// stepOf sends an event about one order, whether or not it is its turn.
func (r *run) stepOf(id string, o *mOrder) (uint32, error) {
	kinds := []struct {
		handler int
		what    string
		args    *sdk.Args
	}{
		{onCancelled, "cancel", nil}, {onRetry, "retry", nil}, {onDispatched, "dispatch", nil}, {onDispatched, "dispatch", nil},
		{onDelivered, "deliver", nil}, {onDelivered, "deliver", nil}, {onFailed, "back", new(sdk.Args).Bool(true)},
		{onFailed, "lost", new(sdk.Args).Bool(false)}, {onExpire, "expire", nil},
	}
	k := kinds[r.r.IntN(len(kinds))]
	err := r.send(k.handler, id, k.args)
	switch {
	case o == nil:
		return codeUnknownOrder, err
	case k.what == "retry":
		r.m.resume(o)
	case k.what == "expire" && o.over():
	case k.what == "expire" && r.m.now < o.due:
		return codeNotDue, err
	case k.what == "expire":
		r.m.giveUp(o, "expired", false)
	default:
		return r.m.happen(o, k.what), err
	}
	return 0, err
}

// compare holds the contract's answers against the model, and both against
// what must be true of any saga.
func (r *run) compare() {
	for _, name := range runAccounts {
		if r.m.credits[name] == 0 {
			continue
		}
		if has := r.bank.Balance("EUR", accountOf(name)); has != int64(r.m.balance[name]) {
			r.t.Fatalf("event %d: %s has %d, the model %d", r.index, name, has, r.m.balance[name])
		}
		if r.m.balance[name]+r.m.held[name]+r.m.captured[name] != r.m.credits[name] {
			r.t.Fatalf("event %d: %s got %d and has %d", r.index, name, r.m.credits[name], r.m.balance[name])
		}
	}
	r.compareTotals()
	charged, sent := map[string]uint64{}, map[string]uint64{}
	for _, o := range r.m.list {
		if got := r.status(o.id); got != o.status {
			r.t.Fatalf("event %d: %s is %s, the model says %s", r.index, o.id, got, o.status)
		}
		if o.status == "shipped" || o.status == "delivered" {
			charged[o.account] += o.total
			for _, it := range o.items {
				sent[it.article] += it.quantity
			}
		}
	}
	for _, name := range runAccounts { // nobody else is charged, and nobody who has no goods
		if charged[name] != r.m.captured[name] {
			r.t.Fatalf("event %d: %s was charged %d for goods of %d", r.index, name, r.m.captured[name], charged[name])
		}
	}
	for _, name := range runArticles {
		if r.m.got[name] == 0 {
			continue
		}
		var s struct{ Received, Available, Reserved, Shipped, Lost uint64 }
		r.ask(queryOfStock, name, &s)
		want := s
		want.Received, want.Available, want.Reserved = r.m.got[name], r.m.free[name], r.m.set[name]
		want.Shipped, want.Lost = r.m.gone[name], r.m.lost[name]
		if s != want || s.Received != s.Available+s.Reserved+s.Shipped+s.Lost || s.Shipped != sent[name] {
			r.t.Fatalf("event %d: %s is %+v, the model says %+v, sent %d", r.index, name, s, want, sent[name])
		}
	}
}

// compareTotals holds the bank and the contract's sums against the model: all
// units are on accounts, held, or captured, and what is not earned is there.
func (r *run) compareTotals() {
	var totals struct{ CapturedMinor, EarnedMinor uint64 }
	r.ask(queryOfTotals, "", &totals)
	held, captured, earned := uint64(0), uint64(0), uint64(0)
	for _, name := range runAccounts {
		held, captured = held+r.m.held[name], captured+r.m.captured[name]
	}
	for _, o := range r.m.list {
		if o.status == "delivered" {
			earned += o.total
		}
	}
	if totals.CapturedMinor != captured || totals.EarnedMinor != earned {
		r.t.Fatalf("event %d: %+v, the model has %d and %d", r.index, totals, captured, earned)
	}
	has, all := r.bank.Balance("EUR", r.Address), r.bank.Held("EUR")
	if all != int64(held) || has != int64(captured-r.paidOut) {
		r.t.Fatalf("event %d: %d are held and %d captured, the model has %d and %d", r.index, all, has, held, captured)
	}
	all += has + r.bank.Balance("EUR", owner)
	for _, name := range runAccounts {
		all += r.bank.Balance("EUR", accountOf(name)) - int64(r.m.credits[name])
	}
	if all != 0 {
		r.t.Fatalf("event %d: there are %d units more than were minted", r.index, all)
	}
	amount := uint64(r.r.IntN(400)) + 1
	if err := r.payOut(owner, amount); (err == nil) != (amount <= earned-r.paidOut) {
		r.t.Fatalf("event %d: paying out %d of %d: %v", r.index, amount, earned-r.paidOut, err)
	} else if err == nil {
		r.paidOut += amount
	}
}

// payOut pays the owner.
func (w *world) payOut(caller [abi.AddressBytes]byte, amount uint64) error {
	return w.from(sdk.EntryCall, callOfPayOut, caller, abi.AppendU64(abi.AppendFlag(appendBytes(nil, owner[:]), true), amount))
}

// Random events in random order, with repeats, orders that do not exist and
// steps out of turn: after every one, contract and model agree and money and
// goods are conserved; in the end, the clock alone ends every order.
func TestAgainstModel(t *testing.T) {
	refused, statuses := map[uint32]int{}, map[string]int{}
	for seed := range uint64(80) {
		r := &run{world: newWorld(t), m: newModel(), r: rand.New(rand.NewPCG(seed, 7)), refused: refused}
		for range 160 {
			r.sec += int64(r.r.IntN(120))
			r.m.now = r.sec
			r.one()
			r.compare()
		}
		r.auditEvents()
		// Queues and deadlines are in step: the clock finds every open order.
		for {
			r.sec += 7200
			r.m.now = r.sec
			r.must(r.send(onClock, "", nil))
			ended := r.m.tick()
			r.compare()
			if ended == 0 {
				break
			}
		}
		for _, o := range r.m.list {
			statuses[o.status]++
			if !o.over() {
				t.Fatalf("seed %d: %s is still %s", seed, o.id, o.status)
			}
		}
		for key := range r.State {
			if strings.HasPrefix(key, "\x00q") || strings.HasPrefix(key, "\x00d") {
				t.Fatalf("seed %d: the index entry %q outlives its order", seed, key)
			}
		}
		for _, name := range runAccounts {
			if r.m.held[name] != 0 {
				t.Fatalf("seed %d: %s has %d held after every order's end", seed, name, r.m.held[name])
			}
		}
	}
	t.Logf("ends %v; refusals by code %v", statuses, refused)
	for _, status := range []string{"delivered", "cancelled", "expired", "rejected", "failed"} {
		if statuses[status] < 20 {
			t.Errorf("only %d orders ended %s: the test is blind there", statuses[status], status)
		}
	}
	for _, code := range []uint32{0, codeOrderExists, codeUnknownOrder, codeOutOfOrder, codeEnded, codeNotDue} {
		if refused[code] < 20 {
			t.Errorf("code %d came %d times: the test is blind there", code, refused[code])
		}
	}
}
