package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestEveryCommandHasHelp makes every command as main does, which panics where
// two flags share a name, and reads its help.
func TestEveryCommandHasHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		var out bytes.Buffer
		cmd.SetOut(&out)
		if err := cmd.Help(); err != nil || cmd.Short == "" && cmd.Long == "" || !strings.Contains(out.String(), cmd.Name()) {
			t.Errorf("%s: help is %q, %v", cmd.CommandPath(), out.String(), err)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root())
}

// run answers what a command prints.
func run(t *testing.T, args ...string) string {
	t.Helper()
	var out, words bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&words)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("cairnd %s: %v", strings.Join(args, " "), err)
	}
	return out.String()
}

// Every command that prints facts prints them for scripts too; the shapes are
// those of docs/operations.md.
func TestJSON(t *testing.T) {
	silent := []string{"cairnd start", "cairnd token revoke"}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Runnable() && len(cmd.Commands()) == 0 && cmd.Flags().Lookup("json") == nil && !slices.Contains(silent, cmd.CommandPath()) {
			t.Errorf("%s has no --json", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root())
	dir := t.TempDir()
	home := filepath.Join(dir, "node0")
	for _, test := range []struct{ command, want string }{
		{"version", `{"version":".+"}`},
		{"init --validators 1 --home " + dir, `{"chainId":"cairn-devnet","genesis":".+","nodes":\[{"name":"node0","id":"[0-9a-f]{40}","api":"http://127.0.0.1:8080","rpc":".+","home":".+"}\]}`},
		{"config keys", `\[{"key":"name","meaning":"Name of this node in logs and to its peers."},.+\]`},
		{"config check --home " + home, `{.*"api_address":"127.0.0.1:8080",.*"peers":\[\],.*"timeout_propose":"1s",.*}`},
		{"token list --home " + home, `\[\]`},
		{"token add a --home " + home, `{"name":"a","secret":"cairn_.+"}`},
		{"token add b --certificate cn:b --events-per-second 5 --ends 1h --scope produce,consume --source /b/ --home " + home, `{"name":"b"}`},
		{"token list --home " + home, `\[{"name":"a","scopes":\["produce"\],"since":"[^"]+"},{"name":"b","certificate":"cn:b","scopes":\["produce","consume"\],"sources":\["/b/"\],"rate":{"events":5},"since":"[^"]+","until":"[^"]+"}\]`},
	} {
		out := run(t, append(strings.Fields(test.command), "--json")...)
		if !json.Valid([]byte(out)) || !regexp.MustCompile("^"+test.want+"\n$").MatchString(out) {
			t.Errorf("%s: %s", test.command, out)
		}
	}
}
