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
	eventReading, eventClose                                = 0, 1
	callTariff, callRegister, callCollect, callOwner        = 0, 1, 2, 3
	callPayBy, callPayOut, callDebt                         = 4, 5, 6
	queryOfMeter, queryOfBalance, queryOfBill, queryOfBills = 0, 1, 2, 3
	queryOfTariff                                           = 4
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

// utility is a ledger with the metering contract on it. Its owner is the
// address of zeros, which signs what does not say otherwise.
type utility struct {
	t *testing.T
	*sdk.Host
	index  uint64 // of the last event
	bank   *sdk.Bank
	minted int64
}

// set are the settings of a deployment; those left out are the contract's own.
type set struct {
	offset, interval int64
	stamp            string
	ahead            int64
	low, grace       uint64
}

func (s set) args() *sdk.Args {
	a := new(sdk.Args)
	number := func(v int64) {
		if v == 0 {
			a.Absent()
		} else {
			a.Int(v)
		}
	}
	number(s.offset)
	number(s.interval)
	text(a, s.stamp)
	number(s.ahead)
	number(int64(s.low))
	number(int64(s.grace))
	a.Absent() // owner
	a.Text("EUR")
	for range 8 {
		a.Absent() // tariff
	}
	return a
}

// text adds a string that is left out when empty.
func text(a *sdk.Args, s string) {
	if s == "" {
		a.Absent()
	} else {
		a.Text(s)
	}
}

func newUtility(t *testing.T, s set) *utility {
	t.Helper()
	c := &utility{t: t, Host: sdk.NewHost()}
	c.openBank()
	if err := c.Init(s.args()); err != nil {
		t.Fatal(err)
	}
	return c
}

// price is a tariff as a call gives it; prices of demand and fixed in 10^-6.
type price struct {
	name, from, unit, bands, hours, tiers string
	demand, fixed                         int64
}

func (c *utility) setTariff(p price) error {
	a := new(sdk.Args).Text(p.name)
	from := p.from
	if from == "" {
		from = "2000-01-01T00:00:00Z"
	}
	a.Int(instant(c.t, from))
	for _, s := range []string{p.unit, p.bands, p.hours, p.tiers} {
		text(a, s)
	}
	_, err := c.Call(callTariff, a.Int(p.demand).Int(p.fixed))
	return err
}

// payerOf is the account in the bank of one that bills name.
func payerOf(account string) (a [abi.AddressBytes]byte) {
	copy(a[1:], account)
	a[0] = 77
	return a
}

func (c *utility) openBank() {
	c.Address = [abi.AddressBytes]byte{76}
	c.bank = c.OpenBank()
	c.bank.Issue("EUR", [abi.AddressBytes]byte{})
}

// fund gives an account's payer units and an allowance of them, and more.
func (c *utility) fund(account string, amount, allowed int64) {
	c.minted += amount
	c.bank.Endow("EUR", payerOf(account), amount)
	c.bank.Allow("EUR", payerOf(account), allowed)
}

// register makes a meter known and, where it is prepaid, has its account's payer pay.
func (c *utility) register(meter, account, tariff string, prepaid bool) error {
	_, err := c.Call(callRegister, new(sdk.Args).Text(meter).Text(account).Text(tariff).Absent())
	if err == nil && prepaid {
		err = c.payBy(meter, account, true)
	}
	return err
}

func (c *utility) payBy(meter, account string, prepaid bool) error {
	a := payerOf(account)
	_, err := c.Call(callPayBy, new(sdk.Args).Text(meter).Bytes(a[:]).Bool(prepaid))
	return err
}

func (c *utility) collectNow(meter string) error {
	_, err := c.Call(callCollect, new(sdk.Args).Text(meter))
	return err
}

func (c *utility) read(meter, at string, quantity int64, band string) error {
	c.t.Helper()
	return c.readAt(meter, instant(c.t, at), quantity, band)
}

func (c *utility) readAt(meter string, ns, quantity int64, band string) error {
	c.index++
	header := abi.EventHeader{Index: c.index, HasTime: true, EventTimeNs: ns, Subject: []byte(meter)}
	a := new(sdk.Args).Int(quantity)
	text(a, band)
	return c.Event(eventReading, header, a)
}

func (c *utility) close(subject, period string) error {
	c.index++
	a := new(sdk.Args)
	text(a, period)
	return c.Event(eventClose, abi.EventHeader{Index: c.index, Subject: []byte(subject)}, a)
}

func (c *utility) ask(handler int, args ...string) string {
	c.t.Helper()
	a := new(sdk.Args)
	for _, s := range args {
		a.Text(s)
	}
	if handler == queryOfTariff {
		a.Absent()
	}
	out, err := c.Query(handler, a)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(out)
}

// must fails the test on errors.
func (c *utility) must(errs ...error) {
	c.t.Helper()
	for _, err := range errs {
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// refused expects a code.
func (c *utility) refused(code uint32, err error) {
	c.t.Helper()
	if sdk.CodeOf(err) != code {
		c.t.Errorf("want code %d, got %v", code, err)
	}
}

// all renders what was emitted since it was last taken, a line each.
func (c *utility) all() string {
	var lines strings.Builder
	for _, e := range c.Emitted {
		fmt.Fprintf(&lines, "%s %s %s\n", e.Type, e.Subject, e.Data)
	}
	return lines.String()
}

// emitted takes what was emitted, without the last line's end.
func (c *utility) emitted() string {
	lines := c.all()
	c.Emitted = nil
	return strings.TrimSuffix(lines, "\n")
}

func instant(t *testing.T, at string) int64 {
	t.Helper()
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	return when.UnixNano()
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

// line and statement are a bill as a reader of its JSON sees it.
type line struct {
	Item, Band              string
	UpTo                    *string
	Start                   string
	Quantity, Price, Amount string
	Readings                int
	Causes                  [][2]uint64
}

type statement struct {
	Meter, Account, Mode, Period, Tariff, Unit, Quantity string
	Version, Readings, Missing                           int
	Causes                                               [][2]uint64
	Items                                                []line
	Total                                                int64
}

// takeBills answers the bills emitted since the last call.
func (c *utility) takeBills() (all []statement) {
	c.t.Helper()
	for _, e := range c.Emitted {
		if e.Type != "metering.bill.v1" {
			continue
		}
		var s statement
		if err := json.Unmarshal(e.Data, &s); err != nil {
			c.t.Fatalf("%s: %v", e.Data, err)
		}
		all = append(all, s)
	}
	c.Emitted = nil
	return all
}
