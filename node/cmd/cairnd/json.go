package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

// jsonFlag adds --json to a command that prints facts.
func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "answer in JSON, for scripts")
}

// printJSON prints one value on a line of its own.
func printJSON(cmd *cobra.Command, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
	return err
}
