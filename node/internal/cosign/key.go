// Package cosign makes a node's log a transparency log that others can use: it
// signs checkpoints with the validator's log key, collects the signatures of
// the other validators and of witnesses, and keeps the newest checkpoint that
// enough of them vouch for.
//
// None of it is on the consensus path. A checkpoint is signed when the next
// block's header commits to it, so honest validators sign one root for a size
// whatever a node does here.
package cosign

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cairn-ledger/cairn/genesis"
)

// keyFile is a log key at rest, readable by its owner alone.
type keyFile struct {
	Public genesis.Key `json:"publicKey"`
	Seed   string      `json:"seed"` // 32 bytes in hex
}

// WriteKey puts a log key into a new file.
func WriteKey(path string, key ed25519.PrivateKey) error {
	text, err := json.MarshalIndent(keyFile{genesis.Key(key.Public().(ed25519.PublicKey)), hex.EncodeToString(key.Seed())}, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%w; a log key is never replaced", err)
	}
	_, err = file.Write(append(text, '\n'))
	return errors.Join(err, file.Sync(), file.Close())
}

// LoadKey reads a log key; nil where there is no file.
func LoadKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("log key: %w", err)
	}
	var file keyFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("log key: %s: %w", path, err)
	}
	seed, err := hex.DecodeString(file.Seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("log key: %s: the seed is not %d bytes in hex", path, ed25519.SeedSize)
	}
	key := ed25519.NewKeyFromSeed(seed)
	if genesis.Key(key.Public().(ed25519.PublicKey)) != file.Public {
		return nil, fmt.Errorf("log key: %s: the seed is of another public key", path)
	}
	return key, nil
}
