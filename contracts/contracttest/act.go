package contracttest

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/sim"
)

// EventOption changes an event that is sent.
type EventOption func(*sent)

type sent struct {
	protocol.Event
	account string
	err     error
}

// Time is when the event happened, RFC 3339. Without it the contract takes the
// block's time.
func Time(moment string) EventOption {
	return func(s *sent) {
		at, err := time.Parse(time.RFC3339Nano, moment)
		s.HasTime, s.TimeNs, s.err = true, at.UnixNano(), err
	}
}

// ID is the event's id under its source; without it every event has its own.
func ID(id string) EventOption { return func(s *sent) { s.Event.ID = id } }

// Source is the event's source; "/test" without it.
func Source(source string) EventOption { return func(s *sent) { s.Event.Source = source } }

// From is the account that sends the event; "producer" without it.
func From(account string) EventOption { return func(s *sent) { s.account = account } }

// Event sends an event with JSON data, in a block of its own, and waits until
// every contract has caught up.
func (c *Contract) Event(eventType, subject, data string, options ...EventOption) *Result {
	c.t.Helper()
	c.events++
	s := sent{account: sim.Producer, Event: protocol.Event{
		ID: strconv.Itoa(c.events), Source: "/test", Type: eventType, Subject: subject,
		DataForm: protocol.DataJSON, Data: []byte(data),
	}}
	for _, option := range options {
		option(&s)
	}
	if s.err != nil {
		c.t.Fatalf("event %s: %v", eventType, s.err)
	}
	return c.send(s.account, fmt.Sprintf("event %s %q %s", eventType, subject, data), s.Event)
}

// Events sends many events at once, as the account "producer", and waits until
// every contract has caught up.
func (c *Contract) Events(events ...protocol.Event) *Result {
	c.t.Helper()
	return c.send(sim.Producer, fmt.Sprintf("%d events", len(events)), events...)
}

func (c *Contract) send(account, what string, events ...protocol.Event) *Result {
	c.t.Helper()
	r := c.begin(c, what)
	if err := c.sim.SubmitAs(account, "test", events...); err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	r.Index = c.sim.Size()
	return c.settle(r)
}

// Call calls a method of the contract for an account.
func (c *Contract) Call(account, method string, args Args) *Result {
	c.t.Helper()
	return c.decide(fmt.Sprintf("call of %s by %s", method, account), func() (sim.Outcome, error) {
		return c.sim.Call(account, c.Name, method, args.bytes(c.t))
	})
}

// Upgrade gives the contract other code; args are those of its migration.
func (c *Contract) Upgrade(module, manifest []byte, args Args) *Result {
	c.t.Helper()
	return c.decide("upgrade", func() (sim.Outcome, error) { return c.sim.Upgrade(c.Name, module, manifest, args.bytes(c.t)) })
}

// Control pauses or resumes the contract, or redelivers or skips an entry; the
// index is 0 for the first two.
func (c *Contract) Control(action protocol.Action, index uint64) *Result {
	c.t.Helper()
	return c.decide(action.String(), func() (sim.Outcome, error) { return c.sim.Control(c.Name, action, index) })
}

// decide makes a transaction and notes how it was refused, if it was.
func (c *Contract) decide(what string, do func() (sim.Outcome, error)) *Result {
	c.t.Helper()
	r := c.begin(c, what)
	out, err := do()
	r.Index = out.First
	if err != nil {
		code, ok := protocol.CodeOf(err)
		if !ok {
			c.t.Fatalf("%s: %v", r.what, err)
		}
		r.refusals = append(r.refusals, &refusal{contract: c.Name, code: code, guestCode: out.GuestCode, text: ", " + err.Error()})
	}
	return c.settle(r)
}

// Emitted is an event a contract emitted.
type Emitted struct {
	Index, Cause        uint64 // log indexes
	Type, Subject, Data string
	Time                time.Time // of what caused it
}

// Emitted lists what the contract emitted since its deployment, in log order;
// all types when eventType is empty.
func (c *Contract) Emitted(eventType string) []Emitted {
	c.t.Helper()
	return c.emitted(eventType, 0, ^uint64(0))
}

