package bank

import (
	"fmt"
	"maps"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/cairn-ledger/cairn/client/protocol"
)

const accounts = 5

// drawOp draws an operation whose form is right, of a few accounts, assets and
// ids, with amounts that like the edges.
func drawOp(t *rapid.T, m *model) protocol.TokenOp {
	kind := protocol.TokenKind(rapid.IntRange(int(protocol.TokenIssue), int(protocol.TokenUnfreeze)).Draw(t, "kind"))
	account := func(label string) protocol.Address { return who(rapid.IntRange(1, accounts).Draw(t, label)) }
	maybe := func(label string) protocol.Address {
		return rapid.SampledFrom([]protocol.Address{{}, account(label)}).Draw(t, label+"?")
	}
	some := rapid.OneOf(rapid.Uint64Range(1, 100), rapid.SampledFrom([]uint64{1, protocol.MaxAmount, protocol.MaxAmount - 1, 1 << 62}))
	time := func(label string, low, high int64) uint64 {
		return uint64(max(0, m.now+rapid.Int64Range(low, high).Draw(t, label)))
	}
	op := protocol.TokenOp{Kind: kind}
	asset := func() { op.Asset = rapid.SampledFrom([]string{"A", "B", "AB"}).Draw(t, "asset") }
	pays := func() { op.Account, op.Amount = account("to"), some.Draw(t, "amount") }
	switch kind {
	case protocol.TokenIssue:
		asset()
		op.Amount = rapid.SampledFrom([]uint64{0, 50, 1000, protocol.MaxAmount}).Draw(t, "cap")
		op.Account, op.Freezable = maybe("issuer"), rapid.Bool().Draw(t, "freezable")
	case protocol.TokenMint, protocol.TokenTransfer:
		asset()
		pays()
	case protocol.TokenBurn:
		asset()
		op.Amount = some.Draw(t, "amount")
	case protocol.TokenHold:
		asset()
		op.Amount = some.Draw(t, "amount")
		op.From, op.Account, op.Controller = maybe("from"), maybe("only"), maybe("controller")
		if rapid.Bool().Draw(t, "expires") {
			op.UntilMs = time("until", -1, 100)
		}
	case protocol.TokenRelease:
		pays()
	case protocol.TokenAllow:
		asset()
		pays()
		op.PeriodMs = rapid.Uint64Range(0, 30).Draw(t, "period")
		if rapid.Bool().Draw(t, "ends") {
			op.UntilMs = time("until", -1, 100)
		}
	case protocol.TokenDebit:
		asset()
		pays()
		op.From = account("payer")
	case protocol.TokenStream:
		asset()
		pays()
		op.Rate, op.PeriodMs = some.Draw(t, "rate"), rapid.Uint64Range(1, 5000).Draw(t, "per")
		if rapid.Bool().Draw(t, "later") {
			op.StartMs = time("start", -1, 20)
		}
	case protocol.TokenSchedule:
		asset()
		pays()
		if op.Count = rapid.Uint64Range(1, 3).Draw(t, "count"); op.Count > 1 {
			op.PeriodMs = protocol.MinScheduleMs
		}
		if rapid.Bool().Draw(t, "later") {
			op.StartMs = time("start", -1, 20)
		}
	case protocol.TokenRevoke, protocol.TokenFreeze, protocol.TokenUnfreeze:
		asset()
		op.Account = account("to")
	}
	if op.Asset == "" { // what is left is about what there is
		op.ID = rapid.Uint64Range(1, m.lastID+1).Draw(t, "id")
	}
	return op
}

