package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// TestMain makes the protocol's compressors, whose channels would otherwise
// belong to the first synctest bubble.
func TestMain(m *testing.M) {
	if arguments := os.Getenv(outboxVariable); arguments != "" {
		if err := produceFromOutbox(arguments); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	key, err := protocol.NewPrivateKey()
	if err == nil {
		one := event(0) // many times: a small batch is not compressed
		var raw []byte
		raw, err = protocol.SignTx("warm-up", key, 1, 1, &protocol.Batch{Stream: "a", Records: slices.Repeat([][]byte{one.AppendRecord(nil)}, 100)})
		if err == nil {
			_, err = protocol.DecodeTx("warm-up", raw)
		}
	}
	if err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func newKey(t testing.TB) protocol.PrivateKey {
	t.Helper()
	secret := make([]byte, 32)
	secret[31] = 7
	key, err := protocol.PrivateKeyFromBytes(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func event(id int) protocol.Event {
	return protocol.Event{ID: fmt.Sprint(id), Source: "/test", Type: "reading.v1", DataForm: protocol.DataJSON, Data: fmt.Appendf(nil, `{"n":%d}`, id)}
}

// setup is a ledger that makes a block every 100 ms until the test ends, and a client of it.
type setup struct {
	t      *testing.T
	ledger *ledger
	wire   *wire
	client *client.Client
	key    protocol.PrivateKey
	halted atomic.Bool // no blocks
	cancel context.CancelFunc
	ended  chan struct{}
}

func newSetup(t *testing.T, nodes int, seed uint64, faulty bool) *setup {
	t.Helper()
	l := newLedger(nodes)
	w := newWire(l, seed, faulty)
	c, err := client.New(client.Config{Nodes: l.urls(), ChainID: l.chainID, HTTP: &http.Client{Transport: w}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &setup{t: t, ledger: l, wire: w, client: c, key: newKey(t), cancel: cancel, ended: make(chan struct{})}
	random := rand.New(rand.NewPCG(seed, 2))
	go func() {
		defer close(s.ended)
		for ctx.Err() == nil {
			time.Sleep(100 * time.Millisecond)
			if !s.halted.Load() {
				l.block(random, faulty && random.IntN(5) == 0)
			}
		}
	}()
	return s
}

func (s *setup) stop() {
	s.cancel()
	<-s.ended
}

func (s *setup) producer(c client.ProducerConfig) *client.Producer {
	s.t.Helper()
	p, err := s.client.NewProducer(context.Background(), s.key, "meters", c)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// wantIDs holds the log against the ids 0, 1, 2, ... in order.
func (s *setup) wantIDs(count int) {
	s.t.Helper()
	ids := s.ledger.ids()
	if len(ids) != count {
		s.t.Fatalf("the log has %d events, must have %d", len(ids), count)
	}
	for i, id := range ids {
		if id != fmt.Sprint(i) {
			s.t.Fatalf("event %d of the log is %s", i, id)
		}
	}
}

// A batch goes out when it is full, when its time is up, or when it is told to.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 1, 1, false)
		defer s.stop()
		ctx := context.Background()
		p := s.producer(client.ProducerConfig{Linger: time.Second, MaxBatchEvents: 3})
		start := time.Now()
		submit := func(i int) *client.Future {
			f, err := p.Submit(ctx, event(i))
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		within := func(f *client.Future, least, most time.Duration) {
			t.Helper()
			if _, err := f.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took < least || took > most {
				t.Errorf("final after %s, must be %s to %s", took, least, most)
			}
		}
		lone := submit(0)
		within(lone, time.Second, 1300*time.Millisecond)
		start = time.Now()
		submit(1)
		submit(2)
		within(submit(3), 0, 300*time.Millisecond)
		start = time.Now()
		told := submit(4)
		if err := p.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		within(told, 0, 300*time.Millisecond)
		start = time.Now()
		last := submit(5)
		if err := p.Close(ctx); err != nil {
			t.Fatal(err)
		}
		within(last, 0, 300*time.Millisecond)
		if _, err := p.Submit(ctx, event(6)); !errors.Is(err, client.ErrClosed) {
			t.Errorf("submit after close: %v", err)
		}
		if err := errors.Join(p.Close(ctx), p.Flush(ctx)); err != nil {
			t.Errorf("close and flush again: %v", err)
		}
		s.wantIDs(6)
	})
}

// While MaxInFlight batches are on their way and as many small ones wait, one
// more fills and then Submit blocks, as long as its context.
func TestInFlightBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 1, 1, false)
		defer s.stop()
		s.halted.Store(true)
		p := s.producer(client.ProducerConfig{Linger: -1, MaxBatchEvents: 10, MaxInFlight: 3})
		taken := 0
		for {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			_, err := p.Submit(ctx, event(taken))
			cancel()
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				break
			}
			taken++
			if taken > 100 {
				t.Fatal("nothing bounds what is in flight")
			}
			if taken <= 3 {
				time.Sleep(50 * time.Millisecond) // each event its own batch
			}
		}
		if taken != 3+3*10+10 {
			t.Errorf("took %d events before it blocked, must be 3 in flight, 30 waiting and 10 filling", taken)
		}
		blocked := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := p.Submit(context.Background(), event(-1))
				blocked <- err
			}()
		}
		synctest.Wait()
		select {
		case err := <-blocked:
			t.Errorf("submit did not block: %v", err)
		default:
		}
		s.halted.Store(false)
		for range 3 {
			if err := <-blocked; err != nil {
				t.Error(err)
			}
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := len(s.ledger.ids()); n != taken+3 {
			t.Errorf("the log has %d events, %d were taken", n, taken+3)
		}
	})
}

