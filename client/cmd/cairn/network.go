package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// networkFile is what cairnd devnet writes to network.json.
type networkFile struct {
	Genesis string `json:"genesis"`
	Nodes   []struct {
		API string `json:"api"`
	} `json:"nodes"`
}

// genesisPath is the founding document that the flags lead to; no node is
// needed.
func (s *session) genesisPath() (string, error) {
	switch {
	case s.genesis != "":
		return s.genesis, nil
	case s.network == "":
		return "", usageError{errors.New("say which ledger: --genesis FILE, or --network DIR")}
	}
	file, err := readNetwork(s.network)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(file.Genesis); err != nil { // the folder was moved
		return filepath.Join(s.network, "genesis.json"), nil
	}
	return file.Genesis, nil
}

// connect makes a client from --network, or from --node and --genesis.
func (s *session) connect() (*ledger, error) {
	nodes, genesisFile := []string{s.node}, s.genesis
	switch {
	case s.network != "" && (s.node != "" || s.genesis != ""):
		return nil, usageError{errors.New("--network stands alone; --node and --genesis go together")}
	case s.network != "":
		file, err := readNetwork(s.network)
		if err != nil {
			return nil, err
		}
		nodes = nil
		for _, n := range file.Nodes {
			nodes = append(nodes, n.API)
		}
		genesisFile = file.Genesis
		if _, err := os.Stat(genesisFile); err != nil { // the folder was moved
			genesisFile = filepath.Join(s.network, "genesis.json")
		}
	case s.node == "" || s.genesis == "":
		return nil, usageError{errors.New("say which ledger: --network DIR, or --node URL --genesis FILE")}
	}
	doc, err := genesis.Load(genesisFile)
	if err != nil {
		return nil, err
	}
	trust, err := doc.Trust()
	if err != nil {
		return nil, err
	}
	as, err := s.actAs()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{Nodes: nodes, ChainID: doc.ChainID, Trust: trust, As: as})
	if err != nil {
		return nil, usageError{err}
	}
	return &ledger{c}, nil
}

func readNetwork(dir string) (*networkFile, error) {
	path := filepath.Join(dir, "network.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there; `cairnd devnet --home %s` founds a network", path, dir)
	}
	if err != nil {
		return nil, err
	}
	var file networkFile
	if err := json.Unmarshal(text, &file); err != nil || len(file.Nodes) == 0 || file.Genesis == "" {
		return nil, fmt.Errorf("%s does not describe a network (%v)", path, err)
	}
	return &file, nil
}

// keyFile is an account's key at rest.
type keyFile struct {
	Name    string             `json:"name"`
	Address protocol.Address   `json:"address"`
	Public  protocol.PublicKey `json:"publicKey"`
	Secret  string             `json:"secretKey"`
}

// key loads a key: a file, or a name inside the network's keys folder.
func (s *session) key(nameOrFile string) (protocol.PrivateKey, error) {
	path := nameOrFile
	if s.network != "" {
		inNetwork := filepath.Join(s.network, "keys", nameOrFile+".json")
		if _, err := os.Stat(inNetwork); err == nil {
			path = inNetwork
		}
	}
	file, err := readKey(path)
	if err != nil {
		return protocol.PrivateKey{}, err
	}
	secret, err := hex.DecodeString(file.Secret)
	if err != nil {
		return protocol.PrivateKey{}, fmt.Errorf("%s: the secret key is not hex", path)
	}
	key, err := protocol.PrivateKeyFromBytes(secret)
	if err != nil {
		return key, fmt.Errorf("%s: %w", path, err)
	}
	if key.Address() != file.Address {
		return key, fmt.Errorf("%s: the secret key belongs to %s, the file says %s", path, key.Address(), file.Address)
	}
	return key, nil
}

func readKey(path string) (*keyFile, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no key file %s; `cairn keys new %s` makes one", path, path)
	}
	if err != nil {
		return nil, err
	}
	var file keyFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s is not a key file: %w", path, err)
	}
	return &file, nil
}
