package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/sdk"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/transcript.txt anew")

// A scenario that passes through every branch of the handlers, written down
// byte for byte. The ledger's tests give the same records to parking.wasm and
// expect the same answers, so that what was tested here is what runs there.
func TestTranscript(t *testing.T) {
	const file = "testdata/transcript.txt"
	var got bytes.Buffer
	c := &town{t, sdk.NewHost()}
	c.Transcript = &got
	c.scenario()
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

func (c *town) scenario() {
	if err := c.deploy(map[int]int64{0: 10, 1: 20}); err == nil {
		c.t.Fatal("a start below the floor")
	}
	if err := c.deploy(map[int]int64{0: 225, 10: 24 * 365 * 10}); err != nil {
		c.t.Fatal(err)
	}
	c.TimeMs = 1475539200_000 // 2016-10-04
	seed := uint32(1)
	next := func(n uint32) uint32 { // Numerical Recipes' generator
		seed = seed*1664525 + 1013904223
		return seed >> 8 % n
	}
	lots := []string{"A", "AB", `the "7\8"`, "парк"}
	hours := []string{"07:59:42", "12:00:00", "14:59:59", "23:59:59"}
	for day := 24; day <= 38; day++ { // 2016-12-24 to 2017-01-07: weeks 51, 52 and 1
		date := fmt.Sprintf("2016-12-%02d", day)
		if day > 31 {
			date = fmt.Sprintf("2017-01-%02d", day-31)
		}
		lot := lots[next(4)]
		at := date + " " + hours[next(4)]
		// Some are below zero, some over capacity, some late: all have an answer.
		_ = c.read(lot, at, int64(next(140))-20, 100)
		_ = c.read(lots[next(4)], date+" "+hours[next(4)], int64(next(100)), uint64(next(300)))
		if next(3) == 0 {
			_ = c.read(lot, at, 1, 1)
		}
		if next(5) == 0 {
			c.close(lot)
		}
	}
	_ = c.read("*", "2017-01-08 09:00:00", 1, 1)
	_ = c.read("A", "2017-01-01 23:59:59", 1, 1)
	_ = c.read("A", "2017-01-08 09:00:00", 1, 0)
	_ = c.read("new", "2100-01-01 09:00:00", 1, 1)
	query := func(handler int, args *sdk.Args) { _, _ = c.Query(handler, args) }
	query(queryOfPrices, new(sdk.Args).Absent().Absent())
	c.close("*")
	for _, lot := range append(lots, "nowhere") {
		for _, band := range []string{"A", "B", "C", "D", ""} {
			query(queryOfPrice, new(sdk.Args).Text(lot).Text(band))
		}
	}
	query(queryOfPrices, new(sdk.Args).Absent().Uint(4))
	query(queryOfPrices, new(sdk.Args).Text("AB/B").Uint(0))
	query(queryOfCount, nil)
	query(queryOfCount+1, nil)
	query(queryOfPrice, new(sdk.Args).Text("fields of another manifest"))
}
