package machine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// token signs operations.
func (l *ledger) token(who string, ops ...protocol.TokenOp) []byte {
	l.address(who)
	return l.sign(who, &protocol.Token{Ops: ops})
}

func (l *ledger) address(who string) protocol.Address {
	if _, known := l.keys[who]; !known {
		l.keys[who] = testKey(who[0])
	}
	return l.keys[who].Address()
}

func (l *ledger) has(who, asset string) uint64 {
	l.t.Helper()
	view, err := l.store.View(l.store.Head().Height)
	if err != nil {
		l.t.Fatal(err)
	}
	b, err := bank.ReadBalance(view, l.address(who), asset)
	if err != nil {
		l.t.Fatal(err)
	}
	return b.Amount
}

// movements lists the entries of tokens from an index on.
func (l *ledger) movements(from uint64) (list []*protocol.MovementAct, entries []protocol.Entry) {
	l.t.Helper()
	for index := from; index < l.store.Head().LogSize; index++ {
		e := l.entry(index)
		payload, err := ReadPayload(l.store, l.view(), index)
		if err != nil || protocol.Commitment(payload.Blind, payload.Bytes) != e.Commitment {
			l.t.Fatalf("entry %d does not commit to its payload: %v", index, err)
		}
		if e.Kind != protocol.EntryToken {
			continue
		}
		act, err := protocol.DecodeAct(payload.Bytes)
		if err != nil {
			l.t.Fatal(err)
		}
		list, entries = append(list, act.(*protocol.MovementAct)), append(entries, e)
	}
	return list, entries
}

// endowed is a ledger on which the author issued EUR and has 1,000,000 of them.
func endowed(t testing.TB) *ledger {
	l := newLedger(t)
	l.want(protocol.CodeOK, l.token("author",
		protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR", Decimals: 2, Freezable: true},
		protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: l.address("author"), Amount: 1_000_000}))
	return l
}

// want executes one transaction in a block and expects its code.
func (l *ledger) want(code protocol.Code, tx []byte) Outcome {
	l.t.Helper()
	out := l.block(tx).Outcomes[0]
	if out.Code != code {
		l.t.Fatalf("%v: %s", out.Code, out.Text)
	}
	return out
}

func pays(l *ledger, to string, amount uint64) protocol.TokenOp {
	return protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "EUR", Account: l.address(to), Amount: amount}
}

func TestTokenTransactionsHappenWholeAndOnce(t *testing.T) {
	l := endowed(t)
	l.want(protocol.CodeUnauthorized, l.token("x", pays(l, "author", 1)))
	l.want(protocol.CodeUnauthorized, l.token("producer", protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "USD"}))
	out := l.want(protocol.CodeOK, l.token("author", pays(l, "x", 300), pays(l, "y", 200)))
	moves, entries := l.movements(out.First)
	if out.Entries != 2 || len(moves) != 2 || moves[1].Amount != 200 || moves[1].TxID != out.TxID || entries[1].Origin != l.address("author") || entries[1].Cause != protocol.NoCause {
		t.Fatalf("%+v %+v", moves, entries)
	}
	// The second of three cannot be done: none is.
	refused := l.token("x", pays(l, "y", 100), pays(l, "y", 300), pays(l, "y", 1))
	l.want(protocol.CodeFunds, refused)
	if l.has("x", "EUR") != 300 || l.has("y", "EUR") != 200 {
		t.Fatal("a part of a refused transaction is there")
	}
	// Now it could be done. It was decided, and is not done again.
	l.want(protocol.CodeOK, l.token("author", pays(l, "x", 10_000)))
	head := l.store.Head()
	l.want(protocol.CodeReplayed, refused)
	if again := l.store.Head(); again.StateRoot != head.StateRoot || again.LogRoot != head.LogRoot {
		t.Fatal("a replay changed something")
	}
}

