package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Errors of trust that moves.
var (
	// ErrStep: a step that does not lead from the trusted validator set.
	ErrStep = errors.New("the step does not lead from the trusted validator set")
	// ErrExpired: what is trusted is older than the trusting period.
	ErrExpired = errors.New("the trusted validator set is older than the trusting period; get a later one from somebody you trust")
	// ErrEarly: a height before the first that is trusted.
	ErrEarly = errors.New("the block is before the first height of the trust anchor")
)

// SetHash is CometBFT's hash of the set: the RFC 6962 root over its
// SimpleValidator messages, in the set's order.
func (a Anchor) SetHash() protocol.Hash {
	leaves := make([]protocol.Hash, len(a.validators))
	var buf [64]byte
	for i, v := range a.validators {
		key := append(append(buf[:0], 0x0a, 34, 0x0a, 32), v.PubKey[:]...)
		leaves[i] = LeafHash(binary.AppendUvarint(append(key, 0x10), v.Power))
	}
	return TreeRoot(leaves)
}

// TrustStep leads from a trusted validator set to a later one. There are two
// ways. Adjacent: the block was signed by more than two thirds of the trusted
// set, and its header names Next as the set of the following block. Skipping:
// the block was signed by more than two thirds of Next, the set its header
// names as its own, among them more than a third of the trusted set's power.
// These are the rules of CometBFT's light client, with its trust level of a third.
type TrustStep struct {
	Skip bool
	// TimeNs is the block's time, Unix nanoseconds.
	TimeNs int64
	// Beside are the hashes beside the way from the opened fields to the
	// header's: leaf 0, node 4-7, leaf 9, node 10-11, node 12-13; or with Skip
	// leaf 0, node 4-5, leaf 6, node 8-13.
	Beside []protocol.Hash
	// Commit is signed by the trusted set, or with Skip by Next.
	Commit Commit
	// Next is the set the step leads to, in any order.
	Next []Validator
}

// Counts of hashes beside the way.
const (
	besideNext = 5
	besideSkip = 4
)

// beside is how many hashes there must be.
func (s *TrustStep) beside() int {
	if s.Skip {
		return besideSkip
	}
	return besideNext
}

// blockHash is the hash of the header that names a set: in field 8, as the
// next block's, or with Skip in field 7, as its own.
func (s *TrustStep) blockHash(chainID string, set protocol.Hash) protocol.Hash {
	var buf [64]byte
	low := lowFields(s.Beside[0], chainID, s.Commit.Height, s.TimeNs)
	leaf := LeafHash(appendBytes(append(buf[:0], 0x0a), set[:]))
	if s.Skip {
		blocks := NodeHash(s.Beside[1], NodeHash(s.Beside[2], leaf))
		return NodeHash(NodeHash(low, blocks), s.Beside[3])
	}
	high := NodeHash(NodeHash(NodeHash(leaf, s.Beside[2]), s.Beside[3]), s.Beside[4])
	return NodeHash(NodeHash(low, s.Beside[1]), high)
}

// since is the first height at which the step's set signs.
func (s *TrustStep) since() uint64 {
	if s.Skip {
		return s.Commit.Height
	}
	return s.Commit.Height + 1
}

// Verify checks the step against a trusted set and answers the set it leads to.
func (s *TrustStep) Verify(trusted Anchor) (Anchor, error) {
	next, err := NewAnchor(trusted.chainID, s.Next)
	if err != nil {
		return Anchor{}, err
	}
	if len(s.Beside) != s.beside() {
		return Anchor{}, fmt.Errorf("%w: %d hashes beside the way, must be %d", ErrForm, len(s.Beside), s.beside())
	}
	block := s.blockHash(trusted.chainID, next.SetHash())
	if !s.Skip {
		if _, err := s.Commit.Verify(trusted, block); err != nil {
			return Anchor{}, fmt.Errorf("%w: %w", ErrStep, err)
		}
		return next, nil
	}
	signed, err := s.Commit.Verify(next, block)
	if err != nil {
		return Anchor{}, fmt.Errorf("%w: %w", ErrStep, err)
	}
	if power := trusted.powerOf(next, signed.Validators); power <= trusted.total/3 {
		return Anchor{}, fmt.Errorf("%w: its signers hold %d of the %d of the trusted set, must be more than a third", ErrStep, power, trusted.total)
	}
	return next, nil
}

// powerOf is the power that members of another set, named by their places in
// it, have in this one.
func (a Anchor) powerOf(other Anchor, places []uint32) uint64 {
	own := make(map[ValidatorKey]uint64, len(a.validators))
	for _, v := range a.validators {
		own[v.PubKey] = v.Power
	}
	var power uint64
	for _, i := range places {
		power += own[other.validators[i].PubKey]
	}
	return power
}

