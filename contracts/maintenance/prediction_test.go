package main

import (
	"strings"
	"testing"
)

// A score sets off the triggers of its own model's asset and no other's, and
// the producer's rule holds for it.
func TestPredictions(t *testing.T) {
	c := newPlant(t, nil)
	c.configure("pump/wear", set{"threshold": "above", "thresholdOn": 4 * one, "thresholdOff": 2 * one, "producer": producer.text()})
	const start = 1_704_067_200_000_000_000
	send := func(minute int64, from address, asset, model string, score int64) error {
		return c.event(eventPrediction, from, asset, start+minute*60e9, score, model)
	}
	for i, score := range []int64{one, 5 * one, 3 * one, one} {
		for _, err := range []error{
			send(int64(i), producer, "pump", "wear", score),
			send(int64(i), producer, "pump", "heat", score),
			c.event(eventFine, stranger, "pump", start+int64(i)*60e9, score),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(c.Emitted) != 1 || c.Emitted[0].Type != "maintenance.order.opened.v1" || string(c.Emitted[0].Subject) != "pump/wear" ||
		!strings.Contains(string(c.Emitted[0].Data), `"order":"pump/wear#1"`) {
		t.Errorf("emitted: %s", c.Emitted)
	}
	refused(t, "another producer", send(9, stranger, "pump", "wear", one), codeNotAllowed)
	for _, bad := range [][2]string{{"", "wear"}, {"pump", ""}, {"pump", "a/b"}, {"pump", strings.Repeat("m", 60)}} {
		refused(t, bad[0]+" and "+bad[1], send(9, producer, bad[0], bad[1], one), codeBadAsset)
	}
	refused(t, "a score out of bounds", send(9, producer, "pump", "wear", maxValue+1), codeBadReading)
}

// predictions is the transcript's part about models.
func (c *plant) predictions() {
	_ = c.call(callConfigure, owner, append([]any{"pump/wear"}, set{"threshold": "above", "thresholdOn": 4 * one}.in()...)...)
	const start = 1_704_067_200_000_000_000
	for i, score := range []int64{one, 5 * one, 3 * one, 6 * one, -maxValue, maxValue + 1} {
		_ = c.event(eventPrediction, producer, "pump", start+int64(i)*60e9, score, "wear")
	}
	for _, name := range [][2]string{{"", "wear"}, {"pump", ""}, {"pump", "a/b"}, {"a/b", "c"}, {strings.Repeat("p", 64), "m"}, {strings.Repeat("p", 62), "m"}} {
		_ = c.event(eventPrediction, producer, name[0], start, one, name[1])
	}
	_ = c.event(eventPrediction, producer, "pump", start+60e12, one)
	_ = c.ask(queryOfAsset, "pump/wear")
	_ = c.ask(queryOfOrder, "pump/wear#2")
}