func TestWhatTheTimeHasComeFor(t *testing.T) {
	l := endowed(t)
	now := uint64(1_700_000_000_000) + l.store.Head().Height*1000
	out := l.want(protocol.CodeOK, l.token("author",
		protocol.TokenOp{Kind: protocol.TokenHold, Asset: "EUR", Account: l.address("x"), Amount: 50, UntilMs: now + 4_000},
		protocol.TokenOp{Kind: protocol.TokenStream, Asset: "EUR", Account: l.address("y"), Amount: 100, Rate: 7, PeriodMs: 200, StartMs: now + 2_000},
		protocol.TokenOp{Kind: protocol.TokenSchedule, Asset: "EUR", Account: l.address("z"), Amount: 5, Count: 1, StartMs: now + 3_000}))
	if l.has("author", "EUR") != 999_850 {
		t.Fatal(l.has("author", "EUR"))
	}
	before := l.store.Head().LogSize
	l.block() // now + 2000
	if l.store.Head().LogSize != before {
		t.Fatal("an empty block did something")
	}
	for range 4 {
		l.block()
	}
	moves, entries := l.movements(before)
	var told []string
	for i, m := range moves {
		told = append(told, fmt.Sprintf("%s %d cause=%d", m.Kind, m.Amount, entries[i].Cause-out.First))
	}
	if want := []string{"payment 5 cause=2", "refund 50 cause=0", "settle 100 cause=1"}; !slices.Equal(told, want) {
		t.Fatal(told)
	}
	if l.has("author", "EUR") != 999_895 || l.has("y", "EUR") != 100 || l.has("z", "EUR") != 5 {
		t.Fatal("not paid")
	}
}

// rule changes what governance will.
func (l *ledger) rule(change func(b *store.Batch) error) {
	l.t.Helper()
	height := l.store.Head().Height + 1
	b := l.store.Begin(height, 1_700_000_000_000+int64(height)*1000)
	if err := change(b); err != nil {
		l.t.Fatal(err)
	}
	l.commit(b)
}

func TestRewardsAndFeesOfABatch(t *testing.T) {
	l := endowed(t)
	l.rule(func(b *store.Batch) error {
		if err := bank.SetFees(b.State(), &bank.Fees{Asset: "EUR", To: l.address("f"), PerEvent: 2, PerMillionGas: 10}); err != nil {
			return err
		}
		return bank.SetReward(b.State(), bank.Reward{Type: "t1", Asset: "EUR", From: l.address("author"), Each: 5, Limit: 25, PeriodMs: 1 << 40})
	})
	batch := func(first uint64, types ...string) []byte {
		body := &protocol.Batch{Stream: "s", First: first}
		for i, kind := range types {
			body.Records = append(body.Records, scriptEvent(fmt.Sprint(first+uint64(i)), map[string]string{"type": kind}))
		}
		return l.sign("producer", body)
	}
	poor := batch(0, "t1", "t2", "t1", "t1")
	l.want(protocol.CodeFunds, poor)
	l.want(protocol.CodeOK, l.token("author", pays(l, "producer", 100)))
	before := l.store.Head().LogSize
	result := l.block(poor, batch(4, "t1", "t1", "t1", "t2"))
	moves, entries := l.movements(before)
	if len(moves) != 2 || result.Outcomes[1].Code != protocol.CodeOK {
		t.Fatalf("%+v", moves)
	}
	fee, reward := moves[0], moves[1]
	if fee.Kind != protocol.TokenFee || fee.Amount != 16 || !slices.Equal(fee.Parts, []protocol.MovementPart{{Index: before, Count: 8, Each: 2}}) || entries[0].Cause != before {
		t.Errorf("%+v", fee)
	}
	if reward.Kind != protocol.TokenReward || reward.Amount != 25 || reward.To != l.address("producer") ||
		!slices.Equal(reward.Parts, []protocol.MovementPart{{Index: before, Count: 1, Each: 5}, {Index: before + 2, Count: 4, Each: 5}}) {
		t.Errorf("%+v", reward)
	}
	if got := l.has("producer", "EUR"); got != 100-16+25 {
		t.Error(got)
	}
	// Gas is reserved, and paid for as much as was used, by the caller.
	if out := l.deploy("parking"); out.Code != protocol.CodeOK {
		t.Fatal(out)
	} else if fee := (out.Gas*10 + 999_999) / 1_000_000; l.has("f", "EUR") != 16+fee || fee == 0 {
		t.Errorf("%d gas: %d", out.Gas, l.has("f", "EUR"))
	}
	l.want(protocol.CodeOK, l.token("author", pays(l, "x", l.has("author", "EUR"))))
	l.want(protocol.CodeFunds, l.sign("author", &protocol.Call{Contract: protocol.Address{1}, Method: "x"}))
}

