package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/node"
)

// errDamaged makes the exit code of a check that found damage.
var errDamaged = errors.New("the data are damaged")

func fsckCommand() *cobra.Command {
	var home string
	var repair, asJSON bool
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Derive everything a stopped node has at rest again, and name what is damaged",
		Long: `Derive everything a stopped node has at rest again: heads, the log's hashes, the
state's tree, every payload's commitment, every block's hash and signatures.
Each part's first wrong place is named. With --repair, what is damaged is moved
aside: the next start executes the node's own blocks again where those are
sound, or fetches the chain from its peers. Keys and the record of what the
validator signed are never touched.
Exit code 0: sound. 1: damaged, or not to be read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := node.LoadConfig(home, os.Environ(), nil)
			if err != nil {
				return err
			}
			say := func(text string) { fmt.Fprintf(cmd.ErrOrStderr(), "\r\033[K%s", text) }
			if asJSON || !isTerminal(os.Stderr) {
				say = nil
			}
			report, err := node.Fsck(home, config, repair, say)
			if say != nil {
				say("")
			}
			if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(cmd, report); err != nil {
					return err
				}
			} else {
				printFsck(cmd, report)
			}
			if len(report.Damage) > 0 && report.Repaired == "" {
				return errDamaged
			}
			return nil
		},
	}
	homeFlag(cmd, &home)
	cmd.Flags().BoolVar(&repair, "repair", false, "move aside what is damaged")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// isTerminal says whether a line can be written over.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func printFsck(cmd *cobra.Command, r *node.FsckReport) {
	out := cmd.OutOrStdout()
	if r.Height == 0 && r.Keys == 0 && len(r.Damage) == 0 {
		fmt.Fprintln(out, "nothing is at rest here yet: the node has not run")
		return
	}
	fmt.Fprintf(out, "height %d: looked at %d entries with their payloads, %d keys of the state, %d blocks with their signatures\n",
		r.Height, r.Entries, r.Keys, r.Blocks)
	if len(r.Damage) == 0 {
		fmt.Fprintln(out, "all of it is sound")
	}
	for _, d := range r.Damage {
		fmt.Fprintf(out, "damaged: %s: %s\n", d.Part, d.Text)
	}
	if r.Repaired != "" {
		fmt.Fprintf(out, "moved aside to %s; %s\n", r.Repaired, r.Then)
	} else if len(r.Damage) > 0 {
		fmt.Fprintln(out, "cairnd fsck --repair moves aside what is damaged, to be made again at the next start")
	}
}
