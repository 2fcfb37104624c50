package main

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/sdk"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/transcript.txt anew")

// A scenario that passes through every branch of the handlers, written down
// byte for byte. The ledger's tests give the same records to maintenance.wasm
// and to maintenance-rust.wasm and expect the same answers of both.
func TestTranscript(t *testing.T) {
	const file = "testdata/transcript.txt"
	var got bytes.Buffer
	c := &plant{t: t, Host: sdk.NewHost(), index: 7}
	c.Transcript = &got
	c.openBank()
	c.TimeMs = 1_704_067_200_000
	c.refusedDeployments()
	if err := c.deploy(configurer.text(), technician.text(), set{
		"threshold": "below", "thresholdOn": -5 * one, "thresholdOff": -2 * one, "ewma": "above", "ewmaOn": 40 * one,
		"rate": "above", "rateOn": 30*one + 1, "escalateMs": 600_000, "reward": 125, "rewardAsset": "EUR", "maxAheadMs": 1_000_000_000_000,
	}); err != nil {
		t.Fatal(err)
	}
	c.people()
	c.series()
	c.corners()
	c.predictions()
	c.pages()
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

var strangeNames = []string{"A", "AB", `the "7\8"`, "насос#3", "a#1", "tab\tend\x01", strings.Repeat("z", 64)}

func (c *plant) refusedDeployments() {
	for _, bad := range []set{
		{"threshold": "over"}, {"alpha": 0}, {"alpha": 65537}, {"escalateMs": maxMs + 1}, {"maxAheadMs": maxMs + 1},
		{"reward": maxReward + 1}, {"producer": "cairn1"}, {"rate": ""}, {"reward": 1}, {"rewardAsset": "1x"}, {"rewardAsset": "waytoolongname"},
		{"ewma": "above", "ewmaOn": 1, "ewmaOff": 2}, {"ewma": "below", "ewmaOn": 2, "ewmaOff": 1},
	} {
		refused(c.t, fmt.Sprint(bad), c.deploy(nil, nil, bad), map[bool]uint32{true: codeBadAddress, false: codeBadParameters}[bad["producer"] != nil])
	}
	text := owner.text()
	flipped := text[:20] + string(text[20]^1) + text[21:]
	for _, bad := range []string{"", strings.ToUpper(text), flipped, text[:43], text + "q", "bairn" + text[5:], text[:10] + "b" + text[11:]} {
		refused(c.t, bad, c.deploy(nil, bad, nil), codeBadAddress)
	}
	_, _ = c.request(sdk.EntryInit, 0, owner, "too few fields")
	_ = c.read("A", 0, 1) // before the deployment: no settings, the initial parameters
	_ = c.call(callTechnician, owner, owner.text(), true)
}

func (c *plant) people() {
	for _, who := range []address{owner, configurer, technician, stranger, {}} {
		_ = c.call(callTechnician, who, stranger.text(), true)
		_ = c.call(callTechnician, who, stranger.text(), who == stranger)
		_ = c.call(callConfigure, who, append([]any{"AB"}, set{"rate": "below", "rateOn": -one}.in()...)...)
	}
	_ = c.call(callTechnician, owner, producer.text(), true)
	_ = c.call(callConfigure, owner, append([]any{""}, set{}.in()...)...)
	_ = c.call(callConfigure, owner, append([]any{"gone"}, set{"alpha": 1}.in()...)...)
	_ = c.ask(queryOfAsset, "gone")
	_ = c.call(callConfigure, owner, append([]any{"gone"}, set{}.in()...)...)
	_ = c.ask(queryOfAsset, "gone")
	_ = c.call(callConfigure, owner, append([]any{"a#1"}, set{"producer": stranger.text(), "escalateReadings": 1, "escalateMs": 0}.in()...)...)
	_ = c.call(callConfigure, configurer, append([]any{strangeNames[2]}, set{"threshold": "off", "thresholdOff": 7, "escalateReadings": 2, "reward": 0}.in()...)...)
}

// series is pseudo-random readings and answers, some of them refused.
func (c *plant) series() {
	seed := uint32(1)
	next := func(n uint32) uint32 { // Numerical Recipes' generator
		seed = seed*1664525 + 1013904223
		return seed >> 8 % n
	}
	sec := int64(1_704_067_200)
	for i := range 260 {
		sec += int64(next(400)) - 20
		name := strangeNames[next(7)]
		ns := sec*1e9 + int64(next(1000))
		value := (int64(next(160)) - 60) * one
		if next(3) == 0 {
			value += int64(next(2_000_000)) - 1_000_000
		}
		from := producer
		if name == "a#1" && next(4) > 0 {
			from = stranger
		}
		switch {
		case name == "AB" && next(9) > 0:
			_ = c.event(eventFine, from, name, ns, value*1_000_000)
		default:
			_ = c.event(eventReading, from, name, ns, value)
		}
		if next(9) == 0 {
			_ = c.event(eventReading, from, name, ns, value+1)
		}
		c.TimeMs += uint64(next(100_000))
		if next(12) == 0 {
			c.bank.Endow("EUR", c.Address, int64(next(300)))
		}
		outcome := []string{outcomeConfirmed, outcomeFalseAlarm, "perhaps"}[next(15)/7]
		who := []address{technician, technician, producer, owner}[next(4)]
		id := fmt.Sprintf("%s#%d", name, 1+next(2)+next(2)*uint32(i/100))
		switch next(5) {
		case 0:
			_ = c.call(callClose, who, id, outcome)
		case 1:
			_ = c.event(eventClose, who, "", ns, id, outcome)
		}
		if i%20 == 0 {
			_ = c.ask(queryOfAsset, name)
			_ = c.ask(queryOfOrder, id)
		}
	}
}

// corners are the ends of ranges, and records of another manifest.
func (c *plant) corners() {
	start := int64(1_704_067_200_000_000_000)
	_ = c.call(callConfigure, owner, append([]any{"far"}, set{
		"threshold": "above", "thresholdOn": math.MaxInt64, "ewma": "below", "ewmaOn": math.MinInt64 + 1, "rate": "above", "rateOn": math.MaxInt64, "alpha": 65536,
	}.in()...)...)
	for i, v := range []int64{maxValue, -maxValue, maxValue, 0, 1, -1, maxValue + 1, -maxValue - 1, math.MinInt64, 33_554_432} {
		_ = c.event(eventFine, producer, "far", start+int64(i), v)
		_ = c.ask(queryOfAsset, "far")
	}
	_ = c.event(eventReading, producer, "far", start+60e9, 1)
	_ = c.event(eventReading, producer, "1906", math.MinInt64, -6*one)
	_ = c.event(eventReading, producer, "1906", math.MaxInt64, 1)
	_ = c.event(eventReading, producer, "1906", -1_999_999, 1)
	_ = c.event(eventReading, producer, "early", -1_999_999, -5*one)
	_ = c.ask(queryOfAsset, "early")
	_ = c.event(eventReading, producer, "", start, 1)
	_ = c.event(eventReading, producer, strings.Repeat("x", 65), start, 1)
	_ = c.event(eventReading, producer, "fields", start)
	_ = c.event(eventReading, producer, "fields", start, nil)
	_ = c.event(eventClose, technician, "fields", start, "x#1")
	_ = c.event(eventClose, technician, "fields", start, "x#4294967295", "confirmed")
	_ = c.event(4, producer, "handler", start, 1)
	_ = c.call(5, owner)
	_ = c.ask(5)
	_ = c.ask(queryOfOrder)
	_, _ = c.Deliver(sdk.EntryQuery, queryOfStats, []byte("short"))
	_, _ = c.Deliver(sdk.EntryEvent, eventReading, bytes.Repeat([]byte{2}, 53))
	for _, amount := range []int64{100, 900, 100_000} {
		_ = c.call(callSettle, technician, producer.text())
		c.bank.Endow("EUR", c.Address, amount)
	}
	for _, amount := range []int{0, 99_000, 99_999_999} {
		_ = c.call(callWithdraw, owner, owner.text(), amount)
	}
	_ = c.call(callSettle, technician, producer.text())
	_ = c.call(callSettle, owner, producer.text())
	_ = c.call(callWithdraw, technician, owner.text(), 1)
	_ = c.call(callWithdraw, owner, "cairn1", 1)
	for _, who := range []address{owner, producer, stranger} {
		_ = c.ask(queryDue, who.text())
	}
	_ = c.ask(queryDue, "cairn1qqqq")
}

func (c *plant) pages() {
	_ = c.ask(queryOfStats)
	_ = c.ask(queryOfOrders, nil, nil)
	for _, limit := range []int{1, 3, 0, 1000} {
		_ = c.ask(queryOfOrders, "open:a#1#1", limit)
		_ = c.ask(queryOfOrders, "closed:AB#1", limit)
	}
	for _, cursor := range []string{"", "open:", "closed:A", "elsewhere:A#1", "open:zzzz#1", "closed:zzzz#9"} {
		_ = c.ask(queryOfOrders, cursor, 2)
	}
	for _, name := range append(strangeNames, "nowhere", "", "1906") {
		_ = c.ask(queryOfAsset, name)
	}
	for _, id := range []string{"A#1", "nowhere#1", "A#", "A#00"} {
		_ = c.ask(queryOfOrder, id)
	}
}
