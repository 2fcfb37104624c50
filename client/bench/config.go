package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Config of a run. Default fills in what a caller leaves out.
type Config struct {
	Scenario    string
	Cairnd      string // the program
	Dir         string // an empty or new folder for the networks' data
	Validators  int
	Seconds     int // of measuring, after Warmup
	Warmup      time.Duration
	EventBytes  int // of an event as CloudEvents JSON
	BatchEvents int
	Streams     int
	InFlight    int // batches of one stream
	Rate        int // events a second of all streams; 0 sends as the ledger takes them
	Ramp        bool
	Baseline    bool // measure the engine alone too
	Receipts    int  // to verify
	Profile     bool // let validators write where their time goes
	Say         io.Writer
}

// Default is `cairn bench parking` without flags.
func Default() Config {
	return Config{
		Scenario: "parking", Validators: 4, Seconds: 10, Warmup: 2 * time.Second, EventBytes: 313, BatchEvents: 500,
		Streams: 8, InFlight: 8, Baseline: true, Receipts: 20, Say: io.Discard,
	}
}

// scenario is what a run does.
type scenario struct {
	name, about string
	kinds       []kind   // of the streams, in turn
	contracts   []string // deployed before
	reads       bool     // the load is reads of what was fed before
}

var scenarios = []scenario{
	{name: "order", about: "events are ordered, logged and proved; no contract runs", kinds: []kind{parking}},
	{name: "parking", about: "every reading is delivered to the parking contract", kinds: []kind{parking}, contracts: []string{"parking"}},
	{name: "metering", about: "every reading debits tokens of its meter's payer", kinds: []kind{metering}, contracts: []string{"metering"}},
	{name: "mixed", about: "parking and metering at once, with queries and receipts beside", kinds: []kind{parking, metering}, contracts: []string{"parking", "metering"}},
	{name: "small", about: "parking readings, each in a signed transaction of its own", kinds: []kind{parking}, contracts: []string{"parking"}},
	{name: "query", about: "queries of a contract; figures count queries", kinds: []kind{parking}, contracts: []string{"parking"}, reads: true},
	{name: "verify", about: "receipts fetched and verified; figures count receipts", kinds: []kind{parking}, contracts: []string{"parking"}, reads: true},
}

// Scenarios lists names with what they are about.
func Scenarios() (names, about []string) {
	for _, s := range scenarios {
		names, about = append(names, s.name), append(about, s.about)
	}
	return names, about
}

// Validate holds the bounds and answers the scenario.
func (c *Config) validate() (*scenario, error) {
	at := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == c.Scenario })
	if at < 0 {
		names, _ := Scenarios()
		return nil, fmt.Errorf("no scenario %q; there are %s", c.Scenario, strings.Join(names, ", "))
	}
	for _, n := range [...]struct {
		flag            string
		value, min, max int
	}{
		{"validators", c.Validators, 1, 100}, {"seconds", c.Seconds, 1, 24 * 3600}, {"batch", c.BatchEvents, 1, protocol.MaxBatchEvents},
		{"streams", c.Streams, 1, 1000}, {"in-flight", c.InFlight, 1, 1024}, {"rate", c.Rate, 0, 1 << 30}, {"receipts", c.Receipts, 1, 1 << 20},
	} {
		if n.value < n.min || n.value > n.max {
			return nil, fmt.Errorf("--%s: must be %d to %d, is %d", n.flag, n.min, n.max, n.value)
		}
	}
	s := &scenarios[at]
	if s.reads && (c.Rate > 0 || c.Ramp) {
		return nil, fmt.Errorf("--rate and --ramp are for events; %s has none to pace", s.name)
	}
	return s, checkSize(c.EventBytes)
}
