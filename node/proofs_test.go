package node

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cometbft/cometbft/crypto/merkle"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	ics23 "github.com/cosmos/ics23/go"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// stateLeaf and stateSpec are docs/protocol.md, section 6, in the words of ICS23.
var (
	stateLeaf = &ics23.LeafOp{
		Hash: ics23.HashOp_SHA256, PrehashKey: ics23.HashOp_SHA256, PrehashValue: ics23.HashOp_SHA256,
		Length: ics23.LengthOp_NO_PREFIX, Prefix: []byte("JMT::LeafNode"),
	}
	stateSpec = &ics23.ProofSpec{LeafSpec: stateLeaf, MaxDepth: 256, PrehashKeyBeforeComparison: true, InnerSpec: &ics23.InnerSpec{
		Hash: ics23.HashOp_SHA256, ChildOrder: []int32{0, 1}, MinPrefixLength: 16, MaxPrefixLength: 48, ChildSize: 32,
		EmptyChild: []byte("SPARSE_MERKLE_PLACEHOLDER_HASH__"),
	}}
)

// existence is a receipt's proof of a present key in the words of ICS23.
func existence(p *proof.State) *ics23.ExistenceProof {
	out := &ics23.ExistenceProof{Key: p.Key, Value: p.Value, Leaf: stateLeaf}
	keyHash := sha256.Sum256(p.Key)
	for i, sibling := range p.Siblings {
		depth := len(p.Siblings) - 1 - i
		op := &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: []byte("JMT::IntrnalNode")}
		if keyHash[depth/8]>>(7-depth%8)&1 == 0 {
			op.Suffix = sibling[:]
		} else {
			op.Prefix = append(op.Prefix, sibling[:]...)
		}
		out.Path = append(out.Path, op)
	}
	return out
}

// stateOp lets CometBFT's proof runtime run ICS23 proofs of the state: its root
// is the argument of the next operator.
type stateOp struct {
	key   []byte
	proof *ics23.CommitmentProof
}

const stateOpType = "ics23:state"

func (o stateOp) GetKey() []byte { return o.key }

func (o stateOp) ProofOp() cmtcrypto.ProofOp {
	data, err := o.proof.Marshal()
	if err != nil {
		panic(err)
	}
	return cmtcrypto.ProofOp{Type: stateOpType, Key: o.key, Data: data}
}

func (o stateOp) Run(values [][]byte) ([][]byte, error) {
	root, err := o.proof.Calculate()
	if err != nil {
		return nil, err
	}
	holds := len(values) == 0 && ics23.VerifyNonMembership(stateSpec, root, o.proof, o.key) ||
		len(values) == 1 && ics23.VerifyMembership(stateSpec, root, o.proof, o.key, values[0])
	if !holds {
		return nil, errors.New("ICS23 refuses the proof")
	}
	return [][]byte{root}, nil
}

func decodeStateOp(op cmtcrypto.ProofOp) (merkle.ProofOperator, error) {
	out := stateOp{op.Key, new(ics23.CommitmentProof)}
	return out, out.proof.Unmarshal(op.Data)
}

// others verifies what a receipt of the state proves with CometBFT's proof
// runtime, from the key to the app hash, and with ICS23 by its own. gap are the
// neighbours of an absent key.
func (s *solo) others(c *client.Client, r *proof.Receipt, gap *ics23.NonExistenceProof) {
	s.t.Helper()
	p := &r.State.State
	commitment := &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Nonexist{Nonexist: gap}}
	if p.Value != nil {
		commitment.Proof = &ics23.CommitmentProof_Exist{Exist: existence(p)}
	}
	head, err := c.HeadAt(background, client.At{Height: r.Commit.Height - 1})
	if err != nil {
		s.t.Fatal(err)
	}
	entries := proof.AppEntries(head.LogSize, head.LogRoot, nil, head.StateRoot)
	name, valueHash := entries[len(entries)-1].Key, sha256.Sum256(head.StateRoot[:])
	leaf := append(append(binary.AppendUvarint([]byte{0}, uint64(len(name))), name...), 32)
	leafHash := sha256.Sum256(append(leaf, valueHash[:]...))
	last := int64(len(entries) - 1)
	inApp := merkle.NewValueOp([]byte(name), &merkle.Proof{Total: last + 1, Index: last, LeafHash: leafHash[:], Aunts: [][]byte{r.State.LogParams[:]}})
	ops := &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{stateOp{p.Key, commitment}.ProofOp(), inApp.ProofOp()}}
	runtime, path := merkle.DefaultProofRuntime(), merkle.KeyPath{}.AppendKey([]byte(name), merkle.KeyEncodingURL).AppendKey(p.Key, merkle.KeyEncodingHex).String()
	runtime.RegisterOpDecoder(stateOpType, decodeStateOp)
	verify := func(root, value []byte) error {
		if p.Value == nil {
			return runtime.VerifyAbsence(ops, root, path)
		}
		return runtime.VerifyValue(ops, root, path, value)
	}
	if err := verify(head.AppHash[:], p.Value); err != nil {
		s.t.Errorf("CometBFT refuses what the receipt says of %x: %v", p.Key, err)
	}
	if err := verify(head.LogRoot[:], p.Value); err == nil {
		s.t.Error("CometBFT takes any app hash")
	}
	if p.Value != nil && verify(head.AppHash[:], append(bytes.Clone(p.Value), 0)) == nil {
		s.t.Error("CometBFT takes any value")
	}
}

