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

func TestManifest(t *testing.T) {
	text, err := os.ReadFile("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := abi.ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := sdk.CheckManifest(m); err != nil {
		t.Fatal(err)
	}
}

// A scenario that passes through every branch of the handlers, written down
// byte for byte. The ledger's tests give the same records to escrow.wasm and
// expect the same answers.
func TestTranscript(t *testing.T) {
	const file = "testdata/transcript.txt"
	var got bytes.Buffer
	h := sdk.NewHost()
	h.Transcript, h.Address = &got, address{0: 7}
	scenario(t, h)
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

const (
	callOpen = iota
	callDispute
	callResolve
	callWaive
)

// scenario has five accounts open, complete, dispute, resolve and waive at
// random, most of it out of turn, and checks after each step that no unit was
// made or lost.
func scenario(t *testing.T, h *sdk.Host) {
	const each, day = 5_000, 86400_000
	bank := h.OpenBank()
	seed := uint32(1)
	next := func(n uint32) uint32 { // Numerical Recipes' generator
		seed = seed*1664525 + 1013904223
		return seed >> 8 % n
	}
	accounts := []address{{1}, {2}, {3}, {4}, {5}}
	bank.Issue("EUR", accounts[0])
	for _, a := range accounts {
		bank.Endow("EUR", a, each)
		bank.Allow("EUR", a, each-500)
	}
	h.TimeMs = 1_750_000_000_000
	call := func(handler int, caller address, args *sdk.Args) { _, _ = h.CallAs(caller, handler, args) }
	var n uint32 // of a project, whose parties are always the same
	name := func() string { return fmt.Sprint("p", n) }
	party := func(role uint32) address { // but for who has no part in it
		if next(4) == 0 {
			role += next(4)
		}
		return accounts[(n+role)%5]
	}
	const payer, payee, reporter, arbiter = 0, 1, 2, 3
	for range 600 {
		n = next(40)
		switch next(8) {
		case 0, 1:
			asset, due := "EUR", int64(h.TimeMs)+int64(next(20))*day-day
			if next(9) == 0 {
				asset = []string{"USD", "", "much too long a name"}[next(3)]
			}
			args := new(sdk.Args).Text(name()).Text(asset).Uint(uint64(next(700)))
			for _, role := range []uint32{payee, reporter, arbiter} {
				a := accounts[(n+role+next(20)/19)%5]
				args.Bytes(a[:20-next(20)/19])
			}
			call(callOpen, party(payer), args.Int(due*1e6).Uint(uint64(next(10))*86400))
		case 2:
			call(callDispute, party(payer+next(2)), new(sdk.Args).Text(name()))
		case 3, 6:
			call(callResolve, party(arbiter), new(sdk.Args).Text(name()).Uint(uint64(next(800))))
		case 4:
			call(callWaive, party(payee), new(sdk.Args).Text(name()))
		case 5:
			_ = h.Event(0, abi.EventHeader{Origin: party(reporter), ID: []byte("1"), Source: []byte("/s"), Type: []byte("project.completed.v1"), Subject: []byte(name())}, nil)
		default:
			h.Height++
			h.TimeMs += uint64(next(2)) * day / 2
			for fired := true; fired; {
				fired, _ = h.Fire()
			}
		}
		sum := bank.Held("EUR") + bank.Balance("EUR", h.Address)
		for _, a := range accounts {
			sum += bank.Balance("EUR", a)
		}
		if sum != 5*each {
			t.Fatalf("there are %d EUR, %d were endowed", sum, 5*each)
		}
	}
	for i := range 13 {
		_, _ = h.Query(0, new(sdk.Args).Text(fmt.Sprint("p", i)))
	}
	_, _ = h.Query(1, new(sdk.Args).Absent().Absent())
	_, _ = h.Query(1, new(sdk.Args).Text("p3").Uint(2))
}
