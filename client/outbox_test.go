package client_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// outboxVariable makes the test's program a producer: "DIR URL,URL SYNC COUNT".
const outboxVariable = "CAIRN_TEST_OUTBOX"

// produceFromOutbox is the program that is killed: it opens the outbox, submits
// events numbered by their sequences and prints each that was taken. With a
// count of 0 it only sends what is there.
func produceFromOutbox(arguments string) error {
	parts := strings.Fields(arguments)
	var every time.Duration
	var count int
	if _, err := fmt.Sscan(parts[3], &count); err != nil {
		return err
	}
	every, err := time.ParseDuration(parts[2])
	if err != nil {
		return err
	}
	o, err := openOutbox(parts[0], strings.Split(parts[1], ","), client.OutboxConfig{SyncEvery: every, MaxBytes: 256 << 10, DeadLetters: 10_000})
	if err != nil {
		return err
	}
	// The first event's number is what follows those of earlier runs.
	events, _ := o.Pending()
	next := int(o.Next())
	fmt.Println("opened", next, events)
	for i := range count {
		f, err := o.Submit(context.Background(), event(next+i))
		if err != nil {
			return err
		}
		fmt.Println("taken", f.Sequence)
	}
	if count > 0 {
		select {} // until it is killed
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return o.Close(ctx)
}

func openOutbox(dir string, urls []string, limits client.OutboxConfig) (*client.Outbox, error) {
	c, err := client.New(client.Config{Nodes: urls, ChainID: "cairn-fake"})
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	secret[31] = 7
	key, err := protocol.PrivateKeyFromBytes(secret)
	if err != nil {
		return nil, err
	}
	limits.Dir = dir
	return c.OpenOutbox(context.Background(), key, "meter", client.ProducerConfig{Linger: 2 * time.Millisecond, MaxBatchEvents: 20}, limits)
}

// served is a ledger of two nodes on loopback that makes a block every 10 ms.
func served(t *testing.T) (l *ledger, urls []string) {
	l = newLedger(2)
	for i := range l.nodes {
		server := httptest.NewServer(l.serve(i, []int{0, 1}))
		t.Cleanup(server.Close)
		urls = append(urls, server.URL)
	}
	ended, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		random := rand.New(rand.NewPCG(1, 1))
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				l.block(random, false)
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
	return l, urls
}

// runProducer runs the program until it has said so many lines, kills it with
// kill -9, and answers how many events it was told are taken.
func runProducer(t *testing.T, arguments string, lines int) (taken int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), outboxVariable+"="+arguments)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	for ; lines != 0 && said.Scan(); lines-- {
		if strings.HasPrefix(said.Text(), "taken ") {
			taken++
		}
	}
	if lines > 0 {
		t.Errorf("the producer ended by itself")
	}
	if lines >= 0 {
		cmd.Process.Kill()
	}
	for said.Scan() { // what it said before it was killed was said
		if strings.HasPrefix(said.Text(), "taken ") {
			taken++
		}
	}
	if err := cmd.Wait(); err != nil && lines < 0 {
		t.Errorf("the producer: %v", err)
	}
	return taken
}

// A producer is killed with kill -9 again and again, at any moment. Every
// event it was told is taken is on the ledger once, in order, and none is
// there that follows a hole.
func TestKilledProducerLosesNothing(t *testing.T) {
	for _, every := range []string{"0s", "5ms"} {
		t.Run(every, func(t *testing.T) {
			l, urls := served(t)
			dir := filepath.Join(t.TempDir(), "outbox")
			taken, random := 0, rand.New(rand.NewPCG(3, uint64(len(every))))
			for range 8 {
				taken += runProducer(t, fmt.Sprintf("%s %s %s 100000", dir, strings.Join(urls, ","), every), 1+random.IntN(900))
			}
			runProducer(t, fmt.Sprintf("%s %s %s 0", dir, strings.Join(urls, ","), every), -1)
			ids := l.ids()
			for i, id := range ids {
				if id != fmt.Sprint(i) {
					t.Fatalf("entry %d is event %s", i, id)
				}
			}
			if len(ids) < taken {
				t.Errorf("%d events were taken, the ledger holds %d", taken, len(ids))
			}
			left, err := filepath.Glob(filepath.Join(dir, "*.outbox"))
			if err != nil || len(left) > 2 {
				t.Errorf("files left: %v %v", left, err)
			}
			t.Logf("%d events taken, %d on the ledger, 8 kills", taken, len(ids))
		})
	}
}

// What is on disk is read as it was written, or refused; a record that was cut
// off is no record, and events are taken while no node answers.
func TestOutboxOnDisk(t *testing.T) {
	l, urls := served(t)
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	open := func(urls ...string) (*client.Outbox, error) {
		return openOutbox(dir, urls, client.OutboxConfig{MaxBytes: 1 << 20})
	}
	o, err := open(urls...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(urls...); !errors.Is(err, client.ErrOutbox) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opened twice: %v", err)
	}
	if err := o.Close(ctx); err != nil {
		t.Fatal(err)
	}
	o, err = open("http://127.0.0.1:1") // nobody there
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if _, err := o.Submit(ctx, event(i)); err != nil {
			t.Fatal(err)
		}
	}
	gone, stop := context.WithCancel(ctx)
	stop()
	if err := o.Close(gone); err == nil || !strings.Contains(err.Error(), "50 events remain") {
		t.Errorf("closed without a node: %v", err)
	}
	file := filepath.Join(dir, "0000000000000000.outbox")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	restore := func(text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flipBits(t, whole, func(damaged []byte) error {
		restore(damaged)
		_, err := open(urls...)
		return err
	})
	restore(whole[:len(whole)-7])
	if o, err = open(urls...); err != nil {
		t.Fatal(err)
	}
	if events, _ := o.Pending(); events > 49 || o.Next() != 49 {
		t.Errorf("after a record was cut off: %d events, next %d", events, o.Next())
	}
	f, err := o.Submit(ctx, event(49))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := f.Wait(ctx); err != nil || r.Entry != 49 {
		t.Errorf("%+v %v", r, err)
	}
	if err := o.Close(ctx); err != nil {
		t.Error(err)
	}
	if ids := l.ids(); len(ids) != 50 {
		t.Errorf("the ledger holds %v", ids)
	}
}

// flipBits tries a file with a bit flipped anywhere but in its last record,
// which may also have been cut off.
func flipBits(t *testing.T, whole []byte, open func([]byte) error) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		damaged := append([]byte{}, whole...)
		at := random.IntN(len(whole) - 200)
		damaged[at] ^= 1 << random.IntN(8)
		if err := open(damaged); !errors.Is(err, client.ErrOutbox) {
			t.Fatalf("a bit of octet %d flipped: %v", at, err)
		}
	}
}
