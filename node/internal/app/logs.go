package app

import (
	"sync"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// keepLogs bounds the runs of one contract whose words are kept: at most four
// KiB each, in memory, since the start of the process.
const keepLogs = 200

// ContractLog is what one run of a contract said, and the block it was in.
type ContractLog struct {
	machine.Log
	Number uint64 // counts the contract's, from 1
	Height uint64
}

// contractLogs keeps the last words of every contract.
type contractLogs struct {
	mu   sync.Mutex
	last map[protocol.Address][]ContractLog // guarded by mu
}

func newContractLogs() *contractLogs {
	return &contractLogs{last: make(map[protocol.Address][]ContractLog)}
}

func (c *contractLogs) add(height uint64, logs []machine.Log) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range logs {
		kept := c.last[l.Contract]
		number := uint64(1)
		if len(kept) > 0 {
			number = kept[len(kept)-1].Number + 1
		}
		if len(kept) == keepLogs {
			kept = append(kept[:0], kept[1:]...)
		}
		c.last[l.Contract] = append(kept, ContractLog{l, number, height})
	}
}

// Logs lists what a contract said in committed blocks, after a number.
func (a *App) Logs(contract protocol.Address, after uint64) []ContractLog {
	a.logs.mu.Lock()
	defer a.logs.mu.Unlock()
	var out []ContractLog
	for _, l := range a.logs.last[contract] {
		if l.Number > after {
			out = append(out, l)
		}
	}
	return out
}
