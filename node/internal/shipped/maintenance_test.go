package shipped

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

const nab = "../../../../shared/data/pdm-nab/"

// ordersDigest is what the contract's own tests compute natively, where they
// also compare every count with an independent recomputation.
const ordersDigest = "0c2ff4f665ad01a3c73b30f5745441c1d4b51d114db8c0b5ee7ddb86f6ea82d8"

// maintenanceGas bounds a reading that changes nothing about an order.
const maintenanceGas = 40_000

// maintenanceModules are the same contract, from Go and from Rust.
var maintenanceModules = []string{"maintenance", "maintenance-rust"}

// Both modules, given the same transcript, leave the same state, byte for
// byte: a ledger could go from one to the other.
func TestMaintenanceStates(t *testing.T) {
	var states []map[string][]byte
	for _, name := range maintenanceModules {
		l := load(t, name, false)
		for _, step := range strings.Split(strings.TrimSpace(string(readFile(t, name, "testdata/transcript.txt"))), "\n\n") {
			input, _, _ := strings.Cut(step, "\n")
			replay(t, l, input)
		}
		states = append(states, l.state)
	}
	if len(states[0]) < 30 || !maps.EqualFunc(states[0], states[1], bytes.Equal) {
		t.Errorf("%d entries from Go and %d from Rust are not the same", len(states[0]), len(states[1]))
	}
}

// The modules agree on records of no manifest too: the transcript's, with
// bytes changed, added or cut off, each after the one before it.
func TestMaintenanceModulesAgree(t *testing.T) {
	steps := strings.Split(strings.TrimSpace(string(readFile(t, "maintenance", "testdata/transcript.txt"))), "\n\n")
	fromGo, fromRust := load(t, "maintenance", false), load(t, "maintenance-rust", false)
	r := rand.New(rand.NewPCG(1, 2))
	outcomes := map[string]int{}
	for i := range 4 * len(steps) {
		line, _, _ := strings.Cut(steps[i%len(steps)], "\n")
		if given(line) {
			if i < len(steps) {
				replay(t, fromGo, line)
				replay(t, fromRust, line)
			}
			continue
		}
		at := strings.LastIndexByte(line, ' ') + 1
		record, err := hex.DecodeString(line[at:])
		if err != nil {
			t.Fatal(err)
		}
		switch n := len(record); r.IntN(4) {
		case 0:
			record[r.IntN(n)] ^= byte(1 << r.IntN(8))
		case 1:
			record[n-1-r.IntN(min(n, 40))] = byte(r.Uint32())
		case 2:
			record = append(record[:n-r.IntN(min(n, 12))], record[:r.IntN(3)]...)
		}
		input := line[:at] + hex.EncodeToString(record)
		a, b := replay(t, fromGo, input), replay(t, fromRust, input)
		if a != b {
			t.Fatalf("record %d\nfrom Go   %s\nfrom Rust %s", i, a, b)
		}
		outcomes[strings.Fields(a[len(input):])[0]]++
	}
	if !maps.EqualFunc(fromGo.state, fromRust.state, bytes.Equal) {
		t.Error("the states are not the same")
	}
	t.Log(outcomes)
}

