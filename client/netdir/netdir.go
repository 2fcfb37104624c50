// Package netdir reads the folder of a network, as `cairnd devnet` founds it:
// where the nodes are, the founding document and the keys of accounts.
package netdir

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

// Folder is what network.json says.
type Folder struct {
	Dir     string
	Genesis string   // file of the founding document
	Nodes   []string // URLs of the nodes' APIs
}

// Open reads a folder. One that was moved since is understood.
func Open(dir string) (*Folder, error) {
	path := filepath.Join(dir, "network.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there; `cairnd devnet --home %s` founds a network", path, dir)
	}
	if err != nil {
		return nil, err
	}
	var file struct {
		Genesis string `json:"genesis"`
		Nodes   []struct {
			API string `json:"api"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Nodes) == 0 || file.Genesis == "" {
		return nil, fmt.Errorf("%s does not describe a network (%v)", path, err)
	}
	f := &Folder{Dir: dir, Genesis: file.Genesis}
	if _, err := os.Stat(f.Genesis); err != nil {
		f.Genesis = filepath.Join(dir, "genesis.json")
	}
	for _, node := range file.Nodes {
		f.Nodes = append(f.Nodes, node.API)
	}
	return f, nil
}

// Client makes a client of the network that trusts its founding document.
func (f *Folder) Client() (*client.Client, error) {
	doc, err := genesis.Load(f.Genesis)
	if err != nil {
		return nil, err
	}
	trust, err := doc.Trust()
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{Nodes: f.Nodes, ChainID: doc.ChainID, Trust: trust})
}

// Key loads a key: a name inside the folder's keys, or a file.
func (f *Folder) Key(nameOrFile string) (protocol.PrivateKey, error) {
	inFolder := filepath.Join(f.Dir, "keys", nameOrFile+".json")
	if _, err := os.Stat(inFolder); err == nil {
		nameOrFile = inFolder
	} else if _, err := os.Stat(nameOrFile); errors.Is(err, fs.ErrNotExist) && filepath.Base(nameOrFile) == nameOrFile && filepath.Ext(nameOrFile) == "" {
		return protocol.PrivateKey{}, fmt.Errorf("there is neither a key %s in %s nor a file of that name; `cairn keys new %s` makes one", nameOrFile, filepath.Dir(inFolder), inFolder)
	}
	return ReadKey(nameOrFile)
}

// KeyFile is an account's key at rest.
type KeyFile struct {
	Name    string             `json:"name"`
	Address protocol.Address   `json:"address"`
	Public  protocol.PublicKey `json:"publicKey"`
	Secret  string             `json:"secretKey"`
}

// ReadKeyFile reads a file that `cairn keys new` wrote, without checking it.
func ReadKeyFile(path string) (*KeyFile, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no key file %s; `cairn keys new %s` makes one", path, path)
	}
	if err != nil {
		return nil, err
	}
	var file KeyFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s is not a key file: %w", path, err)
	}
	return &file, nil
}

// ReadKey reads a key file and holds its address against its key.
func ReadKey(path string) (protocol.PrivateKey, error) {
	file, err := ReadKeyFile(path)
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
