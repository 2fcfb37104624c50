package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/cairn-ledger/cairn/node/internal/cosign"
)

// ConfigFile is the name of the configuration inside a node's home.
const ConfigFile = "cairnd.toml"

// Config is everything a node can be told. The zero value of a field means its
// default; Default fills them in. The file, the environment (CAIRN_API_ADDRESS
// for api_address) and the command line (--api-address) overlay one another in
// that order.
type Config struct {
	Name           string   `toml:"name" comment:"Name of this node in logs and to its peers."`
	GenesisFile    string   `toml:"genesis_file" comment:"Founding document, relative to the node's home. All nodes of a network have the same."`
	APIAddress     string   `toml:"api_address" comment:"Where producers, consumers and auditors connect: host:port."`
	TLSCertificate string   `toml:"tls_certificate" comment:"Certificate that the API is served by over TLS, in PEM with its intermediates, relative to the node's home; empty for plain HTTP. What replaces this and the next two files holds a second later."`
	TLSKey         string   `toml:"tls_key" comment:"Key of that certificate."`
	TLSClientCAs   string   `toml:"tls_client_cas" comment:"Authorities of client certificates; empty asks for none. What a certificate may do is granted by cairnd token add --certificate."`
	JWTIssuer      string   `toml:"jwt_issuer" comment:"Issuer (iss) of the JWTs that callers may show; empty takes none. What a JWT may do is granted by cairnd token add --claim."`
	JWTAudience    string   `toml:"jwt_audience" comment:"Audience (aud) that those JWTs must have: a name for this node, or for the network."`
	JWTKeys        string   `toml:"jwt_keys" comment:"The issuer's JWK set: an https URL, an http one of this machine, or a file relative to the node's home."`
	RPCAddress     string   `toml:"rpc_address" comment:"CometBFT's own RPC, for its tools and light clients: host:port, or empty for none. Keep it off public networks."`
	P2PAddress     string   `toml:"p2p_address" comment:"Where other validators connect: host:port."`
	Peers          []string `toml:"peers" comment:"Other nodes: [\"id@host:port\"]. An unreachable one is dialled again and again."`
	Witnesses      []string `toml:"witnesses" comment:"Outside witnesses of the log (C2SP tlog-witness): [\"vkey http://host/prefix\"]. Each checkpoint collected for is submitted to them."`
	CosignEvery    Duration `toml:"cosign_every" comment:"Pause between two rounds of asking the peers for validators' signatures of the log's newest checkpoint."`
	LogLevel       string   `toml:"log_level" comment:"debug, info, warn or error."`
	LogFormat      string   `toml:"log_format" comment:"text for people, json for machines."`
	TraceEndpoint  string   `toml:"trace_endpoint" comment:"Where spans of sampled events are sent as OTLP over HTTP, such as http://127.0.0.1:4318; empty for nowhere."`
	KeepVersions   uint64   `toml:"keep_versions" comment:"How many past versions of the state to keep for queries and proofs at earlier heights; 0 keeps all."`
	KeepBlocks     uint64   `toml:"keep_blocks" comment:"How many blocks to keep. 0 keeps all: then what was erased stays inside the block that brought it (docs/privacy.md). Peers that fell further behind cannot catch up from this node."`
	AuditTokens    bool     `toml:"audit_tokens" comment:"Hold the supply of every asset to the sum of all balances, holds and streams after each block, and stop where they differ. It reads them all: for a node that has the time."`
	CacheBytes     int64    `toml:"cache_bytes" comment:"Memory for the ledger's block cache, in bytes."`
	MaxConnections int      `toml:"max_connections" comment:"Connections the API serves at once; more wait in the backlog."`

	TimeoutPropose   Duration `toml:"timeout_propose" comment:"How long a round waits for its proposer. CometBFT's 3s makes one dead validator of four cost 4.6s at the 99th percentile; 1s halves that and still covers a slow disk."`
	IdleBlock        Duration `toml:"idle_block" comment:"How long an idle network waits before it makes an empty block. Timers of contracts that wait for a time of day are at most that late on a network without events."`
	ExecuteAhead     bool     `toml:"execute_ahead" comment:"Begin to execute a proposal while it is voted on. Leave it on where this node has its cores to itself; validators that share a machine gain nothing and pay 6 % more processor time."`
	MempoolBytes     int64    `toml:"mempool_bytes" comment:"Bytes of transactions that may wait for a block; beyond it the API answers BUSY."`
	BlockBytes       int64    `toml:"block_bytes" comment:"Proposed block size limit in bytes, at most the network's 8 MiB. 4 MiB carried 21 MB/s where 1 MiB carried 16.6 and 8 MiB 22."`
	P2PRate          int64    `toml:"p2p_rate" comment:"Bytes a second to and from one peer. CometBFT's 5 MB/s halves throughput on a local network; lower it on a metered line."`
	GossipSleep      Duration `toml:"gossip_sleep" comment:"Pause between looks at what a peer lacks. 10ms against CometBFT's 100ms: 36,000 against 32,000 events/s."`
	MaxPacketPayload int      `toml:"max_packet_payload" comment:"Bytes of one p2p packet. 16 KiB against CometBFT's 1 KiB: 68,000 against 56,000 events/s, fewer system calls."`
}

