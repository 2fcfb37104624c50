package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/sim/asm"
)

// founded starts a network of one validator with a chain id of its own.
func founded(t *testing.T, chainID string) *network {
	t.Helper()
	dir := t.TempDir()
	run(t, binary(t, "cairnd"), "devnet", "--home", dir, "--chain-id", chainID, "--validators", "1", "--base-port", fmt.Sprint(freePorts(t, 1)), "--detach")
	t.Cleanup(func() { run(t, binary(t, "cairnd"), "devnet", "stop", "--home", dir) })
	return &network{t: t, dir: dir}
}

func (nw *network) cairn(args ...string) string {
	nw.t.Helper()
	return run(nw.t, binary(nw.t, "cairn"), append(args, "--network", nw.dir)...)
}

// address of a key in the network's folder.
func (nw *network) address(name string) protocol.Address {
	nw.t.Helper()
	text, err := os.ReadFile(filepath.Join(nw.dir, "keys", name+".json"))
	var file struct{ Address protocol.Address }
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil {
		nw.t.Fatal(err)
	}
	return file.Address
}

// deployPayer deploys a contract that pays the producer 1.00 EUR for each price
// that the ledger "prices" sets.
func (nw *network) deployPayer() {
	nw.t.Helper()
	payee := nw.address("producer")
	pay := asm.I32(0) + asm.I32(3) + asm.I32(3) + asm.I64(100) + asm.Host(abi.HostTransfer) + asm.Drop + asm.I32(0)
	code := filepath.Join(nw.t.TempDir(), "payer.wasm")
	manifest := filepath.Join(filepath.Dir(code), "manifest.json")
	for path, text := range map[string][]byte{
		code:     asm.Contract("EUR"+string(payee[:]), "", pay),
		manifest: []byte(`{"name":"payer","version":"1.0.0","abi":1,"events":[{"type":"price.set.v1","ledger":"prices","fields":[]}]}`),
	} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			nw.t.Fatal(err)
		}
	}
	nw.cairn("contract", "deploy", "--wasm", code, "--manifest", manifest)
	nw.cairn("token", "issue", "EUR")
	nw.cairn("token", "mint", protocol.ContractAddress(nw.address("author"), "payer").String(), "100", "EUR")
}

// prices submits price events on a stream of its own.
func (nw *network) prices(stream string, n int) {
	nw.t.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"specversion":"1.0","id":"%s-%d","source":"/market","type":"price.set.v1","subject":"kWh","data":{"price":%d}}`+"\n", stream, i, 20+i)
	}
	file := filepath.Join(nw.t.TempDir(), stream+".jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o644); err != nil {
		nw.t.Fatal(err)
	}
	nw.cairn("submit", file, "--stream", stream)
}

// paid is what the producer was paid, in cents.
func (nw *network) paid() string {
	nw.t.Helper()
	return nw.cairn("token", "balance", nw.address("producer").String(), "EUR", "--json")
}

// A price change on one ledger pays on another, once each, though the relay is
// killed in between and another one runs beside it.
func TestAPriceOnOneLedgerPaysOnAnother(t *testing.T) {
	t.Parallel()
	a, b := founded(t, "cairn-prices"), founded(t, "cairn-money")
	b.cairn("role", "set", "author", "author", "issuer", "--vote")
	b.deployPayer()
	b.cairn("gov", "propose", "ledger", "prices", "--of", a.dir, "--types", "price.", "--max-age", "1h", "--vote")
	cairn := binary(t, "cairn")
	state := filepath.Join(t.TempDir(), "relay.json")
	relay := func(verb string) *exec.Cmd {
		return exec.Command(cairn, "relay", verb, "--from", a.dir, "--to", b.dir, "--state", state, "--batch", "2")
	}
	a.prices("one", 3)
	running := relay("run")
	var said strings.Builder
	running.Stdout, running.Stderr = &said, &said
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	b.waitPaid(3)
	a.prices("two", 5)
	running.Process.Kill() // somewhere on the way
	running.Wait()
	os.Remove(state) // the other ledger knows what it has
	if out, err := relay("once").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, said.String())
	}
	b.waitPaid(8)
	if out, err := relay("once").CombinedOutput(); err != nil || b.relayed() != 8 {
		t.Fatalf("%v: %s", err, out)
	}
	if paid := b.paid(); !strings.Contains(paid, "800") {
		t.Fatalf("eight prices paid %s", paid)
	}
	if shown := b.cairn("ledger", "show", "prices"); !strings.Contains(shown, "cairn-prices") {
		t.Fatal(shown)
	}
	b.explainsPayment()
}

// relayed counts the entries that the ledger has of the other one.
func (nw *network) relayed() (n int) {
	nw.t.Helper()
	var list []struct{ Relayed int }
	if err := json.Unmarshal([]byte(nw.cairn("ledger", "list", "--json")), &list); err != nil || len(list) != 1 {
		nw.t.Fatal(err, len(list))
	}
	return list[0].Relayed
}

func (nw *network) waitPaid(n int) {
	nw.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); nw.relayed() < n; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			nw.t.Fatalf("%d of %d events were relayed", nw.relayed(), n)
		}
	}
}

// explainsPayment has an auditor follow the last payment to the other ledger.
func (nw *network) explainsPayment() {
	nw.t.Helper()
	var head struct{ LogSize uint64 }
	if err := json.Unmarshal([]byte(nw.cairn("status", "--json")), &head); err != nil {
		nw.t.Fatal(err)
	}
	for index := head.LogSize - 1; index > 0; index-- {
		if text := nw.cairn("event", fmt.Sprint(index), "--json"); strings.Contains(text, `"kind":"token"`) {
			why := nw.cairn("audit", "why", fmt.Sprint(index))
			if !strings.Contains(why, "of prices, chain cairn-prices") {
				nw.t.Fatal(why)
			}
			return
		}
	}
	nw.t.Fatal("no payment is in the log")
}
