package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// member is a node that joins: its home, and what the council votes on.
type member struct {
	*node
	ID        protocol.NodeID       `json:"nodeId"`
	Validator protocol.ValidatorKey `json:"validatorKey"`
	LogKey    protocol.LogKey       `json:"logKey"`
}

// join makes the home of another node, as an operator would.
func (nw *network) join(name string) *member {
	nw.t.Helper()
	out := run(nw.t, binary(nw.t, "cairnd"), "join", "--json", "--home", filepath.Join(nw.dir, name), "--network", nw.dir, "--name", name,
		"--base-port", fmt.Sprint(freePorts(nw.t, 1)))
	m := &member{node: &node{}}
	if err := json.Unmarshal([]byte(out), m); err != nil {
		nw.t.Fatalf("%v: %s", err, out)
	}
	if err := json.Unmarshal([]byte(out), m.node); err != nil {
		nw.t.Fatal(err)
	}
	nw.t.Cleanup(func() { nw.kill(m.node) })
	return m
}

// gov runs a command of the council and answers what it said.
func (nw *network) gov(args ...string) string {
	nw.t.Helper()
	return run(nw.t, binary(nw.t, "cairn"), append([]string{"gov", "--network", nw.dir}, args...)...)
}

func (nw *network) eventually(what string, within time.Duration, holds func() bool) {
	nw.t.Helper()
	for deadline := time.Now().Add(within); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			nw.t.Fatalf("after %s it is not so that %s", within, what)
		}
	}
}

func (n *node) ready() bool {
	status, _ := get(n.API + "/readyz")
	return status == http.StatusOK
}

func (n *node) said(text string) bool {
	log, err := os.ReadFile(n.log.Name())
	return err == nil && strings.Contains(string(log), text)
}

// signs says whether a validator's vote is in the newest commit that a node has.
func (nw *network) signs(n *node, key protocol.ValidatorKey) bool {
	nw.t.Helper()
	var answer struct {
		Result struct {
			SignedHeader struct {
				Commit struct {
					Signatures []struct {
						Flag    int    `json:"block_id_flag"`
						Address string `json:"validator_address"`
					} `json:"signatures"`
				} `json:"commit"`
			} `json:"signed_header"`
		} `json:"result"`
	}
	getJSON(nw.t, n.RPC+"/commit", &answer)
	sum := sha256.Sum256(key[:])
	for _, s := range answer.Result.SignedHeader.Commit.Signatures {
		if s.Flag == 2 && s.Address == fmt.Sprintf("%X", sum[:20]) {
			return true
		}
	}
	return false
}

// proves fetches receipts of the newest entries, which the client verifies
// with the founding document and what it learned of the validators since.
func (nw *network) proves(c *client.Client) {
	nw.t.Helper()
	for _, index := range []uint64{0, nw.agreed().LogSize - 1} {
		if _, err := c.Receipt(context.Background(), index); err != nil {
			nw.t.Fatalf("receipt of entry %d: %v", index, err)
		}
	}
}

