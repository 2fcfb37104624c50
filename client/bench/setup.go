package bench

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// connect makes a client for each node, with the others to turn to, and reads
// the keys of the network's accounts.
func (r *run) connect() (err error) {
	doc, err := genesis.Load(filepath.Join(r.net.dir, "genesis.json"))
	if err != nil {
		return err
	}
	trust, err := doc.Trust()
	if err != nil {
		return err
	}
	for i := range r.net.nodes {
		var urls []string
		for j := range r.net.nodes {
			urls = append(urls, r.net.nodes[(i+j)%len(r.net.nodes)].API)
		}
		c, err := client.New(client.Config{Nodes: urls, Trust: trust})
		if err != nil {
			return err
		}
		r.clients = append(r.clients, c)
	}
	if r.producer, err = r.net.key("producer"); err != nil {
		return err
	}
	r.author, err = r.net.key("author")
	return err
}

// key reads the key of an account that the network was founded with.
func (d *devnet) key(name string) (key protocol.PrivateKey, err error) {
	text, err := os.ReadFile(filepath.Join(d.dir, "keys", name+".json"))
	if err != nil {
		return key, err
	}
	var file struct {
		Secret string `json:"secretKey"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return key, err
	}
	secret, err := hex.DecodeString(file.Secret)
	if err != nil {
		return key, fmt.Errorf("key %s: %w", name, err)
	}
	return protocol.PrivateKeyFromBytes(secret)
}
