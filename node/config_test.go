package node

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// homeWith writes a configuration file and answers its home.
func homeWith(t *testing.T, text string) string {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ConfigFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

func TestConfigRoundTrip(t *testing.T) {
	want := Default()
	want.Name, want.Peers, want.GossipSleep = "meter", []string{strings.Repeat("a", 40) + "@host:1"}, Duration(25*time.Millisecond)
	text, err := want.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	got, err := LoadConfig(homeWith(t, string(text)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read back %+v, wrote %+v", got, want)
	}
	keys, meanings := Keys()
	for i, key := range keys {
		if !strings.Contains(string(text), "\n"+key+" = ") && !strings.HasPrefix(string(text), key) {
			t.Errorf("the file lacks %s:\n%s", key, text)
		}
		if len(meanings[i]) < 20 || !strings.Contains(string(text), "# "+meanings[i]) {
			t.Errorf("%s is not explained in the file", key)
		}
	}
}

func TestConfigOverlays(t *testing.T) {
	home := homeWith(t, "name = \"file\"\nlog_level = \"warn\"\np2p_rate = 1000000\n")
	c, err := LoadConfig(home, []string{"CAIRN_LOG_LEVEL=error", "CAIRN_P2P_RATE=2000000", "CAIRN_HOME=/else", "CAIRN_NETWORK=.devnet", "CAIRN_TOKEN=secret", "PATH=/bin"},
		map[string]string{"p2p_rate": "3000000", "peers": strings.Repeat("b", 40) + "@h:1," + strings.Repeat("c", 40) + "@h:2"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "file" || c.LogLevel != "error" || c.P2PRate != 3_000_000 || len(c.Peers) != 2 || c.TimeoutPropose != Default().TimeoutPropose {
		t.Errorf("file, environment and command line overlay to %+v", c)
	}
}

func TestConfigRefusals(t *testing.T) {
	for _, tc := range []struct {
		name, file  string
		environ     []string
		overrides   map[string]string
		wantMessage string
	}{
		{name: "unknown key", file: "api_adress = \"127.0.0.1:1\"\n", wantMessage: "api_adress"},
		{name: "not TOML", file: "name = \n", wantMessage: ConfigFile},
		{name: "address", file: "api_address = \"8080\"\n", wantMessage: "api_address"},
		{name: "peer", file: "peers = [\"host:1\"]\n", wantMessage: "peers[0]"},
		{name: "level", file: "log_level = \"loud\"\n", wantMessage: "log_level"},
		{name: "format", file: "log_format = \"xml\"\n", wantMessage: "log_format"},
		{name: "low", file: "mempool_bytes = 1\n", wantMessage: "mempool_bytes"},
		{name: "over the network's limit", file: "block_bytes = 9000000\n", wantMessage: "block_bytes"},
		{name: "duration", file: "timeout_propose = \"soon\"\n", wantMessage: "soon"},
		{name: "duration bound", file: "timeout_propose = \"1ms\"\n", wantMessage: "timeout_propose"},
		{name: "environment", environ: []string{"CAIRN_P2P_RATE=fast"}, wantMessage: "CAIRN_P2P_RATE"},
		{name: "unknown in the environment", environ: []string{"CAIRN_P2P_RAT=1"}, wantMessage: "CAIRN_P2P_RAT"},
		{name: "command line", overrides: map[string]string{"keep_versions": "-1"}, wantMessage: "keep_versions"},
		{name: "no genesis", file: "genesis_file = \"\"\n", wantMessage: "genesis_file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := LoadConfig(homeWith(t, tc.file), tc.environ, tc.overrides)
			if err == nil || !strings.Contains(err.Error(), tc.wantMessage) {
				t.Errorf("error %v, must name %s", err, tc.wantMessage)
			}
		})
	}
	if _, err := LoadConfig(t.TempDir(), nil, nil); err == nil || !strings.Contains(err.Error(), "cairnd init") {
		t.Errorf("a home without configuration answers %v, must say how to make one", err)
	}
}

// The translation to CometBFT keeps what facts were measured for.
func TestCometSettings(t *testing.T) {
	c := Default()
	cfg := cometConfig(t.TempDir(), &c)
	if err := cfg.ValidateBasic(); err != nil {
		t.Fatal(err)
	}
	if cfg.Consensus.CreateEmptyBlocks || cfg.Consensus.TimeoutCommit != 0 || cfg.TxIndex.Indexer != "null" || cfg.P2P.PexReactor || cfg.Mempool.Recheck {
		t.Errorf("a setting that throughput or rest depends on changed: %+v %+v", cfg.Consensus, cfg.Mempool)
	}
}

// A missing configuration says what the folder is and what makes one.
func TestConfigMissing(t *testing.T) {
	home := t.TempDir()
	for _, want := range []string{"cairnd join", "is the folder of a network"} {
		if _, err := LoadConfig(home, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
		if err := os.WriteFile(filepath.Join(home, "network.json"), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Each setting can be given as text, as the environment and the command line do.
func TestEverySettingIsSetByText(t *testing.T) {
	keys, _ := Keys()
	for _, key := range keys {
		c, taken := Default(), 0
		for _, value := range []string{"text", "a,b", "7", "true", "3s", ""} {
			if c.Set(key, value) == nil {
				taken++
			}
		}
		if taken == 0 {
			t.Errorf("%s takes none", key)
		}
	}
	c := Default()
	if err := c.Set("audit_tokens", "true"); err != nil || !c.AuditTokens {
		t.Errorf("audit_tokens: %v", err)
	}
	if err := c.Set("audit_tokens", "yes"); err == nil {
		t.Error("audit_tokens takes yes")
	}
}