// hold compares everything the bank can be asked with the model.
func (m *model) hold(t *rapid.T, s *memory) {
	if err := Audit(s); err != nil {
		t.Fatal(err)
	}
	owned := map[string]*big.Int{}
	for n := range accounts {
		list, err := Balances(s, who(n+1), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]Owned{}
		for _, o := range list {
			got[o.Asset] = o
		}
		for asset := range m.assets {
			want := m.of(who(n+1), asset)
			if units(got[asset].Amount).Cmp(want) != 0 || got[asset].Frozen != m.frozen[modelOwner{who(n + 1), asset}] || want.Sign() < 0 {
				t.Fatalf("%s of %d: bank %+v, model %v", asset, n+1, got[asset], want)
			}
			if owned[asset] == nil {
				owned[asset] = new(big.Int)
			}
			owned[asset].Add(owned[asset], want)
		}
	}
	for id, mine := range m.terms {
		theirs, err := ReadTerms(s, mine.op.Kind, id)
		if err != nil || units(theirs.Held()).Cmp(mine.left()) != 0 || theirs.From != mine.from {
			t.Fatalf("terms %d: %+v %v, model %+v", id, theirs, err, mine)
		}
		if mine.op.Kind != protocol.TokenSchedule {
			owned[mine.op.Asset].Add(owned[mine.op.Asset], mine.left())
		}
	}
	for symbol, mine := range m.assets {
		theirs, err := ReadAsset(s, symbol)
		if err != nil || units(theirs.Supply).Cmp(mine.supply) != 0 || owned[symbol].Cmp(mine.supply) != 0 {
			t.Fatalf("%s: bank %+v %v, model %v of which %v are owned", symbol, theirs, err, mine.supply, owned[symbol])
		}
	}
}

// endow issues two assets, gives every account some and lets many debit others.
func endow(t *rapid.T, m *model, s *memory) {
	var ops []protocol.TokenOp
	for _, asset := range []string{"A", "B"} {
		ops = append(ops, protocol.TokenOp{Kind: protocol.TokenIssue, Asset: asset, Freezable: asset == "A"})
		for n := range accounts {
			amount := rapid.SampledFrom([]uint64{1, 100, 1_000, protocol.MaxAmount / 8}).Draw(t, "endowed")
			ops = append(ops, protocol.TokenOp{Kind: protocol.TokenMint, Asset: asset, Account: who(n + 1), Amount: amount})
		}
		for n := range accounts - 1 {
			ops = append(ops, protocol.TokenOp{Kind: protocol.TokenAllow, Asset: asset, Account: who(n + 2), Amount: 150, PeriodMs: 20})
		}
	}
	for _, op := range ops {
		if _, err := New(s, uint64(m.now)).Apply(who(1), &op); err != nil || m.apply(who(1), op) != 0 {
			t.Fatal(op, err)
		}
	}
}

// The bank does what the model does, on every sequence of operations: the same
// refusals, the same balances; a refused operation changes nothing, and one
// that a fault interrupts, done again, comes to the same.
func TestBankAgreesWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, s := newModel(), newMemory()
		m.now = 1_000
		endow(t, m, s)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "time passes") == 0 {
				m.at(m.now + rapid.SampledFrom([]int64{1, 7, 50, protocol.MinScheduleMs}).Draw(t, "ms"))
				for range 8 { // one time may come for what it has come for before
					if err := New(s, uint64(m.now)).Due(1_000); err != nil {
						t.Fatal(err)
					}
				}
			}
			by, op := who(rapid.IntRange(1, accounts).Draw(t, "by")), drawOp(t, m)
			before := maps.Clone(s.pairs)
			if s.failIn = rapid.IntRange(0, 12).Draw(t, "fault"); s.failIn > 0 {
				if _, err := New(s, uint64(m.now)).Apply(by, &op); err == errDisk || err != nil && s.failIn == 0 {
					if _, refused := protocol.CodeOf(err); refused {
						t.Fatalf("a fault is taken for the refusal %v", err)
					}
				}
				s.failIn, s.pairs = 0, maps.Clone(before)
			}
			_, err := New(s, uint64(m.now)).Apply(by, &op)
			want := op.Check()
			if want == nil {
				if code := m.apply(by, op); code != 0 {
					want = protocol.Refuse(code, "")
				}
			}
			if codeOf(err) != codeOf(want) {
				t.Fatalf("%+v by %x: bank %v, model %v", op, by[19], err, want)
			}
			if err != nil && !s.equal(before) {
				t.Fatalf("%+v was refused with %v and changed the state", op, err)
			}
			m.hold(t, s)
		}
	})
}

// What moves, as the log has it, is every change of every balance.
func TestMovementsExplainTheBalances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, s := newModel(), newMemory()
		m.now = 1_000
		endow(t, m, s)
		has := map[modelOwner]int64{}
		for _, asset := range []string{"A", "B"} {
			for n := range accounts {
				has[modelOwner{who(n + 1), asset}] = m.of(who(n+1), asset).Int64()
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			b := New(s, uint64(m.now))
			by, op := who(rapid.IntRange(1, accounts).Draw(t, "by")), drawOp(t, m)
			if _, err := b.Apply(by, &op); err == nil {
				m.apply(by, op)
			} else if len(b.Moves) > 0 {
				t.Fatalf("%v and %d movements", err, len(b.Moves))
			}
			for _, move := range b.Moves {
				explain(has, &move.MovementAct)
			}
			for owner, sum := range has {
				if got, err := ReadBalance(s, owner.who, owner.asset); err != nil || got.Amount != uint64(sum) {
					t.Fatalf("%s of %d: %d, movements say %d", owner.asset, owner.who[19], got.Amount, sum)
				}
			}
		}
	})
}