// Members come and go on a running network under load: an unknown node is
// refused, admitted by vote, follows, and signs once it has power; another is
// voted out; a producer changes its key; and a validator that runs twice is
// found out and put out, while everything that was submitted becomes final.
func TestMembersComeAndGo(t *testing.T) {
	nw, began := startNetwork(t, 4), time.Now()
	c := nw.connect()
	load := nw.traffic(c, nw.key("producer"), protocol.Address{}, "load")

	fifth := nw.join("harbour")
	nw.start(fifth.node)
	nw.eventually("a validator refused the unknown node", 20*time.Second, func() bool { return nw.nodes[0].said("peer refused: its node id is not registered") })
	nw.eventually("the unknown node says what to do", 20*time.Second, func() bool { return fifth.said("cairn gov propose node " + fifth.ID.String()) })
	if fifth.ready() {
		t.Fatal("a node that nobody admitted is ready")
	}
	nw.gov("propose", "node", fifth.ID.String(), "--name", "harbour", "--vote")
	nw.eventually("the admitted node has caught up", time.Minute, fifth.ready)
	if nw.signs(nw.nodes[0], fifth.Validator) {
		t.Fatal("a node without power signs")
	}
	nw.gov("propose", "validator", fifth.Validator.String(), "--power", "10", "--name", "harbour", "--log-key", fifth.LogKey.String(), "--vote")
	nw.eventually("the fifth validator signs", 30*time.Second, func() bool { return nw.signs(nw.nodes[0], fifth.Validator) })
	signs := time.Now()
	nw.nodes = append(nw.nodes, fifth.node) // its head has to be the others' too
	nw.proves(c)
	for _, n := range nw.nodes { // none of which was told of it, or started again
		nw.eventually("the fifth validator's cosignature is in a checkpoint of "+n.Home, 30*time.Second, func() bool { return slices.Contains(nw.cosigned(c, n), "cairn-devnet/harbour") })
	}
	t.Logf("the fifth validator cosigns %s after it signs blocks", time.Since(signs).Round(time.Millisecond))

	gone := nw.validator(c, "node3")
	nw.gov("propose", "validator", gone.String(), "--vote")
	nw.eventually("the fourth validator's vote is not counted any more", 30*time.Second, func() bool { return !nw.signs(nw.nodes[0], gone) })
	nw.proves(c)
	nw.eventually("checkpoints have a quorum of who is left", 30*time.Second, func() bool {
		names := nw.cosigned(c, fifth.node)
		return len(names) > 2 && !slices.Contains(names, "cairn-devnet/node3")
	})
	if sent := load.end(); sent < 100 {
		t.Fatalf("only %d events were submitted meanwhile", sent)
	}
	t.Logf("members came and went after %s", time.Since(began).Round(time.Second))
	nw.rotate(c)
	t.Logf("a key was rotated after %s", time.Since(began).Round(time.Second))
	nw.equivocate(c, fifth)
}

