package light

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

const trustChain = "cairn-trust"

func anchorOf(t *testing.T, n network) proof.Anchor {
	t.Helper()
	anchor, err := Anchor(trustChain, n.set)
	if err != nil {
		t.Fatal(err)
	}
	return anchor
}

// later is a network with some members of n, some new ones and other powers.
func (n network) later(s source, keep, fresh int) network {
	out := s.network(fresh)
	validators := out.set.Copy().Validators
	for _, v := range n.set.Validators[:min(keep, len(n.set.Validators))] {
		out.keys[string(v.Address)] = n.keys[string(v.Address)]
		validators = append(validators, types.NewValidator(v.PubKey, 1+s.Int64N(5)))
	}
	out.set = types.NewValidatorSet(validators)
	return out
}

func TestSetHashIsCometBFTs(t *testing.T) {
	for seed := range uint64(300) {
		s := newSource(seed)
		n := s.network(1 + s.IntN(30))
		if got := anchorOf(t, n).SetHash(); got != protocol.Hash(n.set.Hash()) {
			t.Fatalf("seed %d: %s, CometBFT has %X", seed, got, n.set.Hash())
		}
	}
}

// A step that skips holds exactly where CometBFT's light client follows it.
func TestSkippingVerdictIsCometBFTs(t *testing.T) {
	verdicts := map[bool]int{}
	for seed := range uint64(400) {
		s := newSource(seed)
		old := s.network(1 + s.IntN(6))
		own := old.later(s, s.IntN(6), 1+s.IntN(4))
		before, header := s.header(trustChain, s.bytes(32)), s.header(trustChain, s.bytes(32))
		now := time.Unix(1_800_000_000, 0).UTC()
		before.Height, before.Time = 10, now.Add(-2*time.Hour)
		before.ValidatorsHash, before.NextValidatorsHash = old.set.Hash(), old.set.Hash()
		header.Height, header.Time, header.ValidatorsHash = 20+s.Int64N(100), now.Add(-time.Hour), own.set.Hash()
		commit := own.commit(t, s, header)
		for range s.IntN(3) {
			spoil(t, s, own, commit, trustChain)
		}
		wantErr := light.VerifyNonAdjacent(
			&types.SignedHeader{Header: before, Commit: old.commit(t, s, before)}, old.set,
			&types.SignedHeader{Header: header, Commit: commit}, own.set,
			24*time.Hour, now, time.Second, math.Fraction{Numerator: 1, Denominator: 3})
		step, gotErr := Skip(anchorOf(t, old), anchorOf(t, own), header, commit)
		if errors.Is(wantErr, light.ErrInvalidHeader{}) {
			continue
		}
		if (wantErr == nil) && gotErr != nil {
			t.Fatalf("seed %d: CometBFT follows, we say %v", seed, gotErr)
		}
		if wantErr != nil && gotErr == nil {
			// CometBFT refuses a commit with any wrong signature it meets; the step leaves those out.
			if _, err := step.Verify(anchorOf(t, old)); err != nil {
				t.Fatalf("seed %d: the step it made does not hold: %v", seed, err)
			}
			continue
		}
		verdicts[gotErr == nil]++
	}
	if verdicts[true] < 50 || verdicts[false] < 50 {
		t.Errorf("the cases are lopsided: %v", verdicts)
	}
}