func explain(has map[modelOwner]int64, m *protocol.MovementAct) {
	from, to := modelOwner{m.From, m.Asset}, modelOwner{m.To, m.Asset}
	switch m.Kind {
	case protocol.TokenTransfer, protocol.TokenDebit, protocol.TokenPayment:
		has[from] -= int64(m.Amount)
		has[to] += int64(m.Amount)
	case protocol.TokenHold, protocol.TokenStream, protocol.TokenBurn:
		has[from] -= int64(m.Amount)
	case protocol.TokenMint, protocol.TokenRefund, protocol.TokenSettle:
		has[to] += int64(m.Amount)
	case protocol.TokenRelease, protocol.TokenStop:
		has[to] += int64(m.Amount)
		has[from] += int64(m.Rest)
	}
}

// However often a stream is settled, it pays the same: all of its rate, rounded
// down once.
func TestSettlingOftenChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newMemory()
		issue(t, s, "E", 1<<40)
		open := New(s, 1)
		op := protocol.TokenOp{
			Kind: protocol.TokenStream, Asset: "E", Account: who(2), Amount: rapid.Uint64Range(1, 1<<30).Draw(t, "amount"),
			Rate: rapid.Uint64Range(1, 1<<20).Draw(t, "rate"), PeriodMs: rapid.Uint64Range(1, 100_000).Draw(t, "period"),
		}
		id, err := open.Apply(who(1), &op)
		if err != nil {
			t.Skip("it never ends")
		}
		now := uint64(1)
		for range 20 {
			now += rapid.Uint64Range(0, 200_000).Draw(t, "ms")
			b := New(s, now)
			if err := b.Due(10); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Apply(who(2), &protocol.TokenOp{Kind: protocol.TokenSettle, ID: id}); err != nil &&
				codeOf(err) != protocol.CodeFunds && codeOf(err) != protocol.CodeTokenIDUnknown {
				t.Fatal(err)
			}
			want := new(big.Int).Mul(units(op.Rate), units(now-1))
			if want.Div(want, units(op.PeriodMs)); want.Cmp(units(op.Amount)) > 0 {
				want = units(op.Amount)
			}
			if got, _ := ReadBalance(s, who(2), "E"); units(got.Amount).Cmp(want) != 0 {
				t.Fatalf("at %d: paid %d, flowed %v", now, got.Amount, want)
			}
		}
	})
}

