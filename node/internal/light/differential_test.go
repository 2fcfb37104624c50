package light

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/merkle"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	"github.com/cometbft/cometbft/types"
	ics23 "github.com/cosmos/ics23/go"
	tdproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

func TestHeaderHashIsCometBFTs(t *testing.T) {
	for seed := range uint64(2000) {
		s := newSource(seed)
		appHash := s.hash()
		chainID := string(bytes.Repeat([]byte("c"), 1+s.IntN(50)))
		header := s.header(chainID, appHash[:])
		if s.IntN(3) == 0 {
			header.Height = 0
		}
		opening, err := Open(header) // compares the two hashes
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want := protocol.Hash(header.Hash())
		if got := opening.BlockHash(chainID, uint64(header.Height), appHash); got != want {
			t.Fatalf("seed %d: %s, CometBFT has %s", seed, got, want)
		}
		header.Time = header.Time.Add(1)
		if protocol.Hash(header.Hash()) == want {
			t.Fatalf("seed %d: CometBFT's hash does not hold the time", seed)
		}
	}
}

func TestVoteBytesAreCometBFTs(t *testing.T) {
	for seed := range uint64(2000) {
		s := newSource(seed)
		height, round, block, at := 1+s.Int64N(math.MaxInt64), s.Int32N(math.MaxInt32), s.hash(), s.time()
		if s.IntN(2) == 0 {
			height, round = 1+s.Int64N(1000), 0
		}
		parts := proof.PartSet{Total: 1 + s.Uint32N(1<<s.IntN(32)), Hash: s.hash()}
		chainID := string(bytes.Repeat([]byte("c"), 1+s.IntN(50)))
		want := voteBytesOf(chainID, vote(height, round, block, parts, at))
		got := proof.VoteBytes(chainID, uint64(height), uint32(round), block, parts, at.UnixNano())
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %x, CometBFT has %x", seed, got, want)
		}
	}
}

