package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// Indexes of manifest.json.
const (
	eventReading, eventFine, eventClose, eventPrediction               = 0, 1, 2, 3
	callConfigure, callTechnician, callClose, callSettle, callWithdraw = 0, 1, 2, 3, 4
	queryOfOrder, queryOfOrders, queryOfAsset, queryOfStats, queryDue  = 0, 1, 2, 3, 4
)

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
	// Both lists of parameters are the same, in the order that read takes them.
	for i, f := range m.Calls[callConfigure].Fields[1:] {
		if g := m.Init[3+i]; g.Name != f.Name || g.Kind != f.Kind || g.Scale != f.Scale || !g.Optional {
			t.Errorf("init has %v where configure has %v", g, f)
		}
		if i >= len(parameterNames) || parameterNames[i] != f.Name {
			t.Errorf("parameter %d is %s", i, f.Name)
		}
	}
}

// parameterNames are the fields that init and configure share, in order.
var parameterNames = []string{
	"threshold", "thresholdOn", "thresholdOff", "ewma", "ewmaOn", "ewmaOff", "rate", "rateOn", "rateOff",
	"alpha", "escalateMs", "escalateReadings", "reward", "maxAheadMs", "producer",
}

// set are parameters by name; levels are whole numbers times 10^9.
type set map[string]any

const one = 1_000_000_000 // as a level or a coarse value

// in answers the parameters' fields in order.
func (s set) in() (fields []any) {
	for _, name := range parameterNames {
		fields = append(fields, s[name])
	}
	return fields
}

// person is an address that a test can tell from others.
func person(n byte) (a address) {
	for i := range a {
		a[i] = n + byte(i)
	}
	return a
}

var owner, configurer, technician, producer, stranger = person(1), person(2), person(3), person(4), person(5)

// text is the address as the ledger writes it.
func (a address) text() string {
	var w sdk.JSON
	a.write(&w)
	return strings.Trim(string(w.Bytes()), `"`)
}

// record appends fields to an input record: nil is one that is left out.
func record(b []byte, fields []any) []byte {
	for _, f := range fields {
		b = abi.AppendFlag(b, f != nil)
		switch v := f.(type) {
		case nil:
		case int:
			b = abi.AppendU64(b, uint64(v))
		case int64:
			b = abi.AppendU64(b, uint64(v))
		case uint64:
			b = abi.AppendU64(b, v)
		case bool:
			b = abi.AppendFlag(b, v)
		case string:
			b = abi.AppendRun(b, []byte(v))
		default:
			panic(fmt.Sprintf("a field of type %T", f))
		}
	}
	return b
}

// plant is a ledger with the maintenance contract on it.
type plant struct {
	t *testing.T
	*sdk.Host
	index uint64 // of the last reading
	bank  *sdk.Bank
}

// openBank gives the ledger EUR, which the owner issues.
func (c *plant) openBank() {
	c.Address = person(6)
	c.bank = c.OpenBank()
	c.bank.Issue("EUR", owner)
}