// minKeepBlocks leaves peers that restart the blocks they missed.
const minKeepBlocks = 20

// Duration is a time.Duration written like 300ms.
type Duration time.Duration

// MarshalText renders Go's duration syntax.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads Go's duration syntax.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Default is a single node on loopback.
func Default() Config {
	return Config{
		Name: "node0", GenesisFile: "genesis.json",
		APIAddress: "127.0.0.1:8080", RPCAddress: "127.0.0.1:9080", P2PAddress: "127.0.0.1:10080", Peers: []string{},
		Witnesses: []string{}, CosignEvery: Duration(time.Second),
		LogLevel: "info", LogFormat: "text", CacheBytes: 256 << 20, MaxConnections: 4096,
		TimeoutPropose: Duration(time.Second), IdleBlock: Duration(time.Minute), ExecuteAhead: true, MempoolBytes: 64 << 20, BlockBytes: 4 << 20,
		P2PRate: 512 << 20, GossipSleep: Duration(10 * time.Millisecond), MaxPacketPayload: 16 << 10,
	}
}

// Validate holds every bound; the error names the field as the file spells it.
func (c *Config) Validate() error {
	for _, a := range [...]struct{ field, value string }{
		{"api_address", c.APIAddress}, {"rpc_address", c.RPCAddress}, {"p2p_address", c.P2PAddress},
	} {
		if a.value == "" && a.field == "rpc_address" {
			continue
		}
		if _, port, err := net.SplitHostPort(a.value); err != nil || port == "" {
			return fmt.Errorf("%s: %q is not host:port", a.field, a.value)
		}
	}
	for i, peer := range c.Peers {
		if id, address, ok := strings.Cut(peer, "@"); !ok || len(id) != 40 || address == "" {
			return fmt.Errorf("peers[%d]: %q is not id@host:port", i, peer)
		}
	}
	if u, err := url.Parse(c.TraceEndpoint); c.TraceEndpoint != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
		return fmt.Errorf("trace_endpoint: %q is not an http or https URL", c.TraceEndpoint)
	}
	if err := c.validateCallers(); err != nil {
		return err
	}
	if _, err := c.witnesses(); err != nil {
		return err
	}
	if _, err := c.level(); err != nil {
		return err
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return fmt.Errorf("log_format: %q must be text or json", c.LogFormat)
	}
	for _, n := range [...]struct {
		field           string
		value, min, max int64
	}{
		{"cache_bytes", c.CacheBytes, 1 << 20, 1 << 40},
		{"max_connections", int64(c.MaxConnections), 16, 1 << 20},
		{"timeout_propose", int64(c.TimeoutPropose), int64(50 * time.Millisecond), int64(time.Minute)},
		{"cosign_every", int64(c.CosignEvery), int64(50 * time.Millisecond), int64(time.Hour)},
		{"idle_block", int64(c.IdleBlock), int64(time.Second), int64(24 * time.Hour)},
		{"mempool_bytes", c.MempoolBytes, 2 << 20, 1 << 40},
		{"block_bytes", c.BlockBytes, 2 << 20, maxBlockBytes},
		{"p2p_rate", c.P2PRate, 64 << 10, 1 << 40},
		{"gossip_sleep", int64(c.GossipSleep), int64(time.Millisecond), int64(time.Second)},
		{"max_packet_payload", int64(c.MaxPacketPayload), 1 << 10, 1 << 20},
	} {
		if n.value < n.min || n.value > n.max {
			return fmt.Errorf("%s: must be %d to %d, is %d", n.field, n.min, n.max, n.value)
		}
	}
	if c.KeepBlocks != 0 && c.KeepBlocks < minKeepBlocks {
		return fmt.Errorf("keep_blocks: must be 0 or at least %d, is %d", minKeepBlocks, c.KeepBlocks)
	}
	if c.GenesisFile == "" {
		return errors.New("genesis_file: must be set")
	}
	return nil
}

