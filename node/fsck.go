package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	cmtstate "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/store/cometdb"
)

// Damage is what Fsck found wrong, in one part of a node's data.
type Damage struct {
	Part string `json:"part"` // heads, log, state, payloads, blocks, or store and block store where they do not open
	Text string `json:"text"` // names the first wrong place
}

// FsckReport is what Fsck looked at and found.
type FsckReport struct {
	Height   uint64   `json:"height"`
	Entries  uint64   `json:"entries"`
	Keys     uint64   `json:"keys"`   // of the state
	Blocks   uint64   `json:"blocks"` // of CometBFT
	Damage   []Damage `json:"damage"`
	Repaired string   `json:"repaired,omitempty"` // folder the damaged data were moved to
	Then     string   `json:"then,omitempty"`     // what happens at the next start
}

// Fsck derives everything at rest in a node's home again: heads, log, state,
// payloads and blocks with their signatures. The node must not run. With
// repair, what is damaged is moved aside, so that the next start executes the
// node's own blocks again, or fetches the chain from its peers.
func Fsck(home string, c Config, repair bool, progress func(string)) (*FsckReport, error) {
	doc, err := genesis.Load(inHome(home, c.GenesisFile))
	if err != nil {
		return nil, err
	}
	if neverStarted(home) {
		return &FsckReport{Damage: []Damage{}}, nil // looking would found a ledger
	}
	f := &fsck{home: home, doc: doc, report: &FsckReport{Damage: []Damage{}}, say: progress}
	ledger, err := store.Open(filepath.Join(home, ledgerDir), store.Options{ChainID: identity(doc), CacheBytes: c.CacheBytes, KeepVersions: c.KeepVersions, ReadDamaged: true})
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("another process uses %s; stop the node first", filepath.Join(home, ledgerDir))
	case errors.Is(err, store.ErrWrongChain):
		return nil, err
	case err != nil:
		f.damage("store", err)
	default:
		err = errors.Join(f.ledger(ledger), ledger.Close())
	}
	if err == nil || len(f.report.Damage) > 0 {
		err = f.blocks()
	}
	if err == nil && repair && len(f.report.Damage) > 0 {
		err = f.repair()
	}
	return f.report, err
}

// neverStarted says that a home has neither a ledger nor blocks: its node has
// not run yet, or is about to fetch the chain.
func neverStarted(home string) bool {
	_, ledger := os.Stat(filepath.Join(home, ledgerDir))
	_, comet := os.Stat(filepath.Join(home, cometDir))
	return errors.Is(ledger, fs.ErrNotExist) && errors.Is(comet, fs.ErrNotExist)
}

// fsck is a check under way.
type fsck struct {
	home   string
	doc    *genesis.Document
	report *FsckReport
	say    func(string)
	heads  []store.Head
	pruned bool // blocks begin after the first height
	spoken time.Time
}

func (f *fsck) damage(part string, err error) {
	f.report.Damage = append(f.report.Damage, Damage{part, err.Error()})
}

// tell reports progress, at most twice a second.
func (f *fsck) tell(format string, args ...any) {
	if now := time.Now(); f.say != nil && now.Sub(f.spoken) > 500*time.Millisecond {
		f.spoken = now
		f.say(fmt.Sprintf(format, args...))
	}
}

func (f *fsck) ledger(s *store.Store) error {
	f.report.Height = s.Head().Height
	total := s.Head().LogSize
	payloads := &payloadCheck{store: s}
	faults, err := s.Check(store.Visitor{
		Head: func(h store.Head) error {
			f.heads = append(f.heads, h)
			return nil
		},
		Entry: func(index uint64, entry []byte) error {
			f.report.Entries++
			f.tell("entries %d of %d", index+1, total)
			payloads.look(index, entry)
			return nil
		},
		Key: func([]byte, []byte) error {
			f.report.Keys++
			f.tell("keys %d", f.report.Keys)
			return nil
		},
	})
	for _, fault := range faults {
		f.damage(fault.Part, fault.Err)
	}
	if payloads.err != nil {
		f.damage("payloads", payloads.err)
	}
	return err
}

// payloadCheck holds payloads and blinds to the commitments of their entries.
type payloadCheck struct {
	store    *store.Store
	first    uint64
	payloads []machine.Payload
	err      error // the first fault
}

