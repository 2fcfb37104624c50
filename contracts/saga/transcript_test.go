package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/transcript.txt anew")

// A scenario that passes through every branch of the handlers, written down
// byte for byte. The ledger's tests give the same records to saga.wasm and
// expect the same answers, so that what was tested here is what runs there.
func TestTranscript(t *testing.T) {
	const file = "testdata/transcript.txt"
	var got bytes.Buffer
	w := &world{t: t, Host: sdk.NewHost(), sec: startSec}
	w.Transcript = &got
	w.openBank()
	w.scenario()
	if *rewrite {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Fatalf("the handlers answer otherwise than %s says; if that is intended, run go test -rewrite", file)
	}
}

func (w *world) scenario() {
	if err := w.deploy(0, 1); err == nil {
		w.t.Fatal("no time to wait")
	}
	w.must(w.deploy(3600, 7200))
	stranger := address(50)
	for handler := range callOfRevoke + 1 {
		for _, role := range []string{"carrier", "nobody"} {
			fields := appendBytes(appendBytes(nil, []byte(role)), stranger[:])
			_ = w.from(sdk.EntryCall, handler, owner, fields)
			_ = w.from(sdk.EntryCall, handler, stranger, fields)
			_, _ = w.Query(queryOfAllowed, new(sdk.Args).Text(role).Bytes(stranger[:]))
		}
	}
	seed := uint32(1)
	next := func(n uint32) uint32 { // Numerical Recipes' generator
		seed = seed*1664525 + 1013904223
		return seed >> 8 % n
	}
	accounts, articles := []string{"ann", "bob"}, []string{"bolt", "nut", "гайка"}
	ids := []string{"a", "b", "c", "d", "e", "f"}
	for range 150 {
		w.sec += int64(next(150))
		id := ids[next(6)]
		switch kind := next(13); kind {
		case 0, 1, 2:
			items := []item{{articles[next(3)], uint64(next(4)), uint64(next(90))}}
			if next(2) == 0 {
				items = append(items, item{articles[next(3)], 1, 20})
			}
			_ = w.send(onPlaced, id, placing(accounts[next(2)], next(3) > 0, items...))
		case 3:
			_ = w.topUp(accounts[next(2)], uint64(next(300)))
			if next(3) == 0 {
				w.bank.Allow("EUR", accountOf(accounts[next(2)]), int64(next(50)))
			}
			_ = w.payOut([][abi.AddressBytes]byte{owner, stranger}[next(2)], uint64(next(100)))
		case 4, 5:
			_ = w.receive(articles[next(3)], uint64(next(5)))
		case 6:
			_ = w.send(onFailed, id, new(sdk.Args).Bool(next(2) == 0))
		case 7:
			_ = w.send(onClock, "", nil)
		case 8:
			_ = w.send([]int{onCancelled, onRetry, onExpire}[next(3)], id, nil)
		case 9, 10:
			_ = w.send(onDispatched, id, nil)
		case 11:
			_ = w.send(onDelivered, id, nil)
		default:
			_ = w.sendAs(stranger, int(next(onClock+1)), id, nil)
		}
		if next(5) == 0 {
			id = fmt.Sprintf("%s%d", id[:1], w.index)
			ids[next(6)] = id
		}
	}
	w.lives()
	for _, id := range append(ids, "nowhere", "", "sent", "back", "gone", "late", "poor") {
		_, _ = w.Query(queryOfOrder, new(sdk.Args).Text(id))
	}
	for _, name := range articles {
		_, _ = w.Query(queryOfStock, new(sdk.Args).Text(name))
	}
	_, _ = w.Query(queryOfTotals, nil)
	_, _ = w.Query(queryOfTotals+9, nil)
	_ = w.send(onReady, "ann", new(sdk.Args).Text("fields of another manifest"))
}

// lives are orders that reach dispatch, and each of what can follow.
func (w *world) lives() {
	for _, id := range []string{"sent", "back", "gone", "late"} {
		_ = w.send(onPlaced, id, placing("eve", true, item{"cog", 2, 50}))
	}
	_ = w.topUp("eve", 250)
	_ = w.topUp("eve", 250)
	_ = w.receive("cog", 5)
	_ = w.receive("cog", 50)
	for _, id := range []string{"sent", "back", "gone", "late"} {
		_ = w.send(onDispatched, id, nil)
		_ = w.send(onCancelled, id, nil)
	}
	_ = w.send(onDelivered, "sent", nil)
	_ = w.send(onFailed, "back", new(sdk.Args).Bool(true))
	_ = w.send(onFailed, "back", new(sdk.Args).Bool(true))
	_ = w.send(onFailed, "gone", new(sdk.Args).Bool(false))
	_ = w.send(onExpire, "late", nil)
	w.sec += 7200
	_ = w.send(onExpire, "late", nil)
	_ = w.send(onPlaced, "poor", placing("eve", true, item{"cog", 99, 50}))
	w.sec += 3600
	_ = w.topUp("eve", 9)
	_, _ = w.Query(queryOfStock, new(sdk.Args).Text("cog"))
}
