package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// Indexes of manifest.json.
const (
	onPlaced = iota
	onCancelled
	onRetry
	onReady
	onReceived
	onDispatched
	onDelivered
	onFailed
	onExpire
	onClock
)

const (
	callOfAllow, callOfRevoke, callOfPayOut = 0, 1, 2

	queryOfOrder, queryOfStock, queryOfTotals, queryOfAllowed = 0, 1, 2, 3
)

// senders are the roles whose source may send each event.
var senders = [...]role{roleShop, roleShop, roleShop, rolePayments, roleWarehouse,
	roleCarrier, roleCarrier, roleCarrier, roleClock, roleClock}

func TestManifest(t *testing.T) {
	text, err := os.ReadFile("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := abi.ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := sdk.CheckManifest(m); err != nil {
		t.Fatal(err)
	}
	if got := len(m.Events[onPlaced].Fields); got != 5+3*maxLines {
		t.Fatalf("an order has %d fields, the contract reads %d", got, 5+3*maxLines)
	}
}

// The table in the README is the one in the code, row by row.
func TestTableIsDocumented(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, tr := range transitions {
		row := fmt.Sprintf("\n| %s | %s | %s |", stateNames[tr.from], triggerNames[tr.by], stateNames[tr.to])
		if !strings.Contains(string(text), row) {
			t.Errorf("README.md lacks the row %q", row)
		}
		rows++
	}
	if got := strings.Count(string(text), "\n| none | ") + strings.Count(string(text), "\n| placed | ") +
		strings.Count(string(text), "\n| held | ") + strings.Count(string(text), "\n| reserved | ") +
		strings.Count(string(text), "\n| shipped | "); got != rows {
		t.Errorf("README.md has %d transitions, the code %d", got, rows)
	}
}

// world is a ledger with the saga on it, at one moment.
type world struct {
	t *testing.T
	*sdk.Host
	index uint64 // of the entry delivered last
	sec   int64  // event time
	bank  *sdk.Bank
}

var names = []string{"ann", "bob", "cy", "eve", "x", "y"}

// accountOf is a customer's.
func accountOf(name string) [abi.AddressBytes]byte {
	return address(byte(100 + slices.Index(names, name)))
}

func ofAccount(args *sdk.Args, name string) *sdk.Args {
	a := accountOf(name)
	return args.Bytes(a[:])
}

// named has names instead of accounts in what the contract says.
func named(text string) string {
	for _, name := range names {
		text = strings.ReplaceAll(text, fmt.Sprintf("%x", accountOf(name)), name)
	}
	return text
}

const startSec = 1_700_000_000

// address is that of a role's source.
func address(n byte) (a [abi.AddressBytes]byte) {
	a[0], a[abi.AddressBytes-1] = n+1, n+1
	return a
}

var owner = address(99)

func newWorld(t *testing.T) *world {
	w := &world{t: t, Host: sdk.NewHost(), sec: startSec}
	w.openBank()
	if err := w.deploy(3600, 7200); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) openBank() {
	w.Address = address(98)
	w.bank = w.OpenBank()
	w.bank.Issue("EUR", owner)
}

func (w *world) deploy(waitSec, transitSec int64) error {
	var fields []byte
	for _, seconds := range []int64{waitSec, transitSec} {
		fields = abi.AppendU64(abi.AppendFlag(fields, true), uint64(seconds))
	}
	for of := range roles {
		a := address(byte(of))
		fields = appendBytes(fields, a[:])
	}
	return w.from(sdk.EntryInit, 0, owner, appendBytes(fields, []byte("EUR")))
}

// from delivers a deployment or a call of a caller.
func (w *world) from(entry sdk.Entry, handler int, caller [abi.AddressBytes]byte, fields []byte) error {
	record := abi.AppendCallHeader(nil, &abi.CallHeader{Height: 1, Caller: caller})
	_, err := w.Deliver(entry, handler, append(record, fields...))
	return err
}

// appendBytes adds a string or bytes field.
func appendBytes(fields, value []byte) []byte {
	return abi.AppendRun(abi.AppendFlag(fields, true), value)
}

