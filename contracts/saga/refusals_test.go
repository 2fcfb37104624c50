package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// refuse expects a code and its name, and no trace in the state.
func (w *world) refuse(code uint32, name string, deed func() error) {
	w.t.Helper()
	before, emitted := fmt.Sprint(w.State), len(w.Emitted)
	err := deed()
	if sdk.CodeOf(err) != code || !strings.HasPrefix(messageOf(err), name+":") {
		w.t.Errorf("%v, want code %d %s", err, code, name)
	}
	if fmt.Sprint(w.State) != before || len(w.Emitted) != emitted {
		w.t.Errorf("%s left a trace", name)
	}
}

func messageOf(err error) string {
	if f, ok := err.(*sdk.Failure); ok {
		return f.Message
	}
	return fmt.Sprint(err)
}

// Every event is taken from the source of its role and from no other, and
// only the owner says who that is.
func TestSources(t *testing.T) {
	w := newWorld(t)
	some := ofAccount(new(sdk.Args), "ann")
	for handler, sender := range senders {
		for other := range roles {
			if other != sender {
				w.refuse(codeNotAllowed, "NOT_ALLOWED", func() error { return w.sendAs(address(byte(other)), handler, "x", some) })
			}
		}
		w.refuse(codeNotAllowed, "NOT_ALLOWED", func() error { return w.sendAs(owner, handler, "x", some) })
	}
	second := address(50)
	fields := func(role string, a []byte) []byte { return appendBytes(appendBytes(nil, []byte(role)), a) }
	call := func(handler int, caller [abi.AddressBytes]byte, role string, a []byte) func() error {
		return func() error { return w.from(sdk.EntryCall, handler, caller, fields(role, a)) }
	}
	topUp := func() error {
		return w.sendAs(second, onReady, "", some)
	}
	w.refuse(codeNotOwner, "NOT_OWNER", call(callOfAllow, second, "payments", second[:]))
	w.refuse(codeBadParameters, "BAD_PARAMETERS", call(callOfAllow, owner, "paymentz", second[:]))
	w.refuse(codeBadParameters, "BAD_PARAMETERS", call(callOfAllow, owner, "payments", second[1:]))
	w.refuse(codeNotAllowed, "NOT_ALLOWED", topUp)
	w.must(call(callOfAllow, owner, "payments", second[:])())
	w.must(topUp())
	w.must(call(callOfRevoke, owner, "payments", second[:])())
	w.refuse(codeNotAllowed, "NOT_ALLOWED", topUp)
	out, err := w.Query(queryOfAllowed, new(sdk.Args).Text("payments").Bytes(second[:]))
	w.must(w.sendAs(accountOf("ann"), onReady, "", some)) // of its own account anybody may say so
	w.refuse(codeNotOwner, "NOT_OWNER", func() error { return w.payOut(second, 1) })
	w.refuse(codeUnfunded, "UNFUNDED", func() error { return w.payOut(owner, 1) })
	if string(out) != `{"allowed":false}` || err != nil {
		t.Errorf("%s, %v", out, err)
	}
}

