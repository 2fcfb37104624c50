package proof

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Errors of checkpoints.
var (
	// ErrCosigners: the cosigners themselves are not usable.
	ErrCosigners = errors.New("the ledger's log keys are not valid")
	// ErrUncosigned: too few of the validators cosigned the checkpoint.
	ErrUncosigned = errors.New("validators with more than two thirds of the voting power did not cosign the checkpoint")
	// ErrLogSignature: nobody signed the checkpoint as the log.
	ErrLogSignature = errors.New("the checkpoint has no signature of the log")
)

// Cosigners are whose word on the log's checkpoints is taken: the validators
// of a ledger with their log keys. The founding document has them.
type Cosigners struct {
	origin    string
	cosigners []Cosigner // by power, the greatest first, then by name
	total     uint64     // power of all, also of those without a key
	lines     map[lineKey]lineOwner
}

// lineKey is what a signature line names its key by.
type lineKey struct {
	name string
	id   uint32
}

type lineOwner struct {
	place int // among the cosigners
	kind  byte
}

// NewCosigners checks and orders them.
func NewCosigners(origin string, cosigners []Cosigner) (Cosigners, error) {
	if err := checkChainID(origin); err != nil {
		return Cosigners{}, fmt.Errorf("%w: %w", ErrCosigners, err)
	}
	if len(cosigners) == 0 || len(cosigners) > MaxValidators {
		return Cosigners{}, fmt.Errorf("%w: %d of them, must be 1 to %d", ErrCosigners, len(cosigners), MaxValidators)
	}
	c := Cosigners{origin: origin, cosigners: slices.Clone(cosigners), lines: map[lineKey]lineOwner{}}
	slices.SortFunc(c.cosigners, func(a, b Cosigner) int {
		return cmp.Or(cmp.Compare(b.Power, a.Power), cmp.Compare(a.Name, b.Name))
	})
	names, keys := map[string]bool{}, map[LogKey]bool{{}: false}
	for i, s := range c.cosigners {
		switch {
		case !validKeyName(s.Name) || names[s.Name] || s.Name == origin:
			return Cosigners{}, fmt.Errorf("%w: name %q", ErrCosigners, s.Name)
		case keys[s.Key]:
			return Cosigners{}, fmt.Errorf("%w: two validators have the log key %x", ErrCosigners, s.Key)
		case s.Power == 0 || s.Power > MaxTotalPower-c.total:
			return Cosigners{}, fmt.Errorf("%w: power %d of %s", ErrCosigners, s.Power, s.Name)
		}
		names[s.Name], keys[s.Key] = true, s.Key != LogKey{}
		c.total += s.Power
		if keys[s.Key] {
			c.lines[lineKey{s.Name, s.Key.id(s.Name, noteCosignature)}] = lineOwner{i, noteCosignature}
			c.lines[lineKey{origin, s.Key.id(origin, noteEd25519)}] = lineOwner{i, noteEd25519}
		}
	}
	return c, nil
}

// SetCosigners are the cosigners of a validator set of the state.
func SetCosigners(chainID string, set *protocol.ValidatorSet) (Cosigners, error) {
	cosigners := make([]Cosigner, len(set.Validators))
	for i, v := range set.Validators {
		cosigners[i] = Cosigner{Name: CosignerName(chainID, v.Name), Key: LogKey(v.LogKey), Power: v.Power}
	}
	return NewCosigners(chainID, cosigners)
}

// CosignerName is the name of a validator's cosignatures. Those of C2SP have
// neither spaces nor plus signs; a validator's may.
func CosignerName(chainID, validator string) string {
	return chainID + "/" + strings.ReplaceAll(url.PathEscape(validator), "+", "%2B")
}

// Origin is the log's.
func (c Cosigners) Origin() string { return c.origin }

// List is a copy of them, in order. Those without a key are among them.
func (c Cosigners) List() []Cosigner { return slices.Clone(c.cosigners) }

// TotalPower is that of all validators.
func (c Cosigners) TotalPower() uint64 { return c.total }

// Quorum says whether that much power is more than two thirds.
func (c Cosigners) Quorum(power uint64) bool { return c.total > 0 && power > c.total*2/3 }

// Cosigned says who vouched for a checkpoint.
type Cosigned struct {
	Names      []string  `json:"names"`
	Power      uint64    `json:"power"`
	TotalPower uint64    `json:"totalPower"`
	Oldest     time.Time `json:"oldest,omitzero"` // earliest time among the cosignatures
}