// issue makes an asset of which account 1 has all.
func issue(t interface{ Fatal(...any) }, s State, asset string, amount uint64) {
	b := New(s, 1)
	for _, op := range []protocol.TokenOp{
		{Kind: protocol.TokenIssue, Asset: asset, Freezable: true}, {Kind: protocol.TokenMint, Asset: asset, Account: who(1), Amount: amount},
	} {
		if _, err := b.Apply(who(1), &op); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRewardsAreBounded(t *testing.T) {
	s := newMemory()
	issue(t, s, "E", 100)
	if err := SetReward(s, Reward{Type: "air", Asset: "E", From: who(1), Each: 3, Limit: 20, PeriodMs: 1_000}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ at, events, paid uint64 }{
		{5_000, 4, 4}, {5_500, 9, 2}, {5_999, 9, 0}, {6_000, 9, 6}, {7_000, 6, 6}, {8_000, 6, 6}, {9_000, 6, 6}, {10_000, 6, 3}, {11_000, 1, 0},
	} {
		rewards, err := Rewards(s)
		if err != nil || len(rewards) != 1 {
			t.Fatal(rewards, err)
		}
		if paid, err := New(s, step.at).Pay(rewards[0], who(2), step.events); err != nil || paid != step.paid {
			t.Fatalf("at %d: %d of %d events are paid for, %d should be: %v", step.at, paid, step.events, step.paid, err)
		}
		if err := Audit(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := SetReward(s, Reward{Type: "air"}); err != nil {
		t.Fatal(err)
	}
	if rewards, err := Rewards(s); err != nil || len(rewards) != 0 {
		t.Fatal(rewards, err)
	}
}

func TestFeesAreReservedAndSettled(t *testing.T) {
	s := newMemory()
	issue(t, s, "E", 100)
	if f, err := ReadFees(s); err != nil || f != nil {
		t.Fatal("there are fees", f, err)
	}
	if err := SetFees(s, &Fees{Asset: "E", To: who(9), PerEvent: 2, PerMillionGas: 5}); err != nil {
		t.Fatal(err)
	}
	f, err := ReadFees(s)
	if err != nil || f.PerEvent != 2 || f.ForGas(0) != 0 || f.ForGas(1) != 1 || f.ForGas(200_000) != 1 || f.ForGas(200_001) != 2 || f.ForGas(1<<63) != 46116860184274 {
		t.Fatal(f, err)
	}
	b := New(s, 1)
	if _, err := b.Reserve(f, who(1), 101); codeOf(err) != protocol.CodeFunds {
		t.Fatal(err)
	}
	r, err := b.Reserve(f, who(1), 60)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Settle(r, 7); err != nil {
		t.Fatal(err)
	}
	if err := b.Take(f, who(1), 1_000); err != nil {
		t.Fatal(err)
	}
	if got, _ := ReadBalance(s, who(9), "E"); got.Amount != 100 || len(b.Moves) != 2 || b.Moves[0].Amount != 7 || b.Moves[1].Amount != 93 {
		t.Fatalf("%+v %+v", got, b.Moves)
	}
	if err := Audit(s); err != nil {
		t.Fatal(err)
	}
}

// Units that come from nowhere stop the node, and an audit sees them.
func TestMadeUnitsAreNoticed(t *testing.T) {
	s := newMemory()
	issue(t, s, "E", 100)
	b := New(s, 1)
	func() {
		defer func() {
			if p := fmt.Sprint(recover()); p != "bank: transfer at 1 ms makes 1 units of E" {
				t.Fatal(p)
			}
		}()
		if err := b.credit(who(3), "E", 1); err != nil {
			t.Fatal(err)
		}
		_ = b.assert(protocol.TokenTransfer, nil)
	}()
	if err := Audit(s); err == nil {
		t.Fatal("the audit saw nothing")
	}
}

func TestHotOperationsTouchLittle(t *testing.T) {
	s := newMemory()
	issue(t, s, "E", 1_000)
	b := New(s, 1)
	apply := func(by int, op protocol.TokenOp) string {
		s.reads, s.writes = 0, 0
		if _, err := b.Apply(who(by), &op); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d reads, %d writes", s.reads, s.writes)
	}
	for _, want := range []string{"3 reads, 2 writes", "2 reads, 2 writes"} { // whether somebody new is a key is looked up once
		if got := apply(1, protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "E", Account: who(2), Amount: 5}); got != want {
			t.Errorf("transfer: %s, want %s", got, want)
		}
	}
	apply(1, protocol.TokenOp{Kind: protocol.TokenAllow, Asset: "E", Account: who(3), Amount: 500})
	if got := apply(3, protocol.TokenOp{Kind: protocol.TokenDebit, Asset: "E", From: who(1), Account: who(2), Amount: 5}); got != "3 reads, 3 writes" {
		t.Errorf("debit: %s", got)
	}
}

func BenchmarkTransfer(b *testing.B) { benchmark(b, protocol.TokenTransfer) }
func BenchmarkDebit(b *testing.B)    { benchmark(b, protocol.TokenDebit) }

func benchmark(b *testing.B, kind protocol.TokenKind) {
	s := newMemory()
	issue(b, s, "E", 1<<60)
	bank := New(s, 1)
	if _, err := bank.Apply(who(1), &protocol.TokenOp{Kind: protocol.TokenAllow, Asset: "E", Account: who(3), Amount: 1 << 60}); err != nil {
		b.Fatal(err)
	}
	op, by := protocol.TokenOp{Kind: kind, Asset: "E", Account: who(2), Amount: 1}, who(1)
	if kind == protocol.TokenDebit {
		op.From, by = who(1), who(3)
	}
	b.ReportAllocs()
	for b.Loop() {
		bank.Moves = bank.Moves[:0]
		if _, err := bank.Apply(by, &op); err != nil {
			b.Fatal(err)
		}
	}
}
