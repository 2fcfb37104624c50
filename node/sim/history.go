package sim

import (
	"bytes"
	"fmt"
	"slices"
	"sort"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// History is what another ledger recorded of a contract, for Replay.
type History struct {
	Contract protocol.Address
	Params   genesis.Params
	// Past is what the log has to do with the contract, by index: its
	// deployment first; calls, upgrades and controls of it; what it emitted,
	// its timers and dead letters; and the events of the types that one of its
	// versions subscribes to.
	Past []Past
	// Blocks are those that the log has entries of, from the deployment's on.
	Blocks []PastBlock
	Height uint64 // of the last block
	Size   uint64 // of the log after it

	// TimeMs answers the time of any block after the deployment's. It is asked
	// where the contract was behind, tried an entry again or waited for a timer.
	TimeMs func(height uint64) (uint64, error)
	// Module and Manifest answer what the contract was made of.
	Module, Manifest func(protocol.Hash) ([]byte, error)
}

// Past is an entry of the log.
type Past struct {
	Index, Height uint64
	Kind          protocol.EntryKind
	Origin        protocol.Address
	Cause         uint64          // protocol.NoCause where there is none
	Hop           uint8           // deliveries between a producer's event and this
	Event         *protocol.Event // of an event and of what a contract emitted
	Act           any             // of the others, as protocol.DecodeAct answers it
}

// PastBlock is a block that appended to the log.
type PastBlock struct {
	Height, TimeMs uint64
	First          uint64 // index of its first entry
}

// Version is what a contract is made of. Args are those of the migration.
type Version struct{ Wasm, Manifest, Args []byte }

// Replayed is what a history came to.
type Replayed struct {
	Runs   []ReplayedRun     // in their order
	State  map[string][]byte // at the end
	Dead   []DeadLetter      // at the end, by index
	Timers int               // that wait to fire
}

// ReplayedRun is one run: of an initialisation, a migration or a call, whose
// Index is the entry it made; of an event or a timer, whose Index is its entry.
// Its input and output are not kept.
type ReplayedRun struct {
	Run
	Height uint64
	Again  bool // the contract refused it and it was tried again later
}

// Diverged is the error of a history that the contract's own code does not come
// to: its state depends on what the history does not have.
type Diverged struct{ error }

// Keys of the state under which a ledger keeps what a contract is made of and
// what it stores.
func ModuleKey(code protocol.Hash) []byte       { return append([]byte{'w'}, code[:]...) }
func ManifestKey(manifest protocol.Hash) []byte { return append([]byte{'f'}, manifest[:]...) }
func ValueKey(contract protocol.Address, name string) []byte {
	return machine.ValueKey(contract, []byte(name))
}

// check finds what a replay relies on.
func (h *History) check() (*protocol.ContractAct, error) {
	if len(h.Past) == 0 || len(h.Blocks) == 0 || h.Blocks[0].Height != h.Past[0].Height {
		return nil, fmt.Errorf("the history does not begin with the contract's deployment")
	}
	act, ok := h.Past[0].Act.(*protocol.ContractAct)
	if !ok || act.Kind != protocol.TxDeploy || act.Contract != h.Contract {
		return nil, fmt.Errorf("entry %d is not the deployment of contract %s", h.Past[0].Index, h.Contract)
	}
	for i := range h.Past {
		if i > 0 && h.Past[i].Index <= h.Past[i-1].Index {
			return nil, fmt.Errorf("the history is not in the order of the log")
		}
	}
	return act, nil
}

// blockFrom is the place in Blocks of the first one at or above a height.
func (h *History) blockFrom(height uint64) int {
	return sort.Search(len(h.Blocks), func(i int) bool { return h.Blocks[i].Height >= height })
}

// span is the part of the log that a block appended; the empty part at its end
// where it appended nothing.
func (h *History) span(height uint64) (first, end uint64) {
	at := h.blockFrom(height)
	if at == len(h.Blocks) {
		return h.Size, h.Size
	}
	if h.Blocks[at].Height > height {
		return h.Blocks[at].First, h.Blocks[at].First
	}
	if at+1 == len(h.Blocks) {
		return h.Blocks[at].First, h.Size
	}
	return h.Blocks[at].First, h.Blocks[at+1].First
}

// timeMs is the time of a block.
func (h *History) timeMs(height uint64) (uint64, error) {
	if at := h.blockFrom(height); at < len(h.Blocks) && h.Blocks[at].Height == height {
		return h.Blocks[at].TimeMs, nil
	}
	ms, err := h.TimeMs(height)
	if err != nil {
		return 0, fmt.Errorf("time of block %d: %w", height, err)
	}
	return ms, nil
}

// blockOf is the place in Blocks of the one that holds an entry.
func (h *History) blockOf(index uint64) int {
	return sort.Search(len(h.Blocks), func(i int) bool { return h.Blocks[i].First > index }) - 1
}

// firstAt is the first height in a range whose block's time is at least ms;
// false where none is.
func (h *History) firstAt(ms, from, to uint64) (uint64, bool, error) {
	if last, err := h.timeMs(to); err != nil || last < ms {
		return 0, false, err
	}
	later := sort.Search(len(h.Blocks), func(i int) bool { return h.Blocks[i].TimeMs >= ms })
	if later < len(h.Blocks) { // blocks whose time is known cost no question
		to = max(from, min(to, h.Blocks[later].Height))
	}
	if later > 0 {
		from = max(from, h.Blocks[later-1].Height+1)
	}
	for from < to {
		middle := from + (to-from)/2
		at, err := h.timeMs(middle)
		if err != nil {
			return 0, false, err
		}
		if at >= ms {
			to = middle
		} else {
			from = middle + 1
		}
	}
	return to, true, nil
}

// own says whether an entry is one that the contract's runs appended.
func (h *History) own(p *Past) bool {
	return p.Origin == h.Contract && (p.Kind == protocol.EntryEmitted || p.Kind == protocol.EntryDeadLetter || p.Kind == protocol.EntryTimer)
}

// confirm holds what the runs appended to what the ledger has.
func (h *History) confirm(r *Replayed) error {
	var emitted, dead []*Past
	for i := range h.Past {
		switch p := &h.Past[i]; {
		case !h.own(p):
		case p.Kind == protocol.EntryEmitted:
			emitted = append(emitted, p)
		case p.Kind == protocol.EntryDeadLetter:
			dead = append(dead, p)
		}
	}
	for i := range r.Runs {
		run := &r.Runs[i]
		if run.Again {
			continue
		}
		if n := len(run.Emitted); n > len(emitted) || slices.ContainsFunc(emitted[:n], func(p *Past) bool { return p.Cause != run.Index || p.Height != run.Height }) {
			return fmt.Errorf("%s of entry %d, height %d: run again it emits %d events, of which the ledger has others or none", run.Kind, run.Index, run.Height, n)
		}
		for j := range run.Emitted {
			if was, is := emitted[j].Event, &run.Emitted[j]; was.Type != is.Type || was.Subject != is.Subject || was.TimeNs != is.TimeNs || !bytes.Equal(was.Data, is.Data) {
				return fmt.Errorf("%s of entry %d, height %d: run again it emits %s %s, the ledger has %s %s", run.Kind, run.Index, run.Height, is.Type, is.Data, was.Type, was.Data)
			}
		}
		emitted = emitted[len(run.Emitted):]
		if run.Code == protocol.CodeOK {
			continue
		}
		if run.Kind == "call" {
			return fmt.Errorf("call of entry %d, height %d: run again it comes to %s, on the ledger it succeeded", run.Index, run.Height, run.Code.Name())
		}
		if len(dead) == 0 || dead[0].Cause != run.Index || dead[0].Height != run.Height || *dead[0].Act.(*protocol.DeadLetterAct) != (protocol.DeadLetterAct{Code: run.Code, GuestCode: run.GuestCode}) {
			return fmt.Errorf("%s of entry %d, height %d: run again it comes to %s, the ledger has something else", run.Kind, run.Index, run.Height, run.Code.Name())
		}
		dead = dead[1:]
	}
	for _, left := range [][]*Past{emitted, dead} {
		if len(left) > 0 {
			return fmt.Errorf("entry %d of the ledger, %s by the contract, does not come about when its history is run again", left[0].Index, left[0].Kind)
		}
	}
	return nil
}
