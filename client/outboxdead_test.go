package client_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// every refuses the events whose number leaves a rest.
func every(n, rest int) func(id string) bool {
	return func(id string) bool {
		number, err := strconv.Atoi(id)
		return err == nil && number%n == rest
	}
}

// sequences lists what the stream has: the id under each sequence, "gap" where
// the producer left it out. Each sequence is there once, and none is missing.
func (l *ledger) sequences(t *testing.T) (ids []string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.Sequence != uint64(len(ids)) {
			t.Fatalf("sequence %d follows %d", e.Sequence, len(ids)-1)
		}
		if e.Kind == protocol.EntryGap {
			ids = append(ids, slices.Repeat([]string{"gap"}, int(e.Skipped))...)
			continue
		}
		ids = append(ids, e.id)
	}
	return ids
}

// letters reads an outbox's dead letters: ids of their events by sequence.
func letters(t *testing.T, o *client.Outbox) map[uint64]string {
	t.Helper()
	all := map[uint64]string{}
	for l, err := range o.DeadLetters() {
		if err != nil {
			t.Fatal(err)
		}
		e, err := l.Event()
		if err != nil || l.Code != protocol.CodeSource || l.Name != "SOURCE_NOT_GRANTED" || !strings.Contains(l.Message, "event "+e.ID) || l.Time.IsZero() {
			t.Fatalf("%+v: %v", l, err)
		}
		all[l.Sequence] = e.ID
	}
	return all
}

// bounded is a context for all of a test.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// fill submits the events of some numbers and waits for all.
func fill(t *testing.T, ctx context.Context, o *client.Outbox, from, below int) (failed map[uint64]error) {
	t.Helper()
	var futures []*client.Future
	for i := from; i < below; i++ {
		f, err := o.Submit(ctx, event(i))
		if err != nil {
			t.Fatal(err)
		}
		futures = append(futures, f)
	}
	failed = map[uint64]error{}
	for _, f := range futures {
		if _, err := f.Wait(ctx); err != nil {
			failed[f.Sequence] = err
		}
	}
	return failed
}

// Events the ledger refuses for good are put aside, alone, while the rest go
// on in order; their sequences are declared as left out; once the reason is
// mended they are redelivered behind the rest, or dropped.
func TestDeadLetters(t *testing.T) {
	for _, atDoor := range []bool{false, true} {
		t.Run(fmt.Sprintf("atDoor=%v", atDoor), func(t *testing.T) {
			l, urls := served(t)
			l.refuse(every(37, 5), atDoor)
			ctx, dir := bounded(t), t.TempDir()
			o, err := openOutbox(dir, urls, client.OutboxConfig{DeadLetters: 100})
			if err != nil {
				t.Fatal(err)
			}
			failed := fill(t, ctx, o, 0, 200)
			want := map[uint64]string{}
			for i := range 200 {
				refused := every(37, 5)(fmt.Sprint(i))
				if refused {
					want[uint64(i)] = fmt.Sprint(i)
				}
				code, _ := protocol.CodeOf(failed[uint64(i)])
				if refused != errors.Is(failed[uint64(i)], client.ErrDeadLetter) || refused != (code == protocol.CodeSource) {
					t.Fatalf("event %d: %v", i, failed[uint64(i)])
				}
			}
			if got := letters(t, o); !maps.Equal(got, want) {
				t.Fatalf("dead letters %v, want %v", got, want)
			}
			if events, bytes := o.Pending(); events != 0 || bytes != 0 {
				t.Errorf("%d events of %d octets wait", events, bytes)
			}
			if s := o.Stats(); s.Taken != 200 || s.Final != 194 || s.Failed != 6 {
				t.Errorf("%+v", s)
			}
			redeliver(t, ctx, l, o)
			if err := o.Close(ctx); err != nil {
				t.Error(err)
			}
			if err := o.Drop(5); !errors.Is(err, client.ErrClosed) {
				t.Errorf("dropped from a closed outbox: %v", err)
			}
		})
	}
}

// redeliver mends the ledger and redelivers the six letters but the first.
func redeliver(t *testing.T, ctx context.Context, l *ledger, o *client.Outbox) {
	t.Helper()
	l.refuse(nil, false)
	if err := o.Drop(5); err != nil {
		t.Error(err)
	}
	if err := o.Drop(5); !errors.Is(err, client.ErrNoDeadLetter) {
		t.Errorf("dropped twice: %v", err)
	}
	for letter, err := range o.DeadLetters() {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Redeliver(ctx, letter.Sequence); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprint(i))
		if every(37, 5)(want[i]) {
			want[i] = "gap"
		}
	}
	want = append(want, "42", "79", "116", "153", "190")
	if got := l.sequences(t); !slices.Equal(got, want) {
		t.Errorf("the ledger holds %v", got)
	}
	if left := letters(t, o); len(left) > 0 {
		t.Errorf("letters left: %v", left)
	}
}

