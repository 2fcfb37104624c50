package light

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// source makes random things of one seed, which failures print.
type source struct {
	*rand.Rand
	seed uint64
}

func newSource(seed uint64) source { return source{rand.New(rand.NewPCG(seed, 7)), seed} }

func (s source) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.Uint32())
	}
	return b
}

func (s source) hash() protocol.Hash { return protocol.Hash(s.bytes(32)) }

// maybe is a hash, or sometimes nothing.
func (s source) maybe() []byte {
	if s.IntN(4) == 0 {
		return nil
	}
	return s.bytes(32)
}

func (s source) time() time.Time {
	switch s.IntN(4) {
	case 0:
		return time.Unix(s.Int64N(4e9), 0).UTC() // no nanoseconds
	case 1:
		return time.Unix(-s.Int64N(1e9), s.Int64N(1e9)).UTC() // before 1970
	default:
		return time.Unix(1.7e9+s.Int64N(1e8), s.Int64N(1e9)).UTC()
	}
}

func (s source) header(chainID string, appHash []byte) *types.Header {
	h := &types.Header{
		Version: cmtversion.Consensus{Block: 11, App: s.Uint64N(3)}, ChainID: chainID, Height: 1 + s.Int64N(1<<40), Time: s.time(),
		LastBlockID:    types.BlockID{Hash: s.bytes(32), PartSetHeader: types.PartSetHeader{Total: 1 + s.Uint32N(9), Hash: s.bytes(32)}},
		LastCommitHash: s.maybe(), DataHash: s.maybe(), ValidatorsHash: s.bytes(32), NextValidatorsHash: s.bytes(32),
		ConsensusHash: s.maybe(), AppHash: appHash, LastResultsHash: s.maybe(), EvidenceHash: s.maybe(), ProposerAddress: s.bytes(20),
	}
	if s.IntN(3) == 0 {
		h.Height, h.LastBlockID = 1, types.BlockID{}
	}
	return h
}

// network is a validator set and its keys, by address.
type network struct {
	set  *types.ValidatorSet
	keys map[string]cmted25519.PrivKey
}

func (s source) network(n int) network {
	out := network{keys: map[string]cmted25519.PrivKey{}}
	var validators []*types.Validator
	for range n {
		key := cmted25519.GenPrivKeyFromSecret(s.bytes(32))
		validators = append(validators, types.NewValidator(key.PubKey(), 1+s.Int64N(5)))
		out.keys[string(key.PubKey().Address())] = key
	}
	out.set = types.NewValidatorSet(validators)
	return out
}

// commit has every validator vote for the header's block.
func (n network) commit(t testing.TB, s source, h *types.Header) *types.Commit {
	t.Helper()
	c := &types.Commit{Height: h.Height, Round: s.Int32N(3), BlockID: types.BlockID{
		Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1 + s.Uint32N(300), Hash: s.bytes(32)},
	}}
	for _, v := range n.set.Validators {
		c.Signatures = append(c.Signatures, types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: v.Address,
			Timestamp: s.time()})
	}
	for i := range c.Signatures {
		n.sign(t, c, h.ChainID, i)
	}
	return c
}

// sign renews a validator's signature for what its vote now says.
func (n network) sign(t testing.TB, c *types.Commit, chainID string, i int) {
	t.Helper()
	signature, err := n.keys[string(c.Signatures[i].ValidatorAddress)].Sign(c.VoteSignBytes(chainID, int32(i)))
	if err != nil {
		t.Fatal(err)
	}
	c.Signatures[i].Signature = signature
}

func TestAnchorIsInCometBFTsOrder(t *testing.T) {
	for seed := range uint64(30) {
		n := newSource(seed).network(1 + int(seed))
		anchor, err := Anchor("order", n.set)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range anchor.Validators() {
			want := n.set.Validators[i]
			if string(want.PubKey.Bytes()) != string(v.PubKey[:]) || uint64(want.VotingPower) != v.Power {
				t.Fatalf("seed %d: validator %d is %x, CometBFT has %s", seed, i, v.PubKey, want)
			}
			if address := v.PubKey.Address(); string(address[:]) != string(want.Address) {
				t.Fatalf("seed %d: address %x, CometBFT has %s", seed, address, want.Address)
			}
		}
		if anchor.TotalPower() != uint64(n.set.TotalVotingPower()) {
			t.Fatalf("seed %d: total power %d", seed, anchor.TotalPower())
		}
	}
}

