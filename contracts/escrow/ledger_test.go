package main

import (
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
)

const founded = "2026-03-01T00:00:00Z"

// bridge is alice's agreement with bob, of which carol is the arbiter and the
// producer reports the completion.
func bridge(name string, amount uint64) contracttest.Args {
	address := func(who string) []byte {
		a := contracttest.Address(who)
		return a[:]
	}
	return contracttest.Args{
		"project": name, "asset": "EUR", "amount": amount, "payee": address("bob"),
		"reporter": address("producer"), "arbiter": address("carol"), "deadline": "2026-04-01T00:00:00Z",
		"arbitrationSeconds": 7 * 86400,
	}
}

func onLedger(t *testing.T) *contracttest.Contract {
	c := contracttest.Found(t, contracttest.Options{Start: founded}).Deploy("escrow", nil)
	c.Issue("EUR", 1_000, "alice", "bob")
	c.Allow("alice", "EUR", 1_000)
	return c
}

func project(name string) contracttest.Args { return contracttest.Args{"project": name} }

func TestCompletedProjectsArePaid(t *testing.T) {
	c := onLedger(t)
	opened := c.Call("alice", "open", bridge("bridge", 600))
	opened.WantEmitted("escrow.opened.v1", `{"state":"open","amount":"600"}`)
	c.WantBalance("alice", "EUR", 400)
	c.Call("alice", "open", bridge("bridge", 1)).Refused(codeProjectExists)
	c.Call("alice", "open", bridge("tower", 500)).Refused(codeUnfunded)
	c.Event("project.completed.v1", "bridge", `{}`, contracttest.From("bob")).Refused(codeNotAllowed)
	c.Event("project.completed.v1", "tunnel", `{}`).Refused(codeNoProject)
	done := c.Event("project.completed.v1", "bridge", `{}`)
	c.WantBalance("bob", "EUR", 1_600)
	c.Want("agreement", project("bridge"), `{"state":"released","paid":"600"}`)
	moves := c.Movements(opened.Index)
	if len(moves) != 2 || moves[0].Kind != protocol.TokenHold || moves[0].Cause != opened.Index ||
		moves[1].Kind != protocol.TokenRelease || moves[1].Amount != 600 || moves[1].Cause != done.Index || moves[1].To != contracttest.Address("bob") {
		t.Errorf("%+v", moves)
	}
	c.Event("project.completed.v1", "bridge", `{}`) // said once more
	c.Call("alice", "dispute", project("bridge")).Refused(codeEnded)
	c.At("2026-04-02T00:00:00Z") // the deadline no longer matters
	c.WantBalance("bob", "EUR", 1_600)
}

func TestTheDeadlineRefunds(t *testing.T) {
	c := onLedger(t)
	c.Call("alice", "open", bridge("bridge", 600))
	c.At("2026-03-31T23:59:59Z")
	c.WantBalance("alice", "EUR", 400)
	late := c.At("2026-04-01T00:00:00Z")
	late.WantEmitted("escrow.refunded.v1", `{"project":"bridge","state":"refunded"}`)
	c.WantBalance("alice", "EUR", 1_000)
	c.Event("project.completed.v1", "bridge", `{}`).Refused(codeEnded)
	c.Call("carol", "resolve", contracttest.Args{"project": "bridge", "payeeAmount": 1}).Refused(codeEnded)
}

func TestTheArbiterDecidesADispute(t *testing.T) {
	c := onLedger(t)
	c.Call("alice", "open", bridge("bridge", 600))
	c.Call("carol", "resolve", contracttest.Args{"project": "bridge", "payeeAmount": 1}).Refused(codeNotDisputed)
	c.Call("carol", "dispute", project("bridge")).Refused(codeNotAllowed)
	c.At("2026-03-31T00:00:00Z")
	c.Call("bob", "dispute", project("bridge"))
	c.Event("project.completed.v1", "bridge", `{}`).Refused(codeDisputed)
	c.At("2026-04-02T00:00:00Z") // the agreement's deadline no longer counts
	c.WantBalance("alice", "EUR", 400)
	c.Call("bob", "resolve", contracttest.Args{"project": "bridge", "payeeAmount": 600}).Refused(codeNotAllowed)
	c.Call("carol", "resolve", contracttest.Args{"project": "bridge", "payeeAmount": 601}).Refused(codeBadTerms)
	c.Call("carol", "resolve", contracttest.Args{"project": "bridge", "payeeAmount": 450}).
		WantEmitted("escrow.resolved.v1", `{"state":"resolved","paid":"450"}`)
	c.WantBalance("alice", "EUR", 550)
	c.WantBalance("bob", "EUR", 1_450)
}

func TestAnArbiterWhoSaysNothingRefunds(t *testing.T) {
	c := onLedger(t)
	c.Call("alice", "open", bridge("bridge", 600))
	c.Call("alice", "dispute", project("bridge"))
	c.Advance(7*24*time.Hour - time.Minute)
	c.WantBalance("alice", "EUR", 400)
	c.Advance(time.Minute)
	c.WantBalance("alice", "EUR", 1_000)
	c.Call("alice", "open", bridge("road", 300))
	c.Call("alice", "waive", project("road")).Refused(codeNotAllowed)
	c.Call("bob", "waive", project("road"))
	c.WantBalance("alice", "EUR", 1_000)
	c.Want("agreements", nil, `[{"project":"bridge","state":"refunded"},{"project":"road","state":"waived"}]`)
	c.Want("agreements", contracttest.Args{"after": "bridge", "limit": 1}, `[{"project":"road"}]`)
}

// Frozen units are not held; what was held before goes its way.
func TestFrozenPayers(t *testing.T) {
	c := onLedger(t)
	c.Call("alice", "open", bridge("bridge", 600))
	c.Token("author", protocol.TokenOp{Kind: protocol.TokenFreeze, Asset: "EUR", Account: contracttest.Address("alice")})
	c.Call("alice", "open", bridge("tower", 1)).Refused(codeUnfunded)
	c.Event("project.completed.v1", "bridge", `{}`)
	c.WantBalance("bob", "EUR", 1_600)
}
