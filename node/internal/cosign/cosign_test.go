package cosign

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// ledger is a log that grows by a leaf a block.
type ledger struct {
	mu      sync.Mutex
	leaves  []protocol.Hash
	changed chan struct{}
	by      proof.Cosigners
	since   uint64
}

func (l *ledger) grow(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.leaves = append(l.leaves, proof.LeafHash([]byte{byte(len(l.leaves))}))
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *ledger) Finalised(after uint64) (out []proof.Checkpoint, height uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for size := after + 1; size <= uint64(len(l.leaves)); size++ {
		out = append(out, proof.Checkpoint{Origin: "cairn-test", Size: size, Root: proof.TreeRoot(l.leaves[:size])})
	}
	return out, uint64(len(l.leaves)), nil
}

func (l *ledger) Cosigners(uint64) (proof.Cosigners, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by, l.since, nil
}

// vote gives the ledger other validators, by their places among the founded.
func (net *testnet) vote(t *testing.T, members ...int) proof.Cosigners {
	t.Helper()
	set := &protocol.ValidatorSet{}
	for _, i := range members {
		v := net.Document.Validators[i]
		set.Validators = append(set.Validators, protocol.SetMember{
			Key: protocol.ValidatorKey(v.PubKey), Power: v.Power, Name: v.Name, LogKey: protocol.LogKey(v.LogKey),
		})
	}
	by, err := proof.SetCosigners("cairn-test", set)
	if err != nil {
		t.Fatal(err)
	}
	net.ledger.mu.Lock()
	defer net.ledger.mu.Unlock()
	net.ledger.by, net.ledger.since = by, net.ledger.since+1
	return by
}

func (l *ledger) Committed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// ConsistencyProof is golang.org/x/mod's.
func (l *ledger) ConsistencyProof(from, to uint64) (out []protocol.Hash, err error) {
	var stored []tlog.Hash
	for i := range to {
		hashes, err := tlog.StoredHashes(int64(i), []byte{byte(i)}, stash(stored))
		if err != nil {
			return nil, err
		}
		stored = append(stored, hashes...)
	}
	path, err := tlog.ProveTree(int64(to), int64(from), stash(stored))
	for _, h := range path {
		out = append(out, protocol.Hash(h))
	}
	return out, err
}

type stash []tlog.Hash

func (s stash) ReadHashes(indexes []int64) (out []tlog.Hash, err error) {
	for _, i := range indexes {
		out = append(out, s[i])
	}
	return out, nil
}

// testnet is n validators' keepers over one log, who are connected to each other.
type testnet struct {
	*genesis.Network
	cosigners proof.Cosigners
	ledger    *ledger
	keepers   []*Keeper
}