// Close ends when its context does, also when nobody answers.
func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 2, 1, false)
		defer s.stop()
		p := s.producer(client.ProducerConfig{})
		s.wire.mu.Lock()
		s.wire.silent = true
		s.wire.mu.Unlock()
		f, err := p.Submit(context.Background(), event(0))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err = p.Close(ctx)
		if took := time.Since(start); took != 3*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close after %s: %v", took, err)
		}
		if _, waited := f.Wait(context.Background()); !errors.Is(waited, context.DeadlineExceeded) {
			t.Errorf("the event: %v", waited)
		}
	})
}

// Another writer of the same stream is noticed, and nothing is written after its events.
func TestConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 2, 1, false)
		defer s.stop()
		ctx := context.Background()
		first := s.producer(client.ProducerConfig{})
		for i := range 10 {
			if _, err := first.Submit(ctx, event(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := first.Close(ctx); err != nil {
			t.Fatal(err)
		}
		second := s.producer(client.ProducerConfig{})
		var futures []*client.Future
		for i := range 12 {
			other := event(i)
			if i >= 5 {
				other = event(1000 + i)
			}
			f, err := second.SubmitAt(ctx, uint64(i), other)
			if err != nil {
				t.Fatal(err)
			}
			futures = append(futures, f)
		}
		if err := second.Close(ctx); !errors.Is(err, client.ErrConflict) {
			t.Errorf("close: %v", err)
		}
		for i, f := range futures {
			r, err := f.Wait(ctx)
			if i < 5 && (err != nil || r.Index != uint64(i) || !r.Held) || i >= 5 && !errors.Is(err, client.ErrConflict) {
				t.Errorf("event %d: %+v %v", i, r, err)
			}
		}
		s.wantIDs(10)
	})
}

// Two producers that race for one stream do not tear it: the first event the
// other one took ends the loser.
func TestRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 1, 1, false)
		defer s.stop()
		ctx := context.Background()
		a, b := s.producer(client.ProducerConfig{}), s.producer(client.ProducerConfig{})
		for i := range 5 {
			a.Submit(ctx, event(i))
			b.Submit(ctx, event(100+i))
		}
		errA, errB := a.Close(ctx), b.Close(ctx)
		if (errA == nil) == (errB == nil) || !errors.Is(errors.Join(errA, errB), client.ErrConflict) {
			t.Errorf("%v, %v", errA, errB)
		}
		if n := len(s.ledger.ids()); n != 5 {
			t.Errorf("the log has %d events", n)
		}
	})
}

// What only a lost node had is sent to the next one at once.
func TestFailoverIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 2, 1, false)
		defer s.stop()
		s.halted.Store(true)
		s.wire.isolate(true)
		p := s.producer(client.ProducerConfig{Linger: -1})
		if _, err := p.Submit(context.Background(), event(0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s.ledger.crash(0)
		time.Sleep(100 * time.Millisecond)
		s.ledger.restart(0)
		s.wire.isolate(false)
		s.halted.Store(false)
		start := time.Now()
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 1500*time.Millisecond {
			t.Errorf("final %s after the node was lost", took)
		}
		s.wantIDs(1)
	})
}