// Whatever a crash leaves between putting an event aside and going on, and
// between redelivering it and forgetting the letter, nothing is lost, and
// nothing is on the ledger twice but as a duplicate.
func TestDeadLetterCrashes(t *testing.T) {
	l, urls := served(t)
	l.refuse(every(10, 3), false)
	ctx, dir := bounded(t), t.TempDir()
	open := func() *client.Outbox {
		t.Helper()
		o, err := openOutbox(dir, urls, client.OutboxConfig{DeadLetters: 100})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	shut := func(o *client.Outbox) {
		t.Helper()
		if err := o.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	o := open()
	fill(t, ctx, o, 0, 4)
	shut(o) // event 3 was put aside, and nothing has told the ledger
	letter := filepath.Join(dir, "0000000000000003.dead")
	whole, err := os.ReadFile(letter)
	if err != nil || len(l.sequences(t)) != 3 {
		t.Fatal(err, l.sequences(t))
	}
	if err := os.Rename(letter, filepath.Join(dir, "0000000000000003.new")); err != nil { // before it was whole
		t.Fatal(err)
	}
	o = open() // sent again, refused again
	if err := o.Flush(ctx); err != nil || !maps.Equal(letters(t, o), map[uint64]string{3: "3"}) {
		t.Fatal(err, letters(t, o))
	}
	if err := o.Drop(3); err != nil { // the sequence is left out all the same
		t.Fatal(err)
	}
	shut(o)
	o = open()
	fill(t, ctx, o, 4, 6)
	shut(o)
	o = open() // with the record of 3 among those the ledger holds
	fill(t, ctx, o, 6, 7)
	if want, got := []string{"0", "1", "2", "gap", "4", "5", "6"}, l.sequences(t); !slices.Equal(got, want) {
		t.Fatalf("the ledger holds %v", got)
	}
	shut(o)
	l.refuse(nil, false)
	for range 2 { // the letter outlives its redelivery
		if err := os.WriteFile(letter, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		o = open()
		f, err := o.Redeliver(ctx, 3)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		shut(o)
	}
	if want, got := []string{"0", "1", "2", "gap", "4", "5", "6", "3", "3"}, l.sequences(t); !slices.Equal(got, want) {
		t.Fatalf("the ledger holds %v", got)
	}
	if last := l.entries[len(l.entries)-1]; last.Kind != protocol.EntryDuplicate {
		t.Errorf("redelivered twice: %+v", last)
	}
}

// As many events as DeadLetters says are put aside, the next one ends the
// outbox with everything kept; a refusal of the account ends it at once; a
// damaged letter is named and can be dropped.
func TestDeadLetterLimits(t *testing.T) {
	l, urls := served(t)
	l.refuse(every(2, 1), false)
	ctx, dir := bounded(t), t.TempDir()
	o, err := openOutbox(dir, urls, client.OutboxConfig{DeadLetters: 2})
	if err != nil {
		t.Fatal(err)
	}
	failed := fill(t, ctx, o, 0, 6)
	if err := failed[5]; !errors.Is(err, client.ErrOutbox) || !strings.Contains(err.Error(), "2 events were put aside") || errors.Is(err, client.ErrDeadLetter) {
		t.Errorf("the third refused event: %v", err)
	}
	for name, text := range map[string]string{"0000000000000001.dead": "damaged", "0000000000000003.dead": "of another"} {
		whole, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if at := len(whole) - 9; text == "damaged" {
			whole[at] ^= 1
		} else {
			whole[20] ^= 1
		}
		if err := os.WriteFile(filepath.Join(dir, name), whole, 0o600); err != nil {
			t.Fatal(err)
		}
		sequence, _ := strconv.ParseUint(name[:16], 16, 64)
		if _, err := o.Redeliver(ctx, sequence); !errors.Is(err, client.ErrOutbox) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", name, err)
		}
		if err := o.Drop(sequence); err != nil {
			t.Error(err)
		}
	}
	if err := o.Close(ctx); err == nil || !strings.Contains(err.Error(), "1 events remain") {
		t.Errorf("closed: %v", err)
	}
	if o, err = openOutbox(dir, urls, client.OutboxConfig{DeadLetters: 2}); err != nil {
		t.Fatal(err)
	}
	if err := o.Flush(ctx); err != nil || !maps.Equal(letters(t, o), map[uint64]string{5: "5"}) {
		t.Error(err, letters(t, o))
	}
	l.mu.Lock()
	l.banned = newKey(t).Address()
	l.mu.Unlock()
	if failed := fill(t, ctx, o, 6, 7); errors.Is(failed[6], client.ErrDeadLetter) || len(failed) != 1 {
		t.Errorf("the account lost its role: %v", failed)
	}
	if err := o.Close(ctx); err == nil {
		t.Error("closed as if all were final")
	}
}

// A producer of events of which the ledger refuses some is killed with kill -9
// at any moment. Each event it was told is taken is on the ledger or a dead
// letter, and its sequence there once.
func TestKilledProducerKeepsDeadLetters(t *testing.T) {
	l, urls := served(t)
	l.refuse(every(300, 13), false)
	dir := filepath.Join(t.TempDir(), "outbox")
	taken, random := 0, rand.New(rand.NewPCG(5, 1))
	for range 6 {
		taken += runProducer(t, fmt.Sprintf("%s %s 5ms 100000", dir, strings.Join(urls, ",")), 1+random.IntN(300))
	}
	runProducer(t, fmt.Sprintf("%s %s 5ms 0", dir, strings.Join(urls, ",")), -1)
	o, err := openOutbox(dir, urls, client.OutboxConfig{})
	if err != nil {
		t.Fatal(err)
	}
	dead := letters(t, o)
	if err := o.Close(bounded(t)); err != nil {
		t.Fatal(err)
	}
	ids := l.sequences(t)
	for i := range taken {
		at := uint64(i)
		switch refused := every(300, 13)(fmt.Sprint(i)); {
		case refused && dead[at] != fmt.Sprint(i), i >= len(ids) && !refused:
			t.Errorf("event %d is lost", i)
		case i < len(ids) && refused != (ids[i] == "gap"), i < len(ids) && !refused && ids[i] != fmt.Sprint(i):
			t.Errorf("sequence %d holds %s", i, ids[i])
		}
	}
	t.Logf("%d events taken, %d sequences on the ledger, %d dead letters, 6 kills", taken, len(ids), len(dead))
}
