package cosign

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Config of a Keeper.
type Config struct {
	Key       ed25519.PrivateKey // this node's; nil on a node that only collects
	Witnesses []Witness
	Every     time.Duration // between two rounds of collecting
	Log       *slog.Logger
	HTTP      *http.Client // to the witnesses; nil means one with sensible time-outs
}

// Ledger is what a Keeper needs of its node.
type Ledger interface {
	// Finalised are the checkpoints after a height that a later block's header
	// commits to, oldest first, and the greatest height looked at.
	Finalised(after uint64) (checkpoints []proof.Checkpoint, height uint64, err error)
	// Cosigners are the validators of the newest set, and the height from which
	// it signs: another set has another. Of the known one only that is answered.
	Cosigners(known uint64) (by proof.Cosigners, since uint64, err error)
	// Committed is closed when the next block is committed.
	Committed() <-chan struct{}
	ConsistencyProof(from, to uint64) ([]protocol.Hash, error)
}

// Collected is a checkpoint with the signatures there are for it.
type Collected struct {
	proof.SignedCheckpoint
	Cose   []proof.CoseSignature
	By     proof.Cosigners // the validators when it was collected
	Quorum bool            // those with more than two thirds of the power cosigned
}

// tally is a checkpoint that is final here, and who vouched for it. Whose word
// counts, the validator set says when it is put together.
type tally struct {
	proof.Checkpoint
	by        map[proof.LogKey]cosignature // each holds; guarded by the Keeper's mu
	witnesses []proof.NoteSignature        // guarded by the Keeper's mu
	asked     bool                         // the witnesses were, whether they answered or not; guarded by the Keeper's mu
}

// Keeper signs and collects. Its methods may be called from any goroutine.
type Keeper struct {
	config Config
	ledger Ledger
	public proof.LogKey // of config.Key, or zero

	mu      sync.Mutex
	by      proof.Cosigners // of the newest set; guarded by mu
	since   uint64          // by is from then on; guarded by mu
	member  bool            // this node's key is in by; guarded by mu
	known   []*tally        // final here, by size, the newest last, at most maxKnown; guarded by mu
	served  *Collected      // guarded by mu
	changed chan struct{}   // closed when known or served changes; guarded by mu
	links   map[*Link]bool  // connected peers; guarded by mu
	asking  question        // of this round; guarded by mu
	height  uint64          // looked at so far; owned by Run
}

// maxKnown is how many sizes a node remembers, for peers that ask late.
const maxKnown = 512

// New makes a Keeper. A key that no validator of the set has is kept in store:
// the council may give it to one.
func New(c Config, l Ledger) (*Keeper, error) {
	k := &Keeper{config: c, ledger: l, changed: make(chan struct{}), links: map[*Link]bool{}}
	if k.config.HTTP == nil {
		k.config.HTTP = &http.Client{Timeout: witnessTime}
	}
	if c.Key != nil {
		k.public = proof.LogKey(c.Key.Public().(ed25519.PublicKey))
	}
	return k, k.follow()
}