// send delivers an event of the source that may send it.
func (w *world) send(handler int, subject string, args *sdk.Args) error {
	return w.sendAs(address(byte(senders[handler])), handler, subject, args)
}

func (w *world) sendAs(origin [abi.AddressBytes]byte, handler int, subject string, args *sdk.Args) error {
	w.index++
	w.TimeMs = uint64(w.sec) * 1000
	return w.Event(handler, abi.EventHeader{
		Index: w.index, HasTime: true, EventTimeNs: w.sec * nanosPerSec, Origin: origin,
		Type: []byte(fmt.Sprint("type", handler)), Subject: []byte(subject),
	}, args)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// item is a line of an order in a test.
type item struct {
	article         string
	quantity, price uint64
}

// placing is an order's fields; the total is that of its lines.
func placing(account string, mayWait bool, items ...item) *sdk.Args {
	total := uint64(0)
	for _, it := range items {
		total += it.quantity * it.price
	}
	args := ofAccount(new(sdk.Args), account).Uint(uint64(len(items))).Uint(total).Bool(mayWait).Absent()
	return addItems(args, items)
}

func addItems(args *sdk.Args, items []item) *sdk.Args {
	for i := range maxLines {
		if i < len(items) {
			args.Text(items[i].article).Uint(items[i].quantity).Uint(items[i].price)
		} else {
			args.Absent().Absent().Absent()
		}
	}
	return args
}

// topUp gives an account units and says so.
func (w *world) topUp(account string, amount uint64) error {
	w.bank.Endow("EUR", accountOf(account), int64(amount))
	w.bank.Allow("EUR", accountOf(account), 1<<60)
	return w.send(onReady, "", ofAccount(new(sdk.Args), account))
}

func (w *world) receive(article string, quantity uint64) error {
	return w.send(onReceived, article, new(sdk.Args).Uint(quantity).Text(fmt.Sprint("slip", w.index)))
}

// told renders what was emitted since the last call: type and data, a line each.
func (w *world) told() string {
	var lines []string
	for _, e := range w.Emitted {
		lines = append(lines, named(e.Type+" "+string(e.Data)))
	}
	w.Emitted = nil
	return strings.Join(lines, "\n")
}

// ask answers a query as JSON, or fails.
func (w *world) ask(handler int, name string, into any) {
	w.t.Helper()
	var args *sdk.Args
	if name != "" {
		args = new(sdk.Args).Text(name)
	}
	out, err := w.Query(handler, args)
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		w.t.Fatalf("query %d of %q: %v", handler, name, err)
	}
}

