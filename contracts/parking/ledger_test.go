package main

import (
	"testing"

	"github.com/cairn-ledger/cairn/contracts/contracttest"
)

func TestPriceRises(t *testing.T) {
	l := contracttest.Deploy(t, "parking", contracttest.Args{"startCents": 200})
	l.Event("parking.occupancy.v1", "lot-1", `{"occupied": 95, "capacity": 100}`)
	l.Event("parking.week.close.v1", "*", `{}`)
	l.Want("price", contracttest.Args{"lot": "lot-1", "band": "A"}, `{"priceCents": 225}`)
}

// The built contract on the real ledger: a week, its price, and what is refused.
func TestOnTheLedger(t *testing.T) {
	l := contracttest.Deploy(t, "parking", contracttest.Args{"startCents": 200})
	reading := func(at, data string) *contracttest.Result {
		return l.Event("parking.occupancy.v1", "North", data, contracttest.Time(at))
	}
	reading("2016-10-04T08:00:00Z", `{"occupied": 95, "capacity": 100}`)
	l.Want("price", contracttest.Args{"lot": "North", "band": "A"}, `{"priceCents": 200, "openWeek": "2016-W40"}`)
	next := reading("2016-10-10T08:00:00Z", `{"occupied": 1, "capacity": 1e2}`)
	set := next.WantEmitted("parking.price.set.v1", `{"lot": "North", "band": "A", "week": "2016-W40", "occupancyBp": 9500, "priceCents": 225}`)
	if len(set) == 1 && set[0].Cause != next.Index {
		t.Errorf("the evaluation's cause is entry %d, not the reading %d that closed the week", set[0].Cause, next.Index)
	}
	reading("2016-10-09T23:59:59Z", `{"occupied": 1, "capacity": 100}`)
	reading("2016-10-05T08:00:00Z", `{"occupied": 1, "capacity": 100}`).Refused(codeLateReading)
	reading("2016-10-11T08:00:00Z", `{"occupied": 1, "capacity": 0}`).Refused(codeBadCapacity)
	l.RefuseQuery("price", contracttest.Args{"lot": "South", "band": "A"}, codeNotFound)
	l.Both()
	contracttest.RefuseDeploy(t, "parking", contracttest.Args{"startCents": 1}, codeBadParameters)
}