// TrustPoint is a validator set and the heights at which it signs.
type TrustPoint struct {
	Anchor
	Since uint64    // first height it signs
	Seen  uint64    // last height at which it is known to have signed, or Since
	At    time.Time // of the block at Seen, or of the founding
}

// Trust is what a verifier trusts over time: the set it began with, and those
// that steps led to.
type Trust struct {
	points []TrustPoint // ascending by Since
}

// NewTrust begins with a set that signs from a height on.
func NewTrust(anchor Anchor, since uint64, at time.Time) *Trust {
	return &Trust{points: []TrustPoint{{anchor, since, since, at.UTC()}}}
}

// ChainID is the chain trusted.
func (t *Trust) ChainID() string { return t.points[0].ChainID() }

// Clone is a copy that Extend changes alone.
func (t *Trust) Clone() *Trust { return &Trust{points: t.Points()} }

// Points lists the sets, the first one first.
func (t *Trust) Points() []TrustPoint { return append([]TrustPoint(nil), t.points...) }

// Latest is the newest set.
func (t *Trust) Latest() TrustPoint { return t.points[len(t.points)-1] }

// For answers the set that signs at a height. A set that replaced it without
// a step that this trust knows makes signatures fail, never false ones hold.
func (t *Trust) For(height uint64) (Anchor, error) {
	for i := len(t.points) - 1; i >= 0; i-- {
		if t.points[i].Since <= height {
			return t.points[i].Anchor, nil
		}
	}
	return Anchor{}, fmt.Errorf("%w: height %d, trusted from %d on", ErrEarly, height, t.points[0].Since)
}

// fresh refuses a set that was last seen longer ago than period at the time
// now; 0 sets no bound.
func (p *TrustPoint) fresh(now time.Time, period time.Duration) error {
	if period > 0 && now.Sub(p.At) > period {
		return fmt.Errorf("%w: it was seen at %s", ErrExpired, p.At.UTC().Format(time.RFC3339))
	}
	return nil
}

// behind refuses a step at an earlier height than the set was seen at.
func (p *TrustPoint) behind(s *TrustStep) error {
	if s.Commit.Height < p.Seen {
		return fmt.Errorf("%w: it is at height %d, trusted is %d", ErrStep, s.Commit.Height, p.Seen)
	}
	return nil
}

// after answers the point that a step leads to, whose set is next; same says
// that it is p's own, which then still signs.
func (p TrustPoint) after(s *TrustStep, next Anchor, same bool) (point TrustPoint, changed bool, err error) {
	if err := p.behind(s); err != nil {
		return p, false, err
	}
	at := time.Unix(0, s.TimeNs).UTC()
	if same {
		p.Seen, p.At = s.Commit.Height, at
		return p, false, nil
	}
	if s.since() <= p.Since {
		return p, false, fmt.Errorf("%w: it names another set for height %d", ErrStep, s.since())
	}
	return TrustPoint{next, s.since(), s.since(), at}, true, nil
}

// Extend follows steps from the latest set on. A step to the set that is
// trusted already says that it still signs. period bounds the age of the
// latest set at the time now, as CometBFT's trusting period does: longer ago,
// its members may have left, and have nothing to lose. 0 sets no bound.
func (t *Trust) Extend(steps []TrustStep, now time.Time, period time.Duration) error {
	points := t.Points()
	if latest := &points[len(points)-1]; len(steps) > 0 {
		if err := latest.fresh(now, period); err != nil {
			return err
		}
	}
	for i := range steps {
		s := &steps[i]
		last := points[len(points)-1]
		if err := last.behind(s); err != nil {
			return fmt.Errorf("%w (step %d)", err, i)
		}
		next, err := s.Verify(last.Anchor)
		if err != nil {
			return fmt.Errorf("step %d, at height %d: %w", i, s.Commit.Height, err)
		}
		point, changed, err := last.after(s, next, next.SetHash() == last.SetHash())
		if err != nil {
			return fmt.Errorf("%w (step %d)", err, i)
		}
		if changed {
			points = append(points, point)
		} else {
			points[len(points)-1] = point
		}
	}
	t.points = points
	return nil
}

// VerifyWith checks a receipt against the set that signs at its height.
func (r *Receipt) VerifyWith(t *Trust) (Statement, error) {
	anchor, err := t.For(r.Commit.Height)
	if err != nil {
		return Statement{}, err
	}
	return r.Verify(anchor)
}
