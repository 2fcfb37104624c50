// Package scale predicts what many ledgers come to that anchor their logs in
// one: a ledger for each district of a city, and a hub that records signed
// checkpoints of all of them. docs/scale.md has the model; Predict is its
// closed form, Simulate plays it event by event.
package scale

import (
	"errors"
	"fmt"
	"math"
)

// Constants are what is measured or chosen; Default has measured ones.
type Constants struct {
	EventsPerSecond float64 `json:"eventsPerSecond"` // that a district brings
	LedgerRate      float64 `json:"ledgerRate"`      // events/s that one ledger carries at most
	CPUMicros       float64 `json:"cpuMicros"`       // processor time of one validator for one event
	DiskBytes       float64 `json:"diskBytes"`       // of one validator, for one event
	FinalSeconds    float64 `json:"finalSeconds"`    // from submitting to final, in an idle ledger
	Validators      int     `json:"validators"`      // of every ledger
	Cores           float64 `json:"cores"`           // of every validator's machine

	CheckpointSeconds float64 `json:"checkpointSeconds"` // between the checkpoints of a district that are anchored
	HubRate           float64 `json:"hubRate"`           // anchors/s that the hub carries at most, each a transaction of its own
	HubShare          float64 `json:"hubShare"`          // of HubRate that is planned for
	AnchorCPUMicros   float64 `json:"anchorCPUMicros"`   // processor time of one validator of the hub for one anchor
	AnchorDiskBytes   float64 `json:"anchorDiskBytes"`   // of one validator of the hub, for one anchor beside its event
	VerifyMicros      float64 `json:"verifyMicros"`      // to verify a receipt
	SignatureMicros   float64 `json:"signatureMicros"`   // to verify a signature of a checkpoint
	EventBytes        float64 `json:"eventBytes"`        // of an event's record
}

// Bounds of what is predicted.
const (
	MaxDistricts  = 10_000_000
	maxValidators = 1_000
)

// Validate holds the constants to their bounds; an error names the member.
func (c *Constants) Validate() error {
	for _, x := range [...]struct {
		name       string
		value, max float64
	}{
		{"eventsPerSecond", c.EventsPerSecond, 1e9}, {"ledgerRate", c.LedgerRate, 1e9}, {"cpuMicros", c.CPUMicros, 1e9},
		{"diskBytes", c.DiskBytes, 1e9}, {"finalSeconds", c.FinalSeconds, 1e6}, {"validators", float64(c.Validators), maxValidators},
		{"cores", c.Cores, 1e6}, {"checkpointSeconds", c.CheckpointSeconds, 1e7}, {"hubRate", c.HubRate, 1e9}, {"hubShare", c.HubShare, 0.99},
		{"anchorCPUMicros", c.AnchorCPUMicros, 1e9}, {"anchorDiskBytes", c.AnchorDiskBytes, 1e9}, {"verifyMicros", c.VerifyMicros, 1e9},
		{"signatureMicros", c.SignatureMicros, 1e9}, {"eventBytes", c.EventBytes, 1 << 16},
	} {
		if math.IsNaN(x.value) || x.value <= 0 || x.value > x.max {
			return fmt.Errorf("scale: %s is %g, must be above 0 and at most %g", x.name, x.value, x.max)
		}
	}
	if c.EventsPerSecond > c.LedgerRate {
		return fmt.Errorf("scale: a district brings %g events/s and one ledger carries %g; cut the city into more districts", c.EventsPerSecond, c.LedgerRate)
	}
	return nil
}

// ErrOverload marks districts whose anchors one hub does not carry.
var ErrOverload = errors.New("scale: the hub does not carry that many anchors")

// Prediction is what a number of districts comes to.
type Prediction struct {
	Districts        int     `json:"districts"`
	EventsPerSecond  float64 `json:"eventsPerSecond"`  // of all districts
	AnchorsPerSecond float64 `json:"anchorsPerSecond"` // that arrive at the hub
	HubUse           float64 `json:"hubUse"`           // share of HubRate
	HubCPU           float64 `json:"hubCPU"`           // share of a hub validator's processors
	DistrictCPU      float64 `json:"districtCPU"`      // share of a district validator's
	DistrictDisk     float64 `json:"districtDisk"`     // bytes a day, of one validator of one district
	HubDisk          float64 `json:"hubDisk"`          // bytes a day, of one validator of the hub
	QueueSeconds     float64 `json:"queueSeconds"`     // mean wait at the hub, before it is served
	AnchorSeconds    float64 `json:"anchorSeconds"`    // mean, from submitting an event to its anchor final
	AnchorMost       float64 `json:"anchorMost"`       // the same for an event right after a checkpoint
	AnchorBytes      float64 `json:"anchorBytes"`      // of the event that has a checkpoint
	ReceiptBytes     float64 `json:"receiptBytes"`     // from an event to the hub's validators, after a year
	VerifyMicros     float64 `json:"verifyMicros"`     // of that
}

