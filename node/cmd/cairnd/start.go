package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/node"
	"github.com/cairn-ledger/cairn/node/devnet"
)

// homeFlag adds --home of a node. The environment's CAIRN_HOME is its default.
func homeFlag(cmd *cobra.Command, home *string) {
	cmd.Flags().StringVar(home, "home", cmp.Or(os.Getenv("CAIRN_HOME"), "cairn-node"), "the node's folder: configuration, keys, data (CAIRN_HOME)")
}

// networkHomeFlag adds --home of a network, whose folder `make run` and the
// docs call .devnet.
func networkHomeFlag(cmd *cobra.Command, home *string) {
	cmd.Flags().StringVar(home, "home", cmp.Or(os.Getenv("CAIRN_HOME"), ".devnet"), "the network's folder, with a home for each node in it (CAIRN_HOME)")
}

// gcPercent trades memory for time. A node's live heap is caches, and scanning
// them at Go's default of 100 took up to a sixth of its time; at 400 memory that is
// touched for the first time costs more than collecting would: parking on four
// validators went from 36,000 to 43,000 events/s at 200. GOGC overrides it.
const gcPercent = 200

func startCommand() *cobra.Command {
	var home string
	var hidden measuring
	cmd := &cobra.Command{
		Use: "start", Short: "Run the validator of a home until interrupted", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := node.LoadConfig(home, os.Environ(), changedSettings(cmd))
			if err != nil {
				return err
			}
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(gcPercent)
			}
			stopProfile, err := hidden.start(home)
			if err != nil {
				return err
			}
			defer stopProfile()
			if hidden.noop {
				return node.RunNoop(cmd.Context(), home, config, os.Stderr)
			}
			n, err := node.Open(home, config, os.Stderr)
			if err != nil {
				return err
			}
			pid := filepath.Join(home, devnet.PIDFile) // so that `cairnd devnet stop` finds this process
			if err := os.WriteFile(pid, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
				n.Close()
				return err
			}
			defer os.Remove(pid)
			return n.Run(cmd.Context())
		},
	}
	homeFlag(cmd, &home)
	hidden.flags(cmd)
	settingFlags(cmd)
	return cmd
}

// settingFlags adds a flag for each setting of the configuration file.
func settingFlags(cmd *cobra.Command) {
	keys, meanings := node.Keys()
	for i, key := range keys {
		cmd.Flags().String(flagName(key), "", meanings[i])
	}
}

func flagName(key string) string { return strings.ReplaceAll(key, "_", "-") }

// changedSettings are the settings given on the command line.
func changedSettings(cmd *cobra.Command) map[string]string {
	changed := map[string]string{}
	keys, _ := node.Keys()
	for _, key := range keys {
		if flag := cmd.Flags().Lookup(flagName(key)); flag != nil && flag.Changed {
			changed[key] = flag.Value.String()
		}
	}
	return changed
}

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and explain a node's configuration"}
	var home string
	var asJSON, keysAsJSON bool
	check := &cobra.Command{
		Use: "check", Short: "Say whether a home's configuration is valid, and print what is in force", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := node.LoadConfig(home, os.Environ(), changedSettings(cmd))
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, config.Values())
			}
			text, err := config.Bytes()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	homeFlag(check, &home)
	settingFlags(check)
	jsonFlag(check, &asJSON)
	keys := &cobra.Command{
		Use: "keys", Short: "List the settings and what they mean", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, meanings := node.Keys()
			if keysAsJSON {
				settings := make([]setting, len(names))
				for i, name := range names {
					settings[i] = setting{name, meanings[i]}
				}
				return printJSON(cmd, settings)
			}
			for i, name := range names {
				fmt.Fprintf(cmd.OutOrStdout(), "%-20s %s\n", name, meanings[i])
			}
			return nil
		},
	}
	jsonFlag(keys, &keysAsJSON)
	cmd.AddCommand(check, keys)
	return cmd
}

// setting is a key of the configuration file.
type setting struct {
	Key     string `json:"key"`
	Meaning string `json:"meaning"`
}
