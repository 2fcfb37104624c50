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
// byte for byte. The ledger's tests give the same records to metering.wasm and
// expect the same answers, so that what was tested here is what runs there.
func TestTranscript(t *testing.T) {
	const file = "testdata/transcript.txt"
	var got bytes.Buffer
	c := &utility{t: t, Host: sdk.NewHost()}
	c.Transcript = &got
	c.openBank()
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

// scenario ignores what is refused: every answer is in the transcript.
func (c *utility) scenario() {
	_ = c.Init(set{interval: 7}.args())
	_ = c.Init(set{offset: 3000}.args())
	c.must(c.Init(new(sdk.Args).Int(-210).Uint(60).Text("end").Int(24 * 365 * 10).Uint(50).Uint(12).Absent().Text("EUR").
		Text("home").Int(instant(c.t, "2024-01-01T00:00:00Z")).Text("m3").Text("low 1.25, high 2.5").Text("mon-fri 07:00-22:00 high").
		Text("10 0.1, * 0.2").Int(1_500_000).Int(2_000_001)))
	c.TimeMs = uint64(instant(c.t, "2024-06-01T00:00:00Z") / 1e6)
	_ = c.setTariff(price{name: "home", bands: "a"})
	c.must(c.setTariff(price{name: "named", bands: "one 0.001, two 3"}), c.setTariff(price{name: "home", from: "2024-03-01T00:00:00Z", bands: "7"}))
	_ = c.setTariff(price{name: "home", from: "2024-02-01T00:00:00Z", bands: "8"})
	meters := []string{"A", "AB", `the "7\8"`, "счётчик"}
	for i, name := range meters {
		c.must(c.register(name, []string{"Ada", "Bob"}[i/2], []string{"home", "named"}[i%2], i > 0))
	}
	_ = c.register("A", "Ada", "none", true)
	_ = c.collectNow("nobody")
	seed := uint32(1)
	next := func(n uint32) uint32 { // Numerical Recipes' generator
		seed = seed*1664525 + 1013904223
		return seed >> 8 % n
	}
	now := instant(c.t, "2024-02-20T00:30:00Z") // the offset is of half an hour
	for i := range 200 {
		now += int64(1+next(20)) * 3600e9
		name := meters[next(4)]
		_ = c.readAt(name, now, int64(next(5000))*1000, []string{"one", "two", "three"}[(next(7)+1)%3])
		switch next(6) {
		case 0:
			_ = c.readAt(name, now-int64(next(100))*3600e9, int64(next(9))*scale, "one")
		case 1:
			_ = c.readAt(name, now, 1, "two")
		case 2:
			c.fund([]string{"Ada", "Bob"}[next(2)], 1+int64(next(60)), 1+int64(next(120)))
			_ = c.collectNow(meters[next(4)])
		}
		if i == 100 {
			c.must(c.setTariff(price{name: "named", bands: "one 0.5, two 0.25, three 0"}))
			_ = c.register(meters[2], "Ada", "named", true)
		}
	}
	c.odd(meters)
}

// odd is what few do, and all queries.
func (c *utility) odd(meters []string) {
	_ = c.read("A", "2024-01-02T00:30:00Z", 1, "")
	_ = c.read("A", "2090-01-01T00:30:00Z", 1, "")
	_ = c.read("A", "2024-06-01T00:31:00Z", 1, "")
	_ = c.read("A", "2024-06-01T00:30:00Z", maxReading+1, "")
	_ = c.read("*", "2024-06-01T00:30:00Z", 1, "")
	_ = c.close(meters[1], "2024-13")
	_ = c.close("nothing", "")
	_ = c.Event(eventClose, abi.EventHeader{Subject: []byte("*"), Origin: [abi.AddressBytes]byte{9}}, new(sdk.Args).Absent())
	ask := func(handler int, args *sdk.Args) { _, _ = c.Query(handler, args) }
	for _, name := range append(meters, "nothing", "*") {
		ask(queryOfMeter, new(sdk.Args).Text(name))
	}
	c.must(c.close("*", "2024-05"), c.close("*", ""))
	_ = c.register(meters[2], "Ada", "named", false)
	for _, account := range []string{"Bob", "Ada", "nobody"} {
		_ = c.payBy(meters[1], account, account == "Bob")
	}
	_ = c.collectDebt("Ada")
	c.fund("Ada", 100_000, 100_000)
	_ = c.collectDebt("Ada")
	_ = c.payBy("nothing", "Ada", true)
	_ = c.payOut(1 << 40)
	_ = c.payOut(1)
	for _, name := range append(meters, "nothing") {
		for month := 1; month <= 6; month++ {
			ask(queryOfBill, new(sdk.Args).Text(name).Text(fmt.Sprintf("2024-%02d", month)))
		}
		ask(queryOfBills, new(sdk.Args).Text(name).Absent().Absent())
	}
	ask(queryOfBills, new(sdk.Args).Text("A").Text("2024-02").Uint(1))
	ask(queryOfBills, new(sdk.Args).Text("A").Text("never").Uint(1))
	for _, name := range append(meters, "nobody", "") {
		ask(queryOfBalance, new(sdk.Args).Text(name))
	}
	for version := range uint64(4) {
		ask(queryOfTariff, new(sdk.Args).Text("home").Uint(version))
	}
	ask(queryOfTariff, new(sdk.Args).Text("none").Absent())
	_, _ = c.Call(callOwner, new(sdk.Args).Bytes(make([]byte, 19)))
	owner := [abi.AddressBytes]byte{1}
	_, _ = c.Call(callOwner, new(sdk.Args).Bytes(owner[:]))
	_, _ = c.Call(callOwner, new(sdk.Args).Bytes(owner[:]))
	ask(queryOfTariff+1, nil)
	ask(queryOfMeter, nil)
}
