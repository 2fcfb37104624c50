package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
)

var sfpark = policy{TargetBp: 7000, Kp: 100, Ki: 200, Floor: 25, Ceiling: 800, Step: 50}

// town is a parking contract on a ledger in memory, whose prices only
// proposals move, and drivers who come less the more it costs.
type town struct {
	*contracttest.Contract
	t       *testing.T
	service *optimiser
	series  map[string]*lotSeries
	week    int
}

func newTown(t *testing.T) *town {
	address := func(name string) []byte { a := contracttest.Address(name); return a[:] }
	c := contracttest.Found(t, contracttest.Options{Start: "2024-01-01T00:00:00Z"})
	c = c.Deploy("../../../contracts/parking", contracttest.Args{
		"highStepCents": 0, "middleStepCents": 0, "lowStepCents": 0, "emptyStepCents": 0, "operator": address("author"),
	})
	c.Call("author", "proposer", contracttest.Args{"address": address("alice"), "maxStepCents": 50})
	return &town{Contract: c, t: t, service: &optimiser{policy: sfpark}, series: map[string]*lotSeries{}}
}

// turn is a week: lots report how full they were at their prices, the week is
// closed, and the service's proposals go to the contract.
func (c *town) turn(occupied map[string]int) (adopted int) {
	c.t.Helper()
	at := time.Date(2024, 1, 2+7*c.week, 9, 0, 0, 0, time.UTC).Format(time.RFC3339)
	c.week++
	for _, lot := range []string{"north", "south"} {
		c.Event("parking.occupancy.v1", lot, fmt.Sprintf(`{"occupied":%d,"capacity":1000}`, occupied[lot]), contracttest.Time(at))
	}
	for _, e := range c.Event("parking.week.close.v1", "*", `{}`).Emitted(typeEvaluated) {
		p := c.propose(e)
		adopted += len(c.Event(typeProposal, p.Subject, string(p.Data), contracttest.From("alice")).Emitted("parking.price.adopted.v1"))
	}
	return adopted
}

// propose asks the service for its answer to an evaluation.
func (c *town) propose(e contracttest.Emitted) protocol.Event {
	c.t.Helper()
	in := rest.Delivered{Index: e.Index, Event: protocol.Event{Type: e.Type, Subject: e.Subject, DataForm: protocol.DataJSON, Data: []byte(e.Data)}}
	key, ok := c.service.Key(&in.Event)
	if !ok {
		c.t.Fatalf("no evaluation: %s", e.Data)
	}
	if c.series[key] == nil {
		c.series[key] = &lotSeries{policy: c.service.policy}
	}
	p, ok, err := c.series[key].Next(&in)
	if !ok || err != nil {
		c.t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		c.t.Fatal(err)
	}
	return p
}

func (c *town) price(lot string) int {
	c.t.Helper()
	var v struct{ PriceCents int }
	if err := json.Unmarshal([]byte(c.Answer("price", contracttest.Args{"lot": lot, "band": "A"})), &v); err != nil {
		c.t.Fatal(err)
	}
	return v.PriceCents
}

// The loop closes: where drivers answer prices, occupancy comes to the target
// and stays there, from above and from below, and within every limit.
func TestTheLoopCloses(t *testing.T) {
	c := newTown(t)
	drivers := func(base, price int) int { return min(max(base-price, 0), 1000) } // a cent keeps one car in a thousand away
	c.turn(map[string]int{"north": drivers(1150, 200), "south": drivers(800, 200)})
	for range 30 {
		occupied := map[string]int{"north": drivers(1150, c.price("north")), "south": drivers(800, c.price("south"))}
		if adopted := c.turn(occupied); adopted != 2 {
			t.Fatalf("week %d: %d prices adopted of 2", c.week, adopted)
		}
	}
	for lot, base := range map[string]int{"north": 1150, "south": 800} {
		price := c.price(lot)
		if full := drivers(base, price); full < 675 || full > 725 {
			t.Errorf("%s settles at %d cents and %d of 1000", lot, price, full)
		}
	}
}

// What lies outside the contract's limits is refused by its code, whoever
// proposes it and however the service is set.
func TestProposalsOutOfBoundsAreRefused(t *testing.T) {
	const notAllowed, priceLimit, stepLimit, stale = 9, 25, 26, 27
	c := newTown(t)
	at := contracttest.Time("2024-01-02T09:00:00Z")
	c.Event("parking.occupancy.v1", "north", `{"occupied":990,"capacity":1000}`, at)
	evaluated := c.Event("parking.week.close.v1", "north", `{}`).Emitted(typeEvaluated)[0]
	for _, x := range []struct {
		policy policy
		from   string
		code   uint32
	}{
		{policy{TargetBp: 100, Ki: 10_000, Ceiling: maxCents, Step: maxCents}, "alice", priceLimit},
		{policy{TargetBp: 7000, Ki: 2_000, Ceiling: 800, Step: 500}, "alice", stepLimit},
		{sfpark, "bob", notAllowed},
	} {
		c.service, c.series = &optimiser{policy: x.policy}, map[string]*lotSeries{}
		p := c.propose(evaluated)
		c.Event(typeProposal, p.Subject, string(p.Data), contracttest.From(x.from)).Refused(x.code)
	}
	c.service, c.series = &optimiser{policy: sfpark}, map[string]*lotSeries{}
	p := c.propose(evaluated)
	c.Event(typeProposal, p.Subject, string(p.Data), contracttest.From("alice")).WantEmitted("parking.price.adopted.v1", `{"fromCents":200,"priceCents":250}`)
	c.Event(typeProposal, p.Subject, string(p.Data), contracttest.From("alice")).Refused(stale)
	c.Want("price", contracttest.Args{"lot": "north", "band": "A"}, `{"priceCents":250}`)
}

// A service that begins again at any proposal goes on as if it never ended.
func TestGoesOnAfterRestart(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	service := &optimiser{policy: sfpark}
	whole := &lotSeries{policy: sfpark}
	var last *protocol.Event
	for i := range uint64(300) {
		in := rest.Delivered{Index: i, Event: protocol.Event{Type: typeEvaluated, Subject: "n", DataForm: protocol.DataJSON,
			Data: fmt.Appendf(nil, `{"lot":"n","band":"A","week":"2024-W01","occupancyBp":%d,"priceCents":%d}`, r.IntN(10_001), 25+r.IntN(776))}}
		resumed, _, err := service.Open(context.Background(), "n/A", last)
		if err != nil {
			t.Fatal(err)
		}
		a, _, errA := whole.Next(&in)
		b, _, errB := resumed.Next(&in)
		if errA != nil || errB != nil || string(a.AppendRecord(nil)) != string(b.AppendRecord(nil)) {
			t.Fatalf("proposal %d: %s and, after a restart, %s", i, a.Data, b.Data)
		}
		last = &a
	}
}
