package main

import (
	"strings"
	"testing"
	"time"
)

// A dam: the water rises to four metres, and the gate, reported closed, is not
// opened for ten minutes.
func TestFlood(t *testing.T) {
	const text = `when (level < 4 "m" then level >= 4 "m" within 30m) and gate status = "closed" and not gate status = "open" within 10m ` +
		`late 0s cooldown 1h do action gate.open on "gate-1"`
	c := newCity(t)
	if err := c.call(callOfDefine, owner, fields{}.text("level").text("number").number(-2e6).number(20e6).text("m")); err != nil {
		t.Fatal(err)
	}
	c.register("flood", text)
	c.mustRead(0, "dam", said{property: "level", value: 3_900_000, unit: "m"})
	c.mustRead(4*time.Minute, "dam", said{property: "level", value: 4_000_000})
	c.mustRead(5*time.Minute, "dam", said{property: "gate", status: "closed"})
	c.mustRead(10*time.Minute, "dam", said{property: "level", value: 4_100_000})
	equal(t, c.fired(), "")
	c.clock(10*time.Minute + time.Nanosecond)
	equal(t, c.fired(), `rules.action.v1 gate-1 {"rule":"flood","version":1,"action":"gate.open","actuator":"gate-1","subject":"dam","timeNs":"1714565400000000000","causes":[`+
		`{"entry":1,"timeNs":"1714564800000000000","subject":"dam","property":"level","value":"3.9"},`+
		`{"entry":2,"timeNs":"1714565040000000000","subject":"dam","property":"level","value":"4"},`+
		`{"entry":3,"timeNs":"1714565100000000000","subject":"dam","property":"gate","status":"closed"}]}`)

	// The same, but somebody opens the gate.
	c = newCity(t)
	c.register("flood", strings.ReplaceAll(text, ` "m"`, ""))
	c.mustRead(0, "dam", said{property: "level", value: 3_900_000})
	c.mustRead(4*time.Minute, "dam", said{property: "level", value: 4_000_000})
	c.mustRead(5*time.Minute, "dam", said{property: "gate", status: "closed"})
	c.mustRead(6*time.Minute, "dam", said{property: "gate", status: "open"})
	c.clock(time.Hour)
	equal(t, c.fired(), "")
}

// A fire: smoke, then heat within two minutes, inside one quarter of the city.
func TestFire(t *testing.T) {
	c := newCity(t)
	c.register("fire", `when smoke = true then temperature >= 60.5 within 2m in circle 52.1, 4.3, 500m cooldown 10m do alert fire`)
	here, there := [2]int{521000000, 43000000}, [2]int{521100000, 43000000} // 1.1 km apart
	smoke := func(after time.Duration, subject string, at [2]int) {
		c.mustRead(after, subject, said{property: "smoke", flag: true, lat: at[0], lon: at[1]})
	}
	heat := func(after time.Duration, subject string, at [2]int, value int) {
		c.mustRead(after, subject, said{property: "temperature", value: value, lat: at[0], lon: at[1]})
	}
	heat(0, "hall", here, 90_000_000) // heat, then smoke
	smoke(time.Second, "hall", here)
	heat(2*time.Second, "hall", here, 60_499_999)
	heat(3*time.Second, "barn", here, 90_000_000) // another subject
	heat(4*time.Second, "hall", there, 90_000_000)
	c.mustRead(5*time.Second, "hall", said{property: "temperature", value: 90_000_000}) // nobody knows where
	heat(121*time.Second+1, "hall", here, 90_000_000)                                   // too late
	equal(t, c.fired(), "")
	smoke(200*time.Second, "hall", here)
	heat(195*time.Second, "hall", here, 70_000_000) // overtaken: it was before the smoke
	equal(t, c.fired(), "")
	heat(320*time.Second, "hall", here, 60_500_000)
	if got := c.fired(); !strings.HasPrefix(got, `rules.alert.v1 hall {"rule":"fire","version":1,"alert":"fire","subject":"hall","timeNs":"1714565120000000000","causes":[`+
		`{"entry":8,"timeNs":"1714565000000000000","subject":"hall","property":"smoke","flag":true},`) {
		t.Errorf("got %s", got)
	}
	for after := 330 * time.Second; after < 40*time.Minute; after += time.Minute {
		smoke(after, "hall", here)
		heat(after+time.Second, "hall", here, 80_000_000)
	}
	if n := len(c.Emitted); n != 3 { // one in ten minutes
		t.Errorf("%d alerts in 35 minutes", n)
	}
	equal(t, c.query(queryOfRule, fields{}.text("fire")), `{"rule":"fire","version":1,"enabled":true,`+
		`"owner":"`+string(owner.text())+`","text":"when smoke = true then temperature >= 60.5 within 2m in circle 52.1, 4.3, 500m per subject late 30s cooldown 10m do alert fire",`+
		`"fired":4,"suppressed":32,"subjects":2}`)
}

// A cold chain: a lorry's hold is warm although nobody opened the door.
func TestColdChain(t *testing.T) {
	c := newCity(t)
	c.register("cold", `when not door status = "open" then temperature of "lorry/*" > 8 within 15m cooldown 1h do alert cold.chain`)
	warm := said{property: "temperature", value: 8_000_001}
	c.mustRead(0, "lorry/1", said{property: "door", status: "open"})
	c.mustRead(10*time.Minute, "lorry/1", warm) // the door explains it
	c.mustRead(10*time.Minute, "cellar", warm)
	c.mustRead(16*time.Minute, "lorry/1", said{property: "temperature", value: 8_000_000})
	c.mustRead(17*time.Minute, "lorry/1", warm)
	c.mustRead(17*time.Minute-5*time.Second, "lorry/1", said{property: "door", status: "open"}) // overtaken
	c.mustRead(18*time.Minute, "lorry/1", said{property: "temperature", value: 0})
	equal(t, c.fired(), "")
	c.mustRead(32*time.Minute, "lorry/1", warm)
	equal(t, c.fired(), "") // not yet: a reading of the door may still come
	c.mustRead(32*time.Minute+30*time.Second, "lorry/1", warm)
	if got := c.fired(); !strings.Contains(got, `"timeNs":"1714566720000000000"`) || strings.Count(got, "entry") != 1 {
		t.Errorf("got %s", got)
	}
}