func (c *Config) witnesses() (out []cosign.Witness, err error) {
	for i, text := range c.Witnesses {
		w, err := cosign.ParseWitness(text)
		if err != nil {
			return nil, fmt.Errorf("witnesses[%d]: %w", i, err)
		}
		out = append(out, w)
	}
	return out, nil
}

func (c *Config) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return level, fmt.Errorf("log_level: %q must be debug, info, warn or error", c.LogLevel)
	}
	return level, nil
}

// LoadConfig reads a home's configuration file over the defaults, then the
// environment over both, and validates. Unknown keys are refused: a misspelt
// setting must not be a silent default.
func LoadConfig(home string, environ []string, overrides map[string]string) (Config, error) {
	c := Default()
	path := filepath.Join(home, ConfigFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, network := os.Stat(filepath.Join(home, "network.json")); network == nil {
			return c, fmt.Errorf("configuration: %s is the folder of a network, not of a node; a node's is in it, such as %s", home, filepath.Join(home, "node0"))
		}
		return c, fmt.Errorf("configuration: %w; `cairnd init` founds a network, `cairnd join --home %s` makes a home in one", err, home)
	}
	if err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	if err := decodeStrict(text, &c); err != nil {
		return c, fmt.Errorf("configuration %s: %w", path, err)
	}
	if err := c.overlayEnvironment(environ); err != nil {
		return c, fmt.Errorf("configuration: environment: %w", err)
	}
	for key, value := range overrides {
		if err := c.Set(key, value); err != nil {
			return c, fmt.Errorf("configuration: command line: %w", err)
		}
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

func decodeStrict(text []byte, c *Config) error {
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	err := decoder.Decode(c)
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) {
		return fmt.Errorf("unknown key:\n%s", missing.String())
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Bytes renders the configuration with a comment above each key.
func (c *Config) Bytes() ([]byte, error) { return toml.Marshal(c) }

const environPrefix = "CAIRN_"

// othersVariables are variables with our prefix that are no settings of a node:
// cairnd's own home, and those of the command line cairn, which one shell has too.
var othersVariables = []string{"HOME", "NETWORK", "NODE", "GENESIS", "KEY", "TOKEN", "CA", "CLIENT_CERT", "CLIENT_KEY"}

func (c *Config) overlayEnvironment(environ []string) error {
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		key, ours := strings.CutPrefix(name, environPrefix)
		if !ours || slices.Contains(othersVariables, key) {
			continue
		}
		if err := c.Set(strings.ToLower(key), value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// Values are the settings in force by their keys, as the file would have them.
func (c *Config) Values() map[string]any {
	values, v := map[string]any{}, reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		value := v.Field(i).Interface()
		if list, ok := value.([]string); ok && list == nil {
			value = []string{}
		}
		values[v.Type().Field(i).Tag.Get("toml")] = value
	}
	return values
}

// Keys lists the settings as the file spells them, with what they mean.
func Keys() (keys, meanings []string) {
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("toml"))
		meanings = append(meanings, t.Field(i).Tag.Get("comment"))
	}
	return keys, meanings
}

// Set changes one setting by its key; lists are comma-separated.
func (c *Config) Set(key, value string) error {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") != key {
			continue
		}
		field := v.Field(i)
		switch target := field.Addr().Interface().(type) {
		case *string:
			*target = value
		case *[]string:
			*target = strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
		case *Duration:
			if err := target.UnmarshalText([]byte(value)); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		case *bool:
			on, err := strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("%s: %q is neither true nor false", key, value)
			}
			*target = on
		case *uint64:
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return fmt.Errorf("%s: %q is not a number of 0 or more", key, value)
			}
			*target = n
		default:
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return fmt.Errorf("%s: %q is not a number", key, value)
			}
			field.SetInt(n)
		}
		return nil
	}
	return fmt.Errorf("%s: no such setting; `cairnd config keys` lists them", key)
}