// chain makes steps from network to network, each the next one's or a skip.
func chain(t *testing.T, s source, n network, length int) (steps []proof.TrustStep, last network) {
	t.Helper()
	height := int64(1)
	for range length {
		next := n.later(s, len(n.set.Validators), 1)
		header := s.header(trustChain, s.bytes(32))
		height += 2 + s.Int64N(50)
		header.Height, header.Time = height, time.Unix(1_700_000_000+height, 0).UTC()
		var step proof.TrustStep
		var err error
		if s.IntN(2) == 0 {
			header.NextValidatorsHash = next.set.Hash()
			step, err = Next(anchorOf(t, n), anchorOf(t, next), header, n.commit(t, s, header))
		} else {
			header.ValidatorsHash = next.set.Hash()
			step, err = Skip(anchorOf(t, n), anchorOf(t, next), header, next.commit(t, s, header))
			if errors.Is(err, proof.ErrStep) {
				continue // too few of the old power, by chance
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		steps, n = append(steps, step), next
	}
	return steps, n
}

// Trust walks from set to set, in either way; a changed byte anywhere, an
// other order, or a step left out where the sets have nothing in common ends it.
func TestTrustWalks(t *testing.T) {
	for seed := range uint64(40) {
		s := newSource(seed)
		n := s.network(3)
		steps, last := chain(t, s, n, 6)
		began := time.Unix(1_700_000_000, 0)
		trust := proof.NewTrust(anchorOf(t, n), 1, began)
		steps = throughJSON(t, steps)
		if err := trust.Extend(steps, began, 0); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		file, err := trust.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if read, err := proof.ParseTrust(file); err != nil || !reflect.DeepEqual(read, trust) {
			t.Fatalf("seed %d: the trust file reads as %+v, %v", seed, read, err)
		}
		latest := trust.Latest()
		if latest.SetHash() != protocol.Hash(last.set.Hash()) {
			t.Fatalf("seed %d: it leads to another set", seed)
		}
		if got, err := trust.For(latest.Since); err != nil || got.SetHash() != latest.SetHash() {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(steps) == 0 {
			continue
		}
		for range 40 {
			spoiled := spoilSteps(s, steps)
			if err := proof.NewTrust(anchorOf(t, n), 1, began).Extend(spoiled, began, 0); err == nil {
				t.Fatalf("seed %d: spoiled steps hold", seed)
			}
		}
		if err := trust.Extend(steps[:1], began, 0); !errors.Is(err, proof.ErrStep) {
			t.Errorf("seed %d: an old step: %v", seed, err)
		}
		old := proof.NewTrust(anchorOf(t, n), 1, began)
		if err := old.Extend(steps, began.Add(15*24*time.Hour), 14*24*time.Hour); !errors.Is(err, proof.ErrExpired) {
			t.Errorf("seed %d: outside the trusting period: %v", seed, err)
		}
		if _, err := trust.For(0); !errors.Is(err, proof.ErrEarly) {
			t.Errorf("seed %d: height 0: %v", seed, err)
		}
	}
}

func throughJSON(t *testing.T, steps []proof.TrustStep) []proof.TrustStep {
	t.Helper()
	text, err := (&proof.TrustPath{ChainID: trustChain, Steps: steps}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var path proof.TrustPath
	if err := path.UnmarshalJSON(text); err != nil || path.ChainID != trustChain {
		t.Fatalf("%v: %s", err, text)
	}
	return path.Steps
}

// spoilSteps copies the steps and changes one thing in one of them.
func spoilSteps(s source, steps []proof.TrustStep) []proof.TrustStep {
	out := append([]proof.TrustStep(nil), steps...)
	step := &out[s.IntN(len(out))]
	step.Beside = append([]protocol.Hash(nil), step.Beside...)
	step.Next = append([]proof.Validator(nil), step.Next...)
	step.Commit.Signatures = append([]proof.Signature(nil), step.Commit.Signatures...)
	bit := byte(1) << s.IntN(8)
	switch s.IntN(7) {
	case 0:
		step.Beside[s.IntN(len(step.Beside))][s.IntN(32)] ^= bit
	case 1:
		step.Next[s.IntN(len(step.Next))].Power++
	case 2:
		step.Next[s.IntN(len(step.Next))].PubKey[s.IntN(32)] ^= bit
	case 3:
		step.Commit.Signatures[s.IntN(len(step.Commit.Signatures))].Bytes[s.IntN(64)] ^= bit
	case 4:
		step.Commit.Height++
	case 5:
		step.TimeNs++
	case 6:
		step.Skip = !step.Skip
	}
	return out
}
