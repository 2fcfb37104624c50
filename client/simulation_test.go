package client_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cairn-ledger/cairn/client"
)

var (
	seeds    = flag.Int("seeds", 60, "seeds of the simulation of faults")
	baseSeed = flag.Uint64("seed", 1, "first of them")
)

// simulate streams events through crashing nodes and a lossy network, with a
// producer that crashes too, and checks that each is in the log once, in
// order, where its Future said.
func simulate(t *testing.T, seed uint64) {
	s := newSetup(t, 4, seed, true)
	defer s.stop()
	random := rand.New(rand.NewPCG(seed, 3))
	const total = 400
	stopCrashing := s.crashNodes(rand.New(rand.NewPCG(seed, 4)))
	defer stopCrashing()
	acknowledged := make(map[int]client.Result)
	ctx := context.Background()
	for done := false; !done; {
		p, err := s.client.NewProducer(ctx, s.key, "meters", client.ProducerConfig{
			Linger: time.Duration(random.IntN(200)) * time.Millisecond, MaxBatchEvents: 1 + random.IntN(30), MaxInFlight: 1 + random.IntN(6),
		})
		if err != nil {
			t.Fatal(err)
		}
		from := int(p.Held())
		if random.IntN(2) == 0 {
			from = random.IntN(from + 1) // a source that starts over from an earlier row
		}
		life := 20 + random.IntN(300) // events until the process crashes
		futures := make(map[int]*client.Future)
		for i := from; i < total && i-from < life; i++ {
			f, err := p.SubmitAt(ctx, uint64(i), event(i))
			if err != nil {
				break
			}
			futures[i] = f
			time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
		}
		patience := 10 * time.Minute
		if from+life < total {
			patience = time.Duration(random.IntN(500)) * time.Millisecond
		}
		closing, cancel := context.WithTimeout(ctx, patience)
		err = p.Close(closing)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		done = err == nil && from+life >= total
		for i, f := range futures {
			result, failed := f.Wait(ctx)
			if failed == nil {
				acknowledged[i] = result
			} else if err == nil {
				t.Fatalf("event %d failed and the producer did not: %v", i, failed)
			}
		}
	}
	stopCrashing()
	s.stop()
	s.wantIDs(total)
	for i, result := range acknowledged {
		if e := s.ledger.entries[result.Index]; e.id != fmt.Sprint(i) || e.Height != result.Height || result.Entry != result.Index || result.Duplicate {
			t.Errorf("event %d was said to be %+v; there is %+v", i, result, e)
		}
	}
	if len(acknowledged) != total && seed%2 == 0 {
		t.Logf("%d of %d events were acknowledged to their own process", len(acknowledged), total)
	}
}

// crashNodes takes nodes down and up until it is told to stop.
func (s *setup) crashNodes(random *rand.Rand) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
			victims := []int{random.IntN(len(s.ledger.nodes))}
			if random.IntN(8) == 0 {
				victims = []int{0, 1, 2, 3}
			}
			for _, i := range victims {
				s.ledger.crash(i)
			}
			time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
			for _, i := range victims {
				s.ledger.restart(i)
			}
		}
	}()
	return func() { cancel(); <-ended }
}

func TestExactlyOnceUnderFaults(t *testing.T) {
	count := *seeds
	if testing.Short() {
		count = min(count, 10)
	}
	for i := range count {
		seed := *baseSeed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}
