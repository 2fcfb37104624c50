package bench

// Result is what a run comes to.
type Result struct {
	Scenario                string  `json:"scenario"`
	Validators              int     `json:"validators"`
	EventBytes              int     `json:"eventBytes"`
	EventsPerSecond         float64 `json:"eventsPerSecond"`         // final, in the time measured
	ExecutedPerSecond       float64 `json:"executedPerSecond"`       // delivered to a contract and committed; 0 where none runs
	BaselineEventsPerSecond float64 `json:"baselineEventsPerSecond"` // of the engine alone; 0 where it was not measured
	Ratio                   float64 `json:"ratio"`                   // of eventsPerSecond to the baseline
	LatencyMs               Latency `json:"latencyMs"`               // submitted to final
	Lost                    uint64  `json:"lost"`
	Duplicated              uint64  `json:"duplicated"`
	ReceiptsVerified        int     `json:"receiptsVerified"`

	Details Details `json:"-"`
}

// Details are what a run shows besides.
type Details struct {
	MaxMs          float64
	BlockMs        float64 // interval between blocks
	TxsPerSecond   float64 // transactions in blocks
	RefusedShare   float64 // of them, refused in a block and sent again
	CPUMicros      float64 // processor time of all validators for one event: what another load on the machine changes least
	Processes      []Process
	RecordBytes    int     // of an event as the ledger keeps it, before compression
	WireBytes      float64 // per event, sent by a validator to its peers, on average
	DiskBytes      float64 // per event, of a validator's home, on average
	Baseline       *Baseline
	Steps          []Step // of a ramp
	Events         uint64
	QueriesBeside  uint64
	ReceiptsBeside uint64
	points         []point
	FirstTenth     float64 // events final a second in the first tenth of a run, 0 where it is short
	LastTenth      float64 // and in the last
	LoadCPU        float64 // cores that the load generator used
	Profile        string  // file with the first validator's, in the folder of the run
	LoadAverage    string  // of the machine, where it says
	ExecuteShare   float64 // of the time measured, that the first validator executed blocks
	CommitShare    float64 // and made them durable
}

// Process is what one validator used while it was measured.
type Process struct {
	Name     string
	Cores    float64 // of processor time
	RSSBytes float64 // resident, at the end
	GCShare  float64 // of its processor time; 0 where it does not say
}

// Baseline is what the engine did with an application that does nothing.
type Baseline struct {
	EventsPerSecond float64
	LatencyMs       Latency
	BlockMs         float64
	CPUMicros       float64
	WireBytes       float64
	DiskBytes       float64
}

// Step is one rate of a ramp.
type Step struct {
	Offered   int
	PerSecond float64
	LatencyMs Latency
	Held      bool
}