func (w *world) status(id string) string {
	w.t.Helper()
	var o struct{ Status string }
	w.ask(queryOfOrder, id, &o)
	return o.Status
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// An order that goes well, event by event.
func TestOrderGoesWell(t *testing.T) {
	w := newWorld(t)
	w.must(w.topUp("ann", 1000))
	w.must(w.receive("bolt", 10))
	w.must(w.receive("nut", 10))
	w.must(w.send(onPlaced, "o1", placing("ann", false, item{"bolt", 2, 150}, item{"nut", 3, 7})))
	equal(t, w.told(), `order.status.v1 {"order":"o1","account":"ann","amountMinor":321,"cause":4,"from":"none","by":"place","status":"placed"}
payment.held.v1 {"order":"o1","account":"ann","amountMinor":321,"cause":4}
order.status.v1 {"order":"o1","account":"ann","amountMinor":321,"cause":4,"from":"placed","by":"hold","status":"held"}
stock.reserved.v1 {"order":"o1","account":"ann","amountMinor":321,"cause":4,"lines":[{"article":"bolt","quantity":2,"priceMinor":150},{"article":"nut","quantity":3,"priceMinor":7}]}
order.status.v1 {"order":"o1","account":"ann","amountMinor":321,"cause":4,"from":"held","by":"reserve","status":"reserved"}`)
	w.must(w.send(onDispatched, "o1", nil))
	equal(t, w.told(), `payment.captured.v1 {"order":"o1","account":"ann","amountMinor":321,"cause":5}
order.status.v1 {"order":"o1","account":"ann","amountMinor":321,"cause":5,"from":"reserved","by":"dispatch","status":"shipped"}`)
	w.must(w.send(onDispatched, "o1", nil))
	equal(t, w.told(), "")
	w.must(w.send(onDelivered, "o1", nil))
	w.must(w.send(onDispatched, "o1", nil)) // even now it is only a repeat
	equal(t, w.told(), `order.status.v1 {"order":"o1","account":"ann","amountMinor":321,"cause":7,"from":"shipped","by":"deliver","status":"delivered"}`)
	out, _ := w.Query(queryOfOrder, new(sdk.Args).Text("o1"))
	equal(t, named(string(out)), `{"order":"o1","account":"ann","status":"delivered","waitsFor":null,"totalMinor":321,"hold":0,`+
		`"lines":[{"article":"bolt","quantity":2,"priceMinor":150},{"article":"nut","quantity":3,"priceMinor":7}],"deadlineMs":null,`+
		`"history":[{"by":"place","status":"placed","cause":4,"timeMs":1700000000000},{"by":"hold","status":"held","cause":4,"timeMs":1700000000000},`+
		`{"by":"reserve","status":"reserved","cause":4,"timeMs":1700000000000},{"by":"dispatch","status":"shipped","cause":5,"timeMs":1700000000000},`+
		`{"by":"deliver","status":"delivered","cause":7,"timeMs":1700000000000}]}`)
	out, _ = w.Query(queryOfTotals, nil)
	equal(t, string(out), `{"asset":"EUR","capturedMinor":321,"earnedMinor":321}`)
}

// Compensation names the steps it undoes, the last one first.
func TestCompensationInReverse(t *testing.T) {
	for _, c := range []struct {
		handler int
		args    *sdk.Args
		later   int64
		want    string // types of what is emitted, and what the compensation undid
	}{
		{onCancelled, nil, 0, `stock.released payment.released order.compensated ["reserve","hold"]`},
		{onExpire, nil, 3600, `stock.released payment.released order.compensated ["reserve","hold"]`},
		{onFailed, new(sdk.Args).Bool(false), 0, `stock.released payment.released order.compensated ["reserve","hold"]`},
	} {
		equal(t, compensation(t, false, c.handler, c.args, c.later), c.want)
	}
	shipped := `payment.refunded stock.released order.compensated ["capture","reserve"]`
	equal(t, compensation(t, true, onFailed, new(sdk.Args).Bool(true), 0), shipped)
	lost := `payment.refunded stock.lost order.compensated ["capture","reserve"]`
	equal(t, compensation(t, true, onFailed, new(sdk.Args).Bool(false), 0), lost)
	equal(t, compensation(t, true, onExpire, nil, 7200), lost)
}

// compensation brings an order to reserved or shipped, ends it with an event,
// and renders what was undone.
func compensation(t *testing.T, shipped bool, handler int, args *sdk.Args, later int64) string {
	t.Helper()
	w := newWorld(t)
	w.must(w.topUp("ann", 300))
	w.must(w.receive("bolt", 2))
	w.must(w.send(onPlaced, "o1", placing("ann", false, item{"bolt", 2, 150})))
	if shipped {
		w.must(w.send(onDispatched, "o1", nil))
	}
	w.told()
	w.sec += later
	w.must(w.send(handler, "o1", args))
	var words []string
	for _, e := range w.Emitted {
		if e.Type == "order.status.v1" {
			continue
		}
		words = append(words, strings.TrimSuffix(e.Type, ".v1"))
		if e.Type == "order.compensated.v1" {
			var v struct{ Undone json.RawMessage }
			w.must(json.Unmarshal(e.Data, &v))
			words = append(words, string(v.Undone))
		}
	}
	if has := w.bank.Balance("EUR", accountOf("ann")); has != 300 {
		t.Errorf("the customer has %d, had 300", has)
	}
	return strings.Join(words, " ")
}
