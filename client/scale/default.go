package scale

import "github.com/cairn-ledger/cairn/client/bench"

// Default are the figures of docs/scale.md, measured on one machine of two
// cores that four validators and the load shared with other work.
func Default() Constants {
	return Constants{
		EventsPerSecond: 2_000, LedgerRate: 24_800, CPUMicros: 36, DiskBytes: 370, FinalSeconds: 0.2, Validators: 4, Cores: 2,
		CheckpointSeconds: 10, HubRate: 585, HubShare: 0.7, AnchorCPUMicros: 226, AnchorDiskBytes: 1_900,
		VerifyMicros: 110, SignatureMicros: 60, EventBytes: 208,
	}
}

// Measured puts in what benches on another machine came to: full, a bench of
// batches of a contract's events; single, one of a transaction for each event;
// idle, one at a rate far below what the ledger carries.
func (c *Constants) Measured(full, single, idle *bench.Result) {
	v := float64(c.Validators)
	c.LedgerRate, c.CPUMicros = full.EventsPerSecond, full.Details.CPUMicros/v
	c.DiskBytes, c.EventBytes = full.Details.DiskBytes, float64(full.Details.RecordBytes)
	c.HubRate, c.AnchorCPUMicros = single.EventsPerSecond, single.Details.CPUMicros/v
	c.AnchorDiskBytes = max(single.Details.DiskBytes-float64(single.Details.RecordBytes), 1)
	c.FinalSeconds = idle.LatencyMs.P50 / 1000
	c.EventsPerSecond = min(c.EventsPerSecond, c.LedgerRate)
}
