package cosign

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Config of a Keeper.
type Config struct {
	Key       ed25519.PrivateKey // this node's; nil on a node that only collects
	Peers     []string           // API addresses of other validators
	Witnesses []Witness
	Every     time.Duration // between two rounds of collecting
	Log       *slog.Logger
	HTTP      *http.Client // nil means one with sensible time-outs
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

// Keeper signs and collects. Its methods may be called from any goroutine.
type Keeper struct {
	config Config
	ledger Ledger

	mu      sync.Mutex
	by      proof.Cosigners    // of the newest set; guarded by mu
	since   uint64             // by is from then on; guarded by mu
	self    *proof.Cosigner    // nil where this node's key is not in by; guarded by mu
	signed  []rest.Cosignature // by this node, newest last, at most maxSigned; guarded by mu
	served  *Collected         // guarded by mu
	changed chan struct{}      // closed when signed or served changes; guarded by mu
	height  uint64             // looked at so far; owned by Run
}

// maxSigned is how many of its own signatures a node remembers for peers.
const maxSigned = 512

// New makes a Keeper. A key that no validator of the set has is kept in store:
// the council may give it to one.
func New(c Config, l Ledger) (*Keeper, error) {
	k := &Keeper{config: c, ledger: l, changed: make(chan struct{})}
	if k.config.HTTP == nil {
		k.config.HTTP = &http.Client{Timeout: roundTime}
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
	k.by, k.since, k.self = by, since, nil
	if k.config.Key == nil {
		return nil
	}
	public := protocol.LogKey(k.config.Key.Public().(ed25519.PublicKey))
	for _, s := range by.List() {
		if s.Key == proof.LogKey(public) {
			k.self = &s
			k.config.Log.Info("this node cosigns the log", "as", s.Name, "since", since)
			return nil
		}
	}
	k.config.Log.Warn("this node does not cosign the log: no validator of the set has its log key; the council gives it one with `cairn gov propose log-key`",
		"logKey", public, "since", since)
	return nil
}

// cosigners are those of the newest set, and which of them this node is, if any.
func (k *Keeper) cosigners() (by proof.Cosigners, self *proof.Cosigner) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.by, k.self
}

// Cosigners are whose checkpoints this node collects: the validators of the
// newest set it knows.
func (k *Keeper) Cosigners() proof.Cosigners {
	by, _ := k.cosigners()
	return by
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

// sign signs what has become final since the last time. Sizes only grow.
func (k *Keeper) sign() error {
	checkpoints, height, err := k.ledger.Finalised(k.height)
	if err != nil {
		return err
	}
	k.height = height
	if err := k.follow(); err != nil {
		return err
	}
	_, self := k.cosigners()
	for _, c := range checkpoints {
		if self == nil || c.Size <= k.newestSize() {
			continue
		}
		s := k.cosignature(self, c, uint64(time.Now().Unix()))
		k.mu.Lock()
		if k.signed = append(k.signed, s); len(k.signed) > maxSigned {
			k.signed = slices.Delete(k.signed, 0, maxSigned/2)
		}
		k.notify()
		k.mu.Unlock()
	}
	return nil
}

// newestSize is the size signed last; an empty log is not signed.
func (k *Keeper) newestSize() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.signed) == 0 {
		return 0
	}
	return k.signed[len(k.signed)-1].Size
}

// notify wakes those who wait; the caller holds mu.
func (k *Keeper) notify() {
	close(k.changed)
	k.changed = make(chan struct{})
}

func (k *Keeper) cosignature(self *proof.Cosigner, c proof.Checkpoint, now uint64) rest.Cosignature {
	return rest.Cosignature{
		Name: self.Name, Size: c.Size, Root: c.Root, Time: now,
		Log:         ed25519.Sign(k.config.Key, c.Text()),
		Cosignature: ed25519.Sign(k.config.Key, proof.CosignatureBytes(c, now)),
		Cose:        ed25519.Sign(k.config.Key, proof.CoseBytes(c)),
	}
}

