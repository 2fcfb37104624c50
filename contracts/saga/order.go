package main

import (
	"bytes"
	"math/bits"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// line is one article of an order; no two of an order have the same.
type line struct {
	article         []byte
	quantity, price uint64 // price of one piece, minor units
}

// terms are what was ordered: they never change.
type terms struct {
	account []byte // 20 bytes, who pays
	mayWait bool
	until   int64 // the deadline that was asked for, Unix nanoseconds; 0 for none
	total   uint64
	lines   []line
}

// moment is one step of an order's history.
type moment struct {
	to     state
	by     trigger
	index  uint64 // of the log entry that caused it
	timeNs int64  // of that event
}

// order is one order's record: its terms, then what changes.
type order struct {
	terms
	id       []byte
	state    state
	done     uint64 // the triggers that were fired, one bit each
	deadline int64  // Unix nanoseconds, of the step under way; 0 at the end
	hold     uint64 // of the total; 0 while none is held
	queue    []byte // the key of its place in a queue; nil while it waits in none
	history  []moment
}

// orders maps an order's name to its record.
var orders = sdk.NewMap("o")

// readTerms reads the fields of order.placed.v1 and checks them.
func readTerms(e *sdk.Event) *terms {
	checkName(e.Subject)
	t := &terms{account: e.Bytes()}
	checkAccount(t.account)
	count, total := e.Uint(), e.Uint()
	t.mayWait, t.until = e.BoolOr(false), e.IntOr(0)
	if t.until != 0 && (t.until <= e.TimeNs() || t.until-e.TimeNs() > maxSpanSec*nanosPerSec) {
		sdk.Abort(codeBadOrder, "BAD_ORDER: a deadline lies within 366 days after the order")
	}
	sum := uint64(0)
	for i := range uint64(maxLines) {
		l := line{article: e.BytesOr(nil), quantity: e.UintOr(0), price: e.UintOr(0)}
		if i >= count {
			if l.article != nil {
				sdk.Abort(codeBadOrder, "BAD_ORDER: there are more lines than lineCount says")
			}
			continue
		}
		checkName(l.article)
		for k := range t.lines {
			if bytes.Equal(t.lines[k].article, l.article) {
				sdk.Abort(codeBadOrder, "BAD_ORDER: an article is in two lines")
			}
		}
		if l.quantity == 0 || l.quantity > maxQuantity {
			sdk.Abort(codeBadOrder, "BAD_ORDER: a quantity is 1 to 1000000")
		}
		high, amount := bits.Mul64(l.quantity, l.price)
		if high != 0 || amount > maxAmount-sum {
			sdk.Abort(codeBadAmount, "BAD_AMOUNT: the order's total is above 2^53-1")
		}
		sum += amount
		t.lines = append(t.lines, l)
	}
	if count == 0 || count > maxLines {
		sdk.Abort(codeBadOrder, "BAD_ORDER: an order has 1 to 8 lines")
	}
	if sum != total {
		sdk.Abort(codeBadOrder, "BAD_ORDER: the lines do not make totalMinor")
	}
	t.total = total
	return t
}

func newOrder(e *sdk.Event, t *terms) *order {
	o := &order{terms: *t, id: e.Subject}
	deadline := t.until
	if deadline == 0 {
		deadline = e.TimeNs() + parameters().waitSec*nanosPerSec
	}
	o.moveDeadline(deadline)
	return o
}

func (o *order) happened(by trigger) bool { return o.done>>by&1 != 0 }

// find reads an order, or answers nil.
func find(id []byte) *order {
	checkName(id)
	record, found := orders.Get(id)
	if !found {
		return nil
	}
	r := abi.NewReader(record)
	o := &order{id: id, terms: decodeTerms(r.Bytes())}
	o.state, o.done, o.deadline, o.hold = state(r.Uint()), r.Uint(), r.Int(), r.Uint()
	if o.queue = r.Bytes(); len(o.queue) == 0 {
		o.queue = nil
	}
	for r.Ok() && !r.Done() {
		o.history = append(o.history, moment{state(r.Uint()), trigger(r.Uint()), r.Uint(), r.Int()})
	}
	checkState(r.Done() && int(o.state) < len(stateNames))
	return o
}

// mustFind reads an order that is there, or aborts.
func mustFind(id []byte) *order {
	o := find(id)
	if o == nil {
		sdk.Abort(codeUnknownOrder, "UNKNOWN_ORDER: no such order was placed")
	}
	return o
}

func (o *order) save() {
	b := abi.AppendRun(make([]byte, 0, 512), o.terms.encode())
	b = abi.AppendU64(abi.AppendU64(abi.AppendU64(b, uint64(o.state)), o.done), uint64(o.deadline))
	b = abi.AppendU64(b, o.hold)
	b = abi.AppendRun(b, o.queue)
	for _, m := range o.history {
		b = abi.AppendU64(abi.AppendU64(b, uint64(m.to)), uint64(m.by))
		b = abi.AppendU64(abi.AppendU64(b, m.index), uint64(m.timeNs))
	}
	orders.Set(o.id, b)
}

// encode writes terms one way only: equal terms are equal bytes.
func (t *terms) encode() []byte {
	b := abi.AppendFlag(abi.AppendRun(make([]byte, 0, 256), t.account), t.mayWait)
	b = abi.AppendU64(abi.AppendU64(b, uint64(t.until)), t.total)
	for _, l := range t.lines {
		b = abi.AppendU64(abi.AppendU64(abi.AppendRun(b, l.article), l.quantity), l.price)
	}
	return b
}

func decodeTerms(b []byte) (t terms) {
	r := abi.NewReader(b)
	t.account, t.mayWait, t.until, t.total = r.Bytes(), r.Bool(), r.Int(), r.Uint()
	for r.Ok() && !r.Done() {
		t.lines = append(t.lines, line{r.Bytes(), r.Uint(), r.Uint()})
	}
	checkState(r.Done())
	return t
}

// number appends eight bytes, little-endian.
func number(b []byte, v uint64) []byte { return abi.AppendU64(b, v) }
