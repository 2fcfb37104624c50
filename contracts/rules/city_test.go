package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// Indexes of manifest.json.
const (
	eventReading, eventClock, eventOccupancy, eventPrice, eventOrderOpened   = 0, 1, 2, 3, 4
	callOfAllow, callOfDefine, callOfRegister, callOfEnable                  = 0, 1, 2, 3
	queryOfRule, queryOfRules, queryOfState, queryOfProperty, queryOfExplain = 0, 1, 2, 3, 4
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
}

// Accounts of the tests: the owner, an author, and one without rights.
var owner, author, stranger = address{1}, address{2}, address{3}

// noon is when the tests' readings begin.
var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// fields builds the fields' part of a record, in the manifest's order.
type fields []byte

func (f fields) text(s string) fields  { return abi.AppendRun(abi.AppendFlag(f, true), []byte(s)) }
func (f fields) number(v int64) fields { return abi.AppendU64(abi.AppendFlag(f, true), uint64(v)) }
func (f fields) flag(v bool) fields    { return abi.AppendFlag(abi.AppendFlag(f, true), v) }
func (f fields) absent() fields        { return abi.AppendFlag(f, false) }

// city is a ledger with the rules contract on it.
type city struct {
	t *testing.T
	*sdk.Host
	entry uint64 // of the log, counting
}

func newCity(t *testing.T) *city {
	c := &city{t: t, Host: sdk.NewHost()}
	c.TimeMs = uint64(noon.Add(24 * time.Hour).UnixMilli())
	if err := c.deploy(fields{}.absent().absent()); err != nil {
		t.Fatal(err)
	}
	return c
}

// request runs the deployment, a call or a query as an account.
func (c *city) request(kind sdk.Entry, handler int, as address, f fields) (string, error) {
	header := abi.CallHeader{Height: c.Height, TimeMs: c.TimeMs, Caller: as}
	out, err := c.Deliver(kind, handler, append(abi.AppendCallHeader(nil, &header), f...))
	return string(out), err
}

func (c *city) deploy(f fields) error {
	_, err := c.request(sdk.EntryInit, 0, owner, f)
	return err
}

func (c *city) call(handler int, as address, f fields) error {
	_, err := c.request(sdk.EntryCall, handler, as, f)
	return err
}

func (c *city) query(handler int, f fields) string {
	c.t.Helper()
	out, err := c.request(sdk.EntryQuery, handler, address{}, f)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *city) register(id, text string) {
	c.t.Helper()
	if err := c.call(callOfRegister, owner, fields{}.text(id).text(text)); err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
}

// event delivers an event at a time after noon.
func (c *city) event(handler int, after time.Duration, subject string, origin address, f fields) error {
	c.entry++
	header := abi.EventHeader{
		Height: c.Height, TimeMs: c.TimeMs, Index: c.entry, Origin: origin,
		HasTime: true, EventTimeNs: noon.Add(after).UnixNano(), Subject: []byte(subject),
	}
	_, err := c.Deliver(sdk.EntryEvent, handler, append(abi.AppendEventHeader(nil, &header), f...))
	return err
}

// said is what a reading says; its fields are left out where they are nil.
type said struct {
	property           string
	value, lat, lon    any // int64, or nil
	text, status, unit any // string, or nil
	flag               any // bool, or nil
}

func (s said) fields() fields {
	f := fields{}.text(s.property)
	for _, v := range []any{s.value, s.text, s.flag, s.status, s.unit, s.lat, s.lon} {
		switch v := v.(type) {
		case nil:
			f = f.absent()
		case int:
			f = f.number(int64(v))
		case string:
			f = f.text(v)
		case bool:
			f = f.flag(v)
		}
	}
	return f
}

func (c *city) read(after time.Duration, subject string, s said) error {
	return c.event(eventReading, after, subject, stranger, s.fields())
}

func (c *city) mustRead(after time.Duration, subject string, s said) {
	c.t.Helper()
	if err := c.read(after, subject, s); err != nil {
		c.t.Fatalf("%s of %s after %v: %v", s.property, subject, after, err)
	}
}

func (c *city) clock(after time.Duration) {
	c.t.Helper()
	if err := c.event(eventClock, after, "", owner, nil); err != nil {
		c.t.Fatal(err)
	}
}

// fired answers what was emitted since the last call, one a line.
func (c *city) fired() string {
	var lines []string
	for _, e := range c.Emitted {
		lines = append(lines, e.Type+" "+e.Subject+" "+string(e.Data))
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