func TestReceiptFromCometBFTsTypes(t *testing.T) {
	for seed := range uint64(100) {
		s := newSource(seed)
		n := s.network(1 + s.IntN(10))
		state := proof.State{Key: s.bytes(8)} // absent from an empty state
		logParams := s.hash()
		appHash := proof.NodeHash(logParams, proof.MapLeaf("state", proof.StatePlaceholder[:]))
		header := s.header("cairn-diff", appHash[:])
		anchor, err := Anchor(header.ChainID, n.set)
		if err != nil {
			t.Fatal(err)
		}
		opening, commit, err := Evidence(anchor, header, n.commit(t, s, header))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		r := &proof.Receipt{ChainID: header.ChainID, State: &proof.StateProof{State: state, LogParams: logParams}, Header: opening, Commit: commit}
		statement, err := r.Verify(anchor)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if statement.BlockHash != protocol.Hash(header.Hash()) || !statement.Time.Equal(header.Time) {
			t.Fatalf("seed %d: %+v", seed, statement)
		}
		least := statement.Signed.Power - anchor.Validators()[commit.Signatures[len(commit.Signatures)-1].Validator].Power
		if anchor.IsQuorum(least) {
			t.Fatalf("seed %d: %d signatures, and fewer would do", seed, len(commit.Signatures))
		}
		for _, encode := range []func() ([]byte, error){r.MarshalBinary, r.MarshalJSON} {
			b, err := encode()
			if err != nil {
				t.Fatal(err)
			}
			back, err := proof.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := back.Verify(anchor); err != nil || !reflect.DeepEqual(again, statement) {
				t.Fatalf("seed %d: after decoding: %v", seed, err)
			}
		}
	}
}

