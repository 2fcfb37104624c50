package contracttest

import (
	"fmt"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/sim"
)

// Result is what an event or a call came to, in all the blocks it took.
type Result struct {
	Index uint64 // of the event's entry in the log, or of the call's

	ledger   *ledger
	contract *Contract // that the test asks about
	what     string    // was done
	where    string    // in the test
	from, to uint64    // heights
	refusals []*refusal
}

// refusal is a delivery given up, or a call refused.
type refusal struct {
	contract  string
	code      protocol.Code
	guestCode uint32
	text      string
	expected  bool
}

func (r *refusal) String() string { return r.contract + ": " + codeText(r.code, r.guestCode) + r.text }

func codeText(code protocol.Code, guestCode uint32) string {
	if code == protocol.CodeContractAborted {
		return fmt.Sprintf("%s with its code %d", code.Name(), guestCode)
	}
	return code.Name()
}

// begin notes an act of the test, before its blocks are made.
func (l *ledger) begin(c *Contract, what string) *Result {
	l.t.Helper()
	l.complain()
	return &Result{ledger: l, contract: c, what: what, where: caller(), from: l.sim.Height() + 1}
}

// settle makes blocks until every contract has caught up, and notes which
// deliveries were given up.
func (l *ledger) settle(r *Result) *Result {
	l.t.Helper()
	if err := l.sim.Settle(); err != nil {
		l.t.Fatalf("%s: %v", r.what, err)
	}
	r.to = l.sim.Height()
	for _, c := range l.contracts {
		letters, err := l.sim.DeadLetters(c.Name)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, d := range letters[c.letters:] { // each contract's come in the order of the log
			r.refusals = append(r.refusals, &refusal{
				contract: c.Name, code: d.Code, guestCode: d.GuestCode, text: fmt.Sprintf(", of entry %d", d.Index),
			})
		}
		c.letters = len(letters)
	}
	l.last = r
	return r
}

// complain fails the test for refusals of the last act that it did not expect.
func (l *ledger) complain() {
	l.t.Helper()
	if l.last == nil {
		return
	}
	r := l.last
	l.last = nil
	for _, f := range r.refusals {
		if !f.expected {
			l.t.Errorf("%s: %s\nexpected no refusal\ngot      %s\n%s", r.where, r.what, f, r.Log())
		}
	}
}

// By turns to what another contract made of it.
func (r *Result) By(c *Contract) *Result {
	other := *r
	other.contract = c
	return &other
}

// Refused expects the contract to have refused it with a code of its own. Say
// so at once: the next act of the test fails it for refusals that nobody
// expected.
func (r *Result) Refused(code uint32) *Result {
	r.ledger.t.Helper()
	return r.expect(protocol.CodeContractAborted, code)
}

// Dead expects the delivery or call to have failed with a code of the ledger's.
func (r *Result) Dead(code protocol.Code) *Result {
	r.ledger.t.Helper()
	return r.expect(code, 0)
}

func (r *Result) expect(code protocol.Code, guestCode uint32) *Result {
	r.ledger.t.Helper()
	met := false
	for _, f := range r.refusals {
		if f.contract != r.contract.Name {
			continue
		}
		met, f.expected = true, true
		if f.code != code || f.guestCode != guestCode {
			r.ledger.t.Errorf("%s\nexpected %s: %s\ngot      %s\n%s", r.what, f.contract, codeText(code, guestCode), f, r.Log())
		}
	}
	if !met {
		r.ledger.t.Errorf("%s\nexpected %s: %s\ngot      success\n%s", r.what, r.contract.Name, codeText(code, guestCode), r.Log())
	}
	return r
}

// runs are the contract's runs in the blocks of this result.
func (r *Result) runs(c *Contract) ([]sim.Run, error) {
	var all []sim.Run
	for height := max(r.from, c.since); height <= r.to; height++ {
		runs, err := r.ledger.sim.Runs(c.Name, height)
		if err != nil {
			return nil, err
		}
		all = append(all, runs...)
	}
	return all, nil
}

// Gas is what the contract's run took, of the limit deliveryGas; the sum where
// it ran more than once. Where contracts call one another or set timers, it is
// what the blocks charged for all of them.
func (r *Result) Gas() uint64 {
	r.ledger.t.Helper()
	gas := uint64(0)
	runs, err := r.runs(r.contract)
	for _, run := range runs {
		gas += run.Gas
	}
	if err == nil {
		return gas
	}
	for height := r.from; height <= r.to; height++ {
		block := r.ledger.sim.BlockAt(height)
		gas += block.Gas
		for _, out := range block.Outcomes {
			gas += out.Gas
		}
	}
	return gas
}

// Log is what the contracts ran and said, for people. Runs of contracts that
// call one another or set timers are listed only where they said something or
// failed.
func (r *Result) Log() string {
	var out strings.Builder
	line := func(c *Contract, kind string, index uint64, code protocol.Code, guestCode uint32, more string, said []string) {
		fmt.Fprintf(&out, "  %s: %s", c.Name, kind)
		if index != protocol.NoCause {
			fmt.Fprintf(&out, " of entry %d", index)
		}
		fmt.Fprintf(&out, ": %s%s\n", codeText(code, guestCode), more)
		for _, s := range said {
			fmt.Fprintf(&out, "    log: %s\n", s)
		}
	}
	for _, c := range r.ledger.contracts {
		runs, err := r.runs(c)
		for _, run := range runs {
			line(c, run.Kind, run.Index, run.Code, run.GuestCode, fmt.Sprintf(", %d gas", run.Gas), run.Log)
		}
		if err == nil {
			continue
		}
		for _, said := range r.ledger.sim.Logs(c.address) {
			if said.Height >= r.from && said.Height <= r.to {
				line(c, "run", said.Index, said.Code, said.GuestCode, "", said.Lines)
			}
		}
	}
	return out.String()
}