func TestRefusedOrders(t *testing.T) {
	w := newWorld(t)
	place := func(id string, args *sdk.Args) func() error {
		return func() error { return w.send(onPlaced, id, args) }
	}
	head := func(account string, count, total uint64, deadline int64) *sdk.Args {
		return ofAccount(new(sdk.Args), account).Uint(count).Uint(total).Absent().Int(deadline)
	}
	bolt := []item{{"bolt", 2, 5}}
	now := w.sec * nanosPerSec
	long := strings.Repeat("n", maxName+1)
	w.refuse(codeBadName, "BAD_NAME", place("", placing("ann", false, bolt...)))
	w.refuse(codeBadName, "BAD_NAME", place(long, placing("ann", false, bolt...)))
	w.refuse(codeBadAccount, "BAD_ACCOUNT", place("o", addItems(new(sdk.Args).Text("ann").Uint(1).Uint(10).Absent().Absent(), bolt)))
	w.refuse(codeBadAccount, "BAD_ACCOUNT", place("o", addItems(new(sdk.Args).Bytes(w.Address[:]).Uint(1).Uint(10).Absent().Absent(), bolt)))
	w.refuse(codeBadName, "BAD_NAME", place("o", placing("ann", false, item{long, 1, 1})))
	w.refuse(codeBadName, "BAD_NAME", place("o", addItems(head("ann", 2, 10, now+1), bolt))) // the second line is missing
	for _, args := range []*sdk.Args{
		addItems(head("ann", 0, 0, now+1), nil),
		addItems(head("ann", 0, 10, now+1), bolt),
		addItems(head("ann", 1, 11, now+1), bolt),
		addItems(head("ann", 1, 10, now), bolt),
		addItems(head("ann", 1, 10, -1), bolt),
		addItems(head("ann", 1, 10, now+maxSpanSec*nanosPerSec+1), bolt),
		placing("ann", false, item{"bolt", 1, 1}, item{"bolt", 1, 1}),
		placing("ann", false, item{"bolt", 0, 1}),
		placing("ann", false, item{"bolt", maxQuantity + 1, 1}),
	} {
		w.refuse(codeBadOrder, "BAD_ORDER", place("o", args))
	}
	for _, items := range [][]item{
		{{"bolt", 2, 1 << 63}}, {{"bolt", 1, maxAmount + 1}}, {{"bolt", 1, maxAmount}, {"nut", 1, 1}}, {{"bolt", 1 << 19, 1 << 45}},
	} {
		w.refuse(codeBadAmount, "BAD_AMOUNT", place("o", placing("ann", false, items...)))
	}
	for _, sec := range []int64{-1, maxTimeNs/nanosPerSec + 1} {
		w.refuse(codeBadTime, "BAD_TIME", func() error { return w.at(sec, sec+1) })
	}
	w.refuse(codeBadTime, "BAD_TIME", func() error { return w.at(startSec+maxAheadSec+1, startSec) })
	w.must(w.at(startSec+maxAheadSec, startSec))
}

// A deadline is reached at its own nanosecond and not before.
func TestDeadlineToTheNanosecond(t *testing.T) {
	w := newWorld(t)
	until := w.sec*nanosPerSec + 5
	w.must(w.send(onPlaced, "o", addItems(ofAccount(new(sdk.Args), "ann").Uint(1).Uint(7).Bool(true).Int(until), []item{{"bolt", 1, 7}})))
	for _, step := range []struct {
		timeNs int64
		want   string
	}{{until - 1, "placed"}, {until, "expired"}} {
		w.must(w.Event(onClock, abi.EventHeader{Index: 2, HasTime: true, EventTimeNs: step.timeNs, Origin: address(byte(roleClock))}, nil))
		equal(t, w.status("o"), step.want)
	}
}

// at ticks the clock at an event time, in a block of another.
func (w *world) at(sec, blockSec int64) error {
	w.TimeMs = uint64(max(blockSec, 0)) * 1000
	header := abi.EventHeader{Index: 1, HasTime: true, EventTimeNs: sec * nanosPerSec, Origin: address(byte(roleClock))}
	return w.Event(onClock, header, nil)
}

// A receipt counts once for its reference, and sums stay exact.
func TestReferencesAndLimits(t *testing.T) {
	w := newWorld(t)
	for _, handler := range []int{onReceived} {
		pay := func(who string, amount uint64, reference string) func() error {
			return func() error { return w.send(handler, who, new(sdk.Args).Uint(amount).Text(reference)) }
		}
		w.must(pay("x", 7, "r1")())
		before := fmt.Sprint(w.State)
		w.must(pay("x", 7, "r1")())
		equal(t, fmt.Sprint(w.State), before)
		w.refuse(codeReferenceUsed, "REFERENCE_USED", pay("x", 8, "r1"))
		w.refuse(codeReferenceUsed, "REFERENCE_USED", pay("y", 7, "r1"))
		w.refuse(codeBadAmount, "BAD_AMOUNT", pay("x", 0, "r2"))
		w.refuse(codeBadAmount, "BAD_AMOUNT", pay("x", maxAmount+1, "r2"))
		w.refuse(codeBadName, "BAD_NAME", pay("x", 1, ""))
		w.refuse(codeBadName, "BAD_NAME", pay("", 1, "r2"))
		w.must(pay("x", maxAmount-7, "r2")())
		w.refuse(codeLimit, "LIMIT", pay("x", 1, "r3"))
	}
	w.must(w.receive("y", maxAmount)) // articles are apart
	w.must(w.topUp("x", maxAmount))
	w.must(w.send(onPlaced, "all", placing("x", false, item{"x", 1, maxAmount})))
	w.must(w.send(onDispatched, "all", nil))
	equal(t, w.status("all"), "shipped")
}

