package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/connector"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
)

const birmingham = "../../../../shared/data/parking-birmingham/parking_birmingham.csv"

// proposalsDigest is the SHA-256 of all proposals' data, a line each, in the
// order of the evaluations: the same on every machine and at every run.
const proposalsDigest = "b6c70df116bd1f8a08dc12056b1bbe4588151d2417863953d0a1898e25270606"

// weeksOf reads the file's readings as the connector does, by ISO week.
func weeksOf(t *testing.T, path string) map[string][]protocol.Event {
	t.Helper()
	source, err := connector.OpenParkingCSV(path, "birmingham")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the Birmingham car park data are not at %s", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	weeks := map[string][]protocol.Event{}
	for {
		record, err := source.Next()
		if errors.Is(err, io.EOF) {
			return weeks
		}
		if err != nil {
			t.Fatal(err)
		}
		year, week := time.Unix(0, record.Event.TimeNs).UTC().ISOWeek()
		name := fmt.Sprintf("%d-W%02d", year, week)
		weeks[name] = append(weeks[name], record.Event)
	}
}

// exactly is what the controller's text asks for, in rationals: it shares
// nothing with policy.next.
func exactly(p policy, price, err, before int64) int64 {
	move := new(big.Rat).SetFrac64(p.Kp*(err-before)+p.Ki*err, 10_000)
	half := big.NewRat(int64(move.Sign()), 2) // to the nearest, halves away from zero
	move.Add(move, half)
	whole := new(big.Int).Quo(move.Num(), move.Denom()).Int64()
	return min(max(price+min(max(whole, -p.Step), p.Step), p.Floor), p.Ceiling)
}

// checkProposal holds a proposal to its policy's limits and to its text.
func checkProposal(t *testing.T, e contracttest.Emitted, data []byte) proposal {
	t.Helper()
	var v evaluation
	var p proposal
	if err := errors.Join(json.Unmarshal([]byte(e.Data), &v), json.Unmarshal(data, &p)); err != nil {
		t.Fatal(err)
	}
	moved := p.PriceCents - v.PriceCents
	if p.PriceCents < sfpark.Floor || p.PriceCents > sfpark.Ceiling || moved < -sfpark.Step || moved > sfpark.Step {
		t.Errorf("%s %s %s: from %d to %d cents, out of bounds", v.Lot, v.Band, v.Week, v.PriceCents, p.PriceCents)
	}
	if want := exactly(sfpark, v.PriceCents, p.ErrorBp, p.BeforeBp); p.PriceCents != want || p.ErrorBp != v.OccupancyBp-sfpark.TargetBp {
		t.Errorf("%s %s %s: %s, by the controller's text %d", v.Lot, v.Band, v.Week, data, want)
	}
	return p
}

// The weeks of thirty real car parks: the service answers every evaluation,
// the contract adopts every answer, all are within the limits, and a service
// that starts anew before each week says the same. What drivers would have
// done at other prices nobody knows: the readings are as they were.
func TestBirmingham(t *testing.T) {
	weeks := weeksOf(t, birmingham)
	c := newTown(t)
	producer := contracttest.Address("producer")
	c.Call("author", "proposer", contracttest.Args{"address": producer[:], "maxStepCents": sfpark.Step})
	last := map[string]*protocol.Event{}
	digest, total, prices := sha256.New(), 0, map[string]int64{}
	for _, week := range slices.Sorted(maps.Keys(weeks)) {
		for chunk := range slices.Chunk(weeks[week], 1000) {
			c.Events(chunk...)
		}
		evaluated := c.Event("parking.week.close.v1", "*", `{}`).Emitted(typeEvaluated)
		var answers []protocol.Event
		for _, e := range evaluated {
			p := c.propose(e)
			answers = append(answers, p)
			fmt.Fprintf(digest, "%s\n", p.Data)
			said := checkProposal(t, e, p.Data)
			key := e.Subject + "/" + said.Band
			again := c.resumed(key, last[key], e)
			if string(p.AppendRecord(nil)) != string(again.AppendRecord(nil)) {
				t.Fatalf("%s: %s and, after a restart, %s", week, p.Data, again.Data)
			}
			last[key] = &p
			prices[key] = said.PriceCents
		}
		if adopted := c.Events(answers...).Emitted("parking.price.adopted.v1"); len(adopted) != len(evaluated) {
			t.Fatalf("%s: %d prices adopted of %d", week, len(adopted), len(evaluated))
		}
		total += len(evaluated)
	}
	at := map[int64]int{}
	for _, price := range prices {
		at[price]++
	}
	least, most := slices.Min(slices.Collect(maps.Values(prices))), slices.Max(slices.Collect(maps.Values(prices)))
	t.Logf("%d weeks, %d proposals for %d car parks and bands, all adopted; from 200 cents to %d..%d, %d at the floor of %d",
		len(weeks), total, len(prices), least, most, at[sfpark.Floor], sfpark.Floor)
	if got := hex.EncodeToString(digest.Sum(nil)); got != proposalsDigest {
		t.Errorf("the proposals' digest is %s, was %s", got, proposalsDigest)
	}
}

// resumed is what a service that has just started answers.
func (c *town) resumed(key string, last *protocol.Event, e contracttest.Emitted) protocol.Event {
	c.t.Helper()
	series, _, err := (&optimiser{policy: sfpark}).Open(context.Background(), key, last)
	if err != nil {
		c.t.Fatal(err)
	}
	p, _, err := series.Next(&rest.Delivered{Index: e.Index, Event: protocol.Event{Type: e.Type, Subject: e.Subject, DataForm: protocol.DataJSON, Data: []byte(e.Data)}})
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}