// newPlant deploys with the given parameters and everyone in place.
func newPlant(t *testing.T, parameters set) *plant {
	c := &plant{t: t, Host: sdk.NewHost(), index: 100}
	c.openBank()
	c.TimeMs = uint64(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	if err := c.deploy(configurer.text(), technician.text(), parameters); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *plant) deploy(configurer, technician any, parameters set) error {
	fields := append([]any{nil, configurer, technician}, parameters.in()...)
	_, err := c.request(sdk.EntryInit, 0, owner, append(fields, parameters["rewardAsset"])...)
	return err
}

func (c *plant) request(entry sdk.Entry, handler int, who address, fields ...any) ([]byte, error) {
	header := abi.CallHeader{Height: c.Height, TimeMs: c.TimeMs, Caller: who}
	return c.Deliver(entry, handler, record(abi.AppendCallHeader(nil, &header), fields))
}

func (c *plant) call(handler int, who address, fields ...any) error {
	_, err := c.request(sdk.EntryCall, handler, who, fields...)
	return err
}

func (c *plant) configure(name string, parameters set) {
	c.t.Helper()
	if err := c.call(callConfigure, configurer, append([]any{name}, parameters.in()...)...); err != nil {
		c.t.Fatal(err)
	}
}

// ask answers a query, or the refusal's code.
func (c *plant) ask(handler int, fields ...any) string {
	out, err := c.request(sdk.EntryQuery, handler, address{}, fields...)
	if err != nil {
		return fmt.Sprint("code ", sdk.CodeOf(err))
	}
	return string(out)
}

func (c *plant) event(handler int, from address, name string, ns int64, fields ...any) error {
	c.index++
	header := abi.EventHeader{
		Height: c.Height, TimeMs: c.TimeMs, Index: c.index, HasTime: true, EventTimeNs: ns,
		Origin: from, Subject: []byte(name),
	}
	_, err := c.Deliver(sdk.EntryEvent, handler, record(abi.AppendEventHeader(nil, &header), fields))
	return err
}

// read delivers a coarse reading, seconds after the start of 2024.
func (c *plant) read(name string, sec int64, value int64) error {
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	return c.event(eventReading, producer, name, start+sec*1e9, value)
}

func (c *plant) mustRead(name string, sec int64, values ...int64) {
	c.t.Helper()
	for i, value := range values {
		if err := c.read(name, sec+60*int64(i), value); err != nil {
			c.t.Fatalf("%s: reading %d: %v", name, i, err)
		}
	}
}

// emitted renders what was emitted since the last call, one a line.
func (c *plant) emitted() string {
	var lines []string
	for _, e := range c.Emitted {
		if !json.Valid(e.Data) {
			c.t.Errorf("not JSON: %s", e.Data)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", strings.TrimPrefix(e.Type, "maintenance."), e.Subject, e.Data))
	}
	c.Emitted = nil
	return strings.Join(lines, "\n")
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func refused(t *testing.T, what string, err error, code uint32) {
	t.Helper()
	if sdk.CodeOf(err) != code {
		t.Errorf("%s: %v, want code %d", what, err, code)
	}
}

// An order's life: opened by a rising edge, joined by a second trigger,
// escalated, confirmed, rewarded, settled; and every number along the way.
func TestOrder(t *testing.T) {
	c := newPlant(t, set{
		"threshold": "above", "thresholdOn": 80 * one, "thresholdOff": 75 * one,
		"rate": "above", "rateOn": 5 * one, "escalateReadings": 4, "reward": 250, "rewardAsset": "EUR",
	})
	c.mustRead("pump", 0, 70*one, 74*one, 78*one)
	equal(t, c.emitted(), "")
	c.mustRead("pump", 180, 80*one) // the on-level itself
	p := producer.text()
	equal(t, c.emitted(), `order.opened.v1 pump {"order":"pump#1","asset":"pump","triggers":["threshold"],"value":"80","ewma":"72.5078125","ratePerMinute":"2","reading":104,"observedMs":1704067380000,"producer":"`+p+`"}`)
	c.mustRead("pump", 240, 85*one+1) // the rate rises too: attached
	c.mustRead("pump", 300, 75*one)   // still held: the off-level itself
	equal(t, c.emitted(), "")
	c.mustRead("pump", 360, 76*one)
	equal(t, c.emitted(), `order.escalated.v1 pump {"order":"pump#1","asset":"pump","triggers":["threshold"],"value":"76","ewma":"74.412460328","ratePerMinute":"1","reading":107,"observedMs":1704067560000,"openedBy":104,"heldMs":180000,"heldReadings":4}`)
	c.mustRead("pump", 420, 75*one-1, 90*one) // falls, rises by both: attached, nothing emitted
	equal(t, c.emitted(), "")
	want := `{"order":"pump#1","asset":"pump","state":"open","triggers":["threshold","rate"],"value":"80","ewma":"72.5078125","ratePerMinute":"2","reading":104,"observedMs":1704067380000,"producer":"` + p + `","reward":250,"attached":3,"escalatedReading":107}`
	equal(t, c.ask(queryOfOrder, "pump#1"), want)
	equal(t, c.ask(queryOfOrders, nil, nil), `{"orders":[`+want+`],"next":null}`)

	refused(t, "a stranger closes", c.call(callClose, stranger, "pump#1", "confirmed"), codeNotAllowed)
	refused(t, "no outcome", c.call(callClose, technician, "pump#1", "maybe"), codeBadOutcome)
	refused(t, "another order", c.call(callClose, technician, "pump#2", "confirmed"), codeNotFound)
	for _, id := range []string{"", "#", "pump", "pump#", "pump#01", "pump#0", "pump#4294967296", "pump#1x", "#1"} {
		refused(t, id, c.call(callClose, technician, id, "confirmed"), codeBadOrder)
	}
	if err := c.event(eventClose, technician, "", 0, "pump#1", "confirmed"); err != nil {
		t.Fatal(err)
	}
	w := technician.text()
	equal(t, c.emitted(), `order.closed.v1 pump {"order":"pump#1","asset":"pump","outcome":"confirmed","technician":"`+w+`","closedMs":1704067200000,"escalated":true,"attached":3,"value":"80","ewma":"72.5078125","ratePerMinute":"2","reading":104}
reward.due.v1 pump {"order":"pump#1","asset":"pump","producer":"`+p+`","amount":250,"value":"80","ewma":"72.5078125","ratePerMinute":"2","reading":104}`)
	refused(t, "closed twice", c.call(callClose, technician, "pump#1", "false-alarm"), codeNotOpen)
	c.mustRead("pump", 600, 95*one) // still held: no order before it falls
	equal(t, c.emitted(), "")
	c.mustRead("pump", 660, 10*one, 81*one)
	if got := c.emitted(); !strings.HasPrefix(got, `order.opened.v1 pump {"order":"pump#2","asset":"pump","triggers":["threshold","rate"],`) {
		t.Error(got)
	}

	equal(t, c.ask(queryDue, p), `{"producer":"`+p+`","asset":"EUR","due":250}`)
	equal(t, c.ask(queryOfStats), `{"assets":1,"orders":{"opened":2,"open":1,"escalated":1,"confirmed":1,"falseAlarms":0},"rewards":{"accrued":250,"paid":0,"due":250}}`)
}

// The written answer to readings that come again, late or too early.
func TestTimes(t *testing.T) {
	c := newPlant(t, set{"threshold": "below", "thresholdOn": 0, "maxAheadMs": 3_600_000})
	for i := range int64(20) {
		c.mustRead("a", 60*i, one)
	}
	before := fmt.Sprint(c.State)
	c.mustRead("a", 19*60, -one) // the last once more
	c.mustRead("a", 4*60, -one)  // the sixteenth from the end once more
	if fmt.Sprint(c.State) != before || len(c.Emitted) != 0 {
		t.Error("a repeated reading was taken")
	}
	refused(t, "older than the times remembered", c.read("a", 3*60, -one), codeLateReading)
	refused(t, "between two readings", c.read("a", 19*60-1, -one), codeLateReading)
	refused(t, "an hour and a second ahead", c.read("a", 3601, one), codeFutureReading)
	c.mustRead("a", 3600, one)
	c.mustRead("b", 60, one) // assets are apart
	refused(t, "no asset", c.read("", 0, one), codeBadAsset)
	refused(t, "a long name", c.read(strings.Repeat("x", 65), 0, one), codeBadAsset)
	refused(t, "a large value", c.read("b", 120, maxValue+1), codeBadReading)
	refused(t, "other places", c.event(eventFine, producer, "b", time.Date(2024, 1, 1, 0, 3, 0, 0, time.UTC).UnixNano(), one), codeOtherPlaces)
	c.mustRead("b", 120, maxValue, -maxValue) // the largest step there is
}

func TestRoles(t *testing.T) {
	c := newPlant(t, set{"rewardAsset": "EUR"})
	none := set{}.in()
	refused(t, "configured by a technician", c.call(callConfigure, technician, append([]any{"x"}, none...)...), codeNotAllowed)
	refused(t, "a technician set by the configurer", c.call(callTechnician, configurer, stranger.text(), true), codeNotAllowed)
	c.configure("x", set{"threshold": "above", "thresholdOn": one, "reward": 7, "producer": producer.text()})
	start := int64(1_704_067_200_000_000_000)
	refused(t, "another producer", c.event(eventReading, stranger, "x", start, 2*one), codeNotAllowed)
	c.mustRead("x", 0, 2*one)
	for _, allowed := range []bool{true, false, true} {
		if err := c.call(callTechnician, owner, producer.text(), allowed); err != nil {
			t.Fatal(err)
		}
		want := uint32(codeNotAllowed)
		if allowed {
			want = codeOwnOrder
		}
		refused(t, "its own order", c.call(callClose, producer, "x#1", "confirmed"), want)
	}
	if err := c.call(callClose, producer, "x#1", "false-alarm"); err != nil { // costs it the reward
		t.Fatal(err)
	}
	equal(t, c.ask(queryDue, producer.text()), `{"producer":"`+producer.text()+`","asset":"EUR","due":0}`)

	// Without roles, the deployer has them all but the technician's.
	c = &plant{t: t, Host: sdk.NewHost()}
	if err := c.deploy(nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.call(callConfigure, owner, append([]any{"x"}, none...)...); err != nil {
		t.Fatal(err)
	}
	refused(t, "an order closed by the owner", c.call(callClose, owner, "x#1", "confirmed"), codeNotAllowed)
}