// A queue holds 16 orders; the next is not made to wait. What arrives goes to
// the oldest that it suffices for.
func TestQueues(t *testing.T) {
	w := newWorld(t)
	for i := range maxWaiting + 1 {
		w.must(w.send(onPlaced, fmt.Sprintf("o%02d", i), placing("ann", true, item{"bolt", 1, uint64(100 - i)})))
	}
	equal(t, w.status("o15"), "placed")
	equal(t, w.status("o16"), "rejected")
	w.must(w.topUp("ann", 99)) // too little for o00, enough for o01 and no more
	equal(t, w.status("o00"), "placed")
	equal(t, w.status("o01"), "held")
	equal(t, w.status("o02"), "placed")
	w.must(w.send(onPlaced, "o17", placing("ann", true, item{"bolt", 1, 1}))) // the place is free again
	w.must(w.topUp("ann", 2000))
	w.must(w.receive("bolt", 3))
	for i, want := range []string{"reserved", "reserved", "reserved", "held"} {
		equal(t, w.status(fmt.Sprintf("o%02d", i)), want)
	}
	// What a compensation frees goes to who asks next.
	w.must(w.send(onCancelled, "o00", nil))
	equal(t, w.status("o03"), "held")
	w.must(w.send(onRetry, "o03", nil))
	equal(t, w.status("o03"), "reserved")
	// A deadline that has passed counts before the clock has said so.
	w.sec += 3600
	w.must(w.receive("bolt", 1))
	equal(t, w.status("o04"), "expired")
	// One tick ends 16 orders, the next the rest.
	w.must(w.send(onClock, "", nil))
	w.must(w.send(onClock, "", nil))
	for i := range maxWaiting {
		if s := w.status(fmt.Sprintf("o%02d", i)); s != "expired" && i > 0 {
			t.Errorf("o%02d is %s", i, s)
		}
	}
}

func TestParameters(t *testing.T) {
	for _, bad := range [][2]int64{{0, 1}, {1, 0}, {-1, 1}, {maxSpanSec + 1, 1}, {1, maxSpanSec + 1}} {
		w := &world{t: t, Host: sdk.NewHost()}
		w.openBank()
		w.refuse(codeBadParameters, "BAD_PARAMETERS", func() error { return w.deploy(bad[0], bad[1]) })
	}
}

// A hold that no event ended goes back by itself: the goods are not dispatched,
// and the order ends with nothing left to release.
func TestHoldsExpire(t *testing.T) {
	w := newWorld(t)
	w.must(w.topUp("ann", 300))
	w.must(w.receive("bolt", 2))
	w.must(w.send(onPlaced, "o", placing("ann", false, item{"bolt", 2, 150})))
	late := func(handler int, of role, subject string) error {
		w.TimeMs = uint64(startSec+3600)*1000 + holdMs
		header := abi.EventHeader{Index: 9, HasTime: true, EventTimeNs: (startSec + 3600) * nanosPerSec, Origin: address(byte(of)), Subject: []byte(subject)}
		return w.Event(handler, header, nil)
	}
	w.refuse(codeBankRefused, "BANK_REFUSED", func() error { return late(onDispatched, roleCarrier, "o") })
	if has := w.bank.Balance("EUR", accountOf("ann")); has != 300 {
		t.Errorf("ann has %d", has)
	}
	w.must(late(onClock, roleClock, ""))
	equal(t, w.status("o"), "expired")
}
