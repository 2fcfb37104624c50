package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/genesis"
)

// solo is a network of one validator in this process, on real CometBFT.
type solo struct {
	t       *testing.T
	home    string
	config  Config
	network *genesis.Network
	stop    context.CancelFunc
	ended   chan error
	nonce   uint64
	web     http.Client // that asks the node
}

func found(t *testing.T) *solo {
	t.Helper()
	network, err := genesis.Generate("cairn-test", 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := &solo{t: t, home: t.TempDir(), config: Default(), network: network}
	if _, err := WriteKeys(s.home, network.Validators[0], network.LogKeys[0]); err != nil {
		t.Fatal(err)
	}
	s.write("genesis.json", network.Document.Bytes())
	s.config.APIAddress, s.config.P2PAddress, s.config.RPCAddress = freeAddress(t), freeAddress(t), ""
	s.config.LogLevel = "error"
	return s
}

func (s *solo) write(name string, text []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.home, name), text, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs the node until halt and waits until it is ready.
func (s *solo) start() {
	s.t.Helper()
	n, err := Open(s.home, s.config, os.Stderr)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.ended = cancel, make(chan error, 1)
	go func() { s.ended <- n.Run(ctx) }()
	s.t.Cleanup(s.halt)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if status, _ := s.do(http.MethodGet, "/readyz", nil); status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			_, body := s.do(http.MethodGet, "/readyz", nil)
			s.t.Fatalf("the node is not ready: %s", body)
		}
	}
}

func (s *solo) halt() {
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	if err := <-s.ended; err != nil {
		s.t.Errorf("the node ended with %v", err)
	}
}