func TestEvidenceRefusals(t *testing.T) {
	s := newSource(1)
	n := s.network(4)
	appHash := s.hash()
	header := s.header("cairn-diff", appHash[:])
	anchor, err := Anchor(header.ChainID, n.set)
	if err != nil {
		t.Fatal(err)
	}
	foreign, _ := Anchor("cairn-other", n.set)
	strangers, _ := Anchor(header.ChainID, newSource(2).network(4).set)
	commit := func(change func(*types.Commit)) *types.Commit {
		c := n.commit(t, s, header)
		change(c)
		return c
	}
	short := *header
	short.AppHash = nil
	bare := *header
	bare.ValidatorsHash = nil
	late := *header
	late.Time = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
	same := func(*types.Commit) {}
	cases := map[string]struct {
		anchor proof.Anchor
		header *types.Header
		commit *types.Commit
		want   string
	}{
		"another chain":       {foreign, header, commit(same), "is not for header"},
		"other validators":    {strangers, header, commit(same), ErrNoQuorum.Error()},
		"another height":      {anchor, header, commit(func(c *types.Commit) { c.Height++ }), "is not for header"},
		"another block":       {anchor, header, commit(func(c *types.Commit) { c.BlockID.Hash = s.bytes(32) }), "is not for header"},
		"no parts":            {anchor, header, commit(func(c *types.Commit) { c.BlockID.PartSetHeader.Hash = nil }), "is not for header"},
		"no part":             {anchor, header, commit(func(c *types.Commit) { c.BlockID.PartSetHeader.Total = 0; resign(t, n, c, header) }), "at least one part"},
		"another round":       {anchor, header, commit(func(c *types.Commit) { c.Round++ }), ErrNoQuorum.Error()},
		"votes for nil":       {anchor, header, commit(func(c *types.Commit) { flag(c, types.BlockIDFlagNil) }), ErrNoQuorum.Error()},
		"no signature":        {anchor, header, commit(func(c *types.Commit) { c.Signatures = nil }), ErrNoQuorum.Error()},
		"a short signature":   {anchor, header, commit(func(c *types.Commit) { cut(c) }), ErrNoQuorum.Error()},
		"no app hash":         {anchor, &short, commit(same), "cannot be opened"},
		"no validators":       {anchor, &bare, commit(same), "cannot be opened"},
		"time beyond 64 bits": {anchor, &late, commit(same), "does not fit"},
		"vote beyond 64 bits": {anchor, header, commit(func(c *types.Commit) {
			for i := range c.Signatures {
				c.Signatures[i].Timestamp = late.Time
			}
			resign(t, n, c, header)
		}), ErrNoQuorum.Error()},
	}
	for name, c := range cases {
		if _, _, err := Evidence(c.anchor, c.header, c.commit); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Anchor("x", types.NewValidatorSet(nil)); !errors.Is(err, proof.ErrAnchor) {
		t.Errorf("no validators: %v", err)
	}
}

func resign(t *testing.T, n network, c *types.Commit, h *types.Header) {
	for i := range c.Signatures {
		n.sign(t, c, h.ChainID, i)
	}
}

func flag(c *types.Commit, f types.BlockIDFlag) {
	for i := range c.Signatures {
		c.Signatures[i].BlockIDFlag = f
	}
}

func cut(c *types.Commit) {
	for i := range c.Signatures {
		c.Signatures[i].Signature = c.Signatures[i].Signature[:63]
	}
}

// TestSignatureOnlyCometBFTAccepts holds what docs/protocol.md says about ZIP
// 215: a signature with a component of low order passes CometBFT and not RFC
// 8032. It is left out of evidence, and does not count.
func TestSignatureOnlyCometBFTAccepts(t *testing.T) {
	s := newSource(5)
	n := s.network(4)
	odd := make(cmted25519.PubKey, 32)
	odd[0] = 1 // the neutral element: its multiples are all the same
	for _, power := range []int64{1, 1000} {
		set := types.NewValidatorSet(append(n.set.Copy().Validators, types.NewValidator(odd, power)))
		chain := network{set, n.keys}
		appHash := s.hash()
		header := s.header("cairn-diff", appHash[:])
		anchor, err := Anchor(header.ChainID, set)
		if err != nil {
			t.Fatal(err)
		}
		c := &types.Commit{Height: header.Height, BlockID: types.BlockID{Hash: header.Hash(),
			PartSetHeader: types.PartSetHeader{Total: 1, Hash: s.bytes(32)}}}
		position := -1
		for i, v := range set.Validators {
			c.Signatures = append(c.Signatures, types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: s.time()})
			if string(v.PubKey.Bytes()) != string(odd) {
				chain.sign(t, c, header.ChainID, i)
				continue
			}
			position = i
			lowOrder := make([]byte, 64) // R of order 2, which is -1 in y; S = 0
			for j := range 32 {
				lowOrder[j] = 0xff
			}
			lowOrder[0], lowOrder[31] = 0xec, 0x7f
			c.Signatures[i].Signature = lowOrder
		}
		if err := types.VerifyCommit(header.ChainID, set, c.BlockID, c.Height, c); err != nil {
			t.Fatalf("CometBFT refuses it too: %v", err)
		}
		_, commit, err := Evidence(anchor, header, c)
		if power == 1000 { // without it there is no quorum
			if !errors.Is(err, ErrNoQuorum) {
				t.Errorf("%v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range commit.Signatures {
			if int(s.Validator) == position {
				t.Error("it is in the evidence")
			}
		}
	}
}

func voteBytesOf(chainID string, v *types.Vote) []byte {
	return types.VoteSignBytes(chainID, v.ToProto())
}

func vote(height int64, round int32, block protocol.Hash, parts proof.PartSet, at time.Time) *types.Vote {
	return &types.Vote{Type: cmtproto.PrecommitType, Height: height, Round: round, Timestamp: at, BlockID: types.BlockID{
		Hash: block[:], PartSetHeader: types.PartSetHeader{Total: parts.Total, Hash: parts.Hash[:]},
	}}
}

func ExampleAnchor() {
	key := cmted25519.GenPrivKeyFromSecret([]byte("example")).PubKey()
	set := types.NewValidatorSet([]*types.Validator{types.NewValidator(key, 10)})
	anchor, err := Anchor("cairn-example", set)
	fmt.Println(anchor.ChainID(), anchor.TotalPower(), err)
	// Output: cairn-example 10 <nil>
}
