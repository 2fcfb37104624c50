package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/netdir"
	"github.com/cairn-ledger/cairn/client/protocol"
)

func keysCommand(s *session) *cobra.Command {
	return group("keys", "Make and show account keys",
		&cobra.Command{
			Use: "new FILE", Short: "Make a key and write it to a new file, readable by you alone", Args: exactly(1, "the file to write"),
			RunE: func(_ *cobra.Command, args []string) error { return s.newKey(args[0]) },
		},
		&cobra.Command{
			Use: "show FILE", Short: "Show a key's address and public key", Args: exactly(1, "a key file, or a name in the network's keys folder"),
			RunE: func(_ *cobra.Command, args []string) error { return s.showKeys(args) },
		},
		&cobra.Command{
			Use: "list", Short: "List the keys of a network's folder", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return s.listKeys() },
		},
	)
}

func (s *session) newKey(path string) error {
	key, err := protocol.NewPrivateKey()
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(path), ".json")
	text, err := json.MarshalIndent(netdir.KeyFile{Name: name, Address: key.Address(), Public: key.Public(), Secret: hex.EncodeToString(key.Bytes())}, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w; a key file is never overwritten", err)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	if s.json {
		return s.printJSON(map[string]any{"file": path, "address": key.Address(), "publicKey": key.Public()})
	}
	_, err = fmt.Fprintf(s.out, "wrote %s\naddress     %s\npublic key  %s\nThe account can do nothing until the ledger gives it a role.\n", path, key.Address(), key.Public())
	return err
}

func (s *session) showKeys(paths []string) error {
	type row struct {
		Name    string             `json:"name"`
		Address protocol.Address   `json:"address"`
		Public  protocol.PublicKey `json:"publicKey"`
		File    string             `json:"file"`
	}
	var rows []row
	for _, path := range paths {
		if s.network != "" {
			if inNetwork := filepath.Join(s.network, "keys", path+".json"); exists(inNetwork) {
				path = inNetwork
			}
		}
		file, err := netdir.ReadKeyFile(path)
		if err != nil {
			return err
		}
		rows = append(rows, row{file.Name, file.Address, file.Public, path})
	}
	if s.json {
		return s.printJSON(rows)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tADDRESS\tPUBLIC KEY\tFILE")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.Name, r.Address, r.Public, r.File)
	}
	return table.Flush()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (s *session) listKeys() error {
	if s.network == "" {
		return usageError{fmt.Errorf("say which network: --network DIR")}
	}
	paths, err := filepath.Glob(filepath.Join(s.network, "keys", "*.json"))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("%s holds no keys", filepath.Join(s.network, "keys"))
	}
	return s.showKeys(paths)
}