// Random transactions, each sent twice and half of the blocks executed twice
// as after a crash: what the log says moved is what every account has, and
// every block's audit holds.
func TestTheLogExplainsEveryBalance(t *testing.T) {
	const seed = 4
	r := rand.New(rand.NewPCG(seed, 0))
	l := endowed(t)
	names := []string{"author", "producer", "x", "y"}
	l.want(protocol.CodeOK, l.token("author", pays(l, "producer", 9_000), pays(l, "x", 9_000), pays(l, "y", 9_000)))
	for _, name := range names[:3] {
		l.want(protocol.CodeOK, l.token(name, protocol.TokenOp{Kind: protocol.TokenAllow, Asset: "EUR", Account: l.address("y"), Amount: 5_000}))
	}
	last := uint64(1) // id that was given out
	for range 250 {
		now := uint64(1_700_000_000_000) + (l.store.Head().Height+1)*1000
		var txs [][]byte
		for range 1 + r.IntN(5) {
			ops := make([]protocol.TokenOp, 1+r.IntN(3))
			for i := range ops {
				ops[i] = randomOp(r, now, last, func() protocol.Address { return l.address(names[r.IntN(4)]) })
			}
			tx := l.token(names[r.IntN(4)], ops...)
			txs = append(txs, tx, tx)
		}
		if r.IntN(2) == 0 {
			block := Block{Height: l.store.Head().Height + 1, TimeMs: int64(now), Txs: txs}
			b := l.store.Begin(block.Height, block.TimeMs)
			if _, err := l.machine.Execute(b, block); err != nil {
				t.Fatal(err)
			}
			b.Discard()
		}
		before := l.store.Head().LogSize
		for i, out := range l.block(txs...).Outcomes {
			if replay := i%2 == 1; replay != (out.Code == protocol.CodeReplayed) {
				t.Fatalf("transaction %d: %v", i, out.Code)
			}
		}
		moves, _ := l.movements(before)
		for _, m := range moves {
			last = max(last, m.ID)
		}
	}
	sums, done := map[protocol.Address]int64{}, map[protocol.TokenKind]int{}
	moves, _ := l.movements(0)
	for _, m := range moves {
		done[m.Kind]++
		switch m.Kind {
		case protocol.TokenTransfer, protocol.TokenDebit, protocol.TokenPayment:
			sums[m.From] -= int64(m.Amount)
			sums[m.To] += int64(m.Amount)
		case protocol.TokenHold, protocol.TokenStream, protocol.TokenBurn:
			sums[m.From] -= int64(m.Amount)
		case protocol.TokenMint, protocol.TokenRefund, protocol.TokenSettle, protocol.TokenRelease, protocol.TokenStop:
			sums[m.To] += int64(m.Amount)
			sums[m.From] += int64(m.Rest)
		}
	}
	for _, name := range names {
		if got := l.has(name, "EUR"); got != uint64(sums[l.address(name)]) {
			t.Errorf("%s has %d, the log says %d", name, got, sums[l.address(name)])
		}
	}
	for kind := protocol.TokenMint; kind <= protocol.TokenUnfreeze; kind++ {
		if done[kind] == 0 {
			t.Errorf("no %s was done: %v", kind, done)
		}
	}
	replayed := newLedger(t)
	replayed.replay(l)
}

func randomOp(r *rand.Rand, now, last uint64, any func() protocol.Address) protocol.TokenOp {
	o := protocol.TokenOp{Kind: protocol.TokenMint + protocol.TokenKind(r.IntN(int(protocol.TokenUnfreeze-protocol.TokenMint)+1))}
	switch o.Kind {
	case protocol.TokenRelease:
		o.ID, o.Account, o.Amount = 1+last-min(last, r.Uint64N(12)), any(), 1+r.Uint64N(200)
	case protocol.TokenRefund, protocol.TokenSettle, protocol.TokenStop, protocol.TokenUnschedule:
		o.ID = 1 + last - min(last, r.Uint64N(12))
	default:
		o.Asset = "EUR"
		if o.Kind != protocol.TokenBurn && o.Kind != protocol.TokenHold {
			o.Account = any()
		}
		if o.Kind != protocol.TokenRevoke && o.Kind < protocol.TokenFreeze {
			o.Amount = 1 + r.Uint64N(300)
		}
	}
	switch o.Kind {
	case protocol.TokenHold:
		o.UntilMs = now + r.Uint64N(20_000)
	case protocol.TokenAllow:
		o.PeriodMs = r.Uint64N(10_000)
	case protocol.TokenDebit:
		o.From = any()
	case protocol.TokenStream:
		o.Rate, o.PeriodMs = 1+r.Uint64N(50), 1_000
	case protocol.TokenSchedule:
		o.Count, o.PeriodMs = 1+r.Uint64N(3), protocol.MinScheduleMs
	}
	return o
}