// The longest page of orders fits an answer, and pages meet without a gap.
func TestMaintenancePages(t *testing.T) {
	for _, name := range maintenanceModules {
		p := newPlant(t, name)
		p.request(vm.Init, 0, p.manifest.Init, someone(1), `{"threshold":"above","thresholdOn":1}`)
		const orders = 230
		for i := range orders {
			asset := fmt.Sprintf("%s%03d", strings.Repeat("\x01", 61), i)
			record := abi.AppendEventHeader(nil, &abi.EventHeader{Subject: []byte(asset)})
			record = abi.AppendU64(abi.AppendFlag(record, true), 1<<62-1)
			if r := p.run(t, vm.Event, 0, record); r.Code != 0 {
				t.Fatalf("%+v", r)
			}
		}
		var seen []string
		args := `{"limit":100}`
		for args != "" {
			text := p.request(vm.Query, 1, p.manifest.Queries[1].Fields, protocol.Address{}, args)
			var page struct {
				Orders []struct{ Asset string }
				Next   *string
			}
			if err := json.Unmarshal(text, &page); err != nil {
				t.Fatal(err)
			}
			if args = ""; page.Next != nil {
				args = fmt.Sprintf(`{"limit":100,"after":%s}`, quoted(t, *page.Next))
				t.Logf("%s: a page of %d orders is %d bytes and takes %d gas", name, len(page.Orders), len(text), p.gas)
			}
			for _, o := range page.Orders {
				seen = append(seen, o.Asset)
			}
		}
		if len(seen) != orders || !slices.IsSorted(seen) || len(slices.Compact(seen)) != orders {
			t.Errorf("%s: %d orders in pages, want %d", name, len(seen), orders)
		}
	}
}