func FuzzVoteBytes(f *testing.F) {
	f.Add("cairn", int64(1), int32(0), uint32(1), []byte("block"), int64(0))
	f.Add("cairn", int64(math.MaxInt64), int32(math.MaxInt32), uint32(math.MaxUint32), []byte("block"), int64(math.MinInt64))
	f.Add("", int64(300), int32(7), uint32(128), []byte{}, int64(-1))
	f.Fuzz(func(t *testing.T, chainID string, height int64, round int32, total uint32, block []byte, timeNs int64) {
		if height < 1 || round < 0 || total == 0 || len(chainID) > protocol.MaxChainID {
			return
		}
		hash := protocol.Hash(sha256.Sum256(block))
		parts := proof.PartSet{Total: total, Hash: sha256.Sum256(hash[:])}
		want := voteBytesOf(chainID, vote(height, round, hash, parts, time.Unix(0, timeNs)))
		if got := proof.VoteBytes(chainID, uint64(height), uint32(round), hash, parts, timeNs); !bytes.Equal(got, want) {
			t.Fatalf("%x, CometBFT has %x", got, want)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add("cairn", uint64(11), int64(1), int64(1_760_000_000_000_000_001), []byte("hash"), []byte("app"))
	f.Fuzz(func(t *testing.T, chainID string, version uint64, height, timeNs int64, part, app []byte) {
		if height < 0 || len(part) > 127 {
			return
		}
		appHash := sha256.Sum256(app)
		header := newSource(uint64(height)).header(chainID, appHash[:])
		header.Version.Block, header.Height, header.Time = version, height, time.Unix(0, timeNs).UTC()
		header.DataHash, header.EvidenceHash, header.ProposerAddress = part, part, part
		if _, err := Open(header); err != nil {
			t.Fatal(err)
		}
	})
}

// plain carries every vote for the block into our types, also false ones.
func plain(c *types.Commit) proof.Commit {
	out := proof.Commit{Height: uint64(c.Height), Round: uint32(c.Round),
		Parts: proof.PartSet{Total: c.BlockID.PartSetHeader.Total, Hash: protocol.Hash(c.BlockID.PartSetHeader.Hash)}}
	for i, s := range c.Signatures {
		if s.BlockIDFlag == types.BlockIDFlagCommit {
			out.Signatures = append(out.Signatures, proof.Signature{Validator: uint32(i), TimeNs: s.Timestamp.UnixNano(), Bytes: [64]byte(s.Signature)})
		}
	}
	return out
}

// TestCommitVerdictIsCometBFTs spoils commits in every way a network could and
// compares the two verdicts.
func TestCommitVerdictIsCometBFTs(t *testing.T) {
	verdicts := map[bool]int{}
	for seed := range uint64(600) {
		s := newSource(seed)
		n := s.network(1 + s.IntN(8))
		appHash := s.hash()
		header := s.header("cairn-diff", appHash[:])
		c := n.commit(t, s, header)
		blockID, height := c.BlockID, c.Height
		for range s.IntN(4) {
			spoil(t, s, n, c, header.ChainID)
		}
		anchor, err := Anchor(header.ChainID, n.set)
		if err != nil {
			t.Fatal(err)
		}
		wantErr := types.VerifyCommitLightAllSignatures(header.ChainID, n.set, blockID, height, c)
		ours := plain(c)
		_, gotErr := ours.Verify(anchor, protocol.Hash(blockID.Hash))
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("seed %d: CometBFT says %v, we say %v", seed, wantErr, gotErr)
		}
		verdicts[wantErr == nil]++
		if wantErr == nil {
			if _, _, err := Evidence(anchor, header, c); err != nil {
				t.Fatalf("seed %d: no evidence from a good commit: %v", seed, err)
			}
		}
	}
	if verdicts[true] < 50 || verdicts[false] < 50 {
		t.Errorf("the cases are lopsided: %v", verdicts)
	}
}

func spoil(t *testing.T, s source, n network, c *types.Commit, chainID string) {
	i := s.IntN(len(c.Signatures))
	sig := &c.Signatures[i]
	switch s.IntN(6) {
	case 0:
		*sig = types.NewCommitSigAbsent()
	case 1:
		if sig.BlockIDFlag == types.BlockIDFlagCommit {
			sig.BlockIDFlag = types.BlockIDFlagNil
			n.sign(t, c, chainID, i)
		}
	case 2:
		if len(sig.Signature) > 0 {
			sig.Signature[s.IntN(64)] ^= 1 << s.IntN(8)
		}
	case 3:
		if len(sig.Signature) > 0 {
			sig.Timestamp = sig.Timestamp.Add(1)
		}
	case 4:
		if other := &c.Signatures[s.IntN(len(c.Signatures))]; len(other.Signature) > 0 && len(sig.Signature) > 0 {
			sig.Signature = bytes.Clone(other.Signature)
		}
	case 5:
		if s.IntN(8) == 0 {
			c.Round++
		}
	}
}

// TestMapsAreCometBFTsAndICS23s checks the map of the app hash with CometBFT's
// own proof runtime and with ICS23's TendermintSpec.
func TestMapsAreCometBFTsAndICS23s(t *testing.T) {
	for seed := range uint64(50) {
		s := newSource(seed)
		params, logRoot, stateRoot, size := s.bytes(s.IntN(300)), s.hash(), s.hash(), s.Uint64()
		checkMap(t, proof.AppEntries(size, logRoot, params, stateRoot), proof.AppHash(size, logRoot, params, stateRoot))
		var entries []proof.MapEntry
		for i := range 1 + s.IntN(20) {
			entries = append(entries, proof.MapEntry{Key: fmt.Sprintf("key%03d", i), Value: s.bytes(s.IntN(100))})
		}
		checkMap(t, entries, proof.SimpleMapRoot(entries...))
	}
}

func checkMap(t *testing.T, entries []proof.MapEntry, root protocol.Hash) {
	t.Helper()
	var leaves [][]byte
	for _, e := range entries {
		sum := sha256.Sum256(e.Value)
		leaf := append(binary.AppendUvarint(nil, uint64(len(e.Key))), e.Key...)
		leaves = append(leaves, append(append(leaf, 32), sum[:]...))
	}
	want, proofs := merkle.ProofsFromByteSlices(leaves)
	if !bytes.Equal(want, root[:]) {
		t.Fatalf("root %s, CometBFT has %x", root, want)
	}
	for i, e := range entries {
		path := proof.TreePath(proof.MapLeaves(entries...), i)
		if err := proof.VerifyMap(e, uint64(i), uint64(len(entries)), path, root); err != nil {
			t.Fatal(err)
		}
		existence := &ics23.ExistenceProof{Key: []byte(e.Key), Value: e.Value, Leaf: ics23.TendermintSpec.LeafSpec}
		index, last := i, len(entries)-1
		for j, aunt := range proofs[i].Aunts {
			if !bytes.Equal(aunt, path[j][:]) {
				t.Fatalf("%s: sibling %d is %s, CometBFT has %x", e.Key, j, path[j], aunt)
			}
			for index%2 == 0 && index == last { // no sibling at this level
				index, last = index/2, last/2
			}
			op := &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: []byte{1}}
			if index%2 == 0 {
				op.Suffix = aunt
			} else {
				op.Prefix = append(op.Prefix, aunt...)
			}
			existence.Path = append(existence.Path, op)
			index, last = index/2, last/2
		}
		commitment := &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: existence}}
		if len(e.Value) > 0 && !ics23.VerifyMembership(ics23.TendermintSpec, root[:], commitment, []byte(e.Key), e.Value) {
			t.Fatalf("%s: ICS23 does not verify it", e.Key)
		}
		ops := &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{merkle.NewValueOp([]byte(e.Key), proofs[i]).ProofOp()}}
		if err := merkle.DefaultProofRuntime().VerifyValue(ops, root[:], "/"+e.Key, e.Value); err != nil {
			t.Fatalf("%s: CometBFT's runtime: %v", e.Key, err)
		}
	}
}

