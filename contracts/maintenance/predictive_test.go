package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	scores "github.com/cairn-ledger/cairn/client/model"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// The same eleven weeks as scores of a model that knows no labels: a z-score
// over a week's readings. It opens a quarter of the orders that the fixed
// level of TestMachineTemperature opens, and meets all four failures too.
// Points are counted as there; the technician answers as there.
func TestMachineTemperaturePredicted(t *testing.T) {
	points, windows := readNAB(t)
	m, err := scores.Load("../../client/examples/predictive/machine.json")
	if err != nil {
		t.Fatal(err)
	}
	c := newPlant(t, nil)
	c.configure("machine/temperature", set{"threshold": "below", "thresholdOn": -6 * one, "thresholdOff": -3 * one})
	var right, wrong, missed, orders, confirmed int
	hit := map[int]bool{}
	held, inside := false, false
	var state scores.State
	for i, p := range points {
		if p.repeat {
			continue
		}
		e := protocol.Event{Type: m.Input.Type, DataForm: protocol.DataJSON, Data: fmt.Appendf(nil, `{"value":%s}`, p.value.FloatString(finePlaces))}
		scored, after, err := m.Predict(state, []scores.Reading{{Event: &e}})
		if err != nil {
			t.Fatal(err)
		}
		state = after
		score := scoreOf(t, scored.Data)
		if err := c.event(eventPrediction, producer, "machine", p.at.UnixNano(), score, m.Name); err != nil {
			t.Fatalf("line %d: %v", i+2, err)
		}
		triggered := score <= -6*one || held && score <= -3*one
		switch in := window(windows, p.at); {
		case triggered && in >= 0:
			right++
			hit[in] = true
		case triggered:
			wrong++
		case in >= 0:
			missed++
		}
		if triggered && !held {
			orders++
			inside = false
		}
		inside = inside || triggered && window(windows, p.at) >= 0
		if held && !triggered {
			outcome := outcomeFalseAlarm
			if inside {
				outcome = outcomeConfirmed
				confirmed++
			}
			if err := c.call(callClose, technician, fmt.Sprintf("machine/temperature#%d", orders), outcome); err != nil {
				t.Fatalf("line %d: order %d: %v", i+2, orders, err)
			}
		}
		held = triggered
	}
	t.Logf("%d true, %d false, %d missed points; %d orders, %d confirmed; %d windows hit", right, wrong, missed, orders, confirmed, len(hit))
	if right != 967 || wrong != 336 || missed != 1301 || orders != 13 || confirmed != 4 || len(hit) != 4 {
		t.Error("these are not the model's figures")
	}
	if got := c.ask(queryOfStats); !strings.Contains(got, fmt.Sprintf(`"opened":%d,"open":0,"escalated":0,"confirmed":%d,`, orders, confirmed)) {
		t.Errorf("the contract counts %s", got)
	}
}

// scoreOf reads a score exactly, as the ledger does.
func scoreOf(t *testing.T, data []byte) int64 {
	t.Helper()
	var p struct{ Score json.Number }
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	score, ok := new(big.Rat).SetString(p.Score.String())
	if score.Mul(score, big.NewRat(one, 1)); !ok || !score.IsInt() {
		t.Fatalf("score %s", p.Score)
	}
	return score.Num().Int64()
}
