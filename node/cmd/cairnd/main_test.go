package main

import (
	"bytes"
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
