package e2e

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/model"
	"github.com/cairn-ledger/cairn/client/protocol"
)

const (
	machineData  = "../../../shared/data/pdm-nab/machine_temperature_system_failure.csv"
	machineModel = "../../client/examples/predictive/machine.json"
	// machineRows is up to after the first labelled failure.
	machineRows     = 5_000
	predictiveKills = 6
)

// A model scores a real machine's readings while its process is killed again
// and again: every reading has one prediction, each reproduces, the contract
// opens its order at the reading where the same model, run here, crosses the
// level; the audit leads from the order to the model and the reading, and a
// forged prediction does not pass.
func TestPredictions(t *testing.T) {
	events, order, triggered := machineEvents(t)
	s := shell{t, startNetwork(t, 4)}
	s.ok("deploy", "maintenance")
	s.ok("call", "maintenance", "configure", "--args", `{"asset":"machine/temperature","threshold":"below","thresholdOn":-6,"thresholdOff":-3}`)
	file := filepath.Join(t.TempDir(), "machine.jsonl")
	if err := os.WriteFile(file, []byte(events), 0o600); err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(run(t, binary(t, "cairnd"), "token", "add", "model", "--home", s.nw.nodes[0].Home, "--scope", "consume"))
	args := []string{"--network", s.nw.dir, "--model", machineModel, "--token", token}
	if out, code := s.run("submit", file, "--stream", "machine"); code != 0 {
		t.Fatalf("submit: exit %d\n%s", code, out)
	}
	for range predictiveKills {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond+rand.N(250*time.Millisecond))
		out, _ := exec.CommandContext(ctx, binary(t, "predictive"), args...).Output()
		cancel()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Log("killed: ", lines[len(lines)-1])
	}
	t.Log(run(t, binary(t, "predictive"), append(args, "--idle", "2s")...))
	var asset struct {
		Readings, Triggered int
		OpenOrder           string
	}
	if err := json.Unmarshal([]byte(s.ok("query", "maintenance", "asset", "asset=machine/temperature")), &asset); err != nil {
		t.Fatal(err)
	}
	if asset.Readings != machineRows || asset.Triggered != triggered || asset.OpenOrder != "machine/temperature#1" {
		t.Errorf("%+v, want %d readings, %d triggered", asset, machineRows, triggered)
	}
	if out := run(t, binary(t, "predictive"), "check", "--network", s.nw.dir, "--model", machineModel, "--asset", "machine"); !strings.Contains(out, fmt.Sprintf("%d predictions", machineRows)) {
		t.Errorf("check: %s", out)
	}
	s.auditPrediction(order)
}

// auditPrediction asks why the order is there, and after a forged prediction.
func (s shell) auditPrediction(order int) {
	s.t.Helper()
	var opened entry
	for index := s.nw.agreed().LogSize; index > 0 && opened.Event.Type != "maintenance.order.opened.v1"; index-- {
		getJSON(s.t, fmt.Sprintf("%s/v1/entries/%d", s.nw.nodes[0].API, index-1), &opened)
	}
	out, code := s.run("audit", "why", fmt.Sprint(opened.Index), "--writers", "2", "--json")
	var report struct {
		Reproduced bool
		Steps      []struct {
			Index    uint64
			Data     struct{ Score float64 }
			Declared *struct {
				Inputs []struct{ Index uint64 }
				Model  *struct {
					Same  bool
					Entry uint64
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &report); code != 0 || err != nil {
		s.t.Fatalf("why: exit %d, %v\n%s", code, err, out)
	}
	last := report.Steps[len(report.Steps)-1]
	if !report.Reproduced || len(report.Steps) != 2 || last.Declared == nil || last.Declared.Model == nil || !last.Declared.Model.Same || len(last.Declared.Inputs) != 1 {
		s.t.Fatalf("why: %s", out)
	}
	var reading struct{ Event struct{ ID string } }
	getJSON(s.t, fmt.Sprintf("%s/v1/entries/%d", s.nw.nodes[0].API, last.Declared.Inputs[0].Index), &reading)
	if reading.Event.ID != fmt.Sprint(order) {
		s.t.Errorf("the order leads to reading %s, the model crosses the level at %d", reading.Event.ID, order)
	}
	var prediction struct {
		Event map[string]any `json:"event"`
	}
	getJSON(s.t, fmt.Sprintf("%s/v1/entries/%d", s.nw.nodes[0].API, last.Index), &prediction)
	prediction.Event["id"], prediction.Event["subject"] = "forged", "other"
	text, err := json.Marshal(prediction.Event)
	if err != nil {
		s.t.Fatal(err)
	}
	forged := filepath.Join(s.t.TempDir(), "forged.jsonl")
	if err := os.WriteFile(forged, append(text, '\n'), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run("submit", forged)
	if out, code := s.run("audit", "why", "/models/temperature/1.0.0", "forged"); code != 1 || !strings.Contains(out, "not in the stream of the model") {
		s.t.Errorf("a forged prediction: exit %d\n%s", code, out)
	}
}

// machineEvents are the first rows as events, the reading at which the model's
// score first reaches -6, and at how many it is there or has not come back to -3.
func machineEvents(t *testing.T) (events string, order, triggered int) {
	f, err := os.Open(machineData)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the machine temperature data are not at %s", machineData)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := model.Load(machineModel)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var state model.State
	held := false
	for i, l := range lines[1 : machineRows+1] {
		fmt.Fprintf(&b, `{"specversion":"1.0","id":"%d","source":"/plant","type":"machine.reading.fine.v1","subject":"machine","time":"%sZ","data":{"value":%s}}`+"\n", i, strings.Replace(l[0], " ", "T", 1), l[1])
		e := protocol.Event{Type: "machine.reading.fine.v1", DataForm: protocol.DataJSON, Data: []byte(`{"value":` + l[1] + `}`)}
		scored, after, err := m.Predict(state, []model.Reading{{Event: &e}})
		if err != nil {
			t.Fatal(err)
		}
		state = after
		var data struct{ Score json.Number }
		if err := json.Unmarshal(scored.Data, &data); err != nil {
			t.Fatal(err)
		}
		score, err := strconv.ParseFloat(data.Score.String(), 64)
		if err != nil {
			t.Fatal(err)
		}
		if held = score <= -6 || held && score <= -3; held {
			if triggered == 0 {
				order = i
			}
			triggered++
		}
	}
	return b.String(), order, triggered
}
