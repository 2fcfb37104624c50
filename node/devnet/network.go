// Package devnet founds networks of validators in one folder and runs them on
// loopback, one process a node.
package devnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node"
)

// Files of a network's folder.
const (
	NetworkFile = "network.json"
	GenesisFile = "genesis.json"
	KeysDir     = "keys"
)

// Network describes a folder's network. network.json is this, as JSON.
type Network struct {
	ChainID string    `json:"chainId"`
	Genesis string    `json:"genesis"` // path of the founding document
	Nodes   []Address `json:"nodes"`

	dir string
}

// Address says where a node is.
type Address struct {
	Name string `json:"name"`
	ID   string `json:"id"`  // CometBFT node id
	API  string `json:"api"` // URL
	RPC  string `json:"rpc"` // URL
	Home string `json:"home"`
}

// Options of a new network.
type Options struct {
	ChainID    string
	Validators int
	BasePort   int
	Now        time.Time // the genesis time
	NoSchemas  bool      // found it without the schemas of the shipped contracts
}

// Distance of a node's other ports from its API port.
const (
	rpcOffset = 1000
	p2pOffset = 2000
)

func (o Options) validate() error {
	if o.Validators < 1 || o.Validators > rpcOffset {
		return fmt.Errorf("--validators: must be 1 to %d, is %d", rpcOffset, o.Validators)
	}
	if o.BasePort < 1 || o.BasePort+p2pOffset+o.Validators > 65_535 {
		return fmt.Errorf("--base-port: %d leaves no room for %d nodes below port 65536", o.BasePort, o.Validators)
	}
	return nil
}

// APIURL is where the node with this API port listens.
func APIURL(port int) string { return fmt.Sprintf("http://%s", loopback(port)) }

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(port)) }

// Load reads a folder's network; nil without an error where there is none.
func Load(dir string) (*Network, error) {
	text, err := os.ReadFile(filepath.Join(dir, NetworkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	n := &Network{}
	if err := json.Unmarshal(text, n); err != nil || len(n.Nodes) == 0 {
		return nil, fmt.Errorf("%s is not a network's description (%v); remove the folder to found a new one", filepath.Join(dir, NetworkFile), err)
	}
	n.moveTo(dir)
	return n, nil
}

// moveTo sets every path anew: the folder may have been moved or copied.
func (n *Network) moveTo(dir string) {
	n.dir, n.Genesis = dir, filepath.Join(dir, GenesisFile)
	for i := range n.Nodes {
		n.Nodes[i].Home = filepath.Join(dir, filepath.Base(n.Nodes[i].Name))
	}
}

// write makes or renews network.json.
func (n *Network) write() error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(n.dir, NetworkFile), append(text, '\n'), 0o644)
}

// Create founds a network in an empty or new folder: genesis, keys, and one
// configured home a node. The network's description is written last, so a
// half-made folder is never taken for a network.
func Create(dir string, o Options) (*Network, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty and holds no network; choose another folder", dir)
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	founded, err := genesis.Generate(o.ChainID, o.Validators, o.Now)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, KeysDir), 0o700); err != nil {
		return nil, err
	}
	for name, key := range founded.Accounts {
		if err := node.WriteAccountKey(filepath.Join(dir, KeysDir, name+".json"), name, key); err != nil {
			return nil, err
		}
	}
	gateways, err := addGateways(founded)
	if err != nil {
		return nil, err
	}
	if !o.NoSchemas {
		if err := addSchemas(founded); err != nil {
			return nil, err
		}
	}
	network := &Network{ChainID: o.ChainID, Genesis: filepath.Join(dir, GenesisFile), dir: dir}
	for i, key := range founded.Validators {
		home := filepath.Join(dir, founded.Document.Validators[i].Name)
		id, err := node.WriteKeys(home, key, founded.LogKeys[i])
		if err != nil {
			return nil, err
		}
		if err := node.WriteAccountKey(filepath.Join(home, node.GatewayKeyFile), founded.Document.Validators[i].Name+" gateway", gateways[i]); err != nil {
			return nil, err
		}
		if err := founded.Document.Validators[i].NodeID.UnmarshalText([]byte(id)); err != nil { // it is admitted from the start
			return nil, err
		}
		network.Nodes = append(network.Nodes, Address{
			Name: founded.Document.Validators[i].Name, ID: id, Home: home,
			API: APIURL(o.BasePort + i), RPC: APIURL(o.BasePort + rpcOffset + i),
		})
	}
	if err := os.WriteFile(network.Genesis, founded.Document.Bytes(), 0o644); err != nil {
		return nil, err
	}
	for i := range network.Nodes {
		if err := network.configure(i, o.BasePort, founded.Document); err != nil {
			return nil, err
		}
	}
	return network, network.write()
}

func (n *Network) configure(i, basePort int, doc *genesis.Document) error {
	self := n.Nodes[i]
	c := node.Default()
	c.Name = self.Name
	c.ExecuteAhead = len(n.Nodes) == 1 // several share this machine's cores
	c.APIAddress, c.RPCAddress, c.P2PAddress = loopback(basePort+i), loopback(basePort+rpcOffset+i), loopback(basePort+p2pOffset+i)
	for j, peer := range n.Nodes {
		if j != i {
			c.Peers = append(c.Peers, peer.ID+"@"+loopback(basePort+p2pOffset+j))
		}
	}
	text, err := c.Bytes()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(self.Home, c.GenesisFile), doc.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(self.Home, node.ConfigFile), text, 0o644)
}

// addGateways gives each node an account of its own to submit events with on
// behalf of others. Their keys go into the nodes' homes and nowhere else.
func addGateways(founded *genesis.Network) (keys []protocol.PrivateKey, err error) {
	for i := range founded.Document.Validators {
		key, err := founded.AddAccount(fmt.Sprintf("gateway%d", i), "producer")
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, founded.Document.Validate()
}
