package devnet

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node"
)

func create(t *testing.T) (*Network, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "net")
	n, err := Create(dir, Options{ChainID: "cairn-test", Validators: 4, BasePort: 18080, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return n, dir
}

func TestCreate(t *testing.T) {
	n, dir := create(t)
	doc, err := genesis.Load(filepath.Join(dir, GenesisFile))
	if err != nil {
		t.Fatal(err)
	}
	if doc.ChainID != "cairn-test" || len(doc.Validators) != 4 || len(n.Nodes) != 4 {
		t.Errorf("genesis of %s with %d validators, %d nodes", doc.ChainID, len(doc.Validators), len(n.Nodes))
	}
	ids := map[string]bool{}
	for i, at := range n.Nodes {
		c, err := node.LoadConfig(at.Home, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if "http://"+c.APIAddress != at.API || "http://"+c.RPCAddress != at.RPC || len(c.Peers) != 3 || c.Name != doc.Validators[i].Name {
			t.Errorf("%s has the configuration %+v", at.Name, c)
		}
		ids[at.ID] = true
	}
	if len(ids) != 4 {
		t.Errorf("node ids %v must differ", ids)
	}
	var file map[string]any
	text, err := os.ReadFile(filepath.Join(dir, NetworkFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil || file["chainId"] != "cairn-test" || file["genesis"] == "" || len(file["nodes"].([]any)) != 4 {
		t.Errorf("%s: %v %s", NetworkFile, err, text)
	}
	for _, account := range doc.Accounts {
		if i, isGateway := strings.CutPrefix(account.Name, "gateway"); isGateway {
			checkKey(t, filepath.Join(dir, "node"+i, node.GatewayKeyFile), account)
			continue
		}
		checkKey(t, filepath.Join(dir, KeysDir, account.Name+".json"), account)
	}
}

// checkKey holds a demo account's key file to the genesis.
func checkKey(t *testing.T, path string, account genesis.Account) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s is readable by others: %s", path, info.Mode())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Address protocol.Address `json:"address"`
	}
	if err := json.Unmarshal(text, &file); err != nil || file.Address != account.Address {
		t.Errorf("%s: %v, address %s, genesis says %s", path, err, file.Address, account.Address)
	}
}

// A folder may be moved: its paths follow.
func TestLoadMoved(t *testing.T) {
	_, dir := create(t)
	moved := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	n, err := Load(moved)
	if err != nil || n == nil {
		t.Fatal(err)
	}
	if n.Genesis != filepath.Join(moved, GenesisFile) || n.Nodes[2].Home != filepath.Join(moved, "node2") {
		t.Errorf("paths %s, %s", n.Genesis, n.Nodes[2].Home)
	}
	if n, err := Load(t.TempDir()); n != nil || err != nil {
		t.Errorf("an empty folder holds %+v, %v", n, err)
	}
}

func TestRefusals(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := busy.Addr().(*net.TCPAddr).Port
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"busy port", Options{Validators: 2, BasePort: port - 1}.CheckPorts(), busy.Addr().String()},
		{"busy port names the flag", Options{Validators: 1, BasePort: port}.CheckPorts(), "--base-port"},
		{"no room for ports", Options{Validators: 4, BasePort: 65_000}.CheckPorts(), "--base-port"},
		{"no validators", Options{BasePort: 8080}.CheckPorts(), "--validators"},
		{"foreign folder", second(Create(full, Options{ChainID: "c", Validators: 1, BasePort: 8080})), "not empty"},
		{"damaged description", second(Load(damaged(t))), NetworkFile},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("%s: error %v, must name %s", tc.name, tc.err, tc.want)
		}
	}
}

func second(_ *Network, err error) error { return err }

func damaged(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, NetworkFile), []byte(`{"nodes":[`), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