// Sizes in bytes. Those of receipts are of the binary form, measured at four
// validators: see docs/scale.md.
const (
	secondsOfDay  = 86_400
	secondsOfYear = 365 * secondsOfDay
	hashBytes     = 32
	receiptFixed  = 335 // entry, its proof of place without the path, header opening, commit without signatures
	voteBytes     = 85  // of a validator in a receipt: signature, time, key
	noteFixed     = 70  // origin, size, root
	noteLine      = 125 // signature line of a cosigner
)

// AnchorBytes is the size of an anchor's record: a checkpoint with the lines
// of more than two thirds of the validators, and the log's own.
func (c *Constants) AnchorBytes() float64 {
	return 120 + noteFixed + noteLine*float64(quorum(c.Validators)+1)
}

// quorum is how many equal validators are more than two thirds.
func quorum(validators int) int { return validators*2/3 + 1 }

// receiptBytes is the size of a receipt of one of so many entries.
func (c *Constants) receiptBytes(entries, record float64) float64 {
	return receiptFixed + record + hashBytes*path(entries) + voteBytes*float64(quorum(c.Validators))
}

// path is the length of a Merkle path among so many leaves.
func path(leaves float64) float64 { return math.Ceil(math.Log2(max(leaves, 2))) }

// Predict is the closed form. The hub serves anchors one after another, each
// in 1/HubRate; as they come from many districts with phases of their own,
// they arrive nearly as a Poisson process, so the mean wait is that of an
// M/D/1 queue (Pollaczek and Khinchine): use/(2 HubRate (1-use)).
func Predict(c Constants, districts int) (Prediction, error) {
	if err := c.Validate(); err != nil {
		return Prediction{}, err
	}
	if districts < 1 || districts > MaxDistricts {
		return Prediction{}, fmt.Errorf("scale: %d districts, must be 1 to %d", districts, MaxDistricts)
	}
	n := float64(districts)
	p := Prediction{Districts: districts, EventsPerSecond: n * c.EventsPerSecond, AnchorsPerSecond: n / c.CheckpointSeconds, AnchorBytes: c.AnchorBytes()}
	p.HubUse = p.AnchorsPerSecond / c.HubRate
	p.HubCPU = p.AnchorsPerSecond * c.AnchorCPUMicros / 1e6 / c.Cores
	p.DistrictCPU = c.EventsPerSecond * c.CPUMicros / 1e6 / c.Cores
	p.DistrictDisk = secondsOfDay * c.EventsPerSecond * c.DiskBytes
	p.HubDisk = secondsOfDay * p.AnchorsPerSecond * (c.AnchorDiskBytes + p.AnchorBytes)
	if p.HubUse >= 1 {
		return p, fmt.Errorf("%w: %d districts bring %.0f anchors/s, it carries %.0f", ErrOverload, districts, p.AnchorsPerSecond, c.HubRate)
	}
	p.QueueSeconds = p.HubUse / (2 * c.HubRate * (1 - p.HubUse))
	atHub := p.QueueSeconds + 1/c.HubRate + c.FinalSeconds
	p.AnchorSeconds = c.FinalSeconds + c.CheckpointSeconds/2 + atHub
	p.AnchorMost = c.FinalSeconds + c.CheckpointSeconds + atHub
	ofYear := secondsOfYear * c.EventsPerSecond
	// From the receipt's own head of the log to the checkpoint it takes a
	// consistency proof, of at most a path and one hash more.
	p.ReceiptBytes = c.receiptBytes(ofYear, c.EventBytes) + hashBytes*(path(ofYear)+1) + c.receiptBytes(secondsOfYear*p.AnchorsPerSecond, p.AnchorBytes)
	p.VerifyMicros = 2*c.VerifyMicros + c.SignatureMicros*float64(quorum(c.Validators)+1)
	return p, nil
}

// Limit is the most districts whose anchors take up HubShare of the hub.
func Limit(c Constants) (int, error) {
	if err := c.Validate(); err != nil {
		return 0, err
	}
	n := math.Floor(c.HubShare * c.HubRate * c.CheckpointSeconds)
	if n < 1 {
		return 0, fmt.Errorf("%w: not even those of one district every %g s", ErrOverload, c.CheckpointSeconds)
	}
	return int(min(n, MaxDistricts)), nil
}
