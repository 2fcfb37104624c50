package sim

import (
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// Entry is a log entry with what it commits to.
type Entry struct {
	protocol.Entry
	Index   uint64
	Event   *protocol.Event // of an event, a duplicate, what a contract emitted and what another ledger sent
	Act     any             // of the others and the last, as protocol.DecodeAct answers it
	Hop     uint8           // contract deliveries between a producer's event and this
	Erased  bool            // the payload was erased
	payload []byte
}

// Entry reads one entry of the log.
func (l *Ledger) Entry(index uint64) (Entry, error) {
	entries, err := l.Entries(index, 1)
	if err != nil {
		return Entry{}, err
	}
	if len(entries) == 0 {
		return Entry{}, fmt.Errorf("sim: the log has no entry %d; its size is %d", index, l.Size())
	}
	return entries[0], nil
}

// Entries reads up to count entries from an index on.
func (l *Ledger) Entries(from uint64, count int) ([]Entry, error) {
	view, err := l.store.View(l.Height())
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for end := min(l.Size(), from+uint64(count)); from < end; {
		first, payloads, err := machine.ReadBundle(l.store, view, from)
		if err != nil {
			return nil, fmt.Errorf("sim: %w", err)
		}
		for ; from < end && from-first < uint64(len(payloads)); from++ {
			e, err := l.entry(from, payloads[from-first])
			if err != nil {
				return nil, fmt.Errorf("sim: entry %d: %w", from, err)
			}
			entries = append(entries, e)
		}
	}
	return entries, nil
}

func (l *Ledger) entry(index uint64, p machine.Payload) (Entry, error) {
	e := Entry{Index: index, Hop: p.Hop, Erased: p.Erased, payload: p.Bytes}
	raw, err := l.store.Entry(index)
	if err != nil {
		return e, err
	}
	if e.Entry, err = protocol.DecodeEntry(raw); err != nil {
		return e, err
	}
	if p.Erased {
		return e, nil
	}
	if protocol.Commitment(p.Blind, p.Bytes) != e.Commitment {
		return e, fmt.Errorf("the payload is not what it commits to")
	}
	e.Event, e.Act, err = decodePayload(e.Kind, p.Bytes)
	return e, err
}

// Contract is a deployed contract.
type Contract struct {
	Address  protocol.Address
	Author   protocol.Address
	Since    uint64 // log index of its deployment
	Lag      uint64 // entries of the log it has not looked at yet
	Paused   bool
	Manifest *abi.Manifest
}

// Contract finds a contract by name.
func (l *Ledger) Contract(name string) (Contract, error) {
	head := l.store.Head()
	view, err := l.store.View(head.Height)
	if err != nil {
		return Contract{}, fmt.Errorf("sim: %w", err)
	}
	c, err := l.machine.ContractNamed(view, name)
	if err != nil {
		return Contract{}, err
	}
	lag, err := machine.Lag(view, c.Address, head.LogSize)
	return Contract{Address: c.Address, Author: c.Author, Since: c.Since, Lag: lag, Paused: c.Paused, Manifest: c.Manifest}, err
}

// Contracts lists the names of the deployed contracts, by their addresses.
func (l *Ledger) Contracts() ([]string, error) {
	view, err := l.store.View(l.Height())
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	all, err := l.machine.Contracts(view)
	var names []string
	for _, c := range all {
		names = append(names, c.Manifest.Name)
	}
	return names, err
}

// Lag is how many log entries the contract that is farthest behind has not
// looked at yet; paused ones do not count.
func (l *Ledger) Lag() (uint64, error) {
	head := l.store.Head()
	view, err := l.store.View(head.Height)
	if err != nil {
		return 0, fmt.Errorf("sim: %w", err)
	}
	contracts, err := l.machine.Contracts(view)
	if err != nil {
		return 0, err
	}
	worst := uint64(0)
	for _, c := range contracts {
		if c.Paused {
			continue
		}
		lag, err := machine.Lag(view, c.Address, head.LogSize)
		if err != nil {
			return 0, err
		}
		worst = max(worst, lag)
	}
	return worst, nil
}

// maxSettleBlocks bounds Settle. What events may lead to is bounded by the hop
// limit, so a ledger that is behind after so many blocks is one that is stuck.
const maxSettleBlocks = 1_000_000

// Settle makes blocks until nothing waits and no contract is behind.
func (l *Ledger) Settle() error {
	for range maxSettleBlocks {
		lag, err := l.Lag()
		if err != nil {
			return err
		}
		if lag == 0 && len(l.waiting) == 0 {
			return nil
		}
		if _, err := l.Block(); err != nil {
			return err
		}
	}
	return fmt.Errorf("sim: contracts are behind after %d blocks", maxSettleBlocks)
}

// Query asks a contract about the last block. args is a JSON object, or nil.
// The error is a *protocol.Error when the question was refused.
func (l *Ledger) Query(contract, method string, args []byte) ([]byte, error) {
	return l.QueryAt(l.Height(), contract, method, args)
}

// QueryAt asks a contract about the state as it was at a height.
func (l *Ledger) QueryAt(height uint64, contract, method string, args []byte) ([]byte, error) {
	head, err := l.store.HeadAt(height)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	view, err := l.store.View(height)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	c, err := l.machine.ContractNamed(view, contract)
	if err != nil {
		return nil, err
	}
	return l.machine.Query(ctx, view, head, c, method, args)
}

// State reads everything a contract keeps.
func (l *Ledger) State(contract string) (map[string][]byte, error) {
	view, err := l.store.View(l.Height())
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	c, err := l.machine.ContractNamed(view, contract)
	if err != nil {
		return nil, err
	}
	const page = 1_000
	prefix, after := machine.ValueKey(c.Address, nil), []byte(nil)
	state := map[string][]byte{}
	for {
		found, err := view.Scan(prefix, after, page)
		if err != nil {
			return nil, fmt.Errorf("sim: %w", err)
		}
		for _, kv := range found {
			state[string(kv.Key[len(prefix):])] = kv.Value
			after = kv.Key
		}
		if len(found) < page {
			return state, nil
		}
	}
}

// DeadLetter is a delivery that was given up.
type DeadLetter struct {
	Index     uint64 // of the entry that was being delivered
	Code      protocol.Code
	GuestCode uint32 // the contract's own code where Code is CodeContractAborted
}

// DeadLetters lists a contract's dead letters, all of them, by index.
func (l *Ledger) DeadLetters(contract string) ([]DeadLetter, error) {
	view, err := l.store.View(l.Height())
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	c, err := l.machine.ContractNamed(view, contract)
	if err != nil {
		return nil, err
	}
	const page = 1_000
	var letters []DeadLetter
	var after *uint64
	for {
		found, err := machine.DeadLetters(view, c.Address, after, page)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			letters = append(letters, DeadLetter{f.Index, f.Code, f.GuestCode})
		}
		if len(found) < page {
			return letters, nil
		}
		after = &letters[len(letters)-1].Index
	}
}

// Said is what one run of a contract said, and why it failed if it did.
type Said struct {
	Height    uint64
	Index     uint64 // of the entry delivered, or that the transaction made or would have made
	Code      protocol.Code
	GuestCode uint32
	Lines     []string
}

// Logs lists the last runs of a contract that said something or failed, since
// the ledger was started or crashed.
func (l *Ledger) Logs(contract protocol.Address) []Said {
	var all []Said
	for _, said := range l.app.Logs(contract, 0) {
		all = append(all, Said{said.Height, said.Index, said.Code, said.GuestCode, said.Lines})
	}
	return all
}

// BlockAt is the block that a height decided; nil where none did.
func (l *Ledger) BlockAt(height uint64) *Block {
	if height == 0 || height > uint64(len(l.blocks)) {
		return nil
	}
	return l.blocks[height-1]
}