// Emitted lists what the contract emitted because of this.
func (r *Result) Emitted(eventType string) []Emitted {
	r.ledger.t.Helper()
	return r.contract.emitted(eventType, r.from, r.to)
}

// WantEmitted expects the contract to have emitted exactly so many events of
// this type because of this, with the data given, in order. As in Want, what
// the expected data leave out is not looked at.
func (r *Result) WantEmitted(eventType string, data ...string) []Emitted {
	r.ledger.t.Helper()
	got := r.Emitted(eventType)
	if len(got) != len(data) {
		r.ledger.t.Errorf("%s\nexpected %d of %s\ngot      %d: %v\n%s", r.what, len(data), eventType, len(got), got, r.Log())
		return got
	}
	for i := range data {
		if differences := compareJSON(data[i], got[i].Data); differences != "" {
			r.ledger.t.Errorf("%s\n%s number %d\nexpected %s\ngot      %s\n%s%s", r.what, eventType, i, data[i], got[i].Data, differences, r.Log())
		}
	}
	return got
}

func (c *Contract) emitted(eventType string, from, to uint64) []Emitted {
	c.t.Helper()
	var found []Emitted
	for _, e := range c.log() {
		if e.Kind == protocol.EntryEmitted && e.Origin == c.address && e.Height >= from && e.Height <= to &&
			(eventType == "" || e.Event.Type == eventType) {
			found = append(found, Emitted{
				Index: e.Index, Cause: e.Cause, Type: e.Event.Type, Subject: e.Event.Subject, Data: string(e.Event.Data),
				Time: time.Unix(0, e.Event.TimeNs).UTC(),
			})
		}
	}
	return found
}

// log is the whole log; what was read before is kept.
func (l *ledger) log() []sim.Entry {
	l.t.Helper()
	have := uint64(len(l.entries))
	more, err := l.sim.Entries(have, int(l.sim.Size()-have))
	if err != nil {
		l.t.Fatal(err)
	}
	l.entries = append(l.entries, more...)
	return l.entries
}

// Answer asks the contract and answers what it said.
func (c *Contract) Answer(query string, args Args) string {
	c.t.Helper()
	c.complain()
	out, err := c.sim.Query(c.Name, query, args.bytes(c.t))
	if err != nil {
		c.t.Fatalf("query %s %v\nexpected an answer\ngot      %v", query, args, err)
	}
	return string(out)
}

// Want asks the contract and compares the answer as JSON, numbers by their
// exact value. Of objects only the members that want names are compared; WantAll
// compares all.
func (c *Contract) Want(query string, args Args, want string) {
	c.t.Helper()
	got := c.Answer(query, args)
	if differences := compareJSON(want, got); differences != "" {
		c.t.Errorf("query %s %v\nexpected %s\ngot      %s\n%s", query, args, want, got, differences)
	}
}

// WantAll asks the contract and expects the answer to have no other member
// than want has.
func (c *Contract) WantAll(query string, args Args, want string) {
	c.t.Helper()
	got := c.Answer(query, args)
	if differences := compareJSON(want, got) + compareJSON(got, want); differences != "" {
		c.t.Errorf("query %s %v\nexpected %s\ngot      %s\n%s", query, args, want, got, differences)
	}
}

// RefuseQuery asks what the contract is expected to refuse with its own code.
func (c *Contract) RefuseQuery(query string, args Args, code uint32) {
	c.t.Helper()
	c.complain()
	run, err := c.sim.Ask(c.Name, query, args.bytes(c.t))
	if err != nil || run.GuestCode != code {
		c.t.Errorf("query %s %v\nexpected %s\ngot      %s %q %s %v",
			query, args, codeText(protocol.CodeContractAborted, code), codeText(run.Code, run.GuestCode), run.Log, run.Output, err)
	}
}

// Contracts lists the contracts of the ledger by name.
func (l *ledger) Contracts() []string {
	names := make([]string, 0, len(l.contracts))
	for _, c := range l.contracts {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}