// gap proves by its neighbours, in the order of hashes, that a key is absent.
func (s *solo) gap(c *client.Client, key []byte, height uint64) *ics23.NonExistenceProof {
	s.t.Helper()
	var keys [][]byte
	for after := []byte(nil); ; after = keys[len(keys)-1] {
		page, err := c.StateKeys(background, nil, after, height, 100)
		if err != nil {
			s.t.Fatal(err)
		}
		if keys = append(keys, page...); len(page) == 0 {
			break
		}
	}
	hashed := func(a, b []byte) int {
		x, y := sha256.Sum256(a), sha256.Sum256(b)
		return bytes.Compare(x[:], y[:])
	}
	slices.SortFunc(keys, hashed)
	at, _ := slices.BinarySearchFunc(keys, key, hashed)
	prove := func(i int) *ics23.ExistenceProof {
		if i < 0 || i == len(keys) {
			return nil
		}
		r, err := c.StateReceipt(background, keys[i], height)
		if err != nil {
			s.t.Fatal(err)
		}
		return existence(&r.State.State)
	}
	return &ics23.NonExistenceProof{Key: key, Left: prove(at - 1), Right: prove(at)}
}

// What receipts say of the state, now and at past heights, is also what the
// software of others says: a balance, a role, and that there is none.
func TestOthersVerifyTheState(t *testing.T) {
	s := found(t)
	s.start()
	c, author, alice := s.client(nil), s.network.Accounts["author"].Address(), protocol.Address{1, 2, 3}
	s.token("author", protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR"}, protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: author, Amount: 500})
	before := s.head().Height
	s.pass(c, protocol.GovAction{Kind: protocol.GovRoles, Account: alice, Roles: protocol.RoleArbiter})
	arbiter := s.head().Height
	s.pass(c, protocol.GovAction{Kind: protocol.GovRoles, Account: alice, Roles: protocol.RoleProducer})
	s.token("author", protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "EUR", Account: alice, Amount: 120})
	for _, want := range []struct {
		key    []byte
		height uint64
		value  string
	}{
		{protocol.BalanceKey(author, "EUR"), 0, "380"},
		{protocol.BalanceKey(author, "EUR"), before, "500"},
		{protocol.BalanceKey(alice, "EUR"), arbiter, ""},
		{protocol.AccountKey(alice), before, ""},
		{protocol.AccountKey(alice), arbiter, "arbiter"},
		{protocol.AccountKey(alice), 0, "producer"},
	} {
		r, err := c.StateReceipt(background, want.key, want.height)
		if err != nil {
			t.Fatal(err)
		}
		height := r.Commit.Height - 1
		if want.height != 0 && height != want.height {
			t.Fatalf("the receipt is of height %d, asked was %d", height, want.height)
		}
		if got := said(t, want.key, r.State.Value); got != want.value {
			t.Errorf("%x at height %d: %q, want %q", want.key, cmp.Or(want.height, height), got, want.value)
		}
		var gap *ics23.NonExistenceProof
		if want.value == "" {
			gap = s.gap(c, want.key, height)
		}
		s.others(c, r, gap)
	}
}

// said is a balance's amount or an account's roles in words; "" is absent.
func said(t *testing.T, key, value []byte) string {
	t.Helper()
	if value == nil {
		return ""
	}
	if key[0] == protocol.BankPrefix {
		b, err := protocol.DecodeBalance(value)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(b.Amount)
	}
	account, _, err := protocol.DecodeAccount(value)
	if err != nil {
		t.Fatal(err)
	}
	return account.Roles.String()
}