func newTestnet(t *testing.T, n int, witnesses ...Witness) *testnet {
	t.Helper()
	founded, err := genesis.Generate("cairn-test", n, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cosigners, err := founded.Document.Cosigners()
	if err != nil {
		t.Fatal(err)
	}
	net := &testnet{Network: founded, cosigners: cosigners, ledger: &ledger{changed: make(chan struct{}), by: cosigners, since: 1}}
	for i := range n {
		k := net.keeper(t, founded.LogKeys[i], witnesses...)
		for _, other := range net.keepers {
			connect(t, k, other)
		}
		net.keepers = append(net.keepers, k)
	}
	return net
}

// keeper is one that nobody is connected to.
func (net *testnet) keeper(t *testing.T, key ed25519.PrivateKey, witnesses ...Witness) *Keeper {
	t.Helper()
	k, err := New(Config{Key: key, Witnesses: witnesses, Every: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}, net.ledger)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// connect carries what two say to each other until the test ends.
func connect(t *testing.T, a, b *Keeper) {
	ends := [2]*Link{a.Join(), b.Join()}
	done := make(chan struct{})
	var carrying sync.WaitGroup
	for i := range ends {
		carrying.Go(func() {
			defer ends[i].Leave()
			for {
				select {
				case <-ends[i].Wake():
				case <-done:
					return
				}
				for octets := ends[i].Next(); octets != nil; octets = ends[i].Next() {
					if err := ends[1-i].Receive(octets); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	t.Cleanup(func() { close(done); carrying.Wait() })
}

func (net *testnet) run(t *testing.T, keepers ...*Keeper) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, k := range keepers {
		running.Go(func() { k.Run(ctx) })
	}
	t.Cleanup(func() { cancel(); running.Wait() })
}

func covering(t *testing.T, k *Keeper, index uint64) *Collected {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := k.Covering(ctx, index)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Three of four collect from one another and publish what others verify; two
// publish what they have, and no quorum.
func TestValidatorsCollect(t *testing.T) {
	net := newTestnet(t, 4)
	policy, err := torchwood.ParsePolicy(net.cosigners.Policy())
	if err != nil {
		t.Fatal(err)
	}
	net.ledger.grow(3)
	net.run(t, net.keepers[:2]...)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.keepers[0].Newest(); err == nil && len(c.Signatures) == 4 {
			if _, err := net.cosigners.Verify(&c.SignedCheckpoint); err == nil || c.Quorum {
				t.Fatal("two of four are a quorum")
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("two of four do not find each other")
		}
	}
	net.run(t, net.keepers[2])
	var last uint64
	for round := range 5 {
		net.ledger.grow(round + 1)
		size := uint64(len(net.ledger.leaves))
		for _, k := range net.keepers[:3] {
			c := covering(t, k, size-1)
			if _, err := net.cosigners.Verify(&c.SignedCheckpoint); err != nil || c.Size < last {
				t.Fatal(err, c.Size, last)
			}
			last = c.Size
			if len(net.cosigners.TrimCose(c.Cose)) != 3 {
				t.Error("COSE signatures are missing")
			}
		}
	}
	c := covering(t, net.keepers[0], 0)
	if _, _, err := torchwood.VerifyCheckpoint(c.Marshal(), policy); err != nil && c.Signatures[0].KeyID == logID(t, net) {
		t.Errorf("torchwood: %v", err)
	}
	if _, _, err := torchwood.VerifyCheckpoint(net.cosigners.Trim(&c.SignedCheckpoint).Marshal(), policy); err != nil && c.Signatures[0].KeyID == logID(t, net) {
		t.Errorf("torchwood, of what is left after trimming: %v", err)
	}
}

// Who is voted in cosigns, who is voted out does not: checkpoints have a quorum
// of the set of the day, also where nobody of the founding set is left.
func TestKeepersFollowTheSet(t *testing.T) {
	net := newTestnet(t, 6)
	net.run(t, net.keepers...)
	for _, members := range [][]int{{0, 1, 2}, {0, 1, 2, 3}, {1, 2, 3, 4}, {3, 4, 5}} {
		by := net.vote(t, members...)
		net.ledger.grow(1)
		size := uint64(len(net.ledger.leaves))
		for _, i := range members {
			c := covering(t, net.keepers[i], size-1)
			if _, err := by.Verify(&c.SignedCheckpoint); err != nil || len(c.By.List()) != len(members) {
				t.Fatalf("%v: the checkpoint of validator %d: %v", members, i, err)
			}
		}
		for i, k := range net.keepers { // who is not a member collects of them, too
			if c := covering(t, k, size-1); k.signed(size) != slices.Contains(members, i) || c.Size != size {
				t.Fatalf("%v: validator %d signed %d: %v", members, i, size, k.signed(size))
			}
		}
	}
}

// signed says whether this node signed a size.
func (k *Keeper) signed(size uint64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.find(size)
	return t != nil && t.by[k.public].time > 0
}

// logID is the key id of the log in the policy: the first validator's.
func logID(t *testing.T, net *testnet) uint32 {
	v, err := note.NewVerifier(net.cosigners.List()[0].LogVKey("cairn-test"))
	if err != nil {
		t.Fatal(err)
	}
	return v.KeyHash()
}

// witness is C2SP tlog-witness in the words of golang.org/x/mod and torchwood.
type witness struct {
	signer *torchwood.CosignatureSigner
	logs   note.Verifiers

	mu   sync.Mutex
	tree tlog.Tree // cosigned last; guarded by mu
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	status, answer := w.add(r)
	if status == http.StatusConflict {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
	}
	rw.WriteHeader(status)
	fmt.Fprint(rw, answer)
}

func (w *witness) add(r *http.Request) (int, string) {
	body, err := io.ReadAll(r.Body)
	head, text, ok := strings.Cut(string(body), "\n\n")
	if err != nil || !ok || r.Method != http.MethodPost || r.URL.Path != "/w/add-checkpoint" {
		return http.StatusBadRequest, ""
	}
	opened, err := note.Open([]byte(text), w.logs)
	if err != nil {
		return http.StatusForbidden, err.Error()
	}
	c, err := torchwood.ParseCheckpoint(opened.Text)
	if err != nil {
		return http.StatusBadRequest, err.Error()
	}
	lines := strings.Split(head, "\n")
	if lines[0] != fmt.Sprintf("old %d", w.tree.N) {
		return http.StatusConflict, fmt.Sprintf("%d\n", w.tree.N)
	}
	var path tlog.TreeProof
	for _, line := range lines[1:] {
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return http.StatusBadRequest, err.Error()
		}
		path = append(path, tlog.Hash(raw))
	}
	if w.tree.N > 0 {
		if err := tlog.CheckTree(path, c.N, c.Hash, w.tree.N, w.tree.Hash); err != nil {
			return http.StatusUnprocessableEntity, err.Error()
		}
	}
	signed, err := note.Sign(&note.Note{Text: opened.Text}, w.signer)
	if err != nil {
		return http.StatusInternalServerError, err.Error()
	}
	w.tree = c.Tree
	return http.StatusOK, strings.SplitAfterN(string(signed), "\n\n", 2)[1]
}

// A witness that nobody here wrote the cryptography of cosigns what grows, and
// a node that forgot where the witness stands learns it.
func TestWitnessCosigns(t *testing.T) {
	signer, err := torchwood.NewCosignatureSigner("witness.example/w1", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{signer: signer}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	parse := func() Witness {
		parsed, err := ParseWitness(signer.Verifier().String() + " " + server.URL + "/w/")
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	net := newTestnet(t, 1, parse())
	log, err := note.NewVerifier(net.cosigners.List()[0].LogVKey("cairn-test"))
	if err != nil {
		t.Fatal(err)
	}
	w.logs = note.VerifierList(log)
	net.run(t, net.keepers[0])
	for _, n := range []int{5, 1, 6} {
		net.ledger.grow(n)
		c := covering(t, net.keepers[0], uint64(len(net.ledger.leaves)-1))
		opened, err := note.Open(c.Marshal(), note.VerifierList(signer.Verifier(), log))
		if err != nil || len(opened.Sigs) != 2 {
			t.Fatalf("witnessed: %v\n%s", err, c.Marshal())
		}
		net.keepers[0].config.Witnesses[0].size.Store(uint64(n)) // wrong, as after a restart
	}
	for _, bad := range []string{"", "w", "w+00000000+AAAA http://x", signer.Verifier().String(), signer.Verifier().String() + " ftp://x"} {
		if _, err := ParseWitness(bad); err == nil {
			t.Errorf("taken: %q", bad)
		}
	}
}

func TestKeyAtRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log-key.json")
	if key, err := LoadKey(path); key != nil || err != nil {
		t.Fatalf("%v %v", key, err)
	}
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	if err := WriteKey(path, key); err != nil {
		t.Fatal(err)
	}
	if back, err := LoadKey(path); err != nil || !back.Equal(key) {
		t.Fatal(err)
	}
	if err := WriteKey(path, key); err == nil {
		t.Error("a key was replaced")
	}
}