// Verify checks that validators with more than two thirds of the power
// cosigned the checkpoint, and one of them signed it as the log. Lines by keys
// not known here are passed over, as the format wants; a line by a known key
// must hold.
func (c Cosigners) Verify(s *SignedCheckpoint) (Cosigned, error) {
	out, logged, err := c.weigh(s)
	switch {
	case err != nil:
		return out, err
	case !c.Quorum(out.Power):
		return out, fmt.Errorf("%w: %d of %d", ErrUncosigned, out.Power, c.total)
	case !logged:
		return out, ErrLogSignature
	}
	return out, nil
}

// weigh checks every line by a known key and adds up the cosigners' power.
func (c Cosigners) weigh(s *SignedCheckpoint) (out Cosigned, logged bool, err error) {
	out.TotalPower = c.total
	if s.Origin != c.origin {
		return out, false, fmt.Errorf("%w: the checkpoint is of the log %q, trusted is %q", ErrChain, s.Origin, c.origin)
	}
	seen := map[int]bool{}
	for _, line := range s.Signatures {
		i, kind := c.find(&line)
		if i < 0 {
			continue
		}
		known := c.cosigners[i]
		if kind == noteEd25519 {
			if !known.verifyLog(s.Checkpoint, line.Bytes) {
				return out, false, fmt.Errorf("%w: of the log, by %s", ErrSignature, known.Name)
			}
			logged = true
			continue
		}
		seconds, ok := known.verifyCosignature(s.Checkpoint, line.Bytes)
		if !ok {
			return out, false, fmt.Errorf("%w: cosignature of %s", ErrSignature, known.Name)
		}
		if seen[i] {
			continue
		}
		seen[i] = true
		if at := time.Unix(int64(seconds), 0).UTC(); out.Oldest.IsZero() || at.Before(out.Oldest) {
			out.Oldest = at
		}
		out.Names = append(out.Names, known.Name)
		out.Power += known.Power
	}
	return out, logged, nil
}

// find says whose line it is and of which type; -1 for nobody's here.
func (c Cosigners) find(line *NoteSignature) (place int, kind byte) {
	if owner, ok := c.lines[lineKey{line.Name, line.KeyID}]; ok {
		return owner.place, owner.kind
	}
	return -1, 0
}

// Trim keeps of a verified checkpoint what a verifier needs: one signature of
// the log, and cosignatures up to more than two thirds of the power, in order.
// Without any line that is left, it no longer verifies.
func (c Cosigners) Trim(s *SignedCheckpoint) *SignedCheckpoint {
	logs, cosignatures := map[int]NoteSignature{}, map[int]NoteSignature{}
	for _, line := range s.Signatures {
		switch i, kind := c.find(&line); {
		case i >= 0 && kind == noteEd25519:
			logs[i] = line
		case i >= 0:
			cosignatures[i] = line
		}
	}
	out := &SignedCheckpoint{Checkpoint: s.Checkpoint}
	var power uint64
	for i := range c.cosigners {
		if line, ok := logs[i]; ok {
			out.Signatures = append(out.Signatures, line)
			break
		}
	}
	for i, known := range c.cosigners {
		line, ok := cosignatures[i]
		if !ok || c.Quorum(power) {
			continue
		}
		out.Signatures = append(out.Signatures, line)
		power += known.Power
	}
	return out
}

// Policy is the trust in these cosigners for tools of others (C2SP
// tlog-policy): the log is the first validator's key, the quorum more than two
// thirds of the validators. The format counts heads, so it stands for
// validators of equal power only; others it weighs by the least that makes two
// thirds in any choice.
func (c Cosigners) Policy() []byte {
	var out bytes.Buffer
	var names []string
	var power uint64
	need := 0 // so many of the least powerful hold a quorum
	for i, s := range c.cosigners {
		if (s.Key == LogKey{}) {
			continue
		}
		if len(names) == 0 {
			fmt.Fprintf(&out, "log %s\n", s.LogVKey(c.origin))
		}
		name := fmt.Sprintf("validator%d", i)
		fmt.Fprintf(&out, "witness %s %s\n", name, s.VKey())
		names = append(names, name)
	}
	for i := len(c.cosigners) - 1; i >= 0 && !c.Quorum(power); i-- {
		if (c.cosigners[i].Key != LogKey{}) {
			power += c.cosigners[i].Power
			need++
		}
	}
	fmt.Fprintf(&out, "group validators %d", need)
	for _, name := range names {
		fmt.Fprintf(&out, " %s", name)
	}
	out.WriteString("\nquorum validators\n")
	return out.Bytes()
}
