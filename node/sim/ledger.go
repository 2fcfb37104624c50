package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/app"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/store"
	"github.com/cairn-ledger/cairn/node/internal/vm"
)

// Options of a ledger. The zero value is a ledger by the default rules.
type Options struct {
	ChainID  string                // "cairn-sim" when empty
	Start    time.Time             // founding time, to the millisecond; 2024-01-01 when zero
	Interval time.Duration         // from one block to the next; one second when zero
	Accounts []Account             // beside Producer and Author
	Params   func(*genesis.Params) // changes the default rules; may be nil
	// Interpreter runs contracts without compiling them: slower, and the
	// second opinion of a replica that does.
	Interpreter bool
	// BlockBytes bounds the transactions of a block; 4 MiB when 0.
	BlockBytes int64
	Log        *slog.Logger // of the application; silent when nil

	engine *vm.Engine // of another ledger, which closes it; nil: one of its own
}

func (o *Options) fill() {
	if o.ChainID == "" {
		o.ChainID = "cairn-sim"
	}
	if o.Start.IsZero() {
		o.Start = defaultStart
	}
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	if o.BlockBytes == 0 {
		o.BlockBytes = 4 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Ledger is a running ledger. Close it.
type Ledger struct {
	options Options
	genesis *genesis.Document
	engine  *vm.Engine

	disk    *disk
	store   *store.Store
	machine *machine.Machine
	app     *app.App
	fault   error // what the application halted with

	now     time.Time // of the last block
	nonce   uint64    // of the last transaction
	next    map[streamKey]uint64
	waiting [][]byte // the mempool
	blocks  []*Block // decided, by height - 1: what CometBFT's block store holds
	again   int      // blocks that the last start had to execute again
	codes   map[protocol.Hash][]byte
}

// streamKey names a stream by its producer's account.
type streamKey struct{ account, stream string }

var ctx = context.Background()

// New founds a ledger.
func New(o Options) (*Ledger, error) {
	o.fill()
	doc, err := found(&o)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	return start(o, doc)
}

// start runs a new ledger by a founding document.
func start(o Options, doc *genesis.Document) (*Ledger, error) {
	l := &Ledger{
		options: o, genesis: doc, engine: o.engine, disk: newDisk(), now: doc.Time,
		next: map[streamKey]uint64{}, codes: map[protocol.Hash][]byte{},
	}
	if l.engine == nil {
		var err error
		if l.engine, err = vm.New(ctx, vm.Config{Interpreter: o.Interpreter}); err != nil {
			return nil, fmt.Errorf("sim: %w", err)
		}
	}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// open starts the application on what the disk holds, and does what CometBFT's
// handshake does: found the chain, or replay the blocks the store lacks.
func (l *Ledger) open() error {
	s, err := store.Open("ledger", store.Options{FS: l.disk.fs, ChainID: l.options.ChainID, CacheBytes: 4 << 20})
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	l.store, l.fault = s, nil
	l.machine = machine.New(l.options.ChainID, l.engine)
	l.machine.AuditTokens()
	l.app = app.New(app.Config{
		Machine: l.machine, Store: s, Genesis: l.genesis, Log: l.options.Log, ProposalBytes: l.options.BlockBytes,
		ExecuteAhead: true, Halt: func(err error) { l.fault = err },
	})
	return l.handshake()
}

// Close ends the ledger and frees its memory.
func (l *Ledger) Close() error {
	var err error
	if l.app != nil {
		l.app.Stop()
	}
	if l.store != nil {
		err = l.store.Close()
		l.store = nil
	}
	if l.engine != nil && l.options.engine == nil {
		err = errors.Join(err, l.engine.Close())
		l.engine = nil
	}
	return err
}

// Crash ends the process without a word: what was not synced is lost. The
// ledger then starts again from its disk, and is where it was.
func (l *Ledger) Crash() error { return l.crash(loss{}) }

func (l *Ledger) crash(loss loss) error {
	l.app.Stop()
	after := l.disk.crash(loss)
	if err := l.store.Close(); err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	l.disk, l.store = after, nil
	return l.open()
}

// Replay founds another ledger by the same document and applies every block to
// it. An error says at which height it came to a different result. The other
// one is closed before this one.
func (l *Ledger) Replay() (*Ledger, error) {
	o := l.options
	o.engine = l.engine
	r, err := start(o, l.genesis)
	if err != nil {
		return nil, err
	}
	for _, block := range l.blocks {
		if err := r.Apply(block); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

// Genesis is the founding document.
func (l *Ledger) Genesis() *genesis.Document { return l.genesis }

// Height of the last block.
func (l *Ledger) Height() uint64 { return l.store.Head().Height }

// Now is the time of the last block.
func (l *Ledger) Now() time.Time { return l.now }

// AppHash commits to the log, the state and the rules after the last block.
func (l *Ledger) AppHash() protocol.Hash { return l.store.Head().AppHash }

// Size counts the log's entries.
func (l *Ledger) Size() uint64 { return l.store.Head().LogSize }