// cosigned says which validators of the set of today, as receipts prove it,
// cosigned the checkpoint that a node serves; nobody where too few did.
func (nw *network) cosigned(c *client.Client, n *node) []string {
	nw.t.Helper()
	by, err := c.Cosigners(context.Background())
	if err != nil {
		nw.t.Fatal(err)
	}
	_, text := get(n.API + "/log/checkpoint")
	checkpoint, err := proof.ParseCheckpoint(text)
	if err != nil {
		return nil // none yet
	}
	who, err := by.Verify(checkpoint)
	if err != nil && !errors.Is(err, proof.ErrUncosigned) {
		nw.t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return who.Names
}

// validator finds a validator's key by its name.
func (nw *network) validator(c *client.Client, name string) protocol.ValidatorKey {
	nw.t.Helper()
	set, err := c.Validators(context.Background(), 0)
	if err != nil {
		nw.t.Fatal(err)
	}
	for _, v := range set.Validators {
		if v.Name == name {
			return v.Key
		}
	}
	nw.t.Fatalf("no validator is named %s: %+v", name, set)
	return protocol.ValidatorKey{}
}

// rotate gives the producer another key while it writes, at an exact height: the
// old key is taken below it and refused from there on, the new one taken.
func (nw *network) rotate(c *client.Client) {
	nw.t.Helper()
	ctx, old := context.Background(), nw.key("producer")
	load := nw.traffic(c, old, protocol.Address{}, "rotated")
	cairn := binary(nw.t, "cairn")
	run(nw.t, cairn, "keys", "new", filepath.Join(nw.dir, "keys", "later.json"))
	from, later := nw.height()+60, nw.key("later") // the load makes blocks while the command starts
	run(nw.t, cairn, "account", "rotate", "--network", nw.dir, "--key", "producer", "--to", "later", "--from", fmt.Sprint(from))
	sent := load.end()
	for try, height := 0, uint64(0); height < from-1; try++ { // it also makes the blocks
		var code protocol.Code
		if height, code = nw.tries(c, old, fmt.Sprint("old", try)); code == protocol.CodeKeyRetired {
			break
		} else if code != protocol.CodeOK || height >= from {
			nw.t.Fatalf("the old key, from height %d on another's turn: %s at height %d", from, code, height)
		}
	}
	if height, code := nw.tries(c, later, "new"); code != protocol.CodeOK || height < from {
		nw.t.Fatalf("the new key, whose turn begins at height %d: %s at height %d", from, code, height)
	}
	if _, code := nw.tries(c, old, "late"); code != protocol.CodeKeyRetired {
		nw.t.Fatalf("the old key was refused with %s", code)
	}
	p, err := c.NewProducer(ctx, later, "rotated", client.ProducerConfig{Account: old.Address()})
	if err != nil || p.Held() != sent {
		nw.t.Fatalf("the stream stands at %d of %d: %v", p.Held(), sent, err)
	}
	f, err := p.Submit(ctx, protocol.Event{ID: "after", Source: "/load/rotated", Type: "load.v1"})
	if err == nil {
		_, err = f.Wait(ctx)
	}
	if err := errors.Join(err, p.Close(ctx)); err != nil {
		nw.t.Fatal(err)
	}
}

// tries executes something harmless: the code it came to, and at which height.
func (nw *network) tries(c *client.Client, key protocol.PrivateKey, name string) (height uint64, code protocol.Code) {
	nw.t.Helper()
	_, status, err := c.CreateMultisig(context.Background(), key, name, protocol.Multisig{Threshold: 1, Members: []protocol.Address{nw.key("author").Address()}})
	code, refused := protocol.CodeOf(err)
	if err != nil && !refused {
		nw.t.Fatal(err)
	}
	return status.Height, code
}

func (nw *network) height() uint64 {
	nw.t.Helper()
	var h head
	getJSON(nw.t, nw.nodes[0].API+"/v1/head", &h)
	return h.Height
}

// equivocate runs a second process with the key of a validator. Both sign, and
// sooner or later two blocks at one height: the proof of it puts the validator
// out, for good, and is an entry.
func (nw *network) equivocate(c *client.Client, twin *member) {
	nw.t.Helper()
	ctx := context.Background()
	second := nw.join("second")
	nw.gov("propose", "node", second.ID.String(), "--name", "second", "--vote")
	secret, err := os.ReadFile(filepath.Join(twin.Home, "validator-key.json"))
	if err != nil {
		nw.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(second.Home, "validator-key.json"), secret, 0o600); err != nil {
		nw.t.Fatal(err)
	}
	load := nw.traffic(c, nw.key("later"), nw.key("producer").Address(), "twins")
	nw.start(second.node)
	nw.eventually("the twin has caught up", time.Minute, second.ready)
	began := time.Now()
	nw.eventually("evidence put the validator out", 3*time.Minute, func() bool {
		set, err := c.Validators(ctx, 0)
		if err != nil {
			nw.t.Fatal(err)
		}
		for _, v := range set.Validators {
			if v.Key == twin.Validator {
				return false
			}
		}
		return set.Next == nil
	})
	nw.t.Logf("found out after %s", time.Since(began).Round(time.Second))
	nw.eventually("its votes are not counted any more", 30*time.Second, func() bool { return !nw.signs(nw.nodes[0], twin.Validator) })
	index, act := nw.evidence(c)
	if !act.Removed || act.Validator != twin.Validator {
		nw.t.Fatalf("entry %d says %+v", index, act)
	}
	out, code := runCode(nw.t, binary(nw.t, "cairn"), "gov", "propose", "validator", twin.Validator.String(), "--power", "1", "--name", "again", "--network", nw.dir)
	if code != 1 || !strings.Contains(out, "is barred: entry ") {
		nw.t.Fatalf("exit %d: %s", code, out)
	}
	load.end()
	nw.proves(c)
}

// evidence finds the entry that took a validator out. Further evidence of one
// that is out already may follow it.
func (nw *network) evidence(c *client.Client) (uint64, *protocol.GovernanceAct) {
	nw.t.Helper()
	ctx := context.Background()
	for index := nw.agreed().LogSize; index > 0; index-- {
		var e rest.Entry
		getJSON(nw.t, nw.nodes[0].API+"/v1/entries/"+strconv.FormatUint(index-1, 10), &e)
		if e.Kind != protocol.EntryGovernance {
			continue
		}
		receipt, err := c.Receipt(ctx, index-1)
		if err != nil {
			nw.t.Fatal(err)
		}
		if act := governanceAct(nw.t, c, receipt); act.Step == protocol.GovEvidence && act.Removed {
			return index - 1, act
		}
	}
	nw.t.Fatal("no entry is about evidence")
	return 0, nil
}

func governanceAct(t testing.TB, c *client.Client, receipt *proof.Receipt) *protocol.GovernanceAct {
	t.Helper()
	statement, err := c.Verify(context.Background(), receipt)
	if err != nil {
		t.Fatal(err)
	}
	act, ok := statement.Entry.Act.(*protocol.GovernanceAct)
	if !ok {
		t.Fatalf("%+v", statement.Entry)
	}
	return act
}