// Cosignature is this node's own for a size; it waits until ctx ends for one
// that is not there yet. A size of 0 is the newest.
func (k *Keeper) Cosignature(ctx context.Context, size uint64) (rest.Cosignature, error) {
	if _, self := k.cosigners(); self == nil {
		return rest.Cosignature{}, protocol.Refuse(protocol.CodeNotFound, "this node has no log key of a validator; ask another")
	}
	for {
		k.mu.Lock()
		changed, last := k.changed, uint64(0)
		for i := len(k.signed) - 1; i >= 0; i-- {
			s := k.signed[i]
			if last = max(last, s.Size); s.Size == size || size == 0 {
				k.mu.Unlock()
				return s, nil
			}
		}
		k.mu.Unlock()
		if last > size {
			return rest.Cosignature{}, protocol.Refuse(protocol.CodeNotFound, "this node did not sign, or has forgotten, the checkpoint of %d entries; its newest has %d", size, last)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return rest.Cosignature{}, protocol.Refuse(protocol.CodeTimeout, "the checkpoint of %d entries is not final here yet; ask again", size)
		}
	}
}

// Newest is the checkpoint to publish. One that validators with more than two
// thirds of the power vouch for is replaced only by another such, and none by
// a smaller one.
func (k *Keeper) Newest() (*Collected, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.served == nil {
		return nil, protocol.Refuse(protocol.CodeNotFound, "no checkpoint is signed yet: the log is empty, or this node has no log key")
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
			return nil, protocol.Refuse(protocol.CodeTimeout, "no checkpoint that has entry %d is cosigned by more than two thirds of the power yet; ask again, or ask a node whose api_peers reach the validators", index)
		}
	}
}

// collected puts signatures of one checkpoint together.
func (k *Keeper) collected(signatures []rest.Cosignature, witnesses []proof.NoteSignature) *Collected {
	first, by := signatures[0], k.Cosigners()
	out := &Collected{By: by, SignedCheckpoint: proof.SignedCheckpoint{
		Checkpoint: proof.Checkpoint{Origin: by.Origin(), Size: first.Size, Root: first.Root},
	}}
	var logs, cosignatures []proof.NoteSignature
	var power uint64
	for _, c := range by.List() { // their order, whoever answered first
		at := slices.IndexFunc(signatures, func(s rest.Cosignature) bool { return s.Name == c.Name })
		if at < 0 {
			continue
		}
		s := signatures[at]
		logs = append(logs, c.LogSignature(out.Checkpoint, s.Log))
		cosignatures = append(cosignatures, c.Cosignature(s.Time, s.Cosignature))
		out.Cose = append(out.Cose, proof.CoseSignature{Name: c.Name, Bytes: [64]byte(s.Cose)})
		power += c.Power
	}
	out.Signatures = slices.Concat(logs, cosignatures, witnesses)
	out.Quorum = by.Quorum(power)
	return out
}

// verify checks what a peer says it signed.
func (k *Keeper) verify(c proof.Checkpoint, s *rest.Cosignature) error {
	list := k.Cosigners().List()
	at := slices.IndexFunc(list, func(c proof.Cosigner) bool { return c.Name == s.Name })
	switch {
	case at < 0 || list[at].Key == (proof.LogKey{}):
		return fmt.Errorf("%q is no validator with a log key", s.Name)
	case s.Size != c.Size:
		return fmt.Errorf("%s signed the size %d, asked was %d", s.Name, s.Size, c.Size)
	case s.Root != c.Root:
		return fmt.Errorf("%s signed the root %s for %d entries, here it is %s: keep both, they prove that one of the two is wrong", s.Name, s.Root, c.Size, c.Root)
	case s.Time > 1<<62:
		return fmt.Errorf("%s signed the time %d", s.Name, s.Time)
	}
	key := ed25519.PublicKey(list[at].Key[:])
	for _, part := range [...]struct{ message, signature []byte }{
		{c.Text(), s.Log}, {proof.CosignatureBytes(c, s.Time), s.Cosignature}, {proof.CoseBytes(c), s.Cose},
	} {
		if len(part.signature) != ed25519.SignatureSize || !ed25519.Verify(key, part.message, part.signature) {
			return fmt.Errorf("a signature of %s does not verify", s.Name)
		}
	}
	return nil
}