func (p *payloadCheck) look(index uint64, raw []byte) {
	if p.err != nil {
		return
	}
	entry, err := protocol.DecodeEntry(raw)
	if err == nil && (index < p.first || index-p.first >= uint64(len(p.payloads))) {
		p.first, p.payloads, err = machine.StoredBundle(p.store, index)
	}
	if err != nil {
		p.err = fmt.Errorf("entry %d: %w", index, err)
		return
	}
	payload := p.payloads[index-p.first]
	if payload.Erased {
		p.err = p.erased(index)
		return
	}
	if got := protocol.Commitment(payload.Blind, payload.Bytes); got != entry.Commitment {
		p.err = fmt.Errorf("entry %d commits to %s, its payload and blind to %s", index, entry.Commitment, got)
	}
}

// erased holds a payload that is gone to the state, which says whose erasure
// took it.
func (p *payloadCheck) erased(index uint64) error {
	view, err := p.store.View(p.store.Head().Height)
	if err != nil {
		return nil // the state's own damage is told apart
	}
	if _, ok, err := machine.ErasedBy(view, index); err != nil || !ok {
		return orFault(err, "entry %d: its payload is gone, and nothing says that it was erased", index)
	}
	return nil
}

// blocks holds CometBFT's blocks to their hashes and signatures, and their
// headers to the heads of the ledger.
func (f *fsck) blocks() error {
	defer func() { // CometBFT panics where its data do not decode
		if r := recover(); r != nil {
			f.damage("block store", errors.New(firstLine(fmt.Sprint(r))))
		}
	}()
	blockDB, err := cometdb.OpenDamaged(filepath.Join(f.home, cometDir, "blockstore"))
	if err != nil {
		f.damage("block store", err)
		return nil
	}
	defer blockDB.Close()
	stateDB, err := cometdb.OpenDamaged(filepath.Join(f.home, cometDir, "state"))
	if err != nil {
		f.damage("block store", err)
		return nil
	}
	defer stateDB.Close()
	blocks, sets := cmtstore.NewBlockStore(blockDB), cmtstate.NewStore(stateDB, cmtstate.StoreOptions{DiscardABCIResponses: true})
	f.pruned = blocks.Base() > 1
	for height := max(blocks.Base(), 1); height <= blocks.Height(); height++ {
		f.tell("blocks %d of %d", height, blocks.Height())
		if err := f.block(blocks, sets, height); err != nil {
			f.damage("blocks", fmt.Errorf("block %d: %w", height, err))
			return nil
		}
		f.report.Blocks++
	}
	if at := uint64(blocks.Height()); f.report.Height > at {
		f.damage("blocks", fmt.Errorf("the ledger is at height %d, the last block is %d", f.report.Height, at))
	}
	return nil
}

func (f *fsck) block(blocks *cmtstore.BlockStore, sets cmtstate.Store, height int64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New(firstLine(fmt.Sprint(r)))
		}
	}()
	block, meta, commit := blocks.LoadBlock(height), blocks.LoadBlockMeta(height), blocks.LoadBlockCommit(height)
	if commit == nil {
		commit = blocks.LoadSeenCommit(height)
	}
	switch {
	case block == nil || meta == nil || commit == nil:
		return errors.New("it, its header or its commit is missing")
	case string(block.Hash()) != string(meta.BlockID.Hash) || string(block.Data.Hash()) != string(block.DataHash):
		return fmt.Errorf("its hash is %s, it was decided as %s", block.Hash(), meta.BlockID.Hash)
	}
	if before := uint64(height) - 1; before < uint64(len(f.heads)) && string(block.AppHash) != string(f.heads[before].AppHash[:]) && before > 0 {
		return fmt.Errorf("its header has app hash %s, the ledger %s at height %d", block.AppHash, f.heads[before].AppHash, before)
	}
	set, err := sets.LoadValidators(height)
	if err != nil {
		return fmt.Errorf("its validators are not there: %w", err)
	}
	return set.VerifyCommitLight(f.doc.ChainID, meta.BlockID, height, commit)
}

// repair moves aside what is damaged. Blocks that are sound are enough: the
// ledger follows from them.
func (f *fsck) repair() error {
	aside := filepath.Join(f.home, "damaged-"+time.Now().UTC().Format("20060102T150405Z"))
	folders := []string{ledgerDir}
	f.report.Then = fmt.Sprintf("the next start executes this node's own %d blocks again", f.report.Blocks)
	for _, d := range f.report.Damage {
		if d.Part == "blocks" || d.Part == "block store" || f.pruned {
			folders = []string{ledgerDir, cometDir, "data/wal"}
			f.report.Then = "the next start fetches the chain from the node's peers again"
		}
	}
	for _, folder := range folders {
		from := filepath.Join(f.home, folder)
		if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
			continue
		}
		to := filepath.Join(aside, filepath.Base(folder))
		if err := os.MkdirAll(aside, 0o700); err != nil {
			return err
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
	}
	f.report.Repaired = aside
	return nil
}