func octets(hashes []protocol.Hash) (out [][]byte) {
	for i := range hashes {
		out = append(out, hashes[i][:])
	}
	return out
}

func hashes(octets [][]byte) (out []protocol.Hash) {
	for _, s := range octets {
		out = append(out, protocol.Hash(s))
	}
	return out
}

// TestLogProofsAreTransparencyDevs checks proofs made by
// transparency-dev/merkle, for logs of all sizes to 130.
func TestLogProofsAreTransparencyDevs(t *testing.T) {
	const most = 130
	tree := testonly.New(rfc6962.DefaultHasher)
	roots := []protocol.Hash{protocol.Hash(tree.Hash())}
	for i := range most {
		tree.AppendData(binary.BigEndian.AppendUint64(nil, uint64(i)))
		roots = append(roots, protocol.Hash(tree.Hash()))
	}
	if roots[0] != proof.EmptyRoot {
		t.Errorf("root of the empty log: %s, want %s", proof.EmptyRoot, roots[0])
	}
	for size := uint64(1); size <= most; size++ {
		for index := range size {
			path, err := tree.InclusionProof(index, size)
			if err != nil {
				t.Fatal(err)
			}
			leaf := proof.LeafHash(binary.BigEndian.AppendUint64(nil, index))
			if err := proof.VerifyInclusion(leaf, index, size, hashes(path), roots[size]); err != nil {
				t.Fatal(err)
			}
			path, err = tree.ConsistencyProof(index, size)
			if err != nil {
				t.Fatal(err)
			}
			if err := proof.VerifyConsistency(index, size, roots[index], roots[size], hashes(path)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// FuzzLogProofs holds our verdict on arbitrary paths to transparency-dev's.
func FuzzLogProofs(f *testing.F) {
	f.Add(uint64(3), uint64(7), make([]byte, 96))
	f.Add(uint64(0), uint64(1), []byte{})
	f.Add(uint64(1)<<40, uint64(1)<<41, make([]byte, 41*32))
	f.Fuzz(func(t *testing.T, m, n uint64, raw []byte) {
		var path []protocol.Hash
		for ; len(raw) >= 32; raw = raw[32:] {
			path = append(path, protocol.Hash(raw))
		}
		leaf := proof.LeafHash(raw)
		want, wantErr := tdproof.RootFromInclusionProof(rfc6962.DefaultHasher, m, n, leaf[:], octets(path))
		got, gotErr := proof.InclusionRoot(leaf, m, n, path)
		if (wantErr == nil) != (gotErr == nil) || (gotErr == nil && !bytes.Equal(want, got[:])) {
			t.Fatalf("inclusion %d of %d: %s %v, transparency-dev has %x %v", m, n, got, gotErr, want, wantErr)
		}
		if m == 0 {
			return // they accept any root of an empty log; we know it
		}
		oldRoot, newRoot := proof.LeafHash([]byte("old")), proof.LeafHash([]byte("new"))
		wantErr = tdproof.VerifyConsistency(rfc6962.DefaultHasher, m, n, octets(path), oldRoot[:], newRoot[:])
		gotErr = proof.VerifyConsistency(m, n, oldRoot, newRoot, path)
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("consistency %d to %d: %v, transparency-dev says %v", m, n, gotErr, wantErr)
		}
	})
}
