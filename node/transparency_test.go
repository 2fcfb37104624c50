package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/cosign"
	"github.com/cairn-ledger/cairn/node/internal/machine"
)

// cosigned waits for a checkpoint of at least a size.
func (s *solo) cosigned(size uint64) (text []byte, checkpoint *proof.SignedCheckpoint) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if status, body := s.do(http.MethodGet, "/log/checkpoint", nil); status == http.StatusOK {
			c, err := proof.ParseCheckpoint(body)
			if err != nil {
				s.t.Fatalf("%v:\n%s", err, body)
			}
			if c.Size >= size {
				return body, c
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no checkpoint of %d entries", size)
		}
	}
}

// tileReader fetches tiles for golang.org/x/mod, which names them in its own way.
type tileReader struct{ base string }

func (tileReader) Height() int                                { return torchwood.TileHeight }
func (tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (r tileReader) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		response, err := http.Get(r.base + torchwood.TilePath(t))
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s %v", torchwood.TilePath(t), response.Status, err)
		}
		data = append(data, body)
	}
	return data, nil
}

// Others' tools read and verify the log with nothing of ours but a policy.
func TestToolsOfOthersReadTheLog(t *testing.T) {
	s := found(t)
	s.start()
	const count = 700
	var old *proof.SignedCheckpoint
	for first := 0; first < count; first += 100 {
		s.submit(s.batch(uint64(first), 100))
		if first == 300 {
			_, old = s.cosigned(400)
		}
	}
	text, checkpoint := s.cosigned(count)
	cosigners, err := s.network.Document.Cosigners()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := torchwood.ParsePolicy(cosigners.Policy())
	if err != nil {
		t.Fatalf("%v:\n%s", err, cosigners.Policy())
	}
	seen, _, err := torchwood.VerifyCheckpoint(text, policy)
	if err != nil {
		t.Fatal(err)
	}
	if seen.N != count || seen.Origin != "cairn-test" || protocol.Hash(seen.Hash) != checkpoint.Root {
		t.Fatalf("torchwood reads %+v", seen)
	}
	verifier, err := note.NewVerifier(cosigners.List()[0].LogVKey("cairn-test"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(text, note.VerifierList(verifier)); err != nil {
		t.Errorf("golang.org/x/mod/sumdb/note: %v", err)
	}

	base := "http://" + s.config.APIAddress + "/log/"
	hashes := tlog.TileHashReader(seen.Tree, tileReader{base})
	consistent, err := tlog.ProveTree(seen.N, int64(old.Size), hashes)
	if err == nil {
		err = tlog.CheckTree(consistent, seen.N, seen.Hash, int64(old.Size), tlog.Hash(old.Root))
	}
	if err != nil {
		t.Errorf("golang.org/x/mod/sumdb/tlog: %v", err)
	}
	fetcher, err := torchwood.NewTileFetcher(base)
	if err != nil {
		t.Fatal(err)
	}
	client, err := torchwood.NewClient(fetcher)
	if err != nil {
		t.Fatal(err)
	}
	var entries [][]byte
	for _, entry := range client.AllEntries(context.Background(), seen.Tree, 0) {
		entries = append(entries, bytes.Clone(entry))
	}
	if err := client.Err(); err != nil || len(entries) != count {
		t.Fatalf("torchwood's client reads %d entries: %v", len(entries), err)
	}
	if e, err := protocol.DecodeEntry(entries[count-1]); err != nil || e.Sequence != count-1 {
		t.Errorf("the last entry is %+v, %v", e, err)
	}
	s.consistency(old, checkpoint)
	s.exports(policy, cosigners, entries)
	s.tiles()
}

// consistency verifies the node's own proof between two checkpoints.
func (s *solo) consistency(old, now *proof.SignedCheckpoint) {
	var c rest.Consistency
	s.get(fmt.Sprintf("/v1/log/consistency?from=%d&to=%d", old.Size, now.Size), &c)
	if err := proof.VerifyConsistency(old.Size, now.Size, old.Root, now.Root, c.Path); err != nil {
		s.t.Error(err)
	}
}

// exports verifies receipts with torchwood and with go-cose.
func (s *solo) exports(policy torchwood.Policy, cosigners proof.Cosigners, entries [][]byte) {
	for _, index := range []int{0, 255, 256, 699} {
		status, text := s.do(http.MethodGet, fmt.Sprintf("/v1/receipts/%d?format=tlog-proof", index), nil)
		if status != http.StatusOK {
			s.t.Fatalf("tlog-proof: %d %s", status, text)
		}
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(entries[index]), text); err != nil {
			s.t.Errorf("torchwood: tlog-proof of entry %d: %v", index, err)
		}
		receipt, err := proof.ParseTlogProof(text)
		if err != nil {
			s.t.Fatal(err)
		}
		if statement, err := receipt.Verify(cosigners); err != nil || statement.Entry.Event.ID != fmt.Sprint(index) {
			s.t.Errorf("%+v, %v", statement, err)
		}
		status, text = s.do(http.MethodGet, fmt.Sprintf("/v1/receipts/%d?format=cose", index), nil)
		if status != http.StatusOK {
			s.t.Fatalf("cose: %d %s", status, text)
		}
		ours, err := proof.ParseCose(text)
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := ours.Verify(cosigners); err != nil {
			s.t.Error(err)
		}
		if err := verifyCose(text, entries[index], cosigners.List()[0].Key); err != nil {
			s.t.Errorf("go-cose: receipt of entry %d: %v", index, err)
		}
	}
}

// verifyCose verifies a COSE Receipt as RFC 9942 says, with veraison/go-cose
// and fxamacker/cbor.
func verifyCose(text, entry []byte, key proof.LogKey) error {
	var message cose.Sign1Message
	if err := message.UnmarshalCBOR(text); err != nil {
		return err
	}
	if vds := message.Headers.Protected[int64(395)]; vds != int64(1) {
		return fmt.Errorf("verifiable data structure %v", vds)
	}
	proofs, ok := message.Headers.Unprotected[int64(396)].(map[any]any)
	if !ok {
		return fmt.Errorf("header 396 is %T", message.Headers.Unprotected[int64(396)])
	}
	var inclusion struct {
		_     struct{} `cbor:",toarray"`
		Size  int64
		Index int64
		Path  [][]byte
	}
	if err := cbor.Unmarshal(proofs[int64(-1)].([]any)[0].([]byte), &inclusion); err != nil {
		return err
	}
	root := climb(sha256.Sum256(append([]byte{0}, entry...)), inclusion.Index, inclusion.Size, inclusion.Path)
	message.Payload = root[:]
	verifier, err := cose.NewVerifier(cose.AlgorithmEdDSA, ed25519.PublicKey(key[:]))
	if err != nil {
		return err
	}
	return message.Verify(nil, verifier)
}

// climb is RFC 9162, section 2.1.3.2, word for word.
func climb(leaf [32]byte, index, size int64, path [][]byte) [32]byte {
	fn, sn, r := index, size-1, leaf
	for _, p := range path {
		if fn&1 == 1 || fn == sn {
			r = sha256.Sum256(append(append([]byte{1}, p...), r[:]...))
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = sha256.Sum256(append(append([]byte{1}, r[:]...), p...))
		}
		fn, sn = fn>>1, sn>>1
	}
	return r
}

// tiles holds the paths to what C2SP tlog-tiles says.
func (s *solo) tiles() {
	for path, want := range map[string]int{
		"0/000": 8192, "0/002.p/188": 32 * 188, "0/000.p/7": 7 * 32, "1/000.p/2": 64, "entries/001": 256 * 120, "entries/002.p/3": 360,
		"0/002": 0, "1/000": 0, "0/002.p/189": 0, "0/000.p/256": 0, "0/000.p/0": 0, "00/000": 0, "0/0": 0, "0/x000/000": 0, "8/000.p/1": 0,
		"64/000": 0, "-1/000": 0, "entries/9": 0, "0/x999/x999/x999/x999/x999/x999/999": 0, "0/000.p/07": 0, "0": 0,
	} {
		response, err := http.Get("http://" + s.config.APIAddress + "/log/tile/" + path)
		if err != nil {
			s.t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		switch cache := response.Header.Get("Cache-Control"); {
		case want == 0 && response.StatusCode != http.StatusNotFound:
			s.t.Errorf("tile %s: %s", path, response.Status)
		case want > 0 && (len(body) != want || response.Header.Get("Content-Type") != "application/octet-stream" || cache != "public, max-age=31536000, immutable"):
			s.t.Errorf("tile %s: %d bytes, must be %d; %v", path, len(body), want, response.Header)
		case want == 0 && cache != "":
			s.t.Errorf("tile %s: the refusal may be cached", path)
		}
	}
}

// A node without a log key, or with one that no validator has, runs and signs no
// checkpoint; once the council gave its key to the validator it does, and
// receipts of the state prove the key to who trusts the founding document.
func TestNodeWithoutItsLogKey(t *testing.T) {
	s := found(t)
	path := s.home + "/" + logKeyFile
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("log key: %v %v", info, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	unsigned := func() {
		t.Helper()
		s.start()
		s.submit(s.batch(0, 1))
		if status, body := s.do(http.MethodGet, "/log/checkpoint", nil); status != http.StatusNotFound {
			t.Errorf("checkpoint: %d %s", status, body)
		}
		s.verify("/v1/receipts/0")
	}
	unsigned()
	s.halt()
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	if err := cosign.WriteKey(path, key); err != nil {
		t.Fatal(err)
	}
	unsigned()
	c := s.client(nil)
	founding, err := s.network.Document.Cosigners()
	if err != nil {
		t.Fatal(err)
	}
	s.pass(c, protocol.GovAction{
		Kind: protocol.GovLogKey, Validator: protocol.ValidatorKey(s.network.Document.Validators[0].PubKey), LogKey: protocol.LogKey(key.Public().(ed25519.PublicKey)),
	})
	by, err := c.Cosigners(background)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, _, err = c.Checkpoint(background, by); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Checkpoint(background, founding); !errors.Is(err, proof.ErrUncosigned) {
		t.Errorf("by the founding document: %v", err)
	}
}

// A stream with a declared gap and a repeat is proven complete, and many
// consecutive entries at once.
func TestBatchesAndStreams(t *testing.T) {
	s := found(t)
	s.start()
	s.submit(s.batch(0, 300))
	gap := &protocol.Batch{Stream: "meters", First: 340, Skip: 40, Seed: [32]byte{3}}
	for i, id := range []string{"300", "7", "342"} { // the second is a repeat
		e := protocol.Event{ID: id, Source: "/test", Type: "reading.v1", DataForm: protocol.DataJSON,
			DataContentType: "application/json", Data: fmt.Appendf(nil, `{"kwh":%d}`, i)}
		gap.Records = append(gap.Records, e.AppendRecord(nil))
	}
	raw, err := protocol.SignTx("cairn-test", s.network.Accounts["producer"], 1000, 300, gap)
	if err != nil {
		t.Fatal(err)
	}
	if status := s.submit(raw); status.State != rest.StateCommitted || status.Duplicates != 1 {
		t.Fatalf("%+v", status)
	}
	anchor, err := s.network.Document.Trust()
	if err != nil {
		t.Fatal(err)
	}
	connection, err := client.New(client.Config{Nodes: []string{"http://" + s.config.APIAddress}, ChainID: "cairn-test"})
	if err != nil {
		t.Fatal(err)
	}
	producer := s.network.Accounts["producer"].Address()
	if !bytes.Equal(proof.StreamKey(producer, "meters"), machine.StreamKey(producer, "meters")) {
		t.Error("the stream's state key is another")
	}
	for _, withhold := range []bool{false, true} {
		p, err := connection.StreamProof(context.Background(), producer, "meters", 5, 0, withhold)
		if err != nil {
			t.Fatal(err)
		}
		statement, err := p.Verify(anchor)
		if err != nil {
			t.Fatal(err)
		}
		if statement.To != 343 || statement.Events != 297 || len(statement.Gaps) != 1 || statement.Gaps[0].Count != 40 ||
			len(statement.Duplicates) != 1 || statement.Duplicates[0].First != 7 {
			t.Errorf("%s", statement)
		}
		text, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("withheld %v: %d bytes for %d sequences", withhold, len(text), p.To-p.From)
	}
	for _, count := range []int{1, 100, 10_000} {
		r, err := connection.BatchReceipt(context.Background(), 200, count, false)
		if err != nil {
			t.Fatal(err)
		}
		batch, err := r.VerifyWith(anchor)
		if err != nil || len(batch.Entries) != min(count, 104) || batch.Entries[0].Event.ID != "200" {
			t.Errorf("%d entries: %v", len(batch.Entries), err)
		}
	}
}