// follow takes up the newest validator set.
func (k *Keeper) follow() error {
	k.mu.Lock()
	known := k.since // follow alone changes it
	k.mu.Unlock()
	by, since, err := k.ledger.Cosigners(known)
	if err != nil {
		return fmt.Errorf("log keys of the validators: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if since == known {
		return nil
	}
	k.by, k.since, k.member = by, since, false
	if k.config.Key == nil {
		return nil
	}
	for _, s := range by.List() {
		if s.Key == k.public {
			k.member = true
			k.config.Log.Info("this node cosigns the log", "as", s.Name, "since", since)
			return nil
		}
	}
	k.config.Log.Warn("this node does not cosign the log: no validator of the set has its log key; the council gives it one with `cairn gov propose log-key`",
		"logKey", protocol.LogKey(k.public), "since", since)
	return nil
}

// Cosigners are whose checkpoints this node collects: the validators of the
// newest set it knows.
func (k *Keeper) Cosigners() proof.Cosigners {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.by
}

// Run signs and collects until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { k.collectForever(ctx) })
	again := time.NewTicker(time.Second) // a network at rest may end a node's catching up
	defer again.Stop()
	for {
		committed := k.ledger.Committed()
		if err := k.sign(); err != nil {
			k.config.Log.Warn("checkpoint not signed", "err", err)
		}
		select {
		case <-committed:
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// sign takes down what has become final since the last time, and signs it where
// this node is a validator. Sizes only grow; an empty log is passed over.
func (k *Keeper) sign() error {
	checkpoints, height, err := k.ledger.Finalised(k.height)
	if err != nil {
		return err
	}
	k.height = height
	if err := k.follow(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	old := len(k.known)
	for _, c := range checkpoints {
		if c.Size > k.newestSize() {
			k.known = append(k.known, &tally{Checkpoint: c, by: map[proof.LogKey]cosignature{}})
		}
	}
	signed := len(k.known) > old
	for _, t := range k.known[max(0, old-1):] { // the one before too: this node may be a member since
		if _, ok := t.by[k.public]; k.member && !ok {
			t.by[k.public] = signCheckpoint(k.config.Key, t.Checkpoint, uint64(time.Now().Unix()))
			signed = true
		}
	}
	if excess := len(k.known) - maxKnown; excess > 0 {
		k.known = slices.Delete(k.known, 0, excess)
	}
	if signed {
		k.notify()
		for l := range k.links { // each may have asked for it
			l.rouse()
		}
	}
	return nil
}

// newestSize is the greatest one known, or 0; the caller holds mu.
func (k *Keeper) newestSize() uint64 {
	if len(k.known) == 0 {
		return 0
	}
	return k.known[len(k.known)-1].Size
}

// find is the tally of a size, or nil; the caller holds mu.
func (k *Keeper) find(size uint64) *tally {
	at, ok := slices.BinarySearchFunc(k.known, size, func(t *tally, size uint64) int {
		return cmp.Compare(t.Size, size)
	})
	if !ok {
		return nil
	}
	return k.known[at]
}

// notify wakes those who wait; the caller holds mu.
func (k *Keeper) notify() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// Newest is the checkpoint to publish. One that validators with more than two
// thirds of the power vouch for is replaced only by another such, and none by
// a smaller one.
func (k *Keeper) Newest() (*Collected, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.served == nil {
		return nil, protocol.Refuse(protocol.CodeNotFound, "no checkpoint is signed yet: the log is empty, or no validator was heard of")
	}
	return k.served, nil
}

// Covering waits for a checkpoint with a quorum that has an entry.
func (k *Keeper) Covering(ctx context.Context, index uint64) (*Collected, error) {
	for {
		k.mu.Lock()
		changed, served := k.changed, k.served
		k.mu.Unlock()
		if served != nil && served.Quorum && served.Size > index {
			return served, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, protocol.Refuse(protocol.CodeTimeout, "no checkpoint that has entry %d is cosigned by more than two thirds of the power yet; ask again, or ask a node that is connected to the validators", index)
		}
	}
}

// collected puts the signatures of one checkpoint together; the caller holds mu.
func (k *Keeper) collected(t *tally) *Collected {
	out := &Collected{By: k.by, SignedCheckpoint: proof.SignedCheckpoint{Checkpoint: t.Checkpoint}}
	var logs, cosignatures []proof.NoteSignature
	var power uint64
	for _, c := range k.by.List() { // their order, whoever answered first
		s, ok := t.by[c.Key]
		if !ok {
			continue
		}
		logs = append(logs, c.LogSignature(t.Checkpoint, s.log[:]))
		cosignatures = append(cosignatures, c.Cosignature(s.time, s.note[:]))
		out.Cose = append(out.Cose, proof.CoseSignature{Name: c.Name, Bytes: s.cose})
		power += c.Power
	}
	out.Signatures = slices.Concat(logs, cosignatures, t.witnesses)
	out.Quorum = k.by.Quorum(power)
	return out
}

// publish replaces what is served by what is known of a checkpoint, but never a
// quorum by less, nor a greater log by a smaller one. The caller holds mu.
func (k *Keeper) publish(t *tally) {
	if len(k.config.Witnesses) > 0 && !t.asked {
		return
	}
	c, old := k.collected(t), k.served
	if len(c.Signatures) == 0 || old != nil && (old.Size > c.Size || old.Quorum && !c.Quorum) {
		return
	}
	k.served = c
	k.notify()
	if !c.Quorum {
		return
	}
	for _, before := range k.known { // of use to nobody any more, but for the node's own signatures
		if before.Size >= c.Size {
			break
		}
		maps.DeleteFunc(before.by, func(key proof.LogKey, _ cosignature) bool { return key != k.public })
	}
}