func quoted(t *testing.T, s string) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The manifests differ in name and description alone.
func TestMaintenanceManifests(t *testing.T) {
	var manifests []*abi.Manifest
	for _, name := range maintenanceModules {
		m, err := abi.ParseManifest(readFile(t, name, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		m.Name, m.Description = "", ""
		manifests = append(manifests, m)
	}
	if fmt.Sprintf("%+v", manifests[0]) != fmt.Sprintf("%+v", manifests[1]) {
		t.Error("the manifests are not of one contract")
	}
}

// plant drives one module through the manifest's projections.
type plant struct {
	*ledger
	t        *testing.T
	manifest *abi.Manifest
	emitted  []vm.Emission
	reading  uint64 // most gas of a reading that changed the asset alone
	opening  uint64 // and of any other
}

func newPlant(t *testing.T, name string) *plant {
	m, err := abi.ParseManifest(readFile(t, name, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	return &plant{ledger: load(t, name, false), t: t, manifest: m}
}

func (p *plant) request(kind vm.EntryKind, handler uint32, fields []abi.Field, who protocol.Address, args string) []byte {
	p.t.Helper()
	header := abi.AppendCallHeader(nil, &abi.CallHeader{Caller: who, TimeMs: 1_704_067_200_000})
	record, err := projection.Arguments(fields).Append(header, []byte(args))
	if err != nil {
		p.t.Fatal(err)
	}
	r := p.run(p.t, kind, handler, record)
	if r.Code != 0 {
		p.t.Fatalf("%s: %+v", args, r)
	}
	p.emitted = append(p.emitted, p.ledger.emitted...)
	return r.Output
}

func (p *plant) read(index int, at time.Time, origin protocol.Address, value string) {
	p.t.Helper()
	record := abi.AppendEventHeader(nil, &abi.EventHeader{
		Index: uint64(index), HasTime: true, EventTimeNs: at.UnixNano(), Origin: origin,
		TimeMs: 1_704_067_200_000, Subject: []byte("machine"),
	})
	record, err := projection.Events(p.manifest.Events[1].Fields).Append(record, fmt.Appendf(nil, `{"value":%s}`, value))
	if err != nil {
		p.t.Fatal(err)
	}
	if r := p.run(p.t, vm.Event, 1, record); r.Code != 0 {
		p.t.Fatalf("%s %s: %+v", at, value, r)
	}
	p.emitted = append(p.emitted, p.ledger.emitted...)
	if len(p.ledger.emitted) == 0 && len(p.written) == 1 {
		p.reading = max(p.reading, p.gas)
	} else {
		p.opening = max(p.opening, p.gas)
	}
}

// triggered is how many of the machine's readings were, and its open order.
func (p *plant) triggered() (n int, open *string) {
	p.t.Helper()
	var a struct {
		Triggered int
		OpenOrder *string
	}
	if err := json.Unmarshal(p.request(vm.Query, 2, p.manifest.Queries[2].Fields, protocol.Address{}, `{"asset":"machine"}`), &a); err != nil {
		p.t.Fatal(err)
	}
	return a.Triggered, a.OpenOrder
}

// Eleven weeks of a real machine with four labelled failures, through
// projection and both modules: the confusion counts point by point from what
// the contract counts, and the digest of all events as in the native tests.
func TestMaintenanceMachineTemperature(t *testing.T) {
	rows, windows := machineTemperature(t)
	for _, name := range maintenanceModules {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t, name)
			p.watch(rows, windows)
			digest := sha256.New()
			for _, e := range p.emitted {
				fmt.Fprintf(digest, "%s %s %s\n", e.Type, e.Subject, e.Data)
			}
			t.Logf("at most %d gas a reading of the asset alone, %d any other", p.reading, p.opening)
			if p.reading == 0 || p.reading > maintenanceGas {
				t.Errorf("a reading takes up to %d gas, expected are at most %d", p.reading, maintenanceGas)
			}
			if got := fmt.Sprintf("%x", digest.Sum(nil)); got != ordersDigest {
				t.Errorf("%d events with digest %s, want %s", len(p.emitted), got, ordersDigest)
			}
		})
	}
}

// watch reads all rows; a technician answers each order at the first reading
// that no longer holds.
func (p *plant) watch(rows [][]string, windows [][2]string) {
	owner, configurer, technician, producer := someone(1), someone(2), someone(3), someone(4)
	p.bank = &tokens{self: someone(6), pairs: map[string][]byte{}} // without a unit: rewards are due
	p.request(vm.Init, 0, p.manifest.Init, owner, fmt.Sprintf(
		`{"configurer":%q,"technician":%q,"threshold":"below","thresholdOn":60,"reward":100,"rewardAsset":"EUR"}`, configurer, technician))
	var right, wrong, missed, before int
	var open *string
	confirm, hit, seen := false, map[int]bool{}, map[string]bool{}
	for i, row := range rows {
		at, err := time.Parse(time.DateTime, row[0])
		if err != nil {
			p.t.Fatal(err)
		}
		p.read(101+i, at, producer, row[1])
		if seen[row[0]] {
			continue
		}
		seen[row[0]] = true
		now, order := p.triggered()
		in := slices.IndexFunc(windows, func(w [2]string) bool { return w[0] <= row[0] && row[0] <= w[1] })
		switch {
		case now > before && in >= 0:
			right++
			hit[in] = true
			confirm = true
		case now > before:
			wrong++
		case in >= 0:
			missed++
		}
		if now == before && open != nil {
			outcome := map[bool]string{true: "confirmed", false: "false-alarm"}[confirm]
			p.request(vm.Call, 2, p.manifest.Calls[2].Fields, technician, fmt.Sprintf(`{"order":%q,"outcome":%q}`, *open, outcome))
			order, confirm = nil, false
		}
		before, open = now, order
	}
	p.t.Logf("%d true, %d false, %d missed points, %d windows of %d hit", right, wrong, missed, len(hit), len(windows))
	if len(seen) != 22_683 || right != 1045 || wrong != 494 || missed != 1223 || len(hit) != 4 {
		p.t.Error("these are not the data's figures: 1045 true, 494 false, 1223 missed, all four windows hit")
	}
}

// someone is an address of the native tests.
func someone(n byte) (a protocol.Address) {
	for i := range a {
		a[i] = n + byte(i)
	}
	return a
}

// machineTemperature answers the file's rows and the windows, whose times
// compare as texts with those of the rows.
func machineTemperature(t *testing.T) (rows [][]string, windows [][2]string) {
	f, err := os.Open(nab + "machine_temperature_system_failure.csv")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the machine temperature data are not at %s", nab)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err = csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(nab + "combined_windows.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][][2]string
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, w := range all["realKnownCause/machine_temperature_system_failure.csv"] {
		from, _, _ := strings.Cut(w[0], ".") // whole seconds, as in the rows
		to, _, _ := strings.Cut(w[1], ".")
		windows = append(windows, [2]string{from, to})
	}
	return rows[1:], windows
}