func (s *solo) do(method, path string, body []byte) (int, []byte) {
	request, err := http.NewRequest(method, s.config.apiScheme()+"://"+s.config.APIAddress+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.web.Do(request)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return response.StatusCode, answer
}

func (s *solo) get(path string, into any) {
	s.t.Helper()
	status, body := s.do(http.MethodGet, path, nil)
	if status != http.StatusOK {
		s.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
}

func (s *solo) head() (head rest.Head) {
	s.t.Helper()
	s.get("/v1/head", &head)
	return head
}

// batch signs count events of a stream, from a sequence on.
func (s *solo) batch(first uint64, count int) []byte {
	s.t.Helper()
	b := &protocol.Batch{Stream: "meters", First: first, Seed: [32]byte{byte(first), 1}}
	for i := range count {
		e := protocol.Event{
			ID: fmt.Sprint(first + uint64(i)), Source: "/test", Type: "reading.v1", DataForm: protocol.DataJSON,
			DataContentType: "application/json", Data: []byte(`{"kwh":3}`),
		}
		b.Records = append(b.Records, e.AppendRecord(nil))
	}
	raw, err := protocol.SignTx("cairn-test", s.network.Accounts["producer"], 1000, first, b)
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

func (s *solo) submit(raw []byte) (status rest.Status) {
	s.t.Helper()
	code, body := s.do(http.MethodPost, "/v1/transactions?wait=10s", raw)
	if err := json.Unmarshal(body, &status); err != nil || code != http.StatusOK {
		s.t.Fatalf("submit: %d %s", code, body)
	}
	return status
}

// verify fetches a receipt and checks it as an auditor would.
func (s *solo) verify(path string) proof.Statement {
	s.t.Helper()
	code, body := s.do(http.MethodGet, path, nil)
	if code != http.StatusOK {
		s.t.Fatalf("GET %s: %d %s", path, code, body)
	}
	receipt, err := proof.Parse(body)
	if err != nil {
		s.t.Fatal(err)
	}
	anchor, err := s.network.Document.Anchor()
	if err != nil {
		s.t.Fatal(err)
	}
	statement, err := receipt.Verify(anchor)
	if err != nil {
		s.t.Fatal(err)
	}
	return statement
}

// The whole way on real CometBFT: events in, a final status, a receipt that
// verifies offline, an idle network at rest, and all of it again after a restart.
func TestNodeCommitsRestsAndRestarts(t *testing.T) {
	s := found(t)
	s.start()
	status := s.submit(s.batch(0, 50))
	if status.State != rest.StateCommitted || status.Entries != 50 || status.Next != 50 {
		t.Fatalf("status %+v", status)
	}
	if again := s.submit(s.batch(0, 50)); again.State != rest.StateCommitted || again.FirstIndex != status.FirstIndex {
		t.Errorf("the same batch again: %+v, first %+v", again, status)
	}
	statement := s.verify(fmt.Sprintf("/v1/receipts/%d", status.FirstIndex+7))
	if statement.Entry == nil || statement.Entry.Event == nil || statement.Entry.Event.ID != "7" {
		t.Errorf("the receipt proves %s", statement)
	}
	s.verify("/v1/state?key=ff&format=binary") // the newest state, of a network at rest

	before := s.head()
	time.Sleep(300 * time.Millisecond)
	if after := s.head(); after != before || before.LogSize != 50 {
		t.Errorf("an idle network went from %+v to %+v", before, after)
	}
	s.halt()
	s.start()
	if after := s.head(); after.LogRoot != before.LogRoot || after.StateRoot != before.StateRoot || after.Height < before.Height {
		t.Errorf("restarted at %+v, stopped at %+v", after, before)
	}
	if more := s.submit(s.batch(50, 10)); more.State != rest.StateCommitted || more.Next != 60 {
		t.Errorf("after the restart: %+v", more)
	}
}

// CometBFT's consensus ends where it cannot write, as on a full disk. A node
// without it halts, and says why: it must not answer that it is ready.
func TestNodeHaltsWithoutConsensus(t *testing.T) {
	s := found(t)
	s.start()
	s.submit(s.batch(0, 1))
	if err := os.Rename(filepath.Join(s.home, "data"), filepath.Join(s.home, "gone")); err != nil { // where a vote is noted before it is cast
		t.Fatal(err)
	}
	s.do(http.MethodPost, "/v1/transactions", s.batch(1, 1))
	select {
	case err := <-s.ended:
		if !errors.Is(err, ErrHalted) || !strings.Contains(err.Error(), "consensus failed: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("the node ended with %v", err)
		}
		s.stop()
		s.stop = nil
	case <-time.After(30 * time.Second):
		t.Fatal("the node runs on without consensus")
	}
}

// A refused batch says why, waits for nobody, and passes once it is due.
func TestNodeRefusesAndRecovers(t *testing.T) {
	s := found(t)
	s.start()
	early := s.batch(10, 5)
	if status := s.submit(early); status.State != rest.StateRefused || status.Code != protocol.CodeSequenceGap || status.Next != 0 || !status.Retryable {
		t.Errorf("a gap: %+v", status)
	}
	s.submit(s.batch(0, 10))
	if status := s.submit(early); status.State != rest.StateCommitted || status.Next != 15 {
		t.Errorf("the same batch, now due: %+v", status)
	}
	forged := s.batch(15, 1)
	forged[len(forged)-1] ^= 1
	code, body := s.do(http.MethodPost, "/v1/transactions", forged)
	var problem rest.Problem
	if err := json.Unmarshal(body, &problem); err != nil || code < 400 || problem.Code != protocol.CodeBadSignature {
		t.Errorf("a forged signature: %d %s", code, body)
	}
	if strings.Count(problem.Message, problem.Name) > 1 {
		t.Errorf("the message repeats its code: %s", problem.Message)
	}
}

func TestOpenRefusals(t *testing.T) {
	s := found(t)
	s.start()
	s.submit(s.batch(0, 5))
	second := s.config
	second.APIAddress = freeAddress(t)
	second.P2PAddress = freeAddress(t)
	s.refuses("locked", second, "another process uses")
	s.refuses("API port", s.config, "api_address")
	second.P2PAddress = s.config.P2PAddress
	s.refuses("p2p port", second, "p2p_address")
	s.halt()

	other, err := genesis.Generate("cairn-test", 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.write("genesis.json", other.Document.Bytes())
	s.refuses("another genesis of the same name", s.config, "belong to another ledger")
	s.write("genesis.json", []byte("{}"))
	s.refuses("no genesis", s.config, "genesis")
	s.write("genesis.json", s.network.Document.Bytes())

	state, err := os.ReadFile(filepath.Join(s.home, validatorStateFile))
	if err != nil {
		t.Fatal(err)
	}
	s.write(validatorStateFile, []byte("{"))
	s.refuses("torn signing record", s.config, "sign twice")
	s.write(validatorStateFile, state)
	key, err := os.ReadFile(filepath.Join(s.home, validatorKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	s.write(validatorKeyFile, []byte("{}"))
	s.refuses("no key", s.config, "private key")
	s.write(validatorKeyFile, key)

	damage(t, filepath.Join(s.home, cometDir, "blockstore"))
	s.refuses("damaged blocks", s.config, "fetch the chain from its peers")
	if err := os.RemoveAll(filepath.Join(s.home, cometDir)); err != nil {
		t.Fatal(err)
	}
	s.refuses("ledger ahead of the blocks", s.config, "of different ages")
	damage(t, filepath.Join(s.home, ledgerDir))
	s.refuses("damaged ledger", s.config, "are damaged")
}

// refuses opens the node, which must fail with a sentence that has the text.
func (s *solo) refuses(name string, c Config, want string) {
	s.t.Helper()
	n, err := Open(s.home, c, io.Discard)
	if err == nil {
		n.Close()
	}
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
		s.t.Errorf("%s: error %v, must be one sentence with %q", name, err, want)
	}
}

// damage overwrites the middle of every file of a database.
func damage(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		text, err := os.ReadFile(path)
		if err != nil || len(text) == 0 {
			continue
		}
		for i := range text {
			text[i] ^= 0x5a
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A page of the log has what its entries have one by one, whatever the page's
// borders cut.
func TestPagesOfTheLog(t *testing.T) {
	s := found(t)
	s.start()
	for first := uint64(0); first < 700; first += 100 {
		s.submit(s.batch(first, 100))
	}
	want := make([]json.RawMessage, s.head().LogSize)
	for i := range want {
		s.get(fmt.Sprintf("/v1/entries/%d", i), &want[i])
	}
	for _, count := range []int{1, 99, 256, 1000} {
		for from := 0; from < len(want); {
			var page struct {
				Entries []json.RawMessage
				Next    int
			}
			s.get(fmt.Sprintf("/v1/entries?from=%d&count=%d", from, count), &page)
			if n := len(page.Entries); n != min(count, len(want)-from) || page.Next != from+n {
				t.Fatalf("from %d: %d entries, next %d", from, n, page.Next)
			}
			for i := range page.Entries {
				if !bytes.Equal(page.Entries[i], want[from+i]) {
					t.Fatalf("entry %d: %s in a page, %s alone", from+i, page.Entries[i], want[from+i])
				}
			}
			from = page.Next
			if count == 1 && from == 3 {
				break
			}
		}
	}
}
