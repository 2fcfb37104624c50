package devnet

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node"
)

// JoinOptions say what a node that joins a network is to be.
type JoinOptions struct {
	Name     string
	Genesis  string   // founding document
	Peers    []string // id@host:port
	BasePort int
}

// Joined is a home made for a node that joins: what the council votes on.
type Joined struct {
	Home      string                `json:"home"`
	Name      string                `json:"name"`
	Node      protocol.NodeID       `json:"nodeId"`
	Validator protocol.ValidatorKey `json:"validatorKey"`
	LogKey    protocol.LogKey       `json:"logKey"`
	API       string                `json:"api"`
}

// Peers are where the nodes of a folder's network are found by others.
func (n *Network) Peers() ([]string, error) {
	var peers []string
	for _, address := range n.Nodes {
		c, err := node.LoadConfig(address.Home, nil, nil)
		if err != nil {
			return nil, err
		}
		peers = append(peers, address.ID+"@"+c.P2PAddress)
	}
	return peers, nil
}

// Join makes the home of a node for a network that exists: keys of its own, the
// founding document, and a configuration. The node follows the ledger once the
// council has admitted it, and validates once the council gives it power.
func Join(home string, o JoinOptions) (*Joined, error) {
	doc, err := genesis.Load(o.Genesis)
	if err != nil {
		return nil, err
	}
	if len(o.Peers) == 0 {
		return nil, errors.New("a node that joins needs a peer: id@host:port")
	}
	if home, err = filepath.Abs(home); err != nil {
		return nil, err
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	logPublic, logKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	c := node.Default()
	c.Name, c.Peers = o.Name, o.Peers
	c.APIAddress, c.RPCAddress, c.P2PAddress = loopback(o.BasePort), loopback(o.BasePort+rpcOffset), loopback(o.BasePort+p2pOffset)
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	text, err := c.Bytes()
	if err != nil {
		return nil, err
	}
	id, err := node.WriteKeys(home, key, logKey)
	if err != nil {
		return nil, err
	}
	joined := &Joined{Home: home, Name: o.Name, Validator: protocol.ValidatorKey(public), LogKey: protocol.LogKey(logPublic), API: APIURL(o.BasePort)}
	if err := joined.Node.UnmarshalText([]byte(id)); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(home, c.GenesisFile), doc.Bytes(), 0o644); err != nil {
		return nil, err
	}
	return joined, os.WriteFile(filepath.Join(home, node.ConfigFile), text, 0o644)
}
