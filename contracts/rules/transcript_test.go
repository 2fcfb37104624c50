package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/contracts/sdk"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/transcript.txt anew")

// A scenario that passes through the handlers, written down byte for byte. The
// ledger's tests give the same records to rules.wasm and expect the same
// answers, so that what was tested here is what runs there.
func TestTranscript(t *testing.T) {
	const file = "testdata/transcript.txt"
	var got bytes.Buffer
	c := &city{t: t, Host: sdk.NewHost()}
	c.TimeMs = uint64(noon.Add(2 * time.Hour).UnixMilli())
	c.Transcript = &got
	c.registry()
	c.readings()
	c.refusals()
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

// registry deploys, defines, registers and asks. Refusals are part of it.
func (c *city) registry() {
	_ = c.deploy(fields{}.text("nobody").absent())
	_ = c.deploy(fields{}.absent().number(1 << 62))
	_ = c.deploy(fields{}.text(string(owner.text())).number(600))
	_ = c.call(callOfAllow, stranger, fields{}.text(string(author.text())).flag(true))
	_ = c.call(callOfAllow, owner, fields{}.text(string(author.text())).flag(true))
	_ = c.call(callOfDefine, owner, fields{}.text("level").text("number").number(-2e6).number(20e6).text("m"))
	_ = c.call(callOfDefine, owner, fields{}.text("gate").text("status").absent().absent().absent())
	_ = c.call(callOfDefine, owner, fields{}.text("smoke").text("flag").number(1).absent().absent())
	for i, r := range rulesOfAllKinds {
		id := fmt.Sprintf("rule-%d", i)
		_ = c.call(callOfRegister, author, fields{}.text(id).text(r[0]))
		c.query(queryOfExplain, fields{}.text(r[0]))
	}
	for _, bad := range []string{"", "when", `when level = true do alert a`, `when level > 3 "km" do alert a`, `when level > 30 do alert a`} {
		_ = c.call(callOfRegister, owner, fields{}.text("bad").text(bad))
		c.query(queryOfExplain, fields{}.text(bad))
	}
	_ = c.call(callOfRegister, owner, fields{}.text("when").text(rulesOfAllKinds[0][0]))
	_ = c.call(callOfRegister, stranger, fields{}.text("mine").text(rulesOfAllKinds[0][0]))
	_ = c.call(callOfEnable, owner, fields{}.text("rule-5").flag(false))
	_ = c.call(callOfEnable, owner, fields{}.text("rule-5").flag(true))
	_ = c.call(callOfEnable, owner, fields{}.text("nothing").flag(true))
	_ = c.call(callOfRegister, owner, fields{}.text("heat").text(`when smoke = true then temperature >= 60 within 2m in circle 52.1, 4.3, 500m do alert heat`))
	_ = c.call(callOfRegister, owner, fields{}.text("flood").text(`when (level < 4 then level >= 4 within 30m) and gate status = "closed" and not gate status = "open" within 10m late 5s cooldown 20m do action gate.open on "gate-1"`))
	_ = c.call(callOfRegister, owner, fields{}.text("cold").text(`when not door status = "open" then temperature of "lorry/*" > 8 within 15m do alert cold`))
	_ = c.call(callOfRegister, owner, fields{}.text("all").text(`when maintenance.order status = "opened" and (parking.occupancy > 90 or parking.price >= 300) within 1h global do alert busy`))
	c.query(queryOfRules, fields{}.absent().number(3))
	c.query(queryOfRules, fields{}.text("heat").absent())
	c.query(queryOfProperty, fields{}.text("level"))
	c.query(queryOfProperty, fields{}.text("temperature"))
}

// readings are some hundred, drawn by Numerical Recipes' generator.
func (c *city) readings() {
	seed := uint32(1)
	next := func(n int) int {
		seed = seed*1664525 + 1013904223
		return int(seed >> 8 % uint32(n))
	}
	subjects := []string{"hall", `the "7\8"`, "lorry/1", "парк", ""}
	for i := range 240 {
		after := time.Duration(i*20-next(3)*15) * time.Second
		subject := subjects[next(len(subjects))]
		switch next(6) {
		case 0:
			_ = c.read(after, subject, said{property: "smoke", flag: next(2) == 0, lat: 521000000, lon: 43000000 + next(3)*50000})
		case 1:
			_ = c.read(after, subject, said{property: "temperature", value: next(100)*1_000_000 - 5, lat: 521000000 + next(2)*40000, lon: 43000000})
		case 2:
			_ = c.read(after, subject, said{property: "level", value: next(9)*1_000_000 + next(10)})
		case 3:
			_ = c.read(after, subject, said{property: "gate", status: []string{"closed", "closed", "closed", "open"}[next(4)]})
		case 4:
			_ = c.read(after, subject, said{property: "door", status: "open", text: "left"})
		case 5:
			_ = c.read(after, subject, said{property: string(rune('a' + next(4))), value: next(6) * 1_000_000, text: "x", status: "y"})
		}
		if next(9) == 0 {
			_ = c.event(eventClock, after, "", author, nil)
		}
		if next(9) == 0 {
			_ = c.event(eventOccupancy, after, subject, stranger, fields{}.number(int64(next(120)-10)).number(100))
			_ = c.event(eventPrice, after, subject, stranger, fields{}.text("A").number(int64(next(600))))
			_ = c.event(eventOrderOpened+next(5), after, subject, stranger, nil)
		}
	}
	for _, id := range []string{"heat", "flood", "cold", "all", "rule-6", "nothing"} {
		_, _ = c.request(sdk.EntryQuery, queryOfRule, address{}, fields{}.text(id))
		for _, subject := range subjects {
			_, _ = c.request(sdk.EntryQuery, queryOfState, address{}, fields{}.text(id).text(subject))
		}
	}
}

// refusals are what the contract turns away.
func (c *city) refusals() {
	for _, s := range []said{
		{property: "when"}, {property: ""}, {property: "parking.price"}, {property: "a", lat: 1}, {property: "a", lat: 1, lon: 1 << 60},
		{property: "a", text: "a text of more than thirty-two bytes"}, {property: "a", status: "\n"}, {property: "level", value: 21_000_000},
		{property: "level", value: 1, unit: "ft"}, {property: "level", flag: true}, {property: "nobody.listens", value: -1 << 63},
		{property: "a", value: -1 << 63},
	} {
		_ = c.read(time.Hour, "hall", s)
	}
	_ = c.read(3*time.Hour, "hall", said{property: "level", value: 1})
	_ = c.read(-400000*time.Hour, "hall", said{property: "level", value: 5_000_000})
	_ = c.read(-time.Hour, "hall", said{property: "level", value: 5_000_000})
	_ = c.read(time.Hour, string(bytes.Repeat([]byte("s"), 65)), said{property: "level", value: 5_000_000})
	_ = c.event(eventClock, time.Hour, "", stranger, nil)
	_ = c.event(eventOccupancy, time.Hour, "hall", stranger, fields{}.number(1).number(0))
	_ = c.event(eventReading, time.Hour, "hall", stranger, fields{}.text("fields of another manifest"))
}