// Events that the ledger knows by source and id point to the first one.
func TestDuplicatesPointToTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 2, 1, false)
		defer s.stop()
		ctx := context.Background()
		p := s.producer(client.ProducerConfig{MaxBatchEvents: 4})
		for i, id := range []int{0, 1, 0, 2, 3, 1} {
			f, err := p.SubmitAt(ctx, uint64(i), event(id))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				r, err := f.Wait(ctx)
				first, again := map[int]uint64{0: 0, 1: 1, 2: 3, 3: 4}[id], i == 2 || i == 5
				if err != nil || r.Index != first || r.Entry != uint64(i) || r.Duplicate != again || r.Held {
					t.Errorf("event %d: %+v %v", i, r, err)
				}
			}()
		}
		if err := p.Close(ctx); err != nil {
			t.Fatal(err)
		}
	})
}

// A batch that could not be sent before its expiry is signed again.
func TestExpiredIsSignedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 1, 1, false)
		defer s.stop()
		p := s.producer(client.ProducerConfig{ExpiryBlocks: 2})
		time.Sleep(5 * time.Second) // 50 blocks that the client does not hear of
		f, err := p.Submit(context.Background(), event(0))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if r, err := f.Wait(context.Background()); err != nil || r.Index != 0 {
			t.Errorf("%+v %v", r, err)
		}
	})
}

// A refusal that no repetition changes ends the stream with its code.
func TestRefusalEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 2, 1, false)
		defer s.stop()
		p := s.producer(client.ProducerConfig{})
		s.ledger.banned = s.key.Address()
		f, err := p.Submit(context.Background(), event(0))
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Wait(context.Background())
		if code, _ := protocol.CodeOf(err); code != protocol.CodeUnauthorized {
			t.Errorf("the event: %v", err)
		}
		if _, err := p.Submit(context.Background(), event(1)); err == nil {
			t.Error("the stream goes on")
		}
		if code, _ := protocol.CodeOf(p.Close(context.Background())); code != protocol.CodeUnauthorized {
			t.Error("close says nothing")
		}
	})
}

// A ledger that was founded anew is noticed instead of being asked for ever.
func TestForgetfulLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 1, 1, false)
		defer s.stop()
		ctx := context.Background()
		p := s.producer(client.ProducerConfig{})
		p.Submit(ctx, event(0))
		if err := p.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		s.ledger.mu.Lock()
		clear(s.ledger.streams)
		s.ledger.mu.Unlock()
		p.Submit(ctx, event(1))
		if err := p.Close(ctx); !errors.Is(err, client.ErrForgotten) {
			t.Errorf("close: %v", err)
		}
	})
}

// With Gaps a source may leave sequences out, and again after a restart.
func TestDeclaredGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, 2, 1, false)
		defer s.stop()
		ctx := context.Background()
		strict := s.producer(client.ProducerConfig{})
		if _, err := strict.SubmitAt(ctx, 3, event(0)); err == nil {
			t.Error("sequences were left out without a word")
		}
		strict.Close(ctx)
		sequences := []uint64{3, 4, 9, 10, 20}
		for run := range 2 {
			p := s.producer(client.ProducerConfig{Gaps: true})
			var futures []*client.Future
			for i, at := range sequences {
				f, err := p.SubmitAt(ctx, at, event(i))
				if err != nil {
					t.Fatal(err)
				}
				futures = append(futures, f)
			}
			if _, err := p.SubmitAt(ctx, 20, event(9)); err == nil {
				t.Error("a sequence was taken twice")
			}
			if err := p.Close(ctx); err != nil {
				t.Fatal(err)
			}
			for i, f := range futures {
				r, err := f.Wait(ctx)
				if err != nil || s.ledger.entries[r.Index].Sequence != sequences[i] || r.Held != (run == 1) {
					t.Errorf("run %d, sequence %d: %+v %v", run, sequences[i], r, err)
				}
			}
		}
		s.wantIDs(5)
	})
}

func TestBadConfig(t *testing.T) {
	s := newLedger(1)
	c, err := client.New(client.Config{Nodes: s.urls(), ChainID: s.chainID, HTTP: &http.Client{Transport: newWire(s, 1, false)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []client.ProducerConfig{{MaxBatchEvents: 10_001}, {MaxBatchBytes: 1 << 20}, {MaxInFlight: -1}, {MaxInFlight: 2000}} {
		if _, err := c.NewProducer(context.Background(), newKey(t), "meters", bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if _, err := c.NewProducer(context.Background(), newKey(t), "Not A Name", client.ProducerConfig{}); err == nil {
		t.Error("a bad stream name was taken")
	}
	p, err := c.NewProducer(context.Background(), newKey(t), "meters", client.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Submit(context.Background(), protocol.Event{ID: "no source"}); err == nil {
		t.Error("a bad event was taken")
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
