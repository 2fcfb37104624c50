package main

import (
	"testing"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// Indexes of manifest.json, continued.
const (
	eventPropose = eventExpire + 1
	callPropose  = 1
)

var proposer = addressOf(6)

func (c *town) callProposer(caller [abi.AddressBytes]byte, address []byte, cents uint64) error {
	record := abi.AppendCallHeader(nil, &abi.CallHeader{Height: 1, Caller: caller})
	record = abi.AppendRun(abi.AppendFlag(record, true), address)
	_, err := c.Deliver(sdk.EntryCall, callPropose, abi.AppendU64(abi.AppendFlag(record, true), cents))
	return err
}

func (c *town) propose(origin [abi.AddressBytes]byte, lot, band, week string, cents int64) error {
	return c.tell(origin, eventPropose, 77, lot, clock("2016-10-10 10:00:00"), new(sdk.Args).Text(band).Text(week).Int(cents))
}

// One price is adopted for each evaluation, within every limit; stays of later
// weeks are charged by it.
func TestProposals(t *testing.T) {
	c := newTown(t, nil)
	c.must(c.callProposer(operator, proposer[:], 50))
	c.mustRead("North", "2016-10-04 08:00:00", 95, 100)
	c.refuse(codeStaleProposal, "STALE_PROPOSAL", c.propose(proposer, "North", "A", "2016-W40", 210))
	c.close("North") // 225
	c.Emitted = nil
	c.refuse(codeNotAllowed, "NOT_ALLOWED", c.propose(operator, "North", "A", "2016-W40", 210))
	c.refuse(codeNotFound, "NOT_FOUND", c.propose(proposer, "South", "A", "2016-W40", 210))
	c.refuse(codeNotFound, "NOT_FOUND", c.propose(proposer, "North", "", "2016-W40", 210))
	c.refuse(codeStaleProposal, "STALE_PROPOSAL", c.propose(proposer, "North", "A", "2016-W41", 210))
	c.refuse(codePriceLimit, "PRICE_LIMIT", c.propose(proposer, "North", "A", "2016-W40", 24))
	c.refuse(codePriceLimit, "PRICE_LIMIT", c.propose(proposer, "North", "A", "2016-W40", 801))
	c.refuse(codeStepLimit, "STEP_LIMIT", c.propose(proposer, "North", "A", "2016-W40", 276))
	if len(c.Emitted) != 0 {
		t.Fatalf("refused proposals emitted %v", c.Emitted)
	}
	c.must(c.propose(proposer, "North", "A", "2016-W40", 275))
	if e := c.Emitted[0]; e.Type != "parking.price.adopted.v1" || string(e.Data) != `{"lot":"North","band":"A","week":"2016-W40","fromCents":225,"priceCents":275,"proposal":77}` {
		t.Errorf("%s %s", e.Type, e.Data)
	}
	c.refuse(codeStaleProposal, "STALE_PROPOSAL", c.propose(proposer, "North", "A", "2016-W40", 275))
	c.gateKnown()
	for i, day := range []string{"2016-10-05", "2016-10-11"} { // of the evaluated week, and of the next
		ticket := "T" + day
		c.must(c.tell(gate, eventEnter, uint64(i), "North", clock(day+" 09:00:00"), entering(ticket, "", "")))
		c.must(c.tell(gate, eventLeave, uint64(i), "North", clock(day+" 10:00:00"), ticketed(ticket)))
		if due, want := c.lastCharge().DueCents, []uint64{200, 275}[i]; due != want {
			t.Errorf("an hour on %s costs %d, want %d", day, due, want)
		}
	}
	c.mustRead("North", "2016-10-11 08:00:00", 70, 100)
	c.close("North")
	c.must(c.propose(proposer, "North", "A", "2016-W41", 225))
	c.must(c.callProposer(operator, proposer[:], 0))
	c.mustRead("North", "2016-10-18 08:00:00", 70, 100)
	c.close("North")
	c.refuse(codeNotAllowed, "NOT_ALLOWED", c.propose(proposer, "North", "A", "2016-W42", 225))
	c.refuse(codeNotAllowed, "NOT_ALLOWED", c.callProposer(proposer, proposer[:], 9))
	c.refuse(codeBadParameters, "BAD_PARAMETERS", c.callProposer(operator, proposer[:], maxCents+1))
}

// proposals is the transcript's part about them.
func (c *town) proposals() {
	_ = c.callProposer(proposer, proposer[:], 9)
	_ = c.callProposer(operator, proposer[:], maxCents+1)
	_ = c.callProposer(operator, proposer[:], 30)
	for _, band := range []string{"A", "B", "C", ""} {
		for _, week := range []string{"2016-W52", "2017-W01", "2017-W04", "2017-W05"} {
			for _, cents := range []int64{-1, 24, 150, 175, 190, 200, 225, 250, 801} {
				_ = c.propose(proposer, "AB", band, week, cents)
			}
		}
	}
	_ = c.callProposer(operator, proposer[:], 0)
	_ = c.propose(proposer, "AB", "A", "2017-W01", 200)
	_ = c.tell(proposer, eventPropose, 78, "AB", clock("2017-03-01 10:00:00"), new(sdk.Args).Text("A"))
}
